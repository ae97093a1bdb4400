use std::sync::Arc;

use rustix::io::Errno;

use super::*;
use crate::hal::frame::{ChromaLayout, Layout};
use crate::hal::v4l2::control;
use crate::hal::v4l2::fake::codec::{CodecModel, Quirk};
use crate::hal::v4l2::fake::lender::Lender;
use crate::hal::v4l2::fake::units::{self, Samples};
use crate::hal::v4l2::fake::{FakeKernel, Model, settings};
use crate::hal::v4l2::stream::look;

const NODE: &str = "/dev/video11";
const SIZE: (u32, u32) = (640, 480);

struct Bench {
    kernel: FakeKernel,
    model: Arc<CodecModel>,
    encoder: V4l2Encoder,
}

fn bench_of(model: CodecModel, settings: V4l2Settings) -> Bench {
    let model = Arc::new(model);
    let kernel = FakeKernel::with(NODE, Model::Codec(Arc::clone(&model)));
    let encoder = V4l2Encoder::new(kernel.devices(), settings).unwrap();
    Bench {
        kernel,
        model,
        encoder,
    }
}

fn bench() -> Bench {
    bench_of(CodecModel::bcm2835(), settings())
}

/// A frame in our own memory whose planes have these first and last samples.
fn drawn(size: (u32, u32), number: u32, samples: Samples) -> Frame {
    let mut frame = Frame::new(size.0, size.1).unwrap();
    let planes = frame.planes_mut().unwrap();
    for (plane, ends) in [planes.y, planes.u, planes.v]
        .into_iter()
        .zip(samples.chunks(2))
    {
        plane[0] = ends[0];
        *plane.last_mut().unwrap() = ends[1];
    }
    frame.set_capture(Uptime::from_micros(u64::from(number) * 33_333), number);
    frame
}

fn frame(number: u32) -> Frame {
    drawn(SIZE, number, [1, 2, 3, 4, 5, 6])
}

/// A camera's buffers with the first sample of each plane 1, 3, 5 and the last 2, 4, 6.
fn lender(layout: Layout, bytes: usize) -> Lender {
    Lender::new(layout, bytes, 4, |_, room| fill(layout, room)).unwrap()
}

fn fill(layout: Layout, room: &mut [u8]) {
    let side = |pixels: u32| usize::try_from(pixels).unwrap();
    let (width, height) = (side(layout.width()), side(layout.height()));
    room[0] = 1;
    room[layout.y_stride() * (height - 1) + width - 1] = 2;
    match layout.chroma() {
        ChromaLayout::Planar { u, v, stride } => {
            let last = stride * (height / 2 - 1) + width / 2 - 1;
            (room[u], room[u + last], room[v], room[v + last]) = (3, 4, 5, 6);
        }
        ChromaLayout::Interleaved { uv, stride } => {
            let last = stride * (height / 2 - 1) + width - 2;
            (room[uv], room[uv + last], room[uv + 1], room[uv + last + 1]) = (3, 4, 5, 6);
        }
    }
}

const ALL: Samples = [1, 2, 3, 4, 5, 6];

fn contiguous(stride: usize, lines: usize, is_planar: bool) -> Layout {
    Layout::contiguous(SIZE, stride, lines, is_planar).unwrap()
}

#[test]
fn what_is_not_in_a_driver_s_memory_is_copied_to_where_the_driver_reads() {
    // 64 bytes a line for planar pictures: 162 becomes 192.
    for size in [
        (640, 480),
        (162, 122),
        (1280, 720),
        (1920, 1080),
        (424, 240),
    ] {
        let mut bench = bench();
        for number in 1..4 {
            let unit = bench
                .encoder
                .encode(&drawn(size, number, ALL), false)
                .unwrap()
                .unwrap();
            assert_eq!(units::samples(unit.data()), Some(ALL), "{size:?}");
            assert_eq!(unit.number(), number);
            assert_eq!(unit.captured_at().as_micros(), u64::from(number) * 33_333);
            assert_eq!(unit.is_idr(), number == 1);
        }
        let counts = bench.encoder.counts();
        assert_eq!((counts.copies, counts.imports, counts.openings), (3, 0, 1));
    }
}

#[test]
fn frames_of_a_camera_are_imported_without_a_copy() {
    for (layout, is_planar) in [
        (contiguous(640, 480, false), false),
        (contiguous(640, 480, true), true),
        // Strides beyond what the driver needs are its own wish if it is asked.
        (contiguous(704, 480, true), true),
        (contiguous(672, 480, false), false),
    ] {
        let mut bench = bench();
        let mut lender = lender(layout, layout.y_stride() * 480 * 3 / 2);
        for number in 1..20 {
            let frame = lender.lend().unwrap();
            let unit = bench.encoder.encode(&frame, false).unwrap().unwrap();
            assert_eq!(units::samples(unit.data()), Some(ALL), "{is_planar}");
            assert_eq!(unit.number(), number);
            drop(frame);
            assert_eq!(lender.at_home(), 4, "nothing is kept back");
        }
        let counts = bench.encoder.counts();
        assert_eq!((counts.copies, counts.imports, counts.openings), (0, 19, 1));
        assert_eq!(bench.model.held(), 4, "each buffer is known by its number");
        drop(bench.encoder);
        assert_eq!((bench.model.held(), bench.kernel.open_devices()), (0, 0));
    }
}

#[test]
fn lines_in_another_place_are_copied_and_the_reason_is_known() {
    // Planes that are padded to 488 lines; a line of 656 bytes, which is no multiple of 32; buffers that end too early.
    for (layout, bytes, why) in [
        (
            contiguous(640, 488, false),
            640 * 488 * 3 / 2,
            "the camera has",
        ),
        (
            contiguous(656, 480, false),
            656 * 480 * 3 / 2,
            "the camera has",
        ),
        (contiguous(640, 480, true), 640 * 480 * 3 / 2, ""),
    ] {
        let mut bench = bench();
        let mut lender = lender(layout, bytes);
        for _ in 1..4 {
            let frame = lender.lend().unwrap();
            let unit = bench.encoder.encode(&frame, false).unwrap().unwrap();
            assert_eq!(units::samples(unit.data()), Some(ALL), "{layout:?}");
        }
        let copies = if why.is_empty() { 0 } else { 3 };
        assert_eq!(bench.encoder.counts().copies, copies, "{layout:?}");
        assert!(bench.encoder.said.unwrap_or_default().starts_with(why));
    }
}

#[test]
fn an_encoder_that_refuses_to_import_gets_copies_from_the_same_frame_on() {
    for (imports, refuses) in [(true, true), (false, false)] {
        let mut model = CodecModel::bcm2835();
        (model.imports, model.refuses_imports) = (imports, refuses);
        let mut bench = bench_of(model, settings());
        let mut lender = lender(contiguous(640, 480, false), 640 * 480 * 3 / 2);
        for number in 1..4 {
            let frame = lender.lend().unwrap();
            let unit = bench.encoder.encode(&frame, false).unwrap().unwrap();
            assert_eq!(units::samples(unit.data()), Some(ALL));
            assert_eq!(unit.is_idr(), number == 1);
        }
        assert_eq!(bench.encoder.counts().copies, 3);
        assert_eq!(bench.encoder.counts().imports, 0);
        let said = bench.encoder.said.clone().unwrap();
        assert!(
            said.starts_with("the encoder does not import them"),
            "{said}"
        );
    }
}

#[test]
fn controls_are_what_a_driver_who_waits_for_the_picture_needs() {
    let mut bench = bench();
    bench.encoder.encode(&frame(1), false).unwrap();
    for (control, value) in [
        (control::BITRATE_MODE, 1),
        (control::BITRATE, 2_500_000),
        (control::PROFILE, 1),
        (control::LEVEL, 9),
        (control::B_FRAMES, 0),
        (control::REPEAT_HEADERS, 1),
        (control::GOP_SIZE, i32::MAX),
    ] {
        assert_eq!(bench.model.value(control), Some(value), "{control:?}");
    }
    let mut bench = bench_of(
        CodecModel::bcm2835(),
        V4l2Settings {
            profile: EncoderProfile::Main,
            level: EncoderLevel::L42,
            ..settings()
        },
    );
    bench.encoder.encode(&frame(1), false).unwrap();
    assert_eq!(bench.model.value(control::PROFILE), Some(2));
    assert_eq!(bench.model.value(control::LEVEL), Some(13));
}

#[test]
fn the_bitrate_changes_live_in_the_driver_s_range_and_without_an_idr() {
    let mut bench = bench();
    // Before the first frame it is what the encoder opens with.
    bench.encoder.set_bitrate(Kbps::new(600)).unwrap();
    bench.encoder.encode(&frame(1), false).unwrap();
    assert_eq!(bench.model.value(control::BITRATE), Some(600_000));
    for (number, kbps, bits) in [
        (2, 300, 300_000),
        (3, 0, 25_000),
        (4, u32::MAX, 25_000_000),
        (5, 1010, 1_000_000),
    ] {
        bench.encoder.set_bitrate(Kbps::new(kbps)).unwrap();
        assert_eq!(bench.model.value(control::BITRATE), Some(bits), "{kbps}");
        let unit = bench
            .encoder
            .encode(&frame(number), false)
            .unwrap()
            .unwrap();
        assert!(!unit.is_idr());
    }
    assert_eq!(bench.encoder.counts().openings, 1);
}

#[test]
fn an_idr_comes_when_it_is_wanted_with_its_parameter_sets() {
    let mut bench = bench();
    for number in 1..12 {
        let wants = matches!(number, 3 | 4 | 9);
        let unit = bench
            .encoder
            .encode(&frame(number), wants)
            .unwrap()
            .unwrap();
        assert_eq!(unit.is_idr(), wants || number == 1, "{number}");
        assert_eq!(look(unit.data()).has_parameter_sets(), unit.is_idr());
    }
    // A driver that forgets is asked again with the next frame.
    bench.model.quirks(&[Quirk::ForgetKey]);
    let wanted: Vec<bool> = (12..15)
        .map(|number| {
            let unit = bench.encoder.encode(&frame(number), number == 12).unwrap();
            unit.unwrap().is_idr()
        })
        .collect();
    assert_eq!(wanted, [false, true, false]);
}

#[test]
fn a_driver_without_a_button_for_key_frames_is_opened_anew() {
    let mut model = CodecModel::bcm2835();
    model.controls.retain(|(id, _)| *id != control::FORCE_KEY);
    let mut bench = bench_of(model, settings());
    for number in 1..5 {
        let unit = bench.encoder.encode(&frame(number), number == 3).unwrap();
        assert_eq!(unit.unwrap().is_idr(), matches!(number, 1 | 3));
    }
    assert_eq!(bench.encoder.counts().openings, 2);
}

#[test]
fn parameter_sets_that_the_driver_leaves_out_are_put_in_front() {
    let mut model = CodecModel::bcm2835();
    model
        .controls
        .retain(|(id, _)| *id != control::REPEAT_HEADERS);
    let mut bench = bench_of(model, settings());
    bench.encoder.encode(&frame(1), false).unwrap();
    for number in 2..5 {
        let unit = bench.encoder.encode(&frame(number), true).unwrap().unwrap();
        let seen = look(unit.data());
        assert!(seen.is_idr && seen.has_parameter_sets(), "{number}");
        assert_eq!(units::samples(unit.data()), Some(ALL));
    }
}

#[test]
fn buffers_that_are_empty_or_late_are_passed_over() {
    let mut bench = bench();
    bench.encoder.encode(&frame(1), false).unwrap();
    bench
        .model
        .quirks(&[Quirk::EmptyFirst, Quirk::None, Quirk::OldFirst]);
    for number in 2..7 {
        let unit = bench
            .encoder
            .encode(&frame(number), false)
            .unwrap()
            .unwrap();
        assert_eq!(unit.number(), number);
        assert_eq!(units::samples(unit.data()), Some(ALL));
    }
    assert_eq!(bench.encoder.counts().strays, 2);
    assert_eq!(bench.encoder.counts().openings, 1);
}

#[test]
fn a_driver_that_misbehaves_is_a_clear_error_and_the_next_frame_starts_clean() {
    for (quirk, words) in [
        (Quirk::Hang, "it gave nothing in 1000 ms"),
        (Quirk::Swallow, "it gave nothing in 1000 ms"),
        (
            Quirk::KeepFrame,
            "it did not give the frame back in 1000 ms",
        ),
        (Quirk::Damage, "the driver says it is damaged"),
        (Quirk::Unreadable, "the driver could not read it"),
        (Quirk::Overflow, "it fills a buffer of 524288 bytes"),
        (Quirk::End, "the driver ended the stream"),
        (Quirk::BSlice, "it codes B slices"),
        (Quirk::Rubbish, "its output is no H.264 picture"),
    ] {
        let mut bench = bench();
        let mut lender = lender(contiguous(640, 480, false), 640 * 480 * 3 / 2);
        let first = lender.lend().unwrap();
        bench.encoder.encode(&first, false).unwrap();
        drop(first);
        bench.model.quirks(&[quirk]);
        let second = lender.lend().unwrap();
        let error = bench.encoder.encode(&second, false).unwrap_err();
        let text = crate::app::parts::chain(&error);
        assert!(text.contains(words), "{quirk:?}: {text}");
        assert!(text.contains("/dev/video11 (bcm2835-codec-encode)") || quirk == Quirk::Overflow);
        assert_eq!(bench.kernel.open_devices(), 0, "{quirk:?}");
        assert_eq!(bench.model.held(), 0, "{quirk:?}: all buffers are back");
        let unit = bench.encoder.encode(&second, false).unwrap().unwrap();
        assert!(unit.is_idr() && look(unit.data()).has_parameter_sets());
        drop(second);
        assert_eq!(lender.at_home(), 4);
    }
}

#[test]
fn the_first_picture_must_be_one_that_a_viewer_can_begin_with() {
    let mut bench = bench();
    bench.model.quirks(&[Quirk::NoHeaders]);
    let error = bench.encoder.encode(&frame(1), false).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("no IDR with parameter sets"), "{text}");
    assert!(text.contains("encoder.kind = \"openh264\""), "{text}");
}

#[test]
fn a_profile_that_is_not_the_one_asked_for_is_refused() {
    let mut model = CodecModel::bcm2835();
    model.controls.retain(|(id, _)| *id != control::PROFILE);
    let mut bench = bench_of(model, settings());
    let error = bench.encoder.encode(&frame(1), false).unwrap_err();
    assert!(error.to_string().contains("profile 100, not 66"), "{error}");
}

#[test]
fn a_unit_that_did_not_fit_gets_more_room() {
    let mut bench = bench();
    for number in 1..5 {
        bench.model.quirks(&[Quirk::Overflow]);
        let error = bench.encoder.encode(&frame(number), false).unwrap_err();
        let text = crate::app::parts::chain(&error);
        let bytes = (512 << 10 << (number - 1)).min(4 << 20);
        assert!(
            text.contains(&format!("a buffer of {bytes} bytes")),
            "{text}"
        );
    }
    bench.encoder.encode(&frame(9), false).unwrap();
}

#[test]
fn a_level_that_is_too_low_says_so() {
    let mut bench = bench_of(
        CodecModel::bcm2835(),
        V4l2Settings {
            level: EncoderLevel::L31,
            ..settings()
        },
    );
    let large = drawn((1920, 1080), 1, ALL);
    let error = bench.encoder.encode(&large, false).unwrap_err();
    let text = crate::app::parts::chain(&error);
    assert!(text.contains("encoder.level"), "{text}");
    // The level that follows size and rate holds all that the configuration allows.
    for (size, fps) in [((1920, 1080), 30), ((1920, 1080), 60), ((1280, 720), 60)] {
        let mut bench = bench_of(CodecModel::bcm2835(), V4l2Settings { fps, ..settings() });
        bench.encoder.encode(&drawn(size, 1, ALL), false).unwrap();
    }
}

#[test]
fn another_size_or_layout_starts_a_new_sequence() {
    let mut bench = bench();
    let mut lender = lender(contiguous(640, 480, false), 640 * 480 * 3 / 2);
    let mut idrs = Vec::new();
    for number in 1..9 {
        let frame = match number {
            3 | 4 => drawn((320, 240), number, ALL),
            5 | 6 => lender.lend().unwrap(),
            _ => drawn((640, 480), number, ALL),
        };
        let unit = bench.encoder.encode(&frame, false).unwrap().unwrap();
        idrs.push(unit.is_idr());
    }
    assert_eq!(idrs, [true, false, true, false, true, false, true, false]);
}

#[test]
fn two_frames_of_the_same_time_are_told_apart() {
    let mut bench = bench();
    for _ in 0..5 {
        let unit = bench.encoder.encode(&frame(7), false).unwrap().unwrap();
        assert_eq!(unit.captured_at().as_micros(), 7 * 33_333);
    }
    assert_eq!(bench.encoder.counts().strays, 0);
}

#[test]
fn an_encoder_that_is_not_there_says_what_was_looked_at() {
    let none = V4l2Encoder::new(FakeKernel::default().devices(), settings()).unwrap_err();
    let text = crate::app::parts::chain(&none);
    assert!(
        text.contains("none of 0 video devices codes H264"),
        "{text}"
    );
    let kernel = FakeKernel::with(NODE, Model::Forbidden);
    let text =
        crate::app::parts::chain(&V4l2Encoder::new(kernel.devices(), settings()).unwrap_err());
    assert!(text.contains("/dev/video11: Permission denied"), "{text}");
    assert!(text.contains("sudo usermod -aG video"), "{text}");
    // A codec of another format is no encoder for us, whether it is found or named.
    let kernel = FakeKernel::with(NODE, Model::Codec(Arc::new(CodecModel::vicodec())));
    assert!(V4l2Encoder::new(kernel.devices(), settings()).is_err());
    let named = V4l2Settings {
        device: Some(NODE.into()),
        ..settings()
    };
    let text = V4l2Encoder::new(kernel.devices(), named)
        .unwrap_err()
        .to_string();
    assert!(text.contains("it does not code H264"), "{text}");
    assert_eq!(kernel.open_devices(), 0);
}

#[test]
fn the_right_one_of_several_devices_is_found_by_asking() {
    let kernel = FakeKernel::with(
        "/dev/video10",
        Model::Codec(Arc::new(CodecModel::vicodec())),
    );
    kernel.plug("/dev/video11", Model::Forbidden);
    let model = Arc::new(CodecModel::bcm2835());
    kernel.plug("/dev/video31", Model::Codec(Arc::clone(&model)));
    let mut encoder = V4l2Encoder::new(kernel.devices(), settings()).unwrap();
    encoder.encode(&frame(1), false).unwrap();
    assert_eq!(model.value(control::BITRATE), Some(2_500_000));
    let (found, troubles) = encoders(&kernel.devices());
    let paths: Vec<_> = found.iter().map(|one| one.path.to_str().unwrap()).collect();
    assert_eq!(paths, ["/dev/video10", "/dev/video31"]);
    assert_eq!(troubles.len(), 1);
}

#[test]
fn an_encoder_that_goes_away_is_missing_until_it_is_back() {
    let mut bench = bench();
    bench.encoder.encode(&frame(1), false).unwrap();
    bench.kernel.unplug(NODE);
    assert!(bench.encoder.encode(&frame(2), false).is_err());
    let error = bench.encoder.encode(&frame(3), false).unwrap_err();
    assert!(matches!(error, EncoderError::Missing { .. }), "{error:?}");
    assert!(bench.encoder.set_bitrate(Kbps::new(500)).is_ok());
    bench
        .kernel
        .plug(NODE, Model::Codec(Arc::clone(&bench.model)));
    assert!(
        bench
            .encoder
            .encode(&frame(4), false)
            .unwrap()
            .unwrap()
            .is_idr()
    );
    assert_eq!(bench.model.value(control::BITRATE), Some(500_000));
}

#[test]
fn a_bitrate_that_is_refused_closes_the_encoder_and_holds_after_the_next_opening() {
    let mut bench = bench();
    bench.encoder.encode(&frame(1), false).unwrap();
    bench.kernel.fail(1, Errno::IO);
    assert!(bench.encoder.set_bitrate(Kbps::new(700)).is_err());
    assert_eq!(bench.kernel.open_devices(), 0);
    assert!(
        bench
            .encoder
            .encode(&frame(2), false)
            .unwrap()
            .unwrap()
            .is_idr()
    );
    assert_eq!(bench.model.value(control::BITRATE), Some(700_000));
}

#[test]
fn settings_of_a_test_may_code_to_another_format() {
    let test = V4l2Settings {
        coded: FourCc(*b"FWHT"),
        ..settings()
    };
    let mut bench = bench_of(CodecModel::vicodec(), test);
    for number in 1..4 {
        let unit = bench
            .encoder
            .encode(&frame(number), false)
            .unwrap()
            .unwrap();
        assert_eq!(unit.is_idr(), number == 1, "the driver's flag counts");
        assert_eq!(units::samples(unit.data()), Some(ALL));
    }
    assert_eq!(bench.model.value(control::GOP_SIZE), Some(16));
}
