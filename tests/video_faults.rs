//! What the video devices cost and leave behind: memory, buffers, file descriptors, time.
//!
//! They run against drivers written after their sources (`hal::v4l2::fake`), whose buffers and DMABUFs are real memory and
//! real file descriptors, so a leak is a leak. The allocator of this test counts the calls of its own thread.

#![cfg(feature = "pi")]
#![allow(
    clippy::print_stdout,
    reason = "figures are for a person who runs it with --nocapture"
)]

#[path = "harness/counting.rs"]
mod counting;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use counting::calls;
use rustix::io::Errno;
use spidercar::app::calls::{Calls, LOOKS, Needed, Watch};
use spidercar::app::capture::{Capture, Look};
use spidercar::app::coder::Coder;
use spidercar::config::{CameraFormat, Rotation};
use spidercar::hal::frame::Layout;
use spidercar::hal::v4l2::FourCc;
use spidercar::hal::v4l2::V4l2Encoder;
use spidercar::hal::v4l2::fake::codec::CodecModel;
use spidercar::hal::v4l2::fake::lender::Lender;
use spidercar::hal::v4l2::fake::webcam::WebcamModel;
use spidercar::hal::v4l2::fake::{FakeKernel, Model, settings};
use spidercar::hal::webcam::{self, WebcamSettings};
use spidercar::hal::{Camera, CameraError, Encoder, Frame, csi::Turn};
use spidercar::logic::backoff::Reopening;
use spidercar::logic::units::{Kbps, Uptime};

const NODE: &str = "/dev/video11";
const SIZE: (u32, u32) = (640, 480);
const BYTES: usize = 640 * 480 * 3 / 2;

/// What a call may fail with.
const ERRORS: [Errno; 5] = [
    Errno::IO,
    Errno::INVAL,
    Errno::NODEV,
    Errno::NOMEM,
    Errno::BUSY,
];

/// Tests that count file descriptors run one at a time: the process has one table of them.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd")
        .expect("proc is mounted")
        .count()
}

fn lender() -> Lender {
    let layout = Layout::contiguous(SIZE, 640, 480, false).expect("a size in range");
    Lender::new(layout, BYTES, 4, |slot, bytes| {
        bytes.fill(u8::try_from(slot).unwrap_or(u8::MAX));
    })
    .expect("shared memory")
}

fn drawn(number: u32) -> Frame {
    let mut frame = Frame::new(SIZE.0, SIZE.1).expect("a size in range");
    frame.set_capture(Uptime::from_micros(u64::from(number) * 33_333), number);
    frame
}

fn codec() -> (FakeKernel, Arc<CodecModel>) {
    let model = Arc::new(CodecModel::bcm2835());
    let kernel = FakeKernel::with(NODE, Model::Codec(Arc::clone(&model)));
    (kernel, model)
}

/// Frames, an IDR and a change of the bitrate; how many frames were coded.
fn run(encoder: &mut V4l2Encoder, lender: &mut Lender) -> usize {
    let mut coded = 0;
    for number in 0..4 {
        let frame = lender.lend().expect("a camera that got its buffers back");
        coded += usize::from(encoder.encode(&frame, number == 2).is_ok());
        // An error closes the encoder; the next frame opens it.
        let _ = encoder.set_bitrate(Kbps::new(1000 + 100 * number));
    }
    coded
}

#[test]
fn whichever_call_fails_the_encoder_recovers_and_leaves_nothing_behind() {
    let _alone = alone();
    for imports in [true, false] {
        let (kernel, _) = codec();
        let mut encoder = V4l2Encoder::new(kernel.devices(), settings()).unwrap();
        let before = kernel.calls();
        run(&mut encoder, &mut lender());
        let calls = kernel.calls() - before;
        assert!(calls > 30, "{calls}");
        for errno in ERRORS {
            for nth in 1..=calls {
                let (kernel, model) = codec();
                let mut lender = lender();
                let files = open_files();
                let mut encoder = V4l2Encoder::new(kernel.devices(), settings()).unwrap();
                if !imports {
                    // One frame of our own memory: the rest of the run is opened for the camera's.
                    encoder.encode(&drawn(1), false).unwrap();
                }
                kernel.fail(nth, errno);
                let coded = run(&mut encoder, &mut lender);
                assert!(
                    coded >= 3,
                    "call {nth} failed with {errno}: {coded} of 4 were coded"
                );
                let frame = lender.lend().unwrap();
                encoder.encode(&frame, false).unwrap_or_else(|error| {
                    panic!("after call {nth} failed with {errno}: {error}");
                });
                drop(frame);
                assert_eq!(lender.at_home(), 4, "call {nth}, {errno}");
                assert_eq!(kernel.open_devices(), 1, "call {nth}, {errno}");
                drop(encoder);
                assert_eq!(kernel.open_devices(), 0);
                assert_eq!(model.held(), 0, "call {nth}, {errno}: DMABUFs are held");
                assert_eq!(open_files(), files, "call {nth}, {errno}");
            }
        }
    }
}

#[test]
fn a_hundred_restarts_leave_no_buffer_and_no_file_open() {
    let _alone = alone();
    let (kernel, model) = codec();
    let mut lender = lender();
    let files = open_files();
    for restart in 0..100 {
        let mut encoder = V4l2Encoder::new(kernel.devices(), settings()).unwrap();
        assert_eq!(run(&mut encoder, &mut lender), 4);
        // Every other one ends with an error under way.
        if restart % 2 == 1 {
            kernel.fail(3, Errno::IO);
            let frame = lender.lend().unwrap();
            assert!(encoder.encode(&frame, false).is_err());
        }
    }
    assert_eq!((kernel.open_devices(), model.held()), (0, 0));
    assert_eq!(lender.at_home(), 4);
    assert_eq!(open_files(), files);
}

#[test]
fn a_frame_costs_no_allocation_and_little_time() {
    const FRAMES: usize = 300;
    let _alone = alone();
    for (name, is_imported) in [("imported", true), ("copied", false)] {
        let (kernel, _) = codec();
        let mut encoder = V4l2Encoder::new(kernel.devices(), settings()).unwrap();
        let mut lender = lender();
        let own: Vec<Frame> = (0..4).map(drawn).collect();
        let mut before = Vec::with_capacity(FRAMES);
        let mut after = Vec::with_capacity(FRAMES);
        let mut allocations = 0;
        for number in 0..FRAMES {
            let lent = is_imported.then(|| lender.lend().unwrap());
            let frame = lent.as_ref().unwrap_or(&own[number % 4]);
            let already = calls();
            let unit = encoder.encode(frame, number == 100).unwrap();
            assert!(unit.is_some());
            if number > 0 {
                allocations += calls() - already;
            }
            before.push(encoder.own_time().before);
            after.push(encoder.own_time().after);
        }
        assert_eq!(allocations, 0, "{name}");
        let counts = encoder.counts();
        assert_eq!(counts.imports == 300, is_imported);
        assert_eq!(counts.copies == 300, !is_imported);
        before.sort_unstable();
        after.sort_unstable();
        println!(
            "{name}: frame to driver p50 {:?} p99 {:?}, unit to caller p50 {:?} p99 {:?} (640x480, a driver that is faked)",
            before[FRAMES / 2],
            before[FRAMES * 99 / 100],
            after[FRAMES / 2],
            after[FRAMES * 99 / 100],
        );
    }
}

/// A camera of this format, and what is asked of it.
fn webcam(format: FourCc) -> (FakeKernel, WebcamSettings) {
    let mut model = WebcamModel::of(format);
    model.jpeg = include_bytes!("data/webcam/bars-160x120.jpg").to_vec();
    let settings = webcam_settings();
    (
        FakeKernel::with("/dev/video0", Model::Webcam(Arc::new(model))),
        settings,
    )
}

/// Opens a camera and takes pictures, of which two are held at a time.
fn film(
    open: &impl Fn() -> Result<Box<dyn Camera>, CameraError>,
    pictures: usize,
) -> Result<(), CameraError> {
    let mut camera = open()?;
    let mut held: Option<Frame> = None;
    for _ in 0..pictures {
        let frame = camera.next_frame()?;
        drop(held.replace(frame));
    }
    Ok(())
}

#[test]
fn whichever_call_of_a_webcam_fails_it_is_an_error_or_nothing_and_it_opens_again() {
    let _alone = alone();
    for format in [FourCc::NV12, FourCc::YUYV, FourCc::MJPG] {
        let (kernel, settings) = webcam(format);
        film(&webcam::opener(kernel.devices(), settings), 6).unwrap();
        let calls = kernel.calls();
        assert!(calls > 30, "{calls}");
        let mut failures = 0;
        for errno in ERRORS {
            for nth in 1..=calls {
                let (kernel, settings) = webcam(format);
                let files = open_files();
                let open = webcam::opener(kernel.devices(), settings);
                kernel.fail(nth, errno);
                failures += usize::from(film(&open, 6).is_err());
                assert_eq!(kernel.open_devices(), 0, "call {nth}, {errno}");
                film(&open, 6).unwrap_or_else(|error| {
                    panic!("{format}: after call {nth} failed with {errno}: {error}");
                });
                assert_eq!(open_files(), files, "call {nth}, {errno}");
            }
        }
        assert!(failures > 100, "{failures}: most calls matter");
    }
}

#[test]
fn a_hundred_openings_of_a_webcam_leave_no_file_open() {
    let _alone = alone();
    for format in [FourCc::NV12, FourCc::YUYV, FourCc::MJPG] {
        let (kernel, settings) = webcam(format);
        let open = webcam::opener(kernel.devices(), settings);
        let files = open_files();
        for _ in 0..100 {
            film(&open, 3).unwrap();
        }
        assert_eq!(kernel.open_devices(), 0);
        assert_eq!(open_files(), files, "{format}");
    }
}

#[test]
fn a_picture_of_a_webcam_costs_no_allocation_but_what_its_jpeg_takes() {
    let _alone = alone();
    for (format, most) in [
        (FourCc::NV12, 0),
        (FourCc::YU12, 0),
        (FourCc::YUYV, 0),
        (FourCc::MJPG, 64),
    ] {
        let (kernel, settings) = webcam(format);
        let mut camera =
            webcam::open(&kernel.devices(), &settings, &webcam::Known::default()).unwrap();
        // The first ones fill the pool.
        for _ in 0..10 {
            camera.next_frame().unwrap();
        }
        let before = calls();
        for _ in 0..100 {
            camera.next_frame().unwrap();
        }
        let each = (calls() - before) / 100;
        println!("{format}: {each} allocations a picture");
        assert!(each <= most, "{format}: {each}");
    }
}

fn webcam_settings() -> WebcamSettings {
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

/// Waits until a step is under way whose words begin so, and looks at it until it counts as one that never returns.
fn never_returns(calls: &Calls, begin: &str) {
    while !calls.under_way().iter().any(|step| step.starts_with(begin)) {
        std::thread::yield_now();
    }
    let mut watch = Watch::default();
    let seen = (0..=LOOKS).find_map(|_| watch.look(calls));
    let hung = seen.unwrap_or_else(|| panic!("{begin}: nothing hangs"));
    assert!(hung.what.starts_with(begin), "{hung:?}");
}

#[test]
fn a_camera_s_driver_that_never_returns_is_seen_and_named_whichever_call_it_is() {
    let _alone = alone();
    let camera = |kernel: &FakeKernel| {
        let open = webcam::opener(kernel.devices(), webcam_settings());
        let calls = Calls::default();
        let row = calls.row("camera", Needed::ToDrive);
        let capture = Capture::start(Box::new(open), row).expect("a thread");
        (calls, capture)
    };
    let plugged = || {
        let model = Model::Webcam(Arc::new(WebcamModel::of(FourCc::NV12)));
        FakeKernel::with("/dev/video0", model)
    };
    let before = plugged();
    let opened = webcam::opener(before.devices(), webcam_settings())().expect("a camera");
    let to_open = before.calls();
    drop(opened);
    let to_close = before.calls() - to_open;
    assert!(to_open > 20 && to_close > 0, "{to_open}, {to_close}");
    for nth in 1..=to_open {
        let kernel = plugged();
        kernel.hang(nth);
        let (calls, capture) = camera(&kernel);
        never_returns(&calls, "camera: open it (");
        kernel.let_go();
        let look = capture.take(std::time::Duration::from_secs(20));
        assert!(matches!(look, Look::Frame(_)), "call {nth}: {look:?}");
        drop((look, capture));
        while kernel.open_devices() > 0 {
            std::thread::yield_now();
        }
    }
    // Stopping the stream, when it is over.
    let kernel = plugged();
    kernel.hang(to_open + 1);
    let (calls, capture) = camera(&kernel);
    never_returns(&calls, "camera: take a picture (");
    let closing = std::thread::spawn(move || drop(capture));
    closing.join().expect("who drops it does not wait for ever");
    kernel.let_go();
    while kernel.open_devices() > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn an_encoder_that_never_returns_is_seen_in_each_of_its_calls() {
    let _alone = alone();
    let frame = drawn(1);
    for (nth, begin) in [
        (1, "video: open the encoder ("),
        (30, "video: encode a picture ("),
    ] {
        let (kernel, _) = codec();
        let devices = kernel.devices();
        let calls = Calls::default();
        let row = calls.row("video", Needed::ToDrive);
        kernel.hang(nth);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut make: spidercar::app::parts::MakeEncoder = Box::new(move || {
                    Ok(Box::new(V4l2Encoder::new(
                        Arc::clone(&devices),
                        settings(),
                    )?))
                });
                let mut reopening = Reopening::new();
                let period = std::time::Duration::from_millis(33);
                let mut coder = Coder::new(&mut make, &mut reopening, &row, period);
                let now = Uptime::from_micros(u64::MAX / 2);
                coder
                    .code(now, &frame, Kbps::new(1000), false)
                    .expect("it was let go");
            });
            never_returns(&calls, begin);
            kernel.let_go();
        });
        assert!(calls.under_way().is_empty());
    }
}

#[test]
fn a_try_opens_the_encoder_once_and_no_other_codec() {
    let _alone = alone();
    let (kernel, _) = codec();
    let node = |card: &str, driver: &str| {
        let mut model = CodecModel::bcm2835();
        model.capability.card = card.into();
        model.capability.driver = driver.into();
        Model::Codec(Arc::new(model))
    };
    kernel.plug("/dev/video0", Model::Webcam(Arc::new(WebcamModel::usual())));
    kernel.plug(
        "/dev/video10",
        node("bcm2835-codec-decode", "bcm2835-codec"),
    );
    kernel.plug("/dev/video14", node("bcm2835-isp0-output0", "bcm2835-isp"));
    let mut encoder = V4l2Encoder::new(kernel.devices(), settings()).expect("an encoder");
    encoder.encode(&drawn(1), false).expect("it codes");
    let opened = [
        "/dev/video0",
        "/dev/video10",
        "/dev/video11",
        "/dev/video14",
    ];
    let openings = opened.map(|path| kernel.openings(path));
    assert_eq!(openings, [0, 0, 1, 0]);
    // Who looks for a camera leaves the codecs alone.
    drop(encoder);
    kernel.unplug("/dev/video0");
    for _ in 0..100 {
        assert!(webcam::findings(&kernel.devices()).is_err());
    }
    assert_eq!(opened.map(|path| kernel.openings(path)), openings);
}
