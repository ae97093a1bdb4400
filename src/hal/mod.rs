//! What the car is made of: outputs, cameras and encoders, each behind a small trait.
//!
//! The rest of the program knows these traits and nothing of the devices behind them; which device runs is decided
//! by the configuration, in `app`. Each trait has a simulated implementation in [`sim`] (or, for the encoder, one in
//! software), so the whole car runs on any machine.
//!
//! ```text
//!   sim::SimCamera ─┐                        ┌─ openh264::OpenH264Encoder          ┌─ sim::SimActuators
//!   csi          ───┼─ Camera ─▶ Frame ─▶ Encoder ─▶ AccessUnit      Setpoint ─▶ Actuators
//!   webcam       ───┘                        └─ v4l2::V4l2Encoder                  └─ car::Car ─ pi (pwm, pca9685, hbridge)
//!   pi::lap ─ LapSensor ─▶ edges             pi::battery ─ BatteryMonitor ─▶ Power        files ─ health, modem
//! ```
//!
//! | Trait | The device's duty | The caller's duty |
//! | --- | --- | --- |
//! | [`Actuators`] | put both pulses out, or say that it did not; never wait for long | write on every change, stop included; keep the device to one thread |
//! | [`Camera`] | block until the next frame, the newest one; count those that were skipped; give no buffer out twice | take frames as fast as it can use them, hold one at a time; close and re-open after an error |
//! | [`Encoder`] | one access unit or none for each frame, nothing kept back; parameter sets before each IDR | ask for an IDR when a viewer needs one; call again after an error |
//!
//! Promises: no device is touched before its `open`; dropping a device closes it; every error says what to do.
//! Knows nothing of: networks, the configuration file, when to restart.
//! Sources: the duties below.

use core::time::Duration;
use std::error::Error;
use std::fmt;

use crate::logic::drive::Setpoint;
use crate::logic::failsafe::Cause;
use crate::logic::spread::Figures;
use crate::logic::units::{Kbps, Uptime};

#[cfg(feature = "pi")]
pub mod car;
pub mod clock;
pub mod csi;
#[doc(hidden)]
pub mod figure;
pub mod frame;
pub mod halve;
pub mod health;
mod level;
pub mod modem;
pub mod moment;
pub mod openh264;
pub mod pair;
#[cfg(any(feature = "libcamera", feature = "pi"))]
mod patience;
#[cfg(feature = "pi")]
pub mod pi;
pub mod realtime;
pub mod sensor;
pub mod sim;
pub mod still;
#[cfg(feature = "pi")]
pub mod v4l2;
#[cfg(feature = "pi")]
pub mod webcam;

pub use frame::Frame;

/// The motor's and the servo's outputs.
///
/// Dropping an implementation must leave the outputs as they are: neutral is written by the caller, who knows it.
pub trait Actuators: Send {
    /// Puts both pulses out, `now`, because of `cause`.
    ///
    /// A value that does not change costs nothing, so the caller may write on every tick.
    ///
    /// # Errors
    /// At least one output may still be at its old value. The caller must write neutral at once and keep trying.
    fn write(&mut self, now: Uptime, setpoint: Setpoint, cause: Cause)
    -> Result<(), ActuatorError>;

    /// How much too long the pulses were so far that this computer makes in software; `None` where hardware makes them.
    fn too_long(&self) -> Option<Figures> {
        None
    }

    /// A second handle on the same outputs, for the thread that writes neutral when the owner of this one stands still.
    ///
    /// It must not wait for anything that the first handle may hold. `None` if the device cannot have two.
    fn spare(&self) -> Option<Box<dyn Actuators>>;
}

/// A source of pictures.
pub trait Camera: Send {
    /// Blocks until the next frame.
    ///
    /// A caller that was slow gets the newest frame; [`Frame::number`] tells how many it missed. The frame stays whole as long
    /// as it is held, even when the camera has closed; who holds all of a camera's buffers gets no other.
    ///
    /// # Errors
    /// The camera must be closed and opened again.
    fn next_frame(&mut self) -> Result<Frame, CameraError>;
}

/// Pictures to H.264, constrained baseline, without delay.
pub trait Encoder: Send {
    /// Encodes one frame. `None` if the rate allowed no picture; a wanted IDR is never left out.
    ///
    /// A frame of another size than the last one starts a new sequence with an IDR.
    ///
    /// # Errors
    /// The frame is lost. The encoder has closed itself and opens again with an IDR at the next call.
    fn encode(
        &mut self,
        frame: &Frame,
        want_idr: bool,
    ) -> Result<Option<AccessUnit<'_>>, EncoderError>;

    /// Changes the target from the next frame on, without an IDR.
    ///
    /// # Errors
    /// As for [`Encoder::encode`]; the new target holds after the next opening.
    fn set_bitrate(&mut self, target: Kbps) -> Result<(), EncoderError>;

    /// Whether a device of its own does the work, whose time is not the processor's.
    fn is_hardware(&self) -> bool {
        false
    }

    /// Pictures that had to be copied for it, since it was made; wraps.
    fn copies(&self) -> u32 {
        0
    }
}

/// One coded picture, lent by the encoder until its next call.
#[derive(Clone, Copy, Debug)]
pub struct AccessUnit<'a> {
    data: &'a [u8],
    captured_at: Uptime,
    number: u32,
    is_idr: bool,
}

impl<'a> AccessUnit<'a> {
    /// A coded picture: NAL units with start codes, an IDR with its parameter sets in front.
    #[must_use]
    pub const fn new(data: &'a [u8], captured_at: Uptime, number: u32, is_idr: bool) -> Self {
        Self {
            data,
            captured_at,
            number,
            is_idr,
        }
    }

    /// NAL units with start codes (Annex B); an IDR has its SPS and PPS in front.
    #[must_use]
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// [`Frame::captured_at`] of the picture.
    #[must_use]
    pub const fn captured_at(&self) -> Uptime {
        self.captured_at
    }

    /// [`Frame::number`] of the picture.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Whether decoding can start here.
    #[must_use]
    pub const fn is_idr(&self) -> bool {
        self.is_idr
    }
}

/// What a driver library or the system said.
pub type Source = Box<dyn Error + Send + Sync>;

/// Why an output was not written.
#[derive(Debug)]
pub enum ActuatorError {
    /// The device refused the pulse: check wiring and permissions of the device that is named.
    Output {
        /// The device or its path.
        device: String,
        /// What the system said.
        source: Source,
    },
    /// The pulses are out, but their record is not: free space or choose another `sim.actuator_log`.
    Log {
        /// The log's path.
        path: String,
        /// What the system said.
        source: Source,
    },
}

/// Why there is no frame.
#[derive(Debug)]
pub enum CameraError {
    /// The settings cannot work with this camera: change `camera.*`. Trying again is useless.
    Unsupported {
        /// The camera.
        camera: String,
        /// What is wrong and what would be right.
        why: String,
    },
    /// There is no such camera: check the cable, the overlay and `camera.source`.
    Missing {
        /// The camera that was looked for.
        camera: String,
        /// What the system said.
        source: Source,
    },
    /// The camera failed at a step: close it and open it again.
    Failed {
        /// The camera.
        camera: String,
        /// What was being done.
        step: &'static str,
        /// What the system said.
        source: Source,
    },
    /// No frame came for too long: close it and open it again; if that does not help, check the cable.
    Stalled {
        /// The camera.
        camera: String,
        /// How long nothing came.
        silent: Duration,
    },
}

/// Why a frame was not encoded.
#[derive(Debug)]
pub enum EncoderError {
    /// The settings or the frame cannot work with this encoder: change `camera.*` or `encoder.kind`.
    Unsupported {
        /// The encoder.
        encoder: String,
        /// What is wrong and what would be right.
        why: String,
    },
    /// There is no such encoder here: set `encoder.kind = "auto"`.
    Missing {
        /// The encoder that was looked for.
        encoder: String,
        /// What the system said.
        source: Source,
    },
    /// The encoder failed at a step and has closed itself: the next frame opens it again.
    Failed {
        /// The encoder.
        encoder: String,
        /// What was being done.
        step: &'static str,
        /// What the library said.
        source: Source,
    },
}

impl fmt::Display for ActuatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output { device, .. } => write!(
                f,
                "outputs {device}: write a pulse: failed; check wiring and permissions"
            ),
            Self::Log { path, .. } => write!(
                f,
                "actuator log {path}: write a line: failed; free space or change sim.actuator_log"
            ),
        }
    }
}

impl fmt::Display for CameraError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { camera, why } => write!(f, "camera {camera}: {why}"),
            Self::Missing { camera, .. } => write!(
                f,
                "camera {camera}: not found; check the cable, the overlay and camera.source"
            ),
            Self::Failed { camera, step, .. } => write!(f, "camera {camera}: {step}: failed"),
            Self::Stalled { camera, silent } => write!(
                f,
                "camera {camera}: no frame for {} ms; check the cable",
                silent.as_millis()
            ),
        }
    }
}

impl fmt::Display for EncoderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { encoder, why } => write!(f, "encoder {encoder}: {why}"),
            Self::Missing { encoder, .. } => write!(
                f,
                "encoder {encoder}: not found; set encoder.kind = \"auto\""
            ),
            Self::Failed { encoder, step, .. } => write!(f, "encoder {encoder}: {step}: failed"),
        }
    }
}

impl Error for ActuatorError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Output { source, .. } | Self::Log { source, .. } => Some(source.as_ref()),
        }
    }
}

impl Error for CameraError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Missing { source, .. } | Self::Failed { source, .. } => Some(source.as_ref()),
            Self::Unsupported { .. } | Self::Stalled { .. } => None,
        }
    }
}

impl Error for EncoderError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Missing { source, .. } | Self::Failed { source, .. } => Some(source.as_ref()),
            Self::Unsupported { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_device_and_step_and_keeps_its_source() {
        let error = EncoderError::Failed {
            encoder: "openh264".into(),
            step: "encode a frame",
            source: "native code 4".into(),
        };
        assert_eq!(
            error.to_string(),
            "encoder openh264: encode a frame: failed"
        );
        assert_eq!(
            error.source().map(ToString::to_string).as_deref(),
            Some("native code 4")
        );
    }

    #[test]
    fn the_traits_can_be_boxed() {
        fn boxed(_: Option<Box<dyn Actuators>>, _: Option<Box<dyn Camera>>) {}
        fn encoder(_: Option<Box<dyn Encoder>>) {}
        boxed(None, None);
        encoder(None);
    }
}
