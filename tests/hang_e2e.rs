//! A driver call that never returns: the real program ends at neutral, with the code after which systemd starts it again,
//! and says which call it was. It takes the 30 s that a driver is given.

#![cfg(feature = "pi")]

mod harness;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use harness::{Folder, Program, last_write};

/// Longest wait. choice: 30 s, the limit of an orderly end, and what a machine that stands still adds.
const LONG: Duration = Duration::from_secs(120);

fn hang(folder: &Folder) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pi_files/hang.c");
    let library = folder.file("hang.so");
    let built = Command::new("cc")
        .args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status();
    assert!(built.is_ok_and(|status| status.success()), "cc hang.c");
    library
}

/// The program, in which opening this path never returns.
fn program(folder: &Folder, path: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spidercar"));
    command
        .env("LD_PRELOAD", hang(folder))
        .env("HANG_PATH", path)
        .args(args);
    command
}

/// Waits for the end and returns the exit code.
fn code(program: &mut Program) -> Option<i32> {
    let until = Instant::now() + LONG;
    while program.is_running() {
        assert!(
            Instant::now() < until,
            "it does not end\n{}",
            program.tail()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    program.wait()
}

#[test]
fn a_camera_that_never_opens_ends_the_car_at_neutral_with_code_3() {
    let folder = Folder::new("hang-camera");
    let actuators = folder.file("actuators.jsonl");
    let log = format!("sim.actuator_log={}", actuators.display());
    let args = [
        "run",
        "--set",
        "camera.source=v4l",
        "--set",
        "camera.device=/dev/video-of-a-test",
        "--set",
        "local.port=0",
        "--set",
        "local.tls_port=0",
        "--set",
        &log,
    ];
    let command = program(&folder, "/dev/video-of-a-test", &args);
    let mut car = Program::spawn(command, &folder, "car");
    assert_eq!(code(&mut car), Some(3), "{}", car.tail());
    let text = car.text();
    for words in [
        "camera: open it (",
        "has not returned for 30 s",
        "starts it again",
        "stopped at neutral",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    assert!(!text.contains("is tried again"), "it is not\n{text}");
    let last = last_write(&actuators).expect("neutral was written");
    assert_eq!((last.throttle_us, last.steering_us), (1500, 1500));
}

#[test]
fn a_sensor_that_never_answers_ends_a_car_that_stands() {
    let folder = Folder::new("hang-sensor");
    let args = ["run", "--set", "local.port=0", "--set", "local.tls_port=0"];
    let command = program(&folder, "/proc/meminfo", &args);
    let mut car = Program::spawn(command, &folder, "car");
    assert_eq!(code(&mut car), Some(3), "{}", car.tail());
    let text = car.text();
    assert!(text.contains("sensors: read the board's files ("), "{text}");
}

#[test]
fn doctor_says_which_part_never_answers() {
    let folder = Folder::new("hang-doctor");
    let args = [
        "doctor",
        "--set",
        "camera.source=v4l",
        "--set",
        "camera.device=/dev/video-of-a-test",
    ];
    let command = program(&folder, "/dev/video-of-a-test", &args);
    let mut doctor = Program::spawn(command, &folder, "doctor");
    assert_eq!(code(&mut doctor), Some(3), "{}", doctor.tail());
    let mut said = String::new();
    let stdout = doctor.child.stdout.as_mut().expect("a pipe");
    std::io::Read::read_to_string(stdout, &mut said).expect("UTF-8");
    assert!(
        said.contains("FAIL  video") && said.contains("has not returned for 30 s"),
        "{said}"
    );
}
