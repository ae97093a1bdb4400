//! Who calibrates at the car: the pulses that he measures, and what his keys make the car do.
//!
//! He drives by the same rules as a driver far away: a lease, an `arm`, commands with a number and a time, each of which
//! the vehicle may refuse. A terminal tells when a key goes down and repeats it while it is held, but not when it is let
//! go; so a pulse is out for [`HOLD`] after the last key, and then the output is at neutral.
//!
//! ```text
//!   key ─▶ a pulse moves, and is out until HOLD is over ─▶ 50 times a second: not live? arm. live? `calibrate` : neutral
//!   s   ─▶ arm, save, wait for the answer, let the car go: so that it stands and the new neutral is in force
//! ```
//!
//! Promises: pure, time is an argument; nothing but neutral is asked for when no key was pressed for [`HOLD`]; a pulse is
//! inside the window of the calibration that counts.
//! Knows nothing of: terminals, outputs.

use core::time::Duration;

use super::keys::Key;
use crate::logic::drive::{BEYOND_US, Calibration};
use crate::logic::failsafe::State;
use crate::logic::units::{LeaseId, PulseWidth, Seq, Uptime};
use crate::logic::vehicle::{Answer, Status};
use crate::logic::wire::{
    ArmCommand, Axis, CalibrationCommand, Change, DriveCommand, Incoming, LeaseCommand, Pulses,
    Tune, Want,
};

/// How long a pulse is out after the last key. choice: a held key repeats after at most 660 ms (X11) and then fast; less
/// would stop in between, more is no dead man's switch.
pub const HOLD: Duration = Duration::from_secs(1);

/// Time between two commands. choice: that of the page, 50 a second.
pub const PERIOD: Duration = Duration::from_millis(20);

/// Time between two tries to arm. choice: that of the page.
const ARM_AGAIN: Duration = Duration::from_millis(60);

/// A pulse of the calibration as it is shown and changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its key in the configuration.
    pub name: &'static str,
    says: &'static str,
    /// The output that it is for.
    pub axis: Axis,
    /// What the car does at it if the servo is mounted the other way round.
    reversed_says: &'static str,
}

impl Field {
    /// What the car does at it: which end of the steering is left, is the car's to say.
    #[must_use]
    pub const fn says(&self, steering_reversed: bool) -> &'static str {
        if steering_reversed {
            self.reversed_says
        } else {
            self.says
        }
    }
}

const fn field(name: &'static str, says: &'static str, axis: Axis) -> Field {
    Field {
        name,
        says,
        axis,
        reversed_says: says,
    }
}

const fn end(name: &'static str, says: &'static str, reversed_says: &'static str) -> Field {
    Field {
        reversed_says,
        ..field(name, says, Axis::Steering)
    }
}

/// All of them, in the order in which a car is measured.
pub const FIELDS: [Field; 8] = [
    field("throttle_zero_us", "stands still", Axis::Throttle),
    field(
        "forward_zero_us",
        "just begins to go forward",
        Axis::Throttle,
    ),
    field("throttle_max_us", "full forward", Axis::Throttle),
    field("throttle_min_us", "full reverse", Axis::Throttle),
    field("brake_us", "brakes (or reverses gently)", Axis::Throttle),
    field("steering_zero_us", "straight ahead", Axis::Steering),
    end("steering_min_us", "full right", "full left"),
    end("steering_max_us", "full left", "full right"),
];

/// The pulse of a field.
#[must_use]
pub fn get(pulses: &Pulses, place: usize) -> u16 {
    let mut pulses = *pulses;
    *slot(&mut pulses, place)
}

/// The place of a field, by its key.
#[must_use]
pub fn place_of(name: &str) -> Option<usize> {
    FIELDS.iter().position(|field| field.name == name)
}

/// The pulse of a field, to be changed.
pub fn slot(pulses: &mut Pulses, place: usize) -> &mut u16 {
    match place {
        0 => &mut pulses.throttle_zero_us,
        1 => &mut pulses.forward_zero_us,
        2 => &mut pulses.throttle_max_us,
        3 => &mut pulses.throttle_min_us,
        4 => &mut pulses.brake_us,
        5 => &mut pulses.steering_zero_us,
        6 => &mut pulses.steering_min_us,
        _ => &mut pulses.steering_max_us,
    }
}

/// What is to become of the calibration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// Not sent yet: the car must be ours first.
    Waiting(Change),
    /// Sent under this number.
    Sent(Seq),
}

/// The person and what he measured.
#[derive(Clone, Debug)]
pub struct Desk {
    lease: LeaseId,
    seq: u32,
    /// What he measured so far.
    pub pulses: Pulses,
    /// Which of them is being measured.
    pub place: usize,
    held_until: Option<Uptime>,
    armed_at: Option<Uptime>,
    wish: Option<Wish>,
    /// What to tell him.
    pub says: String,
    is_sure: bool,
    /// He wants to go.
    pub is_over: bool,
}

impl Desk {
    /// Somebody with this lease, before a car with these pulses.
    #[must_use]
    pub fn new(lease: LeaseId, pulses: Pulses) -> Self {
        Self {
            lease,
            seq: 0,
            pulses,
            place: 0,
            held_until: None,
            armed_at: None,
            wish: None,
            says: "hold Space, or an arrow, and the pulse is out; let go, and it is neutral"
                .to_owned(),
            is_sure: false,
            is_over: false,
        }
    }

    /// The field that is being measured.
    #[must_use]
    pub fn field(&self) -> &'static Field {
        FIELDS.get(self.place).unwrap_or(&FIELDS[0])
    }

    /// Whether the pulse is out, or on its way.
    #[must_use]
    pub fn is_held(&self, now: Uptime) -> bool {
        self.held_until.is_some_and(|until| now < until)
    }

    /// Whether something was measured that the car does not have.
    #[must_use]
    pub fn is_new(&self, status: &Status) -> bool {
        self.pulses != status.calibration.counts.to_pulses()
    }

    /// A key went down, or repeats itself.
    pub fn press(&mut self, now: Uptime, key: Key, status: &Status) {
        let was_sure = core::mem::take(&mut self.is_sure);
        match key {
            Key::Move(micros) => {
                self.turn(micros, status);
                self.held_until = Some(now.after(HOLD));
            }
            Key::Hold => self.held_until = Some(now.after(HOLD)),
            Key::Field(place) => {
                self.place = place.min(FIELDS.len() - 1);
                self.held_until = None;
            }
            Key::Neutral => self.held_until = None,
            Key::Save => self.wish_for(Change::Save(self.pulses)),
            Key::Revert => {
                self.held_until = None;
                self.pulses = status.calibration.counts.to_pulses();
                "back to what is saved".clone_into(&mut self.says);
            }
            Key::Reset if was_sure => self.wish_for(Change::Reset),
            Key::Reset => {
                self.is_sure = true;
                "f again gives up what is saved, for the configuration's pulses"
                    .clone_into(&mut self.says);
            }
            Key::Quit if self.is_new(status) && !was_sure => {
                (self.is_sure, self.held_until) = (true, None);
                "not saved: s saves, q again leaves it".clone_into(&mut self.says);
            }
            Key::Quit => (self.is_over, self.held_until) = (true, None),
        }
    }

    fn wish_for(&mut self, change: Change) {
        self.held_until = None;
        self.wish = Some(Wish::Waiting(change));
        "saving …".clone_into(&mut self.says);
    }

    /// Moves the pulse, within the window of the calibration that counts.
    fn turn(&mut self, micros: i16, status: &Status) {
        let axis = self.field().axis;
        let pulse = slot(&mut self.pulses, self.place);
        let moved = i32::from(*pulse) + i32::from(micros);
        let wanted = PulseWidth::saturating(u32::try_from(moved).unwrap_or(0));
        let window = Calibration::new(status.calibration.counts).map(|counts| counts.window(axis));
        let wanted = window.map_or(wanted, |(shortest, _, longest)| {
            wanted.clamp(shortest, longest)
        });
        if i32::from(wanted.get()) != moved {
            self.says = format!(
                "no further than {BEYOND_US} us beyond the ends of what is saved: save, then go on"
            );
        }
        *pulse = wanted.get();
    }

    /// What he says to the car now. Call it each [`PERIOD`].
    pub fn speak(&mut self, now: Uptime, status: &Status) -> Vec<Incoming> {
        self.listen(status);
        let (lease, t_ms) = (self.lease, now.as_micros() / 1000);
        let is_ours = status.holder == lease;
        let is_live = is_ours && status.state == State::Live;
        let is_held = self.is_held(now);
        let mut says = Vec::new();
        let tune = Tune {
            axis: self.field().axis,
            pulse: PulseWidth::saturating(get(&self.pulses, self.place).into()),
        };
        says.push(Incoming::Drive(DriveCommand {
            seq: self.next_seq(),
            t_ms,
            lease,
            tune: Some(tune).filter(|_| is_held && is_live),
            ..DriveCommand::default()
        }));
        let wants_it = is_held || matches!(self.wish, Some(Wish::Waiting(_)));
        let is_again = self.armed_at.is_none_or(|at| now.since(at) >= ARM_AGAIN);
        if wants_it && !is_live && is_again {
            self.armed_at = Some(now);
            let seq = self.next_seq();
            says.push(Incoming::Arm(ArmCommand { seq, t_ms, lease }));
        }
        if let Some(Wish::Waiting(change)) = self.wish
            && is_live
        {
            let seq = self.next_seq();
            self.wish = Some(Wish::Sent(seq));
            says.push(Incoming::Calibration(CalibrationCommand {
                seq,
                t_ms,
                lease,
                change,
            }));
        }
        // What is saved is in force when the car stands.
        if is_live && !status.calibration.in_force && self.wish.is_none() {
            let want = Want::Release;
            says.push(Incoming::Lease(LeaseCommand { id: lease, want }));
        }
        says
    }

    /// What he says when he goes.
    pub fn goodbye(&mut self, now: Uptime) -> [Incoming; 2] {
        let (lease, t_ms) = (self.lease, now.as_micros() / 1000);
        [
            Incoming::Drive(DriveCommand {
                seq: self.next_seq(),
                t_ms,
                lease,
                ..DriveCommand::default()
            }),
            Incoming::Lease(LeaseCommand {
                id: lease,
                want: Want::Release,
            }),
        ]
    }

    /// Takes note of the answer to a wish.
    fn listen(&mut self, status: &Status) {
        let calibration = &status.calibration;
        let Some(Wish::Sent(seq)) = self.wish else {
            return;
        };
        if (calibration.seq, calibration.lease) != (seq, self.lease) {
            return;
        }
        self.wish = None;
        self.says = match calibration.answer {
            Answer::Saved => "saved".to_owned(),
            Answer::Reset => {
                self.pulses = calibration.counts.to_pulses();
                "back to the configuration's pulses".to_owned()
            }
            refused => format!("not saved: {}", refused.says()),
        };
    }

    const fn next_seq(&mut self) -> Seq {
        self.seq = self.seq.wrapping_add(1);
        Seq::new(self.seq)
    }
}

#[cfg(test)]
mod tests;
