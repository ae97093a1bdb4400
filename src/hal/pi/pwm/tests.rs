//! Which channel a pin has, which chip is the header's, and the bytes of a pulse. The whole way is tested with a board's
//! files by `tests/pi_files_e2e.rs` (a mount namespace).

use std::os::unix::fs::symlink;

use std::error;

use embedded_hal::pwm::SetDutyCycle;

use super::board::Chip as Soc;
use super::line::runs;
use super::*;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("spidercar-pwm-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn pins_have_the_channels_of_their_board() {
    let pins = [12, 13, 17, 18, 19];
    let of = |soc| pins.map(|pin| channel_of(soc, pin));
    let old = [Some(0), Some(1), None, Some(0), Some(1)];
    for soc in [Soc::Bcm2835, Soc::Bcm2836, Soc::Bcm2837, Soc::Bcm2711] {
        assert_eq!(of(soc), old, "{soc}");
    }
    assert_eq!(of(Soc::Bcm2712), [Some(0), Some(1), None, Some(2), Some(3)]);
}

/// A class folder with these chips.
fn class(name: &str, chips: &[(&str, &str)]) -> PathBuf {
    let class = folder(name);
    for (chip, device) in chips {
        let real = class.join(format!("../{name}-devices/{device}/pwm/{chip}"));
        fs::create_dir_all(&real).unwrap();
        symlink(&real, class.join(chip)).unwrap();
    }
    class
}

#[test]
fn each_board_takes_the_block_of_its_header_whatever_its_number() {
    for soc in [
        Soc::Bcm2835,
        Soc::Bcm2836,
        Soc::Bcm2837,
        Soc::Bcm2711,
        Soc::Bcm2712,
    ] {
        let class = class(
            "chips",
            &[
                ("pwmchip0", "1f0009c000.pwm"),
                ("pwmchip1", "fe20c800.pwm"),
                ("pwmchip7", header_block(soc)),
            ],
        );
        assert_eq!(find(&class, soc).unwrap(), class.join("pwmchip7"), "{soc}");
        fs::remove_dir_all(class).unwrap();
    }
}

#[test]
fn without_the_header_s_block_no_chip_is_taken_and_the_overlay_is_named() {
    for soc in [Soc::Bcm2837, Soc::Bcm2711, Soc::Bcm2712] {
        let others = class(
            "others",
            &[("pwmchip0", "1f0009c000.pwm"), ("pwmchip1", "fe20c800.pwm")],
        );
        let said = find(&others, soc).unwrap_err().to_string();
        assert!(said.contains("dtoverlay=pwm-2chan"), "{said}");
        assert!(said.contains(header_block(soc)), "{said}");
        assert!(said.contains("pwmchip0 is of 1f0009c000.pwm"), "{said}");
        let said = find(&others.join("nowhere"), soc).unwrap_err().to_string();
        assert!(said.contains("there is no chip at all"), "{said}");
        fs::remove_dir_all(others).unwrap();
    }
}

#[test]
fn a_channel_that_does_not_appear_is_a_driver_s() {
    let chip = folder("taken");
    fs::write(chip.join("export"), "").unwrap();
    let period = Duration::from_millis(20);
    let failed = PwmLine::open(&chip, 0, period, Duration::from_millis(20)).unwrap_err();
    let text = error::Error::source(&failed).unwrap().to_string();
    assert!(text.contains("a driver of the kernel has it"), "{text}");
    assert!(text.contains("/sys/kernel/debug/pwm"), "{text}");
    fs::remove_dir_all(chip).unwrap();
}

#[test]
fn a_pulse_is_one_line_of_nanoseconds_and_a_twin_writes_the_same_file() {
    let folder = folder("duty");
    let duty = folder.join("duty_cycle");
    fs::write(&duty, "").unwrap();
    fs::write(folder.join("enable"), "1\n").unwrap();
    let mut line = PwmLine::on(folder.clone(), Duration::from_millis(20)).unwrap();
    let mut twin = line.twin().unwrap();
    let first_line = || {
        let text = fs::read_to_string(&duty).unwrap();
        text.lines().next().map(str::to_owned)
    };
    line.set_duty_cycle(1500).unwrap();
    assert_eq!(first_line().as_deref(), Some("1500000"));
    twin.set_duty_cycle(999).unwrap();
    assert_eq!(first_line().as_deref(), Some("999000"));
    line.set_duty_cycle(0).unwrap();
    assert_eq!(first_line().as_deref(), Some("0"));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_channel_that_somebody_switched_off_is_told_and_switched_on() {
    let folder = folder("enable");
    for (name, text) in [
        ("duty_cycle", "0"),
        ("enable", "0\n"),
        ("period", "20000000\n"),
        ("polarity", "normal\n"),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    let period = Duration::from_millis(20);
    assert!(!runs(&folder, period));
    let line = PwmLine::on(folder.clone(), period).unwrap();
    let err = line.look().unwrap_err();
    assert!(
        error::Error::source(&err)
            .is_some_and(|source| source.to_string().contains("switched it off"))
    );
    line.look().unwrap();
    assert!(runs(&folder, period));
    assert!(!runs(&folder, Duration::from_millis(10)));
    fs::remove_dir_all(folder).unwrap();
}
