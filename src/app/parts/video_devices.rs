//! Encoders and cameras of the kernel's video devices, as the configuration names them.
//!
//! ```text
//!   encoder.kind = "auto":   hardware there? ── yes ─▶ it ── three failures in a row, or it cannot do this ──▶ openh264
//!                                            └─ no ──▶ openh264
//!   encoder.kind = "v4l2m2m": it, or an error
//! ```
//!
//! An encoder that fails is made anew by the video thread, so what is known of it has to outlive it: here.
//!
//! Promises: a failing encoder is given up only for `"auto"`, with a line in the log, until the program starts again.
//! Knows nothing of: when parts are made anew.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::MakeEncoder;
use super::cameras::Open;
use crate::app::Fatal;
use crate::config::{Camera, Config};
use crate::hal::csi::Turn;
use crate::hal::openh264::{OpenH264Encoder, OpenH264Settings};
use crate::hal::pi::{board, capacity};
use crate::hal::v4l2::{self, Devices, V4l2Encoder, V4l2Settings};
use crate::hal::webcam::{self, WebcamSettings};
use crate::hal::{AccessUnit, Encoder, EncoderError, Frame};
use crate::logic::units::Kbps;

/// Failures in a row after which `"auto"` does without the hardware. choice: a firmware that hangs is seen to hang in
/// 1 s each; an unlucky restart or two are forgiven.
const ENOUGH: u32 = 3;

/// How to open the USB camera; it is known again when it was unplugged.
#[expect(
    clippy::unnecessary_wraps,
    reason = "a program without video devices has an error here"
)]
pub(super) fn webcam(camera: &Camera, turn: Turn) -> Result<Open, Fatal> {
    let settings = WebcamSettings {
        device: camera.device.clone(),
        format: camera.format,
        width: camera.width,
        height: camera.height,
        fps: camera.fps,
        turn,
    };
    Ok(Arc::new(webcam::opener(v4l2::devices(), settings)))
}

/// The USB cameras there are: a line each.
///
/// # Errors
/// Why there is none.
pub fn webcams() -> Result<Vec<String>, Vec<String>> {
    webcam::findings(&v4l2::devices())
}

/// What is to be said about a picture that is more than this board is good for.
#[must_use]
pub fn too_much(camera: &Camera) -> Option<String> {
    let board = board::board().ok()?;
    capacity::too_much(&board, camera.width, camera.height, camera.fps)
}

/// How to make the hardware encoder.
pub(super) fn encoder(config: &Config) -> MakeEncoder {
    let (devices, settings) = (v4l2::devices(), settings(config));
    Box::new(move || {
        let encoder = V4l2Encoder::new(Arc::clone(&devices), settings.clone())?;
        Ok(Box::new(encoder))
    })
}

/// How to make the hardware encoder, or the one in software where there is none or it does not work.
pub(super) fn any_encoder(config: &Config, software: OpenH264Settings) -> MakeEncoder {
    any_of(v4l2::devices(), settings(config), software)
}

fn any_of(devices: Devices, settings: V4l2Settings, software: OpenH264Settings) -> MakeEncoder {
    let failures = Arc::new(AtomicU32::new(0));
    Box::new(move || {
        if failures.load(Ordering::Relaxed) >= ENOUGH {
            tracing::warn!("the hardware encoder does not work here; video is coded in software");
            return Ok(Box::new(OpenH264Encoder::new(software)?));
        }
        match V4l2Encoder::new(Arc::clone(&devices), settings.clone()) {
            Ok(hardware) => Ok(Box::new(Watched {
                hardware,
                failures: Arc::clone(&failures),
            })),
            Err(why) => {
                // Its own words end with advice for who named it; "auto" is followed already.
                let why = why
                    .source()
                    .map_or_else(|| why.to_string(), ToString::to_string);
                tracing::info!("no hardware encoder: {why}; the processor encodes");
                Ok(Box::new(OpenH264Encoder::new(software)?))
            }
        }
    })
}

/// The devices that code pictures, and from what to what, in a line for people.
///
/// # Errors
/// What the system said of those that could not be asked.
#[must_use]
pub fn coding_devices() -> Option<Result<String, String>> {
    let (found, troubles) = v4l2::encoder::encoders(&v4l2::devices());
    Some(told(&found, &troubles))
}

fn told(found: &[v4l2::encoder::Found], troubles: &[String]) -> Result<String, String> {
    let names = |formats: &[v4l2::FourCc]| {
        let names: Vec<_> = formats.iter().map(ToString::to_string).collect();
        names.join(" ")
    };
    let words: Vec<_> = found
        .iter()
        .map(|one| {
            let (path, card) = (one.path.display(), &one.capability.card);
            format!(
                "{path} ({card}): {} to {}",
                names(&one.takes),
                names(&one.gives)
            )
        })
        .collect();
    match (words.is_empty(), troubles.is_empty()) {
        (true, true) => Ok("no device codes video here; the processor does".to_owned()),
        (false, true) => Ok(words.join("; ")),
        (_, false) => Err([words, troubles.to_vec()].concat().join("; ")),
    }
}

/// What a device codes to, and how long it may take for a picture.
#[cfg(not(feature = "vicodec"))]
const CODED: (v4l2::FourCc, Duration) = (v4l2::FourCc::H264, V4l2Settings::PATIENCE);

#[cfg(all(feature = "vicodec", not(debug_assertions)))]
compile_error!("the feature vicodec is for tests: a release codes to H.264 and nothing else");

/// The same in the tests' build: the kernel's test driver has the calls and the state machine of a Pi's encoder, and codes
/// to a format that no viewer can show. choice: an emulated processor is some twenty times slower.
#[cfg(feature = "vicodec")]
const CODED: (v4l2::FourCc, Duration) = (v4l2::FourCc(*b"FWHT"), Duration::from_secs(20));

fn settings(config: &Config) -> V4l2Settings {
    let (coded, patience) = CODED;
    V4l2Settings {
        device: config.codec.device.clone(),
        fps: config.camera.fps,
        bitrate: config.spider.bitrate,
        profile: config.codec.profile,
        level: config.codec.level,
        patience,
        coded,
    }
}

/// The hardware encoder, whose failures are counted.
struct Watched {
    hardware: V4l2Encoder,
    failures: Arc<AtomicU32>,
}

impl Encoder for Watched {
    fn encode(
        &mut self,
        frame: &Frame,
        want_idr: bool,
    ) -> Result<Option<AccessUnit<'_>>, EncoderError> {
        let coded = self.hardware.encode(frame, want_idr);
        match &coded {
            Ok(_) => self.failures.store(0, Ordering::Relaxed),
            Err(EncoderError::Unsupported { .. }) => {
                self.failures.store(ENOUGH, Ordering::Relaxed);
            }
            Err(EncoderError::Failed { .. } | EncoderError::Missing { .. }) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
        }
        coded
    }

    fn set_bitrate(&mut self, target: Kbps) -> Result<(), EncoderError> {
        self.hardware.set_bitrate(target)
    }

    fn is_hardware(&self) -> bool {
        true
    }

    fn copies(&self) -> u32 {
        Encoder::copies(&self.hardware)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hal::v4l2::Devices;
    use crate::hal::v4l2::fake::codec::{CodecModel, Quirk};
    use crate::hal::v4l2::fake::{self, FakeKernel, Model};

    /// Makes an encoder for each frame whose predecessor failed, as the video thread does; the units' lengths.
    fn run(devices: Devices, frames: u32) -> Vec<Option<usize>> {
        let hardware = V4l2Settings {
            bitrate: Kbps::new(1000),
            ..fake::settings()
        };
        let software = OpenH264Settings {
            fps: 30,
            bitrate: Kbps::new(1000),
            threads: 1,
        };
        let mut make = any_of(devices, hardware, software);
        let mut encoder = make().unwrap();
        (0..frames)
            .map(|_| {
                let frame = Frame::new(160, 120).unwrap();
                let coded = encoder.encode(&frame, true);
                let length = coded.ok().flatten().map(|unit| unit.data().len());
                if length.is_none() {
                    encoder = make().unwrap();
                }
                length
            })
            .collect()
    }

    /// The fake's units are shorter than any real one.
    fn is_fake(length: Option<usize>) -> Option<bool> {
        length.map(|length| length < 64)
    }

    #[test]
    fn without_hardware_software_codes_at_once() {
        let units = run(FakeKernel::default().devices(), 2);
        assert_eq!(is_fake(units[0]), Some(false));
    }

    #[test]
    fn hardware_that_fails_now_and_then_is_kept_and_one_that_never_works_is_given_up() {
        let model = Arc::new(CodecModel::bcm2835());
        let kernel = FakeKernel::with("/dev/video11", Model::Codec(Arc::clone(&model)));
        model.quirks(&[
            Quirk::Hang,
            Quirk::Damage,
            Quirk::None,
            Quirk::Hang,
            Quirk::Hang,
            Quirk::Hang,
        ]);
        let units: Vec<_> = run(kernel.devices(), 8).into_iter().map(is_fake).collect();
        let (hardware, software) = (Some(true), Some(false));
        assert_eq!(
            units,
            [None, None, hardware, None, None, None, software, software]
        );
        assert_eq!(kernel.open_devices(), 0);
    }

    #[test]
    fn hardware_that_cannot_do_what_is_needed_is_given_up_at_once() {
        let model = Arc::new(CodecModel::bcm2835());
        let kernel = FakeKernel::with("/dev/video11", Model::Codec(Arc::clone(&model)));
        model.quirks(&[Quirk::BSlice, Quirk::NoHeaders]);
        let units: Vec<_> = run(kernel.devices(), 3).into_iter().map(is_fake).collect();
        assert_eq!(units[0], Some(true), "an IDR is no B slice");
        assert_eq!(units[1..], [Some(true), Some(true)]);
        model.quirks(&[Quirk::Rubbish]);
        let units: Vec<_> = run(kernel.devices(), 3).into_iter().map(is_fake).collect();
        assert_eq!(units, [None, Some(false), Some(false)]);
    }
}
