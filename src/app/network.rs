//! Whether this computer is on another network than before: its addresses.
//!
//! A car that roams gets another address, and whatever it waited for was about the old one. The kernel's tables are looked at
//! twice a second, and only while there is no link: a subscription to its messages would need a socket of its own kind for it.
//!
//! Promises: cancel-safe; a change is told once. Knows nothing of: routes that change behind the same address.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tokio::time::sleep;

use crate::peer::addresses::reachable;

/// How often it is looked at. choice: a driver does not notice half a second; two files of some kB in memory are read.
const LOOK: Duration = Duration::from_millis(500);

/// The addresses that were seen last.
#[derive(Debug)]
pub struct Network(Vec<IpAddr>);

impl Network {
    /// Those of this moment.
    #[must_use]
    pub fn now() -> Self {
        Self(reachable(IpAddr::V6(Ipv6Addr::UNSPECIFIED)))
    }

    /// Waits until they are others, and notes those.
    pub async fn changed(&mut self) {
        loop {
            sleep(LOOK).await;
            let now = Self::now();
            if now.0 != self.0 {
                *self = now;
                return;
            }
        }
    }
}
