//! Who a car is to a Spider: a text with which it proves that it is the same publisher as before.
//!
//! A car that comes back with another address, or after a power cut, finds its channel taken by its own old session, of whose
//! end the Spider has not heard. Only the same publisher may replace it at once, so the proof is something that nobody else
//! can say:
//!
//! ```text
//!   real outputs ───▶ their lock: one program on this machine ──┐
//!   state file ─────▶ its lock: one program on this file ───────┼▶ hash of machine, file, Spider and channel: the same after a
//!                                                               │  power cut
//!   neither ────────▶ anybody may start a second one ───────────┴▶ random: the same until this program ends
//! ```
//!
//! The machine's id is for programs on this machine alone (`machine-id(5)`: "should be considered confidential ... hash it"); the
//! board's serial number tells copies of one card apart. With the Spider in the hash, one Spider cannot use it at another.
//!
//! Promises: 64 hexadecimal digits, never logged. Knows nothing of: how it is sent.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::config::hardware::Wiring;
use crate::config::{Config, Secret, SpiderUrl};

/// Where a machine says who it is. spec: machine-id(5); kernel: Documentation/devicetree/usage-model.rst.
const MACHINE: &str = "/etc/machine-id";
const BOARD: &str = "/sys/firmware/devicetree/base/serial-number";

/// Digits of a machine's id. spec: machine-id(5): "a single newline-terminated, hexadecimal, 32-character, lowercase ID".
const MACHINE_DIGITS: usize = 32;

/// The proof of this car, whose locks are held.
#[must_use]
pub fn of(config: &Config) -> Secret {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let lasting = lasting(config, &read(MACHINE), &read(BOARD));
    Secret::new(lasting.unwrap_or_else(|| hash(&[&rand::random::<u128>().to_string()])))
}

/// One that is the same after a power cut; `None` where another program of this machine could say it too.
fn lasting(config: &Config, machine: &str, board: &str) -> Option<String> {
    let machine = machine.trim();
    if machine.len() != MACHINE_DIGITS {
        return None; // not set up yet
    }
    let file = match config.drive.state_file.as_deref() {
        Some(file) => place(file)?,
        None if config.drive.output == Wiring::Sim => return None,
        None => String::new(),
    };
    let spider = match &config.spider.url {
        SpiderUrl::Local => String::new(),
        SpiderUrl::Remote(endpoint) => endpoint.to_string(),
    };
    let channel = config.spider.channel.as_str();
    Some(hash(&[machine, board, &file, &spider, channel]))
}

/// A file that has one lock, by whichever name its folder is called.
fn place(file: &Path) -> Option<String> {
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    let about = fs::metadata(folder.unwrap_or(Path::new("."))).ok()?;
    let name = file.file_name()?.to_string_lossy();
    Some(format!("{} {name}", about.ino()))
}

fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new_with_prefix(b"spidercar publisher");
    for part in parts {
        hash.update([0]); // no part holds one, but for the board's, which ends in one
        hash.update(part.as_bytes());
    }
    hash.finalize()
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}"); // a String takes everything
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Set, with};

    const ID: &str = "0123456789abcdef0123456789abcdef\n";

    /// The simulated car with these keys set.
    fn car(sets: &[(&str, &str)]) -> Config {
        let set = |(key, value): &(&str, &str)| Set {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
            flag: "--set".to_owned(),
        };
        with(&sets.iter().map(set).collect::<Vec<_>>())
    }

    /// One with a state file in a folder that is there.
    fn with_file(name: &str, more: &[(&str, &str)]) -> Config {
        let file = std::env::temp_dir().join(name);
        let file = file.to_str().expect("UTF-8").to_owned();
        let mut sets = vec![("drive.state_file", file.as_str())];
        sets.extend(more);
        car(&sets)
    }

    #[test]
    fn it_is_the_same_each_time_and_another_for_each_part() {
        let first = lasting(&with_file("car.json", &[]), ID, "10000000abcdef01\0");
        assert!(first.as_ref().is_some_and(|text| text.len() == 64));
        let again = lasting(&with_file("car.json", &[]), ID, "10000000abcdef01\0");
        assert_eq!(first, again);
        let channel = [("spider.channel", "c9abcdefghijklmnopqg")];
        let spider = [("spider.url", "ws://spider.example:8266")];
        for other in [
            lasting(&with_file("car2.json", &[]), ID, "10000000abcdef01\0"),
            lasting(&with_file("car.json", &[]), ID, "10000000abcdef02\0"),
            lasting(
                &with_file("car.json", &[]),
                &ID.replace('0', "1"),
                "10000000abcdef01\0",
            ),
            lasting(&with_file("car.json", &channel), ID, "10000000abcdef01\0"),
            lasting(&with_file("car.json", &spider), ID, "10000000abcdef01\0"),
        ] {
            assert!(other.is_some() && other != first, "{other:?}");
        }
    }

    #[test]
    fn what_a_second_program_could_say_too_does_not_last() {
        assert_eq!(lasting(&car(&[]), ID, ""), None, "neither lock");
        for unset in ["", "\n", "uninitialized\n"] {
            assert_eq!(lasting(&with_file("car.json", &[]), unset, ""), None);
        }
        let (one, two) = (of(&car(&[])), of(&car(&[])));
        assert!(one.expose().len() == 64 && !one.matches(two.expose()));
    }

    #[test]
    fn a_folder_counts_by_what_it_is_and_not_by_its_name() {
        let folder = std::env::temp_dir();
        let other_name = folder.join(".").join("car.json");
        assert_eq!(place(&folder.join("car.json")), place(&other_name));
        assert_eq!(place(Path::new("/nowhere/at/all/car.json")), None);
    }
}
