//! A random number generator of six lines, so that a seed means the same schedule for ever.

/// `SplitMix64` (Steele, Lea, Flood 2014).
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// From `low` up to, and without, `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }

    pub fn chance(&mut self, permille: u64) -> bool {
        self.next() % 1000 < permille
    }

    /// A throttle or steering, often at an end or zero.
    pub fn permille(&mut self) -> i32 {
        match self.next() % 8 {
            0 | 1 => 0,
            2 => 1000,
            3 => -1000,
            _ => i32::try_from(self.between(0, 2001)).unwrap_or(0) - 1000,
        }
    }
}
