//! The command line: arguments in, one [`Asked`] out.
//!
//! Flags stand in a table ([`commands`]) that parsing, help and "did you mean" all follow. Where a
//! flag says what a configuration key says (`spidercar spider --port 80` is `local.port = 80`), it
//! becomes a [`Set`] of that key, so that it is checked by the same rules, with the flag's name in
//! the error. Parsing looks at nothing but the arguments: no file is read, so help always works.
//!
//! ```text
//!  arguments ──lexopt──▶ flags and values ──commands table──▶ Asked ─┬▶ Text   help, version
//!                              │                                     ├▶ Check  validate, import
//!                              └──▶ Misuse (exit code 2)             └▶ Work   run, spider, watch, …
//! ```
//!
//! Promises: every flag of the table is parsed and explained; what is not in it is refused with the
//! nearest one that is.
//! Knows nothing of: files, the configuration's rules, what commands do.
//! Sources: README, commands.

pub mod commands;
mod help;
mod parse;

use core::fmt;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::config::Set;

pub use parse::parse;

/// Name, version and source of this program, as `--version` says them.
pub const VERSION: &str = concat!(
    "spidercar ",
    env!("CARGO_PKG_VERSION"),
    " (source ",
    env!("SPIDERCAR_SOURCE"),
    ")"
);

/// What `--version` adds in a program that is linked to libcamera.
pub const WITH_LIBCAMERA: &str = " with libcamera";

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked, or was asked to stop.
    Done,
    /// A bug, or an error that nothing else here describes.
    Bug,
    /// Bad configuration or usage. Starting again will not help.
    BadConfig,
    /// Hardware that the configuration names is missing.
    HardwareMissing,
    /// The link is lost for good.
    LinkLost,
}

impl Exit {
    /// Every way to end, in the order of the codes.
    pub const ALL: [Self; 5] = [
        Self::Done,
        Self::Bug,
        Self::BadConfig,
        Self::HardwareMissing,
        Self::LinkLost,
    ];

    /// The exit code. spec: README, commands.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Bug => 1,
            Self::BadConfig => 2,
            Self::HardwareMissing => 3,
            Self::LinkLost => 4,
        }
    }

    /// What the code means, for the help.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or asked to stop",
            Self::Bug => "a bug, or an error of the machine; please report the message",
            Self::BadConfig => "bad configuration or usage; the message says what to change",
            Self::HardwareMissing => "hardware is missing; `spidercar doctor` says which",
            Self::LinkLost => "the link is lost for good",
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What the user asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// Help or version: print it and end.
    Text(String),
    /// Look at a configuration.
    Check(Check),
    /// Do something that needs a configuration first.
    Work(Work),
    /// A recorded stop, to be run again.
    Replay(PathBuf),
    /// A key, to be made in this file.
    Key(PathBuf),
}

/// What `spidercar check` is to look at.
#[derive(Debug, PartialEq, Eq)]
pub enum Check {
    /// The effective configuration.
    Config(Given),
    /// An old car's file.
    Import {
        /// A `calib_param.json`.
        file: PathBuf,
        /// Which car in it.
        car: Option<String>,
    },
}

/// Work that needs a configuration.
#[derive(Debug, PartialEq, Eq)]
pub enum Work {
    /// The car.
    Run(Given),
    /// A local Spider.
    Spider {
        /// Its settings.
        given: Given,
        /// Ways in which it is to misbehave, for tests.
        faults: Vec<String>,
    },
    /// A subscriber in a terminal.
    Watch {
        /// Whom to watch, as `[spider]` settings.
        given: Given,
        /// Where to put the video.
        record: Option<PathBuf>,
    },
    /// A look at the hardware and the network.
    Doctor {
        /// The car.
        given: Given,
        /// What is wished for.
        wish: DoctorWish,
    },
    /// Outputs to neutral.
    Neutral {
        /// The car.
        given: Given,
        /// Whether stdin is waited for, which ends when a car does.
        waits: bool,
    },
    /// The pulses of a car, measured or changed.
    Calibrate {
        /// The car.
        given: Given,
        /// What is wished for.
        wish: CalibrateWish,
    },
}

/// What `spidercar doctor` is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoctorWish {
    /// Try each part by itself.
    Look,
    /// Ask somebody at the car, and move it.
    Hands,
    /// Time the pictures for so many seconds.
    Video(u16),
}

/// What `spidercar calibrate` is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum CalibrateWish {
    /// Measure in a terminal.
    Terminal,
    /// Show what counts.
    Show,
    /// Save these pulses, by name and in microseconds.
    Save(Vec<(String, u16)>),
    /// Give up what was saved.
    Reset,
}

impl Work {
    /// The configuration that was given for it.
    #[must_use]
    pub fn given(&self) -> &Given {
        match self {
            Self::Run(given)
            | Self::Spider { given, .. }
            | Self::Watch { given, .. }
            | Self::Calibrate { given, .. }
            | Self::Doctor { given, .. }
            | Self::Neutral { given, .. } => given,
        }
    }
}

/// Where the configuration comes from, as the command line says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--set`, and flags that stand for a key.
    pub sets: Vec<Set>,
    /// Whether an installed configuration has nothing to do with it (`spider`, `watch`).
    pub built_in: bool,
}

impl Given {
    /// The arguments that give the same again, to a command that takes `--config` and `--set`.
    #[must_use]
    pub fn arguments(&self) -> Vec<OsString> {
        let file = self.config.iter().flat_map(|file| {
            let flag = OsString::from("--config");
            [flag, file.clone().into_os_string()]
        });
        let sets = self.sets.iter().flat_map(|set| {
            let said = format!("{}={}", set.key, set.value);
            ["--set".into(), said.into()]
        });
        file.chain(sets).collect()
    }
}

/// A command line that makes no sense, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Misuse(String);

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Misuse {}
