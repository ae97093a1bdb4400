//! Strangers, peers and relays at the border, on a clock of the test's own.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Duration;

use super::*;

const PEER: &str = "192.0.2.2:5000";
const OTHER: &str = "192.0.2.99:5000";
const RELAY: &str = "192.0.2.50:3478";
const REQUEST: u16 = 0x0001;
const SUCCESS: u16 = 0x0101;
const ALLOCATE: u16 = 0x0003;
const ALLOCATE_REFUSED: u16 = 0x0113;
const DATA_INDICATION: u16 = 0x0017;
const SEND_INDICATION: u16 = 0x0016;
const USERNAME: u16 = 0x0006;
const DATA: u16 = 0x0013;

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn stun(kind: u16, transaction: u8, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in attributes {
        body.extend(name.to_be_bytes());
        body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut message = kind.to_be_bytes().to_vec();
    message.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    message.extend([0x21, 0x12, 0xa4, 0x42]);
    message.extend([transaction; 12]);
    message.extend(body);
    message
}

fn record(kind: u8, epoch: u8, payload: &[u8]) -> Vec<u8> {
    let mut record = vec![kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 1];
    record.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    record.extend(payload);
    record
}

/// A piece of a handshake message of this length.
fn piece(message_length: u32, offset: u32, bytes: &[u8]) -> Vec<u8> {
    let triple = |number: u32| number.to_be_bytes()[1..].to_vec();
    let length = u32::try_from(bytes.len()).unwrap();
    let mut piece = vec![11];
    piece.extend(triple(message_length));
    piece.extend([0, 4]);
    piece.extend(triple(offset));
    piece.extend(triple(length));
    piece.extend(bytes);
    piece
}

/// `ChannelData` of a relay.
fn channel(inner: &[u8]) -> Vec<u8> {
    let mut data = vec![0x40, 0];
    data.extend(u16::try_from(inner.len()).unwrap().to_be_bytes());
    data.extend(inner);
    data
}

/// Rules after a check that `PEER` has answered, and after our first sealed record.
fn connected() -> Rules {
    let mut rules = Rules::new();
    rules.sent(at(PEER), &stun(REQUEST, 1, &[(USERNAME, b"theirs:ours")]));
    assert!(rules.admits(ms(0), at(PEER), &stun(SUCCESS, 1, &[])));
    rules.sent(at(PEER), &record(23, 1, b"sealed"));
    rules
}

const RTP: &[u8] = &[0x80, 96, 0, 1];

#[test]
fn a_stranger_reaches_the_stack_with_nothing_before_there_are_keys() {
    let mut rules = Rules::new();
    rules.sent(at(PEER), &stun(REQUEST, 1, &[(USERNAME, b"theirs:ours")]));
    let mut asked = stun(REQUEST, 9, &[(USERNAME, b"ours:theirs")]);
    assert!(
        rules.admits(ms(0), at(OTHER), &asked),
        "a new path of the peer"
    );
    asked[4] ^= 1;
    for (what, datagram) in [
        ("nothing", Vec::new()),
        ("another's cookie", asked),
        (
            "a check that names somebody else",
            stun(REQUEST, 9, &[(USERNAME, b"another:theirs")]),
        ),
        (
            "a check that begins like our name",
            stun(REQUEST, 9, &[(USERNAME, b"oursandmore:theirs")]),
        ),
        ("a check without a name", stun(REQUEST, 9, &[])),
        ("a response to nothing", stun(SUCCESS, 9, &[])),
        (
            "a response to what we asked the peer",
            stun(SUCCESS, 1, &[]),
        ),
        ("an indication", stun(0x0011, 9, &[])),
        (
            "what a relay passes on",
            stun(DATA_INDICATION, 9, &[(DATA, RTP)]),
        ),
        (
            "an allocation",
            stun(ALLOCATE, 9, &[(USERNAME, b"ours:theirs")]),
        ),
        ("a client hello", record(22, 0, &piece(4, 0, b"abcd"))),
        ("sealed data", record(23, 1, b"sealed")),
        ("an alert", record(21, 0, &[2, 0])),
        ("media", RTP.to_vec()),
        ("a relay's channel", channel(RTP)),
        ("no protocol", vec![0xff; 40]),
        ("ZRTP", vec![16; 40]),
    ] {
        assert!(!rules.admits(ms(0), at(OTHER), &datagram), "{what}");
    }
}

#[test]
fn who_answered_our_check_is_let_in_and_only_with_that_transaction_and_from_there() {
    let mut rules = Rules::new();
    let hello = record(22, 0, &piece(4, 0, b"abcd"));
    assert!(!rules.admits(ms(0), at(PEER), &hello));
    rules.sent(at(PEER), &stun(REQUEST, 7, &[(USERNAME, b"theirs:ours")]));
    assert!(
        !rules.admits(ms(0), at(OTHER), &stun(SUCCESS, 7, &[])),
        "another sender"
    );
    assert!(
        !rules.admits(ms(0), at(PEER), &stun(SUCCESS, 8, &[])),
        "another transaction"
    );
    assert!(!rules.admits(ms(0), at(PEER), &hello));
    assert!(rules.admits(ms(0), at("[::ffff:192.0.2.2]:5000"), &stun(SUCCESS, 7, &[])));
    for datagram in [
        &hello[..],
        RTP,
        &stun(0x0011, 3, &[]),
        &stun(REQUEST, 3, &[(USERNAME, b"ours:x")]),
    ] {
        assert!(rules.admits(ms(0), at(PEER), datagram));
    }
    assert!(
        !rules.admits(ms(0), at("192.0.2.2:5001"), &hello),
        "another port is another sender"
    );
}

#[test]
fn a_peer_whose_nat_gave_it_another_port_is_heard_with_what_only_it_can_seal() {
    let mut rules = connected();
    let sealed = record(23, 1, b"sealed");
    assert!(rules.admits(ms(0), at(OTHER), &sealed) && rules.admits(ms(0), at(OTHER), RTP));
    for datagram in [
        record(22, 0, &piece(4, 0, b"abcd")),
        record(22, 1, b"sealed handshake"),
        record(23, 0, b"plain data"),
        [sealed.clone(), record(22, 0, &piece(4, 0, b"abcd"))].concat(),
    ] {
        assert!(!rules.admits(ms(0), at(OTHER), &datagram));
    }
    // A flood of it is bounded, costs the peer itself nothing, and ends when it ends.
    let passed = (0..100_000)
        .filter(|n| rules.admits(ms(1000 + n / 100), at(OTHER), RTP))
        .count();
    assert!((200..=401).contains(&passed), "{passed} in a second");
    assert!(rules.admits(ms(2000), at(PEER), RTP) && rules.admits(ms(2000), at(PEER), &sealed));
    assert!(rules.admits(ms(3000), at(OTHER), RTP));
}

#[test]
fn checks_of_strangers_who_know_our_name_are_bounded_and_leave_the_peers_alone() {
    let mut rules = connected();
    let check = stun(REQUEST, 5, &[(USERNAME, b"ours:theirs")]);
    let passed = (0..100_000)
        .filter(|n| rules.admits(ms(n / 100), at(OTHER), &check))
        .count();
    assert!((50..=101).contains(&passed), "{passed} in a second");
    assert!(rules.admits(ms(1000), at(PEER), &check));
}

/// The attack: one message of tens of thousands of pieces, from the peer's own address (which a sender can forge).
#[test]
fn a_handshake_of_tiny_pieces_is_cut_off_for_good() {
    let mut rules = connected();
    let mut passed = 0;
    for offset in (0..16_000).step_by(20) {
        let pieces: Vec<u8> = (offset..offset + 20)
            .flat_map(|at| piece(16_000, at, b"x"))
            .collect();
        passed +=
            20 * u32::from(rules.admits(ms(u64::from(offset)), at(PEER), &record(22, 0, &pieces)));
    }
    assert_eq!(passed, 240, "of at most 256");
    // Under encryption nobody can look: counted by length.
    let mut rules = connected();
    let sealed = record(22, 1, &[0; 1200]);
    let passed = (0..1000)
        .filter(|_| rules.admits(ms(0), at(PEER), &sealed))
        .count();
    assert_eq!(passed, 2, "each may be of a hundred pieces");
    assert!(
        rules.admits(ms(0), at(PEER), &record(23, 1, b"sealed")),
        "data goes on"
    );
}

#[test]
fn a_handshake_that_is_sent_twenty_times_still_passes() {
    let mut rules = connected();
    for _ in 0..20 {
        let certificate: Vec<_> = (0..3)
            .map(|n| record(22, 0, &piece(3000, n * 1000, &[0; 1000])))
            .collect();
        let flight = [
            certificate.concat(),
            record(22, 0, &piece(70, 0, &[0; 70])),
            record(20, 0, &[1]),
            record(22, 1, &[0; 48]),
        ]
        .concat();
        assert!(rules.admits(ms(0), at(PEER), &flight));
    }
}

#[test]
fn records_that_are_not_what_they_say_do_not_pass() {
    let mut rules = connected();
    let whole = record(22, 0, &piece(4, 0, b"abcd"));
    for (what, datagram) in [
        ("cut", whole[..whole.len() - 1].to_vec()),
        ("a rest behind it", [&whole[..], &[22]].concat()),
        ("another version", {
            let mut it = whole.clone();
            it[1] = 3;
            it
        }),
        ("no content type", {
            let mut it = whole.clone();
            it[0] = 25;
            it
        }),
        ("DTLS 1.3, which was not agreed", vec![0x2f; 40]),
        (
            "a piece beyond its message",
            record(22, 0, &piece(4, 1, b"abcd")),
        ),
        (
            "a piece that is cut",
            record(22, 0, &piece(4, 0, b"abcd")[..14]),
        ),
        (
            "a message of 17 MB",
            record(22, 0, &piece(0x00ff_ffff, 0, b"abcd")),
        ),
        ("seventeen records", record(23, 1, b"").repeat(17)),
    ] {
        assert!(!rules.admits(ms(0), at(PEER), &datagram), "{what}");
    }
}

#[test]
fn what_comes_ahead_of_the_keys_is_bounded() {
    let mut rules = Rules::new();
    rules.sent(at(PEER), &stun(REQUEST, 1, &[(USERNAME, b"theirs:ours")]));
    assert!(rules.admits(ms(0), at(PEER), &stun(SUCCESS, 1, &[])));
    let sealed = record(23, 1, b"sealed");
    let passed = (0..1000)
        .filter(|_| rules.admits(ms(0), at(PEER), &sealed))
        .count();
    assert_eq!(passed, 64);
    rules.sent(at(PEER), &sealed);
    assert!(rules.admits(ms(0), at(PEER), &sealed));
}

#[test]
fn what_a_relay_passes_on_is_looked_at_as_if_it_came_bare() {
    let mut rules = Rules::new();
    let hello = record(22, 0, &piece(4, 0, b"abcd"));
    let many: Vec<u8> = (0..257).flat_map(|n| piece(1000, n, b"x")).collect();
    let check = stun(REQUEST, 5, &[(USERNAME, b"ours:theirs")]);
    for datagram in [channel(&hello), stun(DATA_INDICATION, 2, &[(DATA, &hello)])] {
        assert!(
            !rules.admits(ms(0), at(RELAY), &datagram),
            "before it is our relay"
        );
    }
    rules.sent(at(RELAY), &stun(ALLOCATE, 3, &[]));
    assert!(rules.admits(ms(0), at(RELAY), &stun(ALLOCATE_REFUSED, 3, &[])));
    rules.sent(
        at(RELAY),
        &stun(
            SEND_INDICATION,
            4,
            &[(DATA, &stun(REQUEST, 6, &[(USERNAME, b"theirs:ours")]))],
        ),
    );
    for (what, inner, passes) in [
        ("a handshake", &hello[..], true),
        ("media", RTP, true),
        ("a response", &stun(SUCCESS, 6, &[]), true),
        ("a check", &check, true),
        (
            "a check that names somebody else",
            &stun(REQUEST, 5, &[(USERNAME, b"x:y")]),
            false,
        ),
        ("too many pieces", &record(22, 0, &many), false),
        ("a channel in a channel", &channel(RTP), false),
        ("nothing", b"", false),
    ] {
        let indication = stun(DATA_INDICATION, 2, &[(DATA, inner)]);
        assert_eq!(
            rules.admits(ms(0), at(RELAY), &channel(inner)),
            passes,
            "{what}, in a channel"
        );
        assert_eq!(
            rules.admits(ms(0), at(RELAY), &indication),
            passes,
            "{what}, in an indication"
        );
    }
    let cut = channel(RTP);
    assert!(!rules.admits(ms(0), at(RELAY), &cut[..cut.len() - 1]));
    // Our keys show in what goes through it, too.
    assert!(!rules.admits(ms(0), at(OTHER), RTP));
    rules.sent(at(RELAY), &channel(&record(23, 1, b"sealed")));
    assert!(rules.admits(ms(0), at(OTHER), RTP));
}

#[test]
fn an_ice_restart_changes_our_name_and_keeps_the_last_one() {
    let mut rules = connected();
    let names = |rules: &mut Rules, name: &str| {
        rules.admits(
            ms(0),
            at(OTHER),
            &stun(
                REQUEST,
                5,
                &[(USERNAME, format!("{name}:theirs").as_bytes())],
            ),
        )
    };
    rules.sent(at(PEER), &stun(REQUEST, 2, &[(USERNAME, b"theirs:second")]));
    assert!(names(&mut rules, "ours") && names(&mut rules, "second"));
    rules.sent(at(PEER), &stun(REQUEST, 3, &[(USERNAME, b"theirs:third")]));
    assert!(
        !names(&mut rules, "ours") && names(&mut rules, "second") && names(&mut rules, "third")
    );
}

#[test]
fn so_many_addresses_are_known_and_the_one_in_use_stays() {
    let mut rules = connected();
    for n in 0..100_u8 {
        let path = SocketAddr::from(([192, 0, 2, 2], 6000 + u16::from(n)));
        rules.sent(path, &stun(REQUEST, n, &[]));
        assert!(rules.admits(ms(0), path, &stun(SUCCESS, n, &[])));
        // A keepalive of the path in use.
        rules.sent(at(PEER), &stun(REQUEST, n, &[]));
        assert!(rules.admits(ms(0), at(PEER), &stun(SUCCESS, n, &[])));
    }
    let hello = record(22, 0, &piece(4, 0, b"abcd"));
    assert!(rules.admits(ms(0), at(PEER), &hello));
    assert!(
        !rules.admits(ms(0), at("192.0.2.2:6000"), &hello),
        "long ago"
    );
}

/// Whatever bytes come, from whomever: no panic, and the tables stay as they are.
#[test]
fn no_bytes_are_too_odd() {
    let mut rules = connected();
    let mut random = 1_u32;
    let mut next = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u8::try_from(random >> 24).unwrap()
    };
    let seeds = [
        stun(REQUEST, 1, &[(USERNAME, b"ours:theirs"), (DATA, RTP)]),
        record(22, 0, &piece(400, 0, &[7; 300])),
        channel(&record(23, 1, b"sealed")),
        RTP.to_vec(),
    ];
    for round in 0..200_000_u64 {
        let mut datagram = seeds[usize::from(next()) % seeds.len()].clone();
        for _ in 0..=next() % 4 {
            let place = usize::from(next()) % datagram.len();
            datagram[place] = next();
        }
        datagram.truncate(usize::from(next()) % (datagram.len() + 1));
        let from = if next() % 2 == 0 { PEER } else { OTHER };
        rules.admits(ms(round), at(from), &datagram);
        rules.sent(at(from), &datagram);
    }
}

/// Datagrams to come, each with its sender.
#[derive(Debug, Default)]
struct Wire(Mutex<VecDeque<(SocketAddr, Vec<u8>, usize)>>);

impl AsyncUdpSocket for Wire {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(at("192.0.2.7:4000"))
    }

    fn poll_send(&self, _: &mut Context<'_>, sent: &Transmit<'_>) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(sent.contents.len()))
    }

    fn poll_recv(
        &self,
        _: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let Some((from, bytes, stride)) = self.0.lock().unwrap().pop_front() else {
            return Poll::Pending;
        };
        bufs[0][..bytes.len()].copy_from_slice(&bytes);
        (meta[0].addr, meta[0].len, meta[0].stride) = (from, bytes.len(), stride);
        Poll::Ready(Ok(1))
    }
}

fn send(border: &Border, datagram: &[u8]) {
    let transmit = Transmit {
        destination: at(PEER),
        contents: datagram,
        ecn: None,
        segment_size: None,
        src_ip: None,
    };
    let mut cx = Context::from_waker(Waker::noop());
    assert!(border.poll_send(&mut cx, &transmit).is_ready());
}

fn receive(border: &Border) -> Poll<(SocketAddr, usize)> {
    let mut room = [0; 2048];
    let mut meta = [RecvMeta::default()];
    let mut cx = Context::from_waker(Waker::noop());
    border
        .poll_recv(&mut cx, &mut [IoSliceMut::new(&mut room)], &mut meta)
        .map(|count| {
            assert_eq!(count.unwrap(), 1);
            (meta[0].addr, meta[0].len)
        })
}

#[test]
fn the_socket_hears_the_peer_through_a_flood_of_strangers() {
    let wire = Arc::new(Wire::default());
    let traffic = Traffic::new();
    let border = Border::new(Arc::<Wire>::clone(&wire), traffic.clone());
    let check = stun(REQUEST, 1, &[(USERNAME, b"theirs:ours")]);
    send(&border, &check);
    let mut queue = wire.0.lock().unwrap();
    let junk = record(22, 0, &piece(4, 0, b"abcd"));
    for _ in 0..100 {
        queue.push_back((at(OTHER), junk.clone(), junk.len()));
    }
    let answer = stun(SUCCESS, 1, &[]);
    queue.push_back((at(PEER), answer.clone(), answer.len()));
    // Several that the kernel has put together are looked at one by one.
    let twice = junk.repeat(2);
    queue.push_back((at(PEER), twice.clone(), junk.len()));
    queue.push_back((at(PEER), [&junk[..], &junk[1..]].concat(), junk.len()));
    queue.push_back((at(OTHER), Vec::new(), 1));
    drop(queue);
    for _ in 0..3 {
        assert_eq!(receive(&border), Poll::Pending, "it lets others run");
    }
    assert_eq!(receive(&border), Poll::Ready((at(PEER), answer.len())));
    assert_eq!(receive(&border), Poll::Ready((at(PEER), twice.len())));
    assert_eq!(receive(&border), Poll::Pending);
    assert_eq!(traffic.state().refused, 102);
}

/// A browser sends to the one of our sockets what it is sent by the other: its feedback was refused there, and its commands.
#[test]
fn who_answered_one_socket_of_a_peer_is_known_at_the_other() {
    let (one, other) = (Arc::new(Wire::default()), Arc::new(Wire::default()));
    let traffic = Traffic::new();
    let asks = Border::new(Arc::<Wire>::clone(&one), traffic.clone());
    let hears = Border::new(Arc::<Wire>::clone(&other), traffic);
    let check = stun(REQUEST, 1, &[(USERNAME, b"theirs:ours")]);
    send(&asks, &check);
    let put = |wire: &Wire, bytes: &[u8]| {
        let mut queue = wire.0.lock().unwrap();
        queue.push_back((at(PEER), bytes.to_vec(), bytes.len()));
    };
    put(&other, RTP);
    assert_eq!(receive(&hears), Poll::Pending, "nobody has answered yet");
    put(&one, &stun(SUCCESS, 1, &[]));
    assert!(receive(&asks).is_ready());
    put(&other, RTP);
    assert!(receive(&hears).is_ready());
}
