//! The car survives whatever a Spider does: PROTOCOL.md 5.1 rule 14 and the questions of 5.2.
//!
//! Each test names the number. "Survives" means: the process lives on, the outputs are neutral while
//! there is no link, and a driver can take over afterwards.

mod harness;

use harness::proxy::Proxy;
use harness::{Car, Operator, Program, drives, spider, until, writes};

/// A Spider on a given port, as a restarted one would be.
fn spider_at(port: u16, folder: &harness::Folder, args: &[&str]) -> Program {
    let port = port.to_string();
    let mut all = vec!["spider", "--port", &port, "--tls-port", "0"];
    all.extend(args);
    Program::with_spider(&all, folder, "spider-again")
}

/// The car drives although the Spider behaves like this.
async fn drives_in_spite_of(fault: &str) {
    let (spider, _folder) = spider(fault, &["--fault", fault]);
    let car = Car::at(fault, &spider.url(), &[]);
    car.program.logged("link up").await;
    drives(&car, &spider.url()).await;
}

/// The car gets no link from such a Spider, stays alive at neutral, and drives once a good one is there.
async fn outlives(fault: &str, said: &str) {
    let (mut bad, folder) = spider(fault, &["--fault", fault]);
    let mut car = Car::at(fault, &bad.url(), &[]);
    car.program.logged(said).await;
    until("a second attempt", || {
        car.program.text().matches("no link").count() >= 2
    })
    .await;
    assert!(car.program.is_running());
    car.has_not_moved_since(0);
    let port = bad.port;
    bad.child.kill().expect("ours");
    bad.wait();
    let good = spider_at(port, &folder, &[]);
    car.program.logged("link up").await;
    drives(&car, &good.url()).await;
    assert!(car.program.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_14_binary_frames_before_the_answer() {
    drives_in_spite_of("binary-frame").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_14_text_that_is_not_json_before_the_answer() {
    drives_in_spite_of("junk").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_14_question_8_an_offer_of_the_server() {
    drives_in_spite_of("server-offer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_14_an_answer_that_takes_a_second() {
    drives_in_spite_of("late-answer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn question_1_candidates_trickled_besides_the_answer() {
    drives_in_spite_of("trickle").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn question_1_candidates_only_trickled() {
    drives_in_spite_of("trickle-only").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn question_13_channels_that_the_server_opens_to_viewers() {
    drives_in_spite_of("server-channels").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_2_9_20_a_server_that_enforces_rate_and_key_frames() {
    drives_in_spite_of("enforce").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_14_question_6_the_plain_text_close() {
    outlives("plain-close", "the Spider said close").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_14_question_6_an_error_message() {
    outlives("error-message", "the Spider said error").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_14_question_7_a_silent_drop() {
    outlives("silent-drop", "dropped us before an answer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_14_question_7_no_answer_at_all() {
    let (bad, _folder) = spider("no-answer", &["--fault", "no-answer"]);
    let mut car = Car::at("no-answer", &bad.url(), &[]);
    car.program.logged("did not answer our offer").await;
    assert!(car.program.is_running());
    car.has_not_moved_since(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn question_7_a_channel_that_is_busy_is_tried_until_it_is_free() {
    let (spider, _folder) = spider("busy", &[]);
    let first = Car::at("busy-first", &spider.url(), &[]);
    first.program.logged("link up").await;
    let second = Car::at("busy-second", &spider.url(), &[]);
    second
        .program
        .logged("somebody else publishes on this channel")
        .await;
    drop(first);
    second.program.logged("link up").await;
    drives(&second, &spider.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn question_9_the_historic_parameters_are_sent_as_configured() {
    let (spider, _folder) = spider("parameters", &[]);
    let proxy = Proxy::to(spider.port).await;
    let sets = [
        "spider.bitrate_kbps=800",
        "spider.ktime=100",
        "spider.vcodec=",
    ];
    let car = Car::at("parameters", &proxy.url(), &sets);
    car.program.logged("link up").await;
    let lines = proxy.first_lines.lock().expect("not poisoned").clone();
    let historic = format!(
        "GET /live/ws/pub?channel={}&brate=800&ktime=100",
        harness::CHANNEL
    );
    // Ours comes behind them (rule 18), and tells nobody who the car is.
    let [line] = &lines[..] else {
        panic!("{lines:?}");
    };
    let rest = line
        .strip_prefix(&historic)
        .unwrap_or_else(|| panic!("{line}"));
    let instance = rest
        .strip_prefix("&instance=")
        .and_then(|rest| rest.strip_suffix(" HTTP/1.1"))
        .unwrap_or_else(|| panic!("{line}"));
    assert!(
        instance.len() == 64 && instance.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{line}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn question_23_media_that_outlives_signalling_goes_on_driving() {
    let (spider, _folder) = spider(
        "keep",
        &["--fault", "keep-media", "--fault", "replace-publisher"],
    );
    let proxy = Proxy::to(spider.port).await;
    let car = Car::at("keep", &proxy.url(), &[]);
    car.program.logged("link up").await;
    let mut operator = Operator::connect(&spider.url()).await;
    operator.move_off(&car).await;
    proxy.cut();
    let before = writes(&car.actuators).len();
    operator
        .drive_until(400, "the lost signalling in the log", || {
            car.program.text().contains("signalling is over")
        })
        .await;
    let after = writes(&car.actuators);
    let stops: Vec<_> = after[before..]
        .iter()
        .filter(|write| write.cause == "link_lost")
        .collect();
    // Once the car offers anew, this Spider closes the old session: a stop after that is another matter.
    let offers = car.program.text().matches("offer sent").count();
    assert!(
        stops.is_empty() || offers > 1,
        "the car stopped although media was up: {stops:?}"
    );
    until("a new session", || {
        car.program.text().matches("link up").count() > 1
    })
    .await;
    drives(&car, &spider.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_17_19_20_unknown_groups_binary_and_numeric_strings() {
    let car = Car::local("odd", &[]);
    let operator = Operator::connect(&car.program.url()).await;
    for text in [
        r#"{"calibration":{"key":"throttle","value":375}}"#,
        r#"{"motion":{"key":"forward","value":"0"}}"#,
    ] {
        operator.send("stream", text).await;
    }
    let stream = operator.channel("stream").expect("open");
    car.undisturbed(async || {
        let neutral = bytes::BytesMut::from(&br#"{"motion":{"key":"forward","value":0}}"#[..]);
        let deadline = std::time::Instant::now() + harness::PATIENCE;
        while operator.state() != Some(1) {
            assert!(
                std::time::Instant::now() < deadline,
                "not armed by the binary neutral"
            );
            stream.send(neutral.clone()).await.expect("sent"); // binary: taken as UTF-8 JSON
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
    until("the numeric string among the malformed", || {
        operator
            .car()
            .is_some_and(|car| car["malformed"].as_u64() == Some(1))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn question_16_a_legacy_driver_that_falls_silent_is_stopped_by_age() {
    let car = Car::local("age", &["failsafe.legacy_age_ms=700"]);
    let operator = Operator::connect(&car.program.url()).await;
    car.undisturbed(async || {
        let before = writes(&car.actuators).len();
        operator.take_over_as_of_old().await;
        operator.motion("forward", 10).await;
        car.until_moving().await;
        car.until_neutral().await;
        let lines = car.since(before);
        let moving_from = lines
            .iter()
            .find(|write| write.throttle_us > 1500)
            .expect("it moved")
            .t_us;
        let last = lines.last().expect("there are writes");
        assert_eq!(last.cause, "legacy_age", "{last:?}");
        assert!(
            last.t_us - moving_from >= 650_000,
            "stopped before its time: {lines:?}"
        );
    })
    .await;
}
