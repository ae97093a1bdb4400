//! How often somebody may ask for a session: each costs a peer with its keys and ports, and some packets to where he says.
//!
//! ```text
//!   each address, or network of IPv6: 32 at once, 4 more a second        this computer: as often as it likes
//! ```
//!
//! Whoever is on this computer has other ways to keep it busy, and a car, a proxy and its tests come from there.
//!
//! Invariants: time is an argument; at most [`NETWORKS`] are remembered, the ones that asked last.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::doors::network_of;

/// Sessions that an address may ask for at once. choice: a class of 16 viewers behind one router, and each once more.
const AT_ONCE: u32 = 32;

/// Time after which it may ask for one more. choice: a page that is refused asks again each second or two.
const ONE_MORE: Duration = Duration::from_millis(250);

/// Networks that are remembered. choice: as many as can be connected at once (`doors`), four times.
const NETWORKS: usize = 1024;

/// What an address has left.
#[derive(Clone, Copy, Debug)]
struct Account {
    left: u32,
    counted_at: Instant,
}

/// The accounts of all.
#[derive(Debug, Default)]
pub(super) struct Offers(HashMap<IpAddr, Account>);

impl Offers {
    /// Whether somebody there may ask for a session now.
    pub(super) fn take(&mut self, now: Instant, from: IpAddr) -> bool {
        if from.to_canonical().is_loopback() {
            return true;
        }
        self.make_room(now);
        let account = self.0.entry(network_of(from)).or_insert(Account {
            left: AT_ONCE,
            counted_at: now,
        });
        account.count(now);
        let may = account.left > 0;
        account.left = account.left.saturating_sub(1);
        may
    }

    /// Forgets whose account is full again, and if that is not enough, the one that asked first.
    fn make_room(&mut self, now: Instant) {
        if self.0.len() < NETWORKS {
            return;
        }
        let full_again = ONE_MORE * AT_ONCE;
        self.0
            .retain(|_, account| now.saturating_duration_since(account.counted_at) < full_again);
        let first = self.0.iter().min_by_key(|(_, account)| account.counted_at);
        if let Some((first, _)) = first.filter(|_| self.0.len() >= NETWORKS) {
            let first = *first;
            self.0.remove(&first);
        }
    }
}

impl Account {
    /// Adds what time has brought.
    fn count(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.counted_at);
        let more = u32::try_from(passed.as_millis() / ONE_MORE.as_millis()).unwrap_or(u32::MAX);
        if more > 0 {
            self.left = self.left.saturating_add(more).min(AT_ONCE);
            self.counted_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_asks_so_often_and_others_are_not_hurt() {
        let (mut offers, now) = (Offers::default(), Instant::now());
        let taken = |offers: &mut Offers, now, from: &str, times: u32| {
            (0..times)
                .filter(|_| offers.take(now, address(from)))
                .count()
        };
        assert_eq!(taken(&mut offers, now, "198.51.100.1", 100), 32);
        assert_eq!(taken(&mut offers, now, "198.51.100.2", 1), 1);
        assert_eq!(
            taken(&mut offers, now, "::ffff:198.51.100.1", 1),
            0,
            "the same"
        );
        let later = now + Duration::from_secs(2);
        assert_eq!(taken(&mut offers, later, "198.51.100.1", 100), 8);
        // A network of IPv6 is one.
        assert_eq!(taken(&mut offers, now, "2001:db8::1", 20), 20);
        assert_eq!(taken(&mut offers, now, "2001:db8::2", 20), 12);
        assert_eq!(taken(&mut offers, now, "127.0.0.1", 1000), 1000);
        assert_eq!(taken(&mut offers, now, "::1", 1000), 1000);
    }

    #[test]
    fn many_addresses_take_no_memory_and_who_asked_last_stays_refused() {
        let (mut offers, now) = (Offers::default(), Instant::now());
        let refused = address("198.51.100.1");
        for n in 0..100_000_u32 {
            let at = now + Duration::from_micros(n.into());
            offers.take(at, IpAddr::from(n.wrapping_add(0x0100_0000).to_be_bytes()));
            offers.take(at, refused);
        }
        assert!(offers.0.len() <= NETWORKS);
        assert!(!offers.take(now + Duration::from_millis(100), refused));
        for other in ["203.0.113.8", "203.0.113.9"] {
            offers.take(now + Duration::from_secs(60), address(other));
        }
        assert!(offers.0.len() <= 2, "all others are full again");
    }
}
