//! The newest intent on its way from the network to the control thread, and the wake-up that goes with it.
//!
//! ```text
//!   network tasks ─▶ [mutex among themselves] ─▶ Newest ─▶ control thread, unparked
//!                          ▲                                   │
//!                          └────────── who holds the lease ◀───┘
//! ```
//!
//! Promises: the control thread takes no lock here; a wake-up is never lost. Knows nothing of: what is done about it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::Thread;

use super::newest::Newest;
use crate::logic::intent::{INTENT_WORDS, Intent};
use crate::logic::units::LeaseId;

/// The writing end, shared by the tasks that hear commands.
#[derive(Debug)]
pub struct Mailbox {
    newest: Newest<INTENT_WORDS>,
    intent: Mutex<Intent>,
    holder: AtomicU64,
    reader: OnceLock<Thread>,
}

impl Mailbox {
    /// Nothing heard yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            newest: Newest::new(Intent::default().to_words()),
            intent: Mutex::new(Intent::default()),
            holder: AtomicU64::new(0),
            reader: OnceLock::new(),
        })
    }

    /// Changes the newest intent and wakes the control thread. `change` is also told who holds the lease.
    pub fn update(&self, change: impl FnOnce(&mut Intent, LeaseId)) {
        let mut intent = self.intent.lock().unwrap_or_else(PoisonError::into_inner);
        change(
            &mut intent,
            LeaseId::from_word(self.holder.load(Ordering::Relaxed)),
        );
        self.newest.write(intent.to_words()); // under the mutex: one writer at a time
        drop(intent);
        if let Some(reader) = self.reader.get() {
            reader.unpark();
        }
    }

    /// The reading end for the calling thread, which is unparked at each update from now on.
    #[must_use]
    pub fn reader(self: &Arc<Self>) -> Reader {
        // There is one control thread; a second reader would only not be woken.
        let _ = self.reader.set(std::thread::current());
        Reader {
            mailbox: Arc::clone(self),
            last: Intent::default(),
        }
    }
}

/// The reading end.
#[derive(Debug)]
pub struct Reader {
    mailbox: Arc<Mailbox>,
    last: Intent,
}

impl Reader {
    /// The newest whole intent.
    pub fn read(&mut self) -> &Intent {
        if let Some(words) = self.mailbox.newest.read() {
            self.last = Intent::from_words(&words);
        }
        &self.last
    }

    /// Tells the network side who holds the lease, so that others do not overwrite his commands.
    pub fn set_holder(&self, holder: LeaseId) {
        self.mailbox.holder.store(holder.word(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::units::Uptime;

    #[test]
    fn the_reader_sees_the_newest_value_and_the_writer_the_holder() {
        let mailbox = Mailbox::new();
        let mut reader = mailbox.reader();
        for n in 1..=3 {
            mailbox.update(|intent, _| intent.set_link(Uptime::from_micros(n), n % 2 == 1));
        }
        assert_eq!(
            (reader.read().link.at, reader.read().link.n),
            (Uptime::from_micros(3), 3)
        );
        reader.set_holder(LeaseId::new(7));
        mailbox.update(|_, holder| assert_eq!(holder, LeaseId::new(7)));
    }

    #[test]
    fn an_update_wakes_a_parked_reader() {
        let mailbox = Mailbox::new();
        let writer = Arc::clone(&mailbox);
        let (ready, is_ready) = std::sync::mpsc::channel();
        let control = std::thread::spawn(move || {
            let mut reader = mailbox.reader();
            ready.send(()).expect("the test waits");
            while reader.read().stop.n == 0 {
                std::thread::park();
            }
        });
        is_ready.recv().expect("the reader starts");
        writer.update(|intent, _| intent.stop.n = 1);
        control.join().expect("the reader was woken");
    }
}
