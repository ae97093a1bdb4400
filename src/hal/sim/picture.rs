//! The scene in front of the simulated car: a road that scrolls with the throttle and bends with the steering.
//!
//! A driver who tries the demo should feel the car; a tester needs something that moves, has sharp edges and known
//! colours. So: an old racing game's road (each line of ground is one depth), under a sky with mountains that
//! turn with the car, and over it a test card with colour bars, a grey ramp, a grid and a clock with two hands.
//!
//! ```text
//!   ░░ stamp ░░░░░░░░░░░░░░░░░░░░░░░░░  12 to 36 lines high
//!   SIMULATED CAR          bars ramp (⌚)  long hand: one turn a second, short hand: one turn a minute
//!   00:00:12.345  FRAME 370
//!   ~~~~~~/\~~~~~~~(sun)~~~~/\/\~~~~~~  horizon at two fifths
//!   ,,,,,,,,,,,/  '  \,,,,,,,,,,,,,,,,
//!   ,,,,,,,/    '      \,,,,,,,,,,,,,,  depth of a line = nearest depth * lines of ground / lines below horizon
//!   ,,,/▌   /▔▔▔▔▔▔\    ▐ \,,,,,,,,,,,  bonnet and front wheels, which steer
//! ```
//!
//! Stripes are averaged over the depth that a line covers: without that the far road would flicker, which looks
//! bad and costs the encoder bits.
//!
//! Promises: integers only; everything is drawn into the given planes; no allocation after `new`.
//! Knows nothing of: time other than what it is told, the stamp, who looks.

mod card;
mod wave;

use card::{draw_card, draw_text};
use wave::{coverage, ridge, sample};

use super::canvas::{Canvas, Colour, FULL, LineMut, half_chord, index};
use super::motion::{FULL_TURN, Motion, PER_CM};
use super::stamp;
use crate::logic::units::Uptime;

/// choice: depth of the lowest line of ground, where the bonnet ends.
const NEAREST: i64 = 30 * PER_CM;
/// choice: period of the light and dark grass and asphalt.
const FIELD_PERIOD: i64 = 240 * PER_CM;
/// choice: period of the red and white kerb.
const KERB_PERIOD: i64 = 80 * PER_CM;
/// choice: period of the dashes in the middle.
const DASH_PERIOD: i64 = 120 * PER_CM;
/// choice: distance between two pairs of roadside objects.
const POST_PERIOD: i64 = 300 * PER_CM;
/// choice: how many pairs are drawn; the last is a few pixels high.
const POSTS: i64 = 16;
/// choice: the camera sees a sixth of the full turn, 60 degrees.
const VIEW: i64 = FULL_TURN / 6;
/// choice: where the sun stands in the panorama.
const SUN_AT: i64 = FULL_TURN / 40;

/// The scene, with all that does not change from frame to frame worked out once.
#[derive(Debug)]
pub struct Picture {
    width: i32,
    height: i32,
    horizon: i32,
    /// Far edge of each line of ground, from the horizon down, and one more for the nearest edge.
    depths: Vec<i64>,
    /// Sky colour of each line above the horizon.
    sky: Vec<Colour>,
    /// Height above the horizon of the far and near mountains, for each direction.
    far: Vec<i32>,
    near: Vec<i32>,
    /// The part of both that is in view, one value a column.
    far_view: Vec<i32>,
    near_view: Vec<i32>,
    paint: Paint,
    /// What the text begins with.
    name: &'static str,
}

/// The colours of the scene.
#[derive(Debug)]
struct Paint {
    haze: Colour,
    grass: [Colour; 2],
    asphalt: [Colour; 2],
    kerb: [Colour; 2],
    line: Colour,
    far: Colour,
    near: Colour,
    sun: Colour,
    cloud: Colour,
    tree: Colour,
    trunk: Colour,
    body: Colour,
    trim: Colour,
    tyre: Colour,
    black: Colour,
    white: Colour,
    red: Colour,
}

/// What one line of ground looks like.
struct Ground {
    /// Middle of the road.
    middle: i32,
    /// Half the width of the road.
    half: i32,
}

impl Picture {
    /// Works out the scene for one picture size.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        let width = i32::try_from(width).unwrap_or(i32::MAX);
        let height = i32::try_from(height).unwrap_or(i32::MAX);
        let horizon = height * 2 / 5;
        let lines = i64::from(height - horizon);
        // The horizon line itself would be infinitely far: it counts as two thirds of a line below.
        let depths = (0..=lines)
            .map(|dy| NEAREST * lines * 3 / (3 * dy).max(2))
            .collect();
        let (zenith, low) = (Colour::rgb(28, 46, 104), Colour::rgb(244, 168, 120));
        let sky = (0..horizon)
            .map(|line| zenith.mix(low, FULL * line / horizon.max(1)))
            .collect();
        let columns = index(width);
        Self {
            width,
            height,
            horizon,
            depths,
            sky,
            far: ridge(height / 7, [3, 7, 16, 41]),
            near: ridge(height / 13, [5, 12, 29, 67]),
            far_view: vec![0; columns],
            near_view: vec![0; columns],
            paint: Paint::new(),
            name: "SIMULATED CAR",
        }
    }

    /// The scene behind the car: it says so, and the car's tail is red.
    #[must_use]
    pub fn looking_back(mut self) -> Self {
        self.paint.body = self.paint.red;
        self.name = "REAR CAMERA";
        self
    }

    /// Draws the whole scene, all but the stamp.
    pub fn draw(&mut self, canvas: &mut Canvas<'_>, now: Uptime, number: u32, motion: &Motion) {
        self.draw_sky(canvas, now, motion);
        self.draw_mountains(canvas, motion);
        self.draw_ground(canvas, motion);
        self.draw_roadside(canvas, motion);
        self.draw_car(canvas, motion);
        let top = self.strip();
        draw_card(canvas, top, &self.paint, now);
        draw_text(canvas, top, &self.paint, self.name, (now, number), motion);
    }

    fn draw_sky(&self, canvas: &mut Canvas<'_>, now: Uptime, motion: &Motion) {
        for (line, colour) in (0..).zip(&self.sky) {
            canvas.span(line, 0, self.width, *colour);
        }
        let radius = self.height / 18;
        let sun = self.column(SUN_AT, motion.heading());
        canvas.disc(sun, self.horizon - self.height / 9, radius, self.paint.sun);
        // Clouds drift one part of a full turn in ten minutes.
        let drift =
            i64::try_from(now.as_micros() / 10_000 % 65_536).unwrap_or(0) * FULL_TURN / 65_536;
        for cloud in 0..9_i64 {
            let at = cloud * FULL_TURN / 9 + (cloud * cloud * 977) % 3000 + drift;
            let x = self.column(at, motion.heading());
            let y = self.height * i32::try_from(14 + cloud * 5 % 13).unwrap_or(14) / 100;
            for (dx, dy, wide) in [(-9, 1, 8), (0, 0, 12), (10, 1, 7)] {
                let unit = self.height / 100;
                self.draw_puff(canvas, x + dx * unit, y + dy * unit, wide * unit);
            }
        }
    }

    /// One flat ellipse of a cloud, four times as wide as high.
    fn draw_puff(&self, canvas: &mut Canvas<'_>, x: i32, y: i32, radius: i32) {
        for dy in -radius / 4..=radius / 4 {
            let half = half_chord(radius, dy * 4);
            let below = self
                .sky
                .get(index(y + dy))
                .copied()
                .unwrap_or(self.paint.haze);
            let colour = below.mix(self.paint.cloud, FULL * 5 / 8);
            canvas.span(y + dy, x - half, x + half, colour);
        }
    }

    fn draw_mountains(&mut self, canvas: &mut Canvas<'_>, motion: &Motion) {
        let (width, heading) = (i64::from(self.width).max(1), motion.heading());
        let views = self.far_view.iter_mut().zip(&mut self.near_view);
        for (x, (far, near)) in (0_i64..).zip(views) {
            let angle = heading + VIEW / 2 - VIEW * x / width;
            *far = sample(&self.far, angle);
            // choice: the near range turns twice as fast, which reads as depth.
            *near = sample(&self.near, angle * 2);
        }
        let highest = self.far_view.iter().chain(&self.near_view).max();
        let highest = highest.copied().unwrap_or(0);
        for above in 1..=highest {
            let Some(line) = canvas.line_mut(self.horizon - above) else {
                continue;
            };
            let shade = self
                .paint
                .far
                .mix(self.paint.haze, FULL * 3 / 4 - FULL * above / 300);
            paint_ridge(line, &self.far_view, above, shade);
            let Some(line) = canvas.line_mut(self.horizon - above) else {
                continue;
            };
            paint_ridge(line, &self.near_view, above, self.paint.near);
        }
    }

    fn draw_ground(&self, canvas: &mut Canvas<'_>, motion: &Motion) {
        let paint = &self.paint;
        let lines = self.height - self.horizon;
        for (dy, edge) in (0..lines).zip(self.depths.windows(2)) {
            let &[far, near] = edge else { continue };
            let (from, to) = (motion.distance() + near, motion.distance() + far);
            let stripes = |pair: [Colour; 2], period| {
                let [a, b] = pair;
                a.mix(b, coverage(from, to, period))
            };
            // Haze over the farthest eighth of the lines.
            let haze = (FULL - FULL * dy * 8 / lines.max(1)).max(0) * 3 / 4;
            let with_haze = |colour: Colour| colour.mix(paint.haze, haze);
            let (y, ground) = (self.horizon + dy, self.ground(dy, motion));
            let (middle, half) = (ground.middle, ground.half);
            let asphalt = stripes(paint.asphalt, FIELD_PERIOD);
            let dash = stripes([asphalt, paint.line], DASH_PERIOD);
            let kerb = (half / 9).max(1);
            let thin = (half / 36).max(1);
            canvas.span(
                y,
                0,
                self.width,
                with_haze(stripes(paint.grass, FIELD_PERIOD)),
            );
            canvas.span(
                y,
                middle - half - kerb,
                middle + half + kerb,
                with_haze(stripes(paint.kerb, KERB_PERIOD)),
            );
            canvas.span(y, middle - half, middle + half, with_haze(asphalt));
            let line = with_haze(paint.line);
            canvas.span(y, middle - half + 2 * thin, middle - half + 3 * thin, line);
            canvas.span(y, middle + half - 3 * thin, middle + half - 2 * thin, line);
            canvas.span(y, middle - thin, middle + thin, with_haze(dash));
        }
    }

    /// Posts and trees, far ones first so that near ones cover them.
    fn draw_roadside(&self, canvas: &mut Canvas<'_>, motion: &Motion) {
        let lines = i64::from(self.height - self.horizon);
        let passed = motion.distance().div_euclid(POST_PERIOD);
        for ahead in (1..=POSTS).rev() {
            let number = passed + ahead;
            let depth = number * POST_PERIOD - motion.distance();
            let dy = NEAREST * lines / depth.max(NEAREST);
            let Ok(dy) = i32::try_from(dy) else { continue };
            if dy < 2 || i64::from(dy) >= lines {
                continue;
            }
            let (y, ground) = (self.horizon + dy, self.ground(dy, motion));
            let haze = (FULL / 2 - FULL * dy * 4 / self.height).max(0);
            for side in [-1, 1] {
                let x = ground.middle + side * ground.half * 5 / 4;
                self.draw_post(canvas, x, y, dy, haze);
                let far =
                    2 + i32::try_from((number * 7 + i64::from(side)).rem_euclid(4)).unwrap_or(0);
                let x = ground.middle + side * ground.half * far;
                self.draw_tree(canvas, x, y, dy, haze);
            }
        }
    }

    fn draw_post(&self, canvas: &mut Canvas<'_>, x: i32, y: i32, size: i32, haze: i32) {
        let (wide, high) = ((size / 12).max(1), size * 2 / 3);
        for (part, colour) in (0..).zip([self.paint.red, self.paint.white, self.paint.red]) {
            let top = y - high + part * high / 3;
            let colour = colour.mix(self.paint.haze, haze);
            canvas.rect(x - wide / 2, top, wide, high.div_euclid(3) + 1, colour);
        }
    }

    fn draw_tree(&self, canvas: &mut Canvas<'_>, x: i32, y: i32, size: i32, haze: i32) {
        let (high, wide) = (size * 2, size * 2 / 3);
        let trunk = self.paint.trunk.mix(self.paint.haze, haze);
        canvas.rect(
            x - size / 16,
            y - high / 4,
            (size / 8).max(1),
            high / 4,
            trunk,
        );
        let leaf = self.paint.tree.mix(self.paint.haze, haze);
        let crown = high * 3 / 4;
        for line in 0..crown {
            let half = wide * line / crown.max(1);
            canvas.span(y - high + line, x - half, x + half + 1, leaf);
        }
    }

    fn draw_car(&self, canvas: &mut Canvas<'_>, motion: &Motion) {
        let (width, height) = (self.width, self.height);
        let steering = i32::from(motion.outputs().1.get());
        let (wheel, top) = (height / 7, height - height / 7);
        // A tread block goes round in as many centimetres of road as it has pixels, more or less.
        let tread = (wheel / 34).max(1);
        let rolled = i32::try_from((motion.distance() / PER_CM).rem_euclid(1 << 20)).unwrap_or(0);
        for side in [-1, 1] {
            let middle = width / 2 + side * width * 32 / 100;
            for line in 0..wheel {
                // The front of a wheel, its top in the picture, leans the way it steers.
                let lean = (wheel - line) * steering / 2500;
                let round = (wheel / 6 - line).max(0) / 3;
                let half = width / 34 - round;
                let (left, right) = (middle - lean - half, middle - lean + half);
                canvas.span(top + line, left, right, self.paint.tyre);
                if (line + rolled).rem_euclid(3 * tread) < tread {
                    canvas.span(
                        top + line,
                        left + half / 2,
                        right - half / 2,
                        self.paint.black,
                    );
                }
            }
        }
        let bonnet = height / 9;
        for line in 0..bonnet {
            let half = width * 13 / 100 + width * 9 / 100 * line / bonnet.max(1);
            let shade = self
                .paint
                .body
                .mix(self.paint.black, FULL * line / bonnet.max(1) / 2);
            let y = height - bonnet + line;
            canvas.span(y, width / 2 - half, width / 2 + half, shade);
            let stripe = half / 5;
            canvas.span(y, width / 2 - stripe, width / 2 + stripe, self.paint.trim);
        }
    }

    /// The road at a line of ground.
    fn ground(&self, dy: i32, motion: &Motion) -> Ground {
        let lines = (self.height - self.horizon).max(1);
        let below = dy.max(1);
        // A road of constant curvature leaves the view in proportion to its depth.
        let relative = (lines - below) * 64 / below;
        let shift = i64::from(motion.bend()) * i64::from(self.width) * i64::from(relative)
            / (64 * 18 * 1000);
        let limit = i64::from(self.width) * 4;
        let shift = i32::try_from(shift.clamp(-limit, limit)).unwrap_or(0);
        Ground {
            middle: self.width / 2 - shift,
            half: self.width * 7 / 10 * below / lines,
        }
    }

    /// The column where a direction of the panorama is seen; far outside when it is behind.
    fn column(&self, at: i64, heading: i64) -> i32 {
        let left = (at - heading + FULL_TURN / 2).rem_euclid(FULL_TURN) - FULL_TURN / 2;
        let x = i64::from(self.width) / 2 - left * i64::from(self.width) / VIEW;
        i32::try_from(x).unwrap_or(i32::MIN / 4)
    }

    /// Height of the strip that the stamp will cover.
    fn strip(&self) -> i32 {
        i32::try_from(stamp::strip_height(index(self.height))).unwrap_or(0)
    }
}

impl Paint {
    fn new() -> Self {
        Self {
            haze: Colour::rgb(214, 172, 150),
            grass: [Colour::rgb(58, 112, 52), Colour::rgb(74, 132, 60)],
            asphalt: [Colour::rgb(78, 80, 88), Colour::rgb(86, 88, 96)],
            kerb: [Colour::rgb(196, 44, 40), Colour::rgb(226, 224, 220)],
            line: Colour::rgb(232, 230, 222),
            far: Colour::rgb(96, 92, 140),
            near: Colour::rgb(66, 74, 84),
            sun: Colour::rgb(255, 236, 190),
            cloud: Colour::rgb(252, 226, 214),
            tree: Colour::rgb(34, 82, 46),
            trunk: Colour::rgb(84, 60, 42),
            body: Colour::rgb(30, 110, 190),
            trim: Colour::rgb(240, 240, 236),
            tyre: Colour::rgb(38, 38, 42),
            black: Colour::grey(16),
            white: Colour::grey(235),
            red: Colour::rgb(220, 40, 36),
        }
    }
}

/// Colours the columns of one line that lie inside a mountain.
fn paint_ridge(line: LineMut<'_>, view: &[i32], above: i32, colour: Colour) {
    for (luma, height) in line.luma.iter_mut().zip(view) {
        if *height >= above {
            *luma = colour.luma();
        }
    }
    let Some((us, vs)) = line.chroma else { return };
    let (u_new, v_new) = colour.chroma();
    for ((u, v), height) in us.iter_mut().zip(vs).zip(view.iter().step_by(2)) {
        if *height >= above {
            (*u, *v) = (u_new, v_new);
        }
    }
}

#[cfg(test)]
mod tests;
