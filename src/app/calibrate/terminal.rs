//! A terminal that gives each key at once, and is as it was before when this is dropped.
//!
//! ```text
//!   open: no echo, no lines, no Ctrl-C signal ─▶ read: bytes within 20 ms, or none, or the end ─▶ drop: as before
//! ```
//!
//! Promises: a terminal that is gone is the end, not an error to be tried again; reading never takes longer than it was
//! allowed. Knows nothing of: keys, cars.
//! Sources: `termios(3)`, `poll(2)`.

use std::io::{self, IsTerminal, Stdin, Write};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// A terminal in raw mode.
pub struct Terminal {
    stdin: Stdin,
    before: Termios,
}

impl Terminal {
    /// Takes the terminal that stdin and stdout are.
    ///
    /// # Errors
    /// They are none.
    pub fn open() -> io::Result<Self> {
        let stdin = io::stdin();
        if !stdin.is_terminal() || !io::stdout().is_terminal() {
            return Err(io::Error::other("stdin and stdout are not a terminal"));
        }
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        // Output stays as it is: a line feed of a log line still goes to the left edge.
        raw.local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN);
        tcsetattr(&stdin, OptionalActions::Now, &raw)?;
        Ok(Self { stdin, before })
    }

    /// The bytes that came within this time; `None` when the terminal is gone.
    pub fn read(&mut self, wait: Duration) -> Option<Vec<u8>> {
        let timeout = Timespec::try_from(wait).ok();
        let mut fds = [PollFd::new(&self.stdin, PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Some(Vec::new()),
            Ok(_) => {}
            Err(_) => return None,
        }
        // Past the buffer that `Stdin` has, which poll knows nothing of.
        let mut bytes = [0; 64];
        match rustix::io::read(&self.stdin, &mut bytes) {
            Ok(0) => None,
            Ok(count) => bytes.get(..count).map(<[u8]>::to_vec),
            Err(rustix::io::Errno::INTR) => Some(Vec::new()),
            Err(_) => None,
        }
    }

    /// Writes text; whether the terminal is still there.
    #[must_use]
    pub fn write(&self, text: &str) -> bool {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .is_ok()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // If the terminal is gone there is nothing to be put right.
        let _ = tcsetattr(&self.stdin, OptionalActions::Now, &self.before);
    }
}
