//! The real outputs on a Pi's files: what is written, in which order, and what is left after an exit and a crash.
//!
//! Nothing here is a board: files keep what is written to them, and that is what is compared, with the values that the
//! kernel's PWM documentation and the BCM2835, BCM2711 and RP1 datasheets ask for. The programs are the unit's user's, or
//! those of `pi` (`pi_users_e2e.rs` has what other users may). Needs root (mount namespaces).

mod harness;

use std::time::Instant;

use harness::board::{Board, I2C, Model, User, own};
use harness::course::undisturbed;
use harness::terminal::AtTerminal;
use harness::{AGAIN, ATTEMPTS, Operator, Program, until};

/// Steering and throttle at once, no slew: each command is one change.
const AT_ONCE: [&str; 3] = [
    "drive.throttle_slew_permille_per_s=0",
    "failsafe.slow_permille=1000",
    "drive.tick_hz=200",
];

/// Channels of pins 18 and 19.
const fn channels(model: Model) -> (u8, u8) {
    match model {
        Model::Pi5 => (2, 3),
        Model::Pi3 | Model::Pi4 | Model::Zero2W => (0, 1),
    }
}

/// A car is the service's, or somebody's who tries it before it is installed.
const fn who_drives(model: Model) -> User {
    match model {
        Model::Pi3 | Model::Pi4 => User::Service,
        Model::Pi5 | Model::Zero2W => User::Maker,
    }
}

async fn car(board: &Board, sets: &[&str]) -> (Program, Operator) {
    let sets: Vec<&str> = AT_ONCE.iter().chain(sets).copied().collect();
    let car = board.car(&sets);
    let mut operator = Operator::connect(&car.url()).await;
    operator.take_over().await;
    (car, operator)
}

/// A car that is killed while `driven`, and whose survivor was, too, so that nobody writes neutral.
async fn killed_without_survivor(
    board: &Board,
    sets: &[&str],
    driven: impl AsyncFn(&mut Operator),
) {
    for _ in 0..ATTEMPTS {
        let (mut car, mut operator) = car(board, sets).await;
        car.kill_survivor().await;
        let at = Instant::now();
        undisturbed(&car, async || {
            operator.take_over().await;
            driven(&mut operator).await;
        })
        .await;
        car.signal("-KILL");
        car.wait();
        if at.elapsed() < AGAIN {
            return;
        }
        eprintln!("this computer took so long that there was another survivor: once more");
    }
    panic!("there was another survivor in each of {ATTEMPTS} attempts");
}

/// Commands until the pulses are these, in microseconds.
async fn pulses(board: &Board, operator: &mut Operator, command: (i32, i32), wanted: (u64, u64)) {
    let (throttle, steering) = channels(board.model);
    let mut seen = (0, 0);
    let deadline = std::time::Instant::now() + harness::PATIENCE;
    while seen != wanted {
        assert!(
            std::time::Instant::now() < deadline,
            "{:?}: {command:?} gives {seen:?} and not {wanted:?}",
            board.model
        );
        operator.keep_driving(command.0, command.1).await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        seen = (board.duty(throttle) / 1000, board.duty(steering) / 1000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hardware_pwm_gets_these_values_on_every_board() {
    for model in Model::ALL {
        let mut board = Board::new("pwm", model);
        board.user = who_drives(model);
        let chip = model.pwm_chip();
        let (throttle, steering) = channels(model);
        let (mut car, mut operator) = car(&board, &["drive.output=pwm"]).await;

        // Opening: no pulse of an older period, then the period, and neutral as the first pulse.
        let line =
            |channel: u8, file: &str, value: &str| format!("{chip}/pwm{channel}/{file} {value}");
        let set_up = |channel| {
            [
                ("enable", "0"),
                ("duty_cycle", "0"),
                ("period", "20000000"),
                ("polarity", "normal"),
                ("enable", "1"),
            ]
            .map(|(file, value)| line(channel, file, value))
        };
        let mut first: Vec<String> = set_up(throttle)
            .into_iter()
            .chain(set_up(steering))
            .collect();
        first.push(line(throttle, "duty_cycle", "1500000"));
        first.push(line(steering, "duty_cycle", "1500000"));
        assert_eq!(
            board.writes().get(..12),
            Some(first.as_slice()),
            "{model:?}"
        );

        pulses(&board, &mut operator, (0, 1000), (1500, 2000)).await;
        pulses(&board, &mut operator, (0, -1000), (1500, 1000)).await;
        let throttles = format!("{chip}/pwm{throttle}/duty_cycle ");
        undisturbed(&car, async || {
            pulses(&board, &mut operator, (1000, 0), (2000, 1500)).await;
            let before = board.writes().len();
            pulses(&board, &mut operator, (-1000, 0), (1000, 1500)).await;
            let mut way: Vec<String> = board.writes()[before..]
                .iter()
                .filter_map(|line| line.strip_prefix(&throttles).map(str::to_owned))
                .collect();
            way.dedup();
            assert_eq!(
                way.iter()
                    .skip_while(|value| *value == "2000000")
                    .collect::<Vec<_>>(),
                ["1300000", "1500000", "1000000"],
                "{model:?}: brake, neutral, reverse"
            );
        })
        .await;

        // A crash in reverse: the pulses would go on, for the hardware needs no process; the survivor ends them.
        let neutral = [throttle, steering].map(|channel| line(channel, "duty_cycle", "1500000"));
        car.signal("-KILL");
        car.wait();
        until("neutral by the survivor", || {
            (board.duty(throttle), board.duty(steering)) == (1_500_000, 1_500_000)
        })
        .await;
        let writes = board.writes();
        assert_eq!(
            writes[writes.len() - 2..],
            neutral,
            "{model:?}: taken over without a gap"
        );

        // Where there is none, `neutral` does it.
        killed_without_survivor(&board, &["drive.output=pwm"], async |operator| {
            pulses(&board, operator, (-1000, 0), (1000, 1500)).await;
        })
        .await;
        let state = |channel| {
            ["period", "duty_cycle", "polarity", "enable"].map(|file| board.pwm(channel, file))
        };
        let left = board.pwm(throttle, "duty_cycle");
        assert_eq!(state(throttle), ["20000000", &left, "normal", "1"]);
        // On a busy machine the driver was silent for a moment before the kill: then it is a little less than all.
        assert!(left.parse::<u32>().expect("a duty") < 1_450_000, "{left}");
        let before = board.writes().len();
        let (code, _, log) = board.run(&["neutral", "--set", "drive.output=pwm"]);
        assert_eq!(code, Some(0), "{log}");
        assert_eq!(
            board.writes()[before..],
            neutral,
            "{model:?}: taken over without a gap"
        );

        // An orderly end leaves neutral on the wire, and the channel on.
        let (mut car, mut operator) = self::car(&board, &["drive.output=pwm"]).await;
        pulses(&board, &mut operator, (1000, 0), (2000, 1500)).await;
        car.signal("-TERM");
        assert_eq!(car.wait(), Some(0));
        for channel in [throttle, steering] {
            assert_eq!(
                state(channel),
                ["20000000", "1500000", "normal", "1"],
                "{model:?}"
            );
        }
        let other = "pwmchip0/";
        assert!(
            board.writes().iter().all(|line| !line.starts_with(other)),
            "{model:?}: another chip was touched"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversed_servo_gets_the_short_pulse_for_left_and_the_same_neutral() {
    let board = Board::new("reversed", Model::Pi4);
    let sets = ["drive.output=pwm", "drive.steering_reversed=true"];
    let (mut car, mut operator) = car(&board, &sets).await;
    pulses(&board, &mut operator, (0, 1000), (1500, 1000)).await;
    // Telemetry has left as the positive side, whatever the wire has.
    until("the steering in telemetry", || {
        operator.car().is_some_and(|car| {
            (car["steering"].as_i64(), car["steering_us"].as_i64()) == (Some(1000), Some(1000))
        })
    })
    .await;
    pulses(&board, &mut operator, (0, -1000), (1500, 2000)).await;
    pulses(&board, &mut operator, (1000, 0), (2000, 1500)).await;
    car.signal("-TERM");
    assert_eq!(car.wait(), Some(0));
    killed_without_survivor(&board, &sets, async |operator| {
        pulses(&board, operator, (1000, -1000), (2000, 2000)).await;
    })
    .await;
    let (code, _, log) = board.run(&[
        "neutral",
        "--set",
        "drive.output=pwm",
        "--set",
        "drive.steering_reversed=true",
    ]);
    assert_eq!(code, Some(0), "{log}");
    assert_eq!((board.duty(0), board.duty(1)), (1_500_000, 1_500_000));
}

/// Offsets of what an output pin needs. BCM2835 datasheet 6.1; RP1 peripherals 3.1.4 and 3.3.2.
struct Pins {
    model: Model,
}

impl Pins {
    /// Whether a pin was made an output. (On a Pi 5 the drive of only the last one is seen, in a register that sets.)
    fn is_output(&self, board: &Board, pin: u64) -> bool {
        match self.model {
            Model::Pi5 => {
                board.register(pin * 8 + 4) & 0x1F == 5 && board.register(0x1_2004) == 1 << 25
            }
            Model::Pi3 | Model::Pi4 | Model::Zero2W => {
                board.register(pin / 10 * 4) >> (pin % 10 * 3) & 7 == 1
            }
        }
    }

    /// What was written last to "set these pins" and "clear these pins".
    fn set_and_clear(&self, board: &Board) -> (u32, u32) {
        let (set, clear) = match self.model {
            Model::Pi5 => (0x1_2000, 0x1_3000),
            Model::Pi3 | Model::Pi4 | Model::Zero2W => (0x1C, 0x28),
        };
        (board.register(set), board.register(clear))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_h_bridge_gets_these_register_bits_on_every_board() {
    const BRIDGE: [&str; 5] = [
        "drive.output=hbridge",
        "drive.reverse=direct",
        "hbridge.forward_pin=23",
        "hbridge.reverse_pin=24",
        "hbridge.enable_pin=25",
    ];
    let bit = |pin: u32| 1_u32 << pin;
    for model in Model::ALL {
        let mut board = Board::new("hbridge", model);
        board.user = who_drives(model);
        let pins = Pins { model };
        let (speed, servo) = channels(model);
        let (mut car, mut operator) = car(&board, &BRIDGE).await;
        for pin in [23, 24, 25] {
            assert!(
                pins.is_output(&board, pin),
                "{model:?}: BCM {pin} is no output"
            );
        }
        assert_eq!(board.pwm(speed, "period"), "1000000", "1 kHz");
        assert_eq!(board.pwm(servo, "period"), "20000000", "50 Hz");
        assert_eq!(board.duty(speed), 0, "{model:?}: neutral");

        // The last pin that is written is the one that counts: see the order in hal/pi/hbridge.rs.
        for (throttle, duty_us, set, clear) in [
            (1000, 1000, 23, 24),
            (-1000, 1000, 24, 23),
            (500, 540, 23, 24),
        ] {
            let wanted = (bit(set), bit(clear));
            let holds =
                || board.duty(speed) == duty_us * 1000 && pins.set_and_clear(&board) == wanted;
            operator
                .drive_until(
                    throttle,
                    &format!("{model:?}: {throttle}: {duty_us} us, {wanted:x?}"),
                    holds,
                )
                .await;
        }
        operator
            .drive_until(0, &format!("{model:?}: neutral"), || {
                board.duty(speed) == 0 && pins.set_and_clear(&board).1 == bit(25)
            })
            .await;

        // A crash while driving: the survivor.
        let is_off = || board.duty(speed) == 0 && pins.set_and_clear(&board).1 == bit(25);
        operator
            .drive_until(1000, "full speed", || board.duty(speed) == 1_000_000)
            .await;
        car.signal("-KILL");
        car.wait();
        until("neutral by the survivor", is_off).await;

        // Without one, the unit's stop-post step.
        killed_without_survivor(&board, &BRIDGE, async |operator| {
            operator
                .drive_until(1000, "full speed", || board.duty(speed) == 1_000_000)
                .await;
        })
        .await;
        // On a busy machine the driver was silent for a moment before the kill: then it is a little less than all.
        assert_ne!(board.duty(speed), 0, "hardware PWM goes on");
        let mut args = vec!["neutral"];
        args.extend(BRIDGE.iter().flat_map(|set| ["--set", set]));
        let (code, _, log) = board.run(&args);
        assert_eq!(code, Some(0), "{log}");
        assert!(is_off(), "the enable pin is low");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_original_car_gets_these_bytes_on_the_bus() {
    let board = Board::new("pca", Model::Pi4);
    let (mut car, mut operator) = car(&board, &["drive.output=pca9685"]).await;
    let first = [
        "i2c timeout 20 ms",
        "i2c timeout 20 ms",     // the spare handle, for the guard
        "i2c 40 00",             // MODE1? asleep, as after power-on
        "i2c 40 fe 65",          // 60 Hz
        "i2c 40 00 31",          // auto-increment
        "i2c 40 06 00 00 70 01", // throttle: 368 counts
        "i2c 40 0a 00 00 70 01", // steering
        "i2c 40 00 21",          // awake
        "i2c 40 06 00 00 70 01 00 00 70 01",
    ];
    assert_eq!(board.writes()[..first.len()], first);
    let wrote = |bytes: &str| {
        let line = format!("i2c 40 06 {bytes}");
        let writes = board.writes();
        writes.iter().rev().find(|line| line.len() > 20) == Some(&line)
    };
    // 2000 us are 490 counts (0x1ea), 1000 us are 245 (0xf5).
    operator
        .drive_until(1000, "full forward", || wrote("00 00 ea 01 00 00 70 01"))
        .await;

    // The bus fails while driving: told, not armable, and neutral as soon as it works again.
    std::fs::write(board.folder.file("i2c-fails"), "").expect("a broken bus");
    car.logged("Remote I/O error").await;
    until("a car that says that its outputs fail", || {
        operator
            .number("refusals")
            .is_some_and(|bits| bits & 64 != 0)
    })
    .await;
    std::fs::remove_file(board.folder.file("i2c-fails")).expect("a mended bus");
    until("neutral after the bus was mended", || {
        wrote("00 00 70 01 00 00 70 01")
    })
    .await;
    operator.take_over().await;
    operator
        .drive_until(1000, "full forward again", || {
            wrote("00 00 ea 01 00 00 70 01")
        })
        .await;
    car.signal("-TERM");
    assert_eq!(car.wait(), Some(0));
    assert!(wrote("00 00 70 01 00 00 70 01"), "neutral at the end");

    let (mut car, mut operator) = self::car(&board, &["drive.output=pca9685"]).await;
    operator
        .drive_until(1000, "full forward once more", || {
            wrote("00 00 ea 01 00 00 70 01")
        })
        .await;
    car.signal("-KILL");
    car.wait();
    until("neutral by the survivor", || {
        wrote("00 00 70 01 00 00 70 01")
    })
    .await;
}

/// Bits of "set these pins" and "clear these pins" of a Pi 4, and whether they were written since the last look.
const SET: u64 = 0x1C;
const CLEAR: u64 = 0x28;

#[tokio::test(flavor = "multi_thread")]
async fn the_outputs_of_a_chip_out_of_reach_are_switched_off_by_its_enable_pin() {
    const ENABLE: [&str; 2] = ["drive.output=pca9685", "pca9685.enable_pin=5"];
    const NEUTRAL: &str = "i2c 40 06 00 00 70 01 00 00 70 01";
    let board = Board::new("oe", Model::Pi4);
    let pins = Pins { model: Model::Pi4 };
    let fails = board.folder.file("i2c-fails");
    let switched = || (board.register(SET), board.register(CLEAR));
    let forget = || board.clear_registers(&[SET, CLEAR]);
    let off = 1 << 5; // high is off
    let neutral = || {
        let mut args = vec!["neutral"];
        args.extend(ENABLE.iter().flat_map(|set| ["--set", set]));
        board.run(&args)
    };

    // Off as it is opened, on when there are pulses in the chip (the order is shown in hal/pi/pca9685/tests.rs).
    let (mut car, mut operator) = car(&board, &ENABLE).await;
    assert!(pins.is_output(&board, 5));
    assert_eq!(switched(), (off, off));
    let full = "i2c 40 06 00 00 ea 01 00 00 70 01";
    operator
        .drive_until(1000, "full forward", || {
            board.writes().last().is_some_and(|line| line == full)
        })
        .await;

    // The bus fails at speed: off. It works again: neutral, and on.
    forget();
    std::fs::write(&fails, "").expect("a broken bus");
    until("outputs that are off", || board.register(SET) == off).await;
    std::fs::remove_file(&fails).expect("a mended bus");
    forget();
    until("outputs that are on again", || board.register(CLEAR) == off).await;
    let writes = board.writes();
    let last = writes.iter().rev().find(|line| line.len() > 20);
    assert_eq!(last.map(String::as_str), Some(NEUTRAL));

    // Killed at speed with a bus that is dead: `neutral` cannot write it, and switches the outputs off.
    car.signal("-TERM");
    assert_eq!(car.wait(), Some(0));
    killed_without_survivor(&board, &ENABLE, async |operator| {
        operator
            .drive_until(1000, "full forward again", || {
                board.writes().last().is_some_and(|line| line == full)
            })
            .await;
    })
    .await;
    std::fs::write(&fails, "").expect("a broken bus");
    forget();
    let (code, _, log) = neutral();
    assert_eq!(code, Some(3), "{log}");
    assert_eq!(switched(), (off, 0), "off, and never on");
    std::fs::remove_file(&fails).expect("a mended bus");
    forget();
    let (code, _, log) = neutral();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(switched(), (off, off), "off until neutral was written");
    assert_eq!(board.writes().last().map(String::as_str), Some(NEUTRAL));

    // An orderly end leaves neutral pulses, and the outputs on.
    let (mut car, mut operator) = self::car(&board, &ENABLE).await;
    operator
        .drive_until(1000, "full forward once more", || {
            board.writes().last().is_some_and(|line| line == full)
        })
        .await;
    forget();
    car.signal("-TERM");
    assert_eq!(car.wait(), Some(0));
    assert_eq!(switched(), (0, off), "never off");
    assert_eq!(board.writes().last().map(String::as_str), Some(NEUTRAL));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_battery_alone_on_its_bus_is_waited_for_no_longer_than_a_chip_that_drives() {
    let board = Board::new("battery", Model::Pi4);
    let bus = board.folder.file("dev/i2c-3");
    std::fs::write(&bus, "").expect("a second bus");
    own(&bus, 0, I2C, 0o660);
    let sets = [
        "drive.output=pwm",
        "battery.kind=ina219",
        "battery.bus=3",
        "battery.address=0x41",
    ];
    let _car = board.car(&sets);
    let bus = || -> Vec<String> {
        let writes = board.writes();
        let of_bus = writes.into_iter().filter(|line| line.starts_with("i2c"));
        of_bus.take(2).collect()
    };
    until("a battery that is asked", || bus().len() == 2).await;
    // The limit first, then the configuration: 128 samples of both, for ever.
    assert_eq!(bus(), ["i2c timeout 20 ms", "i2c 41 00 3f ff"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_esc_that_wakes_up_keeps_the_car_from_being_armed() {
    let board = Board::new("esc", Model::Pi4);
    let began = std::time::Instant::now();
    let sets = ["drive.output=pwm", "drive.esc_arming_ms=3000"];
    let car = board.car(&sets);
    let mut operator = Operator::connect(&car.url()).await;
    operator.drive(0, 0).await;
    until("the reason in telemetry", || {
        operator
            .number("refusals")
            .is_some_and(|bits| bits & 8192 != 0)
    })
    .await;
    operator.take_over().await;
    assert!(
        began.elapsed() >= std::time::Duration::from_secs(3),
        "armed after {:?}",
        began.elapsed()
    );
}

#[test]
fn a_picture_that_is_too_large_for_the_board_is_told_and_only_there() {
    let sizes = [
        "camera.width=1920",
        "camera.height=1080",
        "local.port=0",
        "local.tls_port=0",
    ];
    for (model, is_told) in [(Model::Zero2W, true), (Model::Pi4, false)] {
        let board = Board::new("size", model);
        let mut args = vec!["doctor"];
        for set in sizes {
            args.extend(["--set", set]);
        }
        let (_, said, log) = board.run(&args);
        let line = said
            .lines()
            .find(|line| line.contains("1920x1080 at 30 on a"));
        assert_eq!(line.is_some(), is_told, "{said}\n{log}");
        assert!(line.is_none_or(|line| line.contains("512 MB")), "{said}");
    }
}

#[test]
fn the_doctor_tells_how_good_pulses_are_that_software_makes() {
    let board = Board::new("doctor", Model::Pi4);
    let mut args = vec!["doctor"];
    for set in [
        "drive.output=pwm",
        "pwm.kind=software",
        "pwm.throttle_pin=17",
        "pwm.steering_pin=27",
        "local.port=0",
        "local.tls_port=0",
    ] {
        args.extend(["--set", set]);
    }
    let (_, said, log) = board.run(&args);
    let line = said.lines().find(|line| line.contains(" outputs "));
    // Whether they are good is this machine's affair; that they were made and measured is not.
    let pulses = line
        .and_then(|line| line.split("software PWM: ").nth(1))
        .and_then(|rest| rest.split(' ').next()?.parse::<u32>().ok());
    assert!(
        pulses.is_some_and(|n| (50..=110).contains(&n)),
        "{said}\n{log}"
    );
    assert!(
        line.is_some_and(|line| line.contains(" µs (p99)")),
        "{said}"
    );
}

/// `doctor --hands` on a Pi 4 with an INA219, by somebody who says yes to everything, and who begins a movement again that
/// the car cut short because this computer stood still: the exit code, what was said, and how often that was.
fn examined(name: &str, loaded_mv: &str, sets: &[&str]) -> Examined {
    let mut board = Board::new(name, Model::Pi4);
    board.user = User::Maker;
    let mut args = vec!["doctor", "--hands"];
    let pwm = [
        "drive.output=pwm",
        "drive.throttle_slew_permille_per_s=0",
        "battery.kind=ina219",
        "battery.address=0x41",
    ];
    args.extend(pwm.iter().chain(sets).flat_map(|set| ["--set", set]));
    let mut command = board.command(&args);
    command.env("SHIM_LOADED_MV", loaded_mv);
    let mut person = AtTerminal::start(&command);
    person.line("to go on: ", "wheels up");
    person.answer("motor stand still", "y");
    let mut cut_short = 0;
    for (does, asks) in [
        ("the front wheels turn left", "Did they turn left?"),
        ("the front wheels turn right", "Did they turn right?"),
        ("the motor turns forward", "Did the wheels turn forward?"),
        ("the motor gets a brake", "Did the wheels turn backward?"),
    ] {
        person.answer(&format!("Next: {does}"), " ");
        while !person.answers_unless("stopped by itself: control_", asks, "y") {
            cut_short += 1;
            assert!(cut_short <= ATTEMPTS, "{does}: the car stopped each time");
            eprintln!("this computer stood still, and the car stopped: {does}, once more");
            person.answer(&format!("Next: {does}"), " ");
        }
    }
    let (code, said) = person.ends();
    Examined {
        board,
        code,
        said,
        cut_short,
    }
}

struct Examined {
    board: Board,
    code: Option<i32>,
    said: String,
    cut_short: u32,
}

impl Examined {
    /// Whether these movements were put out on a channel one after the other, each ending at neutral, but for what was cut
    /// short: that goes to neutral from anywhere in a movement, as often as the car said so, and the movement follows whole,
    /// or from where the ESC is (one that has braked takes the next pulse below neutral as reverse).
    fn made(&self, channel: u8, movements: &[&[u64]]) {
        let pulses = pulses_of(&self.board, channel);
        assert!(
            are_made_by(&pulses, movements, self.cut_short),
            "channel {channel}: {pulses:?}, cut short {} times, is not {movements:?}",
            self.cut_short
        );
    }
}

/// Whether pulses are these movements, of which so many attempts were cut short.
fn are_made_by(pulses: &[u64], movements: &[&[u64]], cut_short: u32) -> bool {
    let Some((movement, others)) = movements.split_first() else {
        return pulses.is_empty();
    };
    let whole = pulses.strip_prefix(*movement);
    if whole.is_some_and(|rest| are_made_by(rest, others, cut_short)) {
        return true;
    }
    let cut_at = |most: usize| {
        let begun = movement.get(..most)?;
        let rest = pulses.strip_prefix(begun)?;
        let rest = if begun.last() == Some(&NEUTRAL_US) {
            rest
        } else {
            rest.strip_prefix(&[NEUTRAL_US])?
        };
        let mut next = (0..).zip(*movement).skip(most - 1);
        Some((rest, next.find(|(_, us)| **us != NEUTRAL_US)?.0))
    };
    let goes_on = |rest: &[u64], from: usize| {
        let movement = movement.get(from..).unwrap_or_default();
        are_made_by(rest, &[&[movement], others].concat(), cut_short - 1)
    };
    cut_short > 0
        && (1..=movement.len())
            .filter_map(cut_at)
            .any(|(rest, next)| goes_on(rest, 0) || goes_on(rest, next))
}

#[test]
fn movements_are_known_whatever_was_cut_short() {
    let movements: [&[u64]; 2] = [&[1576, 1500], &[1300, 1500, 1460, 1500]];
    let whole = [1576, 1500, 1300, 1500, 1460, 1500];
    assert!(are_made_by(&whole, &movements, 0));
    for (pulses, cut_short) in [
        ([&[1576, 1500], whole.as_slice()].concat(), 1),
        ([&[1576, 1500, 1300, 1500], &whole[2..]].concat(), 1),
        ([&whole[..5], &[1500], &whole[2..]].concat(), 1),
        // Seen beside stall.py: the car stopped while the wheels turned backward.
        ([&whole[..5], &[1500], &whole[4..]].concat(), 1),
    ] {
        assert!(are_made_by(&pulses, &movements, cut_short), "{pulses:?}");
        assert!(!are_made_by(&pulses, &movements, 0), "{pulses:?}");
    }
    for wrong in [&whole[..5], &[1576, 1300, 1500, 1460, 1500], &[1500]] {
        assert!(!are_made_by(wrong, &movements, 3), "{wrong:?}");
    }
}

/// Neutral of both outputs here.
const NEUTRAL_US: u64 = 1500;

/// The doctor's line of this name.
fn line_of<'a>(name: &str, said: &'a str) -> Option<&'a str> {
    said.lines()
        .find(|line| line.split_whitespace().nth(1) == Some(name))
}

/// What was put out on a channel, in microseconds, each change once.
fn pulses_of(board: &Board, channel: u8) -> Vec<u64> {
    let start = format!("{}/pwm{channel}/duty_cycle ", board.model.pwm_chip());
    let mut pulses: Vec<u64> = board
        .writes()
        .iter()
        .filter_map(|line| line.strip_prefix(&start)?.parse::<u64>().ok())
        .map(|nanos| nanos / 1000)
        .collect();
    pulses.dedup();
    pulses
}

#[test]
fn the_doctor_with_a_person_puts_out_these_pulses_with_neutral_between_them() {
    let examined = examined("hands", "7200", &[]);
    assert_eq!(examined.code, Some(0), "{}", examined.said);
    // 0 is the channel being set up. 300 permille of 500 us; 80 permille of 460 us above the dead band; brake, rest and
    // 80 permille of 500 us.
    examined.made(1, &[&[0, 1500], &[1650, 1500], &[1350, 1500]]);
    examined.made(0, &[&[0, 1500], &[1576, 1500], &[1300, 1500, 1460, 1500]]);
    for channel in [0, 1] {
        let state =
            ["duty_cycle", "polarity", "enable"].map(|file| examined.board.pwm(channel, file));
        assert_eq!(state, ["1500000", "normal", "1"], "channel {channel}");
    }
    let battery = line_of("battery", &examined.said);
    assert_eq!(
        battery.map(str::trim_end),
        Some(
            "ok    battery   7400 mV, 100 mA at rest, 7200 mV, 900 mA at most while the motor turned"
        )
    );
}

#[test]
fn the_doctor_with_a_person_tells_a_battery_that_breaks_down_and_a_servo_that_is_reversed() {
    let reversed = ["drive.steering_reversed=true"];
    let examined = examined("hands-load", "6400", &reversed);
    assert_eq!(examined.code, Some(3), "{}", examined.said);
    let battery = line_of("battery", &examined.said);
    assert!(
        battery.is_some_and(|line| line.starts_with(
            "FAIL  battery   6400 mV, 900 mA while the motor turned: below the 6600 mV at which the car cannot be armed"
        )),
        "{}",
        examined.said
    );
    examined.made(1, &[&[0, 1500], &[1350, 1500], &[1650, 1500]]);
    let duty = [0, 1].map(|channel| examined.board.duty(channel));
    assert_eq!(duty, [1_500_000, 1_500_000]);
}

#[test]
fn what_is_missing_is_said_with_what_to_do() {
    let cases: [(&str, &[&str], &str); 5] = [
        (
            "class/pwm/pwmchip1",
            &["drive.output=pwm"],
            "dtoverlay=pwm-2chan",
        ),
        ("dev/i2c-1", &["drive.output=pca9685"], "dtparam=i2c_arm=on"),
        ("dev/gpiochip0", &["drive.output=hbridge"], "/dev/gpiochip0"),
        (
            "",
            &["drive.output=pwm", "pwm.throttle_pin=17"],
            "use 12, 13, 18 or 19",
        ),
        (
            "",
            &["drive.output=pwm", "pwm.throttle_pin=13"],
            "same PWM channel",
        ),
    ];
    for (missing, sets, wanted) in cases {
        let board = Board::new("missing", Model::Pi4);
        if !missing.is_empty() {
            std::fs::remove_file(board.folder.file(missing)).expect("it was there");
        }
        let mut args = vec!["neutral"];
        args.extend(sets.iter().flat_map(|set| ["--set", set]));
        let (code, _, log) = board.run(&args);
        assert_eq!(code, Some(3), "{sets:?}: {log}");
        assert!(log.contains(wanted), "{sets:?}: {log}");
    }
    // And on a machine that is no Pi at all.
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_spidercar"))
        .args(["neutral", "--set", "drive.output=pwm"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no Raspberry Pi"));
}
