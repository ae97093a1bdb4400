//! A driver key may be any line that `check` accepts: whatever its characters, it gets in, and no other does.
//!
//! The real Spider is asked the way a browser asks, and by the program's own viewer and car.

mod harness;

use std::process::Command;

use futures_util::future::join_all;
use harness::{CHANNEL, Car, Folder, Program, until};
use spidercar::config::Secret;
use spidercar::net::signalling::{Address, Socket};
use spidercar::spider::{Keys, Spider, SpiderOptions};

/// Everything on a keyboard that is no letter or digit, and some that are on other keyboards.
const ODD: &str = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~äß€日本🏎\u{301}\u{a0}";

/// As `URLSearchParams` writes it. spec: WHATWG URL, application/x-www-form-urlencoded percent-encode set.
fn by_a_browser(value: &str) -> String {
    let bytes = value.bytes().map(|byte| match byte {
        b' ' => "+".to_owned(),
        b'*' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    bytes.collect()
}

/// Where a client shows its key.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// As our own programs do.
    Header,
    /// As an old program does.
    Address,
}

/// What a Spider with this key says to that one.
async fn upgrade(spider: &Spider, key: &str, place: Place) -> Result<(), String> {
    let said = match place {
        Place::Header => String::new(),
        Place::Address => format!("&key={}", by_a_browser(key)),
    };
    let address = Address {
        url: format!("ws://{}", spider.plain),
        path_and_query: format!("/live/ws/sub?channel={CHANNEL}{said}&vcodec=h264"),
        key: matches!(place, Place::Header).then(|| Secret::new(key)),
        tls: None,
    };
    let socket = Socket::connect(&address).await;
    socket.map(drop).map_err(|err| err.to_string())
}

/// A Spider with this key lets it in, and no other.
async fn takes_only(key: &str) {
    let options = SpiderOptions {
        port: 0,
        tls_port: 0,
        keys: Keys {
            driver: Some(Secret::new(key)),
            ..Keys::default()
        },
        ..SpiderOptions::default()
    };
    let spider = Spider::start(options).await.expect("free ports");
    for place in [Place::Header, Place::Address] {
        let taken = upgrade(&spider, key, place).await;
        assert_eq!(taken, Ok(()), "{key:?} {place:?}");
    }
    let wrong = ["", "12345678", "12345678x", "12345678\u{fffd}x"];
    for (wrong, place) in wrong
        .into_iter()
        .zip([Place::Header, Place::Address].into_iter().cycle())
    {
        let refused = upgrade(&spider, wrong, place).await.expect_err("refused");
        assert!(
            refused.contains("HTTP 403") && refused.contains("driver key"),
            "{key:?}, {wrong:?}: {refused}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_character_of_a_key_gets_in_and_no_other_key_does() {
    // At a time, for each wrong key waits.
    join_all(
        ODD.chars()
            .map(async |c| takes_only(&format!("12345678{c}x")).await),
    )
    .await;
}

/// A car on its own Spider with this key, and the program's own viewer of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_all_of_them_is_accepted_by_check_and_lets_car_and_viewer_in() {
    let folder = Folder::new("odd-key");
    let file = folder.file("key");
    // With the byte order mark and the line end of an editor, which are no part of it.
    std::fs::write(&file, format!("\u{feff}k{ODD}y\r\n")).expect("a key");
    let set = format!("local.driver_key_file={}", file.display());
    let checked = Command::new(env!("CARGO_BIN_EXE_spidercar"))
        .args(["check", "--set", &set])
        .output()
        .expect("it runs");
    assert!(checked.status.success(), "{checked:?}");

    let car = Car::local("odd-key-car", &[&set]);
    car.program.logged("link up").await;
    let url = car.program.url();
    let args = ["watch", &url, "--channel", CHANNEL, "--set", &set];
    let watch = Program::start(&args, &folder, "watch");
    watch.logged("first frame").await;

    let wrong = folder.file("wrong");
    std::fs::write(&wrong, "another key").expect("a key");
    let set = format!("local.driver_key_file={}", wrong.display());
    let args = ["watch", &url, "--channel", CHANNEL, "--set", &set];
    let refused = Program::start(&args, &folder, "refused");
    until("words about the key", || {
        refused.text().contains("this Spider needs a driver key")
    })
    .await;
}
