//! The border of a peer: what a datagram must be to reach the stack behind it.
//!
//! Whoever can send UDP to a car or to a Spider reaches the stack with whatever he likes, without a key and without a
//! session: `rtc` takes DTLS from any address once ICE has chosen a pair, puts a handshake together by recursion (some 400
//! datagrams of tiny fragments overflow the stack, which no `catch_unwind` holds), changes its ICE role for a request that
//! nobody signed, and writes a log line for each it cannot read. So each socket of a peer has this in front:
//!
//! ```text
//!   first byte         who answered a check of ours        anybody else
//!   0..=3    STUN      what is whole; requests so many     requests that name us, few a second
//!   20..=23  DTLS      whole records; of a handshake       sealed data only, once there are keys, few a second: a driver
//!                      so many in a peer's life            whose NAT gave him another port is heard before ICE is
//!   64..=79  TURN      from our relay: what is in it is    nothing
//!                      looked at as if it came bare
//!   128..=191 RTP      all                                 as DTLS
//!   all others         nothing                             nothing
//! ```
//!
//! "Answered a check": a STUN response came from there with a transaction that we had sent there, 96 random bits that
//! nobody knows who is not on the way. It counts for all sockets of the peer: a browser may send to one of them what it is sent
//! by another. The rules ([`rules::Rules`]) are arithmetic on fixed tables; this file is the socket
//! around them. Nothing that is refused allocates, is answered, or writes a line of its own.
//!
//! What the rules cannot see: handshake records under encryption, which only the peer itself can make. They are counted
//! by their length.
//!
//! Promises: refused datagrams cost a look; a flood of them leaves time for others. Knows nothing of: ICE's state, sessions.
//! Sources: RFC 7983 (first bytes), RFC 8489 (STUN), RFC 8656 (TURN), RFC 6347 (DTLS 1.2).

mod dtls;
mod names;
mod rules;
mod stun;

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

use super::sieve;
use rules::Rules;

/// A socket with the border in front.
#[derive(Debug)]
pub(super) struct Border {
    inner: Arc<dyn AsyncUdpSocket>,
    traffic: Traffic,
}

/// What was seen of a peer, by all of its sockets. Clones are of the same peer.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    start: Instant,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    rules: Rules,
    refused: u64,
}

impl Traffic {
    /// Of a peer that has no socket yet.
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            state: Arc::new(Mutex::new(State {
                rules: Rules::new(),
                refused: 0,
            })),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked in there has left counters, each of which is right by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether all that came in one message may pass: it is of one sender, and the kernel may have put several together.
    fn admits(&self, message: &[u8], about: &RecvMeta) -> bool {
        let now = self.start.elapsed();
        let mut state = self.state();
        let Some(filled) = message.get(..about.len) else {
            return false;
        };
        // An empty datagram has no part that could be refused, and the stack writes a line for each.
        let passes = !filled.is_empty()
            && filled
                .chunks(about.stride.max(1))
                .all(|datagram| state.rules.admits(now, about.addr, datagram));
        if !passes {
            state.refused += 1;
            // Said at 64, 128, 256 ...: a flood costs no flood of lines.
            if state.refused >= 64 && state.refused.is_power_of_two() {
                let refused = state.refused;
                drop(state);
                tracing::warn!(
                    refused,
                    last_from = %about.addr,
                    "datagrams of strangers are refused"
                );
            }
        }
        passes
    }
}

impl Border {
    pub(super) fn new(inner: Arc<dyn AsyncUdpSocket>, traffic: Traffic) -> Self {
        Self { inner, traffic }
    }
}

impl AsyncUdpSocket for Border {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        // Noted before it is out, or an answer could come first. What is then not sent was noted for nothing.
        let datagram = transmit.segment_size.unwrap_or(transmit.contents.len());
        let mut state = self.traffic.state();
        for one in transmit.contents.chunks(datagram.max(1)) {
            state.rules.sent(transmit.destination, one);
        }
        drop(state);
        self.inner.poll_send(cx, transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        sieve::receive(&*self.inner, cx, bufs, meta, |message, about| {
            self.traffic.admits(message, about)
        })
    }

    fn max_gso_segments(&self) -> usize {
        self.inner.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }
}

#[cfg(test)]
mod tests;
