//! One WebRTC peer with our settings: what the car, the terminal viewer and the local Spider share.
//!
//! `webrtc` leaves the important choices to its user: which codecs, how eager ICE is, which RTCP
//! reaches the program. They are made once, here, so that every leg of the system behaves alike.
//!
//! ```text
//!   PeerOptions ──build──▶ Peer { pc, events }        events: states, channels, tracks (in order, bounded)
//!                            │
//!                            └── feedback (atomics)   PLI/FIR, REMB, last authentic packet: newest wins
//! ```
//!
//! Why connecting takes tens of milliseconds and not 604 (measured 2026-11, two of these peers on
//! loopback). 200 ms: `rtc-ice` sends its first check at once but looks at the result only at the
//! next tick of its check interval, 200 ms by default (`CHECK_INTERVAL`; a peer-reflexive pair
//! would even wait 1000 ms). 400 ms: the driver sleeps on the SCTP INIT and again on the channel's
//! opening message (see `prompt.rs`).
//!
//! Each peer has a thread of its own (see `worker.rs`).
//!
//! Promises: callbacks of the stack never block it; an event that does not fit is logged, and state
//! is also readable from `pc`. Knows nothing of: signalling, the car, relaying.

pub mod addresses;
mod border;
pub(crate) mod bucket;
mod media;
pub mod nal;
mod own;
mod prompt;
mod reach;
mod remote;
mod repair;
mod sdp;
mod sieve;
mod tap;
mod worker;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rtc::peer_connection::transport::RTCDtlsRole;
use tokio::sync::mpsc;
use tokio::time::timeout;
use webrtc::data_channel::DataChannel;
use webrtc::error::Result;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceGatheringState, RTCIceServer, RTCIceTransportPolicy, RTCPeerConnectionIceEvent,
    RTCPeerConnectionState, SettingEngineBuilder,
};

pub use media::{Codec, NO_PLAYOUT_DELAY, PLAYOUT_DELAY_URI, VIDEO_CLOCK_HZ, video_track};
use prompt::{Hurry, Prompt};

pub use reach::Reach;
pub use remote::{MAX_CANDIDATES, MAX_DESCRIPTION};
pub use sdp::{
    SdpError, answer_in_kind, has_one_ufrag, in_modern_dialect, is_in_legacy_dialect,
    offered_codecs, unify_credentials,
};
pub use tap::{Arrivals, Feedback};

/// Time between two rounds of connectivity checks while connecting.
/// choice: RFC 8445 14.2 asks for 50 ms pacing between *new* checks of many pairs; a car has one to
/// four pairs and connects for a moment. 10 ms keeps loopback under 60 ms (figure F5).
const CHECK_INTERVAL: Duration = Duration::from_millis(10);

/// Checks of one pair before it is given up: 12 s at [`CHECK_INTERVAL`].
/// choice: as long as the answer timeout of signalling, so that a slow LTE attach still connects.
const MAX_CHECKS: u16 = 1200;

/// Keepalive (consent) interval on the selected pair.
/// spec: RFC 7675 5.1 has 5 s; choice: 1 s, so that a dead path shows in two seconds in telemetry.
const KEEPALIVE: Duration = Duration::from_secs(1);

/// No packet for this long: ICE says "disconnected". Not a failsafe; the car's own deadman is faster.
/// choice: below the crate's 5 s, so that reconnecting starts early.
const DISCONNECTED_AFTER: Duration = Duration::from_secs(3);

/// "disconnected" for this long: ICE says "failed".
/// choice: the link loop reconnects at "failed"; a tunnel of ten seconds may heal by itself.
const FAILED_AFTER: Duration = Duration::from_secs(7);

/// How long a connection attempt may take before the driver stops hurrying.
/// choice: the life of a connectivity check, `MAX_CHECKS` times `CHECK_INTERVAL`.
const CONNECTING_SPAN: Duration = Duration::from_secs(12);

/// How long the driver goes on hurrying once connected, for SCTP and the data channels.
/// choice: ten times what three channels take on a path of 30 ms.
const SETTLING_SPAN: Duration = Duration::from_secs(1);

/// SRTP packets behind the newest that are still taken, each once. The stack's 64 are 0.24 s at 2.5 Mb/s: a repair that
/// comes later is thrown away as a replay.
/// choice: a second, which is how long `repair` waits, at 10 Mb/s is 1,040 packets; rounded up to a power of two. Of
/// each packet one bit is kept (RFC 3711 3.3.2 asks for at least 64).
const REPLAY_WINDOW: usize = 2048;

/// Longest wait for a peer to say goodbye. choice: far more than it takes, and short for a car that dials again; a stack that is
/// busy with something that its peer sent is left to end by itself.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Room for events that a task has not yet read; a connection makes about a dozen.
const EVENT_ROOM: usize = 64;

/// What happened to a peer, in order.
pub enum PeerEvent {
    /// All local candidates are known.
    GatheringComplete,
    /// One more local candidate, as the text after `a=`.
    Candidate(String),
    /// The state of the whole connection (ICE and DTLS).
    State(RTCPeerConnectionState),
    /// The other side opened a data channel.
    Channel(Arc<dyn DataChannel>),
    /// The other side sends a track.
    Track(Arc<dyn TrackRemote>),
}

/// How to build a peer.
pub struct PeerOptions {
    /// STUN and TURN servers, in the order to try.
    pub ice_servers: Vec<RTCIceServer>,
    /// Use relay candidates only.
    pub relay_only: bool,
    /// Local addresses for ICE. A wildcard stands for every interface but loopback.
    pub addrs: Vec<SocketAddr>,
    /// Addresses of this computer, besides, at which it alone is spoken to (`own.rs`).
    pub own_addrs: Vec<IpAddr>,
    /// Video codecs to offer or accept, best first.
    pub codecs: Vec<Codec>,
    /// Answer `setup:passive` and let the other side begin, DTLS and SCTP alike. Stacks of 2021 take the SCTP side that
    /// begins from their ICE role, ours from its DTLS role, and two that begin never meet: ours drops the INIT of an
    /// association that it began itself (RFC 9260 5.2.1 wants an answer), and theirs drops ours.
    pub answers_passively: bool,
    /// Where the other side is, and so how far its candidates may lead.
    pub reach: Reach,
    /// It gives way to all other work of this computer: the peer of somebody who may only watch.
    pub gives_way: bool,
}

impl PeerOptions {
    /// Options of a peer that stays on this machine.
    #[must_use]
    pub fn loopback() -> Self {
        Self {
            ice_servers: Vec::new(),
            relay_only: false,
            addrs: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            own_addrs: Vec::new(),
            codecs: vec![Codec::H264],
            answers_passively: false,
            reach: Reach::Inside,
            gives_way: false,
        }
    }
}

/// A running peer connection, its events and its newest feedback.
pub struct Peer {
    /// The connection; [`Peer::close`] it when done.
    pub pc: Arc<dyn PeerConnection>,
    /// Events in order.
    pub events: mpsc::Receiver<PeerEvent>,
    /// Key-frame requests, bitrate limit and liveness, readable at any time.
    pub feedback: Arc<Feedback>,
    remote: remote::Remote,
}

impl Peer {
    /// Closes the connection. Whoever waits for it does so for a second at most.
    pub async fn close(&self) {
        let pc = Arc::clone(&self.pc);
        let closing = tokio::spawn(async move { pc.close().await });
        match timeout(CLOSE_LIMIT, closing).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(err))) => tracing::debug!(%err, "closing a peer"),
            Ok(Err(err)) => tracing::error!(%err, "closing a peer"),
            Err(_) => {
                tracing::warn!("a peer's stack is busy and does not close; it is left behind");
            }
        }
    }
}

/// Builds a peer and starts its driver.
///
/// # Errors
/// A socket that cannot be bound, or an ICE server URL that the stack does not understand.
pub async fn build(options: PeerOptions) -> Result<Peer> {
    let feedback = Arc::new(Feedback::default());
    let (media_engine, registry) = media::engine(&options.codecs, Arc::clone(&feedback))?;
    let policy = if options.relay_only {
        RTCIceTransportPolicy::Relay
    } else {
        RTCIceTransportPolicy::All
    };
    let dtls_role = if options.answers_passively {
        RTCDtlsRole::Server
    } else {
        RTCDtlsRole::Client
    };
    let settings = SettingEngineBuilder::new()
        .with_answering_dtls_role(dtls_role)
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(MAX_CHECKS))
        .with_host_acceptance_min_wait(Some(Duration::ZERO))
        .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_srflx_acceptance_min_wait(Some(Duration::from_millis(100)))
        .with_relay_acceptance_min_wait(Some(Duration::from_millis(300)))
        .with_ice_timeouts(
            Some(DISCONNECTED_AFTER),
            Some(FAILED_AFTER),
            Some(KEEPALIVE),
        )
        .with_srtp_replay_protection_window(REPLAY_WINDOW)
        .with_include_loopback_candidate(true)
        // A browser's `.local` candidates need multicast; it reaches us peer-reflexively without.
        .with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled)
        .build();
    let remote = remote::Remote::new(options.reach);
    let mut addrs = options.addrs;
    addrs.extend(options.own_addrs.iter().map(|ip| SocketAddr::new(*ip, 0)));
    let (tx, events) = mpsc::channel(EVENT_ROOM);
    let hurry = Hurry::new();
    let other = |why: String| webrtc::error::Error::Other(why);
    let runtime =
        webrtc::runtime::default_runtime().ok_or_else(|| other("no async runtime".to_owned()))?;
    let worker = worker::Worker::start(options.gives_way)
        .map_err(|err| other(format!("no thread for a peer: {err}")))?;
    let prompt = Prompt::new(
        runtime,
        worker,
        hurry.clone(),
        options.own_addrs,
        tx.clone(),
    );
    // Boxed: the driver's start-up state is 20 kB, and every caller's future would carry it.
    let building = PeerConnectionBuilder::new()
        .with_configuration(
            RTCConfigurationBuilder::default()
                .with_ice_servers(options.ice_servers)
                .with_ice_transport_policy(policy)
                .build(),
        )
        .with_media_engine(media_engine)
        .with_interceptor_registry(registry)
        .with_setting_engine(settings)
        .with_handler(Arc::new(Events { tx, hurry }))
        .with_runtime(Arc::new(prompt))
        .with_udp_addrs(addrs)
        .build();
    let pc = Box::pin(building).await?;
    Ok(Peer {
        pc: Arc::new(pc),
        events,
        feedback,
        remote,
    })
}

struct Events {
    tx: mpsc::Sender<PeerEvent>,
    hurry: Arc<Hurry>,
}

impl Events {
    fn send(&self, event: PeerEvent) {
        // Never await here: these run inside the driver that keeps ICE and DTLS alive.
        if let Err(mpsc::error::TrySendError::Full(_)) = self.tx.try_send(event) {
            tracing::error!("peer event dropped: nobody reads the events of this peer");
        }
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Events {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if let Ok(init) = event.candidate.to_json() {
            self.send(PeerEvent::Candidate(init.candidate));
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.send(PeerEvent::GatheringComplete);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        match state {
            RTCPeerConnectionState::Connecting => self.hurry.keep_up(CONNECTING_SPAN),
            RTCPeerConnectionState::Connected => self.hurry.keep_up(SETTLING_SPAN),
            _ => self.hurry.keep_up(Duration::ZERO),
        }
        self.send(PeerEvent::State(state));
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        self.hurry.keep_up(SETTLING_SPAN);
        self.send(PeerEvent::Channel(channel));
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        self.send(PeerEvent::Track(track));
    }
}
