//! A runtime for the stack's driver that does not oversleep while a connection comes up.
//!
//! The driver of `webrtc` 0.21 drains its output first and handles internal events after that, then
//! sleeps. Output that those events produce (the SCTP INIT after the DTLS handshake, the opening
//! message of each data channel) waits for the next wake-up, whatever it is: 200 ms for each, the
//! ICE timer. Seen in the driver's log (measured 2026-11): "sending INIT" at 14.7 ms, the 40 bytes
//! leave at 214.4 ms, the channel opens at 416 ms. Sleeps are therefore cut short while hurrying:
//!
//! ```text
//!   build ─────── Connecting ───────────── Connected ── 1 s ──▶ sleeps as asked
//!                 └────────── sleeps of at most 1 ms ────────┘
//! ```
//!
//! With it the channel opens 9 ms after the answer. Rejected: a copy of the crate with the two lines
//! changed (ours to carry for ever), a short ICE keepalive (more packets on the air for good).
//!
//! What runs in it runs on the peer's own thread ([`Worker`]).
//!
//! Promises: only ever shortens a sleep; costs nothing once settled. Knows nothing of: peers.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::mpsc;
use webrtc::peer_connection::RTCPeerConnectionState;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime,
};

use super::PeerEvent;
use super::border::{Border, Traffic};
use super::own::Own;
use super::worker::{MAX_POLL, Worker, bounded};

/// Longest sleep while hurrying. choice: far below the figure (60 ms), far above a busy loop.
const SHORT_SLEEP: Duration = Duration::from_millis(1);

/// Until when sleeps stay short; shared by the runtime and the events of one peer.
#[derive(Debug)]
pub(super) struct Hurry {
    start: Instant,
    until_us: AtomicU64,
}

impl Hurry {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            until_us: AtomicU64::new(0),
        })
    }

    /// Keeps sleeps short for `span` from now, replacing what was said before.
    pub(super) fn keep_up(&self, span: Duration) {
        let until = self.start.elapsed().saturating_add(span);
        let until_us = u64::try_from(until.as_micros()).unwrap_or(u64::MAX);
        self.until_us.store(until_us, Ordering::Relaxed);
    }

    fn shorten(&self, asked: Duration) -> Duration {
        let until = Duration::from_micros(self.until_us.load(Ordering::Relaxed));
        if self.start.elapsed() < until {
            asked.min(SHORT_SLEEP)
        } else {
            asked
        }
    }
}

/// The ordinary runtime with sleeps that [`Hurry`] may shorten, with the border in front of each socket, and with sockets
/// of some addresses for this computer alone.
pub(super) struct Prompt {
    inner: Arc<dyn Runtime>,
    worker: Worker,
    hurry: Arc<Hurry>,
    own: Vec<IpAddr>,
    traffic: Traffic,
    tx: mpsc::Sender<PeerEvent>,
}

impl Prompt {
    pub(super) fn new(
        inner: Arc<dyn Runtime>,
        worker: Worker,
        hurry: Arc<Hurry>,
        own: Vec<IpAddr>,
        tx: mpsc::Sender<PeerEvent>,
    ) -> Self {
        Self {
            inner,
            worker,
            hurry,
            own,
            traffic: Traffic::new(),
            tx,
        }
    }
}

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prompt").finish_non_exhaustive()
    }
}

impl Runtime for Prompt {
    /// The stack's driver: when it ends, in whatever way, the peer has ended, and whoever holds it is told.
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        let tx = self.tx.clone();
        Box::new(self.worker.spawn(async move {
            let running = bounded(MAX_POLL, future);
            match AssertUnwindSafe(running).catch_unwind().await {
                Ok(Ok(())) => {}
                Ok(Err(took)) => tracing::error!(
                    ?took,
                    "one message kept the WebRTC stack busy; its peer is given up"
                ),
                Err(_) => tracing::error!("the WebRTC stack panicked; its peer is given up"),
            }
            // Nobody may be left to hear it, and nobody else waits for this task.
            let _ = tx
                .send(PeerEvent::State(RTCPeerConnectionState::Failed))
                .await;
        }))
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let _inside = self.worker.enter();
        let is_own = self.own.contains(&socket.local_addr()?.ip());
        let socket = self.inner.wrap_udp_socket(socket)?;
        let socket = if is_own {
            Arc::new(Own::new(socket)?)
        } else {
            socket
        };
        Ok(Arc::new(Border::new(socket, self.traffic.clone())))
    }

    fn wrap_tcp_listener(
        &self,
        listener: std::net::TcpListener,
    ) -> io::Result<Arc<dyn AsyncTcpListener>> {
        let _inside = self.worker.enter();
        self.inner.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        remote_addr: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        self.inner.connect_tcp(remote_addr)
    }

    fn resolve_host<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        self.inner.resolve_host(host)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        self.inner.sleep(self.hurry.shorten(duration))
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        self.inner.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        self.inner.block_on(future);
    }

    fn yield_now(&self) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        self.inner.yield_now()
    }

    fn name(&self) -> &'static str {
        self.inner.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_are_as_asked_unless_hurrying() {
        let hurry = Hurry::new();
        let long = Duration::from_secs(1);
        assert_eq!(hurry.shorten(long), long);
        hurry.keep_up(Duration::from_secs(60));
        assert_eq!(hurry.shorten(long), SHORT_SLEEP);
        assert_eq!(hurry.shorten(Duration::ZERO), Duration::ZERO);
        hurry.keep_up(Duration::ZERO);
        assert_eq!(hurry.shorten(long), long);
    }
}
