//! A socket on an address of this computer that nobody but this computer reaches.
//!
//! A page on 127.0.0.1 is for this computer alone, and so is its video. Firefox has no part in that: it makes no
//! candidate of a loopback address and checks none (its `media.peerconnection.ice.loopback` is off), so it finds no path
//! to 127.0.0.1. It does reach the address of this computer's network card, and packets from there to there never
//! leave the computer. So such a socket talks to its own address, and to no other:
//!
//! ```text
//!   browser 192.0.2.2:b ──▶ 192.0.2.2:s Spider      same address: taken, answered
//!   others  192.0.2.9:x ──▶ 192.0.2.2:s             another: never seen by the stack above, never answered
//! ```
//!
//! Nobody outside can pretend: the kernel drops what comes from outside with a source of its own (a "martian", Linux
//! `fib_validate_source`), and an answer would stay inside. IPv6 has no such rule, so the addresses are of IPv4.
//!
//! Promises: what is refused costs a read and nothing else; a flood of it leaves time for others.
//! Knows nothing of: ICE, who asked for the socket.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// Refused packets that one look at the socket goes through. choice: some milliseconds of a flood at most.
const REFUSED_AT_ONCE: usize = 32;

/// The socket, and the only address it talks to: its own.
#[derive(Debug)]
pub(super) struct Own {
    inner: Arc<dyn AsyncUdpSocket>,
    address: IpAddr,
}

impl Own {
    pub(super) fn new(inner: Arc<dyn AsyncUdpSocket>) -> io::Result<Self> {
        let address = inner.local_addr()?.ip();
        Ok(Self { inner, address })
    }

    fn is_here(&self, other: SocketAddr) -> bool {
        other.ip().to_canonical() == self.address.to_canonical()
    }
}

impl AsyncUdpSocket for Own {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        if self.is_here(transmit.destination) {
            self.inner.poll_send(cx, transmit)
        } else {
            // As a network that drops it would; an error would end the socket.
            Poll::Ready(Ok(transmit.contents.len()))
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        // One message at a time: the stack asks for no more, and each has to be looked at.
        let (Some(buf), Some(about)) = (bufs.first_mut(), meta.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        let (buf, about) = (std::slice::from_mut(buf), std::slice::from_mut(about));
        for _ in 0..REFUSED_AT_ONCE {
            match self.inner.poll_recv(cx, buf, about) {
                Poll::Ready(Ok(count)) if count > 0 => {
                    if about.iter().all(|one| self.is_here(one.addr)) {
                        return Poll::Ready(Ok(count));
                    }
                }
                other => return other,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn max_gso_segments(&self) -> usize {
        self.inner.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }
}
