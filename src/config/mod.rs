//! From a file and a command line to a configuration that is known to be good.
//!
//! Two steps, as in a compiler. [`RawConfig`] is what was *said*: every key optional, each with the
//! line or flag that said it, each judged alone. [`Config`] is what it *means*: typed, in units,
//! checked as a whole. Both steps collect their problems, so one start shows all of them.
//!
//! ```text
//!  schema.rs: the one table of keys
//!      │
//!      ├──▶ raw.rs       file + --set  ─▶ RawConfig ─┬─▶ meaning/ ─▶ Config (settings.rs) ─▶ app
//!      │                                    problems ─┤              or Report (problem.rs)
//!      ├──▶ show.rs      RawConfig ─▶ complete, commented TOML (`check`, board/sim)
//!      └──▶ import.rs    calib_param.json of the old car ─▶ TOML
//! ```
//!
//! A hand-written reader over the `toml` crate's spans was chosen over deriving one with serde:
//! serde stops at the first error and forgets the lines.
//!
//! Promises: a [`Config`] can be used without checking anything again; no secret is in it but as a
//! [`Secret`]; a problem names file or flag, line, key, value and what is allowed.
//! Knows nothing of: devices, sockets, threads. Imports `logic` and nothing else of the crate.
//! Sources: README, configuration.

pub mod fault;
pub mod hardware;
pub mod holder;
pub mod ice;
pub mod import;
pub mod kind;
pub mod meaning;
pub mod nearest;
pub mod outside;
pub mod problem;
pub mod query;
pub mod raw;
pub mod relay;
pub mod rights;
pub mod schema;
pub mod secret;
pub mod settings;
pub mod show;
pub mod trust;
pub mod words;

use core::fmt;
use std::path::{Path, PathBuf};

pub use fault::SimFault;
pub use ice::{IceServer, Login};
pub use meaning::Outputs;
pub use outside::{Machine, Outside};
pub use problem::{Problem, Report};
pub use raw::RawConfig;
pub use relay::{Channel, Endpoint, SpiderUrl};
pub use secret::Secret;
pub use settings::{
    Camera, Certificate, Codec, Config, Drive, Ice, Local, Rear, Safety, Sim, Spider,
};
pub use trust::{Fingerprint, Trust};
pub use words::{
    CameraFormat, CameraSource, EncoderKind, EncoderLevel, EncoderProfile, FaultKind, IcePolicy,
    LogLevel, Output, RearSource, Rotation,
};

/// choice: where the SD card image keeps it (README, commands).
pub const INSTALLED: &str = "/etc/spidercar/spidercar.toml";

/// The built-in simulated car.
#[cfg(test)]
pub(crate) fn built_in() -> Config {
    with(&[])
}

/// The built-in simulated car, with some keys set.
#[cfg(test)]
pub(crate) fn with(sets: &[Set]) -> Config {
    let raw = RawConfig::read(&Source::BuiltIn, sets, &Machine);
    Config::from_raw(&raw, &Machine).expect("the defaults are good")
}

/// Where a configuration is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nowhere: the defaults, which are the simulated car.
    BuiltIn,
    /// This file.
    File(PathBuf),
}

impl Source {
    /// The file that was asked for, else the installed one if there is one, else the built-in one.
    #[must_use]
    pub fn find(asked: Option<&Path>) -> Self {
        Self::find_or(asked, Path::new(INSTALLED))
    }

    fn find_or(asked: Option<&Path>, installed: &Path) -> Self {
        match asked {
            Some(path) => Self::File(path.to_owned()),
            // A link that leads nowhere counts as there: the car must not drive simulated wheels because of it.
            None if installed.symlink_metadata().is_ok() => Self::File(installed.to_owned()),
            None => Self::BuiltIn,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("the built-in simulated car"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// One key that the command line sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// The dotted key.
    pub key: String,
    /// The value, as TOML or as plain text.
    pub value: String,
    /// The flag to name in messages: `--set`, `--listen`.
    pub flag: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_was_asked_for_is_taken_even_if_it_is_not_there() {
        let asked = Path::new("/nowhere/car.toml");
        assert_eq!(Source::find(Some(asked)), Source::File(asked.to_owned()));
    }

    #[test]
    fn without_a_file_the_installed_one_is_taken_if_it_is_there() {
        let folder = std::env::temp_dir().join(format!("spidercar-source-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the test");
        let installed = folder.join("spidercar.toml");
        assert_eq!(Source::find_or(None, &installed), Source::BuiltIn);

        std::os::unix::fs::symlink(folder.join("gone.toml"), &installed).expect("a link");
        assert_eq!(
            Source::find_or(None, &installed),
            Source::File(installed.clone())
        );

        std::fs::remove_dir_all(&folder).expect("the folder goes");
    }
}
