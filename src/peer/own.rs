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
//! `fib_validate_source`; a network card that is set to `accept_local=1` is the exception), and an answer would stay inside.
//! IPv6 has no such rule, so the addresses are of IPv4.
//!
//! Promises: what is refused costs a read and nothing else; a flood of it leaves time for others.
//! Knows nothing of: ICE, who asked for the socket.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

use super::sieve;

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
        sieve::receive(&*self.inner, cx, bufs, meta, |_, about| {
            self.is_here(about.addr)
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
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use std::task::Waker;

    use super::*;
    use crate::peer::sieve::REFUSED_AT_ONCE;

    const HERE: &str = "192.0.2.7:4000";

    /// Senders of packets to come, and destinations of those that were sent.
    #[derive(Debug, Default)]
    struct Wire {
        senders: Mutex<VecDeque<SocketAddr>>,
        sent: Mutex<Vec<SocketAddr>>,
    }

    impl AsyncUdpSocket for Wire {
        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok(at(HERE))
        }

        fn poll_send(&self, _: &mut Context<'_>, sent: &Transmit<'_>) -> Poll<io::Result<usize>> {
            self.sent.lock().unwrap().push(sent.destination);
            Poll::Ready(Ok(sent.contents.len()))
        }

        fn poll_recv(
            &self,
            _: &mut Context<'_>,
            bufs: &mut [IoSliceMut<'_>],
            meta: &mut [RecvMeta],
        ) -> Poll<io::Result<usize>> {
            let Some(sender) = self.senders.lock().unwrap().pop_front() else {
                return Poll::Pending;
            };
            bufs[0][0] = 1;
            (meta[0].addr, meta[0].len) = (sender, 1);
            Poll::Ready(Ok(1))
        }
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// A socket with packets of these senders.
    fn socket(senders: &[&str]) -> (Own, Arc<Wire>) {
        let wire = Arc::new(Wire::default());
        let senders = senders.iter().map(|sender| at(sender));
        wire.senders.lock().unwrap().extend(senders);
        let own = Own::new(Arc::<Wire>::clone(&wire)).unwrap();
        (own, wire)
    }

    fn receive(own: &Own) -> Poll<SocketAddr> {
        let mut room = [0; 8];
        let mut meta = [RecvMeta::default()];
        let mut cx = Context::from_waker(Waker::noop());
        own.poll_recv(&mut cx, &mut [IoSliceMut::new(&mut room)], &mut meta)
            .map(|count| {
                assert_eq!(count.unwrap(), 1);
                meta[0].addr
            })
    }

    #[test]
    fn only_packets_of_this_address_are_seen_by_the_stack_above() {
        let others = ["192.0.2.9:1", "127.0.0.1:1", "0.0.0.0:1", "[2001:db8::1]:1"];
        let (own, _) =
            socket(&[&others[..], &["192.0.2.7:99"], &["[::ffff:192.0.2.7]:98"]].concat());
        assert_eq!(receive(&own), Poll::Ready(at("192.0.2.7:99")));
        assert_eq!(receive(&own), Poll::Ready(at("[::ffff:192.0.2.7]:98")));
        assert_eq!(receive(&own), Poll::Pending);
    }

    #[test]
    fn a_flood_of_others_leaves_time_and_is_gone_on_with() {
        let (own, wire) = socket(&vec!["192.0.2.9:1"; REFUSED_AT_ONCE + 5]);
        assert_eq!(receive(&own), Poll::Pending);
        assert_eq!(
            wire.senders.lock().unwrap().len(),
            5,
            "it stopped to let others run"
        );
        assert_eq!(receive(&own), Poll::Pending);
        assert!(wire.senders.lock().unwrap().is_empty());
    }

    #[test]
    fn nothing_is_sent_to_others_and_nobody_is_told() {
        let (own, wire) = socket(&[]);
        let mut cx = Context::from_waker(Waker::noop());
        for to in ["192.0.2.9:1", "192.0.2.7:99"] {
            let packet = Transmit {
                destination: at(to),
                contents: b"packet",
                ecn: None,
                segment_size: None,
                src_ip: None,
            };
            let sent = own.poll_send(&mut cx, &packet);
            assert!(matches!(sent, Poll::Ready(Ok(6))), "{to}");
        }
        assert_eq!(*wire.sent.lock().unwrap(), [at("192.0.2.7:99")]);
    }
}
