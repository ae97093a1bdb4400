//! What stands here in a program that was built without libcamera: the error that says so.
//!
//! Promises: no camera, and the way to one. Knows nothing of: libcamera.

use std::sync::Arc;

use super::{Connected, CsiSettings, Desk};
use crate::hal::{Camera, CameraError};

const WHY: &str = "this program was built without libcamera; use the build for the board (scripts/build-pi.sh), or \
                   camera.source = \"sim\"";

/// The release of libcamera that this program was built for: none.
#[must_use]
pub fn built_for() -> Option<&'static str> {
    None
}

/// Opens no camera.
///
/// # Errors
/// [`CameraError::Unsupported`], always.
pub fn open(_: &CsiSettings, _: Arc<Desk>) -> Result<Box<dyn Camera>, CameraError> {
    Err(CameraError::Unsupported {
        camera: "libcamera".into(),
        why: WHY.into(),
    })
}

/// Lists no camera.
///
/// # Errors
/// [`CameraError::Unsupported`], always.
pub fn survey() -> Result<Vec<Connected>, CameraError> {
    Err(CameraError::Unsupported {
        camera: "libcamera".into(),
        why: WHY.into(),
    })
}
