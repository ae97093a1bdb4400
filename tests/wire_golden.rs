//! One real message a file, byte for byte: what the car hears and says (src/logic/EXTENSION.md).
//!
//! `in-*` files are decoded to the value they mean; `out-*` files are what the car's own encoder prints.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use spidercar::logic::camera::{CameraCommand, CameraWish, Dial, View};
use spidercar::logic::seal::{DriverSeal, Seals};
use spidercar::logic::units::{LeaseId, PulseWidth, Seq, Steering, Throttle};
use spidercar::logic::wire::{
    ArmCommand, Axis, Board, CalibrationCommand, CalibrationReport, Car, Change, DriveCommand,
    Incoming, LeaseCommand, Motion, MotionKey, Outgoing, Ping, Pong, Pulses, SealFields, Times,
    Tune, Video, ViewReport, Want, decode,
};

/// A key of a car, and what it calls its life. Others make the same seals of these files (tests/browser/unit/seal.test.mjs).
const KEY: &[u8] = b"a key that the Spider has not";
const EPOCH: u64 = 4_503_599_627_370_497;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/wire")
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(folder().join(format!("{name}.json"))).unwrap_or_else(|err| panic!("{name}: {err}"))
}

fn motion(key: MotionKey, milli_steps: i32) -> Incoming {
    Incoming::Motion(Motion { key, milli_steps })
}

fn pulses() -> Pulses {
    Pulses {
        throttle_min_us: 1000,
        throttle_zero_us: 1510,
        forward_zero_us: 1540,
        throttle_max_us: 2000,
        steering_min_us: 1000,
        steering_zero_us: 1480,
        steering_max_us: 2000,
        brake_us: 1300,
    }
}

fn heard() -> Vec<(&'static str, Incoming)> {
    let lease = LeaseId::new(7);
    vec![
        ("in-motion-forward", motion(MotionKey::Forward, 7000)),
        ("in-motion-back", motion(MotionKey::Back, 3000)),
        ("in-motion-left", motion(MotionKey::Left, 20_000)),
        ("in-motion-right", motion(MotionKey::Right, 0)),
        ("in-speed-maxspeed", Incoming::MaxSpeed { ticks: 420 }),
        (
            "in-drive",
            Incoming::Drive(DriveCommand {
                seq: Seq::new(12),
                t_ms: 123_456,
                throttle: Throttle::new(250).expect("in range"),
                steering: Steering::new(-100).expect("in range"),
                lease,
                tune: None,
            }),
        ),
        (
            "in-calibrate",
            Incoming::Drive(DriveCommand {
                seq: Seq::new(12),
                t_ms: 123_456,
                lease,
                tune: Some(Tune {
                    axis: Axis::Throttle,
                    pulse: PulseWidth::new(1540).expect("a pulse"),
                }),
                ..DriveCommand::default()
            }),
        ),
        (
            "in-calibration-save",
            Incoming::Calibration(CalibrationCommand {
                seq: Seq::new(13),
                t_ms: 123_460,
                lease,
                change: Change::Save(pulses()),
            }),
        ),
        (
            "in-calibration-reset",
            Incoming::Calibration(CalibrationCommand {
                seq: Seq::new(14),
                t_ms: 123_470,
                lease,
                change: Change::Reset,
            }),
        ),
        ("in-calibration-tell", Incoming::TellCalibration),
        (
            "in-camera-dial",
            Incoming::Camera(CameraCommand {
                lease,
                wish: CameraWish::Dial(Dial::ExposureUs, 8_000),
            }),
        ),
        (
            "in-camera-view",
            Incoming::Camera(CameraCommand {
                lease,
                wish: CameraWish::View(View::Rear),
            }),
        ),
        (
            "in-arm",
            Incoming::Arm(ArmCommand {
                seq: Seq::new(13),
                t_ms: 123_460,
                lease,
            }),
        ),
        ("in-stop", Incoming::Stop),
        (
            "in-lease",
            Incoming::Lease(LeaseCommand {
                id: lease,
                want: Want::Take,
            }),
        ),
        (
            "in-ping",
            Incoming::Ping(Ping {
                id: 1,
                t_ms: 123_456,
            }),
        ),
        (
            "in-view",
            Incoming::View(ViewReport {
                lease,
                rtt_ms: 40,
                age_ms: 95,
            }),
        ),
    ]
}

/// From a driver who has a secret.
fn secret() -> Vec<(&'static str, Incoming)> {
    vec![
        (
            "in-drive-secret",
            Incoming::Drive(DriveCommand {
                seq: Seq::new(12),
                t_ms: 123_456,
                throttle: Throttle::new(250).expect("in range"),
                steering: Steering::new(-100).expect("in range"),
                lease: LeaseId::with_secret(7, 4_294_967_295),
                tune: None,
            }),
        ),
        (
            "in-lease-secret",
            Incoming::Lease(LeaseCommand {
                id: LeaseId::with_secret(7, 99),
                want: Want::Take,
            }),
        ),
    ]
}

/// The same under seal: all that can have one, said by a driver with a secret.
fn sealed() -> Vec<(&'static str, Incoming)> {
    let lease = LeaseId::with_secret(7, 99);
    let with_secret = |message| match message {
        Incoming::Drive(drive) => Incoming::Drive(DriveCommand { lease, ..drive }),
        Incoming::Arm(arm) => Incoming::Arm(ArmCommand { lease, ..arm }),
        Incoming::Lease(wish) => Incoming::Lease(LeaseCommand { id: lease, ..wish }),
        Incoming::View(view) => Incoming::View(ViewReport { lease, ..view }),
        Incoming::Camera(camera) => Incoming::Camera(CameraCommand { lease, ..camera }),
        Incoming::Calibration(change) => {
            Incoming::Calibration(CalibrationCommand { lease, ..change })
        }
        other => other,
    };
    [
        ("in-drive-sealed", "in-drive"),
        ("in-calibrate-sealed", "in-calibrate"),
        ("in-arm-sealed", "in-arm"),
        ("in-lease-sealed", "in-lease"),
        ("in-view-sealed", "in-view"),
        ("in-camera-sealed", "in-camera-view"),
        ("in-calibration-save-sealed", "in-calibration-save"),
        ("in-calibration-reset-sealed", "in-calibration-reset"),
    ]
    .into_iter()
    .map(|(name, bare)| {
        let message = heard().into_iter().find(|(known, _)| *known == bare);
        (name, with_secret(message.expect("a message").1))
    })
    .collect()
}

fn said() -> Vec<(&'static str, Outgoing)> {
    let car = Car {
        v: 1,
        t_us: 4_524_832_142,
        state: 1,
        cause: 2,
        refusals: 0,
        throttle: 250,
        steering: -100,
        throttle_us: 1655,
        steering_us: 1450,
        seq: 12,
        lease: 7,
        accepted: 11,
        late: 1,
        replayed: 2,
        foreign: 3,
        malformed: 4,
        age_ms: 20,
        link: 1,
        limit: 1000,
        asker: 0,
        width: 1280,
        height: 720,
        fps: 30,
        kbps: 2480,
        target_kbps: 2500,
        encode_us: 4200,
        frames: 314,
        dropped: 1,
        uptime_s: 10,
        load_permille: 465,
        mem_kb: 17_484,
    };
    let bare = Board {
        v: 1,
        t_us: 4_524_832_142,
        cpu_permille: Some(465),
        mem_free_kb: Some(612_345),
        up_s: Some(4_524),
        ..Board::default()
    };
    let board = Board {
        battery: Some(1),
        battery_mv: Some(6_912),
        battery_ma: Some(-830),
        temp_celsius: Some(61),
        throttled: Some(0x5_0005),
        under_voltage: Some(1),
        wifi_dbm: Some(-58),
        modem_percent: Some(63),
        laps: Some(3),
        last_lap_ms: Some(12_345),
        sensor_errors: 1,
        laps_early: 2,
        edges_lost: 3,
        laps_untold: 4,
        link_drops: 5,
        link_failures: 6,
        restarts: 7,
        video_restarts: 8,
        output_errors: 9,
        delayed: 10,
        unsent: 11,
        ..bare
    };
    vec![
        (
            "out-pong",
            Outgoing::Pong(Pong {
                id: 1,
                t_ms: 123_456,
                car_us: 4_524_832_142,
                ..Pong::default()
            }),
        ),
        (
            "out-pong-sealed",
            Outgoing::Pong(Seals::new(KEY, None, EPOCH << 11).sealed(Pong {
                id: 1,
                t_ms: 123_456,
                car_us: 4_524_832_142,
                ..Pong::default()
            })),
        ),
        ("out-speed-maxspeed", Outgoing::MaxSpeed { ticks: 420 }),
        (
            "out-ir-detecttime",
            Outgoing::DetectTime {
                unix_us: 1_638_498_072_810_000,
            },
        ),
        ("out-car", Outgoing::Car(car)),
        ("out-board", Outgoing::Board(board)),
        ("out-board-bare", Outgoing::Board(bare)),
        ("out-video", Outgoing::Video(video())),
        ("out-calibration", Outgoing::Calibration(calibration())),
    ]
}

/// The rear camera through a device.
fn video() -> Video {
    Video {
        v: 1,
        t_us: 4_524_832_142,
        shows: 1,
        cameras: 2,
        camera: 1,
        hardware: 1,
        rung: 0,
        copies: 2,
        capture: Times([150, 4_100, 6_200, 9_000]),
        prepare: Times([150, 31, 63, 80]),
        encode: Times([150, 9_400, 12_000, 14_100]),
        hand_over: Times([150, 43, 90, 140]),
        send: Times([150, 210, 700, 2_300]),
        whole: Times([150, 14_000, 19_500, 24_000]),
    }
}

/// A calibration that was saved a moment ago.
fn calibration() -> CalibrationReport {
    CalibrationReport {
        v: 1,
        remote: 1,
        saved: 1,
        in_force: 0,
        stored: 2,
        answer: 1,
        seq: 13,
        lease: 7,
        beyond_us: 200,
        reversed: 0,
        pulses: pulses(),
    }
}

#[test]
fn every_message_that_is_heard_means_what_it_should() {
    for (name, expected) in heard().into_iter().chain(secret()).chain(sealed()) {
        assert_eq!(decode(&bytes(name)), Ok(expected), "{name}");
    }
}

/// The seals in the files were made by Python's hmac and struct, and not by this program.
#[test]
fn every_seal_is_the_one_that_others_make() {
    let driver = DriverSeal::new(KEY, EPOCH);
    for (name, message) in sealed() {
        let said = SealFields::of(&bytes(name)).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(
            Some(said.seal),
            driver.seal(&message, said.car_ms),
            "{name}"
        );
    }
}

#[test]
fn every_message_that_is_said_has_exactly_these_bytes() {
    for (name, message) in said() {
        let printed = String::from_utf8(message.encode().to_vec()).expect("text");
        assert_eq!(
            printed,
            String::from_utf8(bytes(name)).expect("text"),
            "{name}"
        );
    }
}

#[test]
fn every_file_of_the_folder_is_covered() {
    let covered: BTreeSet<_> = heard()
        .iter()
        .map(|(name, _)| format!("{name}.json"))
        .chain(secret().iter().map(|(name, _)| format!("{name}.json")))
        .chain(sealed().iter().map(|(name, _)| format!("{name}.json")))
        .chain(said().iter().map(|(name, _)| format!("{name}.json")))
        .collect();
    let found: BTreeSet<_> = fs::read_dir(folder())
        .expect("the folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(found, covered);
}
