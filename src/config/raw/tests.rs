//! Files and flags, and what is kept of them.

use super::*;
use crate::config::outside::Shelf;

fn read(text: &str, sets: &[(&str, &str)]) -> RawConfig {
    let sets: Vec<Set> = sets
        .iter()
        .map(|(key, value)| Set {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
            flag: "--set".to_owned(),
        })
        .collect();
    let outside = Shelf::default().file("car.toml", text);
    RawConfig::read(&Source::File("car.toml".into()), &sets, &outside)
}

fn problems(raw: &RawConfig) -> Vec<String> {
    raw.problems().iter().map(ToString::to_string).collect()
}

fn value(raw: &RawConfig, id: Id) -> String {
    raw.get(id)
        .map_or("bad".to_owned(), |said| said.value.to_string())
}

#[test]
fn what_is_not_said_is_the_default() {
    let raw = read("", &[]);
    assert!(raw.problems().is_empty() && raw.keys_said().is_empty());
    for id in schema::KEYS {
        let said = raw.get(*id).expect("a default");
        assert_eq!(
            (said.value, said.origin),
            (id.key().kind.default_value(), Origin::Default)
        );
    }
}

#[test]
fn a_value_knows_its_line() {
    let raw = read("\n[camera]\n\nfps = 25\n", &[]);
    let said = raw.get(Id::CameraFps).expect("said");
    assert_eq!(said.value, Value::Whole(25));
    assert_eq!(said.origin.to_string(), "car.toml:4");
}

#[test]
fn the_command_line_wins_over_the_file_and_later_over_earlier() {
    let raw = read(
        "camera.fps = 25",
        &[("camera.fps", "26"), ("camera.fps", "27")],
    );
    let said = raw.get(Id::CameraFps).expect("said");
    assert_eq!(
        (said.value, said.origin.to_string().as_str()),
        (Value::Whole(27), "--set")
    );
}

#[test]
fn a_bad_value_is_not_replaced_by_the_default() {
    let raw = read("camera.fps = 99", &[]);
    assert_eq!(raw.get(Id::CameraFps), None);
    assert_eq!(raw.keys_said().len(), 1);
}

#[test]
fn a_good_flag_mends_a_bad_file_but_the_file_is_still_reported() {
    let raw = read("camera.fps = 99", &[("camera.fps", "27")]);
    assert_eq!(value(&raw, Id::CameraFps), "27");
    assert_eq!(raw.problems().len(), 1);
    let raw = read(
        "camera.fps = 27",
        &[("camera.fps", "99"), ("camera.fps", "x")],
    );
    assert_eq!(value(&raw, Id::CameraFps), "bad");
    assert_eq!(raw.problems().len(), 2);
}

#[test]
fn flags_take_toml_and_plain_text() {
    let cases = [
        (
            "spider.url",
            "wss://127.0.0.1:8267",
            Id::SpiderUrl,
            r#""wss://127.0.0.1:8267""#,
        ),
        ("spider.url", "\"local\"", Id::SpiderUrl, r#""local""#),
        ("spider.ktime", "100", Id::SpiderKtime, r#""100""#),
        ("spider.ktime", "", Id::SpiderKtime, r#""""#),
        ("spider.ktime", "true", Id::SpiderKtime, r#""true""#),
        (
            "sim.actuator_log",
            "/tmp/a b",
            Id::SimActuatorLog,
            r#""/tmp/a b""#,
        ),
        (
            "sim.actuator_log",
            "1979-05-27",
            Id::SimActuatorLog,
            r#""1979-05-27""#,
        ),
        ("camera.source", "v4l", Id::CameraSource, r#""v4l""#),
        ("camera.source", "'v4l'", Id::CameraSource, r#""v4l""#),
        ("camera.width", "0x280", Id::CameraWidth, "640"),
        ("camera.width", "1_280", Id::CameraWidth, "1280"),
        ("spider.insecure", "true", Id::SpiderInsecure, "true"),
        ("ice.servers", "[]", Id::IceServers, "[]"),
    ];
    for (key, said, id, expected) in cases {
        let raw = read("", &[(key, said)]);
        assert!(
            raw.problems().is_empty(),
            "{key}={said}: {:?}",
            problems(&raw)
        );
        assert_eq!(value(&raw, id), expected, "{key}={said}");
    }
}

#[test]
fn one_address_and_a_list_of_addresses_mean_the_same() {
    let one = read("ice.servers = [{ urls = 'stun:a' }]", &[]);
    let list = read("[[ice.servers]]\nurls = ['stun:a']\n", &[]);
    assert_eq!(value(&one, Id::IceServers), value(&list, Id::IceServers));
    assert!(one.problems().is_empty() && list.problems().is_empty());
}

#[test]
fn each_server_knows_its_line() {
    let raw = read(
        "[[ice.servers]]\nurls='stun:a'\n[[ice.servers]]\nurls='stun:b'\n",
        &[],
    );
    let lines: Vec<String> = raw.servers_at().iter().map(ToString::to_string).collect();
    assert_eq!(lines, ["car.toml:1", "car.toml:3"]);
}

#[test]
fn a_broken_line_does_not_hide_the_others() {
    let raw = read("[spider]\nurl = \n[camera]\nfps = 99\nwidht = 1\n", &[]);
    assert_eq!(
        problems(&raw),
        [
            "car.toml:2: spider.url: there is no value behind the =; it must be \"local\", wss://HOST:PORT or ws://HOST:PORT",
            "car.toml:4: camera.fps = 99: must be a whole number, 1 to 60 frames/s",
            "car.toml:5: camera.widht: no such key; did you mean camera.width?",
        ]
    );
}

#[test]
fn the_value_of_an_unknown_key_is_never_shown() {
    let texts = [
        "[spider]\npassword = 'hunter2'",
        "hunter = 'hunter2'",
        "[local]\ndriver_key = 'hunter2'",
        "[hunter]\nx = 'hunter2'",
        "ice.servers = [{ urls = 'turn:a', credential = 'hunter2' }]",
        "ice.servers = [{ urls = 'turn:a', credental = 'hunter2' }]",
    ];
    for text in texts {
        let told = problems(&read(text, &[]));
        assert_eq!(told.len(), 1, "{text}: {told:?}");
        assert!(!told.concat().contains("hunter2"), "{told:?}");
    }
    let told = problems(&read("", &[("spider.password", "hunter2")]));
    assert!(
        told.len() == 1 && !told.concat().contains("hunter2"),
        "{told:?}"
    );
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_understood() {
    let raw = read("\u{feff}[camera]\r\nfps = 25\r\n", &[]);
    let said = raw.get(Id::CameraFps).expect("said");
    assert_eq!(
        (said.value, said.origin.to_string().as_str()),
        (Value::Whole(25), "car.toml:2")
    );
}

#[test]
fn a_file_that_is_not_text_names_the_line() {
    let outside = Shelf::default().file("car.toml", b"[camera]\nfps = \xff\n".to_vec());
    let raw = RawConfig::read(&Source::File("car.toml".into()), &[], &outside);
    assert_eq!(
        problems(&raw),
        ["car.toml:2: not UTF-8 text: save the file as UTF-8"]
    );
}
