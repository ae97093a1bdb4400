//! Command lines, and what they ask for.

use std::os::unix::ffi::OsStringExt;

use super::*;
use crate::config::schema;

fn parse_line(line: &str) -> Result<Asked, Misuse> {
    parse(line.split_whitespace())
}

fn given(line: &str) -> Given {
    match parse_line(line) {
        Ok(
            Asked::Work(Work::Run(given) | Work::Spider { given, .. } | Work::Watch { given, .. })
            | Asked::Check(Check::Config(given)),
        ) => given,
        other => panic!("{line}: {other:?}"),
    }
}

fn set(key: &str, value: &str, flag: &str) -> Set {
    Set {
        key: key.into(),
        value: value.into(),
        flag: flag.into(),
    }
}

#[test]
fn a_configuration_is_a_file_and_sets() {
    for line in ["run", "check", "doctor", "neutral"] {
        assert!(parse_line(line).is_ok(), "{line}");
    }
    let given = given("run --config=a.toml --set camera.fps=25 --set spider.url=wss://a:1");
    assert_eq!(given.config, Some(PathBuf::from("a.toml")));
    let sets = [
        set("camera.fps", "25", "--set"),
        set("spider.url", "wss://a:1", "--set"),
    ];
    assert_eq!(given.sets, sets);
    assert!(!given.built_in);
}

#[test]
fn calibrate_measures_shows_saves_or_resets_and_only_one_of_them() {
    let wish = |line: &str| match parse_line(line) {
        Ok(Asked::Work(Work::Calibrate { wish, .. })) => wish,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(
        wish("calibrate --config car.toml --set log.level=debug"),
        CalibrateWish::Terminal
    );
    assert_eq!(wish("calibrate --show"), CalibrateWish::Show);
    assert_eq!(wish("calibrate --reset"), CalibrateWish::Reset);
    assert_eq!(
        wish("calibrate --save throttle_zero_us=1510 --save brake_us=1320"),
        CalibrateWish::Save(vec![
            ("throttle_zero_us".to_owned(), 1510),
            ("brake_us".to_owned(), 1320)
        ])
    );
    for line in [
        "calibrate --show --reset",
        "calibrate --show --save brake_us=1",
        "calibrate --save brake_us",
        "calibrate --save brake_us=1e3",
        "calibrate --save brake_us=-1",
        "calibrate --save brake_us=65536",
        "calibrate --show=yes",
    ] {
        assert!(parse_line(line).is_err(), "{line}");
    }
}

#[test]
fn only_the_first_equals_sign_of_a_set_counts() {
    assert_eq!(
        given("run --set a.b=c=d").sets,
        [set("a.b", "c=d", "--set")]
    );
    assert_eq!(given("run --set a.b=").sets, [set("a.b", "", "--set")]);
}

#[test]
fn flags_of_spider_are_keys_of_local() {
    let given =
        given("spider --listen 0.0.0.0 --port 1 --tls-port 2 --cert c --key k --driver-key-file d");
    let sets = [
        set("local.listen", "0.0.0.0", "--listen"),
        set("local.port", "1", "--port"),
        set("local.tls_port", "2", "--tls-port"),
        set("local.cert_file", "c", "--cert"),
        set("local.key_file", "k", "--key"),
        set("local.driver_key_file", "d", "--driver-key-file"),
    ];
    assert_eq!(given.sets, sets);
    assert!(
        given.built_in,
        "an installed car's file is not for a Spider"
    );
}

#[test]
fn faults_are_handed_on() {
    let Ok(Asked::Work(Work::Spider { faults, .. })) = parse_line("spider --fault a --fault=b")
    else {
        panic!("not a spider");
    };
    assert_eq!(faults, ["a", "b"]);
}

#[test]
fn watch_is_a_url_a_channel_and_whom_to_trust() {
    let line = "watch wss://a --channel c --record f.h264 --ca-file x --pin-sha256 y --insecure --key-file z";
    let Ok(Asked::Work(Work::Watch { given, record })) = parse_line(line) else {
        panic!("not a watch");
    };
    assert_eq!(record, Some(PathBuf::from("f.h264")));
    let sets = [
        set("spider.url", "wss://a", "URL"),
        set("spider.channel", "c", "--channel"),
        set("spider.ca_file", "x", "--ca-file"),
        set("spider.pin_sha256", "y", "--pin-sha256"),
        set("spider.insecure", "true", "--insecure"),
        set("local.driver_key_file", "z", "--key-file"),
    ];
    assert_eq!(given.sets, sets);
}

#[test]
fn import_stands_alone() {
    let expected = Check::Import {
        file: PathBuf::from("f"),
        car: Some("a".into()),
    };
    assert_eq!(
        parse_line("check --import f --car a"),
        Ok(Asked::Check(expected))
    );
    assert!(parse_line("check --import f --config c").is_err());
    assert!(parse_line("check --import f --set a.b=c").is_err());
    assert!(parse_line("check --car a").is_err());
}

#[test]
fn every_flag_that_stands_for_a_key_names_one_that_is_there() {
    for flag in COMMANDS
        .iter()
        .flat_map(|command| command.positional.iter().chain(command.flags))
    {
        if let Some(key) = flag.key {
            assert!(
                schema::find(key).is_some(),
                "{} stands for {key}",
                flag.name
            );
        }
    }
}

#[test]
fn help_and_version_need_nothing_else_to_be_right() {
    for line in [
        "--help",
        "-h",
        "help",
        "help run",
        "--version",
        "-V",
        "watch --help",
        "watch -h",
        "run --set x.y=z --help --nonsense",
    ] {
        assert!(matches!(parse_line(line), Ok(Asked::Text(_))), "{line}");
    }
}

#[test]
fn a_path_need_not_be_text_but_a_set_must() {
    let odd = || OsString::from_vec(vec![0xff]);
    let asked = parse([OsString::from("run"), "--config".into(), odd()]);
    let Ok(Asked::Work(Work::Run(given))) = asked else {
        panic!("{asked:?}");
    };
    assert_eq!(given.config, Some(PathBuf::from(odd())));
    let misuse = parse([OsString::from("run"), "--set".into(), odd()]).expect_err("not text");
    assert!(
        misuse
            .to_string()
            .contains("--set: the value is not UTF-8 text"),
        "{misuse}"
    );
}

#[test]
fn what_follows_two_dashes_is_a_value() {
    let misuse = parse_line("run -- --config").expect_err("run takes no value");
    assert!(
        misuse.to_string().contains("unexpected \"--config\""),
        "{misuse}"
    );
}
