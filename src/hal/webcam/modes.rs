//! What a camera offers, and what of it is taken.
//!
//! ```text
//!   formats × sizes × rates ─▶ those with the size wanted ─▶ fast enough? ─▶ the cheapest: NV12, YU12, YUYV, MJPEG
//!                                     └ none: an error with all there is  └ none: the fastest, and the log says so
//! ```
//!
//! USB 2 carries 1280x720 in YUYV at 10 frames a second, and so cameras offer no more; in MJPEG the same camera gives 30. So
//! the rate comes before the cost.
//!
//! Promises: nothing is changed by looking. Knows nothing of: buffers.
//! Sources: Linux `vidioc-enum-fmt`, `vidioc-enum-framesizes`, `vidioc-enum-frameintervals`.

use std::fmt::Write as _;
use std::io;

use super::{WebcamSettings, failed, unsupported};
use crate::config::CameraFormat;
use crate::hal::CameraError;
use crate::hal::v4l2::FourCc;
use crate::hal::v4l2::border::{Device, Interval, Queue, Rates, Sizes};

/// Formats that pictures can be made of, the cheapest first, with their words in the configuration.
const USABLE: [(FourCc, CameraFormat); 4] = [
    (FourCc::NV12, CameraFormat::Nv12),
    (FourCc::YU12, CameraFormat::Yu12),
    (FourCc::YUYV, CameraFormat::Yuyv),
    (FourCc::MJPG, CameraFormat::Mjpeg),
];
/// Longest list that is read. choice: cameras have some ten formats of some twenty sizes; a driver that never ends is left.
const LONGEST: u32 = 64;

/// A format with its sizes, and the rates of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offered {
    format: FourCc,
    is_emulated: bool,
    /// Empty if the driver does not say.
    sizes: Vec<(Sizes, Vec<Rates>)>,
}

/// What is asked of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mode {
    pub(super) format: FourCc,
    pub(super) interval: Interval,
}

/// All that a camera offers.
pub(super) fn offers(device: &dyn Device) -> io::Result<Vec<Offered>> {
    let mut all = Vec::new();
    for index in 0..LONGEST {
        let Some(offer) = device.offer(Queue::Capture, index)? else {
            break;
        };
        let mut sizes = Vec::new();
        for index in 0..LONGEST {
            let Some(one) = device.sizes(offer.format, index)? else {
                break;
            };
            let size = match one {
                Sizes::One(width, height) => (width, height),
                Sizes::Range { most, .. } => most,
            };
            sizes.push((one, rates(device, offer.format, size)?));
        }
        all.push(Offered {
            format: offer.format,
            is_emulated: offer.is_emulated,
            sizes,
        });
    }
    Ok(all)
}

fn rates(device: &dyn Device, format: FourCc, size: (u32, u32)) -> io::Result<Vec<Rates>> {
    let mut all = Vec::new();
    for index in 0..LONGEST {
        match device.rates(format, size, index)? {
            Some(one) => all.push(one),
            None => break,
        }
    }
    Ok(all)
}

/// The cheapest way to what is wanted.
pub(super) fn choose(
    device: &dyn Device,
    name: &str,
    settings: &WebcamSettings,
) -> Result<Mode, CameraError> {
    let offers = offers(device).map_err(|error| failed(name, "ask what it offers", error))?;
    let size = (settings.width, settings.height);
    let mut best: Option<((u32, bool, usize), Mode)> = None;
    for (cost, (format, word)) in USABLE.into_iter().enumerate() {
        if settings.format != CameraFormat::Auto && settings.format != word {
            continue;
        }
        for offered in offers.iter().filter(|offered| offered.format == format) {
            let Some(interval) = offered.at(device, size, settings.fps) else {
                continue;
            };
            let lacks = settings.fps.saturating_sub(interval.per_second());
            let key = (lacks, offered.is_emulated, cost);
            if best.as_ref().is_none_or(|(best, _)| key < *best) {
                best = Some((key, Mode { format, interval }));
            }
        }
    }
    match best {
        Some(((0, _, _), mode)) => Ok(mode),
        Some((_, mode)) => {
            tracing::info!(
                camera = name,
                "it gives no more than {} frames a second in {}x{} {}, {} were asked for",
                mode.interval.per_second(),
                size.0,
                size.1,
                mode.format,
                settings.fps
            );
            Ok(mode)
        }
        None => Err(unsupported(name, none(&offers, settings))),
    }
}

fn none(offers: &[Offered], settings: &WebcamSettings) -> String {
    let (width, height) = (settings.width, settings.height);
    let wanted = match settings.format {
        CameraFormat::Auto => "NV12, YU12, YUYV or MJPEG",
        CameraFormat::Nv12 => "NV12",
        CameraFormat::Yu12 => "YU12",
        CameraFormat::Yuyv => "YUYV",
        CameraFormat::Mjpeg => "MJPEG",
    };
    format!(
        "no {width}x{height} in {wanted}; it offers {}; choose camera.width, camera.height and camera.format from that",
        words(offers)
    )
}

impl Offered {
    /// The interval to ask for in this size; `None` if the size is not there.
    fn at(&self, device: &dyn Device, size: (u32, u32), fps: u32) -> Option<Interval> {
        if self.sizes.is_empty() {
            // The driver does not say; it will when the format is set.
            return Some(Interval::of(fps));
        }
        let (sizes, listed) = self.sizes.iter().find(|(sizes, _)| sizes.holds(size))?;
        let asked = match sizes {
            Sizes::One(..) => None,
            // What was listed is for the greatest size.
            Sizes::Range { .. } => rates(device, self.format, size).ok(),
        };
        Some(interval(asked.as_ref().unwrap_or(listed), fps))
    }
}

/// The slowest that is fast enough, else the fastest.
fn interval(rates: &[Rates], fps: u32) -> Interval {
    let each = rates.iter().map(|one| match one {
        Rates::One(interval) => *interval,
        Rates::Range(shortest, longest) => {
            if (longest.per_second()..=shortest.per_second()).contains(&fps) {
                Interval::of(fps)
            } else if fps < longest.per_second() {
                *longest
            } else {
                *shortest
            }
        }
    });
    let key = |interval: &Interval| {
        let rate = interval.per_second();
        (fps.saturating_sub(rate), rate)
    };
    each.min_by_key(key).unwrap_or(Interval::of(fps))
}

/// All of it in words: `YUYV 640x480 to 30, 1280x720 to 10; MJPG 1280x720 to 30`.
pub(super) fn words(offers: &[Offered]) -> String {
    if offers.is_empty() {
        return "nothing".to_owned();
    }
    let mut text = String::new();
    for offered in offers {
        let between = if text.is_empty() { "" } else { "; " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{between}{}", offered.format);
        for (at, (sizes, rates)) in offered.sizes.iter().enumerate() {
            let between = if at == 0 { " " } else { ", " };
            let _ = match sizes {
                Sizes::One(width, height) => write!(text, "{between}{width}x{height}"),
                Sizes::Range { least, most, .. } => write!(
                    text,
                    "{between}{}x{} to {}x{}",
                    least.0, least.1, most.0, most.1
                ),
            };
            let fastest = rates.iter().map(|one| match one {
                Rates::One(interval) | Rates::Range(interval, _) => interval.per_second(),
            });
            if let Some(fastest) = fastest.max() {
                let _ = write!(text, " at {fastest}");
            }
        }
    }
    text
}
