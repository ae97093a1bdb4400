//! The parts that a configuration names: outputs, camera, encoder.
//!
//! One place decides what this build can drive, so that `run`, `neutral` and `doctor` agree. What it
//! cannot is an error with the key, never a silent stand-in: a car must not drive simulated wheels.
//!
//! Promises: nothing moves by making a part. Knows nothing of: what is done with them.

use std::sync::Arc;

use super::Fatal;
use crate::cli::Exit;
use crate::config::hardware::Wiring;
use crate::config::{Config, Drive, EncoderKind, Sim};
use crate::hal::openh264::{OpenH264Encoder, OpenH264Settings};
use crate::hal::sim::{SimActuators, SimView};
use crate::hal::{Actuators, Camera, CameraError, Encoder, EncoderError};

mod cameras;
#[cfg(feature = "pi")]
mod video_devices;
#[cfg(not(feature = "pi"))]
#[path = "parts/no_video_devices.rs"]
mod video_devices;

pub use cameras::{camera, front_camera, rear_camera, test_camera};
pub use video_devices::{coding_devices, too_much, webcams};

/// The outputs that the configuration names; the simulated ones move the simulated camera's view.
///
/// # Errors
/// Outputs that are not there, or that this program was built without.
pub fn actuators(
    drive: &Drive,
    sim: &Sim,
    view: &Arc<SimView>,
) -> Result<Box<dyn Actuators>, Fatal> {
    match drive.output {
        Wiring::Sim => {
            let outputs = SimActuators::new().with_view(Arc::clone(view), drive.config);
            let outputs = match &sim.actuator_log {
                Some(path) => outputs.with_log(path),
                None => Ok(outputs),
            };
            let outputs = outputs.map_err(|err| Fatal::new(Exit::HardwareMissing, chain(&err)))?;
            Ok(Box::new(outputs))
        }
        Wiring::Pwm(_) | Wiring::Pca9685(_) | Wiring::Hbridge(_) => wires(&drive.output),
    }
}

/// The outputs of a real car.
#[cfg(feature = "pi")]
fn wires(wiring: &Wiring) -> Result<Box<dyn Actuators>, Fatal> {
    crate::hal::pi::outputs(wiring).map_err(|err| unusable(wiring, &err))
}

/// Whether nobody else has a pin of the outputs at the kernel: asked before a car is driven. Neutral is written without: it
/// may always be, also on a pin that somebody took while the car was driven.
///
/// # Errors
/// Who has which one.
#[cfg(feature = "pi")]
pub fn pins_are_free(wiring: &Wiring) -> Result<(), Fatal> {
    let pins: Vec<u8> = wiring.pins().into_iter().map(|(pin, _)| pin).collect();
    crate::hal::pi::pins::nobody_has(&pins).map_err(|err| unusable(wiring, &err))
}

#[cfg(feature = "pi")]
fn unusable(wiring: &Wiring, err: &crate::hal::pi::OpenError) -> Fatal {
    let what = format!("drive.output = {:?}: {}", wiring.word(), chain(err));
    Fatal::new(Exit::HardwareMissing, what)
}

/// Without real outputs there are no pins.
///
/// # Errors
/// None.
#[cfg(not(feature = "pi"))]
pub const fn pins_are_free(_: &Wiring) -> Result<(), Fatal> {
    Ok(())
}

#[cfg(not(feature = "pi"))]
fn wires(wiring: &Wiring) -> Result<Box<dyn Actuators>, Fatal> {
    Err(not_built("drive.output", wiring.word()))
}

/// Makes a camera; called again after it failed.
pub type MakeCamera = Box<dyn FnMut() -> Result<Box<dyn Camera>, CameraError> + Send>;

/// Makes an encoder; called again after it failed.
pub type MakeEncoder = Box<dyn FnMut() -> Result<Box<dyn Encoder>, EncoderError> + Send>;

/// How to make the encoder that `encoder.kind` names.
///
/// # Errors
/// A kind of encoder that this program was built without.
pub fn encoder(config: &Config) -> Result<MakeEncoder, Fatal> {
    let settings = OpenH264Settings {
        fps: config.camera.fps,
        bitrate: config.spider.bitrate,
        threads: 0,
    };
    Ok(match config.encoder {
        EncoderKind::Auto => video_devices::any_encoder(config, settings),
        EncoderKind::V4l2M2m => video_devices::encoder(config),
        EncoderKind::OpenH264 => Box::new(move || Ok(Box::new(OpenH264Encoder::new(settings)?))),
    })
}

/// An error and what it came from, on one line.
#[must_use]
pub fn chain(err: &dyn std::error::Error) -> String {
    let mut parts = vec![err.to_string()];
    let mut source = err.source();
    while let Some(cause) = source {
        parts.push(cause.to_string());
        source = cause.source();
    }
    parts.join(": ")
}

fn not_built(key: &str, word: &str) -> Fatal {
    Fatal::new(
        Exit::HardwareMissing,
        format!(
            "{key} = {word:?}: this program was built without support for it; use \"sim\" or \"openh264\", or a build for the board"
        ),
    )
}
