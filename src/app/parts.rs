//! The parts that a configuration names: outputs, camera, encoder.
//!
//! One place decides what this build can drive, so that `run`, `neutral` and `doctor` agree. What it
//! cannot is an error with the key, never a silent stand-in: a car must not drive simulated wheels.
//!
//! Promises: nothing moves by making a part. Knows nothing of: what is done with them.

use std::sync::Arc;

use super::Fatal;
use super::fault::{Faults, FaultyCamera};
use crate::cli::Exit;
use crate::config::hardware::Wiring;
use crate::config::{Camera as CameraSettings, CameraSource, Config, Drive, EncoderKind, Sim};
use crate::hal::csi;
use crate::hal::openh264::{OpenH264Encoder, OpenH264Settings};
use crate::hal::sim::{SimActuators, SimCamera, SimCameraSettings, SimView};
use crate::hal::{Actuators, Camera, CameraError, Encoder, EncoderError};

#[cfg(feature = "pi")]
mod video_devices;
#[cfg(not(feature = "pi"))]
#[path = "parts/no_video_devices.rs"]
mod video_devices;

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
            let outputs = SimActuators::new().with_view(Arc::clone(view), drive.config.calibration);
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
    crate::hal::pi::outputs(wiring).map_err(|err| {
        let what = format!("drive.output = {:?}: {}", wiring.word(), chain(&err));
        Fatal::new(Exit::HardwareMissing, what)
    })
}

#[cfg(not(feature = "pi"))]
fn wires(wiring: &Wiring) -> Result<Box<dyn Actuators>, Fatal> {
    Err(not_built("drive.output", wiring.word()))
}

/// Makes a camera; called again after it failed.
pub type MakeCamera = Box<dyn FnMut() -> Result<Box<dyn Camera>, CameraError> + Send>;

/// Makes an encoder; called again after it failed.
pub type MakeEncoder = Box<dyn FnMut() -> Result<Box<dyn Encoder>, EncoderError> + Send>;

/// How to make the camera that `camera.source` names.
///
/// # Errors
/// A kind of camera that this program was built without.
pub fn camera(config: &Config, view: Arc<SimView>) -> Result<MakeCamera, Fatal> {
    let camera = &config.camera;
    let (width, height, fps) = (camera.width, camera.height, camera.fps);
    match camera.source {
        CameraSource::Libcamera if csi::built_for().is_some() => {
            let settings = csi_settings(camera);
            let desk = Arc::new(csi::Desk::new(camera.controls));
            Ok(Box::new(move || csi::open(&settings, Arc::clone(&desk))))
        }
        CameraSource::Sim => Ok(Box::new(move || {
            let settings = SimCameraSettings { width, height, fps };
            Ok(Box::new(SimCamera::open(settings, Arc::clone(&view))?))
        })),
        CameraSource::Libcamera | CameraSource::V4l => {
            Err(not_built("camera.source", camera.source.word()))
        }
    }
}

/// What is asked of a CSI camera.
fn csi_settings(camera: &CameraSettings) -> csi::CsiSettings {
    csi::CsiSettings {
        which: match &camera.id {
            Some(id) => csi::Which::Id(id.clone()),
            None => csi::Which::Index(camera.index),
        },
        width: camera.width,
        height: camera.height,
        fps: camera.fps,
        turn: csi::Turn {
            rotation: camera.rotation,
            flip_horizontal: camera.flip_horizontal,
            flip_vertical: camera.flip_vertical,
        },
        controls: camera.controls,
    }
}

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

/// The same camera, failing as `sim.faults` says.
#[must_use]
pub fn with_faults(mut make: MakeCamera, faults: &Arc<Faults>) -> MakeCamera {
    let faults = Arc::clone(faults);
    Box::new(move || {
        Ok(Box::new(FaultyCamera {
            inner: make()?,
            faults: Arc::clone(&faults),
        }))
    })
}

fn not_built(key: &str, word: &str) -> Fatal {
    Fatal::new(
        Exit::HardwareMissing,
        format!(
            "{key} = {word:?}: this program was built without support for it; use \"sim\" or \"openh264\", or a build for the board"
        ),
    )
}
