//! Whole configurations: what goes together, what does not, and that nothing makes it panic.

use core::time::Duration;

use proptest::prelude::*;

mod eyes;
mod keys;
mod outputs;

use super::*;
use crate::config::kind::{Kind, ServerSaid, Value};
use crate::config::outside::Shelf;
use crate::config::schema::KEYS;
use crate::config::{Set, Source, SpiderUrl, Trust};

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";

fn shelf(text: &str) -> Shelf {
    Shelf::default()
        .file("car.toml", text)
        .file("/ca.pem", CERTIFICATE)
        .file("/cert.pem", CERTIFICATE)
        .file("/key.pem", KEY)
        .file("/rsa.pem", KEY.replace("PRIVATE", "RSA PRIVATE"))
        .file("/driver.key", "correct horse\n")
        .file("/short.key", "1234567\n")
        .file("/long.key", vec![b'k'; 1025])
        .file("/longest.key", vec![b'k'; 1024])
        .file("/marked.key", "\u{feff}correct horse\r\n")
        .file("/turn", "hunter2")
}

fn raw(text: &str) -> (RawConfig, Shelf) {
    let shelf = shelf(text);
    (
        RawConfig::read(&Source::File("car.toml".into()), &[], &shelf),
        shelf,
    )
}

fn read(text: &str) -> Result<Config, Report> {
    let (raw, shelf) = raw(text);
    Config::from_raw(&raw, &shelf)
}

#[test]
fn nothing_said_is_the_simulated_car() {
    let config = read("").expect("defaults are good");
    assert_eq!(config.spider.url, SpiderUrl::Local);
    assert_eq!(config.spider.trust, Trust::System);
    assert_eq!(config.drive.tick, Duration::from_millis(5));
    assert_eq!(config.telemetry_interval, Duration::from_millis(200));
    assert_eq!(config.failsafe.hold(), Duration::from_millis(100));
    assert!(config.local.listen.is_loopback() && config.sim.actuator_log.is_none());
}

#[test]
fn each_way_to_trust_is_understood() {
    let pin = "ab".repeat(32);
    for (said, expected) in [
        ("", "System"),
        ("ca_file = '/ca.pem'", "Ca { file: \"/ca.pem\""),
        (
            &format!("pin_sha256 = '{pin}'"),
            "Pin(Fingerprint([171, 171",
        ),
        ("insecure = true", "Anything"),
    ] {
        let config = read(&format!("[spider]\nurl = 'wss://localhost'\n{said}")).expect(said);
        let trust = format!("{:?}", config.spider.trust);
        assert!(trust.starts_with(expected), "{said}: {trust}");
    }
}

/// Each text has exactly one problem, and that says what is expected.
fn told(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let report = read(text).expect_err(text);
        assert_eq!(report.problems().len(), 1, "{text}: {report}");
        assert!(report.to_string().contains(expected), "{text}: {report}");
    }
}

#[test]
fn network_keys_that_do_not_go_together_are_told_at_their_line() {
    let pin = "ab".repeat(32);
    told(&[
        (
            "spider.ca_file = '/ca.pem'",
            "car.toml:1: spider.ca_file = \"/ca.pem\": has a meaning only for a wss:// address (spider.url = \"local\", default)",
        ),
        (
            "spider.insecure = true\nspider.url = 'ws://localhost'",
            "car.toml:1: spider.insecure = true: has a meaning only for a wss:// address (spider.url = \"ws://localhost\", car.toml:2)",
        ),
        (
            &format!(
                "spider.url = 'wss://localhost'\nspider.ca_file = '/ca.pem'\nspider.pin_sha256 = '{pin}'"
            ),
            "car.toml:2: spider.ca_file = \"/ca.pem\": each says whom to trust",
        ),
        (
            "spider.url = 'wss://localhost'\nspider.ca_file = '/gone.pem'",
            "car.toml:2: spider.ca_file = \"/gone.pem\": cannot be read",
        ),
        (
            "spider.url = 'wss://localhost'\nspider.ca_file = '/key.pem'",
            "spider.ca_file = \"/key.pem\": must be a PEM file, with a line -----BEGIN CERTIFICATE-----",
        ),
        (
            "local.listen = '0.0.0.0'",
            "car.toml:1: local.listen = \"0.0.0.0\": others can reach this address, so a driver key is needed",
        ),
        ("local.listen = '::'", "a driver key is needed"),
        ("local.listen = 'localhost'", "must be an IP address"),
        (
            "local.driver_key_file = '/short.key'",
            "local.driver_key_file = \"/short.key\": the key in it is shorter than 8 characters",
        ),
        (
            "local.driver_key_file = '/long.key'",
            "local.driver_key_file = \"/long.key\": the key in it is longer than 1024 bytes: is it the right file?",
        ),
        (
            "local.driver_key_file = '/gone.key'",
            "/gone.key cannot be read",
        ),
        (
            "local.tls_port = 8266",
            "car.toml:1: local.tls_port = 8266: two servers cannot share a port (local.port = 8266, default)",
        ),
        (
            "local.cert_file = '/cert.pem'",
            "car.toml:1: local.cert_file = \"/cert.pem\": a certificate needs its key",
        ),
        (
            "local.key_file = '/key.pem'",
            "car.toml:1: local.key_file = \"/key.pem\": a key needs its certificate",
        ),
        (
            "local.cert_file = '/cert.pem'\nlocal.key_file = '/cert.pem'",
            "local.key_file = \"/cert.pem\": must be a PEM file, with a line -----BEGIN PRIVATE KEY-----",
        ),
        (
            "ice.policy = 'relay'",
            "car.toml:1: ice.policy = \"relay\": needs a turn: server to relay through",
        ),
        (
            "ice.servers = [{ urls = 'turn:a', username = 'u', credential_file = '/gone' }]",
            "car.toml:1: ice.servers[0].credential_file: /gone cannot be read",
        ),
    ]);
}

#[test]
fn car_keys_that_do_not_go_together_are_told_at_their_line() {
    told(&[
        (
            "failsafe.hold_ms = 181",
            "car.toml:1: failsafe.hold_ms = 181: neutral_ms must be at least 20 ms more than hold_ms (failsafe.neutral_ms = 200, default)",
        ),
        (
            "failsafe.neutral_ms = 119",
            "car.toml:1: failsafe.neutral_ms = 119: neutral_ms must be at least 20 ms more than hold_ms (failsafe.hold_ms = 100, default)",
        ),
        (
            "drive.calibration.throttle_min_us = 1500",
            "car.toml:1: drive.calibration.throttle_min_us = 1500: full reverse must be shorter than standing still (drive.calibration.throttle_zero_us = 1500, default)",
        ),
        (
            "drive.calibration.forward_zero_us = 1499",
            "the first forward pulse must not be shorter than standing still",
        ),
        (
            "drive.calibration.throttle_max_us = 1540",
            "the first forward pulse must be shorter than full forward",
        ),
        (
            "drive.calibration.brake_us = 1501",
            "the brake pulse must be from throttle_min_us to throttle_zero_us",
        ),
        (
            "drive.calibration.brake_us = 999",
            "the brake pulse must be from throttle_min_us to throttle_zero_us",
        ),
        (
            "drive.calibration.steering_min_us = 1500",
            "straight ahead must be longer than the short end",
        ),
        (
            "drive.calibration.steering_max_us = 1500",
            "straight ahead must be shorter than the long end",
        ),
    ]);
}

#[test]
fn limits_between_keys_are_good_at_the_edge() {
    for text in [
        "failsafe.hold_ms = 180",
        "failsafe.neutral_ms = 120",
        "failsafe.legacy_age_ms = 0",
        "drive.calibration.forward_zero_us = 1500",
        "drive.calibration.brake_us = 1500",
        "drive.calibration.brake_us = 1000",
        "local.port = 0\nlocal.tls_port = 0",
        "local.listen = '::1'",
        "local.listen = '0.0.0.0'\nlocal.driver_key_file = '/driver.key'",
        "local.cert_file = '/cert.pem'\nlocal.key_file = '/rsa.pem'",
        "ice.policy = 'relay'\nice.servers = [{ urls = 'turn:a', username = 'u', credential_file = '/turn' }]",
    ] {
        if let Err(report) = read(text) {
            panic!("{text}: {report}");
        }
    }
}

#[test]
fn a_car_does_not_publish_for_others_on_the_channel_that_everybody_has() {
    let own = "spider.channel = '0123456789abcdefghvg'";
    for good in [
        "spider.url = 'ws://127.0.0.1:8266'".to_owned(),
        "spider.url = 'wss://[::1]'".to_owned(),
        "spider.url = 'wss://localhost'".to_owned(),
        "spider.url = 'wss://spider.example:8267'".to_owned(),
        format!("spider.url = 'wss://10.0.0.2'\n{own}"),
    ] {
        read(&good).expect(&good);
    }
    for said in ["", "spider.channel = 'c9abcdefghijklmnopq0'"] {
        let report = read(&format!("spider.url = 'wss://10.0.0.2'\n{said}")).expect_err(said);
        let report = report.to_string();
        assert!(report.contains("the example's channel"), "{report}");
    }
}

#[test]
fn mistakes_in_throttle_steering_and_elsewhere_are_reported_together() {
    let text = "drive.calibration.throttle_max_us = 1400\ndrive.calibration.steering_max_us = 1400\n\
                failsafe.hold_ms = 190\ncamera.fps = 0\nspider.channel = 'x'\nice.policy = 'relay'\n";
    let report = read(text).expect_err("six mistakes");
    assert_eq!(report.problems().len(), 6, "{report}");
}

#[test]
fn no_complaint_is_a_mere_consequence_of_another() {
    for text in [
        // A bad hold is not compared with neutral, a bad address has no scheme, a bad server may have been a relay.
        "failsafe.hold_ms = 5000",
        "drive.calibration.throttle_zero_us = 'x'",
        "spider.url = 'nonsense'\nspider.ca_file = '/ca.pem'",
        "ice.policy = 'relay'\nice.servers = [{ url = 'turn:a' }]",
        "ice.policy = 'relay'\nice.servers = [{ urls = 'turn:a', username = 'u', credential_file = '/gone' }]",
        "local.listen = '0.0.0.0'\nlocal.driver_key_file = '/gone'",
    ] {
        let report = read(text).expect_err(text);
        assert_eq!(report.problems().len(), 1, "{text}: {report}");
    }
}

#[test]
fn a_driver_key_is_its_line_without_marks_and_line_ends() {
    for (file, wanted) in [
        ("/driver.key", "correct horse".to_owned()),
        ("/marked.key", "correct horse".to_owned()),
        ("/longest.key", "k".repeat(1024)),
    ] {
        let config = read(&format!("local.driver_key_file = '{file}'")).expect(file);
        let key = config.local.driver_key.expect(file);
        assert!(key.matches(&wanted), "{file}");
    }
}

#[test]
fn no_secret_is_in_the_debug_output() {
    let text = "local.listen = '0.0.0.0'\nlocal.driver_key_file = '/driver.key'\n\
                local.cert_file = '/cert.pem'\nlocal.key_file = '/key.pem'\n\
                ice.servers = [{ urls = 'turn:a', username = 'u', credential_file = '/turn' }]";
    let shown = format!("{:?}", read(text).expect("good"));
    for secret in ["correct horse", "hunter2", "BEGIN PRIVATE"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn a_password_in_the_address_is_not_repeated() {
    let report = read("spider.url = 'wss://me:hunter2@host'").expect_err("no user there");
    assert!(!report.to_string().contains("hunter2"), "{report}");
}

#[test]
fn outputs_are_found_although_the_rest_is_bad() {
    let text = "camera.fps = 99\nspider.url = 'x'\ndrive.calibration.throttle_zero_us = 1510\n";
    assert!(read(text).is_err());
    let (raw, shelf) = raw(text);
    let outputs = Outputs::from_raw(&raw, &shelf).expect("drive is good");
    assert_eq!(
        outputs.drive.config.calibration.neutral().throttle.get(),
        1510
    );
    let ignored = outputs.ignored.expect("a bad camera");
    // What only the whole configuration looks at is not looked at here.
    assert!(ignored.to_string().contains("camera.fps = 99"), "{ignored}");
}

#[test]
fn outputs_are_not_guessed_when_their_own_part_is_bad() {
    for text in [
        "drive.calibration.throttle_zero_us = 9",
        "drive.outptu = 'pwm'",
        "drive.calibration.throttle_zero_us = 1600",
        "[drive\n",
    ] {
        let (raw, shelf) = raw(text);
        assert!(Outputs::from_raw(&raw, &shelf).is_err(), "{text}");
    }
}

/// A line that may be part of a file: known and unknown keys, sane and mad values.
fn any_line() -> impl Strategy<Value = String> {
    let path = prop_oneof![
        4 => prop::sample::select(KEYS).prop_map(|id| id.key().path.to_owned()),
        1 => Just("[ice]".to_owned()),
        1 => "[a-z.]{0,12}",
    ];
    let value = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        (0..3000_i64).prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|x| x.to_string()),
        "\\PC{0,20}".prop_map(|text| crate::config::kind::quoted(&text)),
        "\\PC{0,10}",
        Just("[{ urls = 'turn:a@b', username = 3 }, 5, []]".to_owned()),
        Just("{ a = { b = 1 } }".to_owned()),
    ];
    (path, value).prop_map(|(path, value)| format!("{path} = {value}"))
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn no_lines_make_it_panic_and_a_good_result_is_in_range(lines in prop::collection::vec(any_line(), 0..12)) {
        if let Ok(config) = read(&lines.join("\n")) {
            prop_assert!(config.failsafe.hold() < config.failsafe.neutral());
            prop_assert!(config.camera.width % 2 == 0 && config.camera.height % 2 == 0);
        }
    }

    #[test]
    fn no_flag_makes_it_panic(id in prop::sample::select(KEYS), value in "\\PC{0,30}") {
        let shelf = shelf("");
        let set = Set { key: id.key().path.into(), value, flag: "--set".into() };
        let raw = RawConfig::read(&Source::BuiltIn, &[set], &shelf);
        let _ = Config::from_raw(&raw, &shelf);
    }
}

#[test]
fn two_parts_on_one_pin_are_told_with_both_keys() {
    for (text, keys) in [
        (
            "drive.output = \"pwm\"\npwm.steering_pin = 18",
            ["pwm.steering_pin", "pwm.throttle_pin"],
        ),
        (
            "drive.output = \"hbridge\"\nlap.kind = \"infrared\"\nlap.pin = 23",
            ["lap.pin", "hbridge.forward_pin"],
        ),
        (
            "drive.output = \"hbridge\"\nhbridge.enable_pin = 2\nbattery.kind = \"ina226\"",
            ["hbridge.enable_pin", "battery.bus"],
        ),
        (
            "drive.output = \"pca9685\"\npca9685.enable_pin = 4\nlap.kind = \"magnetic\"",
            ["lap.pin", "pca9685.enable_pin"],
        ),
        (
            "drive.output = \"pca9685\"\npca9685.enable_pin = 3",
            ["pca9685.enable_pin", "pca9685.bus"],
        ),
        (
            "drive.output = \"pca9685\"\nbattery.kind = \"ina219\"\nbattery.address = 0x40",
            ["battery.address", "pca9685.address"],
        ),
        (
            "drive.output = \"pca9685\"\npca9685.steering_channel = 5",
            ["pca9685.steering_channel", "pca9685.throttle_channel"],
        ),
        (
            "drive.output = \"hbridge\"\ndrive.calibration.throttle_zero_us = 1520",
            ["drive.calibration.throttle_zero_us", "drive.output"],
        ),
        (
            "battery.kind = \"ina219\"\nbattery.critical_mv = 7000",
            ["battery.critical_mv", "battery.low_mv"],
        ),
    ] {
        let report = read(text).expect_err(text).to_string();
        for key in keys {
            assert!(report.contains(key), "{text}: {report}");
        }
    }
}

#[test]
fn a_part_that_is_not_in_use_has_no_pins() {
    let config = read("hbridge.forward_pin = 18\nlap.pin = 18").expect("nothing uses pin 18");
    assert_eq!(config.drive.output.word(), "sim");
}

#[test]
fn no_key_is_read_and_then_forgotten() {
    let meaning = |text: &str| {
        read(text)
            .map(|config| format!("{config:?}"))
            .map_err(|report| report.to_string())
    };
    // A key of a part that is not in use changes nothing, so each is tried where its part is.
    let in_use = [
        "",
        "drive.output = \"pwm\"",
        "drive.output = \"pca9685\"\nbattery.kind = \"ina219\"",
        "drive.output = \"hbridge\"",
        "drive.output = \"hbridge\"\nhbridge.steering = \"skid\"",
        "lap.kind = \"magnetic\"",
        "camera.rear.source = \"libcamera\"",
    ];
    for key in KEYS.iter().map(|id| id.key()) {
        let other = match key.kind {
            Kind::Text { .. } => Value::Text("x".to_owned()),
            Kind::Whole {
                default, step, max, ..
            } => Value::Whole(if default < max {
                default + step
            } else {
                default - step
            }),
            Kind::Flag { default } => Value::Flag(!default),
            Kind::Word { default, words } => {
                let other = words
                    .iter()
                    .find(|word| **word != default)
                    .expect("two words at least");
                Value::Text((*other).to_owned())
            }
            Kind::Servers => Value::Servers(vec![ServerSaid {
                urls: vec!["stun:a".to_owned()],
                ..ServerSaid::default()
            }]),
        };
        let text = format!("{} = {}", key.path, other.to_string().replace('\n', ""));
        assert!(
            in_use
                .iter()
                .filter(|base| !base.contains(key.path))
                .any(|base| meaning(&format!("{base}\n{text}")) != meaning(base)),
            "{text} changes nothing"
        );
    }
}

#[test]
fn a_rear_camera_is_another_camera_than_the_front_one() {
    let rear = |more: &str| {
        read(&format!(
            "camera.source = 'libcamera'\ncamera.rear.source = 'libcamera'\n{more}"
        ))
    };
    let good = rear("camera.rear.standby = false\ncamera.rear.dwell_ms = 250").expect("1 is not 0");
    let found = good.camera.rear.expect("there is one");
    assert_eq!((found.index, found.stands_by), (1, false));
    assert_eq!(found.dwell, core::time::Duration::from_millis(250));
    assert!(read("").expect("the defaults").camera.rear.is_none());
    for same in [
        "camera.rear.index = 0",
        "camera.index = 1",
        "camera.id = 'a'\ncamera.rear.id = 'a'",
    ] {
        let report = rear(same).expect_err(same);
        assert!(report.to_string().contains("another camera"), "{report}");
    }
    assert!(
        rear("camera.id = 'a'\ncamera.rear.index = 0").is_ok(),
        "who knows which is which"
    );
    assert!(
        read("camera.rear.source = 'libcamera'\ncamera.rear.index = 0").is_ok(),
        "a simulated front"
    );
}

#[test]
fn a_pin_used_twice_hides_no_other_problem() {
    let report = read(
        "[drive]\noutput = 'pwm'\n[pwm]\nthrottle_pin = 12\nsteering_pin = 12\n[lap]\nkind = 'magnetic'\npin = 12\n\
         [battery]\nkind = 'ina219'\nlow_mv = 6000\ncritical_mv = 7000\n[log]\nlevel = 'loud'\n[local]\nport = 8000\n\
         tls_port = 8000\n[camera]\nfps = 0\n[telemetry]\nrate_hz = 0\n",
    )
    .expect_err("seven things are wrong");
    let text = report.to_string();
    let wrong = [
        "pwm.steering_pin",
        "lap.pin",
        "battery.critical_mv",
        "log.level",
        "local.port",
        "camera.fps",
        "telemetry.rate_hz",
    ];
    for key in wrong {
        assert!(text.contains(key), "{key} is not told:\n{text}");
    }
    assert_eq!(report.problems().len(), wrong.len(), "{text}");
}

#[test]
fn what_is_wrong_with_an_output_hides_no_pin_that_is_used_twice() {
    let text = read(
        "[drive]\noutput = 'pca9685'\ntick_hz = 1\n[pca9685]\nthrottle_channel = 0\nsteering_channel = 9\nenable_pin = 4\n\
         [lap]\nkind = 'magnetic'\npin = 4\n",
    )
    .expect_err("three things are wrong")
    .to_string();
    for key in ["drive.tick_hz", "pca9685.steering_channel", "lap.pin"] {
        assert!(text.contains(key), "{key} is not told:\n{text}");
    }
}
