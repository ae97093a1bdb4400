//! USB cameras: found, asked for what costs least, and found again when they were unplugged.
//!
//! They are V4L2 capture devices of many makers, so everything is asked and nothing known: formats, sizes, rates, whether
//! their memory can be shared. What cannot be had is an error that lists what can.
//!
//! ```text
//!   open ─▶ find: which device ─▶ modes: which format, size, rate ─▶ stream: buffers ─▶ next_frame ─▶ picture ─▶ Frame
//!             ▲                                                                            │
//!             └──────── Known: bus and card of the camera that ran ◀── opened again ◀──────┘ unplugged, silent, broken
//!
//!   NV12, YU12: the driver's buffer itself, with its DMABUF        YUYV: halved        MJPEG: decoded
//! ```
//!
//! By symptom:
//! - *no USB camera*: the cable, the port's power, `lsusb`; a Pi's CSI camera is `camera.source = "libcamera"`.
//! - *permission denied*: the user is not in the group that the node belongs to, mostly `video`.
//! - *busy*: another program has it open; it is named.
//! - *no 1280x720 in NV12…*: what it offers stands behind it; `spidercar doctor` lists it, too.
//! - *was unplugged*: it is looked for under every number, by where it is plugged in and its name.
//!
//! Promises: nothing is opened before [`open`]; at most four buffers (`stream`); dropping a camera gives back all but what
//! frames hold.
//! Knows nothing of: encoders; when to open again.
//! Sources: Linux `userspace-api/media/v4l` (`capture`, `mmap`, `dmabuf`), `uvc_video.c`.

use std::sync::{Mutex, PoisonError};

use super::csi::Turn;
use super::v4l2::Devices;
use super::{Camera, CameraError, Source};
use crate::config::CameraFormat;

mod find;
mod modes;
mod picture;
mod scan;
mod stream;
#[cfg(test)]
mod tests;

use find::Identity;

/// What is asked of a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebcamSettings {
    /// Its path; `None` looks for one.
    pub device: Option<String>,
    /// How its pictures come.
    pub format: CameraFormat,
    /// Width in pixels, even.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    /// How the picture lies.
    pub turn: Turn,
}

/// The camera that ran last, for all openings of one source.
#[derive(Debug, Default)]
pub struct Known(Mutex<Option<Identity>>);

impl Known {
    fn get(&self) -> Option<Identity> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    fn set(&self, identity: Identity) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(identity);
    }
}

/// Opens a camera: the one that is known, if one is.
///
/// # Errors
/// What is missing or impossible, and what would be possible.
pub fn open(
    devices: &Devices,
    settings: &WebcamSettings,
    known: &Known,
) -> Result<Box<dyn Camera>, CameraError> {
    let (found, mode) = find::camera(devices, settings, known.get().as_ref())?;
    let identity = found.identity();
    let camera = stream::Webcam::start(found, mode, settings)?;
    known.set(identity);
    Ok(Box::new(camera))
}

/// The USB cameras there are (`spidercar doctor`): a line each, or what is wrong.
///
/// # Errors
/// There is none, or none may be opened: why, a line each.
pub fn findings(devices: &Devices) -> Result<Vec<String>, Vec<String>> {
    let (found, mut troubles) = find::all(devices);
    if found.is_empty() {
        troubles.push(find::NONE.to_owned());
        return Err(troubles);
    }
    let lines = found.iter().map(|one| {
        let offers = modes::offers(one.device.as_ref())
            .map_or_else(|error| error.to_string(), |offers| modes::words(&offers));
        format!(
            "camera.device \"{}\": {} at {}: {offers}",
            one.path.display(),
            one.capability.card,
            one.capability.bus
        )
    });
    Ok(lines.collect())
}

/// How to open cameras of these devices, again and again.
pub fn opener(
    devices: Devices,
    settings: WebcamSettings,
) -> impl Fn() -> Result<Box<dyn Camera>, CameraError> + Send + Sync {
    let known = Known::default();
    move || open(&devices, &settings, &known)
}

fn failed(camera: &str, step: &'static str, source: impl Into<Source>) -> CameraError {
    CameraError::Failed {
        camera: camera.to_owned(),
        step,
        source: source.into(),
    }
}

fn missing(camera: &str, source: impl Into<Source>) -> CameraError {
    CameraError::Missing {
        camera: camera.to_owned(),
        source: source.into(),
    }
}

fn unsupported(camera: &str, why: String) -> CameraError {
    CameraError::Unsupported {
        camera: camera.to_owned(),
        why,
    }
}
