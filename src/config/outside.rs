//! What a configuration may look at outside itself: files and environment variables.
//!
//! A configuration names files (certificates, secrets) and variables. They are looked at through
//! this trait, so that a test, or a gate that checks a board's file on a build machine, can say
//! what is there.
//!
//! Promises: never more than [`LONGEST`] bytes are read of any file.
//! Knows nothing of: what is in the files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::rights::denied;

/// choice: the largest file that is read, ten times what a bundle of all public CAs takes.
pub const LONGEST: u64 = 2 * 1024 * 1024;

/// Why a file could not be read.
pub type Unreadable = io::Error;

/// What a configuration may look at outside itself.
pub trait Outside {
    /// The bytes of a file.
    ///
    /// # Errors
    /// Whatever kept the file from being read.
    fn read(&self, path: &Path) -> Result<Vec<u8>, Unreadable>;

    /// The value of an environment variable, if it is set and is text.
    fn variable(&self, name: &str) -> Option<String>;
}

/// How a read that failed is told.
pub(super) fn cannot_read(path: &Path, error: &Unreadable) -> String {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return format!("cannot be read: {}", denied(path));
    }
    format!("cannot be read: {error}")
}

/// The machine that this program runs on.
#[derive(Clone, Copy, Debug)]
pub struct Machine;

impl Outside for Machine {
    fn read(&self, path: &Path) -> Result<Vec<u8>, Unreadable> {
        let mut bytes = Vec::new();
        File::open(path)?
            .take(LONGEST + 1)
            .read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length <= LONGEST) {
            Ok(bytes)
        } else {
            Err(io::Error::other(format!("larger than {LONGEST} bytes")))
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// A machine made up for a test: these files, these variables, and nothing else.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Shelf {
    files: Vec<(&'static str, Vec<u8>)>,
    variables: Vec<(&'static str, &'static str)>,
}

#[cfg(test)]
impl Shelf {
    pub(super) fn file(mut self, path: &'static str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path, content.into()));
        self
    }

    pub(super) fn set_variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }
}

#[cfg(test)]
impl Outside for Shelf {
    fn read(&self, path: &Path) -> Result<Vec<u8>, Unreadable> {
        let found = self.files.iter().find(|(name, _)| Path::new(name) == path);
        found
            .map(|(_, content)| content.clone())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn variable(&self, name: &str) -> Option<String> {
        let found = self.variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_never_ends_is_refused() {
        let error = Machine.read(Path::new("/dev/zero")).expect_err("no end");
        assert!(error.to_string().contains("larger than"), "{error}");
    }

    #[test]
    fn a_folder_and_a_missing_file_are_errors() {
        assert!(Machine.read(Path::new("/")).is_err());
        assert!(Machine.read(Path::new("/nowhere/at/all")).is_err());
    }
}
