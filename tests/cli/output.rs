//! Where output goes, and what happens if it goes nowhere.

use std::process::Command;
use std::{fs, io};

use super::{Ended, Folder};

#[test]
fn help_and_version_go_to_stdout() {
    let folder = Folder::new(&[]);
    for command in [
        "run",
        "spider",
        "watch",
        "check",
        "doctor",
        "neutral",
        "calibrate",
    ] {
        let ended = folder.run(&[command, "--help"]);
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(0), ""),
            "{command}: {ended:?}"
        );
        for part in [
            &format!("Usage: spidercar {command}"),
            "Examples:\n",
            "Exit codes:\n",
        ] {
            assert!(ended.stdout.contains(part), "{part} in {}", ended.stdout);
        }
        assert_eq!(ended.stdout, folder.run(&["help", command]).stdout);
    }
    let version = folder.run(&["--version"]);
    let named = concat!("spidercar ", env!("CARGO_PKG_VERSION"), " (source ");
    assert!(version.stdout.starts_with(named), "{}", version.stdout);
    assert_eq!(folder.run(&["--help"]).code, Some(0));
}

#[test]
fn a_reader_that_stops_reading_ends_the_program_quietly() {
    let folder = Folder::new(&[("car.toml", "")]);
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    let mut command = folder.spidercar(&["check", "--config", "car.toml"]);
    let ended = Ended::of(&command.stdout(writer).output().expect("it starts"));
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
}

#[test]
fn a_stdout_that_cannot_take_the_data_is_an_error() {
    let folder = Folder::new(&[("car.toml", "")]);
    let full = fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let mut command = folder.spidercar(&["check", "--config", "car.toml"]);
    let ended = Ended::of(&command.stdout(full).output().expect("it starts"));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended
            .stderr
            .starts_with("spidercar: cannot write to stdout: No space left"),
        "{ended:?}"
    );
}

#[test]
fn the_exit_code_is_right_even_if_stderr_is_gone() {
    let folder = Folder::new(&[]);
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    let ended = Ended::of(
        &folder
            .spidercar(&["rnu"])
            .stderr(writer)
            .output()
            .expect("it starts"),
    );
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

#[test]
fn neutral_goes_on_without_the_rest_of_the_configuration_and_says_so() {
    let folder = Folder::new(&[(
        "car.toml",
        "[camera]\nfps = 99\n[spider]\npassword = 'hunter2'\n",
    )]);
    let mut command = folder.spidercar(&["neutral", "--config", "car.toml"]);
    let ended = Ended::of(
        &command
            .env("JOURNAL_STREAM", "1:2")
            .output()
            .expect("it starts"),
    );
    assert_ne!(ended.code, Some(2), "{ended:?}");
    // Under journald a line begins with its level: the journal has the time.
    let expected = " WARN spidercar: neutral goes on without this part of the configuration problem=car.toml:2: camera.fps = 99";
    assert!(ended.stderr.starts_with(expected), "{}", ended.stderr);
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
}

/// A file without end whose first line has none either.
#[test]
fn a_replay_of_what_is_no_record_ends_at_once() {
    let output = Command::new("timeout")
        .args(["10", env!("CARGO_BIN_EXE_spidercar"), "replay", "/dev/zero"])
        .output()
        .expect("timeout(1)");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("line 1: no line of a record"), "{text}");
}
