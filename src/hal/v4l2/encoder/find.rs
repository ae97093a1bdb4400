//! Which video devices code pictures, and to what.
//!
//! ```text
//!   /dev/video0 … ─▶ QUERYCAP: multi-planar codec? ─▶ ENUM_FMT of both queues ─▶ gives H.264, takes 4:2:0: an encoder
//! ```
//!
//! A decoder is the same kind of device and gives pictures; only the formats tell them apart.
//!
//! Promises: nothing is changed by looking. Knows nothing of: model names.
//! Sources: Linux `dev-encoder` ("Querying capabilities"); `vidioc_enum_fmt_vid_cap` of `bcm2835-v4l2-codec.c`.

use std::path::{Path, PathBuf};

use super::V4l2Settings;
use crate::hal::EncoderError;
use crate::hal::v4l2::border::{Capability, Device, Devices, FourCc, Queue};
use crate::hal::v4l2::trouble;

/// Pictures that frames come as.
const RAW: [FourCc; 2] = [FourCc::YU12, FourCc::NV12];

/// Nodes of `bcm2835-codec` but the encoder's begin so. kernel: `bcm2835_codec_create` of `bcm2835-v4l2-codec.c`.
const CODEC: &str = "bcm2835-codec-";
const ENCODER: &str = "bcm2835-codec-encode";
/// Drivers whose nodes code nothing. kernel: as in `webcam::find`, and the driver of USB cameras.
const NO_CODECS: [&str; 5] = ["uvcvideo", "bcm2835-isp", "unicam", "rp1-cfe", "pisp"];

/// A device that codes pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its node.
    pub path: PathBuf,
    /// What it says of itself.
    pub capability: Capability,
    /// What it takes.
    pub takes: Vec<FourCc>,
    /// What it gives.
    pub gives: Vec<FourCc>,
}

/// An encoder, and it opened.
pub(super) type Opened = (Found, Box<dyn Device>);

/// All devices that code pictures to something else, and what the system said of those that could not be asked.
#[must_use]
pub fn encoders(devices: &Devices) -> (Vec<Found>, Vec<String>) {
    let mut found = Vec::new();
    let mut troubles = Vec::new();
    match devices.nodes() {
        Ok(nodes) => {
            for path in nodes.into_iter().filter(|path| may_code(devices, path)) {
                match opened(devices, &path) {
                    Ok(Some((one, _))) => found.push(one),
                    Ok(None) => {}
                    Err(why) => troubles.push(why),
                }
            }
        }
        Err(error) => troubles.push(format!("/dev: {error}")),
    }
    (found, troubles)
}

/// The encoder to use, opened.
pub(super) fn encoder(devices: &Devices, settings: &V4l2Settings) -> Result<Opened, EncoderError> {
    let fits = |one: &Found| one.gives.contains(&settings.coded);
    if let Some(device) = &settings.device {
        return encoder_at(devices, settings, Path::new(device));
    }
    let nodes = devices
        .nodes()
        .map_err(|error| missing("/dev", error.to_string()))?;
    let mut troubles = Vec::new();
    for path in nodes.iter().filter(|path| may_code(devices, path)) {
        match opened(devices, path) {
            Ok(Some((one, open))) if fits(&one) => return Ok((one, open)),
            Ok(_) => {}
            Err(why) => troubles.push(why),
        }
    }
    let mut why = format!(
        "none of {} video devices codes {}",
        nodes.len(),
        settings.coded
    );
    if !troubles.is_empty() {
        why = format!("{why} ({})", troubles.join("; "));
    }
    Err(missing("v4l2m2m", why))
}

/// The encoder at this place, opened.
pub(super) fn encoder_at(
    devices: &Devices,
    settings: &V4l2Settings,
    path: &Path,
) -> Result<Opened, EncoderError> {
    let device = path.display().to_string();
    match opened(devices, path) {
        Ok(Some((one, open))) if one.gives.contains(&settings.coded) => Ok((one, open)),
        Ok(_) => Err(EncoderError::Unsupported {
            encoder: device,
            why: format!(
                "it does not code {}; leave encoder.device empty, and the right one is looked for",
                settings.coded
            ),
        }),
        Err(why) => Err(missing(&device, why)),
    }
}

/// Whether a node is worth opening. What nobody knows is.
fn may_code(devices: &Devices, path: &Path) -> bool {
    let hint = devices.hint(path);
    let is_other_codec = hint.name.starts_with(CODEC) && hint.name != ENCODER;
    let is_other_driver = |driver: &str| hint.driver.starts_with(driver);
    !is_other_codec && !NO_CODECS.iter().any(|driver| is_other_driver(driver))
}

/// Opens a device if it is a codec that takes pictures.
fn opened(devices: &Devices, path: &Path) -> Result<Option<Opened>, String> {
    let said = |error| format!("{}: {}", path.display(), trouble::explained(path, error));
    let device = devices.open(path).map_err(said)?;
    let capability = device.capability().map_err(said)?;
    if !capability.converts || !capability.streams {
        return Ok(None);
    }
    let takes = formats(device.as_ref(), Queue::OutputMplane).map_err(said)?;
    if !RAW.iter().any(|raw| takes.contains(raw)) {
        return Ok(None);
    }
    let gives = formats(device.as_ref(), Queue::CaptureMplane).map_err(said)?;
    if gives.iter().any(|format| RAW.contains(format)) {
        // It gives pictures too: a scaler or a converter.
        return Ok(None);
    }
    let found = Found {
        path: path.to_owned(),
        capability,
        takes,
        gives,
    };
    Ok(Some((found, device)))
}

fn formats(device: &dyn Device, queue: Queue) -> std::io::Result<Vec<FourCc>> {
    let mut all = Vec::new();
    // choice: bcm2835-codec has some sixty; a driver that never ends its list is left after this many.
    for index in 0..256 {
        match device.offer(queue, index)? {
            Some(offer) => all.push(offer.format),
            None => break,
        }
    }
    Ok(all)
}

fn missing(encoder: &str, why: String) -> EncoderError {
    EncoderError::Missing {
        encoder: encoder.to_owned(),
        source: why.into(),
    }
}
