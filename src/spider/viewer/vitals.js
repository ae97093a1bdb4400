// How the car's body is, in a few characters each: battery, temperature, Wi-Fi, laps. What it has no sensor for is not there.
//
//   board (as received) ─▶ vitals ─▶ [{id, text, tone, title}]      tone: fine, slow, bad as everywhere on the page
//
// Promises: pure; absent in, absent out; a number never stands without its unit.

/** dBm at which a picture begins to suffer, and at which it breaks up. choice: common advice for video is −67 or better. */
const FINE_DBM = -67;
const BAD_DBM = -78;
/** Percent of a modem's signal, likewise. choice: ModemManager's bars. */
const FINE_PERCENT = 40;
const BAD_PERCENT = 15;
/** °C at which a Pi is near its limit of 80 to 85, and at it. spec: Raspberry Pi documentation, frequency management. */
const WARM = 70;
const HOT = 80;

const TONES = ['fine', 'slow', 'bad'];
const toneOf = (value, fine, bad) => (value >= fine ? 'fine' : value >= bad ? 'slow' : 'bad');
const minus = (number) => String(number).replace('-', '−');

/** 83.4 s or 1:23.4; laps are read at a glance, so tenths and hundredths only. */
export function lapText(ms) {
  const hundredths = Math.round(ms / 10);
  const seconds = (hundredths % 6000) / 100;
  const minutes = Math.floor(hundredths / 6000);
  return minutes > 0 ? `${minutes}:${seconds.toFixed(2).padStart(5, '0')}` : `${seconds.toFixed(2)} s`;
}

/** The figures beside the picture, most important first. `laps` is that of laps.js. */
export function vitals(board, laps) {
  const shown = [];
  const show = (id, text, tone, title) => shown.push({ id, text, tone, title });
  if (board !== null) {
    const { battery, battery_mv: mv, temp_celsius: celsius, wifi_dbm: dbm, modem_percent: percent } = board;
    if (mv !== null) show('battery', `${(mv / 1000).toFixed(2)} V`, TONES[battery] ?? 'fine', 'Battery');
    if (celsius !== null) show('heat', `${minus(celsius)} °C`, toneOf(-celsius, -WARM + 1, -HOT + 1), 'Temperature of the car’s computer');
    if (dbm !== null) show('wifi', `${minus(dbm)} dBm`, toneOf(dbm, FINE_DBM, BAD_DBM), 'Wi-Fi signal at the car');
    if (percent !== null) show('modem', `${percent} % mobile`, toneOf(percent, FINE_PERCENT, BAD_PERCENT), 'Mobile signal at the car');
  }
  if (laps !== null) {
    const time = laps.lastMs === null ? '' : ` ${lapText(laps.lastMs)}`;
    show('lap', `Lap ${laps.count}${time}`, 'fine', laps.bestMs === null ? 'Laps' : `Best lap ${lapText(laps.bestMs)}`);
  }
  return shown;
}
