//! What drawing and encoding cost on this machine, for `scripts/bench.sh`.
//!
//! A figure is not a test: nothing here passes or fails. It is in the library because only the library can reach its
//! parts, and hidden because nothing but the benchmark calls it.
//!
//! Knows nothing of: how figures are shown.

use std::error::Error;
use std::sync::Arc;

use super::clock::{Clock, ManualClock, SystemClock};
use super::openh264::{OpenH264Encoder, OpenH264Settings};
use super::sim::{SimCamera, SimCameraSettings, SimView};
use super::{Camera, Encoder};
use crate::logic::units::{Kbps, Steering, Throttle};

/// How long something took, over many times, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many times.
    pub n: usize,
    /// Half of them took no longer.
    pub p50: u64,
    /// 99 % of them took no longer.
    pub p99: u64,
    /// None took longer.
    pub max: u64,
}

impl Spread {
    /// The spread of these samples.
    #[must_use]
    pub fn of(mut samples: Vec<u64>) -> Self {
        samples.sort_unstable();
        let n = samples.len();
        let at = |percent: usize| {
            let place = (n * percent).div_ceil(100).saturating_sub(1);
            samples.get(place).copied().unwrap_or(0)
        };
        Self {
            n,
            p50: at(50),
            p99: at(99),
            max: at(100),
        }
    }
}

/// The cost of a stretch of video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Video {
    /// Drawing a frame of the simulated camera, stamp and noise included.
    pub draw_us: Spread,
    /// Encoding a frame that was not skipped, without the first.
    pub encode_us: Spread,
    /// Encoding the first frame, an IDR, the opening of the encoder included.
    pub first_us: u64,
    /// Kilobits a second that came out, without the first frame.
    pub kbps: u64,
    /// Frames that the rate did not allow.
    pub skipped: usize,
}

/// Draws and encodes `frames` frames of a winding drive as fast as the machine can.
///
/// # Errors
/// Settings out of range, or a failing encoder.
pub fn video(
    settings: SimCameraSettings,
    bitrate: Kbps,
    threads: u16,
    frames: u32,
) -> Result<Video, Box<dyn Error>> {
    let view = Arc::new(SimView::default());
    let mut camera = SimCamera::open_with(settings, Arc::clone(&view), ManualClock::default())?;
    let mut encoder = OpenH264Encoder::new(OpenH264Settings {
        fps: settings.fps,
        bitrate,
        threads,
    })?;
    let timer = SystemClock;
    let mut figure = Video::default();
    let (mut drawing, mut encoding) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    for number in 0..frames {
        let swing = i32::try_from(number * 7 % 800).unwrap_or(0) - 400;
        view.set(
            Throttle::saturating(500),
            Steering::saturating(swing.abs() * 2 - 400),
        );
        let started = timer.now();
        let frame = camera.next_frame()?;
        let drawn = timer.now();
        let unit = encoder.encode(&frame, false)?;
        let length = unit.map_or(0, |unit| unit.data().len());
        let spent = micros(timer.now().since(drawn));
        drawing.push(micros(drawn.since(started)));
        if number == 0 {
            figure.first_us = spent;
            continue;
        }
        bytes += u64::try_from(length)?;
        if length == 0 {
            figure.skipped += 1;
        } else {
            encoding.push(spent);
        }
    }
    let coded = u64::from(frames.saturating_sub(1)).max(1);
    figure.kbps = bytes * 8 * u64::from(settings.fps) / coded / 1000;
    figure.draw_us = Spread::of(drawing);
    figure.encode_us = Spread::of(encoding);
    Ok(figure)
}

fn micros(time: core::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_its_percentiles_by_nearest_rank() {
        assert_eq!(Spread::of(Vec::new()), Spread::default());
        let spread = Spread::of((1..=200).rev().collect());
        assert_eq!(
            (spread.n, spread.p50, spread.p99, spread.max),
            (200, 100, 198, 200)
        );
    }

    #[test]
    fn a_figure_counts_every_frame() {
        let settings = SimCameraSettings {
            width: 160,
            height: 120,
            fps: 30,
        };
        let figure = video(settings, Kbps::new(300), 1, 20).unwrap();
        assert_eq!(figure.draw_us.n, 20);
        assert_eq!(figure.encode_us.n + figure.skipped, 19);
        assert!(figure.kbps > 0);
    }

    #[test]
    #[ignore = "figure: cargo test --release --lib hal::figure -- --ignored --nocapture"]
    fn cost_of_video_on_this_machine() {
        for (width, height, kbps) in [(1280, 720, 2500), (640, 360, 1000), (1920, 1080, 4000)] {
            for threads in [1, 0] {
                let settings = SimCameraSettings {
                    width,
                    height,
                    fps: 30,
                };
                let figure = video(settings, Kbps::new(kbps), threads, 300).unwrap();
                eprintln!("{width}x{height} {kbps} kb/s threads {threads}: {figure:?}");
            }
        }
    }
}
