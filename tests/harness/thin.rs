//! A UDP path between two peers that is as thin, slow and lossy as a test wants, and counts what is offered to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

/// What the way from the near to the far peer is like; the way back is only slow.
#[derive(Clone, Copy)]
pub struct Way {
    /// Its rate, in kbit/s.
    pub kbps: u64,
    /// Longest time in the queue in front of it; what would wait longer is dropped.
    pub queue: Duration,
    /// Time on the way, each way.
    pub delay: Duration,
    /// Of the media packets each so-many-th is lost; 0 for none.
    pub lose_each: u64,
}

/// The path; it ends with its tasks.
pub struct ThinPath {
    /// Where the near peer finds the far one.
    pub for_near: SocketAddr,
    /// Where the far peer finds the near one.
    pub for_far: SocketAddr,
    offered: Arc<AtomicU64>,
    is_thin: Arc<AtomicBool>,
    _tasks: JoinSet<()>,
}

impl ThinPath {
    pub async fn between(near: SocketAddr, far: SocketAddr, way: Way) -> Self {
        let bind = || async {
            let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
            Arc::new(socket)
        };
        let (at_near, at_far) = (bind().await, bind().await);
        let (for_near, for_far) = (
            at_near.local_addr().expect("bound"),
            at_far.local_addr().expect("bound"),
        );
        let (offered, is_thin) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let mut tasks = JoinSet::new();
        let (from, to) = (Arc::clone(&at_near), Arc::clone(&at_far));
        let (count, thin) = (Arc::clone(&offered), Arc::clone(&is_thin));
        tasks.spawn(async move {
            let (mut free_at, mut media) = (Instant::now(), 0_u64);
            let mut buffer = vec![0; 2048];
            while let Ok(length) = from.recv(&mut buffer).await {
                let packet = buffer[..length].to_vec();
                let now = Instant::now();
                let mut leaves_at = now;
                if thin.load(Ordering::Relaxed) {
                    count.fetch_add(length as u64, Ordering::Relaxed);
                    // spec: RFC 7983: 128 to 191 is RTP or RTCP; RFC 5761 4: 192 to 223 in the second byte is RTCP.
                    if (128..192).contains(&packet[0]) && !(192..224).contains(&packet[1]) {
                        media += 1;
                        if way.lose_each != 0 && media % way.lose_each == 0 {
                            continue;
                        }
                    }
                    leaves_at = free_at.max(now)
                        + Duration::from_micros(length as u64 * 8 * 1000 / way.kbps);
                    if leaves_at > now + way.queue {
                        continue;
                    }
                    free_at = leaves_at;
                }
                let to = Arc::clone(&to);
                tokio::spawn(async move {
                    sleep_until((leaves_at + way.delay).into()).await;
                    let _ = to.send_to(&packet, far).await;
                });
            }
        });
        tasks.spawn(async move {
            let mut buffer = vec![0; 2048];
            while let Ok(length) = at_far.recv(&mut buffer).await {
                let packet = buffer[..length].to_vec();
                let to = Arc::clone(&at_near);
                tokio::spawn(async move {
                    tokio::time::sleep(way.delay).await;
                    let _ = to.send_to(&packet, near).await;
                });
            }
        });
        Self {
            for_near,
            for_far,
            offered,
            is_thin,
            _tasks: tasks,
        }
    }

    /// From now on the way is as it should be; before it was wide, so that peers could connect.
    pub fn narrow(&self) {
        self.is_thin.store(true, Ordering::Relaxed);
    }

    /// Bytes that the near peer has sent since [`ThinPath::narrow`].
    pub fn offered(&self) -> u64 {
        self.offered.load(Ordering::Relaxed)
    }
}

/// The address of the only candidate of a description.
pub fn address(sdp: &str) -> SocketAddr {
    let line = sdp
        .lines()
        .find_map(|line| line.strip_prefix("a=candidate:"))
        .unwrap_or_else(|| panic!("no candidate in\n{sdp}"));
    let words: Vec<_> = line.split(' ').collect();
    format!("{}:{}", words[4], words[5])
        .parse()
        .expect("an address")
}

/// The description with its candidates at another port.
pub fn moved(sdp: &str, to: SocketAddr) -> String {
    let from = address(sdp);
    let (old, new) = (
        format!(" {} {} typ", from.ip(), from.port()),
        format!(" {} {} typ", to.ip(), to.port()),
    );
    sdp.replace(&old, &new)
}
