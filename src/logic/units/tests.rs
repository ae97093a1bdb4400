//! Ranges, saturation and the number circle.

use super::*;

#[test]
fn uptime_saturates_at_both_ends() {
    let late = Uptime::from_micros(u64::MAX - 1);
    assert_eq!(late.after(Duration::from_secs(1)), Uptime::MAX);
    assert_eq!(Uptime::ZERO.after(Duration::MAX), Uptime::MAX);
    assert_eq!(
        Uptime::ZERO.since(late),
        Duration::ZERO,
        "time never runs back"
    );
    assert_eq!(
        late.since(Uptime::ZERO).as_micros(),
        u128::from(u64::MAX - 1)
    );
    let at = Uptime::from_micros(7);
    assert_eq!(
        at.after(Duration::from_nanos(1_999)).as_micros(),
        8,
        "whole microseconds"
    );
}

#[test]
fn a_lease_id_is_a_number_for_all_and_a_secret_for_one() {
    let ann = LeaseId::with_secret(7, u32::MAX);
    assert_eq!((ann.get(), ann.secret()), (7, u32::MAX));
    assert_eq!(LeaseId::from_word(ann.word()), ann);
    for other in [
        LeaseId::new(7),
        LeaseId::with_secret(7, 1),
        LeaseId::with_secret(8, u32::MAX),
    ] {
        assert_ne!(ann, other);
    }
    let nobody = [
        LeaseId::new(0),
        LeaseId::with_secret(0, 9),
        LeaseId::from_word(9 << 32),
    ];
    assert_eq!(nobody, [LeaseId::NONE; 3]);
    let printed = format!("{ann:?}");
    assert_eq!(printed, "LeaseId(7)", "a secret is not printed");
}

#[test]
fn a_permille_is_within_full_scale_or_is_none() {
    for value in -1000..=1000 {
        assert_eq!(i32::from(Throttle::new(value).unwrap().get()), value);
        assert_eq!(i32::from(Steering::saturating(value).get()), value);
    }
    for (value, nearest) in [
        (1001, 1000),
        (-1001, -1000),
        (i32::from(i16::MAX) + 1, 1000),
        (i32::from(i16::MIN) - 1, -1000),
        (i32::MAX, 1000),
        (i32::MIN, -1000),
    ] {
        assert_eq!(Throttle::new(value), None);
        assert_eq!(Steering::new(value), None);
        assert_eq!(Throttle::saturating(value).get(), nearest);
        assert_eq!(Steering::saturating(value).get(), nearest);
    }
    assert!(Throttle::ZERO.is_zero() && !Throttle::MAX.is_zero() && !Throttle::MIN.is_zero());
    assert_eq!(Throttle::default(), Throttle::ZERO);
}

#[test]
fn a_pulse_is_one_that_a_servo_understands() {
    assert_eq!(PulseWidth::new(499), None);
    assert_eq!(PulseWidth::new(2501), None);
    for micros in 500..=2500 {
        let pulse = PulseWidth::new(micros).unwrap();
        assert_eq!(pulse.get(), micros);
        assert_eq!(PulseWidth::saturating(micros.into()), pulse);
    }
    assert_eq!(PulseWidth::saturating(0), PulseWidth::MIN);
    assert_eq!(PulseWidth::saturating(u32::MAX), PulseWidth::MAX);
}

#[test]
fn ticks_of_the_old_chip_come_back_as_they_were() {
    // PROTOCOL.md 4.7: one tick is 4.069 us.
    assert_eq!(PulseWidth::from_ticks(369).unwrap().get(), 1501);
    assert_eq!(PulseWidth::from_ticks(246).unwrap().get(), 1001);
    assert_eq!(PulseWidth::from_ticks(492).unwrap().get(), 2002);
    for ticks in 123..=614 {
        let pulse = PulseWidth::from_ticks(ticks).unwrap();
        assert_eq!(pulse.to_ticks(), ticks);
        assert_eq!(PulseWidth::saturating_from_ticks(ticks), pulse);
    }
    assert_eq!(PulseWidth::from_ticks(122), None);
    assert_eq!(PulseWidth::from_ticks(615), None);
    assert_eq!(PulseWidth::from_ticks(u16::MAX), None);
    assert_eq!(PulseWidth::saturating_from_ticks(0), PulseWidth::MIN);
    assert_eq!(PulseWidth::saturating_from_ticks(u16::MAX), PulseWidth::MAX);
}

#[test]
fn a_bit_rate_does_not_overflow() {
    assert_eq!(Kbps::new(2500).bits_per_second(), 2_500_000);
    assert_eq!(
        Kbps::new(u32::MAX).bits_per_second(),
        u64::from(u32::MAX) * 1000
    );
}

#[test]
fn newer_is_the_shorter_way_round() {
    let newer = |a: u32, b: u32| Seq::new(a).is_newer_than(Seq::new(b));
    assert!(newer(1, 0) && !newer(0, 1));
    assert!(!newer(5, 5), "the same is not newer");
    assert!(newer(0, u32::MAX) && !newer(u32::MAX, 0), "it wraps");
    assert!(newer(0x7FFF_FFFF, 0) && !newer(0, 0x7FFF_FFFF));
    // Exactly half way round is nobody's future.
    assert!(!newer(0x8000_0000, 0) && !newer(0, 0x8000_0000));
    for distance in [1, 2, 1000, 0x7FFF_FFFE] {
        for start in [0, 1, u32::MAX, 0x8000_0000] {
            assert!(newer(start.wrapping_add(distance), start));
            assert!(!newer(start, start.wrapping_add(distance)));
        }
    }
}

#[test]
fn nobody_is_id_zero() {
    assert!(LeaseId::NONE.is_none() && LeaseId::new(0).is_none());
    assert!(!LeaseId::new(1).is_none() && !LeaseId::new(u32::MAX).is_none());
}
