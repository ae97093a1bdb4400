//! The ceilings, the jitter, and what counts as a good link.

use super::*;

const MOST: u32 = u32::MAX;

fn at_s(seconds: u64) -> Uptime {
    Uptime::from_micros(seconds * 1_000_000)
}

/// The longest delay that the next try can get, in whole milliseconds.
fn ceiling_ms(backoff: &mut Backoff, now: Uptime) -> u128 {
    backoff
        .next_delay(now, Setback::Failed, MOST)
        .as_micros()
        .div_ceil(1000)
}

#[test]
fn the_ceiling_doubles_up_to_fifteen_seconds() {
    let mut backoff = Backoff::new();
    for wanted in [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000] {
        assert_eq!(ceiling_ms(&mut backoff, at_s(0)), wanted);
    }
    assert_eq!(backoff.attempt(), 9);
}

#[test]
fn the_delay_is_the_random_part_of_the_ceiling() {
    for (random, wanted_us) in [
        (0, 0),
        (1 << 31, 125_000),
        (1 << 30, 62_500),
        (MOST, 249_999),
    ] {
        let delay = Backoff::new().next_delay(at_s(0), Setback::Failed, random);
        assert_eq!(delay.as_micros(), wanted_us);
    }
}

#[test]
fn it_never_overflows_however_long_it_tries() {
    let mut backoff = Backoff {
        attempt: u32::MAX - 1,
        up_since: None,
        seen_at: None,
    };
    for _ in 0..4 {
        assert_eq!(ceiling_ms(&mut backoff, Uptime::MAX), 15_000);
    }
    assert_eq!(backoff.attempt(), u32::MAX);
    let mut backoff = Backoff {
        attempt: 32,
        up_since: None,
        seen_at: None,
    };
    assert_eq!(
        ceiling_ms(&mut backoff, at_s(0)),
        15_000,
        "a shift by 32 is no small delay"
    );
}

#[test]
fn a_link_that_lasted_starts_the_count_again() {
    let mut backoff = Backoff::new();
    for _ in 0..5 {
        backoff.next_delay(at_s(0), Setback::Failed, MOST);
    }
    backoff.link_up(at_s(10));
    assert_eq!(ceiling_ms(&mut backoff, at_s(30)), 250);
    assert_eq!(backoff.attempt(), 1);
}

/// A car that was up, lost its link at 100 s and is refused by its ghost: once a second, and then as ever.
#[test]
fn a_ghost_that_refuses_for_ten_seconds_does_not_make_the_next_try_late() {
    let mut backoff = Backoff::new();
    backoff.link_up(at_s(10));
    assert!(backoff.next_delay(at_s(100), Setback::Failed, MOST) < Duration::from_millis(250));
    for second in 101..160 {
        let delay = backoff.next_delay(at_s(second), Setback::Refused, MOST);
        assert!(delay < SOON && delay >= SOON / 2, "{second}: {delay:?}");
    }
    assert_eq!(backoff.attempt(), 1);
    assert_eq!(ceiling_ms(&mut backoff, at_s(160)), 500);
    let delay = backoff.next_delay(at_s(161), Setback::Refused, MOST);
    assert!(
        delay > Duration::from_millis(999),
        "refused for good: {delay:?}"
    );
    assert_eq!(backoff.attempt(), 3);
}

#[test]
fn a_refusal_without_a_word_by_a_server_that_never_took_us_counts() {
    let mut backoff = Backoff::new();
    for wanted in [250, 500, 1000, 2000] {
        let delay = backoff.next_delay(at_s(1), Setback::Refused, MOST);
        assert_eq!(delay.as_micros().div_ceil(1000), wanted);
    }
}

#[test]
fn busy_and_near_count_for_nothing_however_often() {
    for setback in [Setback::Busy, Setback::Near] {
        let mut backoff = Backoff::new();
        for random in [0, 1, 1 << 31, MOST].repeat(20) {
            let delay = backoff.next_delay(at_s(1), setback, random);
            assert!((SOON / 2..SOON).contains(&delay), "{setback:?}: {delay:?}");
        }
        assert_eq!(backoff.attempt(), 0);
    }
}

#[test]
fn another_network_starts_the_count_again() {
    let mut backoff = Backoff::new();
    for _ in 0..9 {
        backoff.next_delay(at_s(0), Setback::Failed, MOST);
    }
    backoff.network_changed();
    assert_eq!(ceiling_ms(&mut backoff, at_s(1)), 250);
}

#[test]
fn a_link_that_falls_again_at_once_does_not() {
    let mut backoff = Backoff::new();
    for _ in 0..5 {
        backoff.next_delay(at_s(0), Setback::Failed, MOST);
    }
    backoff.link_up(at_s(10));
    let just_short = Uptime::from_micros(29_999_999);
    assert_eq!(ceiling_ms(&mut backoff, just_short), 8000);
    // The next link's time counts from its own beginning, and from the first word of it.
    backoff.link_up(at_s(40));
    backoff.link_up(at_s(59));
    assert_eq!(ceiling_ms(&mut backoff, at_s(60)), 250);
}

fn waits_ms(reopening: &mut Reopening, count: usize) -> Vec<u128> {
    let waits = (0..count).map(|_| reopening.failed(at_s(0)).as_millis());
    waits.collect()
}

#[test]
fn a_sick_device_is_opened_ever_more_rarely() {
    let mut reopening = Reopening::new();
    assert_eq!(
        waits_ms(&mut reopening, 9),
        [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]
    );
    reopening.failures = u32::MAX;
    assert_eq!(waits_ms(&mut reopening, 2), [30_000, 30_000]);
}

#[test]
fn a_sick_device_is_opened_some_hundred_times_an_hour_however_long_it_seems_to_work() {
    for seems_to_work_ms in [0, 1, 500, 5_000, 29_999] {
        let mut reopening = Reopening::new();
        let (mut now, mut openings) = (Uptime::ZERO, 0);
        while now < at_s(3600) {
            openings += 1;
            reopening.works(now);
            now = now.after(Duration::from_millis(seems_to_work_ms));
            now = now.after(reopening.failed(now));
        }
        assert!(openings <= 126, "{seems_to_work_ms} ms: {openings}");
    }
}

#[test]
fn a_device_that_was_well_for_a_while_is_opened_at_once() {
    let mut reopening = Reopening::new();
    waits_ms(&mut reopening, 6);
    reopening.works(at_s(100));
    reopening.works(at_s(129));
    assert_eq!(reopening.failed(at_s(130)).as_millis(), 500);
    reopening.works(at_s(131));
    assert_eq!(
        reopening.failed(at_s(160)).as_millis(),
        1000,
        "one second short"
    );
}
