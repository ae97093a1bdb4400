//! The thread that the stack of one peer runs on, so that its work is nobody else's wait.
//!
//! What a peer sends inside of his session is read by the stack, and no border sees it. One FORWARD TSN of a viewer made
//! `rtc-sctp` 0.21.1 go through two thousand million numbers in one poll: found by `tests/storm`, 4 s of a processor and more
//! (measured 2026-11, x86, a development build). On a runtime that all shared, the car's own peer and its driver's waited behind it. So:
//!
//! ```text
//!   program's runtime ── build ──▶ thread of a peer: its sockets, its timers, its driver ── events ──▶ program's runtime
//!                                    │ nice, if this peer gives way
//!                                    └ a poll that took MAX_POLL of a processor ──▶ the peer has ended
//! ```
//!
//! A poll that does not end cannot be ended; it shares the processor with the others like any busy thread. What counts is
//! the thread's own time, so a computer that stands still ends nobody's session.
//!
//! Promises: a worker ends when it is dropped, and what is left of its tasks with it. Knows nothing of: what they do.
//! Sources: `setpriority(2)` (of a thread, on Linux), `clock_gettime(2)`.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use rustix::process::setpriority_process;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, EnterGuard, Handle};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// The longest poll of a stack, in time of its thread. choice: far more than a handshake takes on an emulated processor, less
/// than what was found above.
pub(super) const MAX_POLL: Duration = Duration::from_secs(2);

/// How nice a peer is that gives way. choice: a tenth of the weight of the others (sched(7): 1.25 for each step).
const GIVES_WAY: i32 = 10;

/// A thread with a runtime of its own.
#[derive(Debug)]
pub(super) struct Worker {
    runtime: Handle,
    over: Arc<Notify>,
}

impl Worker {
    /// Starts one.
    ///
    /// # Errors
    /// There is no thread or no descriptor to be had.
    pub(super) fn start(gives_way: bool) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let over = Arc::new(Notify::new());
        let ending = Arc::clone(&over);
        thread::Builder::new()
            .name("peer".to_owned())
            .spawn(move || {
                if gives_way && let Err(err) = setpriority_process(None, GIVES_WAY) {
                    tracing::debug!(%err, "a peer does not give way");
                }
                runtime.block_on(ending.notified());
            })?;
        Ok(Self {
            runtime: handle,
            over,
        })
    }

    /// What is made while this lives belongs to the worker's runtime: sockets and timers.
    pub(super) fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    /// Runs a task on it.
    pub(super) fn spawn(
        &self,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> impl webrtc::runtime::JoinHandle + 'static {
        Task(self.runtime.spawn(task))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.over.notify_one();
    }
}

struct Task(JoinHandle<()>);

impl webrtc::runtime::JoinHandle for Task {
    fn detach(&self) {} // it goes on by itself

    fn abort(&self) {
        self.0.abort();
    }

    fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

/// The time for which the calling thread has run.
fn thread_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default() // before its beginning: never
}

/// Runs a future to its end, unless one poll of it takes longer than `most`, in time of the thread.
///
/// # Errors
/// How long that poll took. The future is not polled again.
pub(super) async fn bounded(
    most: Duration,
    future: impl Future<Output = ()>,
) -> Result<(), Duration> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let before = thread_time();
        let polled = future.as_mut().poll(context);
        let took = thread_time().saturating_sub(before);
        match polled {
            Poll::Ready(()) => Poll::Ready(Ok(())),
            Poll::Pending if took > most => Poll::Ready(Err(took)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    const MOST: Duration = Duration::from_millis(20);
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Works for so long, then waits for ever.
    async fn works(span: Duration) {
        let until = thread_time() + span;
        while thread_time() < until {
            std::hint::spin_loop();
        }
        std::future::pending::<()>().await;
    }

    #[tokio::test]
    async fn a_poll_that_works_too_long_is_the_last_one() {
        let ended = bounded(MOST, works(2 * MOST)).await;
        assert!(ended.is_err_and(|took| took >= 2 * MOST));
    }

    #[tokio::test]
    async fn a_thread_that_was_not_run_has_not_worked() {
        let ended = bounded(MOST, async { thread::sleep(3 * MOST) }).await;
        assert_eq!(ended, Ok(()));
        let waited = bounded(MOST, async {
            thread::sleep(3 * MOST);
            tokio::task::yield_now().await;
        });
        assert_eq!(waited.await, Ok(()));
    }

    #[test]
    fn a_worker_that_is_busy_holds_no_other_up_and_its_end_ends_its_tasks() {
        let (busy, other) = (Worker::start(true), Worker::start(false));
        let (busy, other) = (busy.expect("a thread"), other.expect("a thread"));
        let (go_on, wait) = sync_channel::<()>(0);
        let (said, heard) = sync_channel(1);
        let (left, gone) = sync_channel::<()>(0);
        busy.spawn(async move {
            let _ = wait.recv(); // a poll that does not end
        });
        other.spawn(async move {
            said.send(()).expect("somebody listens");
            std::future::pending::<()>().await;
            drop(left);
        });
        heard.recv_timeout(PATIENCE).expect("the other one runs");
        drop(other);
        let ended = gone.recv_timeout(PATIENCE);
        assert_eq!(ended, Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
        drop(go_on);
    }
}
