//! A camera's picture into an encoder of the kernel without a copy: libcamera's DMABUFs, imported by a real driver.
//!
//! It needs libcamera's virtual pipeline and the kernel's `vicodec`, so it runs in an emulated machine:
//! `tests/machine/check_libcamera.py`. `vicodec` has the calls and the state machine of a Pi's encoder, and codes to FWHT,
//! which these tests ask for. Its other device node decodes, so what comes out can be compared with what
//! went in, pixel by pixel.
//!
//! ```text
//!   libcamera ─▶ Frame, DMABUF ─▶ V4l2Encoder ─▶ vicodec encoder ─▶ FWHT ─▶ vicodec decoder ─▶ NV12 ─┐
//!                     └──────────────── what the camera made, kept by the test ──────────────────────┴─▶ compared
//! ```
//!
//! What it cannot show: H.264, and the time of a Pi's encoder.
//! Sources: `codec-fwht.c` and `vicodec-core.c` of Linux 7.3; `Documentation/userspace-api/media/v4l/dev-decoder.rst`.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: it says what it measured, and ends at the first thing that is not as it should be"
)]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use spidercar::config::Rotation;
use spidercar::hal::csi::{self, CsiSettings, Turn, Which};
use spidercar::hal::v4l2::border::{Buffer, Device, Devices, Format, FourCc, Memory, Queue};
use spidercar::hal::v4l2::fake::settings as usual;
use spidercar::hal::v4l2::kernel::Mapped;
use spidercar::hal::v4l2::{V4l2Encoder, V4l2Settings, devices};
use spidercar::hal::{Camera, Encoder, Frame};
use spidercar::logic::camera::Controls;
use spidercar::logic::units::Uptime;

const SIZE: (u32, u32) = (1280, 720);
/// NV12 without padding.
const BYTES: usize = 1280 * 720 * 3 / 2;
const FWHT: FourCc = FourCc(*b"FWHT");
/// spec: the least number of buffers that `vicodec` decodes with (`VICODEC_REC_BUFS`).
const BUFFERS: u32 = 2;
/// Pictures a second. choice: few more than an emulated processor can code, so that it makes few that nobody wants.
const RATE: u32 = 8;
/// choice: an emulated processor is some twenty times slower, and may have company.
const PATIENCE: Duration = Duration::from_secs(20);

/// What coding may change in a sample at most.
///
/// A block of 8x8 is eight by eight coefficients, of which each changes a sample by a 64th. In a picture of upright bars
/// only the eight of the first line are not zero. `quantize_intra` drops one whose quarter is at most 20 (so 83 at most),
/// `quantize_inter` one whose eighth is at most 20 (167). Eight times 167 by 64 is 20.9, and the results are rounded. It
/// does not add up over time: the encoder codes the difference to what the decoder has. Two bars side by side differ by at
/// least 25 in luma, so a bar that is one column off would be seen.
const TOLERANCE: u8 = 22;

fn camera() -> Box<dyn Camera> {
    let settings = CsiSettings {
        which: Which::Index(0),
        width: SIZE.0,
        height: SIZE.1,
        fps: RATE,
        turn: Turn {
            rotation: Rotation::Upright,
            flip_horizontal: false,
            flip_vertical: false,
        },
        controls: Controls::default(),
    };
    csi::open(&settings, Arc::default()).expect("the virtual camera")
}

fn settings() -> V4l2Settings {
    V4l2Settings {
        coded: FWHT,
        patience: PATIENCE,
        ..usual()
    }
}

fn source(frame: &Frame) -> &[u8] {
    let pixels = frame.pixels().expect("a driver's buffer");
    assert!(pixels.dmabuf().is_some(), "a dma-buf");
    &pixels.bytes()[..BYTES]
}

/// `vicodec`'s stateful decoder.
struct Decoder {
    device: Box<dyn Device>,
    coded: Vec<Mapped>,
    pictures: Vec<Mapped>,
}

impl Decoder {
    fn open(devices: &Devices) -> Self {
        let (into, out) = (Queue::OutputMplane, Queue::CaptureMplane);
        let takes_fwht = |path: PathBuf| {
            let device = devices.open(&path).expect("a video device");
            let capability = device.capability().expect("a video device");
            let first = device.offer(into, 0).ok().flatten();
            let fits = capability.converts && first.is_some_and(|offer| offer.format == FWHT);
            fits.then_some(device)
        };
        let mut nodes = devices.nodes().expect("video devices").into_iter();
        let device = nodes.find_map(takes_fwht).expect("a decoder");
        let format = |format, stride| Format {
            width: SIZE.0,
            height: SIZE.1,
            format,
            stride,
            bytes: 0,
        };
        device.set_format(into, &format(FWHT, 0)).unwrap();
        let got = device
            .set_format(out, &format(FourCc::NV12, SIZE.0))
            .unwrap();
        assert_eq!(
            (got.format, got.stride, got.height),
            (FourCc::NV12, SIZE.0, SIZE.1)
        );
        let mapped = |queue| -> Vec<Mapped> {
            let count = device.request(queue, Memory::Mmap, BUFFERS).unwrap();
            (0..count)
                .map(|index| device.map(device.place(queue, index).unwrap()).unwrap())
                .collect()
        };
        let (coded, pictures) = (mapped(into), mapped(out));
        let decoder = Self {
            device,
            coded,
            pictures,
        };
        for index in 0..u32::try_from(decoder.pictures.len()).unwrap() {
            decoder.offer(index);
        }
        // With both queues running it goes on where the size in the first header is the one that was set.
        for queue in [into, out] {
            decoder.device.stream(queue, true).unwrap();
        }
        decoder
    }

    /// Gives the driver a buffer for a picture.
    fn offer(&self, index: u32) {
        let buffer = Buffer {
            index,
            length: u32::try_from(self.pictures[0].bytes().len()).unwrap(),
            ..Buffer::default()
        };
        self.device
            .queue(Queue::CaptureMplane, &buffer, None)
            .unwrap();
    }

    /// Decodes a unit and has the picture looked at.
    fn decode(&mut self, unit: &[u8], time: Uptime, look: impl FnOnce(&[u8])) {
        self.coded[0].bytes_mut()[..unit.len()].copy_from_slice(unit);
        let buffer = Buffer {
            index: 0,
            used: u32::try_from(unit.len()).unwrap(),
            length: u32::try_from(self.coded[0].bytes().len()).unwrap(),
            time,
            ..Buffer::default()
        };
        let into = Queue::OutputMplane;
        self.device.queue(into, &buffer, None).unwrap();
        let (mut is_back, mut picture) = (false, None);
        while !is_back || picture.is_none() {
            let ready = self.device.wait(PATIENCE).unwrap();
            assert!(ready.output || ready.capture, "the decoder: {ready:?}");
            if ready.output {
                is_back |= self.device.dequeue(into, Memory::Mmap).unwrap().is_some();
            }
            if ready.capture && picture.is_none() {
                picture = self
                    .device
                    .dequeue(Queue::CaptureMplane, Memory::Mmap)
                    .unwrap();
            }
        }
        let picture = picture.unwrap();
        assert!(!picture.flags.is_error && !picture.flags.is_last);
        assert_eq!(picture.time, time, "the picture is that of the unit");
        let used = usize::try_from(picture.used).unwrap();
        look(&self.pictures[usize::try_from(picture.index).unwrap()].bytes()[..used]);
        self.offer(picture.index);
    }
}

/// The greatest difference of two samples, and the sum of all.
fn differences(one: &[u8], other: &[u8]) -> (u8, u64) {
    assert_eq!((one.len(), other.len()), (BYTES, BYTES));
    let all = one
        .iter()
        .zip(other)
        .map(|(one, other)| one.abs_diff(*other));
    all.fold((0, 0), |(most, sum), by| {
        (most.max(by), sum + u64::from(by))
    })
}

#[test]
#[ignore = "needs libcamera's virtual camera and vicodec: tests/machine/check_libcamera.py"]
fn three_hundred_pictures_are_coded_where_they_are() {
    const FRAMES: u32 = 300;
    let devices = devices();
    let mut camera = camera();
    let mut decoder = Decoder::open(&devices);
    let mut encoder = V4l2Encoder::new(Arc::clone(&devices), settings()).expect("vicodec");
    let (mut most, mut sum, mut bytes) = (0, 0, 0);
    // The time before is the driver's: `vicodec` codes while the picture is queued.
    let mut after = Vec::new();
    let (mut kept, mut spent) = (vec![0; BYTES], Duration::ZERO);
    let started = Instant::now();
    for number in 0..FRAMES {
        let frame = camera.next_frame().expect("a picture");
        kept.copy_from_slice(source(&frame));
        let called = Instant::now();
        let unit = encoder
            .encode(&frame, false)
            .expect("coded")
            .expect("a unit");
        spent += called.elapsed();
        bytes += unit.data().len();
        assert_eq!(unit.captured_at(), frame.captured_at());
        decoder.decode(unit.data(), unit.captured_at(), |picture| {
            let (worst, all) = differences(&kept, picture);
            assert!(
                worst <= TOLERANCE,
                "picture {number}: a sample is {worst} off"
            );
            (most, sum) = (most.max(worst), sum + all);
        });
        after.push(encoder.own_time().after);
    }
    let counts = encoder.counts();
    assert_eq!((counts.imports, counts.copies), (FRAMES.into(), 0));
    assert_eq!((counts.openings, counts.strays), (1, 0));
    after.sort_unstable();
    println!(
        "{FRAMES} pictures in {:.0} s, copies 0, imports {}, {} kB each, {:.0} ms in the driver, worst sample {most} off, \
         mean {} thousandths; unit to caller p99 {} µs, emulated",
        started.elapsed().as_secs_f64(),
        counts.imports,
        bytes / 1000 / usize::try_from(FRAMES).unwrap(),
        spent.as_secs_f64() * 1000.0 / f64::from(FRAMES),
        sum * 1000 / u64::from(FRAMES) / u64::try_from(BYTES).unwrap(),
        after[after.len() * 99 / 100].as_micros(),
    );
}

/// What the process and the kernel hold: file descriptors; dma-bufs, and how often each is held, all together.
fn held() -> (usize, usize, u64) {
    let files = fs::read_dir("/proc/self/fd").expect("proc").count();
    let all = fs::read_to_string("/sys/kernel/debug/dma_buf/bufinfo").expect("debugfs is mounted");
    // spec: `dma_buf_debug_show`: size, flags, mode, count, exporter, inode, name; all but the names are numbers.
    let counts = all.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        fields.next()?.parse::<u64>().ok()?;
        fields.nth(2)?.parse::<u64>().ok()
    });
    (files, counts.clone().count(), counts.sum())
}

#[test]
#[ignore = "needs libcamera's virtual camera and vicodec: tests/machine/check_libcamera.py"]
fn a_hundred_encoders_leave_no_buffer_and_no_file_open() {
    let devices = devices();
    let mut camera = camera();
    let mut once = || {
        let mut encoder = V4l2Encoder::new(Arc::clone(&devices), settings()).expect("vicodec");
        let frame = camera.next_frame().expect("a picture");
        let unit = encoder.encode(&frame, false).expect("coded");
        assert!(unit.is_some_and(|unit| !unit.data().is_empty()));
        assert_eq!((encoder.counts().imports, encoder.counts().copies), (1, 0));
        encoder
    };
    drop(once()); // what libraries keep for good
    let before = held();
    for _ in 0..100 {
        let encoder = once();
        let (files, _, holders) = held();
        assert!(
            files > before.0 && holders > before.2,
            "an open encoder holds both"
        );
        drop(encoder);
    }
    let after = held();
    println!(
        "100 openings of the encoder: files, dma-bufs and their holders {before:?}, then {after:?}"
    );
    assert_eq!(before, after);
}
