//! Places that are taken and given back, and guests who wait.

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn an_address_has_so_many_places_and_gives_them_back() {
    let doors = Doors::default();
    let mut places: Vec<_> = (0..MAX_OF_ONE)
        .map(|n| {
            doors
                .enter(SocketAddr::from((
                    [192, 0, 2, 1],
                    u16::try_from(n).unwrap(),
                )))
                .unwrap()
        })
        .collect();
    assert!(doors.enter(at("192.0.2.1:9")).is_none());
    assert!(
        doors.enter(at("[::ffff:192.0.2.1]:9")).is_none(),
        "the same in the other form"
    );
    assert!(doors.enter(at("192.0.2.2:9")).is_some());
    places.pop();
    let again = doors.enter(at("192.0.2.1:9"));
    assert!(again.is_some() && doors.enter(at("192.0.2.1:9")).is_none());
    drop((places, again));
    assert!(doors.inside().of.is_empty() && doors.inside().all == 0);
}

#[test]
fn a_network_of_ipv6_counts_as_one_and_all_together_have_an_end() {
    let doors = Doors::default();
    let in_one: Vec<_> = (0..100)
        .filter_map(|n| doors.enter(at(&format!("[2001:db8::{n}]:1"))))
        .collect();
    assert_eq!(in_one.len(), MAX_OF_ONE);
    let all: Vec<_> = (0..1000)
        .filter_map(|n| doors.enter(at(&format!("[2001:db8:0:{n}::1]:1"))))
        .collect();
    assert_eq!(in_one.len() + all.len(), MAX_GUESTS);
    drop(in_one);
    assert!(doors.enter(at("192.0.2.1:1")).is_some());
}

#[tokio::test]
async fn who_asks_for_nothing_leaves_and_a_websocket_stays() {
    let limit = Duration::from_millis(50);
    let guest = |limit| {
        let (ours, theirs) = duplex(1024);
        let place = Doors::default().enter(at("192.0.2.1:1")).unwrap();
        (Guest::with_limit(ours, place, limit), theirs)
    };
    let mut byte = [0];
    let (mut silent, _theirs) = guest(limit);
    let err = silent.read_exact(&mut byte).await.unwrap_err();
    assert_eq!(err.kind(), io::ErrorKind::TimedOut);

    // A request in drops, a byte each few milliseconds, is none.
    let (mut slow, mut theirs) = guest(limit);
    let drops = tokio::spawn(async move {
        while theirs.write_all(b"G").await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    });
    let mut all = Vec::new();
    let err = slow.read_to_end(&mut all).await.unwrap_err();
    assert_eq!(err.kind(), io::ErrorKind::TimedOut);
    drop(slow);
    drops.await.unwrap();

    let (mut socket, mut theirs) = guest(limit);
    socket
        .write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        .await
        .unwrap();
    let waits = tokio::spawn(async move { socket.read_exact(&mut [0]).await });
    sleep(limit * 4).await;
    theirs.write_all(b"x").await.unwrap();
    assert!(waits.await.unwrap().is_ok());
}
