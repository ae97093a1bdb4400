//! Every limit one microsecond below, at and above; then whatever bounce there is, against a plain reading of the rules.

use proptest::prelude::*;

use super::*;

const DEBOUNCE_US: u64 = 2_000;
const MINIMUM_US: u64 = 1_000_000;

fn config(pins: Pins) -> LapConfig {
    LapConfig {
        pins,
        debounce: Duration::from_micros(DEBOUNCE_US),
        minimum: Duration::from_micros(MINIMUM_US),
    }
}

fn at(micros: u64) -> Uptime {
    Uptime::from_micros(micros)
}

fn detector(pins: Pins) -> LapDetector {
    LapDetector::new(config(pins), at(0), [false; 2])
}

/// The times of all passes of one pin that changes at these times, first to over the mark.
fn passes(config: LapConfig, edges: &[u64]) -> Vec<u64> {
    let mut detector = LapDetector::new(config, at(0), [false; 2]);
    let mut told = Vec::new();
    let mut is_over = false;
    for micros in edges {
        is_over = !is_over;
        told.extend(detector.edge(Pin::First, is_over, at(*micros)));
    }
    told.extend(detector.advance(at(u64::MAX - 1)));
    told.iter().map(|pass| pass.at.as_micros()).collect()
}

#[test]
fn a_level_counts_when_it_has_held_for_the_debounce() {
    for (held, wanted) in [
        (DEBOUNCE_US - 1, vec![]),
        (DEBOUNCE_US, vec![5_000 + DEBOUNCE_US]),
        (DEBOUNCE_US + 1, vec![5_001 + DEBOUNCE_US]),
    ] {
        assert_eq!(
            passes(config(Pins::One), &[5_000, 5_000 + held]),
            wanted,
            "over the mark for {held} us"
        );
    }
}

#[test]
fn leaving_counts_when_it_has_held_for_the_debounce() {
    let (over, left) = (10_000, 20_000);
    for (away, wanted) in [
        (DEBOUNCE_US - 1, vec![4_000_000]),
        (DEBOUNCE_US, vec![left, 4_000_000]),
        (DEBOUNCE_US + 1, vec![left, 4_000_000]),
    ] {
        let edges = [over, left, left + away, 4_000_000];
        assert_eq!(passes(config(Pins::One), &edges), wanted, "away for {away}");
    }
}

#[test]
fn a_pass_is_told_at_its_deadline_and_not_before() {
    let mut detector = detector(Pins::One);
    assert_eq!(detector.next_at(), Uptime::MAX, "nothing to wait for");
    assert_eq!(detector.edge(Pin::First, true, at(10_000)), None);
    assert_eq!(detector.next_at(), at(12_000));
    assert_eq!(detector.advance(at(11_999)), None);
    assert!(!detector.is_over());
    assert_eq!(detector.advance(at(12_000)), None);
    assert!(detector.is_over());
    assert_eq!(detector.next_at(), Uptime::MAX);
    assert_eq!(detector.edge(Pin::First, false, at(50_000)), None);
    assert_eq!(detector.advance(at(51_999)), None);
    let pass = detector.advance(at(52_000)).unwrap();
    assert_eq!((pass.at, pass.count, pass.lap), (at(50_000), 1, None));
    assert_eq!(detector.advance(at(9_000_000)), None, "once");
}

#[test]
fn the_last_instant_over_the_mark_is_told_not_the_first() {
    // It bounces when it comes and when it goes: 100 us each.
    let edges = [
        10_000, 10_100, 10_200, 10_300, 10_400, // over
        30_000, 30_100, 30_200, 30_300, 30_400, // left
    ];
    assert_eq!(passes(config(Pins::One), &edges), [30_400]);
}

#[test]
fn a_lap_shorter_than_the_minimum_is_not_told_and_counted() {
    for (lap, told) in [(MINIMUM_US - 1, 1), (MINIMUM_US, 2), (MINIMUM_US + 1, 2)] {
        let mut detector = detector(Pins::One);
        let mut laps = Vec::new();
        for left in [50_000, 50_000 + lap] {
            detector.edge(Pin::First, true, at(left - 10_000));
            detector.edge(Pin::First, false, at(left));
            laps.extend(detector.advance(at(left + DEBOUNCE_US)));
        }
        assert_eq!(laps.len(), told, "a lap of {lap} us");
        assert_eq!(detector.early(), u32::from(told == 1));
        if let Some(second) = laps.get(1) {
            assert_eq!(second.lap, Some(Duration::from_micros(lap)));
            assert_eq!(second.count, 2);
        }
    }
}

#[test]
fn a_pass_that_was_too_early_does_not_put_off_the_next() {
    let edges = [
        10_000, 20_000, // told
        500_000, 510_000, // too early
        1_010_000, 1_020_000, // a whole lap after the one that was told
    ];
    assert_eq!(passes(config(Pins::One), &edges), [20_000, 1_020_000]);
}

#[test]
fn without_a_debounce_every_level_counts_at_once() {
    let sharp = LapConfig {
        pins: Pins::One,
        debounce: Duration::ZERO,
        minimum: Duration::ZERO,
    };
    assert_eq!(passes(sharp, &[10, 11, 12, 13]), [11, 13]);
    let mut detector = LapDetector::new(sharp, at(0), [false; 2]);
    assert_eq!(detector.edge(Pin::First, true, at(10)), None);
    assert!(
        detector.edge(Pin::First, false, at(11)).is_some(),
        "at once"
    );
}

#[test]
fn a_car_that_stands_on_the_line_passes_it_when_it_leaves() {
    let mut detector = LapDetector::new(config(Pins::One), at(1_000), [true, false]);
    assert_eq!(detector.next_at(), at(3_000));
    assert_eq!(detector.advance(at(100_000)), None);
    detector.edge(Pin::First, false, at(200_000));
    let pass = detector.advance(at(202_000)).unwrap();
    assert_eq!(pass.at, at(200_000));
}

#[test]
fn with_any_the_last_pin_to_leave_makes_the_pass() {
    let mut detector = detector(Pins::Any);
    detector.edge(Pin::First, true, at(10_000));
    detector.edge(Pin::Second, true, at(15_000));
    detector.edge(Pin::First, false, at(30_000));
    assert_eq!(detector.edge(Pin::Second, false, at(40_000)), None);
    assert_eq!(detector.advance(at(42_000)).unwrap().at, at(40_000));
}

#[test]
fn with_any_one_pin_alone_is_enough() {
    for pin in [Pin::First, Pin::Second] {
        let mut detector = detector(Pins::Any);
        detector.edge(pin, true, at(10_000));
        detector.edge(pin, false, at(20_000));
        assert_eq!(detector.advance(at(22_000)).unwrap().at, at(20_000));
    }
}

#[test]
fn with_all_the_first_pin_to_leave_makes_the_pass() {
    let mut detector = detector(Pins::All);
    detector.edge(Pin::First, true, at(10_000));
    detector.edge(Pin::Second, true, at(15_000));
    detector.edge(Pin::First, false, at(30_000));
    let pass = detector.edge(Pin::Second, false, at(40_000)).unwrap();
    assert_eq!(pass.at, at(30_000));
    assert_eq!(detector.advance(at(50_000)), None);
}

#[test]
fn with_all_one_pin_alone_is_none() {
    for (first, second) in [(Pin::First, Pin::Second), (Pin::Second, Pin::First)] {
        let mut detector = detector(Pins::All);
        // One after the other, never both for as long as the debounce.
        detector.edge(first, true, at(10_000));
        detector.edge(second, true, at(20_000));
        detector.edge(first, false, at(20_000 + DEBOUNCE_US - 1));
        detector.edge(second, false, at(40_000));
        assert_eq!(detector.advance(at(50_000)), None);
        assert_eq!(detector.early(), 0);
    }
}

#[test]
fn pins_that_change_places_in_the_same_instant_make_no_pass() {
    let mut any = detector(Pins::Any);
    any.edge(Pin::First, true, at(10_000));
    any.edge(Pin::First, false, at(20_000));
    any.edge(Pin::Second, true, at(20_000));
    assert_eq!(any.advance(at(30_000)), None);
    assert!(any.is_over());
    let mut all = detector(Pins::All);
    all.edge(Pin::First, true, at(10_000));
    all.edge(Pin::First, false, at(20_000));
    all.edge(Pin::Second, true, at(20_000));
    assert_eq!(all.advance(at(30_000)), None);
    assert!(!all.is_over());
}

#[test]
fn the_same_level_twice_means_that_it_was_gone_in_between() {
    let mut detector = detector(Pins::One);
    detector.edge(Pin::First, true, at(10_000));
    detector.edge(Pin::First, true, at(11_999));
    assert_eq!(detector.next_at(), at(13_999), "it holds since the second");
    detector.advance(at(13_999));
    detector.edge(Pin::First, false, at(20_000));
    detector.edge(Pin::First, false, at(21_000));
    let pass = detector.advance(at(23_000)).unwrap();
    assert_eq!(pass.at, at(21_000), "it was over the mark until then");
    assert_eq!(detector.edge(Pin::First, false, at(30_000)), None);
    assert_eq!(detector.advance(at(90_000)), None, "and nothing twice");
}

#[test]
fn lost_edges_are_made_up_for_by_the_levels() {
    let mut detector = detector(Pins::Any);
    // The edge to "over" was lost; so was that of the other pin.
    assert_eq!(detector.resync([true, true], at(10_000)), None);
    detector.advance(at(20_000));
    assert!(detector.is_over());
    assert_eq!(detector.resync([false, false], at(30_000)), None);
    assert_eq!(detector.advance(at(32_000)).unwrap().at, at(30_000));
    assert_eq!(detector.resync([false, false], at(40_000)), None);
    assert_eq!(detector.next_at(), Uptime::MAX, "nothing had changed");
}

#[test]
fn after_lost_edges_each_pin_has_its_own_level() {
    for (levels, pins, wanted) in [
        ([true, false], Pins::Any, true),
        ([false, true], Pins::Any, true),
        ([true, false], Pins::All, false),
        ([false, true], Pins::All, false),
        ([true, true], Pins::All, true),
    ] {
        let mut detector = detector(pins);
        assert_eq!(detector.resync(levels, at(10_000)), None);
        detector.advance(at(10_000 + DEBOUNCE_US));
        assert_eq!(detector.is_over(), wanted, "{levels:?} {pins:?}");
    }
}

#[test]
fn an_edge_that_is_older_than_the_one_before_is_not_older_for_it() {
    let mut detector = detector(Pins::One);
    detector.edge(Pin::First, true, at(10_000));
    detector.edge(Pin::First, false, at(9_000));
    detector.edge(Pin::First, true, at(8_000));
    assert_eq!(detector.next_at(), at(12_000));
}

#[test]
fn the_end_of_the_clock_is_no_endless_loop() {
    let mut detector = detector(Pins::One);
    detector.edge(Pin::First, true, Uptime::MAX);
    assert_eq!(detector.advance(Uptime::MAX), None);
}

/// What the rules say of a whole recording of one pin: runs of one level that held, of alternating level, in order.
fn oracle(edges: &[u64], end: u64) -> Vec<u64> {
    let mut told: Vec<u64> = Vec::new();
    let (mut counts, mut is_over, mut since) = (false, false, 0);
    for next in edges.iter().copied().chain([end]) {
        if next - since >= DEBOUNCE_US && is_over != counts {
            counts = is_over;
            let is_late_enough = told.last().is_none_or(|last| since - last >= MINIMUM_US);
            if !counts && is_late_enough {
                told.push(since);
            }
        }
        (is_over, since) = (!is_over, next);
    }
    told
}

/// One pass with bounce on both sides: what it looks like on the pin, and when it was left for good.
fn bouncy_pass() -> impl Strategy<Value = (Vec<u64>, u64)> {
    let bounce = || prop::collection::vec(1..DEBOUNCE_US, 0..8);
    (
        bounce(),
        DEBOUNCE_US..40_000,
        bounce(),
        MINIMUM_US..3_000_000,
    )
        .prop_map(|(mut coming, over, going, away)| {
            coming.truncate(coming.len() / 2 * 2); // it ends over the mark
            let going: Vec<u64> = going[..going.len() / 2 * 2].to_vec();
            let mut spans = coming;
            spans.push(over);
            spans.extend(going);
            (spans, away)
        })
}

proptest! {
    #[test]
    fn with_any_bounce_no_pass_is_missed_and_none_doubled(
        course in prop::collection::vec(bouncy_pass(), 1..20),
        looks in prop::collection::vec(1_u64..50_000, 1..20),
    ) {
        let mut detector = detector(Pins::One);
        let (mut now, mut is_over) = (MINIMUM_US, false);
        let (mut told, mut wanted) = (Vec::new(), Vec::new());
        let mut looks = looks.iter().cycle();
        for (spans, away) in &course {
            for span in spans.iter().chain([away]) {
                is_over = !is_over;
                told.extend(detector.edge(Pin::First, is_over, at(now)));
                // Somebody looks now and then while the level holds, as the deadline asks or as he likes.
                let mut look = now;
                loop {
                    look += looks.next().unwrap();
                    if look >= now + span { break; }
                    told.extend(detector.advance(at(look)));
                }
                now += span;
            }
            wanted.push(now - away);
        }
        let times: Vec<u64> = told.iter().map(|pass| pass.at.as_micros()).collect();
        prop_assert_eq!(times, wanted);
    }

    #[test]
    fn whatever_the_pin_does_the_rules_hold(spans in prop::collection::vec(
        prop_oneof![1..10_u64, DEBOUNCE_US - 2..DEBOUNCE_US + 3, 1..3_000_000_u64], 0..60,
    )) {
        let mut now = 0;
        let edges: Vec<u64> = spans.iter().map(|span| { now += span; now }).collect();
        prop_assert_eq!(passes(config(Pins::One), &edges), oracle(&edges, u64::MAX - 1));
    }

    #[test]
    fn two_pins_that_do_the_same_are_as_one(spans in prop::collection::vec(1..6_000_u64, 0..60)) {
        let (mut one, mut any, mut all) = (detector(Pins::One), detector(Pins::Any), detector(Pins::All));
        let (mut now, mut is_over) = (0, false);
        for span in spans {
            now += span;
            is_over = !is_over;
            let wanted = one.edge(Pin::First, is_over, at(now));
            for both in [&mut any, &mut all] {
                let told = both.edge(Pin::First, is_over, at(now));
                prop_assert_eq!(told.or(both.edge(Pin::Second, is_over, at(now))), wanted);
            }
        }
    }
}
