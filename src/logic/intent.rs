//! What everybody wants of the car, newest of each kind: the one value between the network and the control thread.
//!
//! A queue of commands replays the past after a stall; this cannot, for it has one place for each kind. The network side
//! folds each message in, the control thread takes a copy of the whole each tick and compares counts with what it saw. A
//! count that rose is news, so nothing that matters is lost: two stops in one tick are one stop, and no stop is none.
//!
//! ```text
//!   drive 41 ─┐
//!   drive 42 ─┼─ fold ─▶ Intent { drive: n=42 newest, stop: n=1, … } ─ copy each tick ─▶ vehicle: "42 > 40: new"
//!   stop ─────┘
//! ```
//!
//! It crosses between threads as plain words ([`Intent::to_words`]), so that a slot of atomics can hold it and the
//! control thread never waits for a lock.
//!
//! Promises: `Copy`, fixed size; folding never fails; any words make an `Intent`, and those of an `Intent` make the same.
//! Knows nothing of: which command may be obeyed.
//! Sources: README 3.2 rule 4, PROTOCOL.md 6 defect 9 (the queue that replayed).

use serde::{Deserialize, Serialize};

use super::units::{LeaseId, Uptime};
use super::wire::{
    ArmCommand, CalibrationCommand, DriveCommand, Incoming, LeaseCommand, MotionKey, Reject,
    ViewReport, Want,
};

#[cfg(test)]
mod tests;
mod words;

pub use words::INTENT_WORDS;

/// The newest message of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot<T> {
    /// How many there were so far; wraps.
    pub n: u32,
    /// When the newest arrived.
    pub at: Uptime,
    /// The newest.
    pub value: T,
}

impl<T> Slot<T> {
    fn put(&mut self, now: Uptime, value: T) {
        *self = Self {
            n: self.n.wrapping_add(1),
            at: now,
            value,
        };
    }
}

/// Where the legacy throttle slider stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegacyThrottle {
    /// Thousandths of a step: forward positive, back negative.
    pub milli_steps: i32,
    /// How many of the messages were `forward`, even of zero; wraps. The ESC has to brake again after one.
    pub forwards: u32,
}

/// All of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// `drive` and `calibrate`, but of the lease holder only while somebody holds it.
    pub drive: Slot<DriveCommand>,
    /// `arm`.
    pub arm: Slot<ArmCommand>,
    /// `stop`.
    pub stop: Slot<()>,
    /// `lease`, but of the holder only while somebody holds it.
    pub lease: Slot<LeaseCommand>,
    /// `lease` with the wish for a hand-over: who asks the holder.
    pub ask: Slot<LeaseId>,
    /// `view`, but of the lease holder only while somebody holds it.
    pub view: Slot<ViewReport>,
    /// `calibration` with a change, but of the lease holder only while somebody holds it.
    pub calibration: Slot<CalibrationCommand>,
    /// Legacy `forward` and `back`.
    pub legacy_throttle: Slot<LegacyThrottle>,
    /// Legacy `left` (positive) and `right`, in thousandths of a step.
    pub legacy_steering: Slot<i32>,
    /// Legacy `maxSpeed`, in ticks.
    pub max_speed: Slot<u16>,
    /// Link up; counted at each change, so that a flicker between two ticks shows.
    pub link: Slot<bool>,
    /// Messages that were not understood; wraps.
    pub malformed: u32,
    /// Messages of groups that are not ours; wraps.
    pub unknown: u32,
    /// Messages of others than the holder that were dropped here; wraps.
    pub foreign: u32,
    /// How often somebody asked to be told the calibration; wraps.
    pub tell_calibration: u32,
}

impl Intent {
    /// Takes in a message that arrived now. `holder` is who holds the lease, as far as the caller knows.
    pub fn fold(&mut self, now: Uptime, incoming: &Incoming, holder: LeaseId) {
        let is_foreign = |id: LeaseId| !holder.is_none() && id != holder;
        match *incoming {
            Incoming::Motion(motion) => {
                let LegacyThrottle { forwards, .. } = self.legacy_throttle.value;
                let value = motion.milli_steps;
                match motion.key {
                    MotionKey::Forward => {
                        let forwards = forwards.wrapping_add(1);
                        self.legacy_throttle.put(
                            now,
                            LegacyThrottle {
                                milli_steps: value,
                                forwards,
                            },
                        );
                    }
                    MotionKey::Back => {
                        let milli_steps = value.saturating_neg();
                        self.legacy_throttle.put(
                            now,
                            LegacyThrottle {
                                milli_steps,
                                forwards,
                            },
                        );
                    }
                    MotionKey::Left => self.legacy_steering.put(now, value),
                    MotionKey::Right => self.legacy_steering.put(now, value.saturating_neg()),
                }
            }
            Incoming::MaxSpeed { ticks } => self.max_speed.put(now, ticks),
            Incoming::Drive(drive) if is_foreign(drive.lease) => {
                self.foreign = self.foreign.wrapping_add(1);
            }
            Incoming::Drive(drive) => self.drive.put(now, drive),
            Incoming::Arm(arm) => self.arm.put(now, arm),
            Incoming::Stop => self.stop.put(now, ()),
            Incoming::Lease(LeaseCommand {
                id,
                want: Want::HandOver,
            }) => self.ask.put(now, id),
            Incoming::Lease(lease) if is_foreign(lease.id) => {
                self.foreign = self.foreign.wrapping_add(1);
            }
            Incoming::Lease(lease) => self.lease.put(now, lease),
            Incoming::View(view) if is_foreign(view.lease) => {
                self.foreign = self.foreign.wrapping_add(1);
            }
            Incoming::View(view) => self.view.put(now, view),
            Incoming::Calibration(change) if is_foreign(change.lease) => {
                self.foreign = self.foreign.wrapping_add(1);
            }
            Incoming::Calibration(change) => self.calibration.put(now, change),
            Incoming::TellCalibration => {
                self.tell_calibration = self.tell_calibration.wrapping_add(1);
            }
            // A watcher must not blind the driver; that of the driver the shell obeys, for the car does not move by it.
            Incoming::Camera(camera) if holder.is_none() || camera.lease != holder => {
                self.foreign = self.foreign.wrapping_add(1);
            }
            // The shell answers it.
            Incoming::Camera(_) | Incoming::Ping(_) => {}
        }
    }

    /// Counts a message that was not understood.
    pub fn reject(&mut self, reject: Reject) {
        let count = if reject == Reject::UnknownGroup {
            &mut self.unknown
        } else {
            &mut self.malformed
        };
        *count = count.wrapping_add(1);
    }

    /// Counts a message of somebody who may not say it.
    pub fn refuse(&mut self) {
        self.foreign = self.foreign.wrapping_add(1);
    }

    /// Takes in the state of the link. Saying the same again changes nothing.
    pub fn set_link(&mut self, now: Uptime, up: bool) {
        if self.link.value != up {
            self.link.put(now, up);
        }
    }
}
