//! How long a camera may give nothing before it counts as stalled.
//!
//! ```text
//!   opened ──▶ FIRST ──▶ picture ──▶ some frame times, within bounds ──▶ picture ──▶ …
//! ```
//!
//! Knows nothing of: which kind of camera it is. Sources: the choices below.

use core::time::Duration;

/// Frame times without a picture after which a camera counts as stalled, and the bounds of that.
/// choice: a frame or two may be lost; a second is what a moving car may go without a picture.
const FRAMES: u32 = 15;
const SHORTEST: Duration = Duration::from_millis(400);
const LONGEST: Duration = Duration::from_secs(1);

/// The same for the first picture. choice: several times what a sensor needs to start; none was at hand to measure it.
pub(crate) const FIRST: Duration = Duration::from_secs(3);

/// How long a camera that runs may give nothing.
pub(crate) fn between(fps: u32) -> Duration {
    let frames = Duration::from_secs(1) * FRAMES / fps.max(1);
    frames.clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_some_frames_but_never_more_than_a_second() {
        for (fps, millis) in [(1, 1000), (15, 1000), (30, 500), (60, 400), (0, 1000)] {
            assert_eq!(between(fps), Duration::from_millis(millis), "{fps}");
        }
    }
}
