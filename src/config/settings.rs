//! What a configuration means: typed, in units, checked as a whole.
//!
//! One struct per table of the file, handed by `app` to the part it is for. Every value here is
//! good: there is no way to make a [`Config`] but through `meaning.rs`, and nobody checks again.
//!
//! Promises: no field holds an "empty means none" text; every time is a [`Duration`].
//! Knows nothing of: TOML, lines, flags.

use core::net::IpAddr;
use core::time::Duration;
use std::path::{Path, PathBuf};

use super::fault::SimFault;
use super::hardware::{Sensors, Wiring};
use super::ice::IceServer;
use super::outside::{Outside, cannot_read};
use super::relay::{Channel, SpiderUrl};
use super::secret::Secret;
use super::trust::Trust;
use super::words::{
    CameraFormat, CameraSource, EncoderKind, EncoderLevel, EncoderProfile, IcePolicy, LogLevel,
    RearSource, Rotation,
};
use crate::logic::camera::Controls;
use crate::logic::drive::DriveConfig;
use crate::logic::failsafe::FailsafeConfig;
use crate::logic::pace::PaceConfig;
use crate::logic::units::{Kbps, Uptime};
use crate::logic::vehicle::Vehicle;

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The relay to publish to.
    pub spider: Spider,
    /// The Spider inside this process.
    pub local: Local,
    /// Ways through the network.
    pub ice: Ice,
    /// The camera.
    pub camera: Camera,
    /// The H.264 encoder.
    pub encoder: EncoderKind,
    /// The hardware encoder, if it is that.
    pub codec: Codec,
    /// Motor and servo.
    pub drive: Drive,
    /// When the car stops by itself.
    pub failsafe: FailsafeConfig,
    /// What stands around it.
    pub safety: Safety,
    /// What is connected besides camera and outputs.
    pub sensors: Sensors,
    /// Time between two reports to the driver while nothing changes.
    pub telemetry_interval: Duration,
    /// Most bytes a second that all reports together may take.
    pub telemetry_bytes_per_s: u32,
    /// The simulated car.
    pub sim: Sim,
    /// The least severe message that is logged.
    pub log_level: LogLevel,
}

/// The relay to publish to (`[spider]`).
#[derive(Clone, Debug)]
pub struct Spider {
    /// Where it is.
    pub url: SpiderUrl,
    /// The channel to publish on, or to watch.
    pub channel: Channel,
    /// Video bitrate to aim for, also sent as `brate=`.
    pub bitrate: Kbps,
    /// Sent as `ktime=`, as it is.
    pub ktime: Option<String>,
    /// Sent as `vcodec=`, as it is.
    pub vcodec: Option<String>,
    /// Which certificate it may show.
    pub trust: Trust,
    /// What commands must be sealed with; without one they need no seal.
    pub seal_key: Option<Secret>,
    /// The same for who may calibrate; without one, [`Self::seal_key`] is for that.
    pub calibrate_seal_key: Option<Secret>,
}

/// The Spider inside this process (`[local]`).
#[derive(Clone, Debug)]
pub struct Local {
    /// Address to listen on; not a loopback address only if there is a `driver_key`.
    pub listen: IpAddr,
    /// Plain port; 0 for any free one.
    pub port: u16,
    /// TLS port; 0 for any free one.
    pub tls_port: u16,
    /// The certificate to show; without one, it makes its own.
    pub certificate: Option<Certificate>,
    /// Where it keeps its own; without one, it makes a new one at each start.
    pub identity_file: Option<PathBuf>,
    /// Who has this may watch and drive; without one, everyone who reaches it may.
    pub driver_key: Option<Secret>,
    /// Who has this may watch.
    pub watch_key: Option<Secret>,
    /// Who has this may watch, drive and calibrate; without one, who drives may.
    pub calibrate_key: Option<Secret>,
    /// Who has this may publish.
    pub publish_key: Option<Secret>,
}

/// A certificate chain and its private key, both in PEM form, as read from their files.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// File of the chain, for messages.
    pub chain_file: PathBuf,
    /// The chain.
    pub chain_pem: Vec<u8>,
    /// File of the key, for messages.
    pub key_file: PathBuf,
    /// The key.
    pub key_pem: Secret,
}

impl Certificate {
    /// The same files as they are now.
    ///
    /// # Errors
    /// Which cannot be read, or is no PEM text.
    pub fn again(&self, outside: &dyn Outside) -> Result<Self, String> {
        let read = |file: &Path| {
            let bytes = outside.read(file);
            bytes.map_err(|err| format!("{} {}", file.display(), cannot_read(file, &err)))
        };
        let key = String::from_utf8(read(&self.key_file)?)
            .map_err(|_| format!("{} is not PEM text", self.key_file.display()))?;
        Ok(Self {
            chain_pem: read(&self.chain_file)?,
            key_pem: Secret::new(key),
            ..self.clone()
        })
    }
}

/// Ways through the network (`[ice]`).
#[derive(Clone, Debug)]
pub struct Ice {
    /// STUN and TURN servers in the order to try them.
    pub servers: Vec<IceServer>,
    /// Which candidates may be used.
    pub policy: IcePolicy,
    /// Longest wait for candidates before the offer goes out with those there are.
    pub gather: Duration,
}

/// The camera (`[camera]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Camera {
    /// Where frames come from.
    pub source: CameraSource,
    /// Width in pixels, even.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    /// How far to turn the picture.
    pub rotation: Rotation,
    /// Left and right are exchanged after that.
    pub flip_horizontal: bool,
    /// Up and down are exchanged after that.
    pub flip_vertical: bool,
    /// Which CSI camera, by its place in the list.
    pub index: u32,
    /// Which CSI camera, by its name or a part of that.
    pub id: Option<String>,
    /// The camera that looks back, if there is one.
    pub rear: Option<Rear>,
    /// The path of a USB camera; `None` looks for one.
    pub device: Option<String>,
    /// How a USB camera's pictures come.
    pub format: CameraFormat,
    /// Where the dials of CSI cameras stand at first.
    pub controls: Controls,
}

/// The camera that looks back (`[camera.rear]`); size and rate are those of the front one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rear {
    /// Where frames come from; not [`RearSource::None`].
    pub source: RearSource,
    /// Which CSI camera, by its place in the list.
    pub index: u32,
    /// Which CSI camera, by its name or a part of that.
    pub id: Option<String>,
    /// How far to turn the picture.
    pub rotation: Rotation,
    /// Left and right are exchanged after that.
    pub flip_horizontal: bool,
    /// Up and down are exchanged after that.
    pub flip_vertical: bool,
    /// The one that is not shown stays open.
    pub stands_by: bool,
    /// How long it is still shown when the car no longer drives backwards.
    pub dwell: Duration,
}

/// The hardware encoder (`encoder.device`, `encoder.profile`, `encoder.level`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codec {
    /// Its path; `None` takes the first that fits.
    pub device: Option<String>,
    /// Profile of its stream.
    pub profile: EncoderProfile,
    /// Level of its stream.
    pub level: EncoderLevel,
}

/// Motor and servo (`[drive]` and `[drive.calibration]`).
#[derive(Clone, Debug)]
pub struct Drive {
    /// What the setpoint is written to.
    pub output: Wiring,
    /// Time between two ticks of the control thread.
    pub tick: Duration,
    /// How long an ESC must see neutral before it listens.
    pub esc_arming: Duration,
    /// Whether the calibration of the file was measured on this car.
    pub calibrated: bool,
    /// Where what is learned is kept.
    pub state_file: Option<PathBuf>,
    /// Whether the lease holder may calibrate over the network.
    pub remote_calibration: bool,
    /// Calibration, limits, reverse and steps, for the vehicle.
    pub config: DriveConfig,
}

/// What stands around the failsafe (`[failsafe]`).
#[derive(Clone, Debug)]
pub struct Safety {
    /// Whether drivers without a lease may drive.
    pub legacy: bool,
    /// How a bad view slows the car down.
    pub pace: PaceConfig,
    /// Silence of the network after which the link counts as lost; `None`: when ICE says so.
    pub link_silence: Option<Duration>,
    /// The board's watchdog, if it is to be fed.
    pub watchdog_device: Option<PathBuf>,
    /// The folder for records of stops.
    pub black_box: Option<PathBuf>,
}

impl Config {
    /// The car that this configuration describes: disarmed, at neutral.
    #[must_use]
    pub fn vehicle(&self, now: Uptime) -> Vehicle {
        let mut vehicle = Vehicle::new(now, self.drive.config, self.failsafe)
            .with_pace(self.safety.pace)
            .with_measured(self.drive.calibrated);
        if !self.safety.legacy {
            vehicle = vehicle.without_legacy_drivers();
        }
        if self.drive.remote_calibration {
            vehicle = vehicle.with_remote_calibration();
        }
        vehicle
    }
}

/// The simulated car (`[sim]`).
#[derive(Clone, Debug)]
pub struct Sim {
    /// Where each change of the outputs is written.
    pub actuator_log: Option<PathBuf>,
    /// What fails on purpose.
    pub faults: Vec<SimFault>,
}
