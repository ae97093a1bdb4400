//! CSI cameras, through libcamera: which one, how its picture is wanted, and what to do if there is none.
//!
//! libcamera's interface changes with each minor release, and few computers have it, so all that touches it is behind the
//! feature `libcamera` in `capture`, and the rest of the program is built and tested without. What can be decided
//! without it (dials, times, crops, advice) stands beside it and is tested everywhere.
//!
//! ```text
//!   CsiSettings ─▶ open ─▶ capture (feature libcamera) ─▶ Box<dyn Camera>        driver ─▶ [Desk] ─▶ the next request
//!                       └▶ absent  (without): an error that says so              survey, advice ─▶ doctor
//! ```
//!
//! A program with the feature is linked against one minor release of libcamera ([`built_for`]). Loading it while it runs was
//! rejected: its C++ interface has data and classes in it, which nothing but the linker can bind. On a system with another
//! release the loader ends such a program before any line of ours runs. So it is a second program, and the one that everything
//! starts is built without (`app::csi_program`, `scripts/build-pi.sh`).
//!
//! Promises: nothing is opened before [`open`]; an error says what to do.
//! Knows nothing of: encoders; which camera is shown.
//! Sources: libcamera 0.7 (`camera.h`, `camera_manager.h`), Raspberry Pi documentation (`config.txt`, camera software).

use crate::config::Rotation;
use crate::logic::camera::Controls;

pub mod advice;
mod desk;
pub mod zoom;

#[cfg(feature = "libcamera")]
mod capture;
#[cfg(feature = "libcamera")]
use capture as library;

#[cfg(not(feature = "libcamera"))]
mod absent;
#[cfg(not(feature = "libcamera"))]
use absent as library;

pub use desk::Desk;
pub use library::{built_for, open, survey};

/// Which of the cameras.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// By its place among the CSI cameras in the order of [`in_order`], from 0.
    Index(u32),
    /// By libcamera's name for it, or a part of the name that only one camera has.
    Id(String),
}

/// How the picture lies, from that of the sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Clockwise, first.
    pub rotation: Rotation,
    /// Left and right exchanged, then.
    pub flip_horizontal: bool,
    /// Up and down exchanged, then.
    pub flip_vertical: bool,
}

/// What is asked of a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsiSettings {
    /// Which one.
    pub which: Which,
    /// Width in pixels, even.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    /// How the picture lies.
    pub turn: Turn,
    /// Where its dials stand at first.
    pub controls: Controls,
}

/// A camera that is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// libcamera's name for it: its place in the device tree.
    pub id: String,
    /// The sensor, as the driver calls it.
    pub model: String,
    /// Sizes and formats, in words.
    pub modes: String,
}

/// Whether libcamera's name is that of a USB camera: those are `camera.source = "v4l"`, and have no index.
/// Source: rpicam-apps `core/rpicam_app.hpp`, `GetCameras`.
#[must_use]
pub fn is_usb(id: &str) -> bool {
    id.contains("/usb")
}

/// Sorts cameras as rpicam-apps do, so that an index means the same camera at each start and in `rpicam-hello
/// --list-cameras`: CSI before USB, the greatest name first. libcamera's own order is that in which drivers were found.
/// Source: rpicam-apps `core/rpicam_app.hpp`, `GetCameras`.
pub fn in_order<T>(cameras: &mut [T], id: impl Fn(&T) -> &str) {
    cameras.sort_by(|one, other| {
        let (one, other) = (id(one), id(other));
        is_usb(one).cmp(&is_usb(other)).then_with(|| other.cmp(one))
    });
}

/// What there is to say of CSI cameras on this computer (`spidercar doctor`): a line each, or what to do.
///
/// # Errors
/// No camera, no libcamera in this program: the reasons, the likeliest first.
pub fn findings() -> Result<Vec<String>, Vec<String>> {
    let found = survey().map_err(|err| vec![err.to_string()])?;
    if found.is_empty() {
        return Err(advice::none_found(std::path::Path::new("/")));
    }
    Ok(lines(&found))
}

/// A line for each camera; only CSI cameras have an index.
fn lines(found: &[Connected]) -> Vec<String> {
    let of = |(index, camera): (usize, &Connected)| {
        let Connected { id, model, modes } = camera;
        let index = if is_usb(id) {
            "USB, better as camera.source = \"v4l\"".to_owned()
        } else {
            format!("camera.index {index}")
        };
        format!("{index}: {model}, camera.id \"{id}\": {modes}")
    };
    found.iter().enumerate().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names as libcamera gives them on a Pi 5 with two cameras, a Pi 4, and for a USB camera.
    const LEFT: &str = "/base/axi/pcie@1000120000/rp1/i2c@88000/imx708@1a";
    const RIGHT: &str = "/base/axi/pcie@1000120000/rp1/i2c@80000/imx708@1a";
    const USB: &str = "/base/axi/pcie@1000120000/rp1/usb@200000-1:1.0-046d:0825";

    #[test]
    fn cameras_have_the_order_of_rpicam_apps_however_libcamera_found_them() {
        for mut found in [[LEFT, RIGHT, USB], [USB, RIGHT, LEFT], [RIGHT, USB, LEFT]] {
            in_order(&mut found, |id| id);
            assert_eq!(found, [LEFT, RIGHT, USB]);
        }
    }

    #[test]
    fn a_usb_camera_has_no_index() {
        let connected = |id: &str| Connected {
            id: id.into(),
            model: "imx708".into(),
            modes: "2304x1296".into(),
        };
        let told = lines(&[LEFT, USB].map(connected));
        assert!(told[0].starts_with("camera.index 0: imx708"), "{told:?}");
        assert!(told[1].starts_with("USB, better as"), "{told:?}");
    }
}
