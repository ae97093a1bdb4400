//! Who may do what: each key at the relay, and who has none of the car's secrets at the car.
//!
//! Real programs: a Spider with a key for each right, a car that publishes with its own, viewers with one key each.

mod harness;

use std::fs;
use std::path::PathBuf;

use harness::operator::{LEASE, Operator};
use harness::{Car, Folder, Program, until};

/// Keys of the Spider, each in a file of this name.
const KEYS: [(&str, &str); 4] = [
    ("driver", "the key of drivers"),
    ("watch", "the key of watchers"),
    ("calibrate", "the key of calibrators"),
    ("publish", "the key of publishers"),
];

fn key_of(name: &str) -> &'static str {
    KEYS.iter()
        .find(|(known, _)| *known == name)
        .map(|(_, key)| *key)
        .expect("a key")
}

/// A Spider with a key for each right, and where their files are.
fn keyed_spider(folder: &Folder) -> (Program, impl Fn(&str) -> PathBuf + use<>) {
    let place = folder.file("");
    let file = move |name: &str| place.join(format!("{name}.key"));
    let mut args: Vec<String> = ["spider", "--port", "0", "--tls-port", "0"]
        .map(str::to_owned)
        .to_vec();
    for (name, key) in KEYS {
        fs::write(file(name), key).expect("a key");
        args.push("--set".to_owned());
        args.push(format!("local.{name}_key_file={}", file(name).display()));
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    (Program::with_spider(&args, folder, "spider"), file)
}

/// A viewer with this key.
async fn viewer(url: &str, name: &str) -> Operator {
    let query = format!("&key={}", key_of(name).replace(' ', "%20"));
    let viewer = Operator::dial(url, &query)
        .await
        .unwrap_or_else(|err| panic!("{name}: {err}"));
    viewer.ready().await;
    viewer
}

/// Asks the car for its calibration, which anybody may.
async fn knows_calibration(viewer: &Operator) {
    viewer
        .send("stream", r#"{"calibration":{"action":0}}"#)
        .await;
    until("the calibration", || viewer.calibration().is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_is_for_what_it_is_for_and_for_nothing_else() {
    let folder = Folder::new("rights");
    let (spider, file) = keyed_spider(&folder);
    let url = spider.url();
    let publish = format!("local.publish_key_file={}", file("publish").display());
    let car = Car::at(
        "rights-car",
        &url,
        &[&publish, "drive.remote_calibration=on"],
    );
    car.program.logged("link up").await;

    // Watch: sees and is answered, moves nothing, sets nothing.
    let mut watcher = viewer(&url, "watch").await;
    let written = car.since(0).len();
    watcher.tries_to_drive().await;
    knows_calibration(&watcher).await;
    let _ = watcher.save_neutral(1510, 1490).await;
    watcher.send("stream", r#"{"stop":{}}"#).await;
    watcher.heard_so_far().await;
    assert_eq!(car.since(0).len(), written, "a watcher moved the car");
    assert_eq!(watcher.max_speed(), None);
    assert_eq!(watcher.number("foreign"), Some(0), "nothing of his came");
    spider.logged("takes a right that his key has not").await;

    // Drive: drives, calibrates nothing.
    let mut driver = viewer(&url, "driver").await;
    driver.move_off(&car).await;
    driver
        .drive_until(0, "the car to stand", || car.is_neutral())
        .await;
    for _ in 0..10 {
        driver.tune(1, 2, 1600).await;
    }
    knows_calibration(&driver).await;
    let seq = driver.save_neutral(1510, 1490).await;
    driver.heard_so_far().await;
    assert!(
        car.is_neutral(),
        "a driver tuned an output: {:?}",
        car.last()
    );
    assert_ne!(driver.told("seq"), Some(seq), "a driver's wish was heard");
    driver.want(0).await;

    // Calibrate: that, too.
    let mut maker = viewer(&url, "calibrate").await;
    maker.lease = 4712;
    until("the car to be free", || maker.number("lease") == Some(0)).await;
    maker.take_over().await;
    maker
        .tune_until(2, 1600, "the servo to follow", || {
            car.last().is_some_and(|write| write.steering_us > 1550)
        })
        .await;

    // Publish: is the car, and no viewer.
    let query = format!("&key={}", key_of("publish").replace(' ', "%20"));
    let refused = Operator::dial(&url, &query).await.err().expect("refused");
    assert!(refused.contains("not for who wants to watch"), "{refused}");
    for name in ["driver", "watch", "calibrate"] {
        let key = format!("local.publish_key_file={}", file(name).display());
        let another = Car::at(&format!("rights-{name}"), &url, &[&key]);
        another.program.logged("not for who wants to publish").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_car_with_a_spider_inside_is_nobody_elses_channel() {
    let folder = Folder::new("rights-inside");
    let file = folder.file("key");
    fs::write(&file, "the driver's key").expect("a key");
    let key = format!("local.driver_key_file={}", file.display());
    let car = Car::local("rights-inside-car", &[&key]);
    car.program.logged("link up").await;
    let thief = Car::at("rights-thief", &car.program.url(), &[&key]);
    thief.program.logged("not for who wants to publish").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_reads_all_and_takes_nothing() {
    let car = Car::local("rights-reader", &[]);
    let url = car.program.url();
    let mut driver = Operator::connect(&url).await;
    let mut reader = Operator::connect(&url).await;
    driver.move_off(&car).await;
    until("the lease to be told", || {
        reader.number("lease") == Some(LEASE.into())
    })
    .await;

    // All that telemetry tells, and all that can be said with it; his own Spider lets everybody drive here.
    let at = |us| car.last().is_some_and(|write| write.throttle_us > us);
    driver
        .drive_until(400, "all that she asks for", || at(1720))
        .await;
    let before = car.since(0).len();
    let most = 1730;
    let foreign = reader.number("foreign");
    let far = 1_u64 << 50;
    for secret in ["", r#","secret":0"#, r#","secret":1"#] {
        for (seq, t_ms) in [(1_000_000, 1), (2_000_000, far)] {
            for text in [
                format!(
                    r#"{{"drive":{{"seq":{seq},"t_ms":{t_ms},"throttle":1000,"steering":1000,"lease":{LEASE}{secret}}}}}"#
                ),
                format!(r#"{{"arm":{{"seq":{seq},"t_ms":{t_ms},"lease":{LEASE}{secret}}}}}"#),
                format!(r#"{{"lease":{{"id":{LEASE},"want":0{secret}}}}}"#),
                format!(r#"{{"view":{{"lease":{LEASE},"rtt_ms":99999,"age_ms":99999{secret}}}}}"#),
            ] {
                reader.send("stream", &text).await;
            }
        }
        reader.heard_so_far().await;
        driver.keep_driving(400, 0).await;
    }
    driver
        .drive_until(400, "all of it to be counted", || {
            reader.number("foreign") > foreign
        })
        .await;
    assert_eq!(driver.number("lease"), Some(LEASE.into()), "still hers");
    let forged: Vec<_> = car
        .since(before)
        .into_iter()
        .filter(|write| write.throttle_us > most || write.steering_us > 1500)
        .collect();
    assert!(forged.is_empty(), "{forged:?}");
    // And she is heard as before.
    driver
        .drive_until(200, "the car to slow down", || {
            car.last().is_some_and(|write| write.throttle_us < 1700)
        })
        .await;
}
