//! A car with a CSI camera is two programs: the one that everything starts, and the one with libcamera that takes its place.
//!
//! Each test lays them out as a card has them (`bin/spidercar`, `lib/spidercar/spidercar-csi`). The second one is a script,
//! or, where the loader's own words count, a program that was linked to a library which is gone.

#![cfg(not(feature = "libcamera"))]

mod harness;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{CHANNEL, Folder, Operator, Program, SMALL, last_write, until};
use spidercar::cli::{VERSION, WITH_LIBCAMERA};

const WANTED: [&str; 2] = ["--set", "camera.source=libcamera"];

/// What telemetry says of the video while the still is shown that says why there is no picture.
const STILL: u64 = 2;

/// A folder with the program in `bin`, and nothing beside it yet.
fn installed(name: &str) -> Folder {
    let folder = Folder::new(name);
    fs::create_dir_all(folder.file("bin")).expect("a step of the test");
    fs::create_dir_all(folder.file("lib/spidercar")).expect("a step of the test");
    let program = Path::new(env!("CARGO_BIN_EXE_spidercar"));
    if fs::hard_link(program, folder.file("bin/spidercar")).is_err() {
        fs::copy(program, folder.file("bin/spidercar")).expect("a step of the test");
    }
    folder
}

fn second(folder: &Folder) -> PathBuf {
    folder.file("lib/spidercar/spidercar-csi")
}

/// Puts a script in the second program's place. It says `version`, and otherwise what it was started as, and ends with 40.
fn script(folder: &Folder, version: &str) {
    let text = format!(
        "#!/bin/sh\n[ \"$1\" != --version ] || {{ echo '{version}'; exit; }}\necho \"$$ $NOTIFY_SOCKET $*\" >'{}'\nexit 40\n",
        folder.file("started").display()
    );
    fs::write(second(folder), text).expect("a step of the test");
    fs::set_permissions(second(folder), fs::Permissions::from_mode(0o755))
        .expect("a step of the test");
}

fn command(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = Command::new(folder.file("bin/spidercar"));
    command.args(arguments);
    command
}

/// Arguments of a small car with a CSI camera, its own Spider and a log of its outputs.
fn car(folder: &Folder) -> Vec<String> {
    let log = format!(
        "sim.actuator_log={}",
        folder.file("actuators.jsonl").display()
    );
    let channel = format!("spider.channel={CHANNEL}");
    let sets = ["local.port=0", "local.tls_port=0", &channel, &log];
    let sets = sets.into_iter().flat_map(|set| ["--set", set]);
    ["run"]
        .into_iter()
        .chain(SMALL)
        .chain(WANTED)
        .chain(sets)
        .map(str::to_owned)
        .collect()
}

fn run(folder: &Folder) -> Command {
    let arguments = car(folder);
    command(
        folder,
        &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
    )
}

#[test]
fn the_program_with_libcamera_takes_over_as_the_same_process_and_the_outputs_are_neutral_before() {
    let folder = installed("csi-takes-over");
    script(&folder, &format!("{VERSION}{WITH_LIBCAMERA}"));
    let mut command = run(&folder);
    command.env("NOTIFY_SOCKET", "/nonexistent");
    let mut program = Program::spawn(command, &folder, "car");
    let id = program.child.id();
    assert_eq!(program.wait(), Some(40), "{}", program.tail());
    let started = fs::read_to_string(folder.file("started")).expect("a step of the test");
    assert_eq!(
        started.trim(),
        format!("{id} /nonexistent {}", car(&folder).join(" "))
    );
    let neutral = last_write(&folder.file("actuators.jsonl")).expect("neutral was written before");
    assert_eq!((neutral.throttle_us, neutral.steering_us), (1500, 1500));
}

#[test]
fn doctor_asks_it_too_and_whatever_needs_no_camera_asks_for_none() {
    let folder = installed("csi-who");
    script(&folder, &format!("{VERSION}{WITH_LIBCAMERA}"));
    let started = |arguments: &[&str]| {
        let _ = fs::remove_file(folder.file("started"));
        let arguments = [arguments, &WANTED].concat();
        let ended = command(&folder, &arguments)
            .output()
            .expect("a step of the test")
            .status
            .code();
        (ended, folder.file("started").exists())
    };
    assert_eq!(started(&["doctor"]), (Some(40), true));
    assert_eq!(started(&["neutral"]), (Some(0), false));
    assert_eq!(started(&["check"]), (Some(0), false));
    let show = started(&[
        "calibrate",
        "--show",
        "--set",
        "drive.state_file=/nonexistent/state",
    ]);
    assert!(!show.1);
    let ended = command(&folder, &["doctor", "--set", "camera.source=sim"])
        .output()
        .expect("a step of the test");
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(said.contains("camera    sim"), "{said}");
}

/// The car runs, publishes the still, and says `why`.
async fn runs_without_a_picture(folder: &Folder, why: &[&str]) {
    let mut car = Program::listening(run(folder), folder, "car");
    let operator = Operator::connect(&car.url()).await;
    until("the still that says why", || {
        let video = operator.video();
        video.is_some_and(|video| {
            video.get("shows").and_then(serde_json::Value::as_u64) == Some(STILL)
        })
    })
    .await;
    let text = car.text();
    for word in why {
        assert!(text.contains(word), "{word:?} is not in\n{text}");
    }
    car.signal("-TERM");
    assert_eq!(car.wait(), Some(0), "{}", car.tail());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_second_program_the_car_runs_and_says_what_is_missing() {
    let folder = installed("csi-missing");
    let path = second(&folder).display().to_string();
    runs_without_a_picture(&folder, &[&path, "is missing", "scripts/deploy.sh"]).await;
    let doctor = command(&folder, &[&["doctor"], &WANTED[..]].concat())
        .output()
        .expect("a step of the test");
    let said = String::from_utf8_lossy(&doctor.stdout);
    let lines: Vec<_> = said
        .lines()
        .filter(|line| line.contains("is missing"))
        .collect();
    assert!(
        matches!(lines[..], [line] if line.starts_with("FAIL  camera")),
        "{said}"
    );
    assert_eq!(doctor.status.code(), Some(3));
}

/// What an upgrade of the system does: the library that it was linked to is gone, and the loader says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_library_that_an_upgrade_removed_costs_the_picture_and_not_the_car() {
    let folder = installed("csi-library");
    let compile = |source: &str, arguments: &[&str]| {
        fs::write(folder.file("source.c"), source).expect("a step of the test");
        let mut compiler = Command::new("cc");
        compiler
            .arg("source.c")
            .args(arguments)
            .current_dir(&folder.0);
        let done = compiler.status();
        assert!(done.is_ok_and(|status| status.success()), "{compiler:?}");
    };
    let library = "libcamera.so.0.7";
    compile(
        "int camera(void) { return 0; }",
        &[
            "-shared",
            "-fPIC",
            "-Wl,-soname,libcamera.so.0.7",
            "-o",
            library,
        ],
    );
    let path = second(&folder).display().to_string();
    compile(
        "int camera(void); int main(void) { return camera(); }",
        &["-o", &path, library],
    );
    fs::remove_file(folder.file("libcamera.so.0.7")).expect("a step of the test");
    let why = "this system has no libcamera.so.0.7";
    runs_without_a_picture(&folder, &[why, "install the package libcamera0.7"]).await;
    let neutral = command(&folder, &[&["neutral"], &WANTED[..]].concat())
        .status()
        .expect("a step of the test");
    assert_eq!(neutral.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_another_source_or_the_very_same_program_is_not_started() {
    let folder = installed("csi-other");
    script(&folder, "spidercar 0.0.9 (source 00000000) with libcamera");
    runs_without_a_picture(&folder, &["0.0.9", "both must be of one build"]).await;
    fs::remove_file(second(&folder)).expect("a step of the test");
    fs::copy(folder.file("bin/spidercar"), second(&folder)).expect("a step of the test");
    runs_without_a_picture(&folder, &["both must be of one build"]).await;
    assert!(!folder.file("started").exists());
}
