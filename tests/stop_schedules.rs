//! Ten thousand random schedules: neutral never too late, never too early, and never a motion by a command that is stale,
//! replayed or somebody else's.
//!
//! Loss, delay, duplication, reordering, queues that burst, frozen viewers, blocked event loops, a frozen or late control
//! thread, clock jumps, lease fights, an eavesdropper who replays, faults, restarts; and in a quarter of all motion an
//! output is tuned, and now and then another calibration saved. `SEED=n` runs one again; `SCHEDULES=n` runs another number.

#![expect(
    clippy::struct_excessive_bools,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a model of a bad world, read from top to bottom; a test fails by panicking"
)]

mod schedules {
    pub mod car;
    pub mod oracle;
    pub mod rng;
    pub mod tuning;
    pub mod world;
}

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use schedules::car::Car;
use schedules::oracle::Oracle;
use schedules::world::World;
use spidercar::logic::drive::Reverse;

/// The usual car: an ESC that has to brake before it reverses.
fn config() -> Car {
    let reverse = Reverse::Esc {
        brake: Duration::from_millis(150),
        neutral: Duration::from_millis(100),
    };
    Car::new(reverse, 1500)
}

/// What one schedule showed.
#[derive(Default)]
struct Shown {
    to_neutral: Vec<u64>,
    moving: u64,
    refused: u64,
    arms: u64,
    tuned: u64,
    granted: u64,
}

fn run(seed: u64, config: &Car) -> Shown {
    let mut oracle = Oracle::new(config);
    let ran = catch_unwind(AssertUnwindSafe(|| {
        World::new(seed, config).run(&mut oracle);
    }));
    assert!(
        ran.is_ok(),
        "SEED={seed} breaks a promise; the message above says which"
    );
    Shown {
        to_neutral: oracle.to_neutral,
        moving: oracle.moving,
        refused: oracle.refused,
        arms: oracle.arms,
        tuned: oracle.pulses.tuned,
        granted: oracle.pulses.granted,
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "the figures are for the note of whoever runs it with --nocapture"
)]
fn ten_thousand_schedules_break_no_promise() {
    let config = config();
    if let Some(seed) = number("SEED") {
        run(seed, &config);
        return;
    }
    let schedules = number("SCHEDULES").unwrap_or(10_000);
    let workers = thread::available_parallelism().map_or(2, usize::from);
    let mut all = Shown::default();
    thread::scope(|scope| {
        let running: Vec<_> = (0..)
            .take(workers)
            .map(|worker| {
                let config = &config;
                scope.spawn(move || {
                    (worker..schedules)
                        .step_by(workers)
                        .map(|seed| run(seed, config))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        for worker in running {
            for shown in worker.join().expect("the message is above") {
                all.to_neutral.extend(shown.to_neutral);
                (all.moving, all.refused, all.arms) = (
                    all.moving + shown.moving,
                    all.refused + shown.refused,
                    all.arms + shown.arms,
                );
                (all.tuned, all.granted) = (all.tuned + shown.tuned, all.granted + shown.granted);
            }
        }
    });
    all.to_neutral.sort_unstable();
    let at = |permille: usize| all.to_neutral[(all.to_neutral.len() - 1) * permille / 1000] / 1000;
    println!(
        "{schedules} schedules: {} drives begun, {} moving steps, {} commands refused as they had to be;\n\
         {} steps with a tuned pulse, {} calibrations changed;\n\
         last good command to neutral, of a driver who fell silent: n {}, min {} ms, p50 {} ms, p99 {} ms, max {} ms",
        all.arms,
        all.moving,
        all.refused,
        all.tuned,
        all.granted,
        all.to_neutral.len(),
        at(0),
        at(500),
        at(990),
        at(1000)
    );
    // A test in which nothing happened would prove nothing.
    assert!(all.arms > schedules && all.moving > 100 * schedules && all.refused > schedules);
    assert!(all.tuned > 10 * schedules && all.granted > schedules / 10);
    assert!(u64::try_from(all.to_neutral.len()).is_ok_and(|count| count > schedules / 10));
}
