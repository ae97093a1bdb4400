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
use crate::peer::bucket::Bucket;

/// Sessions that an address may ask for at once. choice: a class of 16 viewers behind one router, and each once more.
const AT_ONCE: u32 = 32;

/// And so many more a second. choice: a page that is refused asks again each second or two.
const MORE_PER_S: u32 = 4;

/// Networks that are remembered. choice: as many as can be connected at once (`doors`), four times.
const NETWORKS: usize = 1024;

/// What each address has left.
#[derive(Debug)]
pub(super) struct Offers {
    began: Instant,
    of: HashMap<IpAddr, Bucket>,
}

impl Offers {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            of: HashMap::new(),
        }
    }

    /// Whether somebody there may ask for a session now.
    pub(super) fn take(&mut self, now: Instant, from: IpAddr) -> bool {
        if from.to_canonical().is_loopback() {
            return true;
        }
        let now = now.saturating_duration_since(self.began);
        self.make_room(now);
        let all = Bucket::new(AT_ONCE, MORE_PER_S);
        self.of.entry(network_of(from)).or_insert(all).takes(now)
    }

    /// Forgets whose bucket is full again, and if that is not enough, the one that asked first.
    fn make_room(&mut self, now: Duration) {
        if self.of.len() < NETWORKS {
            return;
        }
        self.of.retain(|_, bucket| !bucket.is_full(now));
        let first = self.of.iter().min_by_key(|(_, bucket)| bucket.asked_at());
        if let Some((first, _)) = first.filter(|_| self.of.len() >= NETWORKS) {
            let first = *first;
            self.of.remove(&first);
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
        let now = Instant::now();
        let mut offers = Offers::new(now);
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
        let now = Instant::now();
        let mut offers = Offers::new(now);
        let refused = address("198.51.100.1");
        for n in 0..100_000_u32 {
            let at = now + Duration::from_micros(n.into());
            offers.take(at, IpAddr::from(n.wrapping_add(0x0100_0000).to_be_bytes()));
            offers.take(at, refused);
        }
        assert!(offers.of.len() <= NETWORKS);
        assert!(!offers.take(now + Duration::from_millis(100), refused));
        for other in ["203.0.113.8", "203.0.113.9"] {
            offers.take(now + Duration::from_secs(60), address(other));
        }
        assert!(offers.of.len() <= 2, "all others are full again");
    }
}
