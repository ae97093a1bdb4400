//! The lock of a state file: its neighbour `STATE-FILE.lock`, which is made once and stays.
//!
//! | At the place of the lock | So |
//! | --- | --- |
//! | a file that another process has locked | refused |
//! | a file that may not be opened, a link, no plain file | refused: it counts as held |
//! | nothing, and it can be made | made, readable by everybody, and locked |
//! | nothing, and it cannot be made (no folder, a file in its place, read-only) | nobody holds it; nothing is stored before it can be taken |
//! | a file that was deleted or replaced meanwhile | taken anew before the next store, or nothing is stored |
//!
//! The last two are why [`StateLock::hold`] is asked before each store: whoever deletes a lock that is held gives it to
//! the next program, and from then on only that one stores.
//!
//! *Source:* `flock(2)`, `open(2)` (`O_NOFOLLOW`, `O_EXCL`).

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::{held, unknown};
use crate::app::Fatal;
use crate::config::rights;

/// Mode of the file: everybody can see who holds it. choice: to lock a file it need not be writable.
const MODE: u32 = 0o644;

/// How often a lock is taken that was replaced in the meantime. choice: it happens once a deletion, if ever.
const TRIES: u32 = 10;

/// What is locked, for people.
const WHAT: &str = "drive.state_file";

/// The lock of a state file, held until this is dropped.
#[derive(Debug)]
pub struct StateLock {
    path: PathBuf,
    held: Option<File>,
}

/// Why a lock was not taken.
enum NotTaken {
    /// Another process has it.
    Busy(File),
    /// It cannot be looked at.
    Unknown(String),
    /// It is not there, and cannot be made.
    Impossible(io::Error),
}

impl StateLock {
    /// Takes the lock of a state file.
    ///
    /// # Errors
    /// Another process has it, or may have it.
    pub fn take(state_file: &Path) -> Result<Self, Fatal> {
        let path = beside(state_file);
        match take(&path) {
            Ok(file) => Ok(Self {
                path,
                held: Some(file),
            }),
            Err(NotTaken::Busy(file)) => Err(held(WHAT, &path, &file)),
            Err(NotTaken::Unknown(why)) => Err(unknown(WHAT, &path, &why)),
            Err(NotTaken::Impossible(err)) => {
                tracing::debug!(path = %path.display(), %err, "no lock of drive.state_file can be made yet");
                Ok(Self { path, held: None })
            }
        }
    }

    /// Makes sure that the lock is this process's, so that the state file can be written.
    ///
    /// # Errors
    /// It is another's by now, or cannot be made.
    pub fn hold(&mut self) -> io::Result<()> {
        if self
            .held
            .as_ref()
            .is_some_and(|file| is_at(file, &self.path))
        {
            return Ok(());
        }
        let file = take(&self.path).map_err(|why| match why {
            NotTaken::Busy(_) => io::Error::other(format!(
                "another spidercar has the lock {}",
                self.path.display()
            )),
            NotTaken::Unknown(why) => io::Error::other(format!(
                "its lock {} cannot be looked at: {why}",
                self.path.display()
            )),
            NotTaken::Impossible(err) => err,
        })?;
        if self.held.replace(file).is_some() {
            let path = self.path.display();
            tracing::warn!(%path, "somebody deleted this lock while it was held; it was made anew");
        }
        Ok(())
    }
}

fn beside(state_file: &Path) -> PathBuf {
    let mut name = state_file
        .file_name()
        .map_or_else(OsString::new, OsString::from);
    name.push(".lock");
    state_file.with_file_name(name)
}

fn take(path: &Path) -> Result<File, NotTaken> {
    for _ in 0..TRIES {
        let Some(file) = open(path)? else {
            continue; // gone again, or made by another process in this instant
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(NotTaken::Busy(file)),
            Err(TryLockError::Error(err)) => return Err(NotTaken::Unknown(err.to_string())),
        }
        if is_at(&file, path) {
            return Ok(file);
        }
    }
    let why = "another program replaces it again and again";
    Err(NotTaken::Unknown(why.to_owned()))
}

/// Opens the file, or makes it. `None`: it came or went meanwhile, so try again.
fn open(path: &Path) -> Result<Option<File>, NotTaken> {
    // O_NONBLOCK: a FIFO in its place must not be waited for.
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or(0);
    let found = OpenOptions::new().read(true).custom_flags(flags).open(path);
    match found {
        Ok(file) => match file.metadata() {
            Ok(about) if about.is_file() => Ok(Some(file)),
            Ok(_) => Err(NotTaken::Unknown(
                "it is no plain file; remove it".to_owned(),
            )),
            Err(err) => Err(NotTaken::Unknown(err.to_string())),
        },
        Err(err) if err.kind() == ErrorKind::NotFound => make(path, flags),
        // A file where the folder should be: nobody can have a lock in there.
        Err(err) if err.kind() == ErrorKind::NotADirectory => Err(NotTaken::Impossible(err)),
        Err(err) if err.kind() == ErrorKind::PermissionDenied => {
            Err(NotTaken::Unknown(rights::denied(path)))
        }
        Err(_) if fs::symlink_metadata(path).is_ok_and(|about| about.is_symlink()) => Err(
            NotTaken::Unknown("it is a symbolic link; remove it".to_owned()),
        ),
        Err(err) => Err(NotTaken::Unknown(err.to_string())),
    }
}

fn make(path: &Path, flags: i32) -> Result<Option<File>, NotTaken> {
    let made = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(MODE)
        .custom_flags(flags)
        .open(path);
    match made {
        Ok(file) => {
            // A umask of 027 hides it from other users. File systems without modes refuse, and need none.
            let _ = file.set_permissions(Permissions::from_mode(MODE));
            Ok(Some(file))
        }
        Err(err) if err.kind() == ErrorKind::AlreadyExists => Ok(None),
        Err(err) => Err(NotTaken::Impossible(err)),
    }
}

/// Whether this is still the file of that name.
fn is_at(file: &File, path: &Path) -> bool {
    let place = |about: fs::Metadata| (about.dev(), about.ino());
    let named = fs::symlink_metadata(path).map(place);
    let ours = file.metadata().map(place);
    matches!((named, ours), (Ok(named), Ok(ours)) if named == ours)
}

#[cfg(test)]
mod tests;
