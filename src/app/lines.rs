//! The log's way to stderr: it makes nobody wait, and nobody can fill it.
//!
//! A pipe that nobody reads takes 64 kB and then holds whoever writes: the network's threads, the control thread, the end of
//! the program. And a peer can make a library say something for each packet. So lines go through a queue to a thread of
//! their own, and each kind has so many a second:
//!
//! ```text
//!   any thread ─line─▶ so many a second? ─▶ [QUEUE lines] ─▶ thread "log" ─▶ stderr
//!                        │ no                  │ full
//!                        └────────── counted ──┴──▶ "... lines were left out", with the next one that passes
//! ```
//!
//! Promises: writing a line takes no lock that another writer of stderr holds, and never waits; at the end of the program
//! what is queued is written, if somebody reads it within a second. Knows nothing of: what the lines say.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait to be written. choice: a start says some 40; ten times that.
const QUEUE: usize = 512;

/// Lines of this program in a second. choice: the busiest second of a car that drives has 10.
const OURS_PER_S: u32 = 200;

/// Lines of libraries in a second: what they say, a peer may have made them say. choice: enough to see what it is.
const THEIRS_PER_S: u32 = 10;

/// How long the end of the program waits for who reads the log. choice: a busy journal needs milliseconds.
const FLUSH: Duration = Duration::from_secs(1);

/// The queue of this process.
static LINES: OnceLock<Lines> = OnceLock::new();

/// Writes what is queued, before the program ends.
pub fn flush() {
    if let Some(lines) = LINES.get() {
        lines.flush(FLUSH);
    }
}

/// The queue of this process; its thread is started the first time.
///
/// # Errors
/// There is no thread to be had.
pub fn to_stderr() -> io::Result<&'static Lines> {
    if let Some(lines) = LINES.get() {
        return Ok(lines);
    }
    let made = Lines::to(io::stderr())?;
    Ok(LINES.get_or_init(|| made))
}

/// What goes through the queue.
enum Item {
    Line(Vec<u8>),
    /// All before it is written.
    Mark(SyncSender<()>),
}

/// So many in each second.
#[derive(Debug)]
struct Quota {
    per_s: u32,
    second: Mutex<(Option<Instant>, u32)>,
}

impl Quota {
    const fn of(per_s: u32) -> Self {
        Self {
            per_s,
            second: Mutex::new((None, 0)),
        }
    }

    fn takes(&self, now: Instant) -> bool {
        // Held for two comparisons; whoever panicked in there has left two numbers that are right by themselves.
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = second
            .0
            .is_none_or(|began| now.saturating_duration_since(began) >= Duration::from_secs(1));
        if is_over {
            *second = (Some(now), 0);
        }
        second.1 = second.1.saturating_add(1);
        second.1 <= self.per_s
    }
}

/// The writing end.
#[derive(Debug)]
pub struct Lines {
    queue: SyncSender<Item>,
    left_out: Arc<AtomicU64>,
    ours: Quota,
    theirs: Quota,
}

impl Lines {
    fn to(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, items) = sync_channel(QUEUE);
        let left_out = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&left_out);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(out, &items, &told))?;
        Ok(Self {
            queue,
            left_out,
            ours: Quota::of(OURS_PER_S),
            theirs: Quota::of(THEIRS_PER_S),
        })
    }

    fn put(&self, line: &[u8]) {
        if self.queue.try_send(Item::Line(line.to_vec())).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all that was put is written, or for so long.
    fn flush(&self, limit: Duration) {
        let until = Instant::now() + limit;
        let (done, is_done) = sync_channel(1);
        let mut mark = Item::Mark(done);
        while let Err(refused) = self.queue.try_send(mark) {
            let std::sync::mpsc::TrySendError::Full(back) = refused else {
                return;
            };
            if Instant::now() >= until {
                return;
            }
            mark = back;
            thread::sleep(Duration::from_millis(5));
        }
        // Nobody reads: then there is nobody to whom it matters.
        let _ = is_done.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

/// The thread: it alone waits for who reads.
fn write_all(mut out: impl Write, items: &Receiver<Item>, left_out: &AtomicU64) {
    while let Ok(item) = items.recv() {
        match item {
            Item::Line(line) => {
                let count = left_out.swap(0, Ordering::Relaxed);
                if count > 0 {
                    // A closed stderr only means that nobody reads it.
                    let _ = writeln!(
                        out,
                        "{count} lines of this log were left out: too many at once, or nobody read them"
                    );
                }
                let _ = out.write_all(&line);
            }
            Item::Mark(done) => {
                let _ = out.flush();
                let _ = done.try_send(());
            }
        }
    }
}

/// Takes one line, or leaves it out.
#[derive(Debug)]
pub struct Line {
    lines: &'static Lines,
    is_taken: bool,
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.is_taken {
            self.lines.put(line);
        } else {
            self.lines.left_out.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for &'static Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Self::Writer {
        Line {
            lines: self,
            is_taken: self.ours.takes(Instant::now()),
        }
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> Self::Writer {
        let is_ours = about.target().starts_with("spidercar");
        let quota = if is_ours { &self.ours } else { &self.theirs };
        Line {
            lines: self,
            // Who asks for the finer levels wants to see all of them.
            is_taken: *about.level() > Level::INFO || quota.takes(Instant::now()),
        }
    }
}

#[cfg(test)]
mod tests;
