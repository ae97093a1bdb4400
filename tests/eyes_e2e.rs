//! Two cameras as one video, end to end: the real program, a driver, a recording viewer; the pictures are the judge.
//!
//! The simulated cameras stamp their pictures with the time of capture, and the one that looks back shows a red tail where
//! the other has a blue bonnet. So what a viewer decodes says which camera it came from, and when.

#![allow(
    clippy::indexing_slicing,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod harness;

use std::path::Path;

use harness::{Car, Operator, Program, until};
use openh264::decoder::Decoder;
use openh264::formats::YUVSource;
use spidercar::hal::sim::Stamp;

/// A picture as a viewer decoded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    is_rear: bool,
    captured_us: u64,
    starts_with_key: bool,
}

/// The pictures of a recorded stream.
fn film(path: &Path) -> Vec<Seen> {
    let bytes = std::fs::read(path).expect("the recording");
    let mut decoder = Decoder::new().expect("a decoder");
    let mut seen = Vec::new();
    for unit in pictures(&bytes) {
        let Some(picture) = decoder.decode(unit).expect("a good stream") else {
            continue;
        };
        let (width, height) = picture.dimensions();
        let (stride, _, _) = picture.strides();
        let stamp = Stamp::read(picture.y(), stride, width, height).expect("a stamp");
        // In the middle of the bonnet's right half: red has much V, blue has much U.
        let (x, y) = (width / 2 + width / 10, height - height / 30);
        let chroma = |plane: &[u8], stride: usize| plane[y / 2 * stride + x / 2];
        let (_, of_u, of_v) = picture.strides();
        seen.push(Seen {
            is_rear: chroma(picture.v(), of_v) > chroma(picture.u(), of_u),
            captured_us: stamp.captured_at.as_micros(),
            starts_with_key: has_key(unit),
        });
    }
    seen
}

/// An Annex B stream cut where a picture begins: at a slice that is not preceded by parameter sets, or at those.
fn pictures(bytes: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = (0..bytes.len().saturating_sub(4))
        .filter(|at| bytes[*at..].starts_with(&[0, 0, 0, 1]))
        .collect();
    let kind = |at: usize| bytes[at + 4] & 0x1f;
    let mut cuts = Vec::new();
    let mut is_inside = false;
    for at in &starts {
        let is_slice = matches!(kind(*at), 1 | 5);
        // spec: ITU-T H.264 7.3.3: the first bit of a slice is 1 where its first macroblock is number 0.
        let is_first = is_slice && bytes[at + 5] & 0x80 != 0;
        if !is_inside && (is_first || !is_slice) {
            cuts.push(*at);
        }
        is_inside = !is_slice;
    }
    cuts.push(bytes.len());
    cuts.windows(2)
        .map(|pair| &bytes[pair[0]..pair[1]])
        .collect()
}

fn has_key(unit: &[u8]) -> bool {
    unit.windows(5)
        .any(|bytes| bytes[..4] == [0, 0, 0, 1] && bytes[4] & 0x1f == 5)
}

fn camera(operator: &Operator) -> Option<u64> {
    operator.video()?.get("camera")?.as_u64()
}

/// Drives at 50 Hz, so that the lease is kept, until this camera is shown.
async fn shows(operator: &mut Operator, throttle: i32, what: &str, wanted: u64) {
    let metrics = operator.metrics.clone();
    operator
        .drive_until(throttle, what, || {
            harness::operator::newest(&metrics, "video")
                .and_then(|video| video.get("camera")?.as_u64())
                == Some(wanted)
        })
        .await;
}

async fn look(operator: &Operator, lease: u32, view: u8) {
    let secret = operator.secret;
    let text = format!(
        r#"{{"camera":{{"lease":{lease},"secret":{secret},"key":"view","value":{view}}}}}"#
    );
    operator.send("stream", &text).await;
}

fn two_eyes(name: &str, sets: &[&str]) -> Car {
    let mut all = vec!["camera.rear.source=sim", "drive.reverse=direct"];
    all.extend(sets);
    Car::local(name, &all)
}

#[tokio::test(flavor = "multi_thread")]
async fn driving_backwards_shows_the_rear_and_nothing_from_before_the_change() {
    for standby in ["true", "false"] {
        let keeps = format!("camera.rear.standby={standby}");
        let car = two_eyes("two-eyes", &[&keeps]);
        let file = car.folder.file("film.h264");
        let url = car.program.url();
        let mut watch = Program::recording(&url, &file, &car.folder);
        watch.logged("first frame").await;

        let mut operator = Operator::connect(&url).await;
        operator.take_over().await;
        until("two cameras in telemetry", || {
            operator
                .video()
                .and_then(|video| video.get("cameras")?.as_u64())
                == Some(2)
        })
        .await;
        assert_eq!(camera(&operator), Some(0));
        shows(&mut operator, -400, "the rear camera", 1).await;
        shows(&mut operator, 0, "the front again", 0).await;
        watch.signal("-INT");
        assert_eq!(watch.wait(), Some(0));

        let seen = film(&file);
        let mut changes = Vec::new();
        for pair in seen.windows(2) {
            assert!(
                pair[0].captured_us < pair[1].captured_us,
                "standby {standby}: a picture from before: {pair:?}"
            );
            if pair[0].is_rear != pair[1].is_rear {
                assert!(
                    pair[1].starts_with_key,
                    "standby {standby}: no key frame: {pair:?}"
                );
                changes.push(pair[1].is_rear);
            }
        }
        assert!(!seen[0].is_rear);
        // The recording may end before the first picture of the front is in it.
        assert!(
            changes == [true, false] || changes == [true],
            "standby {standby}: {changes:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_holder_chooses_the_view_nobody_else_and_it_ends_with_his_lease() {
    let car = two_eyes("view", &[]);
    let mut operator = Operator::connect(&car.program.url()).await;
    operator.take_over().await;
    let before = operator.number("foreign").expect("telemetry");
    look(&operator, 99, 2).await;
    let metrics = operator.metrics.clone();
    operator
        .drive_until(0, "a foreign wish to be counted", || {
            harness::operator::newest(&metrics, "car")
                .and_then(|car| car.get("foreign")?.as_u64())
                .is_some_and(|count| count > before)
        })
        .await;
    assert_eq!(camera(&operator), Some(0));
    look(&operator, operator.lease, 2).await;
    shows(&mut operator, 0, "the rear camera", 1).await;
    operator.want(0).await;
    until("the front, now that nobody drives", || {
        camera(&operator) == Some(0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_app_s_back_key_shows_the_rear() {
    let car = two_eyes("old-back", &["camera.rear.dwell_ms=0"]);
    let operator = Operator::connect(&car.program.url()).await;
    // Neutral arms; the key counts, whatever its value.
    until_sent(&operator, "back", 0, "the rear camera", 1).await;
    until_sent(&operator, "forward", 0, "the front", 0).await;
}

async fn until_sent(operator: &Operator, key: &str, value: i32, what: &str, wanted: u64) {
    let deadline = std::time::Instant::now() + harness::PATIENCE;
    while camera(operator) != Some(wanted) {
        assert!(std::time::Instant::now() < deadline, "waited for {what}");
        operator.motion(key, value).await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_of_the_pictures_is_told_stage_by_stage() {
    let car = Car::local("stages", &[]);
    let operator = Operator::connect(&car.program.url()).await;
    let stages = ["capture", "prepare", "encode", "hand_over", "send", "whole"];
    until("every stage in telemetry", || {
        operator.video().is_some_and(|video| {
            stages.iter().all(|stage| {
                let times: Vec<u64> = video[stage]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(serde_json::Value::as_u64)
                    .collect();
                times.len() == 4 && times[0] > 0 && times[1] <= times[2] && times[2] <= times[3]
            })
        })
    })
    .await;
    let video = operator.video().expect("it was there");
    assert_eq!(
        (video["shows"].as_u64(), video["cameras"].as_u64()),
        (Some(1), Some(1))
    );
    // What a picture needs in all is more than what any stage of it needs.
    for stage in &stages[..5] {
        assert!(
            video[stage][3].as_u64() <= video["whole"][3].as_u64(),
            "{video}"
        );
    }
}
