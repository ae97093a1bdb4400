//! What the software encoder really writes, read back from its stream and by its decoder.

use std::sync::Arc;

use openh264::decoder::Decoder;
use openh264::formats::YUVSource;

use super::inspect::{slice_types, sps, types};
use super::*;
use crate::hal::Camera;
use crate::hal::clock::ManualClock;
use crate::hal::frame::{Chroma, Layout, Pixels};
use crate::hal::sim::stamp::tests::write_coded_golden;
use crate::hal::sim::{SimCamera, SimCameraSettings, SimView, Stamp};
use crate::logic::units::{Steering, Throttle};

/// A camera on a car that drives a winding road.
struct Drive {
    camera: SimCamera<ManualClock>,
    view: Arc<SimView>,
    frames: i32,
}

impl Drive {
    fn new(width: u32, height: u32, fps: u32) -> Self {
        let view = Arc::new(SimView::default());
        let settings = SimCameraSettings { width, height, fps };
        let camera =
            SimCamera::open_with(settings, Arc::clone(&view), ManualClock::default()).unwrap();
        Self {
            camera,
            view,
            frames: 0,
        }
    }

    fn next(&mut self) -> Frame {
        let swing = (self.frames * 7).rem_euclid(800) - 400;
        self.view.set(
            Throttle::saturating(600),
            Steering::saturating(swing.abs() * 2 - 400),
        );
        self.frames += 1;
        self.camera.next_frame().unwrap()
    }
}

fn encoder(kbps: u32, fps: u32, threads: u16) -> OpenH264Encoder {
    OpenH264Encoder::new(OpenH264Settings {
        fps,
        bitrate: Kbps::new(kbps),
        threads,
    })
    .unwrap()
}

/// Bytes of `frames` frames.
fn bytes(encoder: &mut OpenH264Encoder, drive: &mut Drive, frames: u32) -> usize {
    (0..frames)
        .map(|_| {
            let unit = encoder.encode(&drive.next(), false).unwrap();
            unit.map_or(0, |unit| unit.data().len())
        })
        .sum()
}

#[test]
fn the_stream_is_constrained_baseline_without_b_slices() {
    for threads in [1, 2] {
        let mut encoder = encoder(1000, 30, threads);
        let mut drive = Drive::new(640, 360, 30);
        let first = encoder.encode(&drive.next(), false).unwrap().unwrap();
        let sps = sps(first.data());
        assert_eq!(sps.profile, 66);
        assert_eq!(sps.constraints & 0b1100_0000, 0b1100_0000, "{sps:?}");
        assert_eq!(sps.level, 31);
        assert_eq!(sps.reference_frames, 1);
        assert_eq!(sps.size, (640, 360));
        for _ in 0..60 {
            let Some(unit) = encoder.encode(&drive.next(), false).unwrap() else {
                continue;
            };
            assert!(slice_types(unit.data()).iter().all(|kind| *kind == 0));
            assert!(types(unit.data()).iter().all(|kind| *kind == 1));
        }
    }
}

#[test]
fn the_first_access_unit_is_an_idr_with_its_parameter_sets() {
    for threads in [1, 2, 4] {
        let mut encoder = encoder(2500, 30, threads);
        let mut drive = Drive::new(1280, 720, 30);
        let unit = encoder.encode(&drive.next(), false).unwrap().unwrap();
        assert!(unit.is_idr());
        assert_eq!(unit.number(), 0);
        let types = types(unit.data());
        assert_eq!(types[..2], [7, 8]);
        assert!(types[2..].iter().all(|kind| *kind == 5), "{types:?}");
        assert_eq!(types.len() - 2, usize::from(threads), "a slice a thread");
        assert!(unit.data().starts_with(&[0, 0, 0, 1]));
    }
}

#[test]
fn an_idr_comes_when_it_is_wanted_and_only_then() {
    let mut encoder = encoder(300, 30, 1);
    let mut drive = Drive::new(320, 240, 30);
    for number in 0..600 {
        let want = matches!(number, 0 | 37 | 38 | 401);
        let unit = encoder.encode(&drive.next(), want && number > 0).unwrap();
        if want {
            let unit = unit.expect("a wanted IDR is never skipped");
            assert!(unit.is_idr(), "frame {number}");
            assert_eq!(types(unit.data())[..3], [7, 8, 5]);
        } else {
            assert!(unit.is_none_or(|unit| !unit.is_idr()), "frame {number}");
        }
    }
}

#[test]
fn a_frame_carries_its_own_time_and_number() {
    let mut encoder = encoder(2500, 30, 0);
    let mut drive = Drive::new(320, 240, 30);
    for _ in 0..5 {
        let frame = drive.next();
        let unit = encoder.encode(&frame, false).unwrap().unwrap();
        assert_eq!(unit.captured_at(), frame.captured_at());
        assert_eq!(unit.number(), frame.number());
    }
}

#[test]
fn the_rate_follows_a_live_change_without_an_idr() {
    const FPS: u32 = 30;
    for (size, steps) in [
        ((640, 360), &[1000, 300, 1000, 2500, 300][..]),
        ((1280, 720), &[1000, 2500][..]),
    ] {
        let mut encoder = encoder(steps[0], FPS, 2);
        let mut drive = Drive::new(size.0, size.1, FPS);
        bytes(&mut encoder, &mut drive, FPS);
        for &kbps in steps {
            encoder.set_bitrate(Kbps::new(kbps)).unwrap();
            let mut total = 0;
            for _ in 0..5 * FPS {
                if let Some(unit) = encoder.encode(&drive.next(), false).unwrap() {
                    assert!(!unit.is_idr(), "no IDR for a new rate");
                    total += unit.data().len();
                }
            }
            let got = u32::try_from(total * 8 / 5 / 1000).unwrap();
            let (low, high) = (kbps * 4 / 5, kbps * 6 / 5);
            assert!(
                (low..=high).contains(&got),
                "{size:?}: wanted {kbps} kb/s, got {got}"
            );
        }
    }
}

#[test]
fn the_library_refuses_a_rate_before_its_first_frame_and_is_silenced_at_any_time() {
    let mut library = Library::new().unwrap();
    raw::quiet(&mut library).unwrap();
    let refused = raw::set_bitrate(&mut library, 0, 1_000_000).unwrap_err();
    assert!(refused.to_string().starts_with("native code "));
}

#[test]
fn a_rate_set_before_the_first_frame_holds() {
    let mut encoder = encoder(5000, 30, 1);
    encoder.set_bitrate(Kbps::new(500)).unwrap();
    let mut drive = Drive::new(640, 360, 30);
    bytes(&mut encoder, &mut drive, 30);
    let kbps = bytes(&mut encoder, &mut drive, 150) * 8 / 5 / 1000;
    assert!((400..=600).contains(&kbps), "{kbps} kb/s");
}

#[test]
fn rates_beyond_all_reason_are_brought_into_range() {
    let mut encoder = encoder(0, 30, 1);
    let mut drive = Drive::new(160, 120, 30);
    for kbps in [0, u32::MAX, 1, 30, 100_000, 0] {
        encoder.set_bitrate(Kbps::new(kbps)).unwrap();
        bytes(&mut encoder, &mut drive, 10);
    }
}

#[test]
fn a_frame_of_another_size_starts_a_new_sequence() {
    let mut encoder = encoder(1000, 30, 0);
    for (width, height) in [(320, 240), (640, 480), (160, 120), (640, 480), (1920, 1080)] {
        let mut drive = Drive::new(width, height, 30);
        let unit = encoder.encode(&drive.next(), false).unwrap().unwrap();
        assert!(unit.is_idr());
        assert_eq!(sps(unit.data()).size, (width, height));
        bytes(&mut encoder, &mut drive, 3);
    }
}

#[test]
fn every_frame_decodes_at_once_and_looks_like_its_source() {
    let mut encoder = encoder(2500, 30, 2);
    let mut decoder = Decoder::new().unwrap();
    let mut drive = Drive::new(640, 480, 30);
    for number in 0..40 {
        let frame = drive.next();
        let unit = encoder.encode(&frame, number == 20).unwrap().unwrap();
        let picture = decoder.decode(unit.data()).unwrap().expect("no delay");
        let (stride, ..) = picture.strides();
        let mut error = 0;
        for (coded, source) in picture.y().chunks(stride).zip(frame.y().chunks(640)) {
            for (a, b) in coded.iter().zip(source) {
                error += u64::from(a.abs_diff(*b)).pow(2);
            }
        }
        assert!(error / (640 * 480) < 40, "frame {number}: error {error}");
    }
}

/// Encodes and decodes, and reads the stamp of each frame that was coded.
fn stamps_survive(width: u32, height: u32, frames: u32, kbps: u32) {
    let mut encoder = encoder(kbps, 30, 0);
    let mut decoder = Decoder::new().unwrap();
    let mut drive = Drive::new(width, height, 30);
    let mut coded = 0;
    while coded < frames {
        let frame = drive.next();
        let Some(unit) = encoder.encode(&frame, false).unwrap() else {
            continue;
        };
        coded += 1;
        let picture = decoder.decode(unit.data()).unwrap().expect("no delay");
        let (stride, ..) = picture.strides();
        let size = [width, height].map(|side| usize::try_from(side).unwrap());
        let expected = Stamp {
            captured_at: frame.captured_at(),
            number: frame.number(),
        };
        assert_eq!(
            Stamp::read(picture.y(), stride, size[0], size[1]),
            Some(expected),
            "{width}x{height} at {kbps} kb/s"
        );
        if (width, kbps, coded) == (320, 100, 100) {
            let lines: Vec<u8> = picture
                .y()
                .chunks(stride)
                .flat_map(|line| &line[..size[0]])
                .copied()
                .collect();
            write_coded_golden(expected, width, height, &lines);
        }
    }
}

#[test]
fn every_stamp_is_read_back_from_100_kbps_at_320x240() {
    stamps_survive(320, 240, 400, 100);
}

#[test]
fn every_stamp_is_read_back_from_100_kbps_at_720p() {
    stamps_survive(1280, 720, 110, 100);
}

#[test]
fn every_stamp_is_read_back_at_odd_sizes() {
    for (width, height) in [(160, 120), (162, 122), (424, 240), (854, 480), (1920, 1080)] {
        stamps_survive(width, height, 20, 100);
    }
}

#[test]
fn impossible_settings_are_refused_with_the_range() {
    let refused = |fps, threads| {
        OpenH264Encoder::new(OpenH264Settings {
            fps,
            bitrate: Kbps::new(1000),
            threads,
        })
        .map(|_| ())
        .map_err(|error| error.to_string())
    };
    assert_eq!(
        refused(61, 0).unwrap_err(),
        "encoder openh264: 61 frames a second are not possible; choose 1 to 60"
    );
    assert!(refused(0, 0).is_err());
    assert!(refused(30, 5).is_err());
    assert_eq!(refused(1, 4), Ok(()));
}

#[test]
fn threads_leave_a_core_free() {
    let large = (1280, 720);
    let expected = [1, 1, 1, 2, 3, 4, 4, 4];
    for (cores, threads) in expected.into_iter().enumerate() {
        assert_eq!(super::threads(cores, large), threads, "{cores} cores");
    }
    assert_eq!(super::threads(8, (320, 240)), 1);
}

#[test]
fn levels_are_those_of_table_a_1() {
    for (size, fps, expected) in [
        ((160, 120), 30, Level::Level_3_1),
        ((1280, 720), 30, Level::Level_3_1),
        ((1280, 720), 31, Level::Level_3_2),
        ((1280, 720), 60, Level::Level_3_2),
        ((1920, 1080), 30, Level::Level_4_0),
        ((1920, 1080), 31, Level::Level_4_2),
        ((1920, 1080), 60, Level::Level_4_2),
    ] {
        let got = level(size, fps);
        assert_eq!(
            format!("{got:?}"),
            format!("{expected:?}"),
            "{size:?} {fps}"
        );
    }
}

/// A driver's buffer that is plain memory.
#[derive(Debug)]
struct Plain(Vec<u8>);

impl Pixels for Plain {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
    fn dmabuf(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }
    fn slot(&self) -> u32 {
        0
    }
}

/// The same picture as a driver would lend it: interleaved, in longer lines and more of them.
fn interleaved(frame: &Frame) -> Frame {
    let Chroma::Planar { u, v, stride } = frame.chroma() else {
        panic!("drawn frames are planar")
    };
    let (line, lines) = (
        frame.y_stride() + 64,
        8 + usize::try_from(frame.height()).unwrap(),
    );
    let mut bytes = vec![0xee; line * lines * 3 / 2];
    for (to, from) in bytes
        .chunks_mut(line)
        .zip(frame.y().chunks(frame.y_stride()))
    {
        to[..from.len()].copy_from_slice(from);
    }
    let halves = u.chunks(stride).zip(v.chunks(stride));
    for (to, (u, v)) in bytes[line * lines..].chunks_mut(line).zip(halves) {
        for (pair, (u, v)) in to.chunks_mut(2).zip(u.iter().zip(v)) {
            pair.copy_from_slice(&[*u, *v]);
        }
    }
    let size = (frame.width(), frame.height());
    let layout = Layout::contiguous(size, line, lines, false).unwrap();
    let (home, _) = std::sync::mpsc::sync_channel(1);
    let mut lent = Frame::lent(layout, Arc::new(Plain(bytes)), home).unwrap();
    lent.set_capture(frame.captured_at(), frame.number());
    lent
}

#[test]
fn a_padded_interleaved_picture_is_coded_like_a_planar_one() {
    let (mut planar, mut other) = (encoder(1000, 30, 1), encoder(1000, 30, 1));
    let mut drive = Drive::new(320, 240, 30);
    for _ in 0..10 {
        let frame = drive.next();
        let coded = planar
            .encode(&frame, false)
            .unwrap()
            .map(|unit| unit.data().to_vec());
        let unit = other.encode(&interleaved(&frame), false).unwrap();
        assert!(coded.is_some());
        assert_eq!(unit.map(|unit| unit.data().to_vec()), coded);
    }
}
