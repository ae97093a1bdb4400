//! How long something took, over many times: count, quantiles and maximum in a fixed table.
//!
//! A mean hides the one tick in a thousand that a driver feels. This keeps a count for each range of lengths, ranges that
//! grow with the length, so that a microsecond and a second fit one small table and every quantile is known to a ninth of
//! its value.
//!
//! ```text
//!   length (us)  0 1 2 … 15 │ 16 18 20 … 30 │ 32 36 … 60 │ 64 72 … │ …      8 ranges from each power of two to the next
//!   count        · · · …  · │  ·  ·  · …    │            │         │
//! ```
//!
//! Promises: nothing allocates; noting is one increment; a quantile is never less than the true one, and at most 12.5 %
//! more. Knows nothing of: what is measured.
//! Sources: `HdrHistogram` (the same table, in general).

use core::time::Duration;

/// Ranges from one power of two to the next. choice: quantiles to 1/8.
const PER_OCTAVE: usize = 8;

/// Lengths below this have a range each. choice: twice [`PER_OCTAVE`], so that ranges begin to be wider than 1 there.
const LINEAR: u32 = 16;

/// Powers of two from [`LINEAR`] on: up to 2^26 us, a minute.
const OCTAVES: usize = 22;

const RANGES: usize = 16 + PER_OCTAVE * OCTAVES;

/// Lengths of time.
#[derive(Clone, Debug)]
pub struct Spread {
    counts: [u32; RANGES],
    n: u32,
    max_us: u32,
}

/// What is told of them, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many.
    pub n: u32,
    /// Half of them took no longer.
    pub p50_us: u32,
    /// 99 of 100 took no longer.
    pub p99_us: u32,
    /// The longest.
    pub max_us: u32,
}

impl Default for Spread {
    fn default() -> Self {
        Self::new()
    }
}

impl Spread {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            counts: [0; RANGES],
            n: 0,
            max_us: 0,
        }
    }

    /// One more.
    pub fn note(&mut self, length: Duration) {
        let us = u32::try_from(length.as_micros()).unwrap_or(u32::MAX);
        if let Some(count) = self.counts.get_mut(range_of(us)) {
            *count = count.saturating_add(1);
        }
        self.n = self.n.saturating_add(1);
        self.max_us = self.max_us.max(us);
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// The length that this many of a thousand do not exceed: the end of its range, and never more than the longest.
    #[must_use]
    pub fn permille(&self, permille: u32) -> Duration {
        let rank = (u64::from(self.n) * u64::from(permille.min(1000))).div_ceil(1000);
        let mut seen = 0;
        for (range, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= rank && rank > 0 {
                return Duration::from_micros(last_of(range).min(self.max_us).into());
            }
        }
        Duration::from_micros(self.max_us.into())
    }

    /// Count, median, 99th percentile and maximum.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let us = |length: Duration| u32::try_from(length.as_micros()).unwrap_or(u32::MAX);
        Figures {
            n: self.n,
            p50_us: us(self.permille(500)),
            p99_us: us(self.permille(990)),
            max_us: self.max_us,
        }
    }
}

/// The range that a length belongs to; the last one for all that are longer.
fn range_of(us: u32) -> usize {
    if us < LINEAR {
        return usize::try_from(us).unwrap_or(0);
    }
    let octave = us.ilog2(); // 4 or more
    let eighth = (us >> (octave - 3)) & 7;
    let place = (octave - 4) * 8 + eighth;
    usize::try_from(LINEAR + place)
        .unwrap_or(RANGES)
        .min(RANGES - 1)
}

/// The longest length of a range.
fn last_of(range: usize) -> u32 {
    let Ok(range) = u32::try_from(range) else {
        return u32::MAX;
    };
    if range < LINEAR {
        return range;
    }
    let (octave, eighth) = ((range - LINEAR) / 8 + 4, (range - LINEAR) % 8);
    ((8 + eighth + 1) << (octave - 3)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn us(length: u64) -> Duration {
        Duration::from_micros(length)
    }

    #[test]
    fn ranges_follow_each_other_without_gap_or_overlap() {
        let mut last = None;
        for length in (0..5000).chain((5000..50_000_000).step_by(9973)) {
            let range = range_of(length);
            assert!(length <= last_of(range), "{length}");
            assert!(
                u64::from(last_of(range)) <= u64::from(length) + u64::from(length) / 8,
                "{length} is told as {}",
                last_of(range)
            );
            if range > 0 {
                assert!(length > last_of(range - 1), "{length}");
            }
            assert!(last.is_none_or(|last| range >= last));
            last = Some(range);
        }
        assert_eq!(range_of(u32::MAX), RANGES - 1);
    }

    #[test]
    fn quantiles_of_a_thousand_different_lengths() {
        let mut spread = Spread::new();
        assert_eq!(spread.figures(), Figures::default(), "none yet");
        for length in 1..=1000 {
            spread.note(us(length));
        }
        let figures = spread.figures();
        assert_eq!((figures.n, figures.max_us), (1000, 1000));
        assert!((500..=562).contains(&figures.p50_us), "{figures:?}");
        assert!((990..=1000).contains(&figures.p99_us), "{figures:?}");
        spread.clear();
        assert_eq!(spread.figures(), Figures::default());
    }

    #[test]
    fn one_long_one_in_a_hundred_is_the_maximum_and_not_the_99th() {
        let mut spread = Spread::new();
        for _ in 0..99 {
            spread.note(us(3));
        }
        spread.note(us(70_000_000_000));
        let figures = spread.figures();
        assert_eq!((figures.p50_us, figures.p99_us), (3, 3));
        assert_eq!(figures.max_us, u32::MAX, "longer than can be told");
    }
}
