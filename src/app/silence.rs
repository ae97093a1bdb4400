//! Our own watch over the link: how long it has been since anything authentic arrived.
//!
//! ICE takes five seconds to give a path up, and may keep it alive by checks while nothing else gets through. What counts
//! here is what only the other side of *this* session can send: RTP and RTCP that passed SRTP, messages on our channels,
//! and its acknowledgements of our telemetry.
//!
//! ```text
//!   RTP, RTCP ──▶ count ─┐
//!   messages ───▶ count ─┼─ none of them changed for `limit` ─▶ the link is lost
//!   acks ───────▶ count ─┘
//! ```
//!
//! A link is judged only after its other side has been heard at all: who never reports cannot fall silent.
//!
//! Promises: no false alarm while anything of the three arrives within `limit`. Knows nothing of: what is done about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use super::clock;
use crate::logic::units::Uptime;
use crate::peer::Feedback;

/// How often it looks. choice: a tenth of the shortest limit that the configuration allows.
const LOOK: Duration = Duration::from_millis(50);

/// Counts messages and acknowledgements of one session, from whichever task sees them.
#[derive(Clone, Debug, Default)]
pub struct Heard(Arc<AtomicU64>);

impl Heard {
    /// Something arrived.
    pub fn note(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Returns once nothing authentic has arrived for `limit`; never, without one.
pub async fn fell(feedback: Arc<Feedback>, heard: Heard, limit: Option<Duration>) {
    let Some(limit) = limit else {
        return std::future::pending().await;
    };
    let mut watch = Watch::default();
    loop {
        let count = feedback.packets().wrapping_add(heard.count());
        if watch.silence(clock::now(), count) > limit {
            return;
        }
        sleep(LOOK).await;
    }
}

/// The last count, and when it changed.
#[derive(Debug, Default)]
struct Watch {
    count: u64,
    changed_at: Option<Uptime>,
    looked_at: Option<Uptime>,
}

impl Watch {
    /// Time since the count last changed; zero before it ever did.
    ///
    /// A look that came late says nothing of the link: this process stood still, and what arrived waits to be read. So
    /// such time does not count.
    fn silence(&mut self, now: Uptime, count: u64) -> Duration {
        let late = self
            .looked_at
            .map_or(Duration::ZERO, |at| now.since(at).saturating_sub(LOOK * 2));
        self.looked_at = Some(now);
        self.changed_at = if count == self.count {
            self.changed_at.map(|at| at.after(late))
        } else {
            Some(now)
        };
        self.count = count;
        self.changed_at.map_or(Duration::ZERO, |at| now.since(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_ms(ms: u64) -> Uptime {
        Uptime::from_micros(ms * 1000)
    }

    #[test]
    fn silence_is_counted_from_the_last_change() {
        let mut watch = Watch::default();
        for ms in (0..1_000).step_by(50) {
            assert_eq!(watch.silence(at_ms(ms), 0), Duration::ZERO, "never heard");
        }
        for ms in (1_000..2_000).step_by(50) {
            assert_eq!(
                watch.silence(at_ms(ms), ms),
                Duration::ZERO,
                "heard each time"
            );
        }
        for ms in (2_000..5_000).step_by(50) {
            let silence = watch.silence(at_ms(ms), 1_950);
            assert_eq!(silence, Duration::from_millis(ms - 1_950));
        }
        assert_eq!(
            watch.silence(at_ms(5_000), 7),
            Duration::ZERO,
            "heard again"
        );
    }

    #[test]
    fn time_in_which_nobody_looked_does_not_count() {
        let mut watch = Watch::default();
        watch.silence(at_ms(0), 1);
        watch.silence(at_ms(50), 1);
        // The process was frozen for ten seconds: the link may be fine.
        assert_eq!(watch.silence(at_ms(10_050), 1), Duration::from_millis(150));
        assert_eq!(watch.silence(at_ms(10_100), 1), Duration::from_millis(200));
    }
}
