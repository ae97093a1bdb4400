//! From a camera's frame to the payloads of its packets: no heap once it runs, and how long it takes.
//!
//! The same steps as `app::video`, `app::coder` and `app::outlet` take: encode, copy out of the encoder's memory, cut into
//! payloads. The allocator of this test counts the calls of its own thread; OpenH264 is C++ and asks elsewhere.

#![allow(
    clippy::print_stdout,
    reason = "figures are for a person who runs it with --nocapture"
)]

#[path = "harness/counting.rs"]
mod counting;

use std::sync::Arc;
use std::time::{Duration, Instant};

use counting::calls;
use spidercar::app::calls::{Calls, Needed};
use spidercar::app::coder::{Coder, Done};
use spidercar::app::parts::MakeEncoder;
use spidercar::hal::Camera;
use spidercar::hal::openh264::{OpenH264Encoder, OpenH264Settings};
use spidercar::hal::sim::{SimCamera, SimCameraSettings, SimView};
use spidercar::logic::backoff::Reopening;
use spidercar::logic::units::{Kbps, Uptime};
use spidercar::net::h264::Packetizer;

const FPS: u32 = 60;
/// Until the encoder is open, and the largest unit so far, an IDR, has been seen twice.
const SETTLING: u32 = 40;
const FRAMES: u32 = 300;

/// A picture later than the one before by a frame time, so that the ladder has nothing to say.
fn at(number: u32) -> Uptime {
    Uptime::from_micros(10_000_000 + u64::from(number) * 16_667)
}

#[test]
fn a_frame_costs_no_allocation_from_the_camera_to_its_packets() {
    let settings = SimCameraSettings {
        width: 640,
        height: 360,
        fps: FPS,
    };
    let mut camera =
        SimCamera::open(settings, Arc::new(SimView::default())).expect("a size in range");
    let mut make: MakeEncoder = Box::new(|| {
        let encoder = OpenH264Encoder::new(OpenH264Settings {
            fps: FPS,
            bitrate: Kbps::new(1500),
            threads: 1,
        })?;
        Ok(Box::new(encoder))
    });
    let row = Calls::default().row("video", Needed::ToDrive);
    let mut reopening = Reopening::new();
    let mut coder = Coder::new(
        &mut make,
        &mut reopening,
        &row,
        Duration::from_secs(1) / FPS,
    );
    let mut packetizer = Packetizer::default();
    let (mut allocations, mut pictures, mut packets) = (0, 0_u32, 0);
    let mut cut = Vec::with_capacity(FRAMES as usize);
    for number in 0..SETTLING + FRAMES {
        let mut frame = camera.next_frame().expect("the simulated camera works");
        frame.set_capture(at(number), number);
        let wants_key = number % 20 == 0;
        let target = Kbps::new(1500 + number % 3 * 200);
        let before = calls();
        let done = coder.code(at(number), &frame, target, wants_key);
        let Ok(Done::Coded(_, Some(unit))) = done else {
            continue; // the rate allowed no picture
        };
        let started = Instant::now();
        let payloads = packetizer.packetize(&unit.data);
        let spent = started.elapsed();
        let count = payloads.count();
        if number >= SETTLING {
            allocations += calls() - before;
            pictures += 1;
            packets += count;
            cut.push(spent);
        }
    }
    cut.sort_unstable();
    println!(
        "{pictures} pictures, {packets} packets, {allocations} allocations; cut into packets: p50 {:?} max {:?}",
        cut.get(cut.len() / 2),
        cut.last(),
    );
    assert!(
        pictures > FRAMES * 9 / 10,
        "{pictures} of {FRAMES} were coded"
    );
    assert!(packets > pictures as usize, "no picture took two packets");
    assert_eq!(allocations, 0);
}
