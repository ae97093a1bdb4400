//! Every `board/*/spidercar.toml` is complete, good and says why; and what lies beside it agrees with it.
//!
//! ```text
//!   schema.rs ─ spidercar check ─▶ scripts/boards.py ─▶ spidercar.toml ─┬─ same pins ─ wiring.md ─▶ wiring.svg
//!   board/README.md (the header) ────────────── same numbers ───────────┼────────────────┘
//!   shared/boot-common.txt + boot-config.txt ── same pins, same chips ──┘
//! ```
//!
//! The files are read as the car would read them, but on a machine that is made up: a board may name certificates and
//! secrets that are on its SD card and not here. `boards/wiring.rs` and `boards/boot.rs` look at the other files. The
//! scripts are run, not written a second time here: they need Python (`scripts/prepare.sh test`).

#[path = "boards/boot.rs"]
mod boot;
#[path = "boards/links.rs"]
mod links;
#[path = "boards/wiring.rs"]
mod wiring;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use spidercar::config::hardware::{HbridgeSteering, Wiring};
use spidercar::config::schema::{Id, KEYS, TABLES};
use spidercar::config::words::PwmKind;
use spidercar::config::{Config, Outside, RawConfig, Source, show};

/// A machine on which every file that a board names is there: `*.pem` holds a certificate and a key,
/// anything else a secret.
struct FittedOut;

impl Outside for FittedOut {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path.starts_with(boards()) {
            return fs::read(path);
        }
        let pem = path.extension().is_some_and(|end| end == "pem");
        let content = if pem {
            "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n\
             -----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"
        } else {
            "made-up-secret\n"
        };
        Ok(content.into())
    }

    fn variable(&self, _name: &str) -> Option<String> {
        Some("made-up-secret".into())
    }
}

fn boards() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("board")
}

/// The configuration of every board; a folder without one holds what boards share.
fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(boards())
        .expect("there is a folder of boards")
        .map(|entry| {
            entry
                .expect("it can be listed")
                .path()
                .join("spidercar.toml")
        })
        .filter(|file| file.exists())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no board has a configuration");
    files
}

fn read(file: &Path) -> RawConfig {
    RawConfig::read(&Source::File(file.to_owned()), &[], &FittedOut)
}

/// A board with hardware, and what the other files have to agree with.
struct Board {
    name: String,
    folder: PathBuf,
    config: Config,
    /// Which keys claim which pin (BCM number).
    pins: BTreeMap<u8, BTreeSet<&'static str>>,
}

impl Board {
    fn of(file: &Path) -> Self {
        let config = Config::from_raw(&read(file), &FittedOut)
            .unwrap_or_else(|report| panic!("{}: {report}", file.display()));
        let folder = file.parent().expect("a file is in a folder").to_owned();
        let name = folder.file_name().expect("a folder has a name");
        Self {
            name: name.to_string_lossy().into_owned(),
            pins: pins_of(&config),
            folder,
            config,
        }
    }

    fn text(&self, file: &str) -> String {
        let path = self.folder.join(file);
        fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
    }

    /// The two pins of the PWM overlay, if it is needed.
    fn hardware_pwm(&self) -> Option<[u8; 2]> {
        match &self.config.drive.output {
            Wiring::Pwm(pwm) if pwm.kind == PwmKind::Hardware => {
                Some([pwm.throttle_pin, pwm.steering_pin])
            }
            Wiring::Hbridge(bridge) if bridge.pwm == PwmKind::Hardware => {
                let steering = match bridge.steering {
                    HbridgeSteering::Servo { pin, .. } => pin,
                    HbridgeSteering::Skid(motor) => motor.speed_pin,
                };
                Some([bridge.motor.speed_pin, steering])
            }
            Wiring::Sim | Wiring::Pwm(_) | Wiring::Pca9685(_) | Wiring::Hbridge(_) => None,
        }
    }

    /// The pins that the program drives.
    fn outputs(&self) -> BTreeSet<u8> {
        let is_output = |key: &str| key.starts_with("pwm.") || key.starts_with("hbridge."); // pca9685.enable_pin moves nothing while it is high
        let mut pins = self.pins.clone();
        pins.retain(|_, keys| keys.iter().copied().any(is_output));
        pins.into_keys().collect()
    }
}

/// Every board but the simulated one.
fn hardware() -> Vec<Board> {
    let boards: Vec<Board> = files()
        .iter()
        .map(|file| Board::of(file))
        .filter(|board| !matches!(board.config.drive.output, Wiring::Sim))
        .collect();
    assert!(boards.len() >= 4, "there are {} boards", boards.len());
    boards
}

/// Which keys put a pin of the header to use.
fn pins_of(config: &Config) -> BTreeMap<u8, BTreeSet<&'static str>> {
    let mut claims: Vec<(u8, Id)> = Vec::new();
    let mut bus = |number: u8, id: Id| {
        assert_eq!(number, 1, "{}: the header's bus is 1", id.key().path);
        claims.extend([(2, id), (3, id)]);
    };
    if let Some(battery) = &config.sensors.battery {
        bus(battery.bus, Id::BatteryBus);
    }
    if let Wiring::Pca9685(pca) = &config.drive.output {
        bus(pca.bus, Id::PcaBus);
    }
    if let Some(lap) = &config.sensors.lap {
        claims.push((lap.pin, Id::LapPin));
        claims.extend(lap.second_pin.map(|pin| (pin, Id::LapSecondPin)));
    }
    match &config.drive.output {
        Wiring::Sim => {}
        Wiring::Pca9685(pca) => {
            claims.extend(pca.enable_pin.map(|pin| (pin, Id::PcaEnablePin)));
        }
        Wiring::Pwm(pwm) => claims.extend([
            (pwm.throttle_pin, Id::PwmThrottlePin),
            (pwm.steering_pin, Id::PwmSteeringPin),
        ]),
        Wiring::Hbridge(bridge) => {
            claims.extend([
                (bridge.motor.forward_pin, Id::HbridgeForwardPin),
                (bridge.motor.reverse_pin, Id::HbridgeReversePin),
                (bridge.motor.speed_pin, Id::HbridgeSpeedPin),
            ]);
            match bridge.steering {
                HbridgeSteering::Servo { pin, .. } => claims.push((pin, Id::HbridgeServoPin)),
                HbridgeSteering::Skid(right) => claims.extend([
                    (right.forward_pin, Id::HbridgeRightForwardPin),
                    (right.reverse_pin, Id::HbridgeRightReversePin),
                    (right.speed_pin, Id::HbridgeRightSpeedPin),
                ]),
            }
            claims.extend(bridge.enable_pin.map(|pin| (pin, Id::HbridgeEnablePin)));
        }
    }
    let mut pins: BTreeMap<u8, BTreeSet<&'static str>> = BTreeMap::new();
    for (pin, id) in claims {
        pins.entry(pin).or_default().insert(id.key().path);
    }
    pins
}

/// Runs a script of this project that only looks.
fn passes(script: &str, args: &[&str]) {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let ended = Command::new("python3")
        .arg("-B") // leaves no __pycache__ behind
        .arg(scripts.join(script))
        .args(args)
        .output()
        .unwrap_or_else(|err| panic!("python3: {err}; scripts/prepare.sh test installs it"));
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{told}");
}

#[test]
fn every_board_is_a_good_configuration() {
    for file in files() {
        Board::of(&file);
    }
}

#[test]
fn every_board_is_what_the_script_writes() {
    passes(
        "boards.py",
        &["--check", "--program", env!("CARGO_BIN_EXE_spidercar")],
    );
}

#[test]
fn every_value_that_is_not_the_default_has_its_reason() {
    for file in files() {
        let raw = read(&file);
        let reasons = reasons_of(&fs::read_to_string(&file).expect("a readable board"));
        for key in KEYS.iter().map(|id| id.key()) {
            let said = raw.get(key.id).map(|said| said.value);
            let is_default = said.is_none_or(|value| value == key.kind.default_value());
            assert!(
                is_default || reasons.contains(key.path),
                "{}: {} is not the default, and no \"# Here: ...\" above it says why",
                file.display(),
                key.path
            );
        }
    }
}

/// The keys that have a `# Here:` in the comment above them.
fn reasons_of(text: &str) -> BTreeSet<String> {
    let mut reasons = BTreeSet::new();
    let (mut table, mut is_reasoned) = (String::new(), false);
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut table);
        } else if line.starts_with('#') {
            is_reasoned |= line.starts_with("# Here: ");
        } else {
            if let Some((name, _)) = line.split_once(" = ")
                && is_reasoned
            {
                reasons.insert(format!("{table}.{name}"));
            }
            is_reasoned = false;
        }
    }
    reasons
}

#[test]
fn no_board_leads_to_a_real_host() {
    for board in hardware() {
        let url = format!("{:?}", board.config.spider.url);
        assert!(url.contains("spider.example"), "{}: {url}", board.name);
        assert!(board.config.ice.servers.is_empty(), "{}", board.name);
    }
}

#[test]
fn the_original_car_gets_the_ticks_of_its_calibration() {
    // spec: PROTOCOL.md 4.6, the published example; the brake is 50 below standing still.
    let ticks = [300, 375, 399, 440, 325, 319, 399, 479];
    let board = Board::of(&boards().join("original-pca9685/spidercar.toml"));
    let Wiring::Pca9685(pca) = board.config.drive.output else {
        panic!("it has a PCA9685");
    };
    let pulses = board.config.drive.config.calibration.fields();
    let pulses = [
        pulses.throttle_min,
        pulses.throttle_zero,
        pulses.forward_zero,
        pulses.throttle_max,
        pulses.brake,
        pulses.steering_min,
        pulses.steering_zero,
        pulses.steering_max,
    ];
    // datasheet: PCA9685 7.3.5; the chip divides by a whole number, here without a rest.
    let counts_per_second = 4096 * pca.frequency_hz;
    assert_eq!(pca.oscillator_hz % counts_per_second, 0);
    let counts = |us: u16| (u32::from(us) * counts_per_second + 500_000) / 1_000_000;
    assert_eq!(pulses.map(|pulse| counts(pulse.get())), ticks);
}

#[test]
fn every_board_says_every_key() {
    for file in files() {
        let said = read(&file).keys_said();
        let missing: BTreeSet<&str> = KEYS
            .iter()
            .filter(|id| !said.contains(id))
            .map(|id| id.key().path)
            .collect();
        assert!(
            missing.is_empty(),
            "{} does not say {missing:?}",
            file.display()
        );
    }
}

#[test]
fn every_key_of_a_board_has_a_comment_above_it() {
    for file in files() {
        let text = fs::read_to_string(&file).expect("a readable board");
        let mut above = "";
        for (number, line) in text.lines().enumerate() {
            let is_key = line.starts_with(|c: char| c.is_ascii_lowercase());
            assert!(
                !is_key || above.starts_with('#'),
                "{}:{}: {line}",
                file.display(),
                number + 1
            );
            above = line;
        }
    }
}

#[test]
fn the_simulated_car_equals_the_defaults() {
    let sim = read(&boards().join("sim/spidercar.toml"));
    let defaults = RawConfig::read(&Source::BuiltIn, &[], &FittedOut);
    for id in KEYS {
        let value = |raw: &RawConfig| raw.get(*id).map(|said| said.value);
        assert_eq!(value(&sim), value(&defaults), "{}", id.key().path);
    }
}

#[test]
fn the_simulated_car_is_what_check_prints() {
    let file = boards().join("sim/spidercar.toml");
    let text = fs::read_to_string(&file).expect("a readable board");
    let printed = show::effective(&RawConfig::read(&Source::BuiltIn, &[], &FittedOut));
    let first = text
        .lines()
        .zip(printed.lines())
        .position(|(ours, theirs)| ours != theirs);
    assert!(
        text == printed,
        "{}: line {:?} differs; write it anew with `scripts/boards.py`",
        file.display(),
        first.map(|line| line + 1)
    );
}

#[test]
fn every_key_and_table_is_documented_in_a_sentence() {
    for doc in KEYS
        .iter()
        .map(|id| id.key().doc)
        .chain(TABLES.iter().map(|table| table.doc))
    {
        let begins = doc.starts_with(|c: char| c.is_uppercase() || c == '"');
        assert!(begins && doc.ends_with(['.', '!']), "{doc:?}");
    }
}
