//! Addresses at which others reach this computer, for a page's address that a person can type.
//!
//! Sources: kernel `net/ipv4/fib_trie.c` (`/proc/net/fib_trie`), `net/ipv6/addrconf.c` (`/proc/net/if_inet6`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Those that a server listening on `listen` is reached at: that one, or for "any" each of this computer's.
#[must_use]
pub fn reachable(listen: IpAddr) -> Vec<IpAddr> {
    if !listen.is_unspecified() {
        return vec![listen];
    }
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let mut found: Vec<IpAddr> = v4(&read("/proc/net/fib_trie"))
        .into_iter()
        .map(IpAddr::V4)
        .collect();
    if listen.is_ipv6() {
        let v6 = v6(&read("/proc/net/if_inet6"));
        found.extend(v6.into_iter().map(IpAddr::V6));
    }
    found
}

/// Local addresses in the kernel's tree: `|-- ADDRESS`, and below it `/32 host LOCAL`.
fn v4(tree: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    let mut last = None;
    for line in tree.lines() {
        if let Some((_, address)) = line.split_once("|-- ") {
            last = address.trim().parse::<Ipv4Addr>().ok();
        } else if line.trim() == "/32 host LOCAL" {
            found.extend(last.filter(|address| !address.is_loopback()));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Addresses of global scope (00): address, index, prefix, scope, flags, name; all but the name hexadecimal.
fn v6(table: &str) -> Vec<Ipv6Addr> {
    let address = |line: &str| {
        let mut fields = line.split_whitespace();
        let address = u128::from_str_radix(fields.next()?, 16).ok()?;
        (fields.nth(2)? == "00").then(|| Ipv6Addr::from_bits(address))
    };
    table.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a computer with one address, cut down to the lines of each kind.
    const TREE: &str = "Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     +-- 192.168.1.0/24 2 0 2
        |-- 192.168.1.0
           /24 link UNICAST
        |-- 192.168.1.17
           /32 host LOCAL
        |-- 192.168.1.255
           /32 link BROADCAST
Local:
        |-- 192.168.1.17
           /32 host LOCAL
";

    #[test]
    fn the_addresses_of_this_computer_are_told_once_and_no_others() {
        assert_eq!(v4(TREE), [Ipv4Addr::new(192, 168, 1, 17)]);
        let table = "00000000000000000000000000000001 01 80 10 80       lo
fe80000000000000ba27ebfffe000001 02 40 20 80     wlan0
20010db8000000000000000000000017 02 40 00 00     wlan0
";
        let wanted: Ipv6Addr = "2001:db8::17".parse().unwrap();
        assert_eq!(v6(table), [wanted]);
    }

    #[test]
    fn a_server_on_one_address_is_reached_at_that_one() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(reachable(loopback), [loopback]);
        let any = reachable(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        assert!(
            any.iter()
                .all(|address| !address.is_unspecified() && !address.is_loopback()),
            "{any:?}"
        );
    }
}
