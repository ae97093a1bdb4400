//! There and back: what the packetiser wrote, through every kind of bad network.

use proptest::prelude::*;

use super::*;
use crate::net::h264::Packetizer;

/// A packet on its way.
#[derive(Clone, Debug)]
struct Sent {
    number: u16,
    timestamp: u32,
    marker: bool,
    payload: Bytes,
}

fn annex_b(nals: &[Vec<u8>]) -> Vec<u8> {
    nals.iter()
        .flat_map(|nal| START_CODE.iter().chain(nal).copied())
        .collect()
}

/// A NAL unit of that type and length; slices are the first of their picture, no start code is inside.
fn nal(kind: u8, length: usize) -> Vec<u8> {
    let mut unit = vec![0x60 | kind];
    unit.extend((1..length).map(|n| 0x80 | u8::try_from(n % 120).unwrap()));
    unit
}

fn idr() -> Vec<u8> {
    annex_b(&[nal(7, 12), nal(8, 4), nal(5, 3000)])
}

fn delta(length: usize) -> Vec<u8> {
    annex_b(&[nal(1, length)])
}

/// The packets of these units, numbered from `first` on.
fn send(units: &[Vec<u8>], first: u16) -> Vec<Sent> {
    let mut packetizer = Packetizer::default();
    let mut packets: Vec<Sent> = Vec::new();
    for (unit, time) in units.iter().zip(0..) {
        for payload in packetizer.packetize(unit) {
            let sent = u16::try_from(packets.len()).unwrap();
            packets.push(Sent {
                number: first.wrapping_add(sent),
                timestamp: time * 3000,
                marker: payload.is_last,
                payload: payload.bytes,
            });
        }
    }
    packets
}

fn receive(depacketizer: &mut Depacketizer, packets: &[Sent]) -> Vec<Vec<u8>> {
    let mut units = Vec::new();
    for p in packets {
        units.extend(depacketizer.push(p.number, p.timestamp, p.marker, &p.payload));
        while let Some(unit) = depacketizer.poll() {
            units.push(unit);
        }
    }
    units.into_iter().map(|unit| unit.data).collect()
}

fn stream() -> Vec<Vec<u8>> {
    let mut units = vec![idr()];
    units.extend((1..20).map(|n| delta(n * 300)));
    units
}

#[test]
fn a_stream_that_arrives_whole_comes_back_whole() {
    for first in [0, 65_530, 32_767] {
        let mut depacketizer = Depacketizer::default();
        assert!(depacketizer.wants_key_frame());
        let got = receive(&mut depacketizer, &send(&stream(), first));
        assert_eq!(got, stream());
        assert!(!depacketizer.wants_key_frame());
    }
}

#[test]
fn a_viewer_who_joins_in_the_middle_waits_for_an_idr() {
    let units = [delta(100), delta(2000), idr(), delta(50)];
    let packets = send(&units, 7);
    for skipped in 0..4 {
        let mut depacketizer = Depacketizer::default();
        assert_eq!(receive(&mut depacketizer, &packets[skipped..]), units[2..]);
    }
}

#[test]
fn any_one_lost_packet_drops_units_up_to_the_next_idr_and_nothing_else() {
    let mut units = stream();
    units.push(idr());
    units.extend([delta(10), delta(3000)]);
    // The window has to pass before a packet counts as lost.
    units.extend(vec![delta(20); usize::from(WINDOW)]);
    let packets = send(&units, 65_500);
    for lost in 0..packets.len() - usize::from(WINDOW) {
        let mut packets = packets.clone();
        let victim = packets.remove(lost).timestamp / 3000;
        let mut depacketizer = Depacketizer::default();
        let got = receive(&mut depacketizer, &packets);
        let victim = usize::try_from(victim).unwrap();
        let expected = if victim < 20 {
            [&units[..victim], &units[20..]].concat()
        } else {
            units[..victim].to_vec()
        };
        assert_eq!(got, expected, "packet {lost} of unit {victim} lost");
        assert_eq!(depacketizer.wants_key_frame(), victim >= 20);
    }
}

#[test]
fn a_lost_packet_that_comes_within_the_window_loses_nothing() {
    let mut units = stream();
    units.extend(vec![delta(20); 80]);
    let packets = send(&units, 0);
    for late in 0..40 {
        for delay in [1, 5, usize::from(WINDOW) - 1] {
            let mut packets = packets.clone();
            let packet = packets.remove(late);
            packets.insert(late + delay, packet);
            let mut depacketizer = Depacketizer::default();
            // The very first packet cannot be missed: nobody knows that there was one.
            let got = receive(&mut depacketizer, &packets);
            if late > 0 {
                assert_eq!(got, units, "packet {late} is {delay} late");
            }
        }
    }
}

#[test]
fn a_unit_without_marker_ends_where_the_next_begins() {
    let mut packets = send(&[idr(), delta(500), delta(10)], 0);
    for packet in &mut packets {
        packet.marker = false;
    }
    let mut depacketizer = Depacketizer::default();
    assert_eq!(receive(&mut depacketizer, &packets), [idr(), delta(500)]);
}

#[test]
fn parameter_sets_may_come_in_a_unit_of_their_own() {
    let sets = annex_b(&[nal(7, 12), nal(8, 4)]);
    let bare = annex_b(&[nal(5, 3000)]);
    let units = [sets, bare, delta(10)];
    let mut depacketizer = Depacketizer::default();
    assert_eq!(receive(&mut depacketizer, &send(&units, 0)), units);
}

#[test]
fn an_idr_of_a_sender_that_sends_parameter_sets_once_is_a_start_after_a_loss() {
    let bare = |n| annex_b(&[nal(5, n)]);
    let mut units = vec![
        annex_b(&[nal(7, 12), nal(8, 4)]),
        bare(100),
        delta(10),
        bare(90),
    ];
    units.extend(vec![delta(20); usize::from(WINDOW)]);
    let mut packets = send(&units, 0);
    packets.remove(2);
    let mut depacketizer = Depacketizer::default();
    let got = receive(&mut depacketizer, &packets);
    assert_eq!(got, [&units[..2], &units[3..]].concat());
}

#[test]
fn an_idr_without_parameter_sets_is_not_a_start() {
    let units = [annex_b(&[nal(5, 3000)]), delta(10)];
    let mut depacketizer = Depacketizer::default();
    assert!(receive(&mut depacketizer, &send(&units, 0)).is_empty());
    assert!(depacketizer.wants_key_frame());
}

#[test]
fn a_sender_that_begins_anew_is_followed_after_an_idr() {
    for first in [30_000, 60_000, 500] {
        let mut depacketizer = Depacketizer::default();
        assert_eq!(receive(&mut depacketizer, &send(&stream(), 0)), stream());
        let packets = send(&[delta(30), idr(), delta(40)], first);
        let got = receive(&mut depacketizer, &packets);
        assert_eq!(got, [idr(), delta(40)], "from {first}");
    }
}

#[test]
fn padding_packets_change_nothing() {
    let mut packets = send(&[idr(), delta(10), delta(20)], 0);
    for packet in packets.iter_mut().skip(4) {
        packet.number += 1;
    }
    let mut padding = packets[3].clone();
    padding.number = 4;
    padding.payload = Bytes::new();
    padding.marker = false;
    packets.insert(4, padding);
    let mut depacketizer = Depacketizer::default();
    let got = receive(&mut depacketizer, &packets);
    assert_eq!(got, [idr(), delta(10), delta(20)]);
}

#[test]
fn malformed_payloads_break_their_unit_only() {
    let cases: &[&[u8]] = &[
        &[0x00],                // type 0
        &[0x7E, 1],             // type 30
        &[0x79, 0, 0, 1],       // STAP-B
        &[0x78, 0],             // STAP-A, half a length
        &[0x78, 0, 9, 0x61],    // STAP-A, longer than it is
        &[0x78, 0, 0],          // STAP-A, empty unit
        &[0x78, 0, 2, 0x78, 0], // STAP-A in a STAP-A
        &[0x7C],                // FU-A without header
        &[0x7C, 0x05, 1],       // FU-A that never started
        &[0x7C, 0xC5, 1],       // FU-A that starts and ends
        &[0x7C, 0x9C, 1],       // FU-A of a FU-A
        &[0x7C, 0x81, 0x80],    // FU-A that never ends
    ];
    for case in cases {
        let mut packets = send(&[idr(), delta(10), delta(20), idr(), delta(30)], 0);
        let broken = packets
            .iter_mut()
            .find(|packet| packet.timestamp == 3000)
            .unwrap();
        broken.payload = Bytes::copy_from_slice(case);
        let mut depacketizer = Depacketizer::default();
        let got = receive(&mut depacketizer, &packets);
        assert_eq!(got, [idr(), idr(), delta(30)], "{case:02x?}");
    }
}

#[test]
fn a_unit_without_end_does_not_fill_the_memory() {
    let mut depacketizer = Depacketizer::default();
    let start = Bytes::from([&[0x7C, 0x85][..], &[0x80; 1000]].concat());
    let middle = Bytes::from([&[0x7C, 0x05][..], &vec![0x80; 60_000]].concat());
    depacketizer.push(0, 1, false, &Bytes::from_static(&[0x67, 1]));
    depacketizer.push(1, 1, false, &start);
    for number in 2..2000 {
        assert!(depacketizer.push(number, 1, false, &middle).is_none());
        assert!(depacketizer.draft.data.len() <= MOST_UNIT);
    }
}

fn any_nal() -> impl Strategy<Value = Vec<u8>> {
    // No zeros, so no start code can come about inside a unit.
    (
        prop_oneof![Just(1_u8), Just(6), Just(7), Just(8)],
        proptest::collection::vec(1..=255_u8, 1..3000),
    )
        .prop_map(|(kind, mut body)| {
            body[0] = 0x60 | kind;
            body
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_units_come_back_as_they_were(
        rest in proptest::collection::vec(proptest::collection::vec(any_nal(), 1..5), 0..20),
        max_payload in 64..2000_usize,
        first: u16,
    ) {
        let mut units = vec![idr()];
        // A unit of nothing but a message (type 6) has no use of its own and is left out.
        units.extend(rest.iter().map(|nals| annex_b(&[&[nal(1, 9)], &nals[..]].concat())));
        let mut packetizer = Packetizer::new(max_payload).unwrap();
        let mut depacketizer = Depacketizer::default();
        let mut number = first;
        for (unit, time) in units.iter().zip(0..) {
            let mut got = None;
            for payload in packetizer.packetize(unit) {
                prop_assert!(!payload.bytes.is_empty() && payload.bytes.len() <= max_payload);
                prop_assert!(got.is_none(), "the marker is on the last packet");
                got = depacketizer.push(number, time, payload.is_last, &payload.bytes);
                number = number.wrapping_add(1);
            }
            prop_assert_eq!(got.map(|unit| unit.data), Some(unit.clone()));
        }
    }

    #[test]
    fn loss_twins_and_disorder_never_deliver_a_broken_unit(
        fates in proptest::collection::vec((0..10_u8, 0..50_usize), 400),
    ) {
        let mut units = Vec::new();
        for n in 0..60 {
            // No two units are alike.
            let body = nal(if n % 7 == 0 { 5 } else { 1 }, 100 + n * 61);
            units.push(if n % 7 == 0 {
                annex_b(&[nal(7, 12), nal(8, 4), body])
            } else {
                annex_b(&[body])
            });
        }
        let mut packets = send(&units, 65_000);
        for (at, (fate, distance)) in fates.into_iter().enumerate() {
            let at = at.min(packets.len() - 1);
            match fate {
                0 => { packets.remove(at); }
                1 => packets.insert((at + distance).min(packets.len()), packets[at].clone()),
                2 => { let other = (at + distance).min(packets.len() - 1); packets.swap(at, other); }
                _ => {}
            }
        }
        let mut depacketizer = Depacketizer::default();
        let got = receive(&mut depacketizer, &packets);
        let mut from = 0;
        let mut previous = None;
        for unit in got {
            let at = from + units[from..].iter().position(|u| *u == unit).expect("sent, and in order");
            let follows = previous.is_some_and(|previous| previous + 1 == at);
            prop_assert!(follows || at % 7 == 0, "after a gap comes an IDR");
            previous = Some(at);
            from = at + 1;
        }
    }

    #[test]
    fn hostile_packets_never_panic(
        packets in proptest::collection::vec(
            (any::<u16>(), 0..3_u32, any::<bool>(), proptest::collection::vec(any::<u8>(), 0..40)),
            0..300,
        ),
        near: bool,
    ) {
        let mut depacketizer = Depacketizer::default();
        for (number, timestamp, marker, payload) in packets {
            let number = if near { number % 200 } else { number };
            let unit = depacketizer.push(number, timestamp, marker, &Bytes::from(payload));
            prop_assert!(unit.is_none_or(|unit| unit.data.starts_with(&START_CODE)));
            prop_assert!(depacketizer.held.len() <= usize::from(WINDOW));
        }
    }

    #[test]
    fn hostile_streams_never_panic(stream in proptest::collection::vec(0..3_u8, 0..4000)) {
        let mut packetizer = Packetizer::new(64).unwrap();
        let total: usize = packetizer.packetize(&stream).map(|p| p.bytes.len()).sum();
        prop_assert!(total <= 2 * stream.len() + 64);
    }
}
