//! CSI cameras through the real libcamera 0.7, whose virtual pipeline stands in for a sensor.
//!
//! It needs libcamera's `virtual.yaml` and the kernel's `/dev/udmabuf` or `/dev/dma_heap`, so it runs in an emulated
//! machine: `tests/machine/check_libcamera.py`. The picture is known to the pixel: eight bars that move left by a column
//! with each frame, beginning anew when the camera is configured.
//!
//! What it cannot show: controls, orientations, timing of a sensor. The virtual pipeline has none of them.
//! Sources: libcamera `pipeline/virtual/test_pattern_generator.cpp`; libyuv `ARGBToNV12` (BT.601, limited range).

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: it says what it measured, and ends at the first thing that is not as it should be"
)]

use std::fs;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Instant;

use spidercar::config::Rotation;
use spidercar::hal::csi::{self, CsiSettings, Desk, Turn, Which};
use spidercar::hal::frame::Chroma;
use spidercar::hal::{Camera, CameraError, Frame};
use spidercar::logic::camera::{Controls, Dial};

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;
const BARS: u32 = 8;
/// White, yellow, cyan, green, magenta, red, blue, black: luma, blue and red difference.
const COLOURS: [(u8, u8, u8); 8] = [
    (235, 128, 128),
    (210, 16, 146),
    (170, 166, 16),
    (145, 54, 34),
    (106, 202, 222),
    (81, 90, 240),
    (41, 240, 110),
    (16, 128, 128),
];
/// Rounding of the conversion. choice: a tenth of what the two nearest bars differ by.
const TOLERANCE: u8 = 3;

fn settings() -> CsiSettings {
    CsiSettings {
        which: Which::Index(0),
        width: WIDTH,
        height: HEIGHT,
        fps: 30,
        turn: Turn {
            rotation: Rotation::Upright,
            flip_horizontal: false,
            flip_vertical: false,
        },
        controls: Controls::default(),
    }
}

fn open() -> Box<dyn Camera> {
    csi::open(&settings(), Arc::default()).expect("the virtual camera")
}

/// Why a camera does not open.
fn refusal(settings: &CsiSettings) -> CameraError {
    match csi::open(settings, Arc::default()) {
        Ok(_) => panic!("{settings:?} opens"),
        Err(err) => err,
    }
}

fn expect_bars(frame: &Frame) {
    let Chroma::Interleaved { uv, stride } = frame.chroma() else {
        panic!("the virtual camera gives NV12");
    };
    let width = usize::try_from(WIDTH).unwrap();
    for line in [0, 1, 359, 718, 719] {
        let luma = &frame.y()[line * frame.y_stride()..][..width];
        let chroma = &uv[line / 2 * stride..][..width];
        for bar in 0..BARS {
            // The middle of the bar, wherever it has moved to.
            let middle = bar * (WIDTH / BARS) + WIDTH / BARS / 2;
            let moved = (frame.number() + 1) % WIDTH;
            let x = usize::try_from((middle + WIDTH - moved) % WIDTH / 2 * 2).unwrap();
            let got = (luma[x], chroma[x], chroma[x + 1]);
            let want = COLOURS[usize::try_from(bar).unwrap()];
            let is_near = got.0.abs_diff(want.0) <= TOLERANCE
                && got.1.abs_diff(want.1) <= TOLERANCE
                && got.2.abs_diff(want.2) <= TOLERANCE;
            assert!(
                is_near,
                "frame {}, line {line}, bar {bar}: {got:?}, not {want:?}",
                frame.number()
            );
        }
    }
}

#[test]
#[ignore = "needs libcamera's virtual camera: tests/machine/check_libcamera.py"]
fn every_picture_is_the_one_that_its_number_says() {
    let mut camera = open();
    let started = Instant::now();
    let mut last: Option<(u32, u64)> = None;
    let mut slots = [0_u32; 4];
    for _ in 0..100 {
        let frame = camera.next_frame().expect("a picture");
        assert_eq!((frame.width(), frame.height()), (WIDTH, HEIGHT));
        expect_bars(&frame);
        let now = (frame.number(), frame.captured_at().as_micros());
        if let Some(last) = last {
            assert!(now.0 > last.0 && now.1 > last.1, "{last:?}, then {now:?}");
        }
        last = Some(now);
        let pixels = frame.pixels().expect("a driver's buffer");
        assert!(pixels.dmabuf().expect("a dma-buf").as_raw_fd() >= 0);
        slots[usize::try_from(pixels.slot()).unwrap()] += 1;
    }
    let seconds = started.elapsed().as_secs_f64();
    let (number, _) = last.expect("pictures");
    println!("100 pictures of {} in {seconds:.1} s", number + 1);
    assert!(
        seconds > 2.9,
        "30 a second were asked for, and it makes more"
    );
}

#[test]
#[ignore = "needs libcamera's virtual camera: tests/machine/check_libcamera.py"]
fn a_picture_that_is_out_stays_when_its_camera_closes() {
    let mut camera = open();
    let first = camera.next_frame().expect("a picture");
    let second = camera.next_frame().expect("a picture");
    drop(camera);
    let mut again = open();
    let other = again.next_frame().expect("a picture of the next camera");
    expect_bars(&first);
    expect_bars(&second);
    expect_bars(&other);
    drop((first, second));
    expect_bars(&again.next_frame().expect("one more"));
}

#[test]
#[ignore = "needs libcamera's virtual camera: tests/machine/check_libcamera.py"]
fn a_camera_whose_buffers_are_all_out_stalls_and_goes_on() {
    let mut camera = open();
    let mut held: Vec<_> = (0..4)
        .map(|_| camera.next_frame().expect("a picture"))
        .collect();
    match camera.next_frame() {
        Err(CameraError::Stalled { silent, .. }) => {
            assert!(silent.as_millis() <= 1100, "{silent:?}");
        }
        other => panic!("{other:?}"),
    }
    held.pop();
    expect_bars(&camera.next_frame().expect("a buffer came home"));
}

#[test]
#[ignore = "needs libcamera's virtual camera: tests/machine/check_libcamera.py"]
fn a_hundred_openings_leave_nothing_behind() {
    fn count() -> (usize, usize) {
        let fds = fs::read_dir("/proc/self/fd").expect("proc").count();
        let maps = fs::read_to_string("/proc/self/maps").expect("proc");
        (
            fds,
            maps.lines().filter(|line| line.contains("dmabuf")).count(),
        )
    }
    let once = || {
        let mut camera = open();
        drop(camera.next_frame().expect("a picture"));
        let out = camera.next_frame().expect("a picture");
        drop(camera);
        assert!(count().1 > 0, "the picture that is out is mapped");
        drop(out);
    };
    once(); // what libraries keep for good
    let before = count();
    for _ in 0..100 {
        once();
    }
    let after = count();
    println!("100 openings: descriptors and mappings {before:?}, then {after:?}");
    assert_eq!(before, after);
}

#[test]
#[ignore = "needs libcamera's virtual camera: tests/machine/check_libcamera.py"]
fn what_cannot_be_says_what_can() {
    let size = CsiSettings {
        width: 800,
        height: 600,
        ..settings()
    };
    let said = refusal(&size).to_string();
    assert!(
        said.contains("800x600") && said.contains("1280x720"),
        "{said}"
    );
    let index = CsiSettings {
        which: Which::Index(7),
        ..settings()
    };
    let said = format!("{:?}", refusal(&index));
    assert!(
        said.contains("Missing") && said.contains("Virtual0"),
        "{said}"
    );
    let name = CsiSettings {
        which: Which::Id("imx219".into()),
        ..settings()
    };
    assert!(matches!(refusal(&name), CameraError::Missing { .. }));
    let mut controls = Controls::default();
    controls.set(Dial::ExposureUs, 5000);
    let said = refusal(&CsiSettings {
        controls,
        ..settings()
    })
    .to_string();
    assert!(said.contains("camera.controls.exposure_us"), "{said}");
}

#[test]
#[ignore = "needs libcamera's virtual camera: tests/machine/check_libcamera.py"]
fn a_camera_opens_once_and_by_a_part_of_its_name() {
    let by_name = CsiSettings {
        which: Which::Id("Virtual0".into()),
        ..settings()
    };
    let mut first = csi::open(&by_name, Arc::default()).expect("by name");
    let said = refusal(&by_name).to_string();
    assert!(said.contains("another program"), "{said}");
    expect_bars(&first.next_frame().expect("the first one goes on"));
    drop(first);
    drop(csi::open(&by_name, Arc::default()).expect("free again"));
}

#[test]
#[ignore = "needs libcamera's virtual camera: tests/machine/check_libcamera.py"]
fn two_cameras_run_side_by_side() {
    // The first by index is the last by id, as rpicam-apps count.
    let mut front = open();
    let rear = CsiSettings {
        which: Which::Id("Virtual0".into()),
        ..settings()
    };
    let mut rear = csi::open(&rear, Arc::new(Desk::default())).expect("the second camera");
    for _ in 0..5 {
        expect_bars(&front.next_frame().expect("front"));
        expect_bars(&rear.next_frame().expect("rear"));
    }
    let cameras = csi::survey().expect("a list");
    assert_eq!(cameras.len(), 2, "{cameras:?}");
    assert!(cameras[0].id > cameras[1].id, "{cameras:?}");
    println!(
        "listed: {} {}: {}",
        cameras[0].id, cameras[0].model, cameras[0].modes
    );
}
