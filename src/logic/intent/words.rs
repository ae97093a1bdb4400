//! An [`Intent`] as plain words and back, so that a slot of atomics can carry it between threads.
//!
//! ```text
//!   word   0 ┌ n ┐┌ seq ┐   1 ┌──── at ────┐   2 ┌─── t_ms ───┐   3 ┌ throttle ┐┌ steering ┐   …  39
//! ```
//!
//! Promises: those of [`Intent`]: any words make one, and its own make the same.
//! Knows nothing of: what the fields mean.

use super::{Intent, LegacyThrottle, Slot};
use crate::logic::units::{LeaseId, PulseWidth, Seq, Steering, Throttle, Uptime};
use crate::logic::wire::{
    ArmCommand, Axis, CalibrationCommand, Change, DriveCommand, LeaseCommand, Pulses, Tune,
    ViewReport, Want,
};

/// Words that an [`Intent`] takes.
pub const INTENT_WORDS: usize = 40;

impl Intent {
    /// The intent as words, for a slot that is shared between threads.
    #[must_use]
    pub fn to_words(&self) -> [u64; INTENT_WORDS] {
        let Self {
            drive,
            arm,
            stop,
            lease,
            ask,
            view,
            calibration,
            legacy_throttle,
            legacy_steering,
            max_speed,
            link,
            ..
        } = self;
        let (change, [change_first, change_second]) = change_words(calibration.value.change);
        [
            pair(drive.n, drive.value.seq.get()),
            drive.at.as_micros(),
            drive.value.t_ms,
            pair(
                i32::from(drive.value.throttle.get()).cast_unsigned(),
                i32::from(drive.value.steering.get()).cast_unsigned(),
            ),
            drive.value.lease.word(),
            u64::from(tune_code(drive.value.tune)),
            pair(arm.n, arm.value.seq.get()),
            arm.at.as_micros(),
            arm.value.t_ms,
            arm.value.lease.word(),
            pair(stop.n, 0),
            stop.at.as_micros(),
            pair(lease.n, u32::from(lease.value.want.code())),
            lease.at.as_micros(),
            lease.value.id.word(),
            pair(ask.n, 0),
            ask.at.as_micros(),
            ask.value.word(),
            pair(view.n, 0),
            view.at.as_micros(),
            view.value.lease.word(),
            pair(view.value.rtt_ms, view.value.age_ms),
            pair(calibration.n, calibration.value.seq.get()),
            calibration.at.as_micros(),
            calibration.value.t_ms,
            calibration.value.lease.word(),
            u64::from(change),
            change_first,
            change_second,
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
            pair(self.foreign, self.tell_calibration),
        ]
    }

    /// The intent that these words say. Words that say nothing sensible make a value that is in range all the same.
    #[must_use]
    #[expect(
        clippy::similar_names,
        clippy::too_many_lines,
        reason = "one name for each word, by kind and field, and one place where all of them are"
    )]
    pub fn from_words(words: &[u64; INTENT_WORDS]) -> Self {
        let [
            drive_n_seq,
            drive_at,
            drive_t,
            drive_command,
            drive_lease,
            drive_tune,
            arm_n_seq,
            arm_at,
            arm_t,
            arm_lease,
            stop_n,
            stop_at,
            lease_n_want,
            lease_at,
            lease_id,
            ask_n,
            ask_at,
            ask_id,
            view_n,
            view_at,
            view_lease,
            view_rtt_age,
            change_n_seq,
            change_at,
            change_t,
            change_lease,
            change_kind,
            change_first,
            change_second,
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
            foreign_tell,
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
                    lease: LeaseId::from_word(drive_lease),
                    tune: tune_of(low(drive_tune)),
                },
            },
            arm: Slot {
                n: high(arm_n_seq),
                at: at(arm_at),
                value: ArmCommand {
                    seq: Seq::new(low(arm_n_seq)),
                    t_ms: arm_t,
                    lease: LeaseId::from_word(arm_lease),
                },
            },
            stop: Slot {
                n: high(stop_n),
                at: at(stop_at),
                value: (),
            },
            lease: Slot {
                n: high(lease_n_want),
                at: at(lease_at),
                value: LeaseCommand {
                    id: LeaseId::from_word(lease_id),
                    want: u8::try_from(low(lease_n_want))
                        .ok()
                        .and_then(Want::from_code)
                        .unwrap_or_default(),
                },
            },
            ask: Slot {
                n: high(ask_n),
                at: at(ask_at),
                value: LeaseId::from_word(ask_id),
            },
            view: Slot {
                n: high(view_n),
                at: at(view_at),
                value: ViewReport {
                    lease: LeaseId::from_word(view_lease),
                    rtt_ms: high(view_rtt_age),
                    age_ms: low(view_rtt_age),
                },
            },
            calibration: Slot {
                n: high(change_n_seq),
                at: at(change_at),
                value: CalibrationCommand {
                    seq: Seq::new(low(change_n_seq)),
                    t_ms: change_t,
                    lease: LeaseId::from_word(change_lease),
                    change: change_of(low(change_kind), [change_first, change_second]),
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
            foreign: high(foreign_tell),
            tell_calibration: low(foreign_tell),
        }
    }
}

/// Which output is tuned, and to what; 0 is none.
fn tune_code(tune: Option<Tune>) -> u32 {
    tune.map_or(0, |tune| {
        u32::from(tune.axis.code()) << 16 | u32::from(tune.pulse.get())
    })
}

fn tune_of(code: u32) -> Option<Tune> {
    let axis = u8::try_from(code >> 16).ok().and_then(Axis::from_code)?;
    let pulse = PulseWidth::saturating(code & 0xFFFF);
    Some(Tune { axis, pulse })
}

/// What is to change, as a number and the pulses.
fn change_words(change: Change) -> (u32, [u64; 2]) {
    match change {
        Change::Reset => (0, [0, 0]),
        Change::Save(pulses) => (1, pulses.to_words()),
    }
}

fn change_of(kind: u32, words: [u64; 2]) -> Change {
    if kind == 1 {
        Change::Save(Pulses::from_words(words))
    } else {
        Change::Reset
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
