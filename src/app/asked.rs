//! Signals that ask the program to stop, and the one that asks it to read its certificate again.
//!
//! ```text
//!   SIGTERM, SIGINT ──▶ stop
//!   SIGHUP ──▶ a certificate of its owner's, and no terminal? ── yes ──▶ its files are read again, and it goes on
//!                                                             └─ no ───▶ stop: the terminal was closed
//! ```
//!
//! Whoever renews a certificate every few weeks sends SIGHUP to who shows it; that must not stop a car.
//!
//! Invariants: they are caught from [`AskedToStop::listen`] on, and none is lost.

use std::io::IsTerminal;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::Config;
use crate::config::outside::Machine;
use crate::spider::Spider;

/// The signals, caught.
#[derive(Debug)]
pub struct AskedToStop {
    term: Option<Signal>,
    int: Option<Signal>,
    hup: Option<Signal>,
}

impl AskedToStop {
    /// Catches them. Call it where a runtime is entered.
    #[must_use]
    pub fn listen() -> Self {
        let on = |kind| signal(kind).ok();
        Self {
            term: on(SignalKind::terminate()),
            int: on(SignalKind::interrupt()),
            hup: on(SignalKind::hangup()),
        }
    }

    /// Waits for one, and names it. `renews` is called at a SIGHUP, and says whether it meant something else than an end.
    pub async fn wait(mut self, renews: impl Fn() -> bool) -> &'static str {
        loop {
            tokio::select! {
                () = next(&mut self.term) => return "SIGTERM",
                () = next(&mut self.int) => return "SIGINT",
                () = next(&mut self.hup) => if !renews() {
                    return "SIGHUP";
                },
            }
        }
    }
}

/// The next signal of a kind; never, if they could not be caught.
async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Waits for a signal that asks to stop, and names it.
pub async fn asked_to_stop() -> &'static str {
    AskedToStop::listen().wait(|| false).await
}

/// Reads the certificate of a Spider again, if it is one of its owner's; whether it is. One that is bad changes nothing.
pub fn renews(config: &Config, spider: Option<&Spider>) -> bool {
    let (Some(given), Some(spider)) = (&config.local.certificate, spider) else {
        return false;
    };
    if std::io::stdin().is_terminal() {
        return false;
    }
    let renewed = given
        .again(&Machine)
        .and_then(|given| spider.renew(&given).map_err(|err| err.to_string()));
    match renewed {
        Ok(sha256) => tracing::info!(
            certificate_sha256 = sha256,
            "SIGHUP: the certificate was read again; new connections see it"
        ),
        Err(err) => tracing::error!(
            "SIGHUP: the certificate was not read again, the old one stays: {err}; put good files in place and send it once more"
        ),
    }
    true
}
