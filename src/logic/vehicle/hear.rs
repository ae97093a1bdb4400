//! What is new in an intent, judged: is it fresh, is it the driver's, and what does it change.
//!
//! ```text
//!   intent ─▶ counts compared with the last step's ─▶ drive, lease, legacy, view, calibration, arm, stop ─▶ News
//! ```
//!
//! Promises: what is late, replayed or somebody else's is counted, and changes nothing; a stop is looked at last, so that
//! nothing in the same intent can outlive it.
//! Knows nothing of: states, pulses.
//! Sources: EXTENSION.md, rules.

use super::{Answer, Vehicle, Wish};
use crate::logic::drive::Demand;
use crate::logic::freshness::{Rule, Verdict};
use crate::logic::intent::Intent;
use crate::logic::units::{LeaseId, Uptime};
use crate::logic::wire::{ArmCommand, CalibrationCommand, DriveCommand, LeaseCommand, Want};

/// What was new in an intent, after it was judged.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each named"
)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct News {
    pub(super) stop: bool,
    pub(super) link_up: bool,
    pub(super) link_dropped: bool,
    pub(super) released: bool,
    pub(super) answer: Option<Answer>,
}

impl Vehicle {
    /// Judges all that is new. A stop is looked at last, so that nothing in the same intent can outlive it.
    pub(super) fn hear(&mut self, now: Uptime, intent: &Intent) -> News {
        let link_dropped = self.seen.link.value && intent.link.n != self.seen.link.n;
        if intent.drive.n != self.seen.drive.n {
            self.hear_drive(intent.drive.at.min(now), &intent.drive.value);
        }
        if intent.ask.n != self.seen.ask.n {
            self.lease.ask(intent.ask.at.min(now), intent.ask.value);
        }
        let released = intent.lease.n != self.seen.lease.n && self.hear_lease(now, intent);
        if self.lease.expires_at().is_some_and(|at| now > at) {
            self.lease.end();
        }
        self.hear_legacy(now, intent);
        if intent.view.n != self.seen.view.n && self.lease.is_held_by(intent.view.value.lease) {
            self.view = Some((intent.view.at.min(now), intent.view.value));
        }
        let is_change = intent.calibration.n != self.seen.calibration.n;
        let answer = is_change
            .then(|| self.hear_change(intent.calibration.at.min(now), &intent.calibration.value))
            .flatten();
        if intent.arm.n != self.seen.arm.n {
            self.hear_arm(intent.arm.at.min(now), &intent.arm.value);
        }
        let hold = self.failsafe.config().hold();
        let stop = intent.stop.n != self.seen.stop.n;
        if stop || link_dropped {
            self.wish = None;
            self.legacy.forget();
        }
        let is_open = |wish: &Wish| now.since(wish.at) <= hold && !self.lease.shuts_out(wish.id);
        self.wish = self.wish.filter(is_open);
        News {
            stop,
            link_up: intent.link.value,
            link_dropped,
            released,
            answer,
        }
    }

    fn hear_drive(&mut self, at: Uptime, drive: &DriveCommand) {
        if self.is_foreign(drive.lease) || self.may_not_tune(drive) {
            return;
        }
        let rule = self.rule(drive.lease);
        let verdict = self.senders.judge_drive(at, drive, rule);
        if self.count(verdict) {
            self.accepted_seq = drive.seq;
            self.accepted_at = Some(at);
            if self.lease.is_held_by(drive.lease) {
                self.lease.renew(at);
                self.command = Demand {
                    throttle: drive.throttle,
                    steering: drive.steering,
                    forward: false,
                };
                self.tune = drive.tune;
            }
        }
    }

    /// What becomes of a wish to change the calibration; nothing, if it is old or not the holder's.
    fn hear_change(&mut self, at: Uptime, change: &CalibrationCommand) -> Option<Answer> {
        if !self.lease.is_held_by(change.lease) {
            self.counts.foreign = self.counts.foreign.wrapping_add(1);
            return None;
        }
        let rule = self.rule(change.lease);
        let verdict = self.senders.judge_change(at, change, rule);
        self.count(verdict).then(|| {
            self.lease.renew(at);
            self.calibrations.judge(change)
        })
    }

    fn hear_arm(&mut self, at: Uptime, arm: &ArmCommand) {
        if self.is_foreign(arm.lease) {
            return;
        }
        let rule = self.rule(arm.lease);
        let verdict = self.senders.judge_arm(at, arm, rule);
        if self.count(verdict) {
            if self.lease.is_held_by(arm.lease) {
                self.lease.renew(at);
            }
            let (id, t_ms) = (arm.lease, arm.t_ms);
            self.wish = Some(Wish { id, at, t_ms });
        }
    }

    /// Whether the holder gave the lease up.
    fn hear_lease(&mut self, now: Uptime, intent: &Intent) -> bool {
        let LeaseCommand { id, want } = intent.lease.value;
        if self.lease.shuts_out(id) {
            self.counts.foreign = self.counts.foreign.wrapping_add(1);
        }
        if want == Want::Release {
            // Who lets go does not want to arm any more.
            self.wish = self.wish.filter(|wish| wish.id != id);
        }
        if !self.lease.is_held_by(id) {
            return false;
        }
        match want {
            Want::Release => self.lease.release(now),
            Want::Take => self.lease.renew(intent.lease.at.min(now)),
            // Requests have a place of their own in the intent.
            Want::HandOver => {}
        }
        want == Want::Release
    }

    fn hear_legacy(&mut self, now: Uptime, intent: &Intent) {
        let new_throttle = intent
            .legacy_throttle
            .n
            .wrapping_sub(self.seen.legacy_throttle.n);
        let new_steering = intent
            .legacy_steering
            .n
            .wrapping_sub(self.seen.legacy_steering.n);
        let new = new_throttle.wrapping_add(new_steering);
        if self.lease.is_held() || !self.legacy_may_drive {
            self.counts.foreign = self.counts.foreign.wrapping_add(new);
            return;
        }
        self.counts.accepted = self.counts.accepted.wrapping_add(new);
        if new_throttle != 0 {
            self.legacy.hear_throttle(
                intent.legacy_throttle.at.min(now),
                intent.legacy_throttle.value,
            );
        }
        if new_steering != 0 {
            self.legacy.hear_steering(
                intent.legacy_steering.at.min(now),
                intent.legacy_steering.value,
            );
        }
        if new != 0 {
            self.accepted_at = self.accepted_at.max(self.legacy.heard_at());
        }
    }

    /// By what this sender is judged now.
    fn rule(&self, id: LeaseId) -> Rule {
        Rule {
            command_age: self.failsafe.config().command_age(),
            drives: self.failsafe.state().may_move() && self.lease.is_held_by(id),
        }
    }

    /// Counts a verdict; whether it is fresh.
    fn count(&mut self, verdict: Verdict) -> bool {
        let count = match verdict {
            Verdict::Fresh => &mut self.counts.accepted,
            Verdict::Late => &mut self.counts.late,
            Verdict::Replayed => &mut self.counts.replayed,
        };
        *count = count.wrapping_add(1);
        verdict == Verdict::Fresh
    }

    /// Counts a sender who may not drive now; whether he is one.
    fn is_foreign(&mut self, id: LeaseId) -> bool {
        let foreign = id.is_none() || self.lease.shuts_out(id);
        self.counts.foreign = self.counts.foreign.wrapping_add(u32::from(foreign));
        foreign
    }

    /// Counts a pulse for a car that is tuned by who stands at it alone; whether it is one.
    fn may_not_tune(&mut self, drive: &DriveCommand) -> bool {
        let foreign = drive.tune.is_some() && !self.calibrations.is_remote();
        self.counts.foreign = self.counts.foreign.wrapping_add(u32::from(foreign));
        foreign
    }
}
