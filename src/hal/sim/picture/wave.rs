//! Waves in integers: the sine behind clock hands and mountains, and stripes that do not flicker.
//!
//! Floats would do as well here, but integers give the same picture on every machine, which golden pictures need.
//!
//! Promises: no float, no table, no panic for any angle or place.
//! Knows nothing of: pixels.

use crate::hal::sim::canvas::FULL;
use crate::hal::sim::motion::FULL_TURN;

/// choice: samples of the mountain range in a full turn, a power of two.
const RIDGE: usize = 4096;
/// A mountain range around the full turn: a few waves of whole periods, so that it closes.
pub(super) fn ridge(height: i32, waves: [i64; 4]) -> Vec<i32> {
    let samples = i64::try_from(RIDGE).unwrap_or(1);
    (0..samples)
        .map(|at| {
            let angle = at * 65_536 / samples;
            let mut sum = 0;
            let mut share = 8;
            for (phase, wave) in (0..).zip(waves) {
                sum += sine(angle * wave + phase * 9000) * share;
                share /= 2;
            }
            // The waves seldom peak together: the factor uses most of the height.
            (height / 2 + height * 3 / 4 * sum / (256 * 15)).clamp(1, height)
        })
        .collect()
}

/// The range's height in a direction, between its two nearest samples.
pub(super) fn sample(range: &[i32], angle: i64) -> i32 {
    let samples = i64::try_from(range.len()).unwrap_or(1).max(1);
    let fine = angle.rem_euclid(FULL_TURN) * samples * 16 / FULL_TURN;
    let at = |n: i64| {
        let n = usize::try_from(n % samples).unwrap_or(0);
        range.get(n).copied().unwrap_or(0)
    };
    let share = i32::try_from(fine % 16).unwrap_or(0);
    (at(fine / 16) * (16 - share) + at(fine / 16 + 1) * share) / 16
}

/// Share of the second half of a stripe pattern in the stretch `from..to`, up to [`FULL`].
pub(super) fn coverage(from: i64, to: i64, period: i64) -> i32 {
    let half = period / 2;
    // Length of second halves between 0 and `at`.
    let total = |at: i64| at.div_euclid(period) * half + (at.rem_euclid(period) - half).max(0);
    let to = to.max(from + 1);
    let share = (total(to) - total(from)) * i64::from(FULL) / (to - from);
    i32::try_from(share).unwrap_or(0)
}

/// Sine of an angle in 65,536ths of a turn, times 256.
pub(super) fn sine(angle: i64) -> i32 {
    // spec: Bhaskara's approximation, off by 0.2 % at most: 16x(h-x) / (5h²-4x(h-x)) for half a turn h.
    let half = 32_768;
    let angle = angle.rem_euclid(2 * half);
    let x = angle % half;
    let product = x * (half - x);
    let value = 256 * 16 * product / (5 * half * half - 4 * product);
    let value = i32::try_from(value).unwrap_or(0);
    if angle < half { value } else { -value }
}

pub(super) fn cosine(angle: i64) -> i32 {
    sine(angle + 16_384)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sine_is_off_by_less_than_one_part_in_a_hundred() {
        for step in 0..1000_u16 {
            let exact = (f64::from(step) / 1000.0 * std::f64::consts::TAU).sin() * 256.0;
            let got = f64::from(sine(i64::from(step) * 65_536 / 1000));
            assert!((exact - got).abs() < 2.6, "step {step}: {got} for {exact}");
        }
        assert_eq!((sine(0), sine(16_384), sine(-16_384)), (0, 256, -256));
        assert_eq!((cosine(0), cosine(32_768)), (256, -256));
    }

    #[test]
    fn coverage_is_the_share_of_the_second_half() {
        for (from, to, expected) in [
            (0, 50, 0),
            (50, 100, FULL),
            (0, 100, FULL / 2),
            (0, 1_000_000, FULL / 2),
            (25, 75, FULL / 2),
            (-50, 0, FULL),
            (-100, -50, 0),
            (60, 60, FULL),
            (10, 10, 0),
            (40, 60, FULL / 2),
        ] {
            assert_eq!(coverage(from, to, 100), expected, "{from}..{to}");
        }
    }

    #[test]
    fn a_mountain_range_closes_and_stays_in_its_height() {
        let range = ridge(100, [3, 7, 16, 41]);
        assert!(range.iter().all(|height| (1..=100).contains(height)));
        for at in 0..FULL_TURN {
            let (here, next) = (sample(&range, at), sample(&range, at + 1));
            assert!((here - next).abs() <= 2, "a cliff at {at}");
            assert_eq!(here, sample(&range, at + FULL_TURN));
        }
    }
}
