//! From what was said to what it means: units, types, and the checks that look at several keys.
//!
//! The second of the two steps (see the front page of [`super`]). It goes on after a problem, so
//! that all of them are reported at once, and it draws no conclusion from a value that is already
//! known to be bad: no complaint here is a mere consequence of another.
//!
//! Promises: a [`Config`] comes out only if there is no problem at all, in either step.
//! Knows nothing of: TOML; which flag or line a value came from, other than to pass it on.

mod car;
mod eyes;
mod hardware;
mod network;
mod reading;

use super::hardware::{Battery, Lap, Wiring};
use super::outside::Outside;
use super::problem::{Problem, Report};
use super::raw::RawConfig;
use super::schema::Id;
use super::settings::{Config, Drive, Sim};
use super::words::{EncoderKind, LogLevel};
use reading::some_text;

/// The value is bad, and what is wrong with it is already among the problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Noted;

type Found<T> = Result<T, Noted>;

impl Config {
    /// What this configuration means.
    ///
    /// # Errors
    /// Everything that is wrong with it, in both steps.
    pub fn from_raw(raw: &RawConfig, outside: &dyn Outside) -> Result<Self, Report> {
        let mut meaning = Meaning::of(raw, outside);
        let config = meaning.config();
        match (Report::of(meaning.problems), config) {
            (None, Ok(config)) => Ok(config),
            (Some(report), _) => Err(report),
            (None, Err(Noted)) => unreachable!("a value is Noted only after its problem was noted"),
        }
    }
}

/// What it takes to put the outputs to neutral, and what is wrong with everything else.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// Motor and servo.
    pub drive: Drive,
    /// The simulated car.
    pub sim: Sim,
    /// What does not matter for neutral, but is wrong.
    pub ignored: Option<Report>,
}

impl Outputs {
    /// The part of a configuration that concerns the outputs; it may be good while the rest is bad.
    ///
    /// `spidercar neutral` runs when the service stops, and must stop the motor even if somebody
    /// has just broken the camera's settings or lost a certificate.
    ///
    /// # Errors
    /// What is wrong with the outputs, or with the file as a whole.
    pub fn from_raw(raw: &RawConfig, outside: &dyn Outside) -> Result<Self, Report> {
        let mut meaning = Meaning::of(raw, outside);
        let drive = meaning.drive();
        let sim = meaning.sim();
        let concerns = |problem: &Problem| {
            ["drive", "sim", "pwm", "pca9685", "hbridge"]
                .iter()
                .any(|table| problem.key().starts_with(table))
                || problem.key().is_empty()
        };
        let (ours, others) = meaning.problems.into_iter().partition(concerns);
        match (Report::of(ours), drive, sim) {
            (None, Ok(drive), Ok(sim)) => Ok(Self {
                drive,
                sim,
                ignored: Report::of(others),
            }),
            (Some(report), _, _) => Err(report),
            (None, _, _) => unreachable!("a value is Noted only after its problem was noted"),
        }
    }
}

struct Meaning<'a> {
    raw: &'a RawConfig,
    outside: &'a dyn Outside,
    problems: Vec<Problem>,
    parts: Parts,
}

/// What is known of the parts that share pins and buses, whatever is wrong with anything else.
#[derive(Debug, Default)]
struct Parts {
    wiring: Option<Wiring>,
    lap: Option<Lap>,
    battery: Option<Battery>,
}

impl<'a> Meaning<'a> {
    fn of(raw: &'a RawConfig, outside: &'a dyn Outside) -> Self {
        let problems = raw.problems().to_vec();
        Self {
            raw,
            outside,
            problems,
            parts: Parts::default(),
        }
    }

    fn config(&mut self) -> Found<Config> {
        let spider = self.spider();
        let local = self.local();
        let ice = self.ice();
        let camera = self.camera();
        let encoder = self.word(Id::EncoderKind, EncoderKind::from_word);
        let codec = self.codec();
        let drive = self.drive();
        let failsafe = self.failsafe();
        let safety = self.safety();
        let sensors = self.sensors();
        if let (Ok(camera), Ok(failsafe)) = (&camera, &failsafe) {
            self.sees_often_enough(camera, *failsafe);
        }
        self.nothing_twice();
        let telemetry_interval = self.period(Id::TelemetryRateHz);
        let telemetry_bytes_per_s = self.whole(Id::TelemetryBytesPerS);
        let sim = self.sim();
        if let (Ok(drive), Ok(sim)) = (&drive, &sim)
            && drive.output != Wiring::Sim
            && !sim.faults.is_empty()
        {
            let what = "faults on purpose are for simulated outputs only";
            self.clash(Id::SimFaults, Id::DriveOutput, what);
        }
        let log_level = self.word(Id::LogLevel, LogLevel::from_word);
        Ok(Config {
            spider: spider?,
            local: local?,
            ice: ice?,
            camera: camera?,
            encoder: encoder?,
            codec: codec?,
            drive: drive?,
            failsafe: failsafe?,
            safety: safety?,
            sensors: sensors?,
            telemetry_interval: telemetry_interval?,
            telemetry_bytes_per_s: telemetry_bytes_per_s?,
            sim: sim?,
            log_level: log_level?,
        })
    }
}

#[cfg(test)]
mod tests;
