//! What lies over the scene: a test card, a clock with two hands, and four lines of text.
//!
//! A viewer checks with it that colours, greys and fine lines come through; a camera in front of the screen reads the
//! delay off the long hand, which goes round once a second.
//!
//! ```text
//!   SIMULATED CAR                                ▉▉▉▉▉▉▉▉   ╭───╮
//!   00:00:12.345                                 ░░▒▒▓▓██   │ ╱ │   bars 5, ramp 2, lines 3 units high
//!   FRAME 370                                    ≡≡≡≡====   ╰───╯   a unit is an 80th of the height
//!   T+0400 S-0100
//! ```
//!
//! Promises: integers only, no allocation; nothing is drawn over the strip of the stamp.
//! Knows nothing of: the road.

use std::fmt::Write as _;

use super::Paint;
use super::wave::{cosine, sine};
use crate::hal::sim::canvas::{Canvas, Colour};
use crate::hal::sim::font;
use crate::hal::sim::motion::Motion;
use crate::logic::units::Uptime;

/// spec: 75 % colour bars in their usual order (SMPTE EG 1).
const BARS: [(u8, u8, u8); 8] = [
    (191, 191, 191),
    (191, 191, 0),
    (0, 191, 191),
    (0, 191, 0),
    (191, 0, 191),
    (191, 0, 0),
    (0, 0, 191),
    (0, 0, 0),
];

/// Colour bars, grey ramp, fine lines and clock, in the top right corner below `top`.
pub(super) fn draw_card(canvas: &mut Canvas<'_>, top: i32, paint: &Paint, now: Uptime) {
    let unit = (canvas.height / 80).max(1);
    let top = top + unit;
    let radius = 5 * unit;
    let (x, y) = (canvas.width - unit - radius, top + radius);
    canvas.disc(x, y, radius, paint.white);
    canvas.disc(x, y, radius - (unit / 3).max(1), paint.black);
    let micros = now.as_micros();
    for (period, length, thick, colour) in [
        (60_000_000, 3, 2, paint.white),
        (1_000_000, 4, 1, paint.red),
    ] {
        let angle = i64::try_from(micros % period * 65_536 / period).unwrap_or(0);
        let reach = length * radius / 5;
        let tip = (
            x + reach * sine(angle) / 256,
            y - reach * cosine(angle) / 256,
        );
        canvas.line((x, y), tip, (unit * thick / 3).max(1), colour);
    }
    let bar = unit * 2;
    let mut left = x - radius - unit - 8 * bar;
    for ((r, g, b), step) in BARS.into_iter().zip(0..) {
        canvas.rect(left, top, bar, 5 * unit, Colour::rgb(r, g, b));
        let grey = Colour::grey(16 + 31 * step);
        canvas.rect(left, top + 5 * unit, bar, 2 * unit, grey);
        for line in 0..3 * unit {
            // Lines of one, two, … pixels: what the picture still resolves.
            let pitch = i32::from(step / 2) + 1;
            let on = line / pitch % 2 == 0;
            let colour = if on { paint.white } else { paint.black };
            canvas.span(top + 7 * unit + line, left, left + bar, colour);
        }
        left += bar;
    }
}

/// Name, time, frame number and outputs, in the top left corner below `top`.
pub(super) fn draw_text(
    canvas: &mut Canvas<'_>,
    top: i32,
    paint: &Paint,
    name: &'static str,
    (now, number): (Uptime, u32),
    motion: &Motion,
) {
    let scale = (canvas.height / 240).max(1);
    let pitch = (font::GLYPH_HEIGHT + 3) * scale;
    let (x, y) = (3 * scale, top + 3 * scale);
    let (ms, (throttle, steering)) = (now.as_micros() / 1000, motion.outputs());
    let mut line = heapless::String::<32>::new();
    let lines = [
        Line::Name(name),
        Line::Clock(ms),
        Line::Number(number),
        Line::Outputs(throttle.get(), steering.get()),
    ];
    for (row, text) in (0..).zip(lines) {
        line.clear();
        // A line that does not fit is cut short: it is an overlay.
        let _ = write!(line, "{text}");
        let y = y + row * pitch;
        font::write(canvas, x + scale, y + scale, scale, paint.black, &line);
        font::write(canvas, x, y, scale, paint.white, &line);
    }
}

/// One line of the text overlay.
enum Line {
    Name(&'static str),
    Clock(u64),
    Number(u32),
    Outputs(i16, i16),
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Clock(ms) => {
                let (s, ms) = (ms / 1000, ms % 1000);
                let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
                write!(f, "{h:02}:{m:02}:{s:02}.{ms:03}")
            }
            Self::Number(number) => write!(f, "FRAME {number}"),
            Self::Outputs(throttle, steering) => write!(f, "T{throttle:+05} S{steering:+05}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_time_number_and_outputs() {
        for (line, expected) in [
            (Line::Name("SIMULATED CAR"), "SIMULATED CAR"),
            (Line::Clock(0), "00:00:00.000"),
            (Line::Clock(3_723_045), "01:02:03.045"),
            (Line::Clock(400 * 3_600_000), "400:00:00.000"),
            (Line::Number(u32::MAX), "FRAME 4294967295"),
            (Line::Outputs(-1000, 7), "T-1000 S+0007"),
        ] {
            assert_eq!(line.to_string(), expected);
        }
    }
}
