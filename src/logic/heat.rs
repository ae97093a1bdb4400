//! Whether the board is too hot to start a drive: from a limit on, until it is clearly cooler again.
//!
//! ```text
//!   limit       ──────╭───hot────╮
//!   limit − 5   ──────╯          ╰──────
//! ```
//!
//! A Pi slows itself down at 80 to 85 degrees; a car whose picture stutters for it should not set out.
//!
//! Promises: no flicker at the limit. Knows nothing of: where the temperature comes from.

/// How much cooler than the limit it must be, in thousandths of a degree.
///
/// spec: `board.hot_celsius`, "until it is 5 degrees cooler".
const BACK_MILLI: i32 = 5_000;

/// Judges the temperature of the board.
#[derive(Clone, Copy, Debug)]
pub struct Heat {
    limit_milli: i32,
    is_hot: bool,
}

impl Heat {
    /// Hot from this many degrees Celsius on.
    #[must_use]
    pub fn new(limit_celsius: u8) -> Self {
        Self {
            limit_milli: i32::from(limit_celsius) * 1000,
            is_hot: false,
        }
    }

    /// Takes a temperature in, in thousandths of a degree Celsius, and says whether the board is too hot.
    pub fn sample(&mut self, milli_celsius: i32) -> bool {
        self.is_hot = if self.is_hot {
            milli_celsius > self.limit_milli - BACK_MILLI
        } else {
            milli_celsius >= self.limit_milli
        };
        self.is_hot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_hot_from_the_limit_on_until_five_degrees_less() {
        let mut heat = Heat::new(80);
        for (milli, wanted) in [
            (79_999, false),
            (80_000, true),
            (79_999, true),
            (75_001, true),
            (75_000, false),
            (75_001, false),
            (79_999, false),
            (80_001, true),
            (i32::MIN, false),
            (i32::MAX, true),
        ] {
            assert_eq!(heat.sample(milli), wanted, "{milli}");
        }
    }
}
