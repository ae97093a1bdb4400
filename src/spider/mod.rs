//! The local Spider: signalling, relay and viewer page on one machine, for a LAN, a demo and the tests.
//!
//! A car always publishes to a Spider. Where there is no public one, this one runs inside the car or
//! alone (`spidercar spider`), faithful to what clients have seen of the real one (README, protocol).
//!
//! ```text
//!  publisher ══ws══▶ session ─┐                      ┌─ session ◀══ws══ viewer
//!      │              peer ──▶│ channel (one per id) │◀── peer       │
//!      └── RTP, metric ──────▶│  relay: RTP, metric ─┼──────────────▶│
//!      ◀── stream, drive, PLI ┼───────── stream, drive, PLI ◀────────┘
//! ```
//!
//! One WebSocket = one peer = one role on one channel. Files: `serve` (addresses, TLS, routes),
//! `session` (one WebSocket), `channel` (who is on a channel), `relay` (video and metrics to a viewer), `rewrite` (its RTP
//! headers), `uplink` (commands to the publisher), `key_frames` (when it is asked for one), `ceiling`
//! (how much it may send), `fault`
//! (the ways in which a server can misbehave, for tests), `page` (the viewer's files), `visitor` (whose page may use it), `doors`
//! (how many connections there may be, and how long they may wait), `identity` (its own certificate), `key` (who may do what), `offers` (how often
//! somebody may ask).
//!
//! Promises: payload bytes are relayed unchanged, text stays text; a slow viewer loses its own video,
//! nobody else's; nothing of one session outlives it. Knows nothing of: the car, the hardware.

mod ceiling;
mod channel;
mod doors;
mod fault;
mod identity;
mod key;
mod key_frames;
mod offers;
mod page;
mod relay;
mod rewrite;
mod serve;
mod session;
mod tls;
mod uplink;
mod visitor;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::config::Certificate;
use crate::peer::addresses;

pub use fault::{Fault, Faults};
pub use key::Keys;
pub use serve::{Spider, SpiderError};

/// How a local Spider is to run.
#[derive(Clone, Debug)]
pub struct SpiderOptions {
    /// Address to listen on; also decides where media may flow (loopback stays on this computer).
    pub listen: IpAddr,
    /// Plain port; 0 picks a free one.
    pub port: u16,
    /// TLS port; 0 picks a free one.
    pub tls_port: u16,
    /// Certificate chain and key in PEM; without them there is a self-signed one.
    pub certificate: Option<Certificate>,
    /// Where that one is kept; without a file it is new at each start.
    pub identity_file: Option<PathBuf>,
    /// Who may do what.
    pub keys: Keys,
    /// Misbehaviour on purpose.
    pub faults: Faults,
    /// Time between two JSON pings to a publisher. spec: protocol 2.3 has 30 s.
    pub ping_every: Duration,
}

impl Default for SpiderOptions {
    fn default() -> Self {
        Self {
            listen: IpAddr::from([127, 0, 0, 1]),
            port: 8266,
            tls_port: 8267,
            certificate: None,
            identity_file: None,
            keys: Keys::default(),
            faults: Faults::default(),
            ping_every: Duration::from_secs(30),
        }
    }
}

impl SpiderOptions {
    /// Where the peers of this Spider bind their media sockets.
    fn media_addrs(&self) -> Vec<SocketAddr> {
        let at = |host: IpAddr| SocketAddr::new(host, 0);
        let (v4, v6) = (
            IpAddr::from(Ipv4Addr::LOCALHOST),
            IpAddr::from(Ipv6Addr::LOCALHOST),
        );
        let (any_v4, any_v6) = (Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into());
        // Whoever listens on "::" is reached over both families, and so is its media.
        match (self.listen.is_loopback(), self.listen.is_unspecified()) {
            (true, _) if self.listen.is_ipv6() => vec![at(v6), at(v4)],
            (true, _) => vec![at(v4)],
            (_, true) if self.listen.is_ipv6() => vec![at(any_v6), at(any_v4), at(v6), at(v4)],
            (_, true) => vec![at(any_v4), at(v4)],
            (false, false) => vec![at(self.listen)],
        }
    }

    /// Where viewers of this computer reach a Spider that is for this computer alone: not every browser uses loopback.
    /// Of IPv4, whose kernel keeps others from pretending to be here (`peer::own`).
    fn own_addrs(&self) -> Vec<IpAddr> {
        if self.listen.is_loopback() {
            addresses::reachable(IpAddr::from([0; 4]))
        } else {
            Vec::new()
        }
    }
}

/// Most viewers of one channel. choice: each costs the car's uplink nothing but this machine CPU.
const MAX_SUBSCRIBERS: usize = 16;

/// Places beyond those, for one who says that he wants to drive: watchers cannot lock a driver out.
const DRIVERS_PLACES: usize = 1;
