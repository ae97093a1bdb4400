//! Whether a command is news: newer than the last, and not too old when it came.
//!
//! A channel may hold commands back and hand them over in a burst; a relay may send one twice. Order alone does not show
//! that (the burst is in order), and the sender's clock is not ours. So for each sender the car keeps the least difference
//! ever seen between its own clock at arrival and the sender's clock at sending. That is the fastest path there was; what
//! a command took longer than that, it waited somewhere.
//!
//! ```text
//!   arrival − sending, in ms       ┌─ late by more than command_age: dropped
//!     160 ┤                    ×
//!     120 ┤                    │
//!      80 ┤        o           │  o
//!      60 ┤   o        o       │        o      o  accepted
//!      50 ┼─o──────────────o───┴────────────   floor: the least so far
//!         └────────────────────────────────▶   it may rise by DRIFT only, as clocks drift apart
//! ```
//!
//! A floor that could simply expire would let a growing queue pass as the new normal, so it does not while its sender
//! drives. A sender that does not drive gets a new floor from the least difference of [`RELEARN`]: that covers a clock that
//! was set, a device that slept, and a path that became slower for good. What the messages ask for does not matter, because
//! the car is armed by a fresh neutral only: a driver who presses Arm again and again, or holds a key, waits no longer than
//! one who does nothing.
//!
//! A queue that empties is no new path, because each message in it waited less than the one before. So a message that is
//! faster than the first of the run by more than the command age starts the run again.
//!
//! Nor is a message that is faster than all others by a second: its sender's clock was set, or it is not his. While he drives
//! it is dropped, for it would make all that he says next look late; who does not drive has the floor that it makes.
//!
//! Promises: total; bounded memory: [`SENDERS`] senders, the one unheard for longest forgotten first.
//! Knows nothing of: who holds the lease, what happens to a command that is not news.
//! Sources: design 4 decision 4, PROTOCOL.md 6 defect 9. A path that was never fast cannot be told from a slow clock:
//! whoever shows round-trip times (`ping`, `pong`) sees it.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::units::{LeaseId, Seq, Uptime};
use super::wire::{ArmCommand, CalibrationCommand, DriveCommand};

#[cfg(test)]
mod tests;

/// Senders that are remembered, so that an old capture of a former driver is still a replay.
///
/// choice: more viewers than that at one car are no car race.
const SENDERS: usize = 8;

/// How fast the floor may rise, in parts per million of the time that passed.
///
/// choice: crystals differ by at most 200 ppm, NTP slews by 500 ppm more (kernel: `MAX_TICKADJ`).
const DRIFT_PPM: u64 = 1000;

/// The longest gap over which the floor rises.
///
/// choice: 10 ms of rise at most for one gap, however long; a clock that drifted further learns anew.
const LONGEST_GAP: Duration = Duration::from_secs(10);

/// How long a sender that does not drive has to be heard before the car takes its fastest message for the new floor.
///
/// choice: longer than a queue in a mobile network usually lasts, shorter than the patience of a driver.
const RELEARN: Duration = Duration::from_secs(5);

/// A gap after which learning starts over.
///
/// choice: twenty commands of a slow sender.
const RELEARN_GAP: Duration = Duration::from_secs(1);

/// How much faster than the fastest a message of a sender who drives may be.
///
/// choice: a queue that empties gets faster by the distance of two messages each time, or of ten that were lost.
const LEAP: Duration = Duration::from_secs(1);

/// What a command is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// News.
    Fresh,
    /// Too old when it came, or from a time that cannot be.
    Late,
    /// Not newer than what came before.
    Replayed,
}

/// By what a message is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// How much longer than the fastest a message may have been on its way.
    pub(super) command_age: Duration,
    /// The sender drives the car now: it may move by what is fresh, so the floor stays.
    pub(super) drives: bool,
}

/// The last fresh command of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Heard {
    pub(super) at: Uptime,
    pub(super) command: DriveCommand,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sender {
    id: LeaseId,
    floor: Option<Floor>,
    heard: Option<Heard>,
    armed: Option<Seq>,
    changed: Option<Seq>,
    touched_at: Uptime,
}

/// Everybody whose commands were judged lately.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Senders(heapless::Vec<Sender, SENDERS>);

impl Senders {
    /// Judges a `drive` that arrived at `at`, and remembers it if it is news.
    pub(super) fn judge_drive(
        &mut self,
        at: Uptime,
        command: &DriveCommand,
        rule: Rule,
    ) -> Verdict {
        let sender = self.entry(at, command.lease);
        if sender
            .heard
            .is_some_and(|heard| !command.seq.is_newer_than(heard.command.seq))
        {
            return Verdict::Replayed;
        }
        if !Floor::admit(&mut sender.floor, at, command.t_ms, rule) {
            return Verdict::Late;
        }
        sender.heard = Some(Heard {
            at,
            command: *command,
        });
        Verdict::Fresh
    }

    /// Judges an `arm` that arrived at `at`. It is counted apart from `drive`, which may overtake it on another channel.
    pub(super) fn judge_arm(&mut self, at: Uptime, command: &ArmCommand, rule: Rule) -> Verdict {
        let sender = self.entry(at, command.lease);
        if sender
            .armed
            .is_some_and(|seq| !command.seq.is_newer_than(seq))
        {
            return Verdict::Replayed;
        }
        if !Floor::admit(&mut sender.floor, at, command.t_ms, rule) {
            return Verdict::Late;
        }
        sender.armed = Some(command.seq);
        Verdict::Fresh
    }

    /// Judges a change of the calibration that arrived at `at`. It is counted apart, as `arm` is.
    pub(super) fn judge_change(
        &mut self,
        at: Uptime,
        command: &CalibrationCommand,
        rule: Rule,
    ) -> Verdict {
        let sender = self.entry(at, command.lease);
        if sender
            .changed
            .is_some_and(|seq| !command.seq.is_newer_than(seq))
        {
            return Verdict::Replayed;
        }
        if !Floor::admit(&mut sender.floor, at, command.t_ms, rule) {
            return Verdict::Late;
        }
        sender.changed = Some(command.seq);
        Verdict::Fresh
    }

    /// Whether what this sender sent at `t_ms` and was heard at `at` is fresh by all that is known of him by now.
    ///
    /// The first message of a sender is fresh for want of anything to compare it with. If his next ones come faster, it was
    /// late after all; whoever has waited with it asks again here.
    pub(super) fn is_still_fresh(
        &self,
        id: LeaseId,
        at: Uptime,
        t_ms: u64,
        command_age: Duration,
    ) -> bool {
        let sender = self.0.iter().find(|sender| sender.id == id);
        sender.and_then(|sender| sender.floor).is_some_and(|floor| {
            let allowed = i64::try_from(command_age.as_micros()).unwrap_or(i64::MAX);
            difference(at, t_ms).saturating_sub(floor.least) <= allowed
        })
    }

    /// The last fresh `drive` of this sender.
    pub(super) fn heard(&self, id: LeaseId) -> Option<Heard> {
        self.0.iter().find(|sender| sender.id == id)?.heard
    }

    /// The last fresh `drive` of anybody.
    pub(super) fn newest(&self) -> Option<Heard> {
        self.0
            .iter()
            .filter_map(|sender| sender.heard)
            .max_by_key(|heard| heard.at)
    }

    /// A place for a new sender, if need be that of the one that was silent longest.
    fn make_place(&mut self, at: Uptime, id: LeaseId) -> usize {
        let oldest = self
            .0
            .iter()
            .enumerate()
            .min_by_key(|(_, sender)| sender.touched_at);
        if let Some((oldest, _)) = oldest.filter(|_| self.0.is_full()) {
            self.0.swap_remove(oldest);
        }
        let new = Sender {
            id,
            floor: None,
            heard: None,
            armed: None,
            changed: None,
            touched_at: at,
        };
        self.0.push(new).expect("a place was made above");
        self.0.len().saturating_sub(1)
    }

    fn entry(&mut self, at: Uptime, id: LeaseId) -> &mut Sender {
        let known = self.0.iter().position(|sender| sender.id == id);
        let place = known.unwrap_or_else(|| self.make_place(at, id));
        let sender = self.0.get_mut(place).expect("found or pushed above");
        sender.touched_at = at;
        sender
    }
}

/// The least difference between arrival and sending, and what else it takes to keep it honest.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Floor {
    /// Arrival on our clock minus sending on theirs, in microseconds.
    least: i64,
    updated_at: Uptime,
    relearning: Option<Relearning>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Relearning {
    since: Uptime,
    last_at: Uptime,
    /// The difference of its first message, to tell a queue that empties.
    first: i64,
    least: i64,
    /// Some of its messages were late. The first late one starts a run anew: what came before it belongs to another path.
    late: bool,
}

impl Floor {
    /// Whether something sent at `t_ms` and arrived at `at` is fresh.
    fn admit(floor: &mut Option<Self>, at: Uptime, t_ms: u64, rule: Rule) -> bool {
        let difference = difference(at, t_ms);
        let floor = floor.get_or_insert(Self {
            least: difference,
            updated_at: at,
            relearning: None,
        });

        let leap = i64::try_from(LEAP.as_micros()).unwrap_or(i64::MAX);
        if rule.drives && floor.least.saturating_sub(difference) > leap {
            return false;
        }
        let gap = at.since(floor.updated_at).min(LONGEST_GAP);
        let rise = u64::try_from(gap.as_micros()).unwrap_or(u64::MAX) * DRIFT_PPM / 1_000_000;
        floor.least = floor.least.saturating_add_unsigned(rise).min(difference);
        floor.updated_at = at;

        let allowed = i64::try_from(rule.command_age.as_micros()).unwrap_or(i64::MAX);
        if rule.drives {
            floor.relearning = None;
        } else {
            let late = difference.saturating_sub(floor.least) > allowed;
            floor.relearn(at, difference, allowed, late);
        }
        difference.saturating_sub(floor.least) <= allowed
    }

    /// Takes note of a message of a sender that does not drive, and raises the floor at the end of a run.
    fn relearn(&mut self, at: Uptime, difference: i64, allowed: i64, late: bool) {
        let begun = self.relearning.filter(|run| {
            let is_emptying = run.first.saturating_sub(difference) > allowed;
            at.since(run.last_at) <= RELEARN_GAP && !is_emptying && (run.late || !late)
        });
        let begins = Relearning {
            since: at,
            last_at: at,
            first: difference,
            least: difference,
            late,
        };
        let run = begun.unwrap_or(begins);
        let run = Relearning {
            last_at: at,
            least: run.least.min(difference),
            ..run
        };
        if at.since(run.since) >= RELEARN {
            self.least = self.least.max(run.least);
            self.relearning = Some(Relearning {
                late: false,
                ..begins
            });
        } else {
            self.relearning = Some(run);
        }
    }
}

fn difference(at: Uptime, t_ms: u64) -> i64 {
    let arrived = i64::try_from(at.as_micros()).unwrap_or(i64::MAX);
    let sent = i64::try_from(t_ms)
        .ok()
        .and_then(|ms| ms.checked_mul(1000))
        .unwrap_or(i64::MAX);
    arrived.saturating_sub(sent)
}
