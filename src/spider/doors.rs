//! Who is in at the ports of a Spider, and for how long without a word.
//!
//! A connection costs the one who opens it nothing and a Spider a descriptor, of which the car beside it needs some. So
//! there are so many places, each address has so many of them, and who asks for nothing gives his place up:
//!
//! ```text
//!   accepted ─▶ place? ──no──▶ closed, unread          WebSocket (101) ─▶ stays, its session sees to it
//!                 │ yes                                   ▲
//!                 └─▶ [TLS, at most 10 s] ─▶ request ─▶ answer ─▶ next request ...      10 s for each
//! ```
//!
//! Promises: what is refused costs an accept and a close. Knows nothing of: routes, keys.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep};

/// Connections at once. choice: a channel's 17 viewers with a page each, four times; of 1024 descriptors a quarter.
const MAX_GUESTS: usize = 256;

/// Of one address, or of one network of IPv6. choice: nine browsers behind one router, each with the seven that it opens.
const MAX_OF_ONE: usize = 64;

/// Longest time for a whole request, and between two. choice: a slow phone's; browsers open another connection if it is over.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// The places of a Spider's ports together.
#[derive(Clone, Debug, Default)]
pub(super) struct Doors(Arc<Mutex<Inside>>);

#[derive(Debug, Default)]
struct Inside {
    of: HashMap<IpAddr, usize>,
    all: usize,
    turned_away: u64,
}

/// One that was taken; it is given up when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    doors: Doors,
    network: IpAddr,
}

impl Doors {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Whoever panicked in there has left numbers that are right by themselves.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from there; `None` if there is none left.
    pub(super) fn enter(&self, from: SocketAddr) -> Option<Place> {
        let network = network_of(from.ip());
        let mut inside = self.inside();
        let of_one = inside.of.get(&network).copied().unwrap_or(0);
        if inside.all >= MAX_GUESTS || of_one >= MAX_OF_ONE {
            inside.turned_away += 1;
            // Said at 1, 2, 4 ...: a flood costs no flood of lines.
            if inside.turned_away.is_power_of_two() {
                tracing::warn!(
                    turned_away = inside.turned_away,
                    last_from = %from,
                    connections = inside.all,
                    "spider: too many connections"
                );
            }
            return None;
        }
        inside.all += 1;
        inside.of.insert(network, of_one + 1);
        drop(inside);
        Some(Place {
            doors: self.clone(),
            network,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.doors.inside();
        inside.all = inside.all.saturating_sub(1);
        let left = inside
            .of
            .get(&self.network)
            .map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            inside.of.remove(&self.network);
        } else {
            inside.of.insert(self.network, left);
        }
    }
}

/// What an address counts as: whoever has one of IPv6 has a whole network of 2^64 of them.
pub(super) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// A listener without TLS.
pub(super) struct PlainListener {
    listener: TcpListener,
    doors: Doors,
}

impl PlainListener {
    pub(super) fn new(listener: TcpListener, doors: Doors) -> Self {
        Self { listener, doors }
    }
}

/// The next connection that has a place.
pub(super) async fn next_guest(
    listener: &TcpListener,
    doors: &Doors,
) -> (TcpStream, SocketAddr, Place) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let _ = stream.set_nodelay(true); // only slower without
                if let Some(place) = doors.enter(from) {
                    return (stream, from, place);
                }
            }
            Err(err) => {
                // Out of file descriptors, or a client gone before accept: neither ends the server.
                tracing::warn!(%err, "spider: accept");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

impl axum::serve::Listener for PlainListener {
    type Io = Guest<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, from, place) = next_guest(&self.listener, &self.doors).await;
        (Guest::new(stream, place), from)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection with its place and its limit.
#[derive(Debug)]
pub(super) struct Guest<S> {
    stream: S,
    _place: Place,
    limit: Duration,
    /// When it is over; none for a WebSocket.
    over: Option<Pin<Box<Sleep>>>,
}

impl<S> Guest<S> {
    pub(super) fn new(stream: S, place: Place) -> Self {
        Self::with_limit(stream, place, REQUEST_LIMIT)
    }

    fn with_limit(stream: S, place: Place, limit: Duration) -> Self {
        Self {
            stream,
            _place: place,
            limit,
            over: Some(Box::pin(sleep(limit))),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guest<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(over) = &mut self.over
            && over.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guest<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if matches!(written, Poll::Ready(Ok(_))) {
            let limit = self.limit;
            if bytes.starts_with(b"HTTP/1.1 101 ") {
                self.over = None;
            } else if let Some(over) = &mut self.over {
                over.as_mut().reset(Instant::now() + limit);
            }
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
