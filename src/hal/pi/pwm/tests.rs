//! Which channel a pin has, which chip is the header's, and the bytes of a pulse. The whole way through rppal is tested
//! with a board's files by `tests/board_files_ns` (a mount namespace), for rppal's paths are fixed.

use std::os::unix::fs::symlink;

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
    for soc in [SoC::Bcm2835, SoC::Bcm2837A1, SoC::Bcm2837B0, SoC::Bcm2711] {
        assert_eq!(of(soc), old, "{soc}");
    }
    assert_eq!(of(SoC::Bcm2712), [Some(0), Some(1), None, Some(2), Some(3)]);
}

#[test]
fn a_pi_5_takes_the_block_of_the_header_and_not_the_fan() {
    let class = folder("chips");
    for (chip, device) in [
        ("pwmchip0", "1f0009c000.pwm"),
        ("pwmchip2", RP1_HEADER_BLOCK),
    ] {
        let real = class.join(format!("devices/{device}/pwm/{chip}"));
        fs::create_dir_all(&real).unwrap();
        symlink(&real, class.join(chip)).unwrap();
    }
    assert_eq!(find(&class, SoC::Bcm2712), Some(2));
    assert_eq!(find(&class, SoC::Bcm2711), Some(0));
    assert_eq!(find(&class.join("nowhere"), SoC::Bcm2711), None);
    fs::remove_dir_all(class).unwrap();
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
