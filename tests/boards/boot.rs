//! The lines for `config.txt` set up what the configuration uses: PWM on just its pins, the bus, levels at the start.

use std::collections::BTreeSet;
use std::fs;

use super::{Board, boards, hardware};

/// The number of the alternative function that is PWM, as the overlay `pwm-2chan` wants it.
/// spec: overlays/README of the firmware: `12,4(Alt0) 18,2(Alt5)` and `13,4(Alt0) 19,2(Alt5)`; the same on a Pi 5.
const PWM_FUNCTIONS: [(u8, u8); 4] = [(12, 4), (18, 2), (13, 4), (19, 2)];

/// spec: raspberrypi/documentation, `config_txt`: the longest line.
const LONGEST: usize = 98;

/// What a board's `config.txt` ends with.
fn lines(board: &Board) -> Vec<String> {
    let shared = fs::read_to_string(boards().join("shared/boot-common.txt")).expect("a file");
    let all = format!("{shared}\n{}", board.text("boot-config.txt"));
    all.lines().map(str::to_owned).collect()
}

fn is_setting(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#')
}

fn settings(board: &Board) -> Vec<String> {
    let lines = lines(board).into_iter();
    lines.filter(|line| is_setting(line)).collect()
}

#[test]
fn every_line_has_its_reason_above_it() {
    for board in hardware() {
        let name = &board.name;
        let mut above = String::new();
        for line in lines(&board) {
            let is_reasoned = !is_setting(&line) || above.starts_with("# ");
            assert!(is_reasoned, "{name}: no reason above {line}");
            assert!(line.len() <= LONGEST, "{name}: too long: {line}");
            above = line;
        }
    }
}

#[test]
fn the_pwm_overlay_names_the_configured_pins_and_no_others() {
    for board in hardware() {
        let name = &board.name;
        let mut overlays = settings(&board);
        overlays.retain(|line| line.starts_with("dtoverlay=pwm"));
        let wanted = board.hardware_pwm().map(|[one, two]| {
            // The overlay's first pin is one of channel 0 (12, 18), its second one of channel 1.
            let (first, second) = if [12, 18].contains(&one) {
                (one, two)
            } else {
                (two, one)
            };
            let function = |pin: u8| {
                let found = PWM_FUNCTIONS.iter().find(|(with_pwm, _)| *with_pwm == pin);
                found
                    .unwrap_or_else(|| panic!("{name}: BCM {pin} has no PWM"))
                    .1
            };
            let (func, func2) = (function(first), function(second));
            format!("dtoverlay=pwm-2chan,pin={first},func={func},pin2={second},func2={func2}")
        });
        assert_eq!(overlays, Vec::from_iter(wanted), "{name}");
    }
}

#[test]
fn outputs_are_held_low_from_the_firmware_on() {
    for board in hardware() {
        let held: BTreeSet<u8> = settings(&board)
            .iter()
            .filter_map(|line| line.strip_prefix("gpio=")?.strip_suffix("=op,dl"))
            .flat_map(|pins| pins.split(','))
            .map(|pin| pin.parse().expect("a BCM number"))
            .collect();
        assert_eq!(held, board.outputs(), "{}", board.name);
    }
}

#[test]
fn the_bus_is_on_and_fast_where_a_chip_is_on_it() {
    for board in hardware() {
        let lines = settings(&board);
        for wanted in ["dtparam=i2c_arm=on", "dtparam=i2c_arm_baudrate=400000"] {
            let is_said = lines.iter().any(|line| line == wanted);
            assert!(
                is_said || !board.pins.contains_key(&2),
                "{}: {wanted}",
                board.name
            );
        }
    }
}

/// After `dtoverlay=X`, `dtparam=` may be taken for a parameter of X, until another overlay or `dtoverlay=`.
#[test]
fn a_parameter_of_the_board_is_said_while_no_overlay_is_open() {
    for board in hardware() {
        let mut is_open = true; // what is delivered ends with an overlay
        for line in settings(&board) {
            if let Some(overlay) = line.strip_prefix("dtoverlay=") {
                is_open = !overlay.is_empty();
            }
            let is_taken = is_open && line.starts_with("dtparam=");
            assert!(!is_taken, "{}: {line}", board.name);
        }
    }
}
