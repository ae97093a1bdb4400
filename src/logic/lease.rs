//! Who drives: one at a time, for as long as he is heard.
//!
//! Anybody on the channel can send commands, and nobody can be kept from it; so the car obeys one sender and counts the
//! rest. The lease goes to whom the car accepted an `arm` from, and is over when he gives it up or has not been heard for
//! a while. It is no security (an id can be guessed or overheard): it keeps two honest viewers from steering one car.
//!
//! ```text
//!            accepted arm                    release, or 3 s unheard
//!   nobody ────────────────▶ held by one id ─────────────────────────▶ nobody
//!                                 │  ▲
//!                                 └──┘ release while another asks: his from now on, and nobody else's
//! ```
//!
//! A hand-over needs both: one asks, and keeps asking; the holder sees it and releases. A release to an asker cannot be
//! snatched by a third, and the car is disarmed by it, so that the next driver begins at neutral.
//!
//! Promises: at most one holder; never [`LeaseId::NONE`].
//! Knows nothing of: what the holder may do.
//! Sources: PROTOCOL.md 6 (no ownership of control), 5.2 q 14.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::units::{LeaseId, Uptime};

#[cfg(test)]
mod tests;

/// How long a lease outlives its holder's last message.
///
/// choice: long enough for a driver to come back from a dead spot to his own car, short enough to wait for.
pub(super) const EXPIRY: Duration = Duration::from_secs(3);

/// How long a request for a hand-over stands.
///
/// choice: four repetitions of our viewer, which asks twice a second while the button is down.
pub(super) const ASK: Duration = Duration::from_secs(2);

/// The lease on this car.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    holder: LeaseId,
    heard_at: Uptime,
    /// Who asked for it last, and when.
    ask: Option<(LeaseId, Uptime)>,
}

impl Lease {
    /// Who holds it; [`LeaseId::NONE`] if nobody does.
    pub(super) const fn holder(&self) -> LeaseId {
        self.holder
    }

    /// Whether somebody holds it.
    pub(super) const fn is_held(&self) -> bool {
        !self.holder.is_none()
    }

    /// Whether this id holds it.
    pub(super) fn is_held_by(&self, id: LeaseId) -> bool {
        self.is_held() && self.holder == id
    }

    /// Whether somebody holds it who is not this id.
    pub(super) fn shuts_out(&self, id: LeaseId) -> bool {
        self.is_held() && self.holder != id
    }

    /// Gives it to this id.
    pub(super) fn grant(&mut self, id: LeaseId, heard_at: Uptime) {
        *self = Self {
            holder: id,
            heard_at,
            ask: None,
        };
    }

    /// The holder was heard.
    pub(super) fn renew(&mut self, heard_at: Uptime) {
        self.heard_at = self.heard_at.max(heard_at);
    }

    /// Nobody holds it from here on.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// Somebody asks the holder to hand it over.
    pub(super) fn ask(&mut self, at: Uptime, id: LeaseId) {
        if self.shuts_out(id) && !id.is_none() {
            self.ask = Some((id, at));
        }
    }

    /// Who asks the holder for it now; [`LeaseId::NONE`] if nobody does.
    pub(super) fn asker(&self, now: Uptime) -> LeaseId {
        self.ask
            .filter(|(_, at)| now.since(*at) <= ASK)
            .map_or(LeaseId::NONE, |(id, _)| id)
    }

    /// The holder gives it up: it is the asker's now, or nobody's.
    pub(super) fn release(&mut self, now: Uptime) {
        let asker = self.asker(now);
        self.end();
        if !asker.is_none() {
            self.grant(asker, now);
        }
    }

    /// The last moment of the lease, if it is held.
    pub(super) fn expires_at(&self) -> Option<Uptime> {
        self.is_held().then(|| self.heard_at.after(EXPIRY))
    }
}
