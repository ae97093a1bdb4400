//! Without the feature `pi` there are no video devices: `"auto"` is software.

use super::cameras::Open;
use super::{MakeEncoder, not_built};
use crate::app::Fatal;
use crate::config::{Camera, Config};
use crate::hal::EncoderError;
use crate::hal::csi::Turn;
use crate::hal::openh264::{OpenH264Encoder, OpenH264Settings};

/// Nothing to say.
#[must_use]
pub fn coding_devices() -> Option<Result<String, String>> {
    None
}

/// Nothing to say.
#[must_use]
pub const fn too_much(_: &Camera) -> Option<String> {
    None
}

pub(super) fn encoder(_: &Config) -> MakeEncoder {
    Box::new(|| {
        Err(EncoderError::Unsupported {
            encoder: "v4l2m2m".into(),
            why: "this program was built without it; set encoder.kind = \"auto\"".into(),
        })
    })
}

pub(super) fn webcam(camera: &Camera, _: Turn) -> Result<Open, Fatal> {
    Err(not_built("camera.source", camera.source.word()))
}

/// The USB cameras there are.
///
/// # Errors
/// Always: this program has none.
pub fn webcams() -> Result<Vec<String>, Vec<String>> {
    Err(vec![
        "this program was built without USB cameras; use a build with the feature `pi`".to_owned(),
    ])
}

pub(super) fn any_encoder(_: &Config, software: OpenH264Settings) -> MakeEncoder {
    Box::new(move || Ok(Box::new(OpenH264Encoder::new(software)?)))
}
