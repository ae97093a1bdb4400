//! More of what the notes ask of a client (PROTOCOL.md 5.2); each test names the question.

mod harness;

use std::io::{BufRead, BufReader};
use std::process::Command;

use harness::bare::BareServer;
use harness::{Car, Folder, Operator, Program, SMALL, spider, until, writes};
use tokio_tungstenite::tungstenite::Message;

#[tokio::test(flavor = "multi_thread")]
async fn questions_1_10_11_12_the_offer_is_complete_bundled_and_in_the_historic_order() {
    let server = BareServer::start().await;
    let _car = Car::at("offer", &server.url(), &[]);
    let mut socket = server.accept().await;
    let offer = socket.hear_type("offer").await;
    let sections: Vec<_> = offer
        .lines()
        .filter(|line| line.starts_with("m="))
        .collect();
    assert_eq!(sections.len(), 2, "{offer}");
    assert!(
        sections[0].starts_with("m=video ") && sections[1].starts_with("m=application "),
        "{sections:?}"
    );
    assert_eq!(spidercar::peer::has_one_ufrag(&offer), Ok(()));
    for line in [
        "a=group:BUNDLE 0 1",
        "a=setup:actpass",
        "a=rtcp-mux",
        "a=candidate:",
        "packetization-mode=1",
        "profile-level-id=42e01f",
        "a=sctp-port:5000",
    ] {
        assert!(offer.contains(line), "{line} is missing in\n{offer}");
    }
    assert!(!offer.contains("m=audio"), "{offer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_3_4_5_control_pings_are_answered_and_odd_messages_before_the_answer_are_ignored()
{
    let server = BareServer::start().await;
    let mut car = Car::at("pings", &server.url(), &[]);
    let mut socket = server.accept().await;
    socket.hear_type("offer").await;
    for text in [
        r#"{"type":"ping"}"#,
        r#"{"type":"joins"}"#,
        r#"{"type":"joins","data":{"who":["a"]}}"#,
        r#"{"type":"joins","data":""}"#,
        r#"{"type":"pong","data":null}"#,
        r#"{"type":"candidate","data":"1 1 udp 1 127.0.0.1 9 typ host"}"#,
        r#"{"type":"candidate2","data":"{}"}"#,
        r#"{"type":"unheard-of","data":"x"}"#,
        r#"{"data":"no type"}"#,
        "[]",
    ] {
        socket.say(Message::text(text)).await;
    }
    socket.say(Message::Ping(vec![1, 2, 3].into())).await;
    loop {
        match socket.hear().await.expect("the car stays on its socket") {
            Message::Pong(payload) => {
                assert_eq!(payload.as_ref(), [1, 2, 3]);
                break;
            }
            Message::Text(text) => assert!(
                !text.contains("pong"),
                "a server ping needs no reply: {text}"
            ),
            _ => {}
        }
    }
    assert!(car.program.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn question_14_one_driver_at_a_time_and_stop_from_anybody() {
    let car = Car::local("lease", &[]);
    let mut driver = Operator::connect(&car.program.url()).await;
    let mut other = Operator::connect(&car.program.url()).await;
    other.lease = 99;
    driver.take_over().await;
    driver
        .drive_until(300, "the car to move", || car.moves())
        .await;
    let pulse = car.last().expect("it moves").throttle_us;
    for _ in 0..20 {
        other.drive(1000, 1000).await;
        other.arm().await;
        driver.keep_driving(300, 0).await;
    }
    let foreign = |operator: &Operator| {
        operator
            .car()
            .and_then(|car| car["foreign"].as_u64())
            .unwrap_or(0)
    };
    driver
        .drive_until(300, "the foreign commands to be counted", || {
            foreign(&other) > 0
        })
        .await;
    let strange: Vec<_> = writes(&car.actuators)
        .into_iter()
        .filter(|write| write.throttle_us > pulse + 200 || write.steering_us != 1500)
        .collect();
    assert!(
        strange.is_empty(),
        "a foreign command moved the car: {strange:?}"
    );
    car.undisturbed(async || {
        driver.take_over().await;
        driver
            .drive_until(300, "the car to move", || car.moves())
            .await;
        other.send("stream", r#"{"stop":{}}"#).await;
        driver
            .hold_until(300, "neutral by a stop from somebody else", || {
                car.is_neutral()
            })
            .await;
        assert_eq!(car.last().expect("writes").cause, "stop");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn question_21_a_certificate_is_verified_pinned_or_refused() {
    let (spider, folder) = spider("tls", &[]);
    let text = spider.text();
    let field = |name: &str| {
        let rest = text.split(&format!("{name}=")).nth(1).expect("in the log");
        rest.split_whitespace().next().expect("a value").to_owned()
    };
    let (address, pin) = (field("tls"), field("certificate_sha256"));
    let url = format!("wss://{address}");

    let strict = Car::at("tls-strict", &url, &[]);
    strict
        .program
        .logged("for a self-signed Spider set spider.ca_file or spider.pin_sha256")
        .await;
    let wrong = Car::at(
        "tls-wrong",
        &url,
        &[&format!("spider.pin_sha256={}", "0".repeat(64))],
    );
    wrong
        .program
        .logged("the certificate is not the pinned one")
        .await;
    let pinned = Car::at("tls-pinned", &url, &[&format!("spider.pin_sha256={pin}")]);
    pinned.program.logged("link up").await;
    assert!(!pinned.program.text().contains("NOT verified"));
    drop(pinned);
    let open = Car::at("tls-open", &url, &["spider.insecure=true"]);
    open.program
        .logged("the Spider's certificate is NOT verified")
        .await;
    open.program.logged("link up").await;
    assert!(
        !strict.program.text().contains("link up") && !wrong.program.text().contains("link up")
    );
    drop(folder);
}

/// The program on a system that has no certificate authorities.
fn without_authorities(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spidercar"));
    command.args(args).env("SSL_CERT_FILE", "/nowhere");
    command.env("SSL_CERT_DIR", "/nowhere");
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_secure_spider_needs_the_authorities_of_the_system() {
    let folder = Folder::new("authorities");
    let inside = [
        &["run", "--set", "local.port=0", "--set", "local.tls_port=0"],
        SMALL.as_slice(),
    ];
    let inside = Program::listening(without_authorities(&inside.concat()), &folder, "inside");
    inside.logged("link up").await;

    let server = BareServer::start().await;
    let url = format!("spider.url={}", server.url());
    let plain = [&["run", "--set", &url], SMALL.as_slice()].concat();
    let _plain = Program::spawn(without_authorities(&plain), &folder, "plain");
    server.accept().await.hear_type("offer").await;

    let url = inside.url();
    let watch = ["watch", &url, "--channel", harness::CHANNEL];
    let mut viewer = Program::spawn(without_authorities(&watch), &folder, "viewer");
    let stdout = viewer.child.stdout.take().expect("a pipe");
    let metric = BufReader::new(stdout).lines().next();
    assert!(
        metric.as_ref().is_some_and(Result::is_ok),
        "{metric:?}\n{}",
        viewer.tail()
    );

    let secure = ["run", "--set", "spider.url=wss://127.0.0.1:9"];
    let ended = without_authorities(&secure).output().expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(
        said.contains("install ca-certificates, or set spider.ca_file"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_key_lets_in_who_has_it_and_nobody_else() {
    let folder = harness::Folder::new("key");
    let key = folder.file("key");
    std::fs::write(&key, "correct-horse-battery\n").expect("written");
    let set = format!("local.driver_key_file={}", key.display());
    let car = Car::local("key-car", &[&set]);
    car.program.logged("link up").await; // the car inside has it
    let refused = Operator::dial(&car.program.url(), "")
        .await
        .err()
        .expect("refused");
    assert!(
        refused.contains("HTTP 403") && refused.contains("driver key"),
        "{refused}"
    );
    assert!(
        Operator::dial(&car.program.url(), "&key=wrong")
            .await
            .is_err()
    );
    let operator = Operator::dial(&car.program.url(), "&key=correct-horse-battery")
        .await
        .expect("let in");
    operator.ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_records_video_prints_metrics_and_gives_up_in_time_to_say_why() {
    let car = Car::local("watched", &[]);
    let folder = harness::Folder::new("watch");
    let record = folder.file("video.h264");
    let mut watch = Program::recording(&car.program.url(), &record, &folder);
    let size = || std::fs::metadata(&record).map_or(0, |meta| meta.len());
    until("a recording of 50 kB", || size() > 50_000).await;
    let bytes = std::fs::read(&record).expect("the recording");
    assert!(
        bytes.starts_with(&[0, 0, 0, 1, 0x67]),
        "a recording starts with parameter sets: {:?}",
        &bytes[..8]
    );
    watch.signal("-INT");
    assert_eq!(watch.wait(), Some(0));
    let mut out = String::new();
    std::io::Read::read_to_string(&mut watch.child.stdout.take().expect("a pipe"), &mut out)
        .expect("text");
    // Which message comes first is not promised; that each line is one is.
    let values: Vec<serde_json::Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON line"))
        .collect();
    assert!(values.iter().any(|value| value["car"]["v"] == 1), "{out}");
}
