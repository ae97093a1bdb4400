//! `wiring.md` says what the configuration says: the same pins, where the header has them, and the picture is of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::{Board, boards, hardware, passes};

/// What the header has at each pin: a BCM number, or the name of a supply.
fn header() -> BTreeMap<u8, String> {
    let readme = fs::read_to_string(boards().join("README.md")).expect("boards have a README");
    let mut header = BTreeMap::new();
    for cells in rows(&readme) {
        if let [_, left, odd, even, right, _] = cells.as_slice()
            && let (Ok(odd), Ok(even)) = (odd.parse(), even.parse())
        {
            header.extend([(odd, left.clone()), (even, right.clone())]);
        }
    }
    header
}

/// The cells of each line of the tables in a Markdown text.
fn rows(text: &str) -> impl Iterator<Item = Vec<String>> {
    text.lines()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect())
}

/// A line of the table "Pins".
struct Row {
    /// The keys that set it.
    keys: BTreeSet<String>,
    /// A BCM number, or the name of a supply.
    what: String,
    /// Its place on the header.
    pin: u8,
    idle: String,
}

/// The table "Pins" of a board.
fn pins(board: &Board) -> Vec<Row> {
    let text = board.text("wiring.md");
    let (_, below) = text.split_once("\n## Pins\n").expect("a table of pins");
    let table = below.split("\n## ").next().unwrap_or_default();
    let row = |cells: Vec<String>| {
        let [_, keys, what, pin, idle, _, _]: [String; 7] = cells.try_into().expect("7 columns");
        let names = keys.split('`').filter(|part| part.contains('.'));
        Row {
            keys: names.map(str::to_owned).collect(),
            what,
            pin: pin.parse().expect("a number of the header"),
            idle,
        }
    };
    rows(table).skip(2).map(row).collect() // after the names and the rule
}

#[test]
fn the_header_is_that_of_a_raspberry_pi() {
    let header = header();
    assert!(header.keys().copied().eq(1..=40), "{header:?}");
    let places = |name: &str| -> Vec<u8> {
        let all = header.iter().filter(|(_, what)| *what == name);
        all.map(|(pin, _)| *pin).collect()
    };
    assert_eq!(places("3V3"), [1, 17]);
    assert_eq!(places("5V"), [2, 4]);
    assert_eq!(places("GND"), [6, 9, 14, 20, 25, 30, 34, 39]);
    for bcm in 0..=27 {
        assert_eq!(places(&bcm.to_string()).len(), 1, "BCM {bcm}");
    }
    // spec: PROTOCOL.md 4.5 (4 and 17); Raspberry Pi documentation (EEPROM, I2C, UART, PWM).
    let known = [
        (4, 7),
        (17, 11),
        (0, 27),
        (1, 28),
        (2, 3),
        (3, 5),
        (14, 8),
        (15, 10),
    ];
    let pwm = [(12, 32), (13, 33), (18, 12), (19, 35)];
    for (bcm, pin) in known.into_iter().chain(pwm) {
        assert_eq!(places(&bcm.to_string()), [pin], "BCM {bcm}");
    }
}

#[test]
fn the_pins_of_the_wiring_are_those_of_the_configuration() {
    for board in hardware() {
        let name = &board.name;
        let mut wired: BTreeMap<u8, BTreeSet<String>> = BTreeMap::new();
        for row in pins(&board) {
            if let Ok(bcm) = row.what.parse() {
                let twice = wired.insert(bcm, row.keys);
                assert!(twice.is_none(), "{name}: BCM {bcm} stands there twice");
            } else {
                assert!(row.keys.is_empty(), "{name}: pin {} is a supply", row.pin);
            }
        }
        let mut configured: BTreeMap<u8, BTreeSet<String>> = BTreeMap::new();
        for (pin, keys) in &board.pins {
            configured.insert(*pin, keys.iter().map(ToString::to_string).collect());
        }
        assert_eq!(wired, configured, "{name}: wiring.md and spidercar.toml");
    }
}

#[test]
fn a_wire_is_where_the_header_has_its_pin() {
    let header = header();
    for board in hardware() {
        let name = &board.name;
        let mut taken = BTreeSet::new();
        for row in pins(&board) {
            let pin = row.pin;
            assert_eq!(header.get(&pin), Some(&row.what), "{name}: pin {pin}");
            assert!(taken.insert(pin), "{name}: two wires on pin {pin}");
        }
    }
}

#[test]
fn what_moves_something_is_low_until_the_program_runs() {
    for board in hardware() {
        let (name, outputs) = (&board.name, board.outputs());
        for row in pins(&board) {
            let Ok(bcm) = row.what.parse::<u8>() else {
                assert_eq!(row.idle, "", "{name}: a supply has no idle level");
                continue;
            };
            let expected = if outputs.contains(&bcm) {
                "low"
            } else {
                "high"
            };
            assert!(
                row.idle.starts_with(expected),
                "{name}: BCM {bcm}: {}",
                row.idle
            );
            // datasheet: BCM2835 table 6-31: 0 to 8 are pulled up at power-on.
            assert!(
                bcm > 8 || expected == "high",
                "{name}: BCM {bcm} is pulled up"
            );
        }
    }
}

#[test]
fn every_picture_is_of_its_tables() {
    passes("wiring.py", &["--check"]);
    for board in hardware() {
        assert!(
            board.text("wiring.svg").starts_with("<svg "),
            "{}",
            board.name
        );
    }
}
