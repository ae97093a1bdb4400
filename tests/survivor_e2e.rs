//! A car that dies while it is driven, however it dies: neutral comes from a process that parsed nothing, on each kind of output.
//!
//! Every way of dying here is one that runs no line of the car's own; `scripts/stop-runs.sh` has the figures of the simulated
//! car, an overflow of its stack and an end of its memory among them. `SPIDERCAR_DEATHS=20` does each of these 20 times and
//! holds the longest against the limit. Needs root (mount namespaces of `harness::board`).

#![allow(clippy::print_stdout, reason = "it says how long each took")]

mod harness;

use std::time::{Duration, Instant};

use harness::board::{Board, Model, User};
use harness::{
    Car, Folder, Operator, PATIENCE, Program, SMALL, full_pipe, last_write, signal, until,
};

/// Last pulse to neutral: design figure F1.
const LIMIT: Duration = Duration::from_millis(250);

/// Steering and throttle at once, no slew: each command is one change.
const AT_ONCE: [&str; 2] = [
    "drive.throttle_slew_permille_per_s=0",
    "failsafe.slow_permille=1000",
];

/// How a car dies.
#[derive(Clone, Copy, Debug)]
enum Death {
    /// Killed, as by the kernel that is out of memory.
    Kill,
    /// A wild pointer, or a stack that overflowed. Rust's handler lets the first one pass, for no guard page was touched.
    Segv,
    /// A library that gives up.
    Abort,
    /// It does not die, and does not go on either.
    Stop,
}

const DEATHS: [Death; 4] = [Death::Kill, Death::Segv, Death::Abort, Death::Stop];

impl Death {
    async fn comes_to(self, car: &Program) -> Instant {
        let at = Instant::now();
        match self {
            Self::Kill => car.signal("-KILL"),
            Self::Abort => car.signal("-ABRT"),
            Self::Stop => car.signal("-STOP"),
            Self::Segv => {
                car.signal("-SEGV");
                until("no handler", || !car.catches(11)).await; // SIGSEGV
                car.signal("-SEGV");
            }
        }
        at
    }
}

/// One kind of output, and how it is seen to move and to be at neutral.
struct Output {
    name: &'static str,
    model: Model,
    user: User,
    sets: &'static [&'static str],
    throttle_ns: fn(&Board) -> Option<u64>,
    neutral_ns: u64,
}

const OUTPUTS: [Output; 4] = [
    Output {
        name: "hardware PWM, Pi 4",
        model: Model::Pi4,
        user: User::Service,
        sets: &["drive.output=pwm"],
        throttle_ns: |board| Some(board.duty(0)),
        neutral_ns: 1_500_000,
    },
    Output {
        name: "hardware PWM, Pi 5",
        model: Model::Pi5,
        user: User::Maker,
        sets: &["drive.output=pwm"],
        throttle_ns: |board| Some(board.duty(2)),
        neutral_ns: 1_500_000,
    },
    Output {
        name: "PCA9685",
        model: Model::Pi4,
        user: User::Service,
        sets: &["drive.output=pca9685"],
        throttle_ns: chip_throttle_ns,
        neutral_ns: 1_497_395, // 368 of 4096 parts at 60 Hz
    },
    Output {
        name: "H-bridge",
        model: Model::Zero2W,
        user: User::Service,
        sets: &[
            "drive.output=hbridge",
            "drive.reverse=direct",
            "hbridge.forward_pin=23",
            "hbridge.reverse_pin=24",
        ],
        throttle_ns: |board| Some(board.duty(0)),
        neutral_ns: 0,
    },
];

/// The throttle's pulse that the chip got last, at 60 Hz: `i2c 40 06 ON ON OFF OFF ...`.
fn chip_throttle_ns(board: &Board) -> Option<u64> {
    let writes = board.writes();
    let last = writes
        .iter()
        .rev()
        .find_map(|line| line.strip_prefix("i2c 40 06 "))?;
    let byte = |at: usize| u64::from_str_radix(last.get(at * 3..at * 3 + 2)?, 16).ok();
    let parts = byte(3)? << 8 | byte(2)?;
    Some(parts * 1_000_000_000 / 60 / 4096)
}

/// How often each is done: twenty times for figures.
fn rounds() -> usize {
    std::env::var("SPIDERCAR_DEATHS").map_or(1, |text| text.parse().expect("a number"))
}

/// Prints the figures; holds the longest against the limit where there are enough of them to be some.
fn judged(what: &str, mut took: Vec<Duration>) {
    took.sort();
    let ms = |took: &Duration| took.as_secs_f64() * 1000.0;
    let (Some(p50), Some(max)) = (took.get(took.len() / 2), took.last()) else {
        panic!("{what}: nothing was measured");
    };
    println!(
        "{what:<32} n {:>2}  p50 {:6.1}  max {:6.1} ms to neutral",
        took.len(),
        ms(p50),
        ms(max)
    );
    assert!(
        took.len() < 20 || *max <= LIMIT,
        "{what}: {:.1} ms",
        ms(max)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_of_a_pi_are_neutral_soon_after_the_cars_death() {
    for output in OUTPUTS {
        for death in DEATHS {
            let mut took = Vec::new();
            while took.len() < rounds() {
                took.push(dies(&output, death).await);
            }
            judged(&format!("{}, {death:?}", output.name), took);
        }
    }
}

async fn dies(output: &Output, death: Death) -> Duration {
    let mut board = Board::new("survivor", output.model);
    board.user = output.user;
    let sets: Vec<&str> = AT_ONCE.iter().chain(output.sets).copied().collect();
    let car = board.car(&sets);
    let mut operator = Operator::connect(&car.url()).await;
    let throttle = || (output.throttle_ns)(&board);
    let moves = || throttle().is_some_and(|now| now > output.neutral_ns + 100_000);
    operator.take_over().await;
    operator.drive_until(800, "a car that moves", moves).await;
    let at = death.comes_to(&car).await;
    let neutral = || throttle().is_some_and(|now| now.abs_diff(output.neutral_ns) < 2_000);
    // Not by `until`, whose looks are 5 ms apart.
    while !neutral() {
        assert!(
            at.elapsed() < PATIENCE,
            "{}, {death:?}: {:?}",
            output.name,
            throttle()
        );
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
    at.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_survivor_is_ended_by_no_signal_that_asks_and_replaced_when_it_is_killed() {
    let car = Car::local("replaced", &[]);
    until("a survivor", || car.program.survivor().is_some()).await;
    let first = car.program.survivor().expect("seen");
    // What a service manager and a terminal send to all of them.
    for name in ["-TERM", "-INT", "-HUP"] {
        signal(first, name);
    }
    car.program.kill_survivor().await;
    until("another survivor", || {
        car.program.survivor().is_some_and(|now| now != first)
    })
    .await;
    let mut operator = Operator::connect(&car.program.url()).await;
    operator.move_off(&car).await;
    car.program.signal("-KILL");
    car.until_neutral().await;
    car.program.logged("neutral was written for it").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_end_takes_its_survivor_along_and_writes_nothing_more() {
    let mut car = Car::local("orderly", &[]);
    until("a survivor", || car.program.survivor().is_some()).await;
    let survivor = car.program.survivor().expect("seen");
    let mut operator = Operator::connect(&car.program.url()).await;
    operator.move_off(&car).await;
    car.program.signal("-TERM");
    assert_eq!(car.program.wait(), Some(0), "{}", car.program.tail());
    let folder = format!("/proc/{survivor}");
    until("an end of the survivor", || {
        !std::path::Path::new(&folder).exists()
    })
    .await;
    let last = car.last().expect("there are writes");
    assert_eq!((last.throttle_us, last.cause.as_str()), (1500, "exit"));
    assert!(
        !car.program.text().contains("is gone"),
        "{}",
        car.program.tail()
    );
}

/// A line of the survivor's own about the first silence once held it for good: the car was then killed, and stayed at speed.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_does_not_hold_a_survivor() {
    let folder = Folder::new("unread-survivor");
    let (pipe, actuators) = (folder.file("pipe"), folder.file("actuators.jsonl"));
    let _held = full_pipe(&pipe);
    let log = format!("sim.actuator_log={}", actuators.display());
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", r#"exec "$@" 2>"$0""#])
        .arg(&pipe)
        .args([env!("CARGO_BIN_EXE_spidercar"), "run", "--set", &log])
        .args(["--set", "local.port=0", "--set", "local.tls_port=0"])
        .args(SMALL);
    let program = Program::listening(command, &folder, "car");
    let throttle = || last_write(&actuators).map_or(0, |last| last.throttle_us);
    let mut operator = Operator::connect(&program.url()).await;
    for name in ["-STOP", "-KILL"] {
        operator.take_over().await;
        let moves = || throttle() > 1540;
        operator.drive_until(400, "the car to move", moves).await;
        program.signal(name);
        until("neutral by the survivor", || throttle() == 1500).await;
        if name == "-STOP" {
            program.signal("-CONT");
        }
    }
}
