//! The process that holds a `flock`, by the kernel's list of locks.
//!
//! The list has process ids of the reader's own namespace; the name of a process may be hidden (`ProtectProc=` in the
//! unit). Both serve the text of an error only.
//!
//! *Source:* `proc_locks(5)`, kernel fs/locks.c `lock_get_status` ("%d: FLOCK  ADVISORY  WRITE 1234 00:05:1 0 EOF").

use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;

/// A process that has a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    id: u32,
    name: Option<String>,
    is_service: bool,
}

impl Holder {
    /// The command that ends it.
    pub(super) fn todo(&self) -> String {
        if self.is_service || self.name.is_none() {
            "`systemctl stop spidercar`".to_owned()
        } else {
            format!("`kill {}`, or `systemctl stop spidercar`", self.id)
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.id)?;
        match &self.name {
            Some(name) => write!(f, " {name:?}"),
            None => Ok(()),
        }
    }
}

/// The holder of the lock on an open file, if the kernel tells.
pub(super) fn of(file: &File) -> Option<Holder> {
    let about = file.metadata().ok()?;
    let device = about.dev();
    let wanted = (
        rustix::fs::major(device),
        rustix::fs::minor(device),
        about.ino(),
    );
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let id = locks.lines().find_map(|line| holder_in(line, wanted))?;
    let text = |file: &str| fs::read_to_string(format!("/proc/{id}/{file}")).ok();
    Some(Holder {
        id,
        name: text("comm").map(|name| name.trim().to_owned()),
        is_service: text("cgroup").is_some_and(|group| group.contains("/spidercar.service")),
    })
}

/// The process of a line, if the line is of a `flock` on this file.
fn holder_in(line: &str, wanted: (u32, u32, u64)) -> Option<u32> {
    let mut words = line.split_whitespace().skip(1);
    if words.next()? != "FLOCK" {
        return None;
    }
    let id = words.nth(2)?.parse().ok()?;
    let mut place = words.next()?.split(':');
    let device = |text: &str| u32::from_str_radix(text, 16).ok();
    let found = (
        device(place.next()?)?,
        device(place.next()?)?,
        place.next()?.parse().ok()?,
    );
    (found == wanted).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_found_by_device_and_inode() {
        let line = "7: FLOCK  ADVISORY  WRITE 1234 00:1a:4097 0 EOF";
        assert_eq!(holder_in(line, (0, 0x1a, 4097)), Some(1234));
        assert_eq!(holder_in(line, (0, 0x1a, 4098)), None);
        // Waits for the lock, and has it not.
        let waits = "7: -> FLOCK  ADVISORY  WRITE 1235 00:1a:4097 0 EOF";
        assert_eq!(holder_in(waits, (0, 0x1a, 4097)), None);
        let other = "8: POSIX  ADVISORY  WRITE 1234 00:1a:4097 0 EOF";
        assert_eq!(holder_in(other, (0, 0x1a, 4097)), None);
        assert_eq!(holder_in("", (0, 0, 0)), None);
    }
}
