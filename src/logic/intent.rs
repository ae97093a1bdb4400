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

use super::units::{LeaseId, Seq, Steering, Throttle, Uptime};
use super::wire::{ArmCommand, DriveCommand, Incoming, LeaseCommand, MotionKey, Reject, Want};

#[cfg(test)]
mod tests;

/// Words that an [`Intent`] takes.
pub const INTENT_WORDS: usize = 25;

/// The newest message of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LegacyThrottle {
    /// Thousandths of a step: forward positive, back negative.
    pub milli_steps: i32,
    /// How many of the messages were `forward`, even of zero; wraps. The ESC has to brake again after one.
    pub forwards: u32,
}

/// All of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Intent {
    /// `drive`, but of the lease holder only while somebody holds it.
    pub drive: Slot<DriveCommand>,
    /// `arm`.
    pub arm: Slot<ArmCommand>,
    /// `stop`.
    pub stop: Slot<()>,
    /// `lease`, but of the holder only while somebody holds it.
    pub lease: Slot<LeaseCommand>,
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
            Incoming::Lease(lease) if is_foreign(lease.id) => {
                self.foreign = self.foreign.wrapping_add(1);
            }
            Incoming::Lease(lease) => self.lease.put(now, lease),
            // The shell answers it; the car does not move by it.
            Incoming::Ping(_) => {}
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

    /// Takes in the state of the link. Saying the same again changes nothing.
    pub fn set_link(&mut self, now: Uptime, up: bool) {
        if self.link.value != up {
            self.link.put(now, up);
        }
    }

    /// The intent as words, for a slot that is shared between threads.
    #[must_use]
    pub fn to_words(&self) -> [u64; INTENT_WORDS] {
        let Self {
            drive,
            arm,
            stop,
            lease,
            legacy_throttle,
            legacy_steering,
            max_speed,
            link,
            ..
        } = self;
        [
            pair(drive.n, drive.value.seq.get()),
            drive.at.as_micros(),
            drive.value.t_ms,
            pair(
                i32::from(drive.value.throttle.get()).cast_unsigned(),
                i32::from(drive.value.steering.get()).cast_unsigned(),
            ),
            pair(drive.value.lease.get(), 0),
            pair(arm.n, arm.value.seq.get()),
            arm.at.as_micros(),
            arm.value.t_ms,
            pair(arm.value.lease.get(), 0),
            pair(stop.n, 0),
            stop.at.as_micros(),
            pair(lease.n, lease.value.id.get()),
            lease.at.as_micros(),
            u64::from(lease.value.want.code()),
            pair(legacy_throttle.n, legacy_throttle.value.forwards),
            legacy_throttle.at.as_micros(),
            pair(legacy_throttle.value.milli_steps.cast_unsigned(), 0),
            pair(legacy_steering.n, legacy_steering.value.cast_unsigned()),
            legacy_steering.at.as_micros(),
            pair(max_speed.n, u32::from(max_speed.value)),
            max_speed.at.as_micros(),
            pair(link.n, u32::from(link.value)),
            link.at.as_micros(),
            pair(self.malformed, self.unknown),
            pair(self.foreign, 0),
        ]
    }

    /// The intent that these words say. Words that say nothing sensible make a value that is in range all the same.
    #[must_use]
    #[expect(
        clippy::similar_names,
        reason = "one name for each word, by kind and field"
    )]
    pub fn from_words(words: &[u64; INTENT_WORDS]) -> Self {
        let [
            drive_n_seq,
            drive_at,
            drive_t,
            drive_command,
            drive_lease,
            arm_n_seq,
            arm_at,
            arm_t,
            arm_lease,
            stop_n,
            stop_at,
            lease_n_id,
            lease_at,
            lease_want,
            throttle_n_forwards,
            throttle_at,
            throttle_steps,
            steering_n_steps,
            steering_at,
            speed_n_ticks,
            speed_at,
            link_n_up,
            link_at,
            malformed_unknown,
            foreign,
        ] = *words;
        let at = Uptime::from_micros;
        Self {
            drive: Slot {
                n: high(drive_n_seq),
                at: at(drive_at),
                value: DriveCommand {
                    seq: Seq::new(low(drive_n_seq)),
                    t_ms: drive_t,
                    throttle: Throttle::saturating(high(drive_command).cast_signed()),
                    steering: Steering::saturating(low(drive_command).cast_signed()),
                    lease: LeaseId::new(high(drive_lease)),
                },
            },
            arm: Slot {
                n: high(arm_n_seq),
                at: at(arm_at),
                value: ArmCommand {
                    seq: Seq::new(low(arm_n_seq)),
                    t_ms: arm_t,
                    lease: LeaseId::new(high(arm_lease)),
                },
            },
            stop: Slot {
                n: high(stop_n),
                at: at(stop_at),
                value: (),
            },
            lease: Slot {
                n: high(lease_n_id),
                at: at(lease_at),
                value: LeaseCommand {
                    id: LeaseId::new(low(lease_n_id)),
                    want: u8::try_from(lease_want)
                        .ok()
                        .and_then(Want::from_code)
                        .unwrap_or_default(),
                },
            },
            legacy_throttle: Slot {
                n: high(throttle_n_forwards),
                at: at(throttle_at),
                value: LegacyThrottle {
                    milli_steps: high(throttle_steps).cast_signed(),
                    forwards: low(throttle_n_forwards),
                },
            },
            legacy_steering: Slot {
                n: high(steering_n_steps),
                at: at(steering_at),
                value: low(steering_n_steps).cast_signed(),
            },
            max_speed: Slot {
                n: high(speed_n_ticks),
                at: at(speed_at),
                value: u16::try_from(low(speed_n_ticks)).unwrap_or(u16::MAX),
            },
            link: Slot {
                n: high(link_n_up),
                at: at(link_at),
                value: low(link_n_up) == 1,
            },
            malformed: high(malformed_unknown),
            unknown: low(malformed_unknown),
            foreign: high(foreign),
        }
    }
}

fn pair(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

fn high(word: u64) -> u32 {
    u32::try_from(word >> 32).unwrap_or(u32::MAX)
}

fn low(word: u64) -> u32 {
    u32::try_from(word & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}
