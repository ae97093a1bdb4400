//! The scene: whole, in range, and on the side that is steered.

use super::*;
use crate::hal::Frame;
use crate::hal::frame::Chroma;
use crate::logic::units::{Steering, Throttle};

fn drawn(width: u32, height: u32, motion: &Motion, micros: u64) -> Frame {
    let mut frame = Frame::new(width, height).unwrap();
    // A value that no colour of the scene has, to find pixels that were left out.
    let planes = frame.planes_mut().unwrap();
    planes.y.fill(1);
    planes.u.fill(1);
    planes.v.fill(1);
    let mut picture = Picture::new(width, height);
    picture.draw(
        &mut Canvas::new(&mut frame).unwrap(),
        Uptime::from_micros(micros),
        7,
        motion,
    );
    frame
}

/// The chroma planes of a drawn frame, and their stride.
fn chroma(frame: &Frame) -> (&[u8], &[u8], usize) {
    match frame.chroma() {
        Chroma::Planar { u, v, stride } => (u, v, stride),
        Chroma::Interleaved { .. } => panic!("drawn frames are planar"),
    }
}

fn driven(throttle: i32, steering: i32, seconds: u64) -> Motion {
    let mut motion = Motion::default();
    for step in 0..seconds * 30 {
        motion.step(
            Uptime::from_micros(step * 33_333),
            Throttle::saturating(throttle),
            Steering::saturating(steering),
        );
    }
    motion
}

#[test]
fn every_pixel_is_painted_at_every_size_and_in_every_bend() {
    for (width, height) in [(160, 120), (162, 122), (320, 240), (854, 480), (1920, 1080)] {
        for steering in [-1000, -300, 0, 300, 1000] {
            for throttle in [-1000, 0, 1000] {
                let motion = driven(throttle, steering, 3);
                let frame = drawn(width, height, &motion, u64::MAX);
                let (u, v, _) = chroma(&frame);
                let planes = [frame.y(), u, v].concat();
                assert!(
                    !planes.contains(&1),
                    "{width}x{height} {throttle} {steering}"
                );
            }
        }
    }
}

#[test]
fn luma_stays_in_limited_range() {
    let frame = drawn(640, 480, &driven(500, 200, 2), 1_500_000);
    assert!(frame.y().iter().all(|luma| (16..=235).contains(luma)));
}

#[test]
fn the_road_bends_to_the_side_that_is_steered() {
    // The road is grey and the grass is not: where is the grey in a line well below the horizon?
    let middle_of_road = |steering| {
        let frame = drawn(640, 480, &driven(300, steering, 2), 0);
        let line = 480 * 52 / 100 / 2;
        let (_, v, stride) = chroma(&frame);
        let chroma = v.chunks(stride).nth(line).unwrap();
        let grey = (0..).zip(chroma).filter(|(_, v)| v.abs_diff(128) < 4);
        let (sum, count) = grey.fold((0, 0), |(sum, count), (x, _)| (sum + x, count + 1));
        sum / count.max(1)
    };
    let (left, straight, right) = (middle_of_road(500), middle_of_road(0), middle_of_road(-500));
    assert!(
        left < straight && straight < right,
        "{left} {straight} {right}"
    );
}

#[test]
fn a_car_at_rest_sees_only_clock_and_clouds_move() {
    let motion = Motion::default();
    let (first, second) = (
        drawn(320, 240, &motion, 0),
        drawn(320, 240, &motion, 500_000),
    );
    let ground = 320 * 120;
    assert_eq!(first.y().get(ground..), second.y().get(ground..));
    assert_ne!(first.y(), second.y());
}
