//! Hostile input on the data channels: never a pulse outside the calibration, never a dead receiver.
//!
//! The messages are sent on both command channels of a live car, then the car is driven as if nothing
//! had happened. Decoders alone are fuzzed in `tests/fuzz`.

mod harness;

use bytes::BytesMut;
use harness::{Car, Operator, until, writes};

/// Messages that no driver sends. None of them may move the car.
fn hostile() -> Vec<String> {
    let mut all: Vec<String> = [
        "",
        " ",
        "null",
        "true",
        "0",
        "\"forward\"",
        "[]",
        "[[[[[[[[[[[[[[[[",
        "{}",
        "{",
        "}{",
        r#"{"motion":null}"#,
        r#"{"motion":[]}"#,
        r#"{"motion":{"key":"forward"}}"#,
        r#"{"motion":{"value":20}}"#,
        r#"{"motion":{"key":"forward","value":null}}"#,
        r#"{"motion":{"key":"forward","value":NaN}}"#,
        r#"{"motion":{"key":"forward","value":Infinity}}"#,
        r#"{"motion":{"key":"forward","value":1e40}}"#,
        r#"{"motion":{"key":"forward","value":-1e400}}"#,
        r#"{"motion":{"key":"forward","value":"20"}}"#,
        r#"{"motion":{"key":"forward","value":[20]}}"#,
        r#"{"motion":{"key":"forward","value":{"value":20}}}"#,
        r#"{"motion":{"key":"forward","value":true}}"#,
        r#"{"motion":{"key":"up","value":20}}"#,
        r#"{"motion":{"key":7,"value":20}}"#,
        r#"{"motion":{"key":"forward","value":20},"speed":{"key":"maxSpeed","value":440}}"#,
        r#"{"motion":{"key":"forward","value":20}} {"motion":{"key":"forward","value":20}}"#,
        r#"{"speed":{"key":"maxSpeed","value":-1}}"#,
        r#"{"speed":{"key":"maxSpeed","value":1e9}}"#,
        r#"{"drive":{"seq":1,"t_ms":1,"throttle":1001,"steering":0,"lease":9}}"#,
        r#"{"drive":{"seq":1,"t_ms":1,"throttle":1000,"steering":0}}"#,
        r#"{"drive":{"seq":-1,"t_ms":1,"throttle":1000,"steering":0,"lease":9}}"#,
        r#"{"drive":{"seq":1.5,"t_ms":1,"throttle":1000,"steering":0,"lease":9}}"#,
        r#"{"drive":{"seq":4294967296,"t_ms":1,"throttle":1000,"steering":0,"lease":9}}"#,
        r#"{"drive":{"seq":1,"t_ms":18446744073709551616,"throttle":1000,"steering":0,"lease":9}}"#,
        r#"{"drive":{"seq":999999,"t_ms":99999999,"throttle":1000,"steering":1000,"lease":9}}"#,
        r#"{"arm":{"seq":1,"t_ms":1,"lease":9}}"#,
        r#"{"lease":{"id":9,"want":7}}"#,
        r#"{"ping":{"id":-1,"t_ms":0}}"#,
        r#"{"__proto__":{"x":1}}"#,
        r#"{"calibration":{"key":"throttle","value":500}}"#,
        "{\"motion\":{\"key\":\"forward\\u0000\",\"value\":20}}",
    ]
    .map(str::to_owned)
    .to_vec();
    all.push("[".repeat(900));
    all.push(format!("{}1{}", "{\"a\":".repeat(150), "}".repeat(150)));
    all.push(format!(
        r#"{{"motion":{{"key":"forward","value":{}}}}}"#,
        "9".repeat(900)
    ));
    all.push(format!(
        r#"{{"motion":{{"key":"forward","value":20}}{}}}"#,
        " ".repeat(2000)
    ));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_messages_move_nothing_and_the_car_drives_afterwards() {
    let car = Car::local("hostile", &[]);
    let mut operator = Operator::connect(&car.program.url()).await;
    until("an open drive channel", || {
        operator.channel("drive").is_some()
    })
    .await;
    for label in ["stream", "drive"] {
        for text in hostile() {
            operator.send(label, &text).await;
        }
        let channel = operator.channel(label).expect("open");
        for bytes in [
            &[0_u8, 159, 146, 150][..],
            &[0xff; 300],
            b"{\"motion\":{\"key\":\"forward\",\"value\":\xff}}",
        ] {
            channel.send(BytesMut::from(bytes)).await.expect("sent");
        }
    }
    // A megabyte is beyond what a data channel has to take; whatever becomes of it, the rest goes on.
    let megabyte = "x".repeat(1024 * 1024);
    if let Some(stream) = operator.channel("stream") {
        let _ = stream.send_text(&megabyte).await;
    }
    operator.take_over().await;
    car.has_not_moved_since(0);
    operator
        .drive_until(1000, "the car to move", || car.moves())
        .await;
    for label in ["stream", "drive"] {
        for text in hostile() {
            operator.send(label, &text).await;
        }
    }
    operator
        .drive_until(0, "neutral after the release", || car.is_neutral())
        .await;
    for write in writes(&car.actuators) {
        assert!(
            (1000..=2000).contains(&write.throttle_us),
            "outside the calibration: {write:?}"
        );
        assert!(
            (1000..=2000).contains(&write.steering_us),
            "outside the calibration: {write:?}"
        );
    }
    let malformed = operator
        .car()
        .and_then(|car| car["malformed"].as_u64())
        .unwrap_or_default();
    assert!(
        malformed > 80,
        "only {malformed} messages were counted as malformed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_capture_and_an_old_sequence_do_not_move_the_car() {
    let car = Car::local("replay", &[]);
    let mut operator = Operator::connect(&car.program.url()).await;
    operator.take_over().await;
    operator
        .drive_until(300, "the car to move", || car.moves())
        .await;
    car.until_neutral().await;
    let before = writes(&car.actuators).len();
    let capture = format!(
        r#"{{"drive":{{"seq":1,"t_ms":1,"throttle":300,"steering":0,"lease":{},"secret":{}}}}}"#,
        harness::operator::LEASE,
        harness::operator::SECRET
    );
    let replayed = |car: Option<serde_json::Value>| {
        car.and_then(|car| Some(car["replayed"].as_u64()? + car["late"].as_u64()?))
            .unwrap_or_default()
    };
    let counted = replayed(operator.car());
    for _ in 0..20 {
        operator.send("stream", &capture).await;
    }
    until("the replays to be counted", || {
        replayed(operator.car()) > counted
    })
    .await;
    car.has_not_moved_since(before);
}
