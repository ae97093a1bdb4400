//! Who may do what at a Spider: by the key that he shows, or by the one that he need not show.
//!
//! ```text
//!   key of        watch   drive   calibrate                 publish
//!   watchers        ×
//!   drivers         ×       ×     unless it has a key       unless it has a key
//!   calibrators     ×       ×         ×
//!   publishers                                                ×
//! ```
//!
//! A key travels in a header: in an address it would stand in logs and histories. A browser can set one header of a
//! WebSocket alone, the list of protocols; everybody else says `Authorization`. Both carry the key percent-encoded. Who
//! still has it in his address (`key=`, an old program) is let in, and told of in the log.
//!
//! Invariants: the right key never waits; a wrong one waits, is in the log with its address, and is written nowhere.
//! Sources: RFC 6750 2.1 (`Bearer`), RFC 6455 1.9 and 11.3.4 (protocols), RFC 9110 5.6.2 (what a token may have in it).

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use tokio::time::sleep;

use super::doors::PlainListener;
use super::tls::TlsListener;
use crate::config::{Secret, query};
use crate::logic::rights::{Right, Rights};

/// How long a wrong key waits. choice: a person does not mind, and who guesses gets as many guesses a second as one address has
/// places (`doors`).
const WRONG_KEY: Duration = Duration::from_secs(1);

/// The protocol of our own page's socket, and the one whose name carries its key.
pub(super) const PROTOCOL: &str = "spidercar";
const KEY_PROTOCOL: &str = "spidercar.key.";

/// The keys of a Spider. Without a driver key whoever reaches it may do everything.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Who has it may watch and drive, and whatever else has no key of its own.
    pub driver: Option<Secret>,
    /// Who has it may watch.
    pub watch: Option<Secret>,
    /// Who has it may calibrate, too.
    pub calibrate: Option<Secret>,
    /// Who has it may publish.
    pub publish: Option<Secret>,
}

impl Keys {
    /// What somebody may who says this is his key; `None` if it is nobody's.
    fn rights(&self, said: &dyn Fn(&Secret) -> bool) -> Option<Rights> {
        let has = |key: &Option<Secret>| key.as_ref().is_some_and(said);
        // All are compared, whatever the first says: the time tells nothing.
        let is_of = [&self.driver, &self.watch, &self.calibrate, &self.publish].map(has);
        let [is_driver, is_watcher, is_calibrator, is_publisher] = is_of;
        let watches = Rights::NONE.and(Right::Watch);
        let drives = watches.and(Right::Drive);
        let mut rights = Rights::NONE;
        if is_watcher {
            rights = watches;
        }
        if is_driver {
            rights = drives;
            if self.calibrate.is_none() {
                rights = rights.and(Right::Calibrate);
            }
        }
        if is_calibrator {
            rights = drives.and(Right::Calibrate);
        }
        if is_publisher || (is_driver && self.publish.is_none()) {
            rights = rights.and(Right::Publish);
        }
        (rights != Rights::NONE).then_some(rights)
    }

    /// What these keys leave open, in words, for the log.
    #[must_use]
    pub fn gaps(&self) -> Vec<&'static str> {
        let mut gaps = Vec::new();
        if self.driver.is_none() {
            gaps.push("there is no driver key: every program of this computer may watch, drive, calibrate and publish");
        } else if self.publish.is_none() {
            gaps.push(
                "there is no key for publishers: who has the driver key can pretend to be the car",
            );
        }
        gaps
    }
}

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

/// The key of a request as it stands in a header.
fn in_headers(headers: &HeaderMap) -> Option<&str> {
    let words = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = words(header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("Bearer").then_some(key.trim())
    });
    bearer.or_else(|| {
        words(header::SEC_WEBSOCKET_PROTOCOL)?
            .split(',')
            .find_map(|one| one.trim().strip_prefix(KEY_PROTOCOL))
    })
}

/// What whoever asks may do, if it is what he asks for.
///
/// # Errors
/// The answer to who may not.
pub(super) async fn look(
    keys: &Keys,
    headers: &HeaderMap,
    said: &str,
    wants: Right,
    Whence(from): Whence,
) -> Result<Rights, Response> {
    if keys.driver.is_none() {
        return Ok(Rights::ALL);
    }
    let header = in_headers(headers);
    let has_said = header.is_some() || query::value(said, "key").is_some();
    let is_in_address = header.is_none() && has_said;
    let rights = keys.rights(&|key| match header {
        Some(written) => key.matches(&query::read(written)),
        None => query::has_key(said, key),
    });
    let forbidden = |words: String| (StatusCode::FORBIDDEN, words).into_response();
    match rights {
        None => {
            if has_said {
                tracing::warn!(%from, "spider: a wrong key");
                sleep(WRONG_KEY).await;
            }
            Err(forbidden(
                "this Spider needs a driver key, in a header: Authorization: Bearer KEY; its page asks for it\n".to_owned(),
            ))
        }
        Some(rights) if !rights.has(wants) => {
            let wants = wants.word();
            tracing::warn!(%from, wants, may = %rights, "spider: a key for something else");
            Err(forbidden(format!(
                "this key is not for who wants to {wants}: it is for {rights}\n"
            )))
        }
        Some(rights) => {
            if is_in_address {
                tracing::warn!(%from, "spider: a key in an address, where histories and logs keep it; a header is the place for it");
            }
            Ok(rights)
        }
    }
}

#[cfg(test)]
mod tests;
