//! A car of the old program, and what is kept and printed.

use std::fs;

use super::{Ended, Folder};

const FLEET: &str = r#"{"SpiderCar6":{"CAR_NAME":"SpiderCar6","ChannelID":"c9abcdefghijklmnopq0",
 "Calibration":{"THROTTLE_ZERO":375,"FORWARD_ZERO":399,"STEERING_ZERO":399,"THROTTLE_MIN":300,
  "THROTTLE_MAX":440,"STEERING_MIN":319,"STEERING_MAX":479},
 "UI":{"THROTTLE_STEP":20,"STEERING_STEP":20}},
 "SpiderCar7":{"ChannelID":"c9abcdefghijklmnopq0",
 "Calibration":{"THROTTLE_ZERO":375,"FORWARD_ZERO":399,"STEERING_ZERO":399,"THROTTLE_MIN":376,
  "THROTTLE_MAX":440,"STEERING_MIN":319},
 "UI":{"THROTTLE_STEP":20,"STEERING_STEP":20}}}"#;

#[test]
fn an_old_car_is_imported_and_its_file_runs_as_it_is() {
    let folder = Folder::new(&[("calib.json", FLEET)]);
    let ended = folder.run(&["check", "--import", "calib.json", "--car", "SpiderCar6"]);
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
    fs::write(folder.0.join("car.toml"), &ended.stdout).expect("it can be written");

    let ended = folder.run(&["check", "--config", "car.toml"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for line in [
        "channel = \"c9abcdefghijklmnopq0\"",
        "throttle_min_us = 1221",
        "throttle_zero_us = 1526",
        "forward_zero_us = 1624",
        "throttle_max_us = 1790",
        "brake_us = 1322",
        "steering_min_us = 1298",
        "steering_zero_us = 1624",
        "steering_max_us = 1949",
    ] {
        assert!(
            ended.stdout.contains(&format!("\n{line}\n")),
            "{line} in {}",
            ended.stdout
        );
    }
}

#[test]
fn an_import_that_fails_says_what_the_file_lacks() {
    let folder = Folder::new(&[
        ("calib.json", FLEET),
        ("broken.json", "{\n \"a\": {,}\n}"),
        ("list.json", "[]"),
    ]);
    let table: &[(&[&str], &str)] = &[
        (
            &["--import", "gone.json", "--car", "a"],
            "spidercar: gone.json: cannot be read: No such file or directory (os error 2)\n",
        ),
        (
            &["--import", "calib.json"],
            "spidercar: the file to import has 1 problem\n  calib.json: which car? it has SpiderCar6, SpiderCar7; say --car NAME\n",
        ),
        (
            &["--import", "calib.json", "--car", "Spidercar"],
            "spidercar: the file to import has 1 problem\n  calib.json: no car \"Spidercar\": it has SpiderCar6, SpiderCar7; did you mean SpiderCar6?\n",
        ),
        (
            &["--import", "broken.json", "--car", "a"],
            "spidercar: the file to import has 1 problem\n  broken.json:2: not JSON: key must be a string (column 8)\n",
        ),
        (
            &["--import", "list.json", "--car", "a"],
            "spidercar: the file to import has 1 problem\n  list.json: must be a JSON object with the name of a car before each entry\n",
        ),
        (
            &["--import", "calib.json", "--car", "SpiderCar7"],
            "spidercar: the file to import has 2 problems\n  calib.json: SpiderCar7.Calibration: THROTTLE_MIN must be below THROTTLE_ZERO (THROTTLE_MIN = 376, THROTTLE_ZERO = 375)\n  calib.json: SpiderCar7.Calibration.STEERING_MAX: is missing\n",
        ),
    ];
    for (args, expected) in table {
        let ended = folder.run(&[&["check"], *args].concat());
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(2), ""),
            "{args:?}: {ended:?}"
        );
        assert_eq!(ended.stderr, *expected, "{args:?}");
    }
}

#[test]
fn check_prints_what_it_was_given_and_its_output_checks_out() {
    let folder = Folder::new(&[("car.toml", "[camera]\nfps = 25\n")]);
    let args = [
        "check",
        "--config",
        "car.toml",
        "--set",
        "spider.url=wss://127.0.0.1:8267",
    ];
    let first = folder.run(&args);
    assert_eq!(
        (first.code, first.stderr.as_str()),
        (Some(0), ""),
        "{first:?}"
    );
    assert!(
        first
            .stdout
            .contains("Default: 30. Set by car.toml:2\nfps = 25\n"),
        "{}",
        first.stdout
    );
    assert!(
        first
            .stdout
            .contains("Default: \"local\". Set by --set\nurl = \"wss://127.0.0.1:8267\"\n"),
        "{}",
        first.stdout
    );

    fs::write(folder.0.join("again.toml"), &first.stdout).expect("it can be written");
    let again = folder.run(&["check", "--config", "again.toml"]);
    let values = |text: &str| -> Vec<String> {
        let is_value = |line: &&str| !line.starts_with('#');
        text.lines().filter(is_value).map(str::to_owned).collect()
    };
    assert_eq!(values(&first.stdout), values(&again.stdout));
}

#[test]
fn a_turn_password_comes_from_a_file_or_a_variable_and_is_never_printed() {
    let config = "\
[[ice.servers]]
urls = ['turn:a:3478?transport=udp']
username = 'u'
credential_file = 'turn.secret'
[[ice.servers]]
urls = 'turn:a:3478?transport=tcp'
username = 'u'
credential_env = 'TURN_PASS'
";
    let folder = Folder::new(&[("car.toml", config), ("turn.secret", "hunter2\n")]);
    let mut command = folder.spidercar(&["check", "--config", "car.toml"]);
    let ended = Ended::of(
        &command
            .env("TURN_PASS", "hunter3")
            .output()
            .expect("it starts"),
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.stdout.contains("credential_file = \"turn.secret\""),
        "{}",
        ended.stdout
    );
    assert!(!ended.stdout.contains("hunter"), "{}", ended.stdout);
}
