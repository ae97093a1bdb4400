//! Lap sensors on a real kernel: its GPIO lines, its edge events, its clock, and bounce.
//!
//! `gpio-sim` is a GPIO chip of the kernel's own whose levels are pulled from sysfs. What runs above it is what runs on a
//! board: `hal::pi::lap`, `logic::lap` and the lap thread of `app::sensing`, and in the last test the whole program.
//!
//! ```text
//!   this test ─ pull ─▶ sysfs ─▶ gpio-sim ─ interrupt ─▶ gpiolib ─▶ /dev/gpiochipN ─▶ lap thread ─▶ passes ─▶ this test
//! ```
//!
//! It needs root and a kernel with `gpio-sim` and configfs, so `tests/machine` runs it in a VM, as
//! `lap_gpio_sim --ignored --test-threads=1 --nocapture`. An emulated processor stands still while its host is busy, and
//! one of two may stand still while the other goes on, which no board does: one processor, and QEMU's `-icount` (its clock
//! counts instructions, and the host's time is none of its business), keep that out. Each pull is dated before and after,
//! so what a pass should say is known to some microseconds; and a pass during which the machine stood still all the same,
//! so that a bounce held for longer than a bounce does, is known by its dates, not judged, and made again.
//!
//! Sources: kernel: Documentation/admin-guide/gpio/gpio-sim.rst.

#![cfg(feature = "pi")]
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test says what failed, and prints what it measured"
)]

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use spidercar::app::board::Board;
use spidercar::app::clock;
use spidercar::app::sensing::{LapPart, Parts, Sensing, devices};
use spidercar::config::hardware::Lap;
use spidercar::config::words::LapRule;
use spidercar::config::{Config, Machine, RawConfig, Source};
use spidercar::hal::pi::lap::{LapSettings, open};
use spidercar::hal::pi::{header, pins};
use spidercar::hal::sensor::{LapEvent, LapSensor, SensorError};
use spidercar::logic::failsafe::Health;
use spidercar::logic::intent::Intent;
use spidercar::logic::lap::Pass;
use spidercar::logic::units::{Kbps, Uptime};

const CONFIGFS: &str = "/sys/kernel/config/gpio-sim";

/// Lines of a made-up chip: as many as a Pi's header.
const LINES: u8 = 28;

/// A level counts after this. choice: more than any bounce below, less than any wait.
const DEBOUNCE: Duration = Duration::from_millis(8);

/// A bounce that took longer was stretched by the machine.
const STRETCHED: Duration = Duration::from_millis(5);

/// How long the car is over the mark, and away from it, at least.
const OVER: Duration = Duration::from_millis(15);
const AWAY: Duration = Duration::from_millis(15);

/// How long a pass may take to be told. choice: an emulated machine beside busy neighbours.
const PATIENCE: Duration = Duration::from_secs(10);

/// How far a pass may be from the dates of the pull that made it. choice: the kernel dates the edge inside the system call
/// that pulls, so this is the rounding to microseconds and nothing else.
const TOLERANCE: Duration = Duration::from_micros(2);

/// A GPIO chip of `gpio-sim`; it goes with the test.
struct Sim {
    folder: PathBuf,
    chip: PathBuf,
    pulls: Vec<File>,
}

impl Sim {
    fn new(name: &str, label: &str) -> Self {
        let folder = Path::new(CONFIGFS).join(name);
        let bank = folder.join("bank");
        fs::create_dir(&folder).expect("root, gpio-sim and configfs");
        fs::create_dir(&bank).expect("a bank");
        fs::write(bank.join("num_lines"), LINES.to_string()).expect("the number of lines");
        fs::write(bank.join("label"), label).expect("a label");
        let mut sim = Self {
            folder,
            chip: PathBuf::new(),
            pulls: Vec::new(),
        };
        sim.come();
        sim
    }

    /// Plugs the chip in.
    fn come(&mut self) {
        fs::write(self.folder.join("live"), "1").expect("a chip");
        let chip = fs::read_to_string(self.folder.join("bank/chip_name")).expect("a name");
        self.chip = Path::new("/dev").join(chip.trim());
        let pull = |line| {
            let path = self.line(line).join("pull");
            File::options().write(true).open(path).expect("a pull file")
        };
        self.pulls = (0..LINES).map(pull).collect();
    }

    /// Pulls the chip out, whoever uses it.
    fn go(&mut self) {
        self.pulls.clear();
        fs::write(self.folder.join("live"), "0").expect("no chip");
    }

    /// Where sysfs has a line.
    fn line(&self, line: u8) -> PathBuf {
        let device = fs::read_to_string(self.folder.join("dev_name")).expect("a name");
        Path::new("/sys/devices/platform")
            .join(device.trim())
            .join(self.chip.file_name().expect("a file"))
            .join(format!("sim_gpio{line}"))
    }

    /// Pulls a line, and says before and after which moments.
    fn pull(&self, line: u8, is_high: bool) -> Dates {
        let text: &[u8] = if is_high { b"pull-up" } else { b"pull-down" };
        let before = clock::now();
        let file = &self.pulls[usize::from(line)];
        file.write_at(text, 0).expect("a pull");
        (before, clock::now())
    }

    fn lap(&self, pins: (u8, Option<u8>), active_high: bool, rule: LapRule) -> Lap {
        Lap {
            active_high,
            pin: pins.0,
            second_pin: pins.1,
            rule,
            debounce: DEBOUNCE,
            minimum: Duration::ZERO, // nothing but the debounce stands against a pass that comes twice
            chip: Some(self.chip.clone()),
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.pulls.clear();
        // A chip that stays behind is only in the way of the next run.
        let _ = fs::write(self.folder.join("live"), "0");
        let _ = fs::remove_dir(self.folder.join("bank"));
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Before and after a pull.
type Dates = (Uptime, Uptime);

/// Waits without sleeping: a sleep of 100 µs takes a millisecond here and there.
fn spin(span: Duration) {
    let until = clock::now().after(span);
    while clock::now() < until {
        std::hint::spin_loop();
    }
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        sleep(Duration::from_millis(2));
    }
}

/// xorshift64: the same course on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Brings a line to a level with up to six bounces on the way: the dates of the last pull, and the longest bounce.
fn bounce(sim: &Sim, line: u8, is_high: bool, dice: &mut Dice) -> (Dates, Duration) {
    let mut longest = Duration::ZERO;
    let mut last = sim.pull(line, is_high);
    for _ in 0..dice.below(7) {
        for level in [!is_high, is_high] {
            spin(Duration::from_micros(20 + dice.below(500)));
            let now = sim.pull(line, level);
            longest = longest.max(now.1.since(last.0));
            last = now;
        }
    }
    (last, longest)
}

/// A board to hand the sensors; nothing else of the car runs.
fn board() -> Arc<Board> {
    let raw = RawConfig::read(&Source::BuiltIn, &[], &Machine);
    let config = Config::from_raw(&raw, &Machine).expect("the defaults are good");
    let mut vehicle = config.vehicle(Uptime::ZERO);
    let step = vehicle.step(Uptime::ZERO, &Intent::default(), Health::GOOD);
    Board::new(&step.status, Kbps::new(1))
}

fn watch(lap: &Lap, board: &Arc<Board>) -> (Sensing, Receiver<Pass>) {
    let part = LapPart {
        open: devices::lap_sensor(lap).expect("this build has it"),
        config: devices::lap_config(lap),
    };
    let parts = Parts {
        lap: Some(part),
        battery: None,
        hot_celsius: 100,
        root: "/".into(),
        mmcli: "/nowhere/mmcli".into(),
    };
    let started = Sensing::start(parts, board).expect("threads");
    wait_until("the lines are taken", || {
        board.readings.laps.get() == Some(0_u32)
    });
    started
}

/// Lets the car pass over lines, and compares what is told with what was done.
struct Course<'a> {
    sim: &'a Sim,
    passes: Receiver<Pass>,
    dice: Dice,
    active_high: bool,
    judged: u32,
    stretched: u32,
    worst: Duration,
}

impl<'a> Course<'a> {
    fn new(sim: &'a Sim, passes: Receiver<Pass>, active_high: bool) -> Self {
        Self {
            sim,
            passes,
            dice: Dice(0x5eed),
            active_high,
            judged: 0,
            stretched: 0,
            worst: Duration::ZERO,
        }
    }

    /// Brings each of these lines over the mark (`true`) or away from it, with bounce. `told` is the step that makes the
    /// pass, if any does; it must be told once, with the date of that step, and nothing else.
    fn pass(&mut self, steps: &[(u8, bool)], told: Option<usize>) {
        let began_at = clock::now();
        let mut longest = Duration::ZERO;
        let mut dates = Vec::new();
        for (line, is_over) in steps {
            let level = *is_over == self.active_high;
            let (last, bounced) = bounce(self.sim, *line, level, &mut self.dice);
            dates.push(last);
            longest = longest.max(bounced);
            let wait = if *is_over { OVER } else { AWAY };
            sleep(wait + Duration::from_micros(self.dice.below(3_000)));
        }
        if longest >= STRETCHED {
            self.stretched += 1;
            while self.passes.recv_timeout(Duration::from_millis(300)).is_ok() {} // whatever it was told as
            return;
        }
        self.judged += 1;
        let n = self.judged;
        if let Some(step) = told {
            let pass = self.passes.recv_timeout(PATIENCE);
            let pass = pass.unwrap_or_else(|_| panic!("pass {n} was missed: {dates:?}"));
            assert!(
                pass.at >= began_at,
                "pass {n}: one more of before: {pass:?}"
            );
            let (before, after) = dates[step];
            let error = before.since(pass.at).max(pass.at.since(after));
            self.worst = self.worst.max(error);
            assert!(
                error <= TOLERANCE,
                "pass {n}: {error:?} off: {pass:?} {dates:?}"
            );
        }
        if let Ok(pass) = self.passes.try_recv() {
            panic!("pass {n} was told twice: {pass:?} {dates:?}");
        }
    }

    /// The same until so many passes were judged.
    fn passes(&mut self, count: u32, steps: &[(u8, bool)], told: Option<usize>) {
        let (wanted, most) = (self.judged + count, self.stretched + count + 20);
        while self.judged < wanted {
            self.pass(steps, told);
            assert!(
                self.stretched <= most,
                "this machine is too busy to bounce in time"
            );
        }
    }

    /// Says what was done; nothing may come after it.
    fn end(self, name: &str) {
        let more = self.passes.recv_timeout(Duration::from_millis(300));
        assert!(more.is_err(), "{name}: one more: {more:?}");
        println!(
            "{name}: {} passes, none missed, none doubled; worst date {} us off; {} more were stretched and not judged",
            self.judged,
            self.worst.as_micros(),
            self.stretched
        );
    }
}

#[test]
#[ignore = "needs root and gpio-sim: run by tests/machine"]
fn a_thousand_passes_with_bounce_none_missed_none_doubled() {
    for (name, active_high) in [("magnetic", false), ("infrared", true)] {
        let sim = Sim::new("spidercar-thousand", "sim");
        let line = 4;
        sim.pull(line, !active_high);
        let board = board();
        let lap = sim.lap((line, None), active_high, LapRule::Any);
        let (_sensing, passes) = watch(&lap, &board);
        let mut course = Course::new(&sim, passes, active_high);
        course.passes(1_000, &[(line, true), (line, false)], Some(1));
        course.end(name);
        let report = board.readings.report(clock::now());
        assert_eq!(
            (report.edges_lost, report.laps_untold, report.sensor_errors),
            (0, 0, 0)
        );
    }
}

#[test]
#[ignore = "needs root and gpio-sim: run by tests/machine"]
fn two_lines_make_one_pass_by_their_rule() {
    let (left, right) = (4, 17);
    let both = |first, second| {
        [
            (first, true),
            (second, true),
            (first, false),
            (second, false),
        ]
    };
    let (first_left, second_left) = (2, 3);
    for (name, rule, leaves, alone) in [
        ("any", LapRule::Any, second_left, Some(1)),
        ("all", LapRule::All, first_left, None),
    ] {
        let sim = Sim::new("spidercar-two", "sim");
        let board = board();
        let lap = sim.lap((left, Some(right)), true, rule);
        let (_sensing, passes) = watch(&lap, &board);
        let mut course = Course::new(&sim, passes, true);
        for _ in 0..25 {
            course.passes(1, &both(left, right), Some(leaves));
            course.passes(1, &both(right, left), Some(leaves));
            course.passes(1, &[(left, true), (left, false)], alone);
            course.passes(1, &[(right, true), (right, false)], alone);
        }
        course.end(name);
    }
}

#[test]
#[ignore = "needs root and gpio-sim: run by tests/machine"]
fn the_headers_chip_is_found_and_pulled_away_from_the_mark() {
    let sim = Sim::new("spidercar-header", "pinctrl-bcm2711");
    for (active_high, idle) in [(false, "1"), (true, "0")] {
        let settings = LapSettings {
            chip: None,
            pin: 22,
            second_pin: None,
            active_high,
        };
        assert_eq!(header::named_user(&[22, 23]), None);
        let mut lap = open(&settings).expect("the chip with a Pi's label");
        // Outputs on this pin would be its second user, and are refused.
        let user = header::named_user(&[23, 22]);
        assert_eq!(user, Some((22, "spidercar lap".to_owned())));
        let refused = pins::nobody_has(&[22])
            .expect_err("a pin in use")
            .to_string();
        let wanted = "BCM 22 is in use by \"spidercar lap\": end that program";
        assert!(refused.starts_with(wanted), "{refused}");
        pins::nobody_has(&[23]).expect("a free pin");
        assert!(lap.name().contains("pinctrl-bcm2711"), "{}", lap.name());
        assert_eq!(lap.levels().expect("levels"), [false, false]);
        // A wire that fell off: the pull resistor that we asked for decides.
        let value = fs::read_to_string(sim.line(22).join("value")).expect("a level");
        assert_eq!(value.trim(), idle, "active_high {active_high}");
    }
}

#[test]
#[ignore = "needs root and gpio-sim: run by tests/machine"]
fn a_line_that_is_taken_names_who_has_it() {
    let sim = Sim::new("spidercar-busy", "sim");
    let settings = |pin| LapSettings {
        chip: Some(sim.chip.clone()),
        pin,
        second_pin: None,
        active_high: false,
    };
    let first = open(&settings(4)).expect("a free line");
    let err = open(&settings(4)).err().expect("a line that is taken");
    assert!(matches!(err, SensorError::Busy { .. }), "{err:?}");
    assert!(
        err.to_string().contains("in use by \"spidercar lap\""),
        "{err}"
    );
    let err = open(&settings(LINES)).err().expect("no such line");
    assert!(matches!(err, SensorError::Missing { .. }), "{err:?}");
    println!("{err}");
    drop(first);
    open(&settings(4)).expect("free again");
}

#[test]
#[ignore = "needs root and gpio-sim: run by tests/machine"]
fn edges_that_the_kernel_had_no_room_for_are_seen_and_made_up_for() {
    let sim = Sim::new("spidercar-flood", "sim");
    let settings = LapSettings {
        chip: Some(sim.chip.clone()),
        pin: 4,
        second_pin: Some(17),
        active_high: true,
    };
    let mut lap = open(&settings).expect("a free line");
    // Nobody reads meanwhile; the kernel keeps 1024.
    for n in 0..3_001 {
        sim.pull(4, n % 2 == 0);
        spin(Duration::from_micros(20));
    }
    sim.pull(17, true);
    let (mut read, mut lost, mut levels_then) = (0, 0, None);
    while let Some(event) = lap.wait(Duration::ZERO).expect("no error") {
        match event {
            LapEvent::Edge { .. } => {
                assert_eq!(levels_then, None, "a loss is told after all that is left");
                read += 1;
            }
            LapEvent::Lost { edges, levels, .. } => {
                lost += edges;
                levels_then = Some(levels);
            }
        }
    }
    assert_eq!(read, 1_024);
    assert_eq!(levels_then, Some([true, true]), "the levels were read anew");
    // Edges that come while the interrupt's thread is busy become one event in the kernel; those are not lost here.
    assert!((1..=1_978).contains(&lost), "{lost} of 3002 edges lost");
    println!("3002 edges in a burst: {read} read, {lost} known as lost");
    sim.pull(4, false);
    let event = lap.wait(PATIENCE).expect("no error");
    assert!(
        matches!(event, Some(LapEvent::Edge { is_over: false, .. })),
        "{event:?}"
    );
    let nothing = lap.wait(Duration::ZERO).expect("no error");
    assert_eq!(nothing, None, "nothing more is lost");
}

#[test]
#[ignore = "needs root and gpio-sim: run by tests/machine"]
fn a_chip_that_goes_and_comes_back_goes_on_counting() {
    let mut sim = Sim::new("spidercar-plug", "sim");
    let board = board();
    sim.pull(4, true);
    let lap = sim.lap((4, None), false, LapRule::Any);
    let (_sensing, passes) = watch(&lap, &board);
    let mut told = Vec::new();
    let mut three_passes = |sim: &Sim| {
        for _ in 0..3 {
            for is_over in [true, false] {
                sim.pull(4, !is_over);
                sleep(OVER * 4); // no bounce: this is not about it
            }
            told.extend(passes.recv_timeout(PATIENCE).map(|pass| pass.count));
        }
    };
    three_passes(&sim);
    sim.go(); // the kernel warns of interrupts that went before their users did, and gets over it
    wait_until("the loss is seen", || {
        board.readings.sensor_errors.get() > 0
    });
    sim.come();
    assert_eq!(Some(&sim.chip), lap.chip.as_ref(), "it has its old name");
    sim.pull(4, true);
    sleep(Duration::from_secs(2)); // it is opened anew within one
    three_passes(&sim);
    println!("passes around a loss of the chip: {told:?}");
    assert_eq!(told, [1, 2, 3, 4, 5, 6]);
}

/// The program as a process, ended with the test.
struct Program(Child);

impl Program {
    /// `/bin/spidercar` inside the VM, or the program of this build.
    fn start(args: &[&str]) -> Self {
        let built = Path::new(env!("CARGO_BIN_EXE_spidercar"));
        let inside = Path::new("/bin/spidercar");
        let child = Command::new(if built.exists() { built } else { inside })
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn();
        Self(child.expect("the program"))
    }

    /// What it says on stdout, line by line.
    fn lines(&mut self) -> Receiver<String> {
        let (tell, told) = channel();
        let lines = BufReader::new(self.0.stdout.take().expect("a pipe")).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        told
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs root, gpio-sim, the program and /etc/ssl/certs: run by tests/machine"]
fn every_pass_reaches_a_viewer_once() {
    const PASSES: usize = 200;
    let sim = Sim::new("spidercar-wire", "sim");
    sim.pull(4, true);
    let chip = format!("lap.chip={}", sim.chip.display());
    let mut args = vec!["run"];
    for set in [
        "lap.kind=magnetic",
        "lap.pin=4",
        "lap.second_pin=0",
        "lap.debounce_us=8000",
        "lap.minimum_ms=0",
        &chip,
        "camera.width=160",
        "camera.height=120",
        "camera.fps=3",
        "log.level=warn",
    ] {
        args.extend(["--set", set]);
    }
    let mut car = Program::start(&args);
    let announced = car.lines().recv_timeout(PATIENCE * 6);
    announced.expect("the Spider listens");
    let mut viewer = Program::start(&[
        "watch",
        "ws://127.0.0.1:8266",
        "--channel",
        "c9abcdefghijklmnopq0",
    ]);
    let metrics = viewer.lines();
    let first = metrics.recv_timeout(PATIENCE * 6).expect("telemetry");
    assert!(first.starts_with('{'), "{first}");
    let left: Vec<Dates> = (0..PASSES)
        .map(|_| {
            sim.pull(4, false);
            sleep(OVER);
            let left = sim.pull(4, true);
            sleep(AWAY);
            left
        })
        .collect();
    let (mut laps, mut counted) = (Vec::new(), 0);
    while let Ok(line) = metrics.recv_timeout(Duration::from_secs(3)) {
        let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        if let Some(seconds) = value.pointer("/ir/value") {
            assert_eq!(value["ir"]["key"], "detectTime", "{line}");
            laps.push(seconds.as_f64().expect("seconds"));
        }
        if let Some(count) = value.pointer("/board/laps") {
            counted = count.as_u64().expect("a count");
        }
        // Telemetry goes on for ever; two more reports are enough to see what comes after the last pass.
        if clock::now().since(left[PASSES - 1].1) > Duration::from_secs(2) {
            break;
        }
    }
    assert_eq!(laps.len(), PASSES, "one message a pass");
    assert_eq!(counted, 200);
    let mut worst = 0.0_f64;
    for (told, made) in laps.windows(2).zip(left.windows(2)) {
        let shortest = made[1].0.since(made[0].1).as_secs_f64();
        let longest = made[1].1.since(made[0].0).as_secs_f64();
        let lap = told[1] - told[0];
        worst = worst.max(shortest - lap).max(lap - longest);
    }
    println!(
        "on the wire: {PASSES} passes made, {} told, worst lap {:.0} us off",
        laps.len(),
        worst * 1e6
    );
    // A float of today's Unix time is exact to a quarter of a microsecond.
    assert!(worst < 0.000_005, "a lap is {worst} s off");
}
