//! A Spider that wants to drive, and a car whose driver has a key that it does not know.
//!
//! What a hostile Spider can inject is what it has seen, as it was or changed. Here another viewer does so through an honest
//! one, which is the same to the car: it hears one Spider.

mod harness;

use std::fs;

use harness::operator::Operator;
use harness::{Car, Folder, until};

const KEY: &str = "k7p2m-0000a-bcdef-ghjkm-npqrs";

/// A car with that key, and the setting that names its file.
fn keyed(name: &str, folder: &Folder) -> (Car, String) {
    let file = folder.file("seal.key");
    fs::write(&file, KEY).expect("a key");
    let set = format!("spider.seal_key_file={}", file.display());
    (Car::local(name, &[&set]), set)
}

/// A viewer who has the key, and has heard the car's sealed answer.
async fn driver(url: &str) -> Operator {
    let mut driver = Operator::connect(url).await;
    driver.seal_key = Some(KEY);
    driver.heard_so_far().await;
    driver
}

#[tokio::test(flavor = "multi_thread")]
async fn a_car_with_a_key_obeys_who_has_it_and_is_stopped_by_anybody() {
    let folder = Folder::new("seal-obeys");
    let (car, _) = keyed("seal-car", &folder);
    let url = car.program.url();
    let mut stranger = Operator::connect(&url).await;
    stranger.lease = 99;
    let written = car.since(0).len();
    stranger.tries_to_drive().await;
    assert_eq!(car.since(0).len(), written, "who has no key moved the car");
    until("them to be counted", || {
        stranger.number("foreign") >= Some(60)
    })
    .await;
    car.program.logged("no_seal").await;

    let mut wrong = Operator::connect(&url).await;
    wrong.seal_key = Some("k7p2m-0000a-bcdef-ghjkm-npqrt");
    wrong.heard_so_far().await;
    wrong.drive(0, 0).await;
    wrong.arm().await;
    car.program.logged("wrong_seal").await;
    assert_eq!(car.since(0).len(), written);

    let mut driver = driver(&url).await;
    driver.move_off(&car).await;
    stranger.send("stream", r#"{"stop":{}}"#).await;
    car.until_neutral().await;
    assert_eq!(car.last().expect("it moved").cause, "stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_spider_kept_or_changed_moves_nothing_now_later_or_in_another_life() {
    let folder = Folder::new("seal-kept");
    let (car, set) = keyed("seal-kept-car", &folder);
    let url = car.program.url();
    let mut honest = driver(&url).await;
    honest.move_off(&car).await;
    honest
        .drive_until(0, "the car to stand", || car.is_neutral())
        .await;
    honest.want(0).await;
    until("the car to be free", || honest.number("lease") == Some(0)).await;
    let kept = honest.said.lock().expect("not poisoned").clone();
    assert!(
        kept.iter()
            .any(|text| text.contains(r#""throttle":400"#) && text.contains("seal"))
    );

    let spider = Operator::connect(&url).await;
    let before = car.since(0).len();
    let mut spider = all_again(spider, &kept).await;
    for text in kept.iter().filter(|text| text.contains("seal")) {
        // Its own numbers in what was sealed.
        let changed = text
            .replace(r#""throttle":0"#, r#""throttle":900"#)
            .replace(r#""seq":"#, r#""seq":9"#);
        spider.send("stream", &changed).await;
    }
    spider.heard_so_far().await;
    car.has_not_moved_since(before);
    car.program.logged("wrong_seal").await;
    // By then all that was kept is too old, whoever has the lease.
    until("two seconds by the car's clock", || {
        let now = spider.number("t_us").unwrap_or(0);
        let newest = kept
            .iter()
            .filter_map(|text| number_in(text, "car_ms"))
            .max();
        now / 1000 > newest.expect("a sealed message") + 2_100
    })
    .await;
    let _ = all_again(spider, &kept).await;
    car.has_not_moved_since(before);
    car.program.logged("old_seal").await;
    drop(car);

    let next = Car::local("seal-next-life", &[&set]);
    let spider = Operator::connect(&next.program.url()).await;
    let before = next.since(0).len();
    let _ = all_again(spider, &kept).await;
    next.has_not_moved_since(before);
    next.program.logged("wrong_seal").await;
}

/// Says all of it once more, and waits until it was heard.
async fn all_again(mut spider: Operator, kept: &[String]) -> Operator {
    for text in kept {
        spider.send("stream", text).await;
    }
    spider.heard_so_far().await;
    spider
}

fn number_in(text: &str, name: &str) -> Option<u64> {
    let (_, rest) = text.split_once(&format!(r#""{name}":"#))?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
