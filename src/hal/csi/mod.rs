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
    /// By its place in libcamera's list, from 0.
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

/// What there is to say of CSI cameras on this computer (`spidercar doctor`): a line each, or what to do.
///
/// # Errors
/// No camera, no libcamera in this program: the reasons, the likeliest first.
pub fn findings() -> Result<Vec<String>, Vec<String>> {
    let found = survey().map_err(|err| vec![err.to_string()])?;
    if found.is_empty() {
        return Err(advice::none_found(std::path::Path::new("/")));
    }
    let lines = (0..).zip(&found).map(|(index, camera)| {
        let Connected { id, model, modes } = camera;
        format!("camera.index {index}: {model}, camera.id \"{id}\": {modes}")
    });
    Ok(lines.collect())
}
