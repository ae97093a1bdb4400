//! The lock of a board's outputs: on objects of the kernel that each user can open and nobody can replace.
//!
//! A lock file has an owner and a mode, may be deleted, and lives in a folder that may be missing or read-only. So the
//! lock is on folders that the kernel itself makes, opened for reading:
//!
//! ```text
//!   /dev                              devtmpfs   one for the whole board, in each mount and network namespace
//!   /sys/firmware/devicetree/base     sysfs      one for each network namespace; a container that has a /dev of its own
//!                                                may still see the board's /sys
//! ```
//!
//! It is one lock for the board, and not one for each pin or chip: a pin can be reached through three devices (PWM,
//! gpiomem, gpiochip), and two configurations need not agree on one of them. A car has one pair of wires.
//!
//! What passes it: a container that has both folders of its own and was given single devices. Any user can hold it, too,
//! which keeps the car from starting, and the error names the process.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use super::{held, unknown};
use crate::app::Fatal;

/// The places, of which at least one is there. kernel: drivers/base/devtmpfs.c; drivers/of/kobj.c (`base`).
const PLACES: [&str; 2] = ["/dev", "/sys/firmware/devicetree/base"];

/// What is locked, for people.
const WHAT: &str = "the board";

/// The lock of a board's outputs, held until this is dropped.
#[derive(Debug)]
pub struct OutputLock {
    _held: Vec<File>,
}

impl OutputLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// Another process has it, or may have it.
    pub fn take() -> Result<Self, Fatal> {
        take(&PLACES.map(Path::new))
    }
}

fn take(places: &[&Path]) -> Result<OutputLock, Fatal> {
    let mut taken = Vec::new();
    for place in places {
        let folder = match File::open(place) {
            Ok(folder) => folder,
            Err(err) if err.kind() == ErrorKind::NotFound => continue,
            Err(err) => return Err(unknown(WHAT, place, &err.to_string())),
        };
        match folder.try_lock() {
            Ok(()) => taken.push(folder),
            Err(TryLockError::WouldBlock) => return Err(held(WHAT, place, &folder)),
            Err(TryLockError::Error(err)) => return Err(unknown(WHAT, place, &err.to_string())),
        }
    }
    if taken.is_empty() {
        let place = places.first().copied().unwrap_or(Path::new("/dev"));
        return Err(unknown(WHAT, place, "it is not there"));
    }
    Ok(OutputLock { _held: taken })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::cli::Exit;

    fn places(name: &str) -> [PathBuf; 2] {
        let root =
            std::env::temp_dir().join(format!("spidercar-outputs-{name}-{}", std::process::id()));
        let places = [root.join("dev"), root.join("sys")];
        for place in &places {
            std::fs::create_dir_all(place).unwrap();
        }
        places
    }

    #[test]
    fn either_place_is_enough_to_keep_a_second_program_out() {
        let [dev, sys] = places("either");
        let nowhere = dev.join("nowhere");
        let held = take(&[&dev, &sys]).unwrap();
        for second in [[&dev, &sys], [&nowhere, &sys], [&dev, &nowhere]] {
            let refused = take(&second.map(PathBuf::as_path)).unwrap_err();
            assert_eq!(refused.exit, Exit::HardwareMissing);
            let text = refused.text;
            assert!(text.contains("another spidercar has the outputs"), "{text}");
            let me = format!("process {}", std::process::id());
            assert!(text.contains(&me), "{text}");
        }
        drop(held);
        take(&[&dev, &sys]).unwrap();
        std::fs::remove_dir_all(dev.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_board_without_any_place_is_a_refusal() {
        let [dev, sys] = places("nowhere");
        std::fs::remove_dir_all(dev.parent().unwrap()).unwrap();
        let refused = take(&[&dev, &sys]).unwrap_err();
        assert!(refused.text.contains("may have the outputs"), "{refused:?}");
    }
}
