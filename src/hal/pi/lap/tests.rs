//! What can be tested without a GPIO chip; the rest is `tests/lap_gpio_sim.rs`, on a kernel that has one.

use super::*;

#[test]
fn a_board_without_the_chip_is_told_what_there_is() {
    let text = missing(&header::labelled(&["gpio-mockup-A"])).to_string();
    assert_eq!(
        text,
        "lap sensor: the GPIO chip of a Raspberry Pi's header: not found; there is /dev/gpiochip0 (gpio-mockup-A); set \
         lap.chip"
    );
    assert!(missing(&[]).to_string().contains("no GPIO chip at all"));
}

#[test]
fn what_cannot_be_opened_says_what_to_do() {
    let path = Path::new("/dev/gpiochip9");
    let said = |kind: ErrorKind| cannot_open(path, kind.into()).to_string();
    assert_eq!(
        said(ErrorKind::NotFound),
        "lap sensor: /dev/gpiochip9: not found; `gpiodetect` lists the chips; set lap.chip"
    );
    assert_eq!(
        said(ErrorKind::PermissionDenied),
        "lap sensor: /dev/gpiochip9: permission denied; add the user to the group gpio (usermod -aG gpio NAME)"
    );
    assert!(said(ErrorKind::OutOfMemory).contains("open the chip: failed"));
}

#[test]
fn a_file_that_is_no_chip_is_refused() {
    let settings = LapSettings {
        chip: Some(PathBuf::from("/dev/null")),
        pin: 4,
        second_pin: None,
        active_high: false,
    };
    let err = open(&settings).err().unwrap();
    assert!(
        err.to_string().starts_with("lap sensor: /dev/null: "),
        "{err}"
    );
}

#[test]
fn a_gap_is_what_is_missing_between_two_numbers() {
    for (before, now, wanted) in [
        (0, 1, 0),
        (0, 2, 1),
        (7, 8, 0),
        (7, 1_032, 1_024),
        (u32::MAX, 0, 0),
        (u32::MAX, 3, 3),
    ] {
        assert_eq!(gap(before, now), wanted, "{before} {now}");
    }
}
