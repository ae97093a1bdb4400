//! Driving, end to end: the real program, its own Spider, a viewer; the actuator log is the judge.

mod harness;

use harness::{Car, Operator, until, writes};
use std::sync::atomic::Ordering;

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_arms_drives_and_releases() {
    let car = Car::local("drive", &[]);
    let mut operator = Operator::connect(&car.program.url()).await;
    operator.move_off(&car).await;
    operator
        .drive_until(0, "neutral after the release", || car.is_neutral())
        .await;
    assert_eq!(
        writes(&car.actuators)[0].cause,
        "start",
        "the first line is written at start-up"
    );
    until("video at the viewer", || {
        operator.packets.load(Ordering::Relaxed) > 10
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_falls_silent_leaves_a_car_at_neutral_and_can_take_over_again() {
    let car = Car::local("silence", &[]);
    let mut operator = Operator::connect(&car.program.url()).await;
    car.undisturbed(async || {
        operator.move_off(&car).await;
        car.until_neutral().await; // nothing is sent any more
        car.fell_silent();
    })
    .await;
    operator.move_off(&car).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_neutral_arms_and_a_legacy_motion_before_it_does_not() {
    let car = Car::local("legacy", &[]);
    let operator = Operator::connect(&car.program.url()).await;
    operator.motion("forward", 10).await;
    until("the refused command in telemetry", || {
        operator
            .car()
            .is_some_and(|car| car["refusals"].as_u64().is_some_and(|bits| bits & 2 != 0))
    })
    .await;
    car.has_not_moved_since(0);
    car.undisturbed(async || {
        operator.take_over_as_of_old().await;
        operator.motion("forward", 10).await;
        car.until_moving().await;
        operator.motion("forward", 0).await;
        car.until_neutral().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_is_latched_until_somebody_arms_again() {
    let car = Car::local("stop", &[]);
    let mut operator = Operator::connect(&car.program.url()).await;
    car.undisturbed(async || {
        operator.move_off(&car).await;
        operator.send("stream", r#"{"stop":{}}"#).await;
        operator
            .hold_until(400, "neutral although the throttle is held", || {
                car.is_neutral()
            })
            .await;
        let at_stop = writes(&car.actuators).len();
        let said = operator.reports();
        until("five more reports of the car", || {
            operator.reports() >= said + 5
        })
        .await;
        assert_eq!(operator.state(), Some(3));
        let lines = writes(&car.actuators);
        assert_eq!(
            lines.len(),
            at_stop,
            "moved while the stop was latched: {:?}",
            lines.last()
        );
        assert_eq!(car.last().expect("writes").cause, "stop");
    })
    .await;
    operator.move_off(&car).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn max_speed_is_echoed_with_the_value_in_force() {
    let car = Car::local("maxspeed", &[]);
    let operator = Operator::connect(&car.program.url()).await;
    operator
        .send("stream", r#"{"speed":{"key":"maxSpeed","value":440}}"#)
        .await;
    let echo = r#"{"speed":{"key":"maxSpeed","value":440}}"#;
    until("the echo", || {
        operator
            .metrics
            .lock()
            .expect("not poisoned")
            .iter()
            .any(|text| text == echo)
    })
    .await;
}
