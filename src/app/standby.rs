//! The still picture as the video thread shows it: drawn and coded twice a second, by an encoder of its own.
//!
//! The encoder in software, whatever the car's own is: that one may be what failed.
//!
//! ```text
//!   picture, picture, … every half second ──▶ first one an IDR          rest ──▶ closed, its memory freed
//! ```
//!
//! Promises: nothing is made before it is needed. Knows nothing of: what is wrong, who looks.

use std::time::Duration;

use super::coder::CodedUnit;
use super::outlet::CodedPool;
use crate::hal::openh264::{OpenH264Encoder, OpenH264Settings};
use crate::hal::{Encoder, Frame, still};
use crate::logic::units::{Kbps, Uptime};

/// choice: fast enough to be seen to move, and to be there soon; slow enough to cost nothing.
const PERIOD: Duration = Duration::from_millis(500);
/// choice: a flat picture with letters takes a tenth of this.
const RATE: Kbps = Kbps::new(300);

/// Draws and codes.
pub struct Standby {
    size: (u32, u32),
    shown_at: Option<Uptime>,
    open: Option<(Frame, OpenH264Encoder)>,
    pool: CodedPool,
}

impl Standby {
    /// Pictures of this size, until it is told another.
    #[must_use]
    pub fn new(size: (u32, u32)) -> Self {
        Self {
            size,
            shown_at: None,
            open: None,
            pool: CodedPool::default(),
        }
    }

    /// There is a real picture, of this size.
    pub fn rest(&mut self, size: (u32, u32)) {
        self.size = size;
        self.shown_at = None;
        self.open = None;
    }

    /// The next still picture, if one is due; `wants_key` is asked only then.
    pub fn picture(
        &mut self,
        now: Uptime,
        why: &str,
        since: Uptime,
        wants_key: impl FnOnce() -> bool,
    ) -> Option<CodedUnit> {
        if self.shown_at.is_some_and(|at| now.since(at) < PERIOD) {
            return None;
        }
        self.shown_at = Some(now);
        if self.open.is_none() {
            let encoder = OpenH264Encoder::new(OpenH264Settings {
                fps: 2,
                bitrate: RATE,
                threads: 1,
            });
            let (width, height) = self.size;
            self.open = Frame::new(width, height).zip(encoder.ok());
        }
        let (frame, encoder) = self.open.as_mut()?;
        still::draw(frame, why, now.since(since));
        frame.set_capture(now, 0);
        let coded = encoder.encode(frame, wants_key());
        match coded {
            Ok(unit) => unit.map(|unit| CodedUnit {
                data: self.pool.copy(unit.data()),
                is_key: unit.is_idr(),
            }),
            Err(err) => {
                tracing::warn!(%err, "still picture");
                self.open = None;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openh264::decoder::Decoder;
    use openh264::formats::YUVSource;

    fn at_ms(ms: u64) -> Uptime {
        Uptime::from_micros(ms * 1000)
    }

    #[test]
    fn it_comes_twice_a_second_and_can_be_decoded_from_the_first() {
        let mut standby = Standby::new((640, 480));
        let mut decoder = Decoder::new().unwrap();
        let mut count = 0;
        for ms in (0..5000).step_by(50) {
            let unit = standby.picture(at_ms(1000 + ms), "camera gone", at_ms(900), || false);
            let Some(unit) = unit else { continue };
            assert_eq!(unit.is_key, count == 0);
            let picture = decoder.decode(&unit.data).unwrap().expect("no delay");
            assert_eq!(picture.dimensions(), (640, 480));
            count += 1;
        }
        assert_eq!(count, 10);
    }

    #[test]
    fn after_a_rest_it_starts_anew_in_the_new_size() {
        let mut standby = Standby::new((640, 480));
        assert!(standby.picture(at_ms(0), "x", at_ms(0), || false).is_some());
        standby.rest((320, 240));
        let unit = standby.picture(at_ms(10), "x", at_ms(0), || false).unwrap();
        assert!(unit.is_key);
        let mut decoder = Decoder::new().unwrap();
        let picture = decoder.decode(&unit.data).unwrap().expect("no delay");
        assert_eq!(picture.dimensions(), (320, 240));
    }

    #[test]
    fn a_viewer_that_comes_later_gets_a_key_frame() {
        let mut standby = Standby::new((320, 240));
        for (ms, wish, is_key) in [(0, false, true), (500, false, false), (1000, true, true)] {
            let unit = standby.picture(at_ms(ms), "x", at_ms(0), || wish).unwrap();
            assert_eq!(unit.is_key, is_key, "{ms}");
        }
    }
}
