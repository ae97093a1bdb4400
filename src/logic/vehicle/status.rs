//! All that telemetry and the viewer need to know of the vehicle, as one value that crosses threads as words.
//!
//! The control thread publishes it each step; the network side reads it without a lock and never asks the vehicle.
//!
//! Promises: `Copy`, fixed size; any words make a `Status`, and those of a `Status` make the same.
//! Knows nothing of: when it is sent, and in which shape.

use super::calibration::{Answer, CalibrationStatus};
use crate::logic::drive::{CalibrationFields, Setpoint};
use crate::logic::failsafe::{Cause, Refusals, State};
use crate::logic::units::{LeaseId, PulseWidth, Seq, Steering, Throttle, Uptime};
use crate::logic::wire::Pulses;

/// Words that a [`Status`] takes.
pub const STATUS_WORDS: usize = 15;

/// The vehicle after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// What the car may do.
    pub state: State,
    /// Why it is in that state.
    pub cause: Cause,
    /// What forbids arming.
    pub refusals: Refusals,
    /// What was written, if writing succeeded.
    pub setpoint: Setpoint,
    /// Throttle in force.
    pub throttle: Throttle,
    /// Steering in force.
    pub steering: Steering,
    /// Who holds the lease.
    pub holder: LeaseId,
    /// Sequence number of the last accepted `drive`.
    pub seq: Seq,
    /// When the last accepted command arrived, legacy ones too.
    pub accepted_at: Option<Uptime>,
    /// The link is up.
    pub link_up: bool,
    /// Most throttle, either way, that the link's quality allows now.
    pub limit: Throttle,
    /// Who asks the holder for the lease.
    pub asker: LeaseId,
    /// Commands accepted since start; wraps, as all counts do.
    pub accepted: u32,
    /// Commands dropped as too old.
    pub late: u32,
    /// Commands dropped as heard before.
    pub replayed: u32,
    /// Commands dropped as somebody else's than the driver's.
    pub foreign: u32,
    /// Messages that were not understood.
    pub malformed: u32,
    /// Messages of groups that are not ours.
    pub unknown: u32,
    /// The calibration, and what became of the last wish to change it.
    pub calibration: CalibrationStatus,
}

impl Status {
    /// The status as words, for a slot that is shared between threads.
    #[must_use]
    pub fn to_words(&self) -> [u64; STATUS_WORDS] {
        let [setpoint_throttle, setpoint_steering] =
            [self.setpoint.throttle.get(), self.setpoint.steering.get()];
        let [throttle, steering] = [
            self.throttle.get().cast_unsigned(),
            self.steering.get().cast_unsigned(),
        ];
        let calibration = &self.calibration;
        let [throttle_pulses, steering_pulses] = calibration.counts.to_pulses().to_words();
        let calibration_flags = [
            calibration.is_saved,
            calibration.in_force,
            calibration.is_remote,
            calibration.steering_reversed,
        ];
        [
            join16([
                u16::from(self.state.code()),
                u16::from(self.cause.code()),
                self.refusals.bits(),
                u16::from(self.link_up),
            ]),
            join16([setpoint_throttle, setpoint_steering, throttle, steering]),
            self.holder.word(),
            // Time zero is when the machine booted: nothing was accepted then.
            self.accepted_at.map_or(0, Uptime::as_micros),
            join32(self.accepted, self.late),
            join32(self.replayed, self.foreign),
            join32(self.malformed, self.unknown),
            join32(u32::from(self.limit.get().unsigned_abs()), self.seq.get()),
            self.asker.word(),
            join16([
                bits(calibration_flags),
                calibration.answer.code().into(),
                calibration.max_speed.unwrap_or(0), // no tick at all is no pulse, so it is free to say "none"
                0,
            ]),
            u64::from(calibration.seq.get()),
            calibration.lease.word(),
            join32(calibration.changes, calibration.tell),
            throttle_pulses,
            steering_pulses,
        ]
    }

    /// The status that these words say. Words that say nothing sensible make a value that is in range all the same.
    #[must_use]
    pub fn from_words(words: &[u64; STATUS_WORDS]) -> Self {
        let [
            modes,
            outputs,
            holder,
            accepted_at,
            accepted_late,
            replayed_foreign,
            malformed_unknown,
            limit_seq,
            asker,
            calibration_modes,
            calibration_seq,
            calibration_lease,
            changes_tell,
            throttle_pulses,
            steering_pulses,
        ] = *words;
        let [state, cause, refusals, link_up] = split16(modes);
        let [setpoint_throttle, setpoint_steering, throttle, steering] = split16(outputs);
        let [accepted, late] = split32(accepted_late);
        let [replayed, foreign] = split32(replayed_foreign);
        let [malformed, unknown] = split32(malformed_unknown);
        let [limit, seq] = split32(limit_seq);
        let [calibration_flags, answer, max_speed, _] = split16(calibration_modes);
        let [_, calibration_seq] = split32(calibration_seq);
        let [changes, tell] = split32(changes_tell);
        Self {
            state: u8::try_from(state)
                .ok()
                .and_then(State::from_code)
                .unwrap_or_default(),
            cause: u8::try_from(cause)
                .ok()
                .and_then(Cause::from_code)
                .unwrap_or_default(),
            refusals: Refusals::from_bits(refusals),
            setpoint: Setpoint {
                throttle: PulseWidth::saturating(setpoint_throttle.into()),
                steering: PulseWidth::saturating(setpoint_steering.into()),
            },
            throttle: Throttle::saturating(throttle.cast_signed().into()),
            steering: Steering::saturating(steering.cast_signed().into()),
            holder: LeaseId::from_word(holder),
            seq: Seq::new(seq),
            accepted_at: (accepted_at != 0).then(|| Uptime::from_micros(accepted_at)),
            link_up: link_up == 1,
            limit: Throttle::saturating(i32::try_from(limit).unwrap_or(i32::MAX)),
            asker: LeaseId::from_word(asker),
            accepted,
            late,
            replayed,
            foreign,
            malformed,
            unknown,
            calibration: CalibrationStatus {
                steering_reversed: calibration_flags & 8 != 0,
                counts: CalibrationFields::saturating(&Pulses::from_words([
                    throttle_pulses,
                    steering_pulses,
                ])),
                is_saved: calibration_flags & 1 != 0,
                in_force: calibration_flags & 2 != 0,
                is_remote: calibration_flags & 4 != 0,
                answer: u8::try_from(answer)
                    .ok()
                    .and_then(Answer::from_code)
                    .unwrap_or_default(),
                seq: Seq::new(calibration_seq),
                lease: LeaseId::from_word(calibration_lease),
                max_speed: (max_speed != 0).then_some(max_speed),
                tell,
                changes,
            },
        }
    }
}

fn bits(flags: [bool; 4]) -> u16 {
    (0..)
        .zip(flags)
        .map(|(place, flag)| u16::from(flag) << place)
        .sum()
}

fn join32(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

fn split32(word: u64) -> [u32; 2] {
    let low = |word: u64| u32::try_from(word & 0xFFFF_FFFF).unwrap_or(0); // masked: it fits
    [low(word >> 32), low(word)]
}

fn join16([a, b, c, d]: [u16; 4]) -> u64 {
    join32(
        u32::from(a) << 16 | u32::from(b),
        u32::from(c) << 16 | u32::from(d),
    )
}

fn split16(word: u64) -> [u16; 4] {
    let low = |word: u64| u16::try_from(word & 0xFFFF).unwrap_or(0); // masked: it fits
    [low(word >> 48), low(word >> 32), low(word >> 16), low(word)]
}
