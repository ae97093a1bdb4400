//! Datagrams of a socket that pass a look: what the stack above never sees costs a read and the look.
//!
//! Promises: a flood of what is refused leaves time for others. Knows nothing of: who may pass.

use std::io::{self, IoSliceMut};
use std::task::{Context, Poll};

use webrtc::runtime::{AsyncUdpSocket, RecvMeta};

/// Refused datagrams that one look at the socket goes through. choice: some milliseconds of a flood at most.
pub(super) const REFUSED_AT_ONCE: usize = 32;

/// Receives the next message that passes.
pub(super) fn receive(
    inner: &dyn AsyncUdpSocket,
    cx: &mut Context<'_>,
    bufs: &mut [IoSliceMut<'_>],
    meta: &mut [RecvMeta],
    passes: impl Fn(&[u8], &RecvMeta) -> bool,
) -> Poll<io::Result<usize>> {
    // One message at a time: the stack asks for no more, and each has to be looked at.
    let (Some(buf), Some(about)) = (bufs.first_mut(), meta.first_mut()) else {
        return Poll::Ready(Ok(0));
    };
    for _ in 0..REFUSED_AT_ONCE {
        let (one, its) = (std::slice::from_mut(buf), std::slice::from_mut(about));
        match inner.poll_recv(cx, one, its) {
            Poll::Ready(Ok(count)) if count > 0 => {
                if passes(buf, about) {
                    return Poll::Ready(Ok(count));
                }
            }
            other => return other,
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}
