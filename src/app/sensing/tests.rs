//! Made-up sensors that work, fail, hang and panic; and what the rest of the car is told of it.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::*;
use crate::hal::sensor::{LapEvent, Power};
use crate::logic::failsafe::{Cause, Refusals, State};
use crate::logic::lap::{Pin, Pins};
use crate::logic::units::Uptime;

fn board() -> Arc<Board> {
    let board = Board::at_rest(&crate::config::built_in());
    let status = board.status().expect("nobody writes it meanwhile");
    assert_eq!(
        (status.state, status.cause),
        (State::Disarmed, Cause::Start)
    );
    board
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(20), "never: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

// ---- laps ----

/// What a made-up lap sensor does next.
#[derive(Clone, Copy, Debug)]
enum Does {
    Over(bool),
    Hold(u64),
    Lose(u32),
    Fail,
    Panic,
}

/// A script that is shared by all the sensors that are opened one after the other, and counts them.
#[derive(Clone, Default)]
struct Script {
    steps: Arc<Mutex<VecDeque<Does>>>,
    is_over: Arc<AtomicBool>,
    opened: Arc<std::sync::atomic::AtomicU32>,
}

impl Script {
    fn new(steps: &[Does]) -> Self {
        let script = Self::default();
        script.add(steps);
        script
    }

    fn add(&self, steps: &[Does]) {
        let mut all = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(steps);
    }

    fn next(&self) -> Option<Does> {
        let mut all = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        all.pop_front()
    }

    fn part(&self) -> LapPart {
        let script = self.clone();
        LapPart {
            open: Box::new(move || {
                script.opened.fetch_add(1, Ordering::Relaxed);
                Ok(Box::new(script.clone()))
            }),
            config: LapConfig {
                pins: Pins::One,
                debounce: Duration::from_millis(1),
                minimum: Duration::from_millis(10),
            },
        }
    }
}

fn failure(step: &'static str) -> SensorError {
    SensorError::Failed {
        sensor: "made-up".to_owned(),
        step,
        source: "on purpose".into(),
    }
}

impl LapSensor for Script {
    fn name(&self) -> &'static str {
        "made-up"
    }

    fn levels(&mut self) -> Result<[bool; 2], SensorError> {
        Ok([self.is_over.load(Ordering::Relaxed), false])
    }

    fn wait(&mut self, limit: Duration) -> Result<Option<LapEvent>, SensorError> {
        match self.next() {
            Some(Does::Over(is_over)) => {
                self.is_over.store(is_over, Ordering::Relaxed);
                let (pin, at) = (Pin::First, clock::now());
                Ok(Some(LapEvent::Edge { pin, is_over, at }))
            }
            Some(Does::Hold(ms)) => {
                thread::sleep(Duration::from_millis(ms));
                Ok(None)
            }
            Some(Does::Lose(edges)) => {
                let (levels, at) = (self.levels()?, clock::now());
                Ok(Some(LapEvent::Lost { edges, levels, at }))
            }
            Some(Does::Fail) => Err(failure("read edges")),
            Some(Does::Panic) => panic!("on purpose: a driver"),
            None => {
                thread::sleep(limit);
                Ok(None)
            }
        }
    }
}

/// One pass, with bounce.
const PASS: [Does; 8] = [
    Does::Over(true),
    Does::Over(false),
    Does::Over(true),
    Does::Hold(5),
    Does::Over(false),
    Does::Over(true),
    Does::Over(false),
    Does::Hold(30),
];

fn nothing_else() -> Parts {
    Parts {
        lap: None,
        battery: None,
        hot_celsius: 80,
        root: "/nowhere".into(),
        mmcli: "/nowhere/mmcli".into(),
    }
}

fn watch(script: &Script, board: &Arc<Board>) -> (Sensing, Receiver<Pass>) {
    let parts = Parts {
        lap: Some(script.part()),
        ..nothing_else()
    };
    Sensing::start(parts, board).unwrap()
}

#[test]
fn passes_come_out_of_the_queue_and_are_counted() {
    let board = board();
    let script = Script::new(&[PASS, PASS].concat());
    let (_sensing, passes) = watch(&script, &board);
    let first = passes.recv_timeout(Duration::from_secs(20)).unwrap();
    let second = passes.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!((first.count, second.count), (1, 2));
    assert_eq!(second.lap, Some(second.at.since(first.at)));
    wait_until("the board knows", || {
        board.readings.laps.get() == Some(2_u32)
    });
    let lap_ms = u32::try_from(second.lap.unwrap().as_millis()).unwrap();
    assert_eq!(board.readings.last_lap_ms.get(), Some(lap_ms));
    assert_eq!(board.readings.sensor_errors.get(), 0);
}

#[test]
fn a_lap_sensor_that_fails_is_opened_anew_and_goes_on_counting() {
    let board = board();
    let steps = [&PASS[..], &[Does::Fail], &PASS, &[Does::Panic], &PASS].concat();
    let script = Script::new(&steps);
    let (_sensing, passes) = watch(&script, &board);
    let counts: Vec<u32> = (0..3)
        .map(|_| passes.recv_timeout(Duration::from_secs(20)).unwrap().count)
        .collect();
    assert_eq!(counts, [1, 2, 3]);
    assert_eq!(script.opened.load(Ordering::Relaxed), 3);
    assert_eq!(board.readings.sensor_errors.get(), 2);
}

#[test]
fn a_pass_during_a_failure_is_told_by_the_levels() {
    let board = board();
    let script = Script::new(&[Does::Over(true), Does::Hold(30), Does::Fail]);
    let (_sensing, passes) = watch(&script, &board);
    wait_until("it failed", || board.readings.sensor_errors.get() == 1);
    script.is_over.store(false, Ordering::Relaxed); // the car went on while nobody listened
    let pass = passes.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(pass.count, 1);
}

#[test]
fn a_lap_sensor_that_has_seen_nothing_has_counted_none() {
    let board = board();
    let (_sensing, _passes) = watch(&Script::default(), &board);
    wait_until("it is there", || board.readings.laps.get() == Some(0_u32));
    assert_eq!(board.readings.last_lap_ms.get::<u32>(), None);
}

#[test]
fn a_pass_that_came_too_soon_is_counted_and_not_told() {
    let board = board();
    let script = Script::new(&[PASS, PASS].concat());
    let mut part = script.part();
    part.config.minimum = Duration::from_secs(60);
    let parts = Parts {
        lap: Some(part),
        ..nothing_else()
    };
    let (_sensing, passes) = Sensing::start(parts, &board).unwrap();
    wait_until("the second was too soon", || {
        board.readings.laps_early.get() == 1
    });
    assert_eq!(passes.try_iter().count(), 1);
    assert_eq!(board.readings.laps.get(), Some(1_u32));
}

#[test]
fn lost_edges_are_counted() {
    let board = board();
    let script = Script::new(&[&[Does::Lose(7)][..], &PASS].concat());
    let (_sensing, passes) = watch(&script, &board);
    assert_eq!(
        passes.recv_timeout(Duration::from_secs(20)).unwrap().count,
        1
    );
    assert_eq!(board.readings.edges_lost.get(), 7);
}

#[test]
fn a_full_queue_loses_the_newest_passes_and_counts_them() {
    let board = board();
    let all: Vec<Does> = (0..PASS_ROOM + 3).flat_map(|_| PASS).collect();
    let script = Script::new(&all);
    let (_sensing, passes) = watch(&script, &board);
    wait_until("they are lost", || board.readings.laps_untold.get() == 3);
    let told: Vec<u32> = passes.try_iter().map(|pass| pass.count).collect();
    assert_eq!(told, (1..=64).collect::<Vec<_>>());
    assert_eq!(
        board.readings.laps.get(),
        Some(67_u32),
        "but the count has them"
    );
}

#[test]
fn a_sensor_that_is_not_there_is_absent_and_the_threads_end() {
    let board = board();
    let parts = Parts {
        lap: Some(LapPart {
            open: Box::new(|| Err(failure("open"))),
            ..Script::default().part()
        }),
        ..nothing_else()
    };
    let (sensing, passes) = Sensing::start(parts, &board).unwrap();
    wait_until("it was tried again", || {
        board.readings.sensor_errors.get() >= 2
    });
    assert_eq!(board.readings.laps.get::<u32>(), None);
    drop(sensing);
    // The thread's end of the queue goes with it.
    let ended = passes.recv_timeout(Duration::from_secs(20));
    assert_eq!(ended, Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn trouble_is_said_once_and_tried_ever_more_rarely() {
    let readings = Readings::default();
    let mut trouble = Trouble::new("made-up");
    let waits: Vec<u128> = (0..9)
        .map(|_| trouble.failed(&readings, &failure("x")).as_millis())
        .collect();
    assert_eq!(
        waits,
        [
            500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000
        ]
    );
    assert_eq!(readings.sensor_errors.get(), 9);
    trouble.works();
    assert_eq!(trouble.failed(&readings, &failure("x")).as_millis(), 500);
}

// ---- what is read once a second ----

/// What a made-up monitor says: millivolts, that it has not measured yet, or that it failed.
type Answer = Result<Option<u16>, ()>;

/// A battery monitor that answers what it is told to.
struct Monitor(Arc<Mutex<VecDeque<Answer>>>);

impl BatteryMonitor for Monitor {
    fn read(&mut self) -> Result<Option<Power>, SensorError> {
        let mut answers = self.0.lock().unwrap();
        match answers.pop_front().expect("an answer for each read") {
            Ok(mv) => Ok(mv.map(|millivolts| Power {
                millivolts,
                milliamperes: -12,
            })),
            Err(()) => Err(failure("read its bus voltage")),
        }
    }
}

fn slow(board: &Arc<Board>, root: &Path, answers: &[Answer]) -> Slow {
    let answers = Arc::new(Mutex::new(answers.iter().copied().collect()));
    let part = BatteryPart {
        open: Box::new(move || Ok(Box::new(Monitor(Arc::clone(&answers))))),
        config: BatteryConfig {
            low_mv: 7_000,
            critical_mv: 6_600,
        },
    };
    Slow {
        board: Arc::clone(board),
        row: board
            .calls
            .row("sensors", crate::app::calls::Needed::ToInform),
        probe: BoardProbe::new(root),
        modem: Modem::new("/nowhere/mmcli"),
        heat: Heat::new(80),
        battery: Some(BatteryWatch::new(part)),
        warned: Warned::default(),
    }
}

fn at_s(seconds: u64) -> Uptime {
    Uptime::from_micros(seconds * 1_000_000)
}

#[test]
fn a_critical_battery_forbids_arming_and_a_failing_monitor_does_not_allow_it() {
    let board = board();
    let answers = [
        Ok(None),
        Ok(Some(7_400)),
        Ok(Some(3_000)),
        Err(()),
        Ok(None),
        Ok(Some(8_400)),
    ];
    let mut slow = slow(&board, Path::new("/nowhere"), &answers);
    let refusals = |now: Uptime| {
        let health = board.health(now);
        (health.battery_low, board.readings.report(now).battery)
    };
    slow.look(at_s(10));
    assert_eq!(refusals(at_s(10)), (false, None), "its first measurement");
    slow.look(at_s(11));
    assert_eq!(refusals(at_s(11)), (false, Some(0)));
    assert_eq!(board.readings.report(at_s(11)).battery_ma, Some(-12));
    slow.look(at_s(111));
    assert_eq!(refusals(at_s(111)), (true, Some(2)));
    slow.look(at_s(112));
    assert_eq!(
        refusals(at_s(112)),
        (true, None),
        "no reading, but still low"
    );
    assert_eq!(board.readings.sensor_errors.get(), 1);
    slow.look(at_s(113));
    slow.look(at_s(300));
    assert_eq!(refusals(at_s(300)), (false, Some(0)), "a full battery");
    assert_eq!(
        Refusals::BATTERY_LOW.bits(),
        1024,
        "the bit that telemetry shows"
    );
}

#[test]
fn a_low_battery_is_a_warning_and_no_reason_not_to_arm() {
    let board = board();
    let mut slow = slow(&board, Path::new("/nowhere"), &[Ok(Some(6_999))]);
    slow.look(at_s(10));
    assert_eq!(board.readings.report(at_s(10)).battery, Some(1));
    assert!(!board.health(at_s(10)).battery_low);
}

#[test]
fn a_failing_monitor_has_no_reading_and_is_opened_anew() {
    let board = board();
    let answers = [Ok(Some(7_400)), Ok(Some(3_000)), Err(()), Ok(None)];
    let mut slow = slow(&board, Path::new("/nowhere"), &answers);
    let opened = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = Arc::clone(&opened);
    if let Some(battery) = &mut slow.battery {
        let mut open = std::mem::replace(
            &mut battery.part.open,
            Box::new(|| Err(failure("open it twice"))),
        );
        battery.part.open = Box::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
            open()
        });
    }
    let told = |second| {
        let report = board.readings.report(at_s(second));
        (report.battery_mv, report.battery_ma)
    };
    slow.look(at_s(10));
    assert_eq!(told(10), (Some(7_400), Some(-12)));
    slow.look(at_s(11));
    assert_eq!(told(11), (Some(6_667), Some(-12)), "smoothed over 5 s");
    assert_eq!(opened.load(Ordering::Relaxed), 1, "once");
    slow.look(at_s(12));
    assert_eq!(told(12), (None, None));
    slow.look(at_s(13));
    assert_eq!(opened.load(Ordering::Relaxed), 2, "and again");
}

#[test]
fn what_the_board_says_of_itself_is_told_each_under_its_name() {
    let board = board();
    let root = std::env::temp_dir().join(format!("spidercar-own-{}", std::process::id()));
    let file = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    file("proc/loadavg", "0.52 0.40 0.30 1/123 4567\n");
    file("proc/uptime", "12345.67 45678.90\n");
    file("proc/meminfo", "MemAvailable:  612345 kB\n");
    file("proc/stat", "cpu  100 0 0 400 0 0 0 0 0 0\n");
    let mmcli = root.join("mmcli");
    let answer = r#"{"modem":{"generic":{"signal-quality":{"recent":"yes","value":"67"}}}}"#;
    // Written beside it and moved: a program that is being written cannot be run.
    file("mmcli.part", &format!("#!/bin/sh\necho '{answer}'\n"));
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(root.join("mmcli.part"), executable).unwrap();
    fs::rename(root.join("mmcli.part"), &mmcli).unwrap();

    let mut slow = slow(&board, &root, &[]);
    (slow.battery, slow.modem) = (None, Modem::new(&mmcli));
    slow.look(at_s(1));
    file("proc/stat", "cpu  130 0 0 470 0 0 0 0 0 0\n");
    slow.look(at_s(2));
    let report = board.readings.report(at_s(2));
    assert_eq!(report.cpu_permille, Some(300), "30 of 100");
    let load = board.readings.load_permille.get::<u16>();
    assert!(load.is_some_and(|load| load != 300), "{load:?}");
    assert_eq!(
        (report.up_s, report.mem_free_kb),
        (Some(12_345), Some(612_345))
    );
    let mut second = 2;
    wait_until("the modem has answered", || {
        second += 1;
        slow.look(at_s(second));
        board.readings.modem_percent.get() == Some(67_u8)
    });
    fs::remove_dir_all(&root).unwrap();
}

#[test]
fn a_monitor_that_fails_is_left_alone_for_a_while() {
    let board = board();
    let mut slow = slow(&board, Path::new("/nowhere"), &[Err(()), Err(()), Ok(None)]);
    let errors = |slow: &mut Slow, ms: u64| {
        slow.look(Uptime::from_micros(ms * 1000));
        board.readings.sensor_errors.get()
    };
    assert_eq!(errors(&mut slow, 10_000), 1);
    assert_eq!(errors(&mut slow, 10_499), 1, "not yet");
    assert_eq!(errors(&mut slow, 10_500), 2);
    assert_eq!(errors(&mut slow, 11_499), 2, "a second later");
    assert_eq!(errors(&mut slow, 11_500), 2, "it works again");
}

#[test]
fn a_hot_board_forbids_arming_until_it_is_five_degrees_cooler() {
    let board = board();
    let root: PathBuf = std::env::temp_dir().join(format!("spidercar-hot-{}", std::process::id()));
    let zone = root.join("sys/class/thermal/thermal_zone0");
    fs::create_dir_all(&zone).unwrap();
    let mut slow = slow(&board, &root, &[]);
    slow.battery = None;
    for (second, milli, is_hot, celsius) in [
        (1, "79999", false, 79),
        (2, "80000", true, 80),
        (3, "75001", true, 75),
        (4, "75000", false, 75),
        (5, "-500", false, -1),
    ] {
        fs::write(zone.join("temp"), milli).unwrap();
        slow.look(at_s(second));
        assert_eq!(board.health(at_s(second)).board_hot, is_hot, "{milli}");
        assert_eq!(
            board.readings.report(at_s(second)).temp_celsius,
            Some(celsius)
        );
    }
    fs::remove_dir_all(&root).unwrap();
    slow.look(at_s(6));
    assert_eq!(
        board.readings.report(at_s(6)).temp_celsius,
        None,
        "gone is absent"
    );
}

#[test]
fn what_is_not_configured_or_not_there_is_absent() {
    let board = board();
    let (_sensing, _passes) = Sensing::start(nothing_else(), &board).unwrap();
    let read = || board.readings.report(clock::now());
    wait_until("the slow sensors were read", || {
        board.readings.own_mem_kb.get::<u32>().is_none()
            && read() == crate::logic::wire::Board::default()
    });
    let health = board.health(clock::now());
    assert!(!health.battery_low && !health.board_hot);
}
