// A drawn road for tests that need a picture: one call draws one frame.

/** Draw frame `n` of a moving road. */
export function drawRoad(context, width, height, n) {
  const horizon = height * 0.42;
  const sky = context.createLinearGradient(0, 0, 0, horizon);
  sky.addColorStop(0, '#7fa9cf');
  sky.addColorStop(1, '#e9e3d0');
  context.fillStyle = sky;
  context.fillRect(0, 0, width, horizon);
  context.fillStyle = '#5d6f4a';
  context.fillRect(0, horizon, width, height - horizon);
  const bend = Math.sin(n / 90) * width * 0.18;
  const edge = (t, side) => width / 2 + bend * (1 - t) ** 2 + side * width * (0.02 + 0.62 * t ** 1.4);
  context.fillStyle = '#50545a';
  context.beginPath();
  for (let t = 0; t <= 1.001; t += 0.05) context.lineTo(edge(t, -1), horizon + t * (height - horizon));
  for (let t = 1; t >= -0.001; t -= 0.05) context.lineTo(edge(t, 1), horizon + t * (height - horizon));
  context.fill();
  for (let k = 0; k < 14; k += 1) {
    const near = ((k + (n % 12) / 12) / 14) ** 2.2;
    const far = ((k + 0.45 + (n % 12) / 12) / 14) ** 2.2;
    context.fillStyle = '#f5efdc';
    context.beginPath();
    for (const [t, side] of [[near, -0.012], [near, 0.012], [far, 0.012], [far, -0.012]]) {
      context.lineTo(edge(t, side), horizon + Math.min(1, t) * (height - horizon));
    }
    context.fill();
  }
}
