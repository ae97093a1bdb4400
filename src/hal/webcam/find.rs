//! Which video device is the camera.
//!
//! ```text
//!   known camera there, by bus and card, under any number ─▶ it
//!     └ by card alone (another port)                      ─▶ it
//!         └ camera.device names a path ─▶ what is there now        "auto" ─▶ an error: it was unplugged
//!   none known: the path, or with "auto" the first that has what is wanted, those on USB first, each
//!                in the order of its port: the same one at every start
//! ```
//!
//! A camera that comes back gets the next free number, not its old one, as long as the old one is still open somewhere. So
//! it is known by what it says of itself. Another one is not taken in its place: the driver would see a strange picture.
//!
//! Promises: nothing is changed by looking. Knows nothing of: formats, but whether one fits.
//! Sources: Linux `vidioc-querycap` (`bus_info` is the same for the same port).

use std::path::{Path, PathBuf};

use super::modes::{self, Mode};
use super::{WebcamSettings, missing};
use crate::hal::CameraError;
use crate::hal::v4l2::Devices;
use crate::hal::v4l2::border::{Capability, Device};
use crate::hal::v4l2::trouble;

/// What to do where there is no camera at all.
pub(super) const NONE: &str = "there is no USB camera: look at the cable, try another port, see whether `lsusb` lists it; a CSI \
     camera is camera.source = \"libcamera\"";

/// Drivers of a Pi whose devices give pictures only to libcamera.
/// kernel: `bcm2835-isp`, `unicam`, `rp1-cfe`, `pisp_be`, `bcm2835-codec` (raspberrypi/linux, `drivers/media/platform`).
const OF_LIBCAMERA: [&str; 4] = ["bcm2835", "unicam", "rp1", "pisp"];

/// What a camera is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    bus: String,
    card: String,
}

/// A capture device, open.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) device: Box<dyn Device>,
    pub(super) capability: Capability,
}

impl Found {
    pub(super) fn identity(&self) -> Identity {
        Identity {
            bus: self.capability.bus.clone(),
            card: self.capability.card.clone(),
        }
    }

    /// As messages name it.
    pub(super) fn name(&self) -> String {
        format!("{} ({})", self.path.display(), self.capability.card)
    }
}

/// All cameras, those on USB first, and what the system said of devices that could not be asked.
pub(super) fn all(devices: &Devices) -> (Vec<Found>, Vec<String>) {
    let (mut found, mut troubles) = (Vec::new(), Vec::new());
    match devices.nodes() {
        Ok(nodes) => {
            let of_libcamera = |path: &PathBuf| {
                let hint = devices.hint(path);
                [&hint.driver, &hint.name]
                    .into_iter()
                    .any(|word| is_of_libcamera(word))
            };
            // Not opened: a look for the camera every few seconds would open a sick codec each time.
            for path in nodes.into_iter().filter(|path| !of_libcamera(path)) {
                match opened(devices, &path) {
                    Ok(Some(one)) if !is_of_libcamera(&one.capability.driver) => found.push(one),
                    Ok(_) => {}
                    Err(why) => troubles.push(why),
                }
            }
        }
        Err(error) => troubles.push(format!("/dev: {error}")),
    }
    // By the port, not by the number, which is whoever answered first at this start. Several nodes of one camera stay in order.
    found.sort_by_cached_key(|one: &Found| {
        let bus = &one.capability.bus;
        (!bus.starts_with("usb-"), bus.clone())
    });
    (found, troubles)
}

/// The camera to use, and how.
pub(super) fn camera(
    devices: &Devices,
    settings: &WebcamSettings,
    known: Option<&Identity>,
) -> Result<(Found, Mode), CameraError> {
    if let Some(known) = known {
        if let Some(found) = again(devices, known) {
            return with_mode(found, settings);
        }
        if settings.device.is_none() {
            let why = format!(
                "it was unplugged from {}; it is looked for; for another one, start again",
                known.bus
            );
            return Err(missing(&known.card, why));
        }
    }
    if let Some(device) = &settings.device {
        let found = opened(devices, Path::new(device)).map_err(|why| missing(device, why))?;
        let why = "it is no camera; `spidercar doctor` lists those there are, and camera.device = \"auto\" finds one";
        return with_mode(found.ok_or_else(|| missing(device, why))?, settings);
    }
    let (found, troubles) = all(devices);
    let mut first = None;
    for one in found {
        match with_mode(one, settings) {
            Ok(fits) => return Ok(fits),
            Err(why) => first = first.or(Some(why)),
        }
    }
    let mut why = NONE.to_owned();
    if !troubles.is_empty() {
        why = format!("{} ({why})", troubles.join("; "));
    }
    Err(first.unwrap_or_else(|| missing("v4l", why)))
}

/// The camera that ran before, wherever it is now.
fn again(devices: &Devices, known: &Identity) -> Option<Found> {
    let (mut found, _) = all(devices);
    let at = |is: &dyn Fn(&Identity) -> bool| found.iter().position(|one| is(&one.identity()));
    let at = at(&|one| one == known).or_else(|| at(&|one| one.card == known.card))?;
    Some(found.swap_remove(at))
}

fn with_mode(found: Found, settings: &WebcamSettings) -> Result<(Found, Mode), CameraError> {
    let mode = modes::choose(found.device.as_ref(), &found.name(), settings)?;
    Ok((found, mode))
}

/// Opens a device if it is a camera.
fn opened(devices: &Devices, path: &Path) -> Result<Option<Found>, String> {
    let said = |error| format!("{}: {}", path.display(), trouble::explained(path, error));
    let device = devices.open(path).map_err(said)?;
    let capability = device.capability().map_err(said)?;
    let is_camera = capability.captures && capability.streams && !capability.converts;
    Ok(is_camera.then(|| Found {
        path: path.to_owned(),
        device,
        capability,
    }))
}

fn is_of_libcamera(driver: &str) -> bool {
    OF_LIBCAMERA.iter().any(|begin| driver.starts_with(begin))
}
