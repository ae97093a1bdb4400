//! Every state that the vehicle can reach, and in none of them does it move without a fresh command of who may drive.
//!
//! A model check of the code itself: the real `Vehicle`, explored breadth first from power-on over every sequence of what
//! can happen to it. Two states that behave the same from here on count as one, so the exploration ends.
//!
//! ```text
//!   state (vehicle, what really happened) ── each action ──▶ intent ─▶ vehicle.step ─▶ invariants ─▶ new? ─▶ queue
//! ```
//!
//! Modelled: two drivers with a lease each, an old app, their commands (neutral, forward, a pulse for the ESC; fresh, stale,
//! replayed), `arm` (fresh, replayed), reports of a good, an old and a too old picture, another calibration saved and taken back (fresh, stale, replayed), `stop`, release, request of a hand-over, somebody without an id, link down and up, a flicker of it, a
//! fault of camera and outputs, a late control thread, and time in steps of 100 ms, up to the longest time that matters.
//! Not modelled: reverse, slew and pace (drive has tests of its own), clocks that drift or are set (`stop_schedules`), more
//! than two drivers, the tighter stop of a steady old app (it stops earlier), messages that overtake each other within one step, the end of a lease or of a request by anything but a
//! wait in which nothing else happens, threads and pins.

#![expect(
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it explored"
)]

mod schedules {
    pub mod car;
}

mod reach {
    pub mod model;
}

use std::collections::HashSet;

use reach::model::{Action, Kind, Model, Word, config};
use spidercar::logic::failsafe::Health;
use spidercar::logic::wire::Want;

/// Explores all that these actions can lead to, or as deep as is said, and says how much that was.
fn explore(name: &str, actions: &[Action], deepest: u32) {
    let config = config();
    let start = Model::new(&config);
    let mut known = HashSet::from([start.key()]);
    let mut frontier = vec![start];
    let (mut steps, mut depth, mut moving) = (0_u64, 0_u32, 0_u64);
    while !frontier.is_empty() && depth < deepest {
        let mut next = Vec::new();
        for state in &frontier {
            for action in actions {
                let reached = state.after(*action, &config);
                steps += 1;
                if known.insert(reached.key()) {
                    moving += u64::from(reached.moves());
                    next.push(reached);
                }
            }
        }
        depth += 1;
        if std::env::var("PROGRESS").is_ok() {
            println!("{name} {depth} {}", known.len());
        }
        frontier = next;
        assert!(
            known.len() < 3_000_000,
            "{name}: no end in sight at depth {depth}"
        );
    }
    println!(
        "{name}: {} states, {moving} of them moving, {steps} steps, {depth} deep, {}",
        known.len(),
        if frontier.is_empty() {
            "and no more"
        } else {
            "where it was cut off"
        }
    );
    assert!(moving > 0, "a car that never moves proves nothing");
}

const fn drive(who: usize, throttle: i32, kind: Kind) -> Action {
    let word = Word::Throttle(throttle);
    Action::Drive { who, word, kind }
}

const fn tune(who: usize, micros: u16, kind: Kind) -> Action {
    let word = Word::Tune(micros);
    Action::Drive { who, word, kind }
}

/// What one driver can do.
fn driver(who: usize) -> [Action; 4] {
    [
        drive(who, 0, Kind::Fresh),
        drive(who, 700, Kind::Fresh),
        Action::Arm {
            who,
            kind: Kind::Fresh,
        },
        Action::Want {
            who,
            want: Want::Release,
        },
    ]
}

const TIME: [Action; 2] = [Action::Wait, Action::LongWait];

#[test]
fn one_driver_and_everything_that_can_go_wrong() {
    let good = Health::GOOD.bits();
    let late = Health {
        control_late: true,
        ..Health::GOOD
    }
    .bits();
    let outputs = Health {
        actuator_ok: false,
        ..Health::GOOD
    }
    .bits();
    let mut actions = vec![
        Action::Stop,
        Action::Link(true),
        Action::Link(false),
        Action::Flicker,
        Action::Nobody,
    ];
    actions.extend(TIME);
    actions.extend(driver(0));
    actions.extend([good, late, outputs].map(Action::Health));
    actions.extend([
        drive(0, 700, Kind::Replayed),
        drive(0, 700, Kind::Stale),
        Action::Arm {
            who: 0,
            kind: Kind::Replayed,
        },
        Action::Arm {
            who: 0,
            kind: Kind::Stale,
        },
    ]);
    explore(
        "one driver and everything that can go wrong",
        &actions,
        u32::MAX,
    );
}

#[test]
fn a_driver_who_tunes_and_everything_that_can_go_wrong() {
    let good = Health::GOOD.bits();
    let outputs = Health {
        actuator_ok: false,
        ..Health::GOOD
    }
    .bits();
    let mut actions = vec![Action::Stop, Action::Link(true), Action::Flicker];
    actions.extend(TIME);
    actions.extend(driver(0));
    actions.extend([good, outputs].map(Action::Health));
    // Two steps of the slew rate.
    actions.extend([Kind::Fresh, Kind::Stale, Kind::Replayed].map(|kind| tune(0, 1_510, kind)));
    explore(
        "a driver who tunes and everything that can go wrong",
        &actions,
        u32::MAX,
    );
}

#[test]
fn a_driver_who_reports_its_picture() {
    let mut actions = vec![Action::Stop, Action::Link(true), Action::Flicker];
    actions.extend(TIME);
    actions.extend(driver(0));
    actions.extend([0, 400, 501].map(|age_ms| Action::View { who: 0, age_ms }));
    // Of somebody else it says nothing.
    actions.push(Action::View {
        who: 1,
        age_ms: 501,
    });
    // Eleven are an arm, a drive, a good report, a too old one, an arm again and a drive, with five waits.
    explore("a driver who reports its picture", &actions, 11);
}

#[test]
fn a_driver_who_saves() {
    let mut actions = vec![Action::Stop, Action::Link(true)];
    actions.extend(TIME);
    actions.extend(driver(0));
    actions.push(tune(0, 1_505, Kind::Fresh));
    for kind in [Kind::Fresh, Kind::Stale, Kind::Replayed] {
        let (who, save) = (0, true);
        actions.push(Action::Change { who, save, kind });
    }
    let (kind, save) = (Kind::Fresh, false);
    actions.push(Action::Change { who: 0, save, kind });
    // Twelve are an arm, a tuning, a save, a release, an arm again, a drive and a stop, with five waits.
    explore("a driver who saves", &actions, 12);
}

#[test]
fn a_driver_and_the_old_app() {
    let mut actions = vec![Action::Stop, Action::Link(true), Action::Link(false)];
    actions.extend(TIME);
    actions.extend(driver(0));
    actions.extend([0, 7_000].map(|milli_steps| Action::Legacy { milli_steps }));
    explore("a driver and the old app", &actions, u32::MAX);
}

#[test]
fn two_drivers_and_a_hand_over() {
    let mut actions = vec![
        Action::Stop,
        Action::Link(true),
        Action::Want {
            who: 1,
            want: Want::HandOver,
        },
    ];
    actions.extend(TIME);
    actions.extend(driver(0));
    actions.extend(driver(1));
    // Nine steps are an arm, a drive, a request, a release, an arm of the other and a drive of his, with three waits.
    explore("two drivers and a hand-over", &actions, 9);
}
