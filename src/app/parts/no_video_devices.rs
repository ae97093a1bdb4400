//! Without the feature `pi` there are no video devices: `"auto"` is software.

use super::MakeEncoder;
use crate::config::Config;
use crate::hal::EncoderError;
use crate::hal::openh264::{OpenH264Encoder, OpenH264Settings};

/// Nothing to say.
#[must_use]
pub fn coding_devices() -> Option<Result<String, String>> {
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

pub(super) fn any_encoder(_: &Config, software: OpenH264Settings) -> MakeEncoder {
    Box::new(move || Ok(Box::new(OpenH264Encoder::new(software)?)))
}
