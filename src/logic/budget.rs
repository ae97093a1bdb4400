//! How much telemetry may say a second: a bucket of bytes that fills steadily and is emptied by messages.
//!
//! The uplink of a car on LTE is narrow and belongs to the video. The old program's sibling filled it with one metric a
//! loop turn; so there is a limit over all messages together.
//!
//! ```text
//!   fills with 3/4 of the limit a second ──▶ ┌────────┐
//!                                            │ bucket │ holds 1/4 of the limit
//!   what must go, goes: pong, ir, speed ◀────┤        │ and then owes, at most 1/4
//!   what can wait, waits:  car, board   ◀────┴────────┘
//! ```
//!
//! With 1/4 in the bucket and 3/4 coming, no second holds more than the limit, wherever it begins.
//!
//! Promises: what can wait never takes a second over the limit, and once nothing else must go, it goes within two thirds of
//! a second.
//! Knows nothing of: messages, and who is first.
//! Sources: PROTOCOL.md 5.2 q 18 ("new telemetry under new groups, low rate"), 6 defect 24 (the flood).

use super::units::Uptime;

/// A microsecond's worth of one byte a second: credit is counted in these, so that nothing is rounded.
const PER_BYTE: i64 = 1_000_000;

/// Bytes that may still be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Credit for a microsecond.
    rate: i64,
    most: i64,
    credit: i64,
    at: Uptime,
}

impl Budget {
    /// A full bucket. `bytes_per_s` is the limit for what is sent in any one second.
    pub(super) fn new(now: Uptime, bytes_per_s: u32) -> Self {
        let most = i64::from(bytes_per_s / 4) * PER_BYTE;
        Self {
            rate: i64::from(bytes_per_s - bytes_per_s / 4),
            most,
            credit: most,
            at: now,
        }
    }

    /// Something was sent that could not wait.
    pub(super) fn must(&mut self, now: Uptime, bytes: usize) {
        self.fill(now);
        self.credit = self.credit.saturating_sub(cost(bytes)).max(-self.most);
    }

    /// Whether this much may be sent now; if so, it counts as sent.
    pub(super) fn may(&mut self, now: Uptime, bytes: usize) -> bool {
        self.fill(now);
        let left = self.credit.saturating_sub(cost(bytes));
        if left < 0 {
            return false;
        }
        self.credit = left;
        true
    }

    fn fill(&mut self, now: Uptime) {
        let passed = i64::try_from(now.since(self.at).as_micros()).unwrap_or(i64::MAX);
        self.credit = self
            .credit
            .saturating_add(self.rate.saturating_mul(passed))
            .min(self.most);
        self.at = self.at.max(now);
    }
}

fn cost(bytes: usize) -> i64 {
    i64::try_from(bytes)
        .unwrap_or(i64::MAX)
        .saturating_mul(PER_BYTE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at_ms(ms: u64) -> Uptime {
        Uptime::from_micros(ms * 1000)
    }

    #[test]
    fn a_full_bucket_holds_a_quarter_to_the_byte() {
        for (bytes, wanted) in [(1_999, true), (2_000, true), (2_001, false)] {
            let mut budget = Budget::new(at_ms(0), 8_000);
            assert_eq!(budget.may(at_ms(0), bytes), wanted, "{bytes}");
            assert_eq!(budget.may(at_ms(60_000), bytes), wanted, "never fuller");
        }
    }

    #[test]
    fn it_fills_at_three_quarters_a_second() {
        let mut budget = Budget::new(at_ms(0), 8_000);
        assert!(budget.may(at_ms(0), 2_000));
        assert!(!budget.may(at_ms(99), 600), "6 bytes a millisecond");
        assert!(budget.may(at_ms(100), 600));
        assert!(!budget.may(at_ms(100), 1));
        let mut budget = Budget::new(at_ms(0), 8_000);
        assert!(budget.may(at_ms(0), 2_000));
        for micros in 1..=1_000 {
            budget.fill(Uptime::from_micros(micros)); // many small steps lose nothing
        }
        assert!(!budget.may(at_ms(1), 7));
        assert!(budget.may(at_ms(1), 6));
    }

    #[test]
    fn what_must_go_is_owed_but_not_for_ever() {
        let mut budget = Budget::new(at_ms(0), 8_000);
        budget.must(at_ms(0), 1_000_000);
        // 2,000 bytes are owed; they, and the 600 that are wanted, come in at 6 a millisecond.
        assert!(!budget.may(at_ms(433), 600));
        assert!(budget.may(at_ms(434), 600));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let mut budget = Budget::new(at_ms(1_000), 8_000);
        assert!(budget.may(at_ms(1_000), 2_000));
        assert!(!budget.may(at_ms(0), 1));
        assert!(!budget.may(at_ms(1_000), 1));
        budget.must(Uptime::MAX, usize::MAX);
        assert!(!budget.may(Uptime::MAX, 1));
    }

    proptest! {
        #[test]
        fn no_second_is_over_the_limit(
            limit in 4_000_u32..20_000,
            wishes in prop::collection::vec((0_u64..300, 1_usize..1_200), 1..400),
        ) {
            let mut budget = Budget::new(at_ms(0), limit);
            let (mut now, mut sent) = (0, Vec::new());
            for (wait, bytes) in wishes {
                now += wait;
                if budget.may(at_ms(now), bytes) {
                    sent.push((now, bytes));
                }
            }
            for (begin, _) in &sent {
                let inside = sent.iter().filter(|(at, _)| (*begin..begin + 1_000).contains(at));
                let bytes: usize = inside.map(|(_, bytes)| bytes).sum();
                prop_assert!(bytes <= usize::try_from(limit).unwrap(), "{} in the second from {} ms", bytes, begin);
            }
        }
    }
}
