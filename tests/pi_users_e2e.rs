//! The program as the users of a board, with the rights that Raspberry Pi OS gives: the unit's user, `pi` in the groups
//! of the devices, somebody in none, and root.
//!
//! Needs root (mount namespaces, users). The board is files, as in `pi_files_e2e.rs`.

mod harness;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use harness::board::{Board, Model, User, own};
use harness::terminal::AtTerminal;
use harness::{Operator, Program, until};

/// The outputs of the boards in `board/`, one each.
const OUTPUTS: [&[&str]; 3] = [
    &["drive.output=pwm"],
    &["drive.output=pca9685"],
    &[
        "drive.output=hbridge",
        "hbridge.forward_pin=23",
        "hbridge.reverse_pin=24",
    ],
];

fn sets<'a>(command: &'a str, keys: &[&'a str]) -> Vec<&'a str> {
    let mut args: Vec<&str> = command.split(' ').collect();
    args.extend(["--set", "local.port=0", "--set", "local.tls_port=0"]);
    args.extend(keys.iter().flat_map(|key| ["--set", key]));
    args
}

/// Starts the car as a user and drives it, so that its outputs are known to work.
async fn driven(board: &mut Board, user: User, keys: &[&str]) -> (Program, Operator) {
    let car = board.as_user(user).car(keys);
    let mut operator = Operator::connect(&car.url()).await;
    operator.take_over().await;
    let before = board.writes().len();
    let registers = board.register(0x1C);
    operator
        .drive_until(600, &format!("{user:?}: outputs that change"), || {
            board.writes().len() > before || board.register(0x1C) != registers
        })
        .await;
    (car, operator)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_units_user_and_pi_drive_each_kind_of_output() {
    for user in [User::Service, User::Maker] {
        for keys in OUTPUTS {
            let mut board = Board::new("users", Model::Pi4);
            let (mut car, _operator) = driven(&mut board, user, keys).await;
            car.signal("-TERM");
            assert_eq!(car.wait(), Some(0), "{user:?} {keys:?}");
            let (code, _, log) = board.run(&sets("neutral", keys));
            assert_eq!(code, Some(0), "{user:?} {keys:?}: {log}");
        }
    }
}

/// Another program of any user, with another configuration and another kind of output, writes nothing beside a car.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_beside_a_car_but_neutral() {
    let keepers = [User::Service, User::Maker, User::Root];
    for (keeper, keys) in keepers.into_iter().zip(OUTPUTS) {
        let mut board = Board::new("beside", Model::Pi4);
        let car = board.as_user(keeper).car(keys);
        car.logged("link up").await;
        for other in keepers {
            board.as_user(other);
            let runs = OUTPUTS.map(|second| ("run", second));
            for (command, second) in runs.into_iter().chain([("doctor", OUTPUTS[0])]) {
                let case = format!("{keeper:?} {keys:?}, {other:?} {command} {second:?}");
                let (code, all, wrote) = apart(&board, &sets(command, second));
                assert_eq!(code, Some(3), "{case}: {all}");
                let refused = all.contains("another spidercar has the outputs");
                assert!(refused, "{case}: {all}");
                assert_eq!(wrote, Vec::<String>::new(), "{case}");
            }
            for command in [&["doctor", "--hands"][..], &["calibrate"]] {
                let mut args = command.to_vec();
                args.extend(["--set", keys[0]]);
                let person = AtTerminal::start(&board.command(&args));
                let (code, said) = person.ends();
                assert_eq!(code, Some(3), "{other:?} {command:?}: {said}");
                assert!(said.contains("another spidercar has the outputs"), "{said}");
                assert!(!said.contains("wheels"), "{other:?} {command:?}: {said}");
            }
            // Neutral is the one that may pass.
            let (code, _, log) = board.run(&sets("neutral", keys));
            assert_eq!(code, Some(0), "{keeper:?}, {other:?}: {log}");
        }
        drop(car);
    }
}

/// A program beside another one: exit code, all its words, and what it wrote to outputs. (A doctor reads the I2C bus.)
fn apart(board: &Board, args: &[&str]) -> (Option<i32>, String, Vec<String>) {
    let log = board.folder.file("apart");
    std::fs::write(&log, "").expect("a log");
    own(&log, 0, 0, 0o666);
    let output = board.ending(args).env("SHIM_LOG", &log).output();
    let output = output.expect("the program runs");
    let words = [output.stdout, output.stderr].concat();
    let wrote = std::fs::read_to_string(&log).expect("a log");
    let of_outputs = wrote
        .lines()
        .filter(|line| line.starts_with("/sys/class/pwm") || line.starts_with("i2c 40 "));
    (
        output.status.code(),
        String::from_utf8_lossy(&words).into_owned(),
        of_outputs.map(str::to_owned).collect(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn two_cars_of_any_users_do_not_share_a_state_file() {
    let mut board = Board::new("state", Model::Pi4);
    let state = board.folder.file("var");
    std::fs::create_dir(&state).expect("a folder");
    own(&state, User::Service.id(), User::Service.id(), 0o755);
    let key = format!("drive.state_file={}", state.join("car.json").display());
    let car = board.as_user(User::Service).car(&[&key]);
    until("a lock", || state.join("car.json.lock").exists()).await;
    for other in [User::Maker, User::Guest, User::Root] {
        board.as_user(other);
        for command in ["run", "doctor", "calibrate --reset"] {
            let (code, said, log) = board.run(&sets(command, &[&key]));
            assert_eq!(code, Some(3), "{other:?} {command}: {said}{log}");
            let all = said + &log;
            assert!(
                all.contains("another spidercar has the outputs (drive.state_file"),
                "{other:?} {command}: {all}"
            );
        }
    }
    // A folder that others may not even look into counts as held, and the sentence says whose it is.
    own(&state, User::Service.id(), User::Service.id(), 0o750);
    let (code, _, log) = board.as_user(User::Maker).run(&sets("run", &[&key]));
    assert_eq!(code, Some(3), "{log}");
    let sentence = "is spidercar:spidercar with mode 0750: use sudo";
    assert!(
        log.contains("pi (user 71000) may not open") && log.contains(sentence),
        "{log}"
    );
    drop(car);
}

/// The kernel and udev behind a board's PWM files.
struct Rights {
    stop: Arc<AtomicBool>,
    join: Option<std::thread::JoinHandle<()>>,
}

impl Rights {
    /// Makes channels as they are exported; gives the rights when `is_time` says so.
    fn give(board: Arc<Board>, is_time: impl Fn(&Board) -> bool + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let join = std::thread::spawn(move || {
            let mut made = Vec::new();
            while !stopping.load(Ordering::Relaxed) {
                for channel in board.exported() {
                    if !made.contains(&channel) {
                        board.make_channel(channel);
                        made.push(channel);
                    }
                }
                if is_time(&board) {
                    board.udev();
                }
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        Self {
            stop,
            join: Some(join),
        }
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(join) = self.join.take() {
            let _ = join.join();
        }
    }
}

/// `neutral` on a board, with its sleeps in the log of writes.
fn neutral(board: &Board) -> (Option<i32>, String) {
    let mut command = board.ending(&sets("neutral", &["drive.output=pwm"]));
    let output = command.env("SHIM_SLEEPS", "1").output().expect("it runs");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), log)
}

fn sleeps(board: &Board) -> usize {
    let writes = board.writes();
    writes
        .iter()
        .filter(|line| line.starts_with("sleep"))
        .count()
}

#[test]
fn channels_that_can_be_opened_are_not_waited_for() {
    for model in Model::ALL {
        for user in [User::Service, User::Maker, User::Root] {
            let mut board = Board::new("warm", model);
            let (code, log) = neutral(board.as_user(user));
            assert_eq!(code, Some(0), "{model:?} {user:?}: {log}");
            assert_eq!(
                sleeps(&board),
                0,
                "{model:?} {user:?}: {:?}",
                board.writes()
            );
        }
    }
}

#[test]
fn at_a_cold_start_both_channels_are_exported_and_udev_is_waited_for() {
    for model in Model::ALL {
        let mut board = Board::cold("cold", model);
        board.as_user(User::Service);
        let board = Arc::new(board);
        // The chip's own files come first: udev was there when the chip appeared.
        board.udev();
        let rights = Rights::give(Arc::clone(&board), |board| {
            board.exported().len() == 2 && sleeps(board) >= 3
        });
        let (code, log) = neutral(&board);
        drop(rights);
        assert_eq!(code, Some(0), "{model:?}: {log}");
        let writes = board.writes();
        assert_eq!(board.exported().len(), 2, "{model:?}: {writes:?}");
        let last: Vec<_> = writes.iter().rev().take(2).collect();
        assert!(
            last.iter().all(|line| line.ends_with("duty_cycle 1500000")),
            "{model:?}: {writes:?}"
        );
    }
}

#[test]
fn a_chip_that_udev_never_gives_is_told_with_user_mode_and_command() {
    let mut board = Board::cold("never", Model::Pi4);
    let (code, log) = neutral(board.as_user(User::Service));
    assert_eq!(code, Some(3), "{log}");
    assert!(
        log.contains("spidercar (user 70990) may not open /sys/class/pwm/pwmchip1/export"),
        "{log}"
    );
    assert!(
        log.contains("root:root with mode 0200") && log.contains("udev"),
        "{log}"
    );
}

#[test]
fn somebody_in_no_group_hears_the_command_that_helps() {
    let cases: [(&[&str], &str); 3] = [
        (&["drive.output=pwm"], "sudo usermod -aG gpio guest"),
        (&["drive.output=pca9685"], "sudo usermod -aG i2c guest"),
        (OUTPUTS[2], "sudo usermod -aG gpio guest"),
    ];
    for (keys, wanted) in cases {
        let mut board = Board::new("guest", Model::Pi4);
        let (code, _, log) = board.as_user(User::Guest).run(&sets("neutral", keys));
        assert_eq!(code, Some(3), "{keys:?}: {log}");
        assert!(
            log.contains("guest (user 71001) may not open"),
            "{keys:?}: {log}"
        );
        assert!(log.contains(wanted), "{keys:?}: {log}");
        assert_eq!(board.writes(), Vec::<String>::new(), "{keys:?}");
    }
}

#[test]
fn a_secret_of_the_unit_s_user_is_told_with_its_owner_and_mode() {
    let mut board = Board::new("secret", Model::Pi4);
    let secret = board.folder.file("key");
    std::fs::write(&secret, "not-a-real-key-of-any-car\n").expect("a secret");
    own(&secret, 0, User::Service.id(), 0o640);
    let key = format!("local.driver_key_file={}", secret.display());
    let (code, _, log) = board.as_user(User::Maker).run(&["check", "--set", &key]);
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("pi (user 71000) may not open"), "{log}");
    assert!(
        log.contains("root:spidercar with mode 0640: use sudo"),
        "{log}"
    );
    let (code, _, log) = board.as_user(User::Service).run(&["check", "--set", &key]);
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn without_its_overlay_no_board_takes_another_chip() {
    for model in Model::ALL {
        let mut board = Board::new("overlay", model);
        let class = board.folder.file("class/pwm");
        std::fs::remove_file(class.join(model.pwm_chip())).expect("a chip");
        for user in [User::Service, User::Maker, User::Root] {
            for command in ["neutral", "run", "doctor"] {
                let args = sets(command, &["drive.output=pwm"]);
                let (code, said, log) = board.as_user(user).run(&args);
                let all = said + &log;
                assert_eq!(code, Some(3), "{model:?} {user:?} {command}: {all}");
                assert!(
                    all.contains("dtoverlay=pwm-2chan"),
                    "{model:?} {command}: {all}"
                );
                assert!(
                    all.contains("pwmchip0 is of 1f0009c000.pwm"),
                    "{model:?}: {all}"
                );
            }
        }
        assert_eq!(board.writes(), Vec::<String>::new(), "{model:?}");
        assert!(Path::new(&class.join("pwmchip0")).exists());
    }
}
