//! What whoever calibrates sees: the eight pulses, which one is out now, what the car says to it, and the keys.
//!
//! ```text
//!   spidercar calibrate                              live, calibrate
//!
//!     1  throttle_zero_us    1500         stands still
//!   > 2  forward_zero_us     1544  new    just begins to go forward       out now: 1542 us
//!     …
//!   Left/Right 1 us, Down/Up 10 us, …
//! ```
//!
//! Lines are written one by one where they changed, so that a serial console keeps up.
//!
//! Promises: no line is longer than [`WIDTH`]; at most one screen of a terminal of 24 lines.
//! Knows nothing of: terminals, keys.
//! Sources: `console_codes(4)` (the few sequences that every terminal knows).

use std::fmt::Write as _;

use super::desk::{Desk, FIELDS, get};
use crate::logic::failsafe::{Refusals, State};
use crate::logic::units::Uptime;
use crate::logic::vehicle::Status;
use crate::logic::wire::Axis;

/// The widest line. choice: the width of a terminal since the VT100.
pub const WIDTH: usize = 79;

/// The screen as lines.
#[must_use]
pub fn lines(desk: &Desk, now: Uptime, status: &Status, stored: u8, about: &str) -> Vec<String> {
    let calibration = &status.calibration;
    let saved = calibration.counts.to_pulses();
    let mut lines = vec![
        format!("spidercar calibrate   {about}"),
        format!("car: {}", car(status)),
        String::new(),
    ];
    for (place, field) in FIELDS.iter().enumerate() {
        let micros = get(&desk.pulses, place);
        let (mark, new) = (
            if place == desk.place { '>' } else { ' ' },
            if micros == get(&saved, place) {
                "   "
            } else {
                "new"
            },
        );
        let mut line = format!(
            "{mark} {}  {:<17} {micros:>5}  {new}  {}",
            place + 1,
            field.name,
            field.says(calibration.steering_reversed)
        );
        if place == desk.place {
            let pulse = match field.axis {
                Axis::Throttle => status.setpoint.throttle,
                Axis::Steering => status.setpoint.steering,
            };
            let out = if desk.is_held(now) { "OUT" } else { "neutral" };
            // Writing to a String cannot fail.
            let _ = write!(line, "   [{out}: {} us]", pulse.get());
        }
        lines.push(line);
    }
    lines.extend([
        String::new(),
        format!("{} ({})", kept(status, stored), pulses_of(status)),
        desk.says.clone(),
        String::new(),
        "Left Right: 1 us   Down Up: 10 us   1-8: which pulse   Space: hold it".to_owned(),
        "x: neutral   s: save   r: what is saved   f: the configuration's   q: end".to_owned(),
    ]);
    for line in &mut lines {
        if let Some((end, _)) = line.char_indices().nth(WIDTH) {
            line.truncate(end);
        }
    }
    lines
}

/// The state of the car, or what keeps it from being armed.
#[must_use]
pub fn car(status: &Status) -> String {
    let reasons: Vec<&str> = REASONS
        .iter()
        .filter(|(bit, _)| status.refusals.contains(*bit))
        .map(|(_, says)| *says)
        .collect();
    match status.state {
        State::Live => "live".to_owned(),
        State::Coasting => "coasting".to_owned(),
        State::Disarmed | State::Stopped if reasons.is_empty() => "stands, ready".to_owned(),
        State::Disarmed | State::Stopped => format!("stands; {}", reasons.join(", ")),
    }
}

/// What keeps a car from being armed that somebody at it can do something about.
const REASONS: [(Refusals, &str); 5] = [
    (Refusals::ACTUATOR_FAULT, "the outputs fail"),
    (Refusals::CONTROL_LATE, "this computer is too slow"),
    (Refusals::ESC_ARMING, "the ESC is waking up"),
    (Refusals::BATTERY_LOW, "the battery is low"),
    (Refusals::BOARD_HOT, "the board is hot"),
];

fn kept(status: &Status, stored: u8) -> &'static str {
    match (status.calibration.in_force, stored) {
        (false, _) => "in force as soon as the car stands",
        (true, 0) => "in force until the end: there is no drive.state_file",
        (true, 1) => "in force, on the way to the disk",
        (true, 2) => "in force, and safe on the disk",
        (true, _) => "in force, but the disk cannot be written",
    }
}

const fn pulses_of(status: &Status) -> &'static str {
    if status.calibration.is_saved {
        "saved pulses"
    } else {
        "the configuration's pulses"
    }
}

/// What was drawn, so that only changes are.
#[derive(Debug, Default)]
pub struct Drawn(Vec<String>);

impl Drawn {
    /// The bytes that make the screen look like these lines.
    pub fn update(&mut self, lines: Vec<String>) -> String {
        let mut out = String::new();
        if self.0.is_empty() {
            out.push_str("\x1b[2J");
        }
        for (row, line) in lines.iter().enumerate() {
            if self.0.get(row) != Some(line) {
                // Go to the row, write, clear what is left of the line.
                let _ = write!(out, "\x1b[{};1H{line}\x1b[K", row + 1);
            }
        }
        self.0 = lines;
        if !out.is_empty() {
            let _ = write!(out, "\x1b[{};1H", self.0.len() + 1);
        }
        out
    }

    /// Forgets what was drawn: something else may have written over it.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}
