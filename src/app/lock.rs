//! One program at a time at the outputs and at the state file.
//!
//! `spidercar calibrate` and the service must not both write pulses to one ESC, nor both write one file. So each takes a
//! lock that the kernel keeps, and gives back when the process is gone, however it went.
//!
//! ```text
//!   run, calibrate ─▶ /run/lock/spidercar.lock   (outputs of a real car; there is one pair of wires)
//!                 └─▶ STATE-FILE.lock            (where there is a state file)
//! ```
//!
//! `spidercar neutral` takes none: neutral must always be possible.
//!
//! Promises: a lock that somebody holds is a refusal that says what to do; one that cannot be made is a warning.
//! Knows nothing of: what is done under it.
//! Sources: `flock(2)`.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::Fatal;
use crate::cli::Exit;
use crate::config::Drive;
use crate::config::hardware::Wiring;

/// Where the lock of a real car's outputs is. choice: Debian lets everybody make files there (FHS 3.0, 5.9), and it is
/// gone after a restart.
const OUTPUTS: &str = "/run/lock/spidercar.lock";

/// Locks that are held until this is dropped.
#[derive(Debug)]
pub struct Locks(Vec<File>);

impl Locks {
    /// Takes the locks of a car.
    ///
    /// # Errors
    /// Another process has one of them.
    pub fn take(drive: &Drive) -> Result<Self, Fatal> {
        let mut taken = Vec::new();
        for path in paths(drive) {
            match take(&path) {
                Ok(file) => taken.push(file),
                Err(TryLockError::WouldBlock) => {
                    let path = path.display();
                    return Err(Fatal::new(
                        Exit::HardwareMissing,
                        format!(
                            "another spidercar has the outputs (lock {path}): the service is running? `systemctl stop spidercar`"
                        ),
                    ));
                }
                Err(TryLockError::Error(err)) => {
                    let path = path.display();
                    tracing::warn!(%path, %err, "no lock can be made here: nothing keeps a second program from the outputs");
                }
            }
        }
        Ok(Self(taken))
    }

    /// How many are held.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

fn paths(drive: &Drive) -> Vec<PathBuf> {
    let outputs = (drive.output != Wiring::Sim).then(|| PathBuf::from(OUTPUTS));
    let state = drive.state_file.as_deref().map(beside);
    outputs.into_iter().chain(state).collect()
}

fn beside(state_file: &Path) -> PathBuf {
    let mut name = state_file
        .file_name()
        .map_or_else(OsString::new, OsString::from);
    name.push(".lock");
    state_file.with_file_name(name)
}

fn take(path: &Path) -> Result<File, TryLockError> {
    let file = open(path).map_err(TryLockError::Error)?;
    file.try_lock()?;
    Ok(file)
}

/// Opens the file, or makes it. To lock it nobody has to write it: it may be another user's.
fn open(path: &Path) -> io::Result<File> {
    match File::open(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_free_again_when_its_holder_is_gone() {
        let path = std::env::temp_dir().join(format!("spidercar-lock-{}", std::process::id()));
        let held = take(&path).unwrap();
        assert!(matches!(take(&path), Err(TryLockError::WouldBlock)));
        drop(held);
        take(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn the_lock_of_a_state_file_is_its_neighbour() {
        assert_eq!(
            beside(Path::new("/var/lib/spidercar/car.json")),
            Path::new("/var/lib/spidercar/car.json.lock")
        );
    }
}
