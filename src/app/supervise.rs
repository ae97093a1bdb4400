//! Keeps a task going: a panic in it is logged, told to its owner, and it starts again.
//!
//! ```text
//!   start ─▶ running ──panic──▶ on_panic ──wait 0.5, 1, 2 ... 30 s──▶ start
//!               └── returned: over
//! ```
//!
//! Promises: a panic in one task never ends another or the process. Knows nothing of: what the task does.

use std::future::Future;

use tokio::task::JoinHandle;

use super::clock;
use crate::logic::backoff::Reopening;

/// Spawns `make()` and does so again after each panic, until it returns or the handle is aborted.
pub fn supervise<F>(
    name: &'static str,
    mut make: impl FnMut() -> F + Send + 'static,
    on_panic: impl Fn() + Send + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        let mut again = Reopening::new();
        loop {
            again.works(clock::now());
            let mut running = Aborting(tokio::spawn(make()));
            match (&mut running.0).await {
                Err(err) if err.is_panic() => {
                    let wait = again.failed(clock::now());
                    tracing::error!(
                        task = name,
                        ms = wait.as_millis(),
                        "a bug: this part panicked and is started again after this time"
                    );
                    on_panic();
                    tokio::time::sleep(wait).await;
                }
                Ok(()) | Err(_) => return,
            }
        }
    })
}

/// Ends the inner task with the outer one.
struct Aborting(JoinHandle<()>);

impl Drop for Aborting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_told_and_the_task_starts_again() {
        let (starts, panics) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (count, told) = (Arc::clone(&starts), Arc::clone(&panics));
        let make = move || {
            let n = count.fetch_add(1, Ordering::Relaxed);
            async move { assert!(n >= 2, "on purpose") }
        };
        let on_panic = move || {
            told.fetch_add(1, Ordering::Relaxed);
        };
        supervise("test", make, on_panic)
            .await
            .expect("the supervisor itself does not panic");
        assert_eq!(
            (
                starts.load(Ordering::Relaxed),
                panics.load(Ordering::Relaxed)
            ),
            (3, 2)
        );
    }
}
