//! Whether who asks has the driver key. Who has another one waits for his answer, and is told of in the log.
//!
//! Invariants: the right key never waits; a wrong one is written nowhere.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use tokio::time::sleep;

use super::doors::PlainListener;
use super::tls::TlsListener;
use crate::config::{Secret, query};

/// How long a wrong key waits. choice: a person does not mind, and who guesses gets as many guesses a second as one address has
/// places (`doors`).
const WRONG_KEY: Duration = Duration::from_secs(1);

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whence(pub(super) SocketAddr);

impl Connected<IncomingStream<'_, PlainListener>> for Whence {
    fn connect_info(stream: IncomingStream<'_, PlainListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Whence {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Looks for `key` in a query; without a key anybody may pass.
///
/// # Errors
/// The answer to who has it not.
pub(super) async fn look(
    key: Option<&Secret>,
    said: &str,
    Whence(from): Whence,
) -> Result<(), Response> {
    if key.is_none_or(|key| query::has_key(said, key)) {
        return Ok(());
    }
    if query::value(said, "key").is_some() {
        tracing::warn!(%from, "spider: a wrong driver key");
        sleep(WRONG_KEY).await;
    }
    let words = "this Spider needs a driver key: add key=... to the address\n";
    Err((StatusCode::FORBIDDEN, words).into_response())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::time::Instant;

    use super::*;

    const FROM: Whence = Whence(SocketAddr::new(
        std::net::IpAddr::V4(Ipv4Addr::LOCALHOST),
        4711,
    ));

    #[tokio::test(start_paused = true)]
    async fn the_right_key_passes_at_once_and_a_wrong_one_waits() {
        let key = Secret::new("correct horse".to_owned());
        for (key, said, passes, waits) in [
            (None, "", true, false),
            (None, "key=any", true, false),
            (Some(&key), "channel=x&key=correct%20horse", true, false),
            // A page that has no key asks its person, who has been given no reason to wait.
            (Some(&key), "channel=x", false, false),
            (Some(&key), "channel=x&key=wrong", false, true),
            (Some(&key), "key=", false, true),
        ] {
            let began = Instant::now();
            let passed = look(key, said, FROM).await.is_ok();
            assert_eq!(passed, passes, "{said}");
            assert_eq!(began.elapsed() >= WRONG_KEY, waits, "{said}");
        }
    }
}
