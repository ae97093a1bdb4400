//! The stamp on its own and against the golden pictures in `tests/data/stamp`, which the page's reader shares.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::hal::Frame;

/// 2^53 - 1, the last number that JavaScript holds exactly.
const LATEST: u64 = (1 << 53) - 1;

fn stamp(micros: u64, number: u32) -> Stamp {
    Stamp {
        captured_at: Uptime::from_micros(micros),
        number,
    }
}

fn stamped(stamp: Stamp, width: u32, height: u32) -> Frame {
    let mut frame = Frame::new(width, height).unwrap();
    // Something grey underneath.
    frame.planes_mut().unwrap().y.fill(120);
    stamp.draw(&mut Canvas::new(&mut frame).unwrap());
    frame
}

fn read(frame: &Frame) -> Option<Stamp> {
    let [width, height] = [frame.width(), frame.height()].map(|v| usize::try_from(v).unwrap());
    Stamp::read(frame.y(), frame.y_stride(), width, height)
}

#[test]
fn the_bytes_are_those_of_the_picture_in_the_header() {
    assert_eq!(
        stamp(0x01_0203_0405_0607, 0x0809_0A0B).to_bytes(),
        [0xB2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0x26, 0x85, 0x4D]
    );
}

#[test]
fn the_crc_has_the_check_value_of_its_definition() {
    assert_eq!(crc16(b"123456789"), 0x29B1);
}

#[test]
fn a_stamp_is_read_at_every_even_size() {
    let stamp = stamp(1_234_567_890_123, 987_654_321);
    for width in (160..=1920).step_by(62) {
        for height in (120..=1080).step_by(46) {
            assert_eq!(
                read(&stamped(stamp, width, height)),
                Some(stamp),
                "{width}x{height}"
            );
        }
    }
}

#[test]
fn only_the_strip_is_painted() {
    for (width, height, strip) in [
        (160, 120, 12),
        (320, 240, 12),
        (720, 538, 12),
        (720, 540, 24),
        (1280, 720, 24),
        (1600, 898, 24),
        (1600, 900, 36),
        (1920, 1080, 36),
    ] {
        let frame = stamped(stamp(u64::MAX, u32::MAX), width, height);
        let (painted, rest) = frame.y().split_at(strip * frame.y_stride());
        assert!(painted.iter().all(|luma| [16, 235].contains(luma)));
        assert!(rest.iter().all(|luma| *luma == 120));
        assert_eq!(strip_height(usize::try_from(height).unwrap()), strip);
    }
}

#[test]
fn one_wrong_bit_anywhere_makes_it_no_stamp() {
    let bytes = stamp(LATEST, 12).to_bytes();
    for bit in 0..BYTES * 8 {
        let mut bytes = bytes;
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
        assert_eq!(Stamp::from_bytes(bytes), None, "bit {bit}");
    }
}

#[test]
fn a_stamp_of_low_contrast_is_read_and_one_of_no_contrast_is_not() {
    let original = stamp(55, 66);
    let frame = stamped(original, 320, 240);
    let with_levels = |black: u8, white: u8| {
        let luma: Vec<u8> = frame
            .y()
            .iter()
            .map(|luma| if *luma > 128 { white } else { black })
            .collect();
        Stamp::read(&luma, 320, 320, 240)
    };
    assert_eq!(with_levels(100, 156), Some(original));
    assert_eq!(with_levels(100, 155), None);
    assert_eq!(with_levels(0, 255), Some(original));
    assert_eq!(with_levels(200, 50), None, "inverted");
}

#[test]
fn a_picture_without_a_stamp_or_without_its_lines_is_none() {
    assert_eq!(Stamp::read(&[], 0, 0, 0), None);
    assert_eq!(Stamp::read(&[0; 100], 320, 320, 240), None);
    assert_eq!(Stamp::read(&vec![255; 320 * 240], 320, 320, 240), None);
    let frame = stamped(stamp(1, 2), 320, 240);
    assert_eq!(Stamp::read(&frame.y()[..320 * 4], 320, 320, 240), None);
    assert_eq!(Stamp::read(frame.y(), 321, 320, 240), None);
}

proptest! {
    #[test]
    fn any_time_and_number_survive(micros in 0..1_u64 << 56, number: u32) {
        prop_assert_eq!(read(&stamped(stamp(micros, number), 162, 122)), Some(stamp(micros, number)));
    }

    #[test]
    fn noise_is_never_a_stamp(luma in proptest::collection::vec(any::<u8>(), 160 * 12)) {
        prop_assert_eq!(Stamp::read(&luma, 160, 160, 120), None);
    }
}

/// A golden picture: the strip of a frame as full-range grey, with what it says in the comment.
fn golden(stamp: Stamp, width: u32, height: u32, luma: &[u8]) -> Vec<u8> {
    let columns = usize::try_from(width).unwrap();
    let strip = strip_height(usize::try_from(height).unwrap());
    let mut file = format!(
        "P5\n# width={width} height={height} captured_us={} frame={}\n{columns} {strip}\n255\n",
        stamp.captured_at.as_micros(),
        stamp.number,
    )
    .into_bytes();
    // What a browser makes of limited-range luma.
    file.extend(luma.iter().take(columns * strip).map(|luma| {
        let full = (i32::from(*luma) - 16) * 255 / 219;
        u8::try_from(full.clamp(0, 255)).unwrap()
    }));
    file
}

fn golden_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/stamp")
        .join(format!("{name}.pgm"))
}

/// Compares with the golden file; with `GOLDEN=write` in the environment, writes it.
fn assert_golden(name: &str, bytes: &[u8]) {
    let path = golden_path(name);
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, bytes).unwrap();
    }
    let expected = std::fs::read(&path).unwrap();
    assert!(
        expected == bytes,
        "{}: the writer draws another picture; if that is wanted, run with GOLDEN=write",
        path.display()
    );
}

#[test]
fn the_writer_draws_the_golden_pictures() {
    for (name, stamp, width, height) in [
        ("first", stamp(0, 0), 160, 120),
        ("latest", stamp(LATEST, u32::MAX), 320, 240),
        ("usual", stamp(86_400_123_456, 2_592_003), 1280, 720),
        ("odd-size", stamp(77_777_777, 1234), 854, 480),
    ] {
        let frame = stamped(stamp, width, height);
        assert_golden(name, &golden(stamp, width, height, frame.y()));
    }
}

#[test]
fn the_reader_reads_the_coded_golden_picture() {
    // Written by `hal::openh264::tests`; here it only has to be read, whatever coded it.
    let file = std::fs::read(golden_path("coded-100kbps")).unwrap();
    let header = file.iter().take(100).map(|byte| char::from(*byte));
    let header: String = header.collect();
    let number = |key: &str| {
        let (_, rest) = header.split_once(key).unwrap();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().unwrap()
    };
    let [width, height] =
        [number("width="), number("height=")].map(|v| usize::try_from(v).unwrap());
    let pixels = &file[file.len() - width * strip_height(height)..];
    let expected = stamp(
        number("captured_us="),
        u32::try_from(number("frame=")).unwrap(),
    );
    assert_eq!(Stamp::read(pixels, width, width, height), Some(expected));
}

/// A golden picture for the encoder's tests to write.
pub(crate) fn write_coded_golden(stamp: Stamp, width: u32, height: u32, luma: &[u8]) {
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        let bytes = golden(stamp, width, height, luma);
        std::fs::write(golden_path("coded-100kbps"), bytes).unwrap();
    }
}
