//! Whatever dies, the last line of the actuator log is neutral, and the car can be driven again.

mod harness;

use harness::{
    ATTEMPTS, Car, Folder, Operator, Program, SMALL, full_pipe, last_write, spider, until, writes,
};

async fn moving_car(name: &str) -> (Car, Operator) {
    let car = Car::local(name, &[]);
    let mut operator = Operator::connect(&car.program.url()).await;
    operator.move_off(&car).await;
    (car, operator)
}

async fn drive_again(car: &Car, url: &str) {
    let mut operator = Operator::connect(url).await;
    operator.move_off(car).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_is_gone_leaves_neutral_and_another_can_drive() {
    let (car, operator) = moving_car("viewer-gone").await;
    drop(operator);
    car.until_neutral().await;
    drive_again(&car, &car.program.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spider_that_is_killed_leaves_neutral_and_a_new_one_drives() {
    let (mut spider, folder) = spider("spider-killed", &[]);
    let car = Car::at("spider-killed-car", &spider.url(), &[]);
    car.program.logged("link up").await;
    let mut operator = Operator::connect(&spider.url()).await;
    operator.move_off(&car).await;
    spider.child.kill().expect("ours");
    spider.wait();
    car.until_neutral().await;
    let port = spider.port.to_string();
    let args = ["spider", "--port", &port, "--tls-port", "0"];
    let again = Program::with_spider(&args, &folder, "spider-again");
    until("a new link", || {
        car.program.text().matches("link up").count() > 1
    })
    .await;
    drive_again(&car, &again.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_stop_the_car_ends_at_neutral_with_code_0() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let (mut car, _operator) = moving_car("asked").await;
        car.program.signal(signal);
        assert_eq!(car.program.wait(), Some(0), "{signal}");
        let last = car.last().expect("there are writes");
        assert_eq!(
            (last.throttle_us, last.steering_us),
            (1500, 1500),
            "{signal}: {last:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_process_that_is_continued_does_not_go_on_where_it_was() {
    let (car, mut operator) = moving_car("frozen").await;
    let moving = writes(&car.actuators).len();
    car.program.freeze().await;
    // Another process writes neutral for it meanwhile.
    car.until_neutral().await;
    let before = writes(&car.actuators).len();
    let by = car.since(moving).pop().map(|write| write.cause);
    assert_eq!(by.as_deref(), Some("control_stalled"));
    for _ in 0..25 {
        operator.drive(400, 0).await; // queues in the network while the car is frozen
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    car.program.signal("-CONT");
    until("a neutral of its own", || {
        writes(&car.actuators).len() > before
    })
    .await;
    let after = &writes(&car.actuators)[before..];
    assert!(
        after
            .iter()
            .all(|write| write.throttle_us <= 1500 + 500 && write.cause != "drive"),
        "{after:?}"
    );
    operator.move_off(&car).await;
}

/// A car that is being driven when a part of it fails: it stops for that, and is driven again without a restart.
///
/// A part fails once. Where this computer stood still, and the car had stopped for that before, there is another car.
async fn survives(fault: &str, said: &str, causes: &[&str]) {
    for _ in 0..ATTEMPTS {
        let set = format!("sim.faults={fault}@1500");
        let mut car = Car::local(fault, &[&set]);
        let mut operator = Operator::connect(&car.program.url()).await;
        operator.move_off(&car).await;
        let moving = writes(&car.actuators).len();
        operator
            .drive_until(400, said, || car.program.text().contains(said))
            .await;
        // Held throttle or not: the part is gone, so the car stops.
        operator
            .hold_until(400, "neutral although the throttle is held", || {
                car.is_neutral()
            })
            .await;
        let stops: Vec<_> = car
            .since(moving)
            .into_iter()
            .filter(|write| write.throttle_us == 1500)
            .map(|write| write.cause)
            .collect();
        if !stops.iter().any(|cause| causes.contains(&cause.as_str())) {
            assert!(
                stops.iter().any(|cause| cause.starts_with("control_")),
                "it stopped for another reason: {stops:?}"
            );
            eprintln!("this computer stood still, and the car had stopped: another car");
            continue;
        }
        assert!(car.program.is_running());
        drop(operator);
        until("a car that can be driven", || {
            car.program.text().contains("link up")
        })
        .await;
        drive_again(&car, &car.program.url()).await;
        assert!(car.program.is_running());
        return;
    }
    panic!("this computer stood still in each of {ATTEMPTS} attempts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_video_thread_stops_the_car_and_heals() {
    survives("video-panic", "sim.faults: video-panic", &["camera_down"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_error_stops_the_car_and_heals() {
    survives("camera-error", "sim.faults: camera-error", &["camera_down"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_stalls_stops_the_car_and_heals() {
    survives("camera-stall", "part=\"camera\"", &["camera_down"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_link_stops_the_car_and_heals() {
    survives("link-panic", "sim.faults: link-panic", &["link_lost"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_runtime_stops_the_car_and_heals() {
    survives("runtime-stall", "to=Stopped", &["silence"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_control_thread_stops_the_car_and_heals() {
    survives(
        "control-stall",
        "to=Stopped",
        &["control_stalled", "control_late"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_that_fail_stop_the_car_and_heal() {
    survives(
        "output-error",
        "sim.faults: output-error",
        &["actuator_error"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_telemetry_does_not_stop_the_car_and_heals() {
    let car = Car::local("metrics-panic", &["sim.faults=metrics-panic@1500"]);
    let mut operator = Operator::connect(&car.program.url()).await;
    operator.take_over().await;
    let said = "task=\"metrics\"";
    operator
        .drive_until(400, said, || car.program.text().contains(said))
        .await;
    operator.take_over().await; // waits for telemetry that is newer than the panic
    // Telemetry is no reason to stop; a driver arms again only a car whose computer stood still.
    operator
        .drive_until(400, "the car to move", || car.moves())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_control_thread_ends_the_process_at_neutral() {
    let mut car = Car::local("control-panic", &["sim.faults=control-panic@1500"]);
    let mut operator = Operator::connect(&car.program.url()).await;
    operator.move_off(&car).await;
    let said = "sim.faults: control-panic";
    operator
        .drive_until(400, said, || car.program.text().contains(said))
        .await;
    assert_eq!(car.program.wait(), Some(1));
    let last = car.last().expect("there are writes");
    assert_eq!(
        (last.throttle_us, last.steering_us, last.cause.as_str()),
        (1500, 1500, "panic")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_neutral_command_writes_neutral_even_with_a_bad_configuration_around_it() {
    let folder = Folder::new("neutral");
    let log = folder.file("actuators.jsonl");
    let set = format!("sim.actuator_log={}", log.display());
    let mut program = Program::start(
        &["neutral", "--set", &set, "--set", "camera.width=7"],
        &folder,
        "neutral",
    );
    assert_eq!(program.wait(), Some(0));
    let last = last_write(&log).expect("a write");
    assert_eq!(
        (last.throttle_us, last.steering_us),
        (1500, 1500),
        "{last:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actuator_log_that_cannot_be_written_does_not_stop_the_car_from_starting_neutral() {
    let folder = Folder::new("no-log");
    let args = [
        "run",
        "--set",
        "sim.actuator_log=/nonexistent/folder/log",
        "--set",
        "local.port=0",
        "--set",
        "local.tls_port=0",
    ];
    let mut program = Program::start(&args, &folder, "car");
    assert_eq!(program.wait(), Some(3), "{}", program.tail());
    assert!(
        program.text().contains("/nonexistent/folder/log"),
        "{}",
        program.text()
    );
}

/// Whoever reads the log may stop reading: a full pipe once held the network, the control thread and the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_holds_neither_the_car_nor_its_end() {
    let folder = Folder::new("unread");
    let (pipe, actuators) = (folder.file("pipe"), folder.file("actuators.jsonl"));
    // Full, so that the first line finds no room.
    let _held = full_pipe(&pipe);
    let log = format!("sim.actuator_log={}", actuators.display());
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", r#"exec timeout -s KILL 60 "$@" 2>"$0""#])
        .arg(&pipe)
        .args([env!("CARGO_BIN_EXE_spidercar"), "run", "--set", &log])
        .args(["--set", "local.port=0", "--set", "local.tls_port=0"])
        .args(["--set", "log.level=debug"])
        .args(SMALL);
    let mut program = Program::listening(command, &folder, "car");
    let mut operator = Operator::connect(&program.url()).await;
    operator.take_over().await;
    operator
        .drive_until(400, "the car to move", || {
            writes(&actuators)
                .last()
                .is_some_and(|write| write.throttle_us > 1540)
        })
        .await;
    drop(operator);
    program.signal("-TERM");
    assert_eq!(program.wait(), Some(0));
    assert_eq!(
        last_write(&actuators).map(|last| last.throttle_us),
        Some(1500)
    );
}
