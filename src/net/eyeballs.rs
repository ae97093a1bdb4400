//! Happy eyeballs: of all addresses of a host the first that answers wins, and a broken one delays nobody.
//!
//! ```text
//!   0 ms    v6 ── no answer, or TCP and then nothing ──────────▶ dropped
//!   250 ms  v4 ── TCP, TLS, upgrade ──▶ this one
//! ```
//!
//! An attempt is the whole way up to a usable connection: a host whose IPv6 takes a TCP connection and then hangs in TLS is as
//! broken as one that does not answer. One that fails lets the next begin at once.
//!
//! Promises: each address is tried once; what loses is dropped. Knows nothing of: what an attempt is.
//! Sources: RFC 8305 4 (families take turns, the resolver's first family first), 5 and 8 (250 ms).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::sleep;

/// Head start of an attempt before the next. spec: RFC 8305 8, "Connection Attempt Delay ... 250 milliseconds".
const HEAD_START: Duration = Duration::from_millis(250);

/// The addresses in the order in which they are tried: families take turns.
#[must_use]
pub fn order(addrs: impl IntoIterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let addrs: Vec<_> = addrs.into_iter().collect();
    let begins_v6 = addrs.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (VecDeque<_>, VecDeque<_>) = addrs
        .into_iter()
        .partition(|addr| addr.is_ipv6() == begins_v6);
    let most = first.len().max(second.len());
    let turn = |place| [first.get(place), second.get(place)];
    (0..most).flat_map(turn).flatten().copied().collect()
}

/// Races an attempt at each address; `None` when all have failed, whose errors are in `failed` as they came.
pub async fn race<T, E, F: Future<Output = Result<T, E>>>(
    mut addrs: VecDeque<SocketAddr>,
    failed: &mut Vec<E>,
    attempt: impl Fn(SocketAddr) -> F,
) -> Option<T> {
    let mut running = FuturesUnordered::new();
    loop {
        match addrs.pop_front() {
            Some(addr) => running.push(attempt(addr)),
            None if running.is_empty() => return None,
            None => {}
        }
        tokio::select! {
            ended = running.next() => match ended {
                Some(Ok(won)) => return Some(won),
                Some(Err(err)) => failed.push(err),
                None => {}
            },
            () = sleep(HEAD_START), if !addrs.is_empty() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn addrs(hosts: &[&str]) -> Vec<SocketAddr> {
        let parse = |host: &&str| format!("{host}:1").parse();
        hosts.iter().map(parse).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn families_take_turns_and_the_first_of_the_resolver_begins() {
        for (given, wanted) in [
            (&[][..], &[][..]),
            (&["10.0.0.1", "10.0.0.2"], &["10.0.0.1", "10.0.0.2"]),
            (
                &["[fd00::1]", "[fd00::2]", "[fd00::3]", "10.0.0.1"],
                &["[fd00::1]", "10.0.0.1", "[fd00::2]", "[fd00::3]"],
            ),
            (
                &["10.0.0.1", "10.0.0.2", "[fd00::1]"],
                &["10.0.0.1", "[fd00::1]", "10.0.0.2"],
            ),
        ] {
            assert_eq!(Vec::from(order(addrs(given))), addrs(wanted));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_costs_its_head_start_and_one_that_fails_nothing() {
        for (first, cost) in [("hangs", HEAD_START), ("fails", Duration::ZERO)] {
            let began = tokio::time::Instant::now();
            let mut failed = Vec::new();
            let both = order(addrs(&["[fd00::1]", "10.0.0.1"]));
            let won = race(both, &mut failed, |addr| async move {
                match (addr.is_ipv6(), first) {
                    (true, "hangs") => pending().await,
                    (true, _) => Err(first),
                    (false, _) => Ok(addr),
                }
            });
            assert_eq!(won.await, addrs(&["10.0.0.1"]).pop(), "{first}");
            assert_eq!(failed.len(), usize::from(first == "fails"));
            assert_eq!(began.elapsed().as_millis(), cost.as_millis());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_one_still_wins_and_when_all_fail_each_has_said_why() {
        let mut failed = Vec::new();
        let both = || order(addrs(&["[fd00::1]", "10.0.0.1"]));
        let won = race(both(), &mut failed, |addr| async move {
            sleep(HEAD_START * 4).await;
            if addr.is_ipv6() { Ok(addr) } else { Err("no") }
        });
        assert_eq!(won.await, addrs(&["[fd00::1]"]).pop());
        let lost = race(both(), &mut failed, |addr| async move {
            Err::<(), _>(if addr.is_ipv6() { "six" } else { "four" })
        });
        assert_eq!(lost.await, None);
        assert_eq!(failed, ["six", "four"]);
        assert_eq!(
            race(order([]), &mut failed, |_| async { Ok(()) }).await,
            None
        );
    }
}
