//! Words to the service manager: ready, alive, stopping.
//!
//! The protocol is one datagram of text to a socket that an environment variable names; a library for it would be longer.
//!
//! ```text
//!   $NOTIFY_SOCKET   ◀── READY=1 once the outputs are neutral and the control thread runs
//!                    ◀── WATCHDOG=1, by the guard, while the control thread beats
//!                    ◀── STATUS=..., how the car is: `systemctl status` shows it, and an upgrade waits for "live" to end
//!                    ◀── STOPPING=1 at an orderly end
//! ```
//!
//! Promises: without a service manager, nothing happens; nothing here can fail a start.
//! Knows nothing of: what makes the process ready or alive.
//! Sources: `sd_notify(3)`, `sd_watchdog_enabled(3)`.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

/// The way to the service manager, if there is one.
#[derive(Clone, Debug, Default)]
pub struct Notify {
    socket: Option<Arc<(UnixDatagram, SocketAddr)>>,
    watchdog: Option<Duration>,
}

impl Notify {
    /// As the environment says.
    #[must_use]
    pub fn from_environment() -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let is_ours =
            variable("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let watchdog = variable("WATCHDOG_USEC")
            .filter(|_| is_ours)
            .and_then(|micros| micros.parse().ok());
        Self::new(std::env::var_os("NOTIFY_SOCKET").as_deref(), watchdog)
    }

    fn new(address: Option<&OsStr>, watchdog_us: Option<u64>) -> Self {
        let socket = address.and_then(|address| {
            let to = match address.as_bytes() {
                [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
                _ => SocketAddr::from_pathname(address),
            };
            let socket = UnixDatagram::unbound().and_then(|socket| {
                socket.set_nonblocking(true)?;
                Ok((socket, to?))
            });
            match socket {
                Ok(socket) => Some(Arc::new(socket)),
                Err(err) => {
                    tracing::warn!(?address, %err, "no way to the service manager (NOTIFY_SOCKET)");
                    None
                }
            }
        });
        Self {
            socket,
            watchdog: watchdog_us.filter(|us| *us > 0).map(Duration::from_micros),
        }
    }

    /// A manager at this path that allows this much silence.
    #[cfg(test)]
    pub(super) fn for_tests(path: &std::path::Path, allowed: Duration) -> Self {
        let micros = u64::try_from(allowed.as_micros()).ok();
        Self::new(Some(path.as_os_str()), micros)
    }

    /// The car stands at neutral and its control thread runs.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// The control thread lives.
    pub fn watchdog(&self) {
        self.send("WATCHDOG=1");
    }

    /// How the car is, for people and scripts beside it.
    pub fn status(&self, words: &str) {
        self.send(&format!("STATUS={words}"));
    }

    /// An orderly end has begun.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// How often [`Notify::watchdog`] is wanted: half of what the manager allows; `None` if it does not watch.
    #[must_use]
    pub fn watchdog_period(&self) -> Option<Duration> {
        self.socket.as_ref()?;
        self.watchdog.map(|allowed| allowed / 2)
    }

    fn send(&self, word: &str) {
        if let Some(socket) = &self.socket {
            let (socket, to) = (&socket.0, &socket.1);
            // A manager that does not listen is its own trouble: it will time out and say so.
            let _ = socket.send_to_addr(word.as_bytes(), to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(manager: &UnixDatagram) -> String {
        let mut bytes = [0; 64];
        let length = manager.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[test]
    fn words_reach_a_manager_by_path_and_by_abstract_name() {
        let name = format!("spidercar-notify-{}", std::process::id());
        let path = std::env::temp_dir().join(&name);
        let _ = std::fs::remove_file(&path);
        let by_path = UnixDatagram::bind(&path).unwrap();
        let abstract_address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let by_name = UnixDatagram::bind_addr(&abstract_address).unwrap();
        for (manager, address) in [
            (by_path, path.clone().into_os_string()),
            (by_name, format!("@{name}").into()),
        ] {
            let notify = Notify::new(Some(&address), Some(3_000_000));
            notify.ready();
            assert_eq!(heard(&manager), "READY=1");
            notify.watchdog();
            assert_eq!(heard(&manager), "WATCHDOG=1");
            notify.status("live");
            assert_eq!(heard(&manager), "STATUS=live");
            notify.stopping();
            assert_eq!(heard(&manager), "STOPPING=1");
            assert_eq!(notify.watchdog_period(), Some(Duration::from_millis(1500)));
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        let nobody = Notify::new(None, Some(1_000_000));
        nobody.ready();
        assert_eq!(nobody.watchdog_period(), None);
        let gone = Notify::new(Some(OsStr::new("/nowhere/at/all")), Some(0));
        gone.ready();
        assert_eq!(gone.watchdog_period(), None, "0 is no watchdog");
    }
}
