//! How far the candidates of the other side may lead.
//!
//! A candidate is an address that this computer sends packets to. Somebody out on the internet has no business to name one
//! inside this computer's own networks: he could look around there by what answers, and no path of his leads there. Who comes
//! from inside may, for that is where he is.
//!
//! ```text
//!   who asks is      candidate: public     private, this computer, .local      no single computer
//!   outside                      yes                  no                               no
//!   inside                       yes                  yes                              no
//! ```
//!
//! What is left out would have failed, or is found by the checks of the other side, which come from where it really is.
//!
//! Invariants: pure and total; what is no candidate line is left to the stack.
//! Sources: RFC 8839 5.1 (the fields), RFC 8445 19.5 (attacks by candidates), RFC 6890 (special addresses).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where the other side is, as far as that decides what its candidates may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Somewhere out there.
    Outside,
    /// In a network of this computer, or on it; or nobody's business.
    #[default]
    Inside,
}

impl Reach {
    /// Where somebody with this address is.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        if is_inside(address.to_canonical()) {
            Self::Inside
        } else {
            Self::Outside
        }
    }

    /// Whether a candidate may be tried: what follows `candidate:` in its line.
    #[must_use]
    pub fn allows(self, candidate: &str) -> bool {
        // spec: foundation, component, transport, priority, address.
        let Some(address) = candidate.split_ascii_whitespace().nth(4) else {
            return true;
        };
        match address
            .parse::<IpAddr>()
            .map(|address| address.to_canonical())
        {
            Ok(address) => {
                is_one_computer(address) && (self == Self::Inside || !is_inside(address))
            }
            // A name: of this network (`.local`), or one that somebody would have to look up.
            Err(_) => self == Self::Inside,
        }
    }
}

fn is_one_computer(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !(v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast()),
        IpAddr::V6(v6) => !(v6.is_unspecified() || v6.is_multicast()),
    }
}

/// Whether an address is one that other networks have, too, each for itself.
fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || is_carriers(v4)
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || is_link_local(v6),
    }
}

/// spec: RFC 6598, 100.64.0.0/10.
fn is_carriers(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 100 && (64..128).contains(&second)
}

/// spec: RFC 4291 2.5.6, `fe80::/10`.
fn is_link_local(address: Ipv6Addr) -> bool {
    let [first, ..] = address.segments();
    first & 0xffc0 == 0xfe80
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: [&str; 4] = ["198.51.100.7", "2001:db8::7", "8.8.8.8", "::ffff:8.8.4.4"];
    const IN: [&str; 9] = [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.1.1",
        "100.64.0.1",
        "::1",
        "fd00::1",
        "fe80::1",
    ];

    fn line(address: &str) -> String {
        format!("1 1 udp 2122260223 {address} 50000 typ host generation 0")
    }

    #[test]
    fn who_is_outside_names_nothing_inside() {
        for address in OUT {
            assert!(Reach::Outside.allows(&line(address)), "{address}");
            assert!(Reach::Inside.allows(&line(address)), "{address}");
            assert_eq!(
                Reach::of(address.parse().unwrap()),
                Reach::Outside,
                "{address}"
            );
        }
        for address in IN.into_iter().chain(["::ffff:10.0.0.1"]) {
            assert!(!Reach::Outside.allows(&line(address)), "{address}");
            assert!(Reach::Inside.allows(&line(address)), "{address}");
            assert_eq!(
                Reach::of(address.parse().unwrap()),
                Reach::Inside,
                "{address}"
            );
        }
        let name = line("b7c2e1d0-1111-4222-8333-444455556666.local");
        assert!(Reach::Inside.allows(&name) && !Reach::Outside.allows(&name));
    }

    #[test]
    fn nobody_names_everybody_and_what_is_no_candidate_is_the_stacks() {
        for address in ["0.0.0.0", "255.255.255.255", "224.0.0.251", "::", "ff02::1"] {
            for reach in [Reach::Inside, Reach::Outside] {
                assert!(!reach.allows(&line(address)), "{address}");
            }
        }
        for odd in ["", "1 1 udp 1", "\u{0}"] {
            assert!(Reach::Outside.allows(odd));
        }
    }
}
