//! Calibrating, end to end: over the network with the actuator log as the judge, through a restart, and by hand.

mod harness;

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use harness::operator::newest;
use harness::{Car, Folder, Operator, Program, SMALL, until, writes};

/// Runs the program to its end.
fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spidercar"))
        .args(args)
        .output()
        .expect("the program starts")
}

fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

fn state_file(folder: &Folder) -> String {
    format!("drive.state_file={}", folder.file("car.json").display())
}

/// `spidercar calibrate` with a state file.
fn calibrate(set: &str, args: &[&str]) -> Output {
    run(&[&["calibrate", "--set", set], args].concat())
}

async fn tell(operator: &Operator) {
    operator
        .send("stream", r#"{"calibration":{"action":0}}"#)
        .await;
    until("a calibration", || operator.calibration().is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_driver_tunes_and_saves_and_the_car_has_it_after_a_restart() {
    let folder = Folder::new("calibrate");
    let state = state_file(&folder);
    let mut car = Car::local("calibrate", &[&state]);
    let mut operator = Operator::connect(&car.program.url()).await;
    tell(&operator).await;
    assert_eq!(
        (operator.told("remote"), operator.told("saved")),
        (Some(1), Some(0))
    );

    car.undisturbed(async || {
        operator.take_over().await;
        let before = writes(&car.actuators).len();
        operator
            .tune_until(1, 1560, "a throttle of 1560 us", || {
                car.last().is_some_and(|last| last.throttle_us == 1560)
            })
            .await;
        // From neutral, by 250 us a second and never more: the log has each pulse on the way.
        let way = car.since(before);
        for pair in way.windows(2) {
            let rise = pair[1].throttle_us.saturating_sub(pair[0].throttle_us);
            let most = (pair[1].t_us - pair[0].t_us).min(20_000) * 250 / 1_000_000 + 1;
            assert!(rise <= most, "{pair:?}");
        }
        assert!(
            way.iter()
                .all(|write| write.cause == "calibrate" && write.steering_us == 1500),
            "{way:?}"
        );
        operator
            .tune_until(2, 1700, "steering at 1700 us", || {
                car.last().is_some_and(|last| last.steering_us == 1700)
            })
            .await;
        assert_eq!(car.last().map(|last| last.throttle_us), Some(1500));
        // He falls silent: neutral from the hold on.
        let before = writes(&car.actuators).len();
        until("neutral", || {
            car.last().is_some_and(|last| last.steering_us == 1500)
        })
        .await;
        let first = car
            .since(before)
            .into_iter()
            .find(|write| write.steering_us == 1500);
        assert_eq!(first.expect("it is neutral").cause, "coast");
    })
    .await;

    // Another neutral each time: one that is in force already would change nothing.
    let mut neutral_us = 1509;
    car.undisturbed(async || {
        operator.take_over().await;
        let before = car.last().map(|last| last.throttle_us);
        neutral_us += 1;
        let seq = operator.save_neutral(neutral_us, 1480).await;
        let told = Arc::clone(&operator.metrics);
        let number = |field: &str| newest(&told, "calibration")?.get(field)?.as_u64();
        operator
            .hold_until(0, "the answer", || number("seq") == Some(seq))
            .await;
        assert_eq!((number("answer"), number("in_force")), (Some(1), Some(0)));
        let now = car.last().map(|last| last.throttle_us);
        assert_eq!(now, before, "he is still driving");
    })
    .await;
    operator.want(0).await;
    until("the new neutral", || {
        car.last().is_some_and(|last| {
            (last.throttle_us, last.steering_us, last.cause.as_str())
                == (neutral_us, 1480, "calibrate")
        })
    })
    .await;
    until("the word that it is on the disk", || {
        operator.told("stored") == Some(2)
    })
    .await;
    until("the word that it is in force", || {
        operator.told("in_force") == Some(1)
    })
    .await;

    // The same life ends at the new neutral, and the next one begins there.
    car.program.signal("-KILL");
    let _ = car.program.wait();
    let neutral = run(&["neutral", "--set", &state, "--set", &log(&car.actuators)]);
    assert!(neutral.status.success(), "{}", said(&neutral));
    assert_eq!(car.last().map(|last| last.throttle_us), Some(neutral_us));
    let again = Car::local("calibrated", &[&state]);
    until("the first write of the next life", || {
        !writes(&again.actuators).is_empty()
    })
    .await;
    let first = writes(&again.actuators)[0].clone();
    assert_eq!(
        (first.throttle_us, first.steering_us, first.cause.as_str()),
        (neutral_us, 1480, "start")
    );
    let shown = calibrate(&state, &["--show"]);
    assert!(
        said(&shown).contains(&format!("throttle_zero_us = {neutral_us}")),
        "{}",
        said(&shown)
    );
}

fn log(path: &Path) -> String {
    format!("sim.actuator_log={}", path.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_wheels_on_the_ground_and_a_car_that_is_not_live_move_nothing() {
    let car = Car::local("tune-refused", &[]);
    let mut operator = Operator::connect(&car.program.url()).await;
    let mut stranger = Operator::connect(&car.program.url()).await;
    stranger.lease = 2;
    for _ in 0..20 {
        operator.tune(1, 1, 1700).await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    operator.take_over().await;
    for _ in 0..30 {
        operator.tune(0, 1, 1700).await;
        stranger.tune(1, 1, 1900).await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    until("the stranger's commands to be counted", || {
        operator.number("foreign").is_some_and(|count| count >= 20)
    })
    .await;
    let moved: Vec<_> = writes(&car.actuators)
        .into_iter()
        .filter(|write| write.throttle_us != 1500)
        .collect();
    assert_eq!(moved, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_car_can_refuse_to_be_calibrated_over_the_network() {
    let car = Car::local("no-remote", &["drive.remote_calibration=off"]);
    let mut operator = Operator::connect(&car.program.url()).await;
    tell(&operator).await;
    assert_eq!(operator.told("remote"), Some(0));
    operator.take_over().await;
    let seq = operator.save_neutral(1510, 1500).await;
    until("the answer", || operator.told("seq") == Some(seq)).await;
    assert_eq!(operator.told("answer"), Some(16));
    for _ in 0..20 {
        operator.tune(1, 1, 1700).await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(
        writes(&car.actuators)
            .iter()
            .all(|write| write.throttle_us == 1500)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_apps_max_speed_is_echoed_and_in_force_after_a_restart() {
    let folder = Folder::new("max-speed");
    let state = state_file(&folder);
    let mut car = Car::local("max-speed", &[&state]);
    let operator = Operator::connect(&car.program.url()).await;
    for ticks in [300, 350, 420] {
        let text = format!(r#"{{"speed":{{"key":"maxSpeed","value":{ticks}}}}}"#);
        operator.send("stream", &text).await;
        // Below the first pulse that moves (1540 us, 379 ticks) there is no room: the echo says what is in force.
        let in_force = ticks.max(379);
        until("the echo", || operator.max_speed() == Some(in_force)).await;
    }
    // A slider that has just moved is written at an orderly end all the same.
    car.program.signal("-TERM");
    assert_eq!(car.program.wait(), Some(0));
    let shown = calibrate(&state, &["--show"]);
    assert!(
        said(&shown).contains("# maxSpeed = 420 ticks"),
        "{}",
        said(&shown)
    );
    let car = Car::local("max-speed-again", &[&state]);
    let mut operator = Operator::connect(&car.program.url()).await;
    operator.take_over().await;
    operator
        .drive_until(1000, "full speed, which is 1709 us now", || {
            car.last().is_some_and(|last| last.throttle_us == 1709)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_car_that_nobody_measured_cannot_be_armed_until_somebody_saved() {
    let folder = Folder::new("unmeasured");
    let state = state_file(&folder);
    let sets = ["drive.calibrated=false", state.as_str()];
    let mut car = Car::local("unmeasured", &sets);
    let mut operator = Operator::connect(&car.program.url()).await;
    operator.drive(0, 0).await;
    operator.arm().await;
    until("the reason in telemetry", || {
        operator
            .number("refusals")
            .is_some_and(|bits| bits & 4096 != 0)
    })
    .await;
    car.program.signal("-TERM");
    assert_eq!(car.program.wait(), Some(0));
    let saved = calibrate(&state, &["--save", "throttle_zero_us=1505"]);
    assert!(saved.status.success(), "{}", said(&saved));
    let car = Car::local("measured", &sets);
    let mut operator = Operator::connect(&car.program.url()).await;
    operator.take_over().await;
    assert_eq!(car.last().map(|last| last.throttle_us), Some(1505));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_calibrates_by_hand_is_told_when_the_service_runs_and_what_is_wrong() {
    let folder = Folder::new("by-hand");
    let state = state_file(&folder);
    let mut args = vec![
        "run",
        "--set",
        "local.port=0",
        "--set",
        "local.tls_port=0",
        "--set",
        &state,
    ];
    args.extend(SMALL);
    let mut program = Program::with_spider(&args, &folder, "car");
    program.logged("link up").await;
    for wish in [&["--save", "brake_us=1310"][..], &["--reset"]] {
        let refused = calibrate(&state, wish);
        assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
        assert!(
            said(&refused).contains("systemctl stop spidercar"),
            "{}",
            said(&refused)
        );
    }
    let second = run(&args);
    assert_eq!(second.status.code(), Some(3), "{}", said(&second));
    assert!(
        calibrate(&state, &["--show"]).status.success(),
        "looking is allowed"
    );
    program.signal("-TERM");
    assert_eq!(program.wait(), Some(0));

    assert!(
        calibrate(&state, &["--save", "brake_us=1310"])
            .status
            .success()
    );
    assert!(
        calibrate(&state, &["--save", "brake_us=1320"])
            .status
            .success()
    );
    let bad = calibrate(&state, &["--save", "brake_us=1600"]);
    assert_eq!(bad.status.code(), Some(2));
    assert!(said(&bad).contains("nothing was changed"), "{}", said(&bad));
    let nowhere = run(&["calibrate", "--save", "brake_us=1310"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(
        said(&nowhere).contains("drive.state_file is not set"),
        "{}",
        said(&nowhere)
    );
    let no_terminal = calibrate(&state, &[]);
    assert_eq!(no_terminal.status.code(), Some(2));
    assert!(
        said(&no_terminal).contains("needs a terminal"),
        "{}",
        said(&no_terminal)
    );

    // Half a file: the copy counts, and it is said. The service puts it aside.
    let path = folder.file("car.json");
    let text = std::fs::read_to_string(&path).expect("it was stored");
    std::fs::write(&path, &text[..text.len() / 2]).expect("a file of the test");
    let shown = said(&calibrate(&state, &["--show"]));
    assert!(
        shown.contains("brake_us = 1310") && shown.contains("half written"),
        "{shown}"
    );
    let mut program = Program::with_spider(&args, &folder, "car-again");
    program.logged("link up").await;
    program.signal("-TERM");
    assert_eq!(program.wait(), Some(0));
    assert!(program.text().contains("put aside"), "{}", program.text());
    assert!(folder.file("car.json.bad-1").exists());
    let shown = said(&calibrate(&state, &["--show"]));
    assert!(
        shown.contains("brake_us = 1310") && !shown.contains("half written"),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_is_a_warning_and_the_car_drives() {
    let folder = Folder::new("read-only");
    // Not even root can make a file in a file.
    std::fs::write(folder.file("folder"), b"").expect("a file of the test");
    let state = format!(
        "drive.state_file={}",
        folder.file("folder/car.json").display()
    );
    let car = Car::local("read-only", &[&state]);
    let mut operator = Operator::connect(&car.program.url()).await;
    tell(&operator).await;
    operator.take_over().await;
    operator.save_neutral(1510, 1500).await;
    car.program.logged("driving goes on").await;
    until("the word that it is not stored", || {
        operator.told("stored") == Some(3)
    })
    .await;
    operator.want(0).await;
    until("the new neutral all the same", || {
        car.last().is_some_and(|last| last.throttle_us == 1510)
    })
    .await;
    operator.move_off(&car).await;
}
