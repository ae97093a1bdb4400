//! Keys, and where they are said.

use std::net::Ipv4Addr;

use axum::http::{HeaderName, HeaderValue};
use tokio::time::Instant;

use super::*;

const FROM: Whence = Whence(SocketAddr::new(
    std::net::IpAddr::V4(Ipv4Addr::LOCALHOST),
    4711,
));

fn secret(text: &str) -> Secret {
    Secret::new(text)
}

fn all_keys() -> Keys {
    Keys {
        driver: Some(secret("correct horse")),
        watch: Some(secret("only eyes")),
        calibrate: Some(secret("wheels up")),
        publish: Some(secret("the car itself")),
    }
}

fn header(name: HeaderName, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
}

fn bearer(key: &str) -> HeaderMap {
    header(
        header::AUTHORIZATION,
        &format!("Bearer {}", query::written(key)),
    )
}

#[tokio::test(start_paused = true)]
async fn the_right_key_passes_at_once_and_a_wrong_one_waits() {
    let keyed = Keys {
        driver: Some(secret("correct horse")),
        ..Keys::default()
    };
    for (keys, said, passes, waits) in [
        (&Keys::default(), "", true, false),
        (&Keys::default(), "key=any", true, false),
        (&keyed, "channel=x&key=correct%20horse", true, false),
        // A page that has no key asks its person, who has been given no reason to wait.
        (&keyed, "channel=x", false, false),
        (&keyed, "channel=x&key=wrong", false, true),
        (&keyed, "key=", false, true),
    ] {
        let began = Instant::now();
        let looked = look(keys, &HeaderMap::new(), said, Right::Drive, FROM).await;
        assert_eq!(looked.is_ok(), passes, "{said}");
        assert_eq!(began.elapsed() >= WRONG_KEY, waits, "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_heard_in_either_header_and_the_header_counts() {
    let keys = all_keys();
    let protocols = |list: &str| header(header::SEC_WEBSOCKET_PROTOCOL, list);
    for (headers, said, passes) in [
        (bearer("correct horse"), "", true),
        (
            header(header::AUTHORIZATION, "bearer correct%20horse"),
            "",
            true,
        ),
        (
            header(header::AUTHORIZATION, "Basic correct%20horse"),
            "",
            false,
        ),
        (
            protocols("spidercar, spidercar.key.correct%20horse"),
            "",
            true,
        ),
        (
            protocols("spidercar.key.correct%20horse,spidercar"),
            "",
            true,
        ),
        (protocols("spidercar, spidercar.key.wrong"), "", false),
        (protocols("spidercar"), "", false),
        (bearer("wrong"), "key=correct%20horse", false),
    ] {
        let looked = look(&keys, &headers, said, Right::Drive, FROM).await;
        assert_eq!(looked.is_ok(), passes, "{headers:?} {said}");
    }
    for odd in ["ä(b)c,d;e\"f g+h%i", "日本🏎 key/=="] {
        let keys = Keys {
            driver: Some(secret(odd)),
            ..Keys::default()
        };
        let looked = look(&keys, &bearer(odd), "", Right::Watch, FROM).await;
        assert!(looked.is_ok(), "{odd}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_key_has_its_rights_and_no_others() {
    let only_driver = Keys {
        driver: Some(secret("correct horse")),
        ..Keys::default()
    };
    let matrix = [
        (all_keys(), "correct horse", "watch drive"),
        (all_keys(), "only eyes", "watch"),
        (all_keys(), "wheels up", "watch drive calibrate"),
        (all_keys(), "the car itself", "publish"),
        (
            only_driver,
            "correct horse",
            "watch drive calibrate publish",
        ),
        (Keys::default(), "anything", "watch drive calibrate publish"),
    ];
    for (keys, key, may) in matrix {
        for right in Right::ALL {
            let looked = look(&keys, &bearer(key), "", right, FROM).await;
            let wanted = may.split(' ').any(|word| word == right.word());
            assert_eq!(looked.is_ok(), wanted, "{key}: {}", right.word());
            if let Ok(rights) = looked {
                assert_eq!(rights.to_string(), may);
            }
        }
    }
}

#[test]
fn what_is_left_open_is_told() {
    assert!(all_keys().gaps().is_empty());
    assert!(Keys::default().gaps()[0].contains("no driver key"));
    let shared = Keys {
        publish: None,
        ..all_keys()
    };
    assert!(shared.gaps()[0].contains("pretend to be the car"));
}
