//! The ladder on machines of every speed: it ends where the machine can keep up, and does not swing.

use super::*;

const PERIOD: Duration = Duration::from_micros(33_333);

/// A machine that needs so long for a full frame, from a given second on.
struct World {
    ladder: Ladder,
    now: Uptime,
    changes: Vec<(u64, Rung)>,
}

impl World {
    fn new() -> Self {
        Self {
            ladder: Ladder::new(PERIOD),
            now: Uptime::ZERO,
            changes: Vec::new(),
        }
    }

    fn run(&mut self, seconds: u64, full: Duration) -> Rung {
        let end = self.now.after(Duration::from_secs(seconds));
        while self.now < end {
            let (cost, frames) = match self.ladder.rung() {
                Rung::Full => (full, 1),
                Rung::Half => (full / 4, 1),
                Rung::HalfRate => (full / 4, 2),
            };
            // Frames come at the camera's pace, or later where the encoder is busy.
            self.now = self.now.after((PERIOD * frames).max(cost));
            if let Some(rung) = self.ladder.coded(self.now, cost) {
                self.changes.push((self.now.as_micros() / 1_000_000, rung));
            }
        }
        self.ladder.rung()
    }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn every_machine_ends_where_it_can_keep_up() {
    for (full_ms, rung) in [
        (5, Rung::Full),
        (29, Rung::Full),
        (31, Rung::Half),
        (100, Rung::Half),
        (125, Rung::HalfRate),
        (230, Rung::HalfRate),
        (1000, Rung::HalfRate),
    ] {
        let mut world = World::new();
        assert_eq!(world.run(20, ms(full_ms)), rung, "{full_ms} ms a frame");
    }
}

#[test]
fn a_slow_machine_steps_down_within_two_seconds() {
    let mut world = World::new();
    world.run(10, ms(60));
    let (second, rung) = world.changes[0];
    assert!(second <= 2 && rung == Rung::Half, "{:?}", world.changes);
    assert_eq!(world.changes.len(), 1);
}

#[test]
fn after_a_moment_of_load_it_goes_all_the_way_back() {
    let mut world = World::new();
    assert_eq!(world.run(5, ms(300)), Rung::HalfRate);
    assert_eq!(world.run(30, ms(10)), Rung::Full);
    assert!(world.changes.len() == 4, "{:?}", world.changes);
}

#[test]
fn a_forecast_that_forbids_a_step_up_holds_it_back_for_ever() {
    // 24 ms at full size: it would fit, but not with room for a harder scene.
    let mut world = World::new();
    world.run(5, ms(40));
    assert_eq!(world.run(600, ms(24)), Rung::Half);
}

#[test]
fn a_step_up_that_is_taken_back_is_tried_ever_more_seldom() {
    let mut world = World::new();
    // Half size looks easy (20 ms forecast), full size is not (35 ms): as with a cache that is too small.
    let mut now = Uptime::ZERO;
    let mut rises = Vec::new();
    while now < Uptime::ZERO.after(Duration::from_secs(1800)) {
        let cost = match world.ladder.rung() {
            Rung::Full => ms(35),
            Rung::Half | Rung::HalfRate => ms(5),
        };
        now = now.after(PERIOD.max(cost));
        if world.ladder.coded(now, cost) == Some(Rung::Full) {
            rises.push(now);
        }
    }
    let waits: Vec<u64> = rises
        .windows(2)
        .map(|pair| pair[1].since(pair[0]).as_secs())
        .collect();
    assert!(waits.is_sorted(), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 310), "{waits:?}");
    assert!((6..=12).contains(&rises.len()), "{} rises", rises.len());
}

#[test]
fn one_long_frame_changes_nothing() {
    let mut world = World::new();
    world.run(5, ms(10));
    assert_eq!(world.ladder.coded(world.now, ms(400)), None);
    assert_eq!(world.run(30, ms(10)), Rung::Full);
    assert_eq!(world.changes, []);
}

#[test]
fn codes_are_different() {
    let codes = [Rung::Full, Rung::Half, Rung::HalfRate].map(Rung::code);
    assert_eq!(codes, [0, 1, 2]);
}
