//! USB cameras against a driver after its source: what is chosen, what comes, what goes wrong.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::config::Rotation;
use crate::hal::Frame;
use crate::hal::frame::Chroma;
use crate::hal::v4l2::FourCc;
use crate::hal::v4l2::border::Format;
use crate::hal::v4l2::fake::webcam::{Quirk, WebcamModel};
use crate::hal::v4l2::fake::{FakeKernel, Model};

const NODE: &str = "/dev/video0";
/// Seven bars of 75 %, a file of full range as cameras make it, with the usual tables.
const BARS: &[u8] = include_bytes!("../../../tests/data/webcam/bars-160x120.jpg");
/// White, yellow, cyan, green, magenta, red, blue: luma, blue and red difference. spec: BT.601, BT.801.
const COLOURS: [(u8, u8, u8); 7] = [
    (180, 128, 128),
    (162, 44, 142),
    (131, 156, 44),
    (112, 72, 58),
    (84, 184, 198),
    (65, 100, 212),
    (35, 212, 114),
];

fn settings() -> WebcamSettings {
    WebcamSettings {
        device: None,
        format: CameraFormat::Auto,
        width: 160,
        height: 120,
        fps: 30,
        turn: Turn {
            rotation: Rotation::Upright,
            flip_horizontal: false,
            flip_vertical: false,
        },
    }
}

fn plugged(model: WebcamModel) -> (FakeKernel, Arc<WebcamModel>) {
    let model = Arc::new(model);
    let kernel = FakeKernel::with(NODE, Model::Webcam(Arc::clone(&model)));
    (kernel, model)
}

fn opened(kernel: &FakeKernel) -> Box<dyn Camera> {
    open(&kernel.devices(), &settings(), &Known::default()).expect("a camera")
}

fn refused(kernel: &FakeKernel, settings: &WebcamSettings) -> CameraError {
    match open(&kernel.devices(), settings, &Known::default()) {
        Ok(_) => panic!("{settings:?} opens"),
        Err(error) => error,
    }
}

/// An error with what it came from.
fn text(error: &CameraError) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    format!("{error}: {}", source.unwrap_or_default())
}

/// The middle of each of seven bars.
fn bars(frame: &Frame) -> Vec<(u8, u8, u8)> {
    let Chroma::Planar { u, v, stride } = frame.chroma() else {
        panic!("made pictures are planar");
    };
    let at = |bar: usize| (2 * bar + 1) * 160 / 14;
    let line = 30;
    (0..7)
        .map(|bar| {
            let chroma = line / 2 * stride + at(bar) / 2;
            (
                frame.y()[line * frame.y_stride() + at(bar)],
                u[chroma],
                v[chroma],
            )
        })
        .collect()
}

fn is_near(got: &[(u8, u8, u8)], by: u8) -> bool {
    let all = got.iter().zip(COLOURS);
    got.len() == 7
        && all.into_iter().all(|(got, want)| {
            got.0.abs_diff(want.0) <= by
                && got.1.abs_diff(want.1) <= by
                && got.2.abs_diff(want.2) <= by
        })
}

#[test]
fn the_cheapest_format_that_is_fast_enough_is_taken() {
    let chosen = |offers: &[(FourCc, &[u32])], format, fps| {
        let size = |rates: &[u32]| vec![((160, 120), rates.to_vec())];
        let (kernel, _) = plugged(WebcamModel {
            offers: offers
                .iter()
                .map(|(format, rates)| (*format, size(rates)))
                .collect(),
            ..WebcamModel::usual()
        });
        let settings = WebcamSettings {
            format,
            fps,
            ..settings()
        };
        let device = kernel.devices().open(std::path::Path::new(NODE)).unwrap();
        let mode = modes::choose(device.as_ref(), "camera", &settings).unwrap();
        (mode.format, mode.interval.per_second())
    };
    let (nv12, yu12, yuyv, mjpg) = (FourCc::NV12, FourCc::YU12, FourCc::YUYV, FourCc::MJPG);
    let all: &[(FourCc, &[u32])] = &[(mjpg, &[30]), (yuyv, &[30]), (yu12, &[30]), (nv12, &[30])];
    let auto = CameraFormat::Auto;
    assert_eq!(chosen(all, auto, 30), (nv12, 30));
    assert_eq!(chosen(&all[..3], auto, 30), (yu12, 30));
    assert_eq!(chosen(&all[..2], auto, 30), (yuyv, 30));
    assert_eq!(chosen(&all[..1], auto, 30), (mjpg, 30));
    assert_eq!(chosen(all, CameraFormat::Mjpeg, 30), (mjpg, 30));
    // The rate comes first, then the slowest that is fast enough; where none is, the fastest.
    let slow: &[(FourCc, &[u32])] = &[(yuyv, &[5, 10]), (mjpg, &[60, 30, 15])];
    assert_eq!(chosen(slow, auto, 30), (mjpg, 30));
    assert_eq!(chosen(slow, auto, 25), (mjpg, 30));
    assert_eq!(chosen(slow, auto, 10), (yuyv, 10));
    assert_eq!(chosen(slow, CameraFormat::Yuyv, 30), (yuyv, 10));
}

#[test]
fn pictures_are_lent_with_their_memory_and_numbers_go_on() {
    let (kernel, _) = plugged(WebcamModel::of(FourCc::NV12));
    let mut camera = opened(&kernel);
    let mut last = None;
    for number in 0..20 {
        let frame = camera.next_frame().unwrap();
        assert_eq!(frame.number(), number);
        assert_eq!(frame.y()[..160], [u8::try_from(number).unwrap(); 160]);
        assert!(
            frame
                .pixels()
                .is_some_and(|pixels| pixels.dmabuf().is_some())
        );
        assert!(last.is_none_or(|last| frame.captured_at() > last));
        last = Some(frame.captured_at());
    }
    let held = camera.next_frame().unwrap();
    let line = held.y()[0];
    drop(camera);
    assert_eq!(
        held.y()[0],
        line,
        "a picture stays when its camera has closed"
    );
    assert_eq!(kernel.open_devices(), 0);
}

#[test]
fn memory_that_cannot_be_shared_is_no_obstacle() {
    let (kernel, _) = plugged(WebcamModel {
        exports: false,
        ..WebcamModel::of(FourCc::YU12)
    });
    let frame = opened(&kernel).next_frame().unwrap();
    assert!(
        frame
            .pixels()
            .is_some_and(|pixels| pixels.dmabuf().is_none())
    );
}

#[test]
fn who_holds_all_pictures_gets_no_other_and_then_it_goes_on() {
    for format in [FourCc::NV12, FourCc::YUYV] {
        let (kernel, _) = plugged(WebcamModel::of(format));
        let mut camera = opened(&kernel);
        let held: Vec<_> = (0..4).map(|_| camera.next_frame().unwrap()).collect();
        let error = camera.next_frame().unwrap_err();
        assert!(matches!(error, CameraError::Stalled { .. }), "{error}");
        drop(held);
        camera.next_frame().unwrap();
    }
}

#[test]
fn yuyv_is_halved() {
    let format = Format {
        width: 160,
        height: 120,
        format: FourCc::YUYV,
        stride: 328,
        bytes: 328 * 120,
    };
    let mut bytes = vec![99; 328 * 120];
    for (y, line) in bytes.chunks_mut(328).enumerate() {
        let y = u8::try_from(y).unwrap();
        for (x, four) in line[..320].chunks_mut(4).enumerate() {
            let x = u8::try_from(x).unwrap();
            four.copy_from_slice(&[2 * x, y, 2 * x + 1, x / 2]);
        }
    }
    let mut picture = picture::Picture::of(&format).unwrap();
    let frame = picture.make(&bytes).unwrap().unwrap();
    let Chroma::Planar { u, v, stride } = frame.chroma() else {
        panic!("planar");
    };
    for y in 0..120 {
        for x in 0..160 {
            assert_eq!(usize::from(frame.y()[y * frame.y_stride() + x]), x);
            // The mean of two lines, rounded down; columns are halved already.
            assert_eq!(usize::from(u[y / 2 * stride + x / 2]), y / 2 * 2);
            assert_eq!(usize::from(v[y / 2 * stride + x / 2]), x / 4);
        }
    }
    let short = picture.make(&bytes[..328 * 119]).unwrap_err();
    assert_eq!(short, "it is too short");
}

/// The same file as cameras send it: without tables.
fn without_tables() -> Vec<u8> {
    let mut bytes = BARS[..2].to_vec();
    let mut rest = &BARS[2..];
    while let [0xFF, kind, high, low, ..] = *rest {
        let length = 2 + usize::from(u16::from_be_bytes([high, low]));
        if kind != 0xC4 {
            bytes.extend_from_slice(&rest[..length]);
        }
        rest = &rest[length..];
        if kind == 0xDA {
            break;
        }
    }
    bytes.extend_from_slice(rest);
    assert!(bytes.len() < BARS.len() - 300, "it had tables");
    bytes
}

#[test]
fn jpeg_is_decoded_with_its_tables_or_the_usual_ones_and_brought_into_range() {
    for jpeg in [BARS.to_vec(), without_tables()] {
        let (kernel, _) = plugged(WebcamModel {
            jpeg,
            ..WebcamModel::of(FourCc::MJPG)
        });
        let frame = opened(&kernel).next_frame().unwrap();
        let got = bars(&frame);
        assert!(is_near(&got, 3), "{got:?}");
    }
}

#[test]
fn a_picture_that_is_no_jpeg_is_left_out_and_a_camera_of_only_those_stalls() {
    let other = {
        let mut bytes = BARS.to_vec();
        let at = bytes
            .windows(2)
            .position(|two| two == [0xFF, 0xC0])
            .unwrap();
        bytes[at + 6] = 121; // a line more
        bytes
    };
    for jpeg in [b"no picture".to_vec(), other, BARS[..40].to_vec()] {
        let (kernel, _) = plugged(WebcamModel {
            jpeg,
            ..WebcamModel::of(FourCc::MJPG)
        });
        let error = opened(&kernel).next_frame().unwrap_err();
        assert!(matches!(error, CameraError::Stalled { .. }), "{error}");
    }
}

#[test]
fn damaged_short_and_empty_pictures_are_left_out_and_strange_times_replaced() {
    for format in [FourCc::NV12, FourCc::YUYV, FourCc::MJPG] {
        let (kernel, model) = plugged(WebcamModel {
            jpeg: BARS.to_vec(),
            ..WebcamModel::of(format)
        });
        model.quirks(&[
            Quirk::Damage,
            Quirk::None,
            Quirk::Short,
            Quirk::Empty,
            Quirk::OtherClock,
        ]);
        let mut camera = opened(&kernel);
        assert_eq!(camera.next_frame().unwrap().number(), 1);
        let next = camera.next_frame().unwrap();
        assert_eq!(next.number(), 4, "{format}");
        assert!(next.captured_at() > crate::logic::units::Uptime::from_micros(1000));
    }
}

#[test]
fn a_camera_that_gives_nothing_or_breaks_is_an_error_and_opens_again() {
    for (quirk, longest) in [(Quirk::Stall, 1500), (Quirk::Broken, 100)] {
        let (kernel, model) = plugged(WebcamModel::of(FourCc::NV12));
        let again = opener(kernel.devices(), settings());
        let mut camera = again().unwrap();
        camera.next_frame().unwrap();
        model.quirks(&[quirk]);
        let began = Instant::now();
        let error = camera.next_frame().unwrap_err();
        assert!(began.elapsed() < Duration::from_millis(longest), "{error}");
        drop(camera);
        again().unwrap().next_frame().unwrap();
    }
}

#[test]
fn a_camera_that_was_unplugged_is_found_again_and_no_other_is_taken() {
    let (kernel, model) = plugged(WebcamModel::of(FourCc::NV12));
    let again = opener(kernel.devices(), settings());
    let mut camera = again().unwrap();
    camera.next_frame().unwrap();
    kernel.unplug(NODE);
    let error = camera.next_frame().unwrap_err();
    assert!(
        text(&error).contains("it was unplugged"),
        "{}",
        text(&error)
    );
    drop(camera);

    let other = WebcamModel {
        capability: crate::hal::v4l2::border::Capability {
            card: "Other".into(),
            ..model.capability.clone()
        },
        ..WebcamModel::of(FourCc::NV12)
    };
    kernel.plug("/dev/video1", Model::Webcam(Arc::new(other)));
    let error = again().err().expect("another one is not taken");
    assert!(
        text(&error).contains("usb-0000:01:00.0-1.2"),
        "{}",
        text(&error)
    );

    kernel.plug("/dev/video7", Model::Webcam(Arc::clone(&model)));
    again().unwrap().next_frame().unwrap();
    // Into another port.
    kernel.unplug("/dev/video7");
    let moved = WebcamModel {
        capability: crate::hal::v4l2::border::Capability {
            bus: "usb-0000:01:00.0-1.4".into(),
            ..model.capability.clone()
        },
        ..WebcamModel::of(FourCc::NV12)
    };
    kernel.plug("/dev/video2", Model::Webcam(Arc::new(moved)));
    again().unwrap().next_frame().unwrap();
    assert_eq!(kernel.open_devices(), 0);
}

#[test]
fn a_path_is_followed_and_then_the_camera() {
    let (kernel, model) = plugged(WebcamModel::of(FourCc::NV12));
    let named = WebcamSettings {
        device: Some(NODE.into()),
        ..settings()
    };
    let again = opener(kernel.devices(), named);
    again().unwrap();
    kernel.unplug(NODE);
    let error = again().err().expect("it is gone");
    assert!(matches!(error, CameraError::Missing { .. }), "{error}");
    kernel.plug("/dev/video4", Model::Webcam(model));
    again().unwrap().next_frame().unwrap();
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let said = |kernel: &FakeKernel, settings: &WebcamSettings| text(&refused(kernel, settings));
    let none = FakeKernel::default();
    assert!(said(&none, &settings()).contains("there is no USB camera: look at the cable"));

    let forbidden = FakeKernel::with(NODE, Model::Forbidden);
    let text = said(&forbidden, &settings());
    assert!(text.contains("the group video: sudo usermod"), "{text}");
    let named = WebcamSettings {
        device: Some(NODE.into()),
        ..settings()
    };
    assert!(said(&forbidden, &named).contains("the group video: sudo usermod"));

    let (kernel, model) = plugged(WebcamModel::usual());
    model.set_busy(true);
    let text = said(&kernel, &settings());
    assert!(text.contains("another program has it open"), "{text}");
    assert!(!text.contains("(process self)"), "{text}");
    model.set_busy(false);

    let large = WebcamSettings {
        width: 1920,
        height: 1080,
        ..settings()
    };
    let text = said(&kernel, &large);
    let offered = "it offers MJPG 160x120 at 30, 1280x720 at 60; YUYV 160x120 at 30, 1280x720 at 10; choose camera.width";
    assert!(
        text.contains("no 1920x1080 in NV12, YU12, YUYV or MJPEG") && text.contains(offered),
        "{text}"
    );
    let planar = WebcamSettings {
        format: CameraFormat::Yu12,
        ..settings()
    };
    assert!(said(&kernel, &planar).contains("no 160x120 in YU12; it offers MJPG"));

    for insists in [(320, 240, FourCc::NV12), (160, 120, FourCc::YUYV)] {
        let (kernel, _) = plugged(WebcamModel {
            insists: Some(Format {
                width: insists.0,
                height: insists.1,
                format: insists.2,
                stride: 0,
                bytes: 0,
            }),
            ..WebcamModel::of(FourCc::NV12)
        });
        let text = said(&kernel, &settings());
        let wanted = format!(
            "it makes {}x{} {} of 160x120 NV12",
            insists.0, insists.1, insists.2
        );
        assert!(text.contains(&wanted), "{text}");
    }
}

#[test]
fn the_camera_flips_its_picture_if_it_can() {
    let turned = |rotation, flip_horizontal| WebcamSettings {
        turn: Turn {
            rotation,
            flip_horizontal,
            flip_vertical: false,
        },
        ..settings()
    };
    let (kernel, model) = plugged(WebcamModel {
        flips: true,
        ..WebcamModel::of(FourCc::NV12)
    });
    for (rotation, flip, wanted) in [
        (Rotation::Half, false, [true, true]),
        (Rotation::Half, true, [false, true]),
        (Rotation::Upright, true, [true, false]),
        (Rotation::Upright, false, [false, false]),
    ] {
        open(
            &kernel.devices(),
            &turned(rotation, flip),
            &Known::default(),
        )
        .unwrap();
        assert_eq!(model.flipped(), wanted);
    }
    let text = refused(&kernel, &turned(Rotation::Quarter, false)).to_string();
    assert!(text.contains("quarter turn"), "{text}");
    let (kernel, _) = plugged(WebcamModel::of(FourCc::NV12));
    let text = refused(&kernel, &turned(Rotation::Half, false)).to_string();
    assert!(text.contains("it cannot flip"), "{text}");
}

#[test]
fn usb_comes_first_and_what_belongs_to_libcamera_not_at_all() {
    let (kernel, model) = plugged(WebcamModel::of(FourCc::NV12));
    let named = |driver: &str, bus: &str| {
        let capability = crate::hal::v4l2::border::Capability {
            driver: driver.into(),
            bus: bus.into(),
            card: driver.into(),
            ..model.capability.clone()
        };
        let model = WebcamModel {
            capability,
            ..WebcamModel::of(FourCc::NV12)
        };
        Model::Webcam(Arc::new(model))
    };
    kernel.unplug(NODE);
    kernel.plug("/dev/video13", named("bcm2835-isp", "platform:bcm2835-isp"));
    assert!(findings(&kernel.devices()).is_err());
    kernel.plug("/dev/video14", named("vivid", "platform:vivid-000"));
    kernel.plug("/dev/video15", Model::Webcam(model));
    let lines = findings(&kernel.devices()).unwrap();
    assert_eq!(
        lines,
        [
            "camera.device \"/dev/video15\": HD Webcam: HD Webcam at usb-0000:01:00.0-1.2: NV12 160x120 at 30",
            "camera.device \"/dev/video14\": vivid at platform:vivid-000: NV12 160x120 at 30",
        ]
    );
}

#[test]
fn of_several_usb_cameras_the_one_at_the_first_port_is_taken_whatever_its_number() {
    let at = |port: &str| {
        let of = WebcamModel::of(FourCc::NV12);
        let capability = crate::hal::v4l2::border::Capability {
            bus: format!("usb-0000:01:00.0-{port}"),
            ..of.capability.clone()
        };
        Model::Webcam(Arc::new(WebcamModel { capability, ..of }))
    };
    let ports = ["1.1", "1.2", "1.4"];
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let (kernel, _) = plugged(WebcamModel::of(FourCc::NV12));
        kernel.unplug(NODE);
        for (number, which) in (0..).zip(order) {
            kernel.plug(&format!("/dev/video{number}"), at(ports[which]));
        }
        let lines = findings(&kernel.devices()).unwrap();
        for (line, port) in lines.iter().zip(ports) {
            assert!(line.contains(&format!("-{port}: ")), "{order:?}: {lines:?}");
        }
        let (found, _) = find::camera(&kernel.devices(), &settings(), None).unwrap();
        assert!(found.name().starts_with(&lines[0][15..26]), "{order:?}");
        assert_eq!(
            found.identity(),
            find::all(&kernel.devices()).0[0].identity()
        );
    }
}

/// How a picture is decoded: nothing, or its bars.
fn decoded(jpeg: &[u8]) -> Result<Vec<(u8, u8, u8)>, String> {
    let format = Format {
        width: 160,
        height: 120,
        format: FourCc::MJPG,
        stride: 0,
        bytes: 160 * 120 * 2,
    };
    let mut picture = picture::Picture::of(&format).unwrap();
    let frame = picture.make(jpeg)?;
    Ok(bars(&frame.expect("there is memory")))
}

/// With a restart mark behind each part: a picture whose parts are all coded alone. Made from the other one: `ffmpeg -i
/// bars-160x120.jpg -threads 4 -thread_type slice -slices 4 -huffman default -q:v 2 bars-restart-160x120.jpg`.
const RESTARTS: &[u8] = include_bytes!("../../../tests/data/webcam/bars-restart-160x120.jpg");

/// Where the coded data begin.
fn data_at(jpeg: &[u8]) -> usize {
    let scan = jpeg.windows(2).position(|two| two == [0xFF, 0xDA]).unwrap();
    scan + 2 + usize::from(u16::from_be_bytes([jpeg[scan + 2], jpeg[scan + 3]]))
}

#[test]
fn a_picture_that_the_bus_cut_is_refused_wherever_it_was_cut() {
    for whole in [BARS, RESTARTS, &without_tables()] {
        let begin = data_at(whole);
        let end = whole.len() - 2; // the end mark
        // The last byte may be padding alone.
        for cut in begin..end - 1 {
            for tail in [&[][..], b"\xFF\xD9", &[0; 64]] {
                let jpeg = [&whole[..cut], tail].concat();
                let why = decoded(&jpeg).err();
                // Zeros may happen to be code words, but then they are a picture that is whole.
                let is_refused = why.as_ref().is_some_and(|why| why.contains("was lost"));
                assert!(
                    is_refused || tail.len() == 64,
                    "{cut} of {end}, {}: {why:?}",
                    tail.len()
                );
            }
        }
    }
}

#[test]
fn what_was_lost_in_the_middle_is_not_hidden_by_an_end_mark() {
    for whole in [BARS, RESTARTS] {
        let (begin, end) = (data_at(whole), whole.len() - 2);
        let third = (end - begin) / 3;
        let jpeg = [&whole[..begin + third], &whole[begin + 2 * third..]].concat();
        let why = decoded(&jpeg).expect_err("a third of it is lost");
        assert!(why.contains("was lost on the USB bus"), "{why}");
    }
}

#[test]
fn a_whole_picture_is_good_however_its_camera_ends_it() {
    let header = |jpeg: &[u8], segment: &[u8]| [&jpeg[..2], segment, &jpeg[2..]].concat();
    for whole in [BARS, RESTARTS, &without_tables()] {
        let without_end = &whole[..whole.len() - 2];
        let fill = [&whole[..2], b"\xFF\xFF\xFF", &whole[2..]].concat();
        let thumbnail =
            [b"\xFF\xE1\x00\x10Exif\0\0\xFF\xD8\xFF\xDA\xFF\xD9\0\0".as_slice()].concat();
        for (what, jpeg) in [
            ("as it is", whole.to_vec()),
            ("no end mark", without_end.to_vec()),
            ("bytes behind it", [whole, &[0; 4096]].concat()),
            ("other bytes behind it", [whole, &[0xA5; 300]].concat()),
            ("zeros for the end mark", [without_end, &[0; 4096]].concat()),
            (
                "fill bytes at the end",
                [without_end, b"\xFF\xFF\xFF\xFF\xD9"].concat(),
            ),
            ("fill bytes in the header", fill),
            ("a thumbnail", header(whole, &thumbnail)),
            ("a comment", header(whole, b"\xFF\xFE\x00\x06abcd")),
        ] {
            let got = decoded(&jpeg).unwrap_or_else(|why| panic!("{what}: {why}"));
            assert!(is_near(&got, 3), "{what}: {got:?}");
        }
    }
}

#[test]
fn grey_pictures_and_those_of_other_coders_are_left_to_the_decoder() {
    let mut scanner = scan::Scanner::new();
    for rubbish in [
        &b""[..],
        b"no picture",
        &BARS[..2],
        &BARS[..300],
        b"\xFF\xD8\xFF\xDA\x00\x02",
    ] {
        assert_eq!(scanner.look(rubbish), scan::Seen::Unknown);
    }
    let mut progressive = BARS.to_vec();
    let at = progressive
        .windows(2)
        .position(|two| two == [0xFF, 0xC0])
        .unwrap();
    progressive[at + 1] = 0xC2;
    assert_eq!(scanner.look(&progressive), scan::Seen::Unknown);
    assert_eq!(scanner.look(BARS), scan::Seen::Whole);
}

/// What the look costs: `cargo test --release --lib -- --ignored --nocapture what_a_look_costs`.
#[test]
#[ignore = "prints a figure"]
#[allow(clippy::print_stdout, reason = "it is for a person")]
fn what_a_look_costs() {
    let mut scanner = scan::Scanner::new();
    let began = Instant::now();
    let mut bytes = 0;
    while bytes < 50_000_000 {
        assert_eq!(scanner.look(RESTARTS), scan::Seen::Whole);
        bytes += RESTARTS.len();
    }
    let mb_s = 50_000_000.0 / began.elapsed().as_secs_f64() / 1e6;
    println!("{mb_s:.0} MB of JPEG a second");
}

#[test]
fn a_start_that_the_bus_refuses_says_what_helps() {
    for (errno, wanted) in [
        (rustix::io::Errno::NOSPC, "the USB bus has no room for it"),
        (rustix::io::Errno::PROTO, "take a shorter cable"),
        (rustix::io::Errno::PIPE, "unplug it and plug it in again"),
    ] {
        // STREAMON is the last call of an opening.
        let (kernel, _) = plugged(WebcamModel::of(FourCc::NV12));
        drop(opened(&kernel));
        let calls = kernel.calls() - 1; // without STREAMOFF
        let (kernel, _) = plugged(WebcamModel::of(FourCc::NV12));
        kernel.fail(calls, errno);
        let text = text(&refused(&kernel, &settings()));
        assert!(text.contains("start it") && text.contains(wanted), "{text}");
        opened(&kernel);
    }
}
