//! One value in shared memory: whoever reads it gets the newest whole one, and nobody waits.
//!
//! The control thread must never wait for a tokio task that was scheduled away while it held a lock,
//! and a queue would replay old commands after a stall. So: one value, overwritten.
//!
//! ```text
//!   writer (one at a time) ─▶ version odd ─▶ words ─▶ version even
//!   reader ◀── the words, if the version was even and is unchanged after the copy; else try again
//! ```
//!
//! Promises: neither side blocks, allocates or makes a system call; a reader sees whole values only.
//! Knows nothing of: what the words mean.
//! Sources: the sequence lock of the kernel's `seqlock.h`, with atomic words, so that a torn copy is
//! possible but never undefined, and the version tells (Boehm, "Can seqlocks get along with programming
//! language memory models?", MSPC 2012).

use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Tries of a reader before it goes without. choice: a write takes some 20 ns; the limit is for a
/// writer that was scheduled away in the middle.
const READ_TRIES: u32 = 8;

/// `N` words that are written and read together.
#[derive(Debug)]
pub struct Newest<const N: usize> {
    version: AtomicU64,
    words: [AtomicU64; N],
}

impl<const N: usize> Newest<N> {
    /// A value to start from.
    #[must_use]
    pub fn new(words: [u64; N]) -> Self {
        Self {
            version: AtomicU64::new(0),
            words: words.map(AtomicU64::new),
        }
    }

    /// Replaces the value. There must be one writer at a time; two would make the version useless.
    pub fn write(&self, words: [u64; N]) {
        let version = self.version.load(Ordering::Relaxed);
        self.version
            .store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        for (cell, word) in self.words.iter().zip(words) {
            cell.store(word, Ordering::Relaxed);
        }
        self.version
            .store(version.wrapping_add(2), Ordering::Release);
    }

    /// The newest value, or `None` where a writer stands in the middle of one: use the last one then.
    #[must_use]
    pub fn read(&self) -> Option<[u64; N]> {
        for _ in 0..READ_TRIES {
            let before = self.version.load(Ordering::Acquire);
            if before.is_multiple_of(2) {
                let mut words = [0; N];
                for (word, cell) in words.iter_mut().zip(&self.words) {
                    *word = cell.load(Ordering::Relaxed);
                }
                fence(Ordering::Acquire);
                if self.version.load(Ordering::Relaxed) == before {
                    return Some(words);
                }
            }
            std::hint::spin_loop();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn the_newest_value_is_read() {
        let newest = Newest::new([1, 2]);
        assert_eq!(newest.read(), Some([1, 2]));
        newest.write([3, 4]);
        newest.write([5, 6]);
        assert_eq!(newest.read(), Some([5, 6]));
    }

    #[test]
    fn values_are_whole_and_never_older_while_another_thread_writes_as_fast_as_it_can() {
        const LAST: u64 = 200_000;
        let newest = Arc::new(Newest::new([0; 9]));
        let writer = Arc::clone(&newest);
        let writing = std::thread::spawn(move || (1..=LAST).for_each(|n| writer.write([n; 9])));
        let mut seen = 0;
        while seen < LAST {
            if let Some(words) = newest.read() {
                assert!(
                    words.iter().all(|word| *word == words[0]),
                    "torn: {words:?}"
                );
                assert!(words[0] >= seen, "older than before");
                seen = words[0];
            }
        }
        writing.join().expect("the writer ends");
    }
}
