//! Every `board/*/spidercar.toml` is complete and good, and the simulated car's equals the defaults.
//!
//! The files are read as the car would read them, but on a machine that is made up: a board may name
//! certificates and secrets that are on its SD card and not here.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use spidercar::config::schema::{KEYS, TABLES};
use spidercar::config::{Config, Outside, RawConfig, Source, show};

/// A machine on which every file that a board names is there: `*.pem` holds a certificate and a key,
/// anything else a secret.
struct FittedOut;

impl Outside for FittedOut {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path.starts_with(boards()) {
            return fs::read(path);
        }
        let pem = path.extension().is_some_and(|end| end == "pem");
        let content = if pem {
            "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n\
             -----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"
        } else {
            "made-up-secret\n"
        };
        Ok(content.into())
    }

    fn variable(&self, _name: &str) -> Option<String> {
        Some("made-up-secret".into())
    }
}

fn boards() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("board")
}

/// The configuration of every board; a folder without one holds what boards share.
fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(boards())
        .expect("there is a folder of boards")
        .map(|entry| {
            entry
                .expect("it can be listed")
                .path()
                .join("spidercar.toml")
        })
        .filter(|file| file.exists())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no board has a configuration");
    files
}

fn read(file: &Path) -> RawConfig {
    RawConfig::read(&Source::File(file.to_owned()), &[], &FittedOut)
}

#[test]
fn every_board_is_a_good_configuration() {
    for file in files() {
        if let Err(report) = Config::from_raw(&read(&file), &FittedOut) {
            panic!("{}: {report}", file.display());
        }
    }
}

#[test]
fn every_board_says_every_key() {
    for file in files() {
        let said = read(&file).keys_said();
        let missing: BTreeSet<&str> = KEYS
            .iter()
            .filter(|id| !said.contains(id))
            .map(|id| id.key().path)
            .collect();
        assert!(
            missing.is_empty(),
            "{} does not say {missing:?}",
            file.display()
        );
    }
}

#[test]
fn every_key_of_a_board_has_a_comment_above_it() {
    for file in files() {
        let text = fs::read_to_string(&file).expect("a readable board");
        let mut above = "";
        for (number, line) in text.lines().enumerate() {
            let is_key = line.starts_with(|c: char| c.is_ascii_lowercase());
            assert!(
                !is_key || above.starts_with('#'),
                "{}:{}: {line}",
                file.display(),
                number + 1
            );
            above = line;
        }
    }
}

#[test]
fn the_simulated_car_equals_the_defaults() {
    let sim = read(&boards().join("sim/spidercar.toml"));
    let defaults = RawConfig::read(&Source::BuiltIn, &[], &FittedOut);
    for id in KEYS {
        let value = |raw: &RawConfig| raw.get(*id).map(|said| said.value);
        assert_eq!(value(&sim), value(&defaults), "{}", id.key().path);
    }
}

#[test]
fn the_simulated_car_is_what_check_prints() {
    let file = boards().join("sim/spidercar.toml");
    let text = fs::read_to_string(&file).expect("a readable board");
    let printed = show::effective(&RawConfig::read(&Source::BuiltIn, &[], &FittedOut));
    let first = text
        .lines()
        .zip(printed.lines())
        .position(|(ours, theirs)| ours != theirs);
    assert!(
        text == printed,
        "{}: line {:?} differs; write it anew with `spidercar check > board/sim/spidercar.toml`",
        file.display(),
        first.map(|line| line + 1)
    );
}

#[test]
fn every_key_and_table_is_documented_in_a_sentence() {
    for doc in KEYS
        .iter()
        .map(|id| id.key().doc)
        .chain(TABLES.iter().map(|table| table.doc))
    {
        let begins = doc.starts_with(|c: char| c.is_uppercase() || c == '"');
        assert!(begins && doc.ends_with(['.', '!']), "{doc:?}");
    }
}
