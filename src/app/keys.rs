//! Makes a key, in a file of its own that only its user can read.
//!
//! Keys that people think up are short, and the same everywhere. This one is 125 bits, in characters that can be read out
//! on a telephone and typed on one.
//!
//! Invariants: a file that is there is never touched; nothing of a key is printed, or readable by others for a moment.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// How a write that failed is told.
fn cannot_write(file: &Path, err: &std::io::Error) -> String {
    format!("{} cannot be written: {err}", file.display())
}

/// 32 characters, none of which looks like another one. spec: Crockford's base 32, in small letters.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Groups of a key, and characters of each: 25 times 5 bits.
const GROUPS: usize = 5;
const EACH: usize = 5;

/// A new key.
fn new_key() -> String {
    let mut drawn = rand::random::<u128>();
    let mut key = String::with_capacity(GROUPS * (EACH + 1));
    for at in 0..GROUPS * EACH {
        if at > 0 && at.is_multiple_of(EACH) {
            key.push('-');
        }
        let place = usize::try_from(drawn & 31).unwrap_or_default(); // masked: it fits
        key.extend(ALPHABET.get(place).copied().map(char::from));
        drawn >>= 5;
    }
    key
}

/// Writes a new key into a new file.
///
/// # Errors
/// What is wrong, in words; the file is not there then, or as it was.
pub fn make(file: &Path) -> Result<(), String> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    let mut made = made.map_err(|err| match err.kind() {
        ErrorKind::AlreadyExists => format!(
            "{} is there already, and others may have the key in it: name another file, or remove this one first",
            file.display()
        ),
        _ => cannot_write(file, &err),
    })?;
    let written = writeln!(made, "{}", new_key()).and_then(|()| made.sync_all());
    written.map_err(|err| {
        let _ = std::fs::remove_file(file); // half a key is none; what is wrong is told either way
        cannot_write(file, &err)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_are_long_different_and_can_be_typed() {
        let keys: BTreeSet<String> = (0..100).map(|_| new_key()).collect();
        assert_eq!(keys.len(), 100);
        for key in &keys {
            assert_eq!(key.len(), 29, "{key}");
            let groups: Vec<_> = key.split('-').collect();
            assert_eq!(groups.len(), GROUPS);
            assert!(
                groups
                    .iter()
                    .all(|group| group.bytes().all(|byte| ALPHABET.contains(&byte))),
                "{key}"
            );
        }
        let used: BTreeSet<u8> = keys.iter().flat_map(|key| key.bytes()).collect();
        assert_eq!(used.len(), ALPHABET.len() + 1, "all of them, and the dash");
    }

    #[test]
    fn a_file_is_its_users_alone_and_one_that_is_there_stays() {
        let folder = std::env::temp_dir().join(format!("spidercar-keys-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("key");
        make(&file).unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let first = std::fs::read_to_string(&file).unwrap();
        let refused = make(&file).unwrap_err();
        assert!(refused.contains("is there already"), "{refused}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), first);
        let nowhere = make(&folder.join("no/key")).unwrap_err();
        assert!(nowhere.contains("no/key"), "{nowhere}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
