//! The one file that the car writes for itself, in a way that a power cut leaves it old or new, and never half.
//!
//! ```text
//!   car.json.part ──write, fsync──┐                              car.json         the newest that is whole
//!   car.json ──link──▶ car.json.good.part ──rename──▶ car.json.good   the one before it
//!                                 └──rename──▶ car.json ──fsync of the folder──▶ only now it is told as stored
//! ```
//!
//! There is no moment without a whole file: the data is on the disk before its name is, and a rename is one or the other.
//! The copy before the last is kept for a card that returns other bytes than it was given. What cannot be read is put
//! aside under another name, for a person to look at, and the next best is used: the copy, then the configuration.
//!
//! Promises: reading changes nothing; after a crash between any two system calls the file is what it was before or what
//! it was to be; at most [`ASIDE`] damaged files are kept.
//! Knows nothing of: what the text means, when to write.
//! Sources: `rename(2)`, `fsync(2)` ("does not necessarily ensure that the entry in the directory ... has also reached
//! disk"), `ext4(5)` (data=ordered). The test that cuts the power is `tests/power_cut`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::learned::{Damage, LONGEST, Learned};

/// How many damaged files are kept. choice: the first one tells the story, and a card that fails writes many.
pub const ASIDE: u32 = 3;

/// The file, its copy and what is made on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFile {
    path: PathBuf,
}

/// Why a file that is there was not used.
#[derive(Debug)]
pub enum Unusable {
    /// It was read, and is not whole.
    Damaged(Damage),
    /// It could not be read.
    Unreadable(io::Error),
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged(damage) => damage.fmt(f),
            Self::Unreadable(err) => write!(f, "it cannot be read ({err})"),
        }
    }
}

/// Which of the files was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Used {
    /// The newest.
    Newest,
    /// The copy of the one before it.
    Copy,
    /// None: there is none, or none that is whole.
    #[default]
    None,
}

/// What was found on the disk.
#[derive(Debug, Default)]
pub struct Found {
    /// What it says.
    pub learned: Learned,
    /// Which file says so.
    pub used: Used,
    /// Those that were not used.
    pub unusable: Vec<(PathBuf, Unusable)>,
}

impl StateFile {
    /// The file at this path; nothing is touched yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what is there, and changes nothing.
    #[must_use]
    pub fn read(&self) -> Found {
        let mut found = Found::default();
        for (path, used) in [
            (self.path.clone(), Used::Newest),
            (self.beside("good"), Used::Copy),
        ] {
            match read(&path) {
                Ok(learned) => {
                    (found.learned, found.used) = (learned, used);
                    break;
                }
                Err(Unusable::Unreadable(err)) if err.kind() == ErrorKind::NotFound => {}
                Err(why) => found.unusable.push((path, why)),
            }
        }
        found
    }

    /// Makes the folder, if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make_folder(&self) -> io::Result<()> {
        let folder = self.folder();
        let known = folder.ancestors().find(|path| path.is_dir());
        if known == Some(folder) {
            return Ok(());
        }
        fs::create_dir_all(folder)?;
        // Its name is an entry of the folder above, and so on up to one that was there.
        for above in folder.ancestors().skip(1) {
            sync_folder(above)?;
            if Some(above) == known {
                break;
            }
        }
        Ok(())
    }

    /// Puts a damaged file aside, so that it is there to be looked at and in nobody's way. Says under which name.
    ///
    /// # Errors
    /// The folder cannot be changed.
    pub fn put_aside(&self, damaged: &Path) -> io::Result<PathBuf> {
        let name = |number: u32| self.beside(&format!("bad-{number}"));
        for number in (1..ASIDE).rev() {
            match fs::rename(name(number), name(number + 1)) {
                Err(err) if err.kind() != ErrorKind::NotFound => return Err(err),
                Ok(()) | Err(_) => {}
            }
        }
        fs::rename(damaged, name(1))?;
        sync_folder(self.folder())?;
        Ok(name(1))
    }

    /// Writes this, and returns when no power cut can take it away any more.
    ///
    /// # Errors
    /// The disk is full, or cannot be written. What was there before is there still.
    pub fn store(&self, learned: &Learned) -> io::Result<()> {
        let part = self.beside("part");
        write_through(&part, learned.encode().as_bytes())?;
        self.keep_copy()?;
        fs::rename(&part, &self.path)?;
        sync_folder(self.folder())
    }

    /// Makes what is there the copy, if it is whole: a copy that is must not be lost to one that is not.
    fn keep_copy(&self) -> io::Result<()> {
        let Ok(old) = read(&self.path) else {
            return Ok(());
        };
        let (next, good) = (self.beside("good.part"), self.beside("good"));
        match fs::remove_file(&next) {
            Err(err) if err.kind() != ErrorKind::NotFound => return Err(err),
            Ok(()) | Err(_) => {}
        }
        if fs::hard_link(&self.path, &next).is_err() {
            // A file system without links, such as that of the boot partition.
            write_through(&next, old.encode().as_bytes())?;
        }
        fs::rename(&next, &good)
    }

    /// A name of ours in the same folder.
    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self
            .path
            .file_name()
            .map_or_else(OsString::new, OsString::from);
        name.push(".");
        name.push(ending);
        self.path.with_file_name(name)
    }

    /// The folder that it is in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        let folder = self.path.parent().filter(|path| *path != Path::new(""));
        folder.unwrap_or(Path::new("."))
    }
}

/// Returns when the names in a folder are on the disk.
fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = Some(folder).filter(|path| *path != Path::new(""));
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn read(path: &Path) -> Result<Learned, Unusable> {
    let mut text = Vec::new();
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)
        .and_then(|file| file.take(most).read_to_end(&mut text))
        .map_err(Unusable::Unreadable)?;
    Learned::decode(&text).map_err(Unusable::Damaged)
}

/// Writes a file, and returns when its bytes are on the disk.
fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
