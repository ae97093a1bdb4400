//! Any RTP payloads in any order: units are whole, memory is bounded, and what we send ourselves comes back as it was.
//!
//! A packet is a flag byte (1 marker, 2 next frame, 4 skip a number, 8 go back), a length byte, and the payload.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use spidercar::net::h264::{Depacketizer, Packetizer, nal_units};

fuzz_target!(|bytes: &[u8]| {
    let mut depacketizer = Depacketizer::default();
    let (mut number, mut timestamp) = (65_530_u16, 0_u32);
    let mut rest = bytes;
    let mut had_idr = false;
    while let [flags, length, tail @ ..] = rest {
        let (payload, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        number = match flags & 12 {
            4 => number.wrapping_add(2),
            8 => number.wrapping_sub(3),
            12 => number.wrapping_add(u16::from(*length) << 4),
            _ => number.wrapping_add(1),
        };
        timestamp = timestamp.wrapping_add(u32::from(flags & 2) * 1500);
        let mut unit = depacketizer.push(number, timestamp, flags & 1 == 1, &Bytes::copy_from_slice(payload));
        while let Some(whole) = unit {
            assert!(whole.data.starts_with(&[0, 0, 0, 1]));
            assert!(whole.data.len() <= bytes.len() * 4 + 64, "grew out of nothing");
            had_idr |= whole.is_idr;
            // The first unit only: payloads that hold a start code of their own are no H.264, and read as more units.
            let is_slice = whole.data.get(4).is_some_and(|header| matches!(header & 31, 1..=5));
            assert!(had_idr || !is_slice, "no picture is decodable before the first IDR");
            unit = depacketizer.poll();
        }
    }

    // The same bytes as a stream of our own encoder: cut, sent in order, and put together again.
    // (Types above 23 are not coded pictures: on the wire they mean packet formats, and no encoder makes them.)
    let is_coded = nal_units(bytes).all(|nal| matches!(nal.first().map(|header| header & 31), Some(1..=23)));
    if !is_coded {
        return;
    }
    let mut packetizer = Packetizer::default();
    let mut receiver = Depacketizer::default();
    for (number, payload) in (0_u16..).zip(packetizer.packetize(bytes)) {
        assert!(payload.bytes.len() <= 1200);
        if let Some(unit) = receiver.push(number, 0, payload.is_last, &payload.bytes) {
            let sent: Vec<&[u8]> = nal_units(bytes).collect();
            assert!(nal_units(&unit.data).all(|nal| sent.contains(&nal)), "a unit that was never sent");
        }
    }
});
