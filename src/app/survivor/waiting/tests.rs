//! The survivor at a real pipe: every end of a car's program, with outputs that note what they are given.

use std::cell::RefCell;
use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, pipe_with};

use super::super::Lifeline;
use super::*;
use crate::app::pulse::Pulse;
use crate::logic::units::{PulseWidth, Uptime};

type Written = Vec<(Option<Setpoint>, Cause)>;

fn neutral(throttle: u32) -> Setpoint {
    Setpoint {
        throttle: PulseWidth::saturating(throttle),
        steering: PulseWidth::saturating(1500),
    }
}

fn pipe() -> (OwnedFd, Lifeline) {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
    (read, Lifeline(write))
}

/// What is written until it ends, when the first `refused` writes fail.
fn writes(read: &OwnedFd, refused: usize) -> (Result<(), Fatal>, Written) {
    let writes = RefCell::new(Written::new());
    let write = |told, cause| {
        writes.borrow_mut().push((told, cause));
        if writes.borrow().len() <= refused {
            return Err(Fatal::new(Exit::HardwareMissing, "no answer"));
        }
        Ok(())
    };
    let ended = outlive(&mut Line::new(read.as_fd()), write, |_| ());
    (ended, writes.into_inner())
}

#[test]
fn the_newest_neutral_is_written_when_the_program_is_gone() {
    let (read, lifeline) = pipe();
    lifeline.tell(neutral(1500));
    lifeline.tell(neutral(1510));
    drop(lifeline);
    let (ended, writes) = writes(&read, 0);
    ended.unwrap();
    assert_eq!(writes, [(Some(neutral(1510)), Cause::Exit)]);
}

#[test]
fn nothing_is_written_after_a_good_end() {
    let (read, lifeline) = pipe();
    lifeline.tell(neutral(1500));
    lifeline.over();
    drop(lifeline);
    let (ended, writes) = writes(&read, 0);
    ended.unwrap();
    assert_eq!(writes, []);
}

#[test]
fn an_end_that_could_not_write_neutral_is_no_good_one() {
    for is_neutral in [false, true] {
        let (read, lifeline) = pipe();
        let pulse = Pulse::new(Uptime::ZERO, neutral(1500));
        pulse.has_survivor(lifeline);
        pulse.tell(Uptime::from_micros(1_000_000));
        pulse.end(is_neutral);
        drop(pulse);
        let (ended, writes) = writes(&read, 0);
        ended.unwrap();
        let wanted = (!is_neutral).then_some((Some(neutral(1500)), Cause::Exit));
        assert_eq!(writes, Vec::from_iter(wanted));
    }
}

#[test]
fn a_program_that_never_told_leaves_the_configurations_neutral() {
    let (read, lifeline) = pipe();
    drop(lifeline);
    let (ended, writes) = writes(&read, 0);
    ended.unwrap();
    assert_eq!(writes, [(None, Cause::Exit)]);
}

#[test]
fn silence_is_neutral_once_the_program_has_told() {
    let (read, lifeline) = pipe();
    let mut line = Line::new(read.as_fd());
    assert_eq!(line.hear(Duration::from_millis(1)).unwrap(), Heard::Nothing);
    lifeline.tell(neutral(1500));
    let writes = RefCell::new(Written::new());
    // It goes on after three silences, and ends well.
    let ended = outlive(
        &mut line,
        |told, cause| {
            writes.borrow_mut().push((told, cause));
            if writes.borrow().len() == 3 {
                lifeline.tell(neutral(1500));
                lifeline.over();
            }
            Ok(())
        },
        |_| (),
    );
    ended.unwrap();
    let wanted = (Some(neutral(1500)), Cause::ControlStalled);
    assert_eq!(writes.into_inner(), [wanted; 3]);
}

#[test]
fn a_refused_neutral_is_tried_again_and_not_for_ever() {
    for (refused, tries) in [(3, 4), (usize::MAX, 20)] {
        let (read, lifeline) = pipe();
        lifeline.tell(neutral(1500));
        drop(lifeline);
        let (ended, writes) = writes(&read, refused);
        assert_eq!(ended.is_ok(), refused == 3);
        assert_eq!(writes.len(), tries);
    }
}

#[test]
fn half_a_message_waits_for_its_other_half() {
    let (read, lifeline) = pipe();
    let [a, b, c, d] = super::super::message(neutral(1510));
    let (read_half, write_half) = (read, lifeline);
    rustix::io::write(&write_half.0, &[a, b, c]).unwrap();
    let mut line = Line::new(read_half.as_fd());
    assert_eq!(line.hear(Duration::from_millis(1)).unwrap(), Heard::Nothing);
    rustix::io::write(&write_half.0, &[d]).unwrap();
    assert_eq!(line.hear(Duration::from_millis(1)).unwrap(), Heard::Alive);
    assert_eq!(line.told, Some(neutral(1510)));
}
