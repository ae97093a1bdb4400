//! Every limit one below, at and above; an inrush; and that the filter stays between its samples.

use super::*;
use BatteryLevel::{Critical, Good, Low};

const CONFIG: BatteryConfig = BatteryConfig {
    low_mv: 7_000,
    critical_mv: 6_600,
};

fn at_ms(ms: u64) -> Uptime {
    Uptime::from_micros(ms * 1000)
}

/// The level after these voltages, each held long enough to be all that counts.
fn after(millivolts: &[u16]) -> BatteryLevel {
    let mut battery = Battery::new(CONFIG);
    for (hour, mv) in (0..).zip(millivolts) {
        battery.sample(at_ms(hour * 3_600_000_000), *mv);
    }
    battery.level()
}

#[test]
fn each_limit_is_exact_on_the_way_down() {
    for (mv, wanted) in [
        (u16::MAX, Good),
        (7_001, Good),
        (7_000, Good),
        (6_999, Low),
        (6_601, Low),
        (6_600, Low),
        (6_599, Critical),
        (0, Critical),
    ] {
        assert_eq!(after(&[mv]), wanted, "{mv} mV");
    }
}

#[test]
fn a_warning_is_taken_back_only_three_percent_higher() {
    // 3 % of 7000 are 210 mV, of 6600 they are 198 mV. The filter has a thousandth of a millivolt left of the value before.
    for (mv, wanted) in [(7_000, Low), (7_209, Low), (7_211, Good)] {
        assert_eq!(after(&[6_900, mv]), wanted, "from low to {mv} mV");
    }
    for (mv, wanted) in [
        (6_600, Critical),
        (6_797, Critical),
        (6_799, Low),
        (7_209, Low),
        (7_211, Good),
    ] {
        assert_eq!(after(&[6_500, mv]), wanted, "from critical to {mv} mV");
    }
    assert_eq!(after(&[6_500, 6_799, 6_601]), Low, "critical was left");
    assert_eq!(after(&[7_300, 7_001]), Good, "never warned");
}

#[test]
fn the_smoothed_voltage_is_told_to_the_nearest_millivolt() {
    let mut battery = Battery::new(CONFIG);
    battery.sample(at_ms(0), 7_000);
    battery.sample(at_ms(5_000), 7_001); // half old, half new
    assert_eq!(battery.millivolts(), Some(7_001));
    battery.sample(at_ms(5_000), 0); // no time passed: it counts for nothing
    assert_eq!(battery.millivolts(), Some(7_001));
}

#[test]
fn nothing_measured_is_no_warning() {
    let battery = Battery::new(CONFIG);
    assert_eq!((battery.level(), battery.millivolts()), (Good, None));
}

#[test]
fn an_inrush_does_not_flicker_the_warning() {
    let mut battery = Battery::new(CONFIG);
    let mut changes = Vec::new();
    // A pack of 7.4 V that a start pulls to 6.3 V for 1.5 s, each ten seconds, seen four times a second.
    for quarter in 0..2_400_u64 {
        let mv = if quarter % 40 < 6 { 6_300 } else { 7_400 };
        let before = battery.level();
        let now = battery.sample(
            at_ms(quarter * 250 + 1),
            if quarter == 0 { 7_400 } else { mv },
        );
        if before != now {
            changes.push((quarter, now));
        }
    }
    assert_eq!(changes, []);
}

#[test]
fn a_battery_that_runs_out_is_told_once_each() {
    let mut battery = Battery::new(CONFIG);
    let mut seen = vec![Good];
    // From 8.4 V to 6.2 V in 22 minutes, with 50 mV of noise.
    for second in 0..1_320_u16 {
        let noise = if second % 2 == 0 { 50 } else { 0 };
        let mv = 8_400 - second * 5 / 3 + noise;
        let level = battery.sample(at_ms(u64::from(second) * 1000), mv);
        if seen.last() != Some(&level) {
            seen.push(level);
        }
    }
    assert_eq!(seen, [Good, Low, Critical]);
}

#[test]
fn a_drop_that_stays_is_told_within_seconds() {
    let mut battery = Battery::new(CONFIG);
    battery.sample(at_ms(0), 7_400);
    let told = (1..60).find(|second| battery.sample(at_ms(second * 1000), 6_500) == Critical);
    assert_eq!(told, Some(13), "seconds after the drop");
}

#[test]
fn the_smoothed_voltage_lies_between_its_samples() {
    for (before, measured) in [(0, u16::MAX), (7_000, 6_000), (6_000, 7_000), (5, 5)] {
        for ms in [0, 1, 250, 1_000, 5_000, 60_000, u64::MAX / 1000] {
            let mut battery = Battery::new(CONFIG);
            battery.sample(at_ms(0), before);
            battery.sample(at_ms(ms), measured);
            let smoothed = battery.millivolts().unwrap();
            let range = before.min(measured)..=before.max(measured);
            assert!(
                range.contains(&smoothed),
                "{before} {measured} {ms}: {smoothed}"
            );
        }
    }
    let mut battery = Battery::new(CONFIG);
    battery.sample(at_ms(0), 7_000);
    battery.sample(at_ms(5_000), 6_000);
    assert_eq!(
        battery.millivolts(),
        Some(6_500),
        "half after the time constant"
    );
}

#[test]
fn time_that_stands_still_or_goes_back_changes_nothing() {
    let mut battery = Battery::new(CONFIG);
    battery.sample(at_ms(1_000), 7_400);
    battery.sample(at_ms(1_000), 0);
    battery.sample(at_ms(10), 0);
    assert_eq!(battery.millivolts(), Some(7_400));
}
