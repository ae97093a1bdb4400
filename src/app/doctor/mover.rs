//! The doctor as the driver of the car: takes it, moves one output for a moment, gives it back.
//!
//! He drives by the same rules as anybody: a lease, an `arm` from neutral, 50 commands a second. So the failsafe is his
//! too: if this program stands still, because its terminal takes no more output or for any reason, the car stops.
//!
//! ```text
//!   neutral, arm ... live ─▶ command, 50 times a second, until the time is over or any key ─▶ neutral, lease given back
//! ```
//!
//! Promises: nothing is asked for but by [`Mover::go`], and not for longer than the step says.
//! Knows nothing of: what a movement is good for.

use std::time::Duration;

use super::person::{Gone, Person};
use super::steps::Step;
use crate::app::calibrate::desk::PERIOD;
use crate::app::calibrate::screen;
use crate::app::chassis::Chassis;
use crate::app::clock;
use crate::config::FaultKind;
use crate::logic::failsafe::State;
use crate::logic::units::{LeaseId, Seq, Steering, Throttle};
use crate::logic::wire::{ArmCommand, DriveCommand, Incoming, LeaseCommand, Want};

/// Longest wait for a car that can be armed, the ESC's own time not counted. choice: recovery takes half a second.
const ARM_LIMIT: Duration = Duration::from_secs(5);

/// How a movement ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// As it should.
    Done,
    /// By a key.
    Stopped,
    /// By the car itself, which can be armed again: why.
    CutShort(String),
    /// The car did not do it: why.
    Refused(String),
}

/// A driver beside the car.
pub(super) struct Mover<'a> {
    chassis: &'a Chassis,
    lease: LeaseId,
    seq: u32,
    esc_arming: Duration,
}

impl<'a> Mover<'a> {
    /// A driver of this car, who has asked for nothing yet.
    pub(super) fn new(chassis: &'a Chassis, esc_arming: Duration) -> Self {
        let now = clock::now();
        chassis
            .mailbox
            .update(|intent, _| intent.set_link(now, true));
        Self {
            chassis,
            lease: LeaseId::with_secret(rand::random::<u32>() | 1, rand::random()),
            seq: 0,
            esc_arming,
        }
    }

    /// Moves the car as the step says.
    pub(super) fn go(&mut self, person: &mut dyn Person, step: &Step) -> Result<Moved, Gone> {
        let moved = self.armed(person)?;
        let moved = match moved {
            Moved::Done => self.hold(person, step)?,
            other => other,
        };
        self.drive(Throttle::default(), Steering::default());
        self.tell(Incoming::Lease(LeaseCommand {
            id: self.lease,
            want: Want::Release,
        }));
        Ok(moved)
    }

    fn armed(&mut self, person: &mut dyn Person) -> Result<Moved, Gone> {
        let until = clock::now().after(ARM_LIMIT + self.esc_arming);
        loop {
            if self.chassis.control.has_ended() {
                return Ok(ended());
            }
            self.drive(Throttle::default(), Steering::default());
            let (seq, t_ms) = self.stamp();
            let lease = self.lease;
            self.tell(Incoming::Arm(ArmCommand { seq, t_ms, lease }));
            if person.key(PERIOD)?.is_some() {
                return Ok(Moved::Stopped);
            }
            match self.chassis.board.status() {
                Some(status) if status.state == State::Live && status.holder == lease => {
                    return Ok(Moved::Done);
                }
                Some(status) if clock::now() >= until => {
                    let why = screen::car(&status);
                    return Ok(Moved::Refused(format!("the car cannot be armed: {why}")));
                }
                _ => {}
            }
        }
    }

    fn hold(&mut self, person: &mut dyn Person, step: &Step) -> Result<Moved, Gone> {
        let until = clock::now().after(step.length);
        while clock::now() < until {
            // What it said last is no news any more.
            if self.chassis.control.has_ended() {
                return Ok(ended());
            }
            self.drive(step.throttle, step.steering);
            if person.key(PERIOD)?.is_some() {
                return Ok(Moved::Stopped);
            }
            if let Some(status) = self.chassis.board.status()
                && status.state != State::Live
            {
                let cause = status.cause.word();
                return Ok(Moved::CutShort(format!(
                    "the car stopped by itself: {cause}"
                )));
            }
            if let Some(faults) = &self.chassis.faults {
                faults.panic_if(FaultKind::LinkPanic);
            }
        }
        Ok(Moved::Done)
    }

    fn drive(&mut self, throttle: Throttle, steering: Steering) {
        let (seq, t_ms) = self.stamp();
        self.tell(Incoming::Drive(DriveCommand {
            seq,
            t_ms,
            throttle,
            steering,
            lease: self.lease,
            tune: None,
        }));
    }

    fn stamp(&mut self) -> (Seq, u64) {
        self.seq = self.seq.wrapping_add(1);
        (Seq::new(self.seq), clock::now().as_micros() / 1000)
    }

    fn tell(&self, incoming: Incoming) {
        let now = clock::now();
        self.chassis
            .mailbox
            .update(|intent, holder| intent.fold(now, &incoming, holder));
        while self.chassis.control.events.try_recv().is_ok() {} // nobody reads a log here
    }
}

/// The control thread panicked; it wrote neutral before it ended.
fn ended() -> Moved {
    Moved::Refused(
        "the control thread has ended at neutral, which is a bug; please report the message above"
            .to_owned(),
    )
}
