//! Every arrow of the picture in the header, each on its first moment and not one before.

use super::*;

const HOLD: u64 = 100;
const NEUTRAL: u64 = 200;
const RECOVERY: u64 = 300;
const LEGACY_AGE: u64 = 1_500;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn at(ms: u64) -> Uptime {
    Uptime::from_micros(1_000_000_000 + ms * 1000)
}

fn config() -> FailsafeConfig {
    FailsafeConfig::new(ms(HOLD), ms(NEUTRAL), ms(RECOVERY), ms(LEGACY_AGE), ms(150)).unwrap()
}

/// A good link and a driver with a lease, heard at that time.
fn heard(heard_ms: u64) -> Facts {
    Facts {
        health: Health::GOOD,
        link_up: true,
        link_dropped: false,
        stop: false,
        lease_held: true,
        released: false,
        heard_at: Some(at(heard_ms)),
        sees_until: None,
        request: None,
        legacy_age: ms(LEGACY_AGE),
        legacy_neutral_at: None,
        refusals: Refusals::NONE,
    }
}

/// The old app: nobody holds the lease.
fn legacy(heard_ms: u64) -> Facts {
    Facts {
        lease_held: false,
        ..heard(heard_ms)
    }
}

fn asks(driver: Driver, facts: Facts) -> Facts {
    Facts {
        request: Some(driver),
        legacy_neutral_at: facts.heard_at,
        ..facts
    }
}

/// A machine that has been good for the recovery time at 0 ms.
fn ready() -> Failsafe {
    let mut failsafe = Failsafe::new(config());
    let before = Uptime::from_micros(at(0).as_micros() - RECOVERY * 1000);
    assert_eq!(failsafe.step(before, &legacy(0)), None);
    failsafe
}

fn live(driver: Driver) -> Failsafe {
    let mut failsafe = ready();
    let facts = match driver {
        Driver::Lease => asks(driver, heard(0)),
        Driver::Legacy => asks(driver, legacy(0)),
    };
    let change = failsafe
        .step(
            at(0),
            &Facts {
                lease_held: false,
                ..facts
            },
        )
        .unwrap();
    assert_eq!(
        (change.from, change.to, change.cause),
        (State::Disarmed, State::Live, Cause::Arm)
    );
    assert_eq!(failsafe.driver(), Some(driver));
    failsafe
}

fn stopped_by(facts: Facts) -> Failsafe {
    let mut failsafe = live(Driver::Lease);
    let change = failsafe.step(at(10), &facts).unwrap();
    assert_eq!(change.to, State::Stopped);
    failsafe
}

/// The change that a step makes, as state and cause.
fn step(failsafe: &mut Failsafe, at_ms: u64, facts: &Facts) -> Option<(State, Cause)> {
    let before = failsafe.state();
    let change = failsafe.step(at(at_ms), facts)?;
    assert_eq!((change.at, change.from), (at(at_ms), before));
    assert_eq!(
        (change.to, change.cause),
        (failsafe.state(), failsafe.cause())
    );
    Some((change.to, change.cause))
}

#[test]
fn it_starts_disarmed_and_nothing_but_a_request_arms_it() {
    let mut failsafe = ready();
    assert_eq!(
        (failsafe.state(), failsafe.cause(), failsafe.driver()),
        (State::Disarmed, Cause::Start, None)
    );
    for ms in (0..2_000).step_by(50) {
        assert_eq!(step(&mut failsafe, ms, &heard(ms)), None);
    }
}

#[test]
fn arming_waits_for_the_recovery_time_to_the_microsecond() {
    let good_since = at(0);
    for (wait_us, armed) in [(299_999, false), (300_000, true)] {
        let mut failsafe = Failsafe::new(config());
        failsafe.step(good_since, &legacy(0));
        let now = Uptime::from_micros(good_since.as_micros() + wait_us);
        let facts = Facts {
            heard_at: Some(now),
            ..asks(Driver::Lease, legacy(0))
        };
        assert_eq!(failsafe.step(now, &facts).is_some(), armed, "{wait_us}");
        assert_eq!(failsafe.refusals().contains(Refusals::RECOVERING), !armed);
    }
}

#[test]
fn silence_is_held_then_coasted_then_a_stop() {
    let mut failsafe = live(Driver::Lease);
    for ms in 1..=HOLD {
        assert_eq!(step(&mut failsafe, ms, &heard(0)), None, "{ms}");
    }
    assert_eq!(
        step(&mut failsafe, HOLD + 1, &heard(0)),
        Some((State::Coasting, Cause::Coast))
    );
    assert_eq!(failsafe.driver(), Some(Driver::Lease));
    for ms in HOLD + 2..=NEUTRAL {
        assert_eq!(step(&mut failsafe, ms, &heard(0)), None, "{ms}");
    }
    assert_eq!(
        step(&mut failsafe, NEUTRAL + 1, &heard(0)),
        Some((State::Stopped, Cause::Silence))
    );
    assert_eq!(failsafe.driver(), None);
}

#[test]
fn a_long_gap_between_steps_skips_the_coast() {
    let mut failsafe = live(Driver::Lease);
    assert_eq!(
        step(&mut failsafe, 900, &heard(0)),
        Some((State::Stopped, Cause::Silence))
    );
}

#[test]
fn a_command_while_coasting_drives_on() {
    let mut failsafe = live(Driver::Lease);
    step(&mut failsafe, 150, &heard(0));
    assert_eq!(
        step(&mut failsafe, 160, &heard(50)),
        None,
        "110 ms old is not fresh"
    );
    assert_eq!(
        step(&mut failsafe, 160, &heard(60)),
        Some((State::Live, Cause::Drive))
    );
    assert_eq!(failsafe.driver(), Some(Driver::Lease));
}

#[test]
fn trouble_stops_in_its_step_and_the_gravest_is_named() {
    let bad = |change: fn(&mut Facts)| {
        let mut facts = heard(10);
        change(&mut facts);
        facts
    };
    let troubles: [(Cause, Facts); 7] = [
        (
            Cause::ActuatorError,
            bad(|facts| {
                facts.health = Health {
                    camera_ok: false,
                    encoder_ok: false,
                    actuator_ok: false,
                    control_late: true,
                    ..Health::GOOD
                };
                facts.link_up = false;
            }),
        ),
        (
            Cause::ControlLate,
            bad(|facts| {
                facts.health = Health {
                    camera_ok: false,
                    encoder_ok: false,
                    control_late: true,
                    ..Health::GOOD
                };
                facts.link_up = false;
            }),
        ),
        (
            Cause::LinkLost,
            bad(|facts| {
                facts.health = Health {
                    camera_ok: false,
                    encoder_ok: false,
                    ..Health::GOOD
                };
                facts.link_up = false;
            }),
        ),
        (Cause::LinkLost, bad(|facts| facts.link_dropped = true)),
        (
            Cause::CameraDown,
            bad(|facts| {
                facts.health = Health {
                    camera_ok: false,
                    encoder_ok: false,
                    ..Health::GOOD
                };
            }),
        ),
        (
            Cause::EncoderDown,
            bad(|facts| facts.health.encoder_ok = false),
        ),
        (Cause::LeaseLost, bad(|facts| facts.lease_held = false)),
    ];
    for (cause, facts) in troubles {
        let mut failsafe = live(Driver::Lease);
        assert_eq!(
            step(&mut failsafe, 10, &facts),
            Some((State::Stopped, cause))
        );
        let mut coasting = live(Driver::Lease);
        step(&mut coasting, 150, &heard(0));
        let facts = Facts {
            heard_at: Some(at(150)),
            ..facts
        };
        assert_eq!(
            step(&mut coasting, 160, &facts),
            Some((State::Stopped, cause))
        );
        if cause != Cause::LeaseLost {
            let mut failsafe = live(Driver::Legacy);
            assert_eq!(
                step(&mut failsafe, 10, &facts),
                Some((State::Stopped, cause))
            );
        }
    }
}

#[test]
fn a_low_battery_a_hot_board_and_no_calibration_forbid_to_arm_and_stop_no_drive() {
    let warnings: [(Refusals, Health); 3] = [
        (
            Refusals::BATTERY_LOW,
            Health {
                battery_low: true,
                ..Health::GOOD
            },
        ),
        (
            Refusals::BOARD_HOT,
            Health {
                board_hot: true,
                ..Health::GOOD
            },
        ),
        (
            Refusals::UNCALIBRATED,
            Health {
                uncalibrated: true,
                ..Health::GOOD
            },
        ),
    ];
    for (refusal, health) in warnings {
        let facts = Facts {
            health,
            ..asks(Driver::Lease, legacy(0))
        };
        let mut failsafe = ready();
        assert_eq!(step(&mut failsafe, 0, &facts), None);
        assert_eq!(failsafe.refusals(), refusal);
        let mut failsafe = live(Driver::Lease);
        assert_eq!(
            step(
                &mut failsafe,
                10,
                &Facts {
                    health,
                    ..heard(10)
                }
            ),
            None
        );
        assert_eq!(Health::from_bits(health.bits()), health);
    }
    for bits in 0..128 {
        assert_eq!(Health::from_bits(bits).bits(), bits);
    }
}

#[test]
fn a_release_disarms_from_live_and_from_coasting() {
    for silence in [0, 150] {
        let mut failsafe = live(Driver::Lease);
        step(&mut failsafe, silence, &heard(0));
        let facts = Facts {
            released: true,
            lease_held: false,
            ..heard(0)
        };
        assert_eq!(
            step(&mut failsafe, silence, &facts),
            Some((State::Disarmed, Cause::Disarm))
        );
    }
}

#[test]
fn a_stop_latches_in_every_state_and_only_an_arm_leaves_it() {
    let stop = Facts {
        stop: true,
        ..heard(10)
    };
    for mut failsafe in [
        ready(),
        live(Driver::Lease),
        live(Driver::Legacy),
        stopped_by(Facts {
            link_dropped: true,
            ..heard(10)
        }),
    ] {
        assert_eq!(
            step(&mut failsafe, 20, &stop),
            Some((State::Stopped, Cause::Stop))
        );
        assert_eq!(step(&mut failsafe, 20, &stop), None, "said already");
        for ms in (20..2_000).step_by(20) {
            assert_eq!(step(&mut failsafe, ms, &heard(ms)), None);
            assert!(failsafe.refusals().contains(Refusals::STOP_LATCHED));
            let old_app = asks(Driver::Legacy, legacy(ms));
            assert_eq!(
                step(&mut failsafe, ms, &old_app),
                None,
                "a legacy neutral is no arm"
            );
        }
        let arm = asks(Driver::Lease, heard(2_000));
        assert_eq!(
            step(&mut failsafe, 2_000, &arm),
            Some((State::Live, Cause::Arm))
        );
    }
}

#[test]
fn stopped_recovers_after_the_time_without_a_gap_and_not_before() {
    let mut failsafe = stopped_by(Facts {
        link_dropped: true,
        ..heard(10)
    });
    for ms in (20..320).step_by(10) {
        assert_eq!(step(&mut failsafe, ms, &heard(ms)), None, "{ms}");
        assert!(
            failsafe
                .refusals()
                .contains(Refusals::RECOVERING.with(Refusals::LEASE_HELD))
        );
    }
    assert_eq!(
        step(&mut failsafe, 320, &heard(320)),
        Some((State::Disarmed, Cause::Recovered))
    );
    // A gap of the holder above the hold starts the time again.
    let mut failsafe = stopped_by(Facts {
        link_dropped: true,
        ..heard(10)
    });
    step(&mut failsafe, 20, &heard(20));
    assert_eq!(step(&mut failsafe, 121, &heard(20)), None);
    assert_eq!(step(&mut failsafe, 122, &heard(122)), None);
    for ms in (130..420).step_by(10) {
        assert_eq!(step(&mut failsafe, ms, &heard(ms)), None, "{ms}");
    }
    assert_eq!(
        step(&mut failsafe, 422, &heard(422)),
        Some((State::Disarmed, Cause::Recovered))
    );
}

#[test]
fn stopped_can_be_armed_at_once_when_recovered() {
    let mut failsafe = stopped_by(Facts {
        link_dropped: true,
        ..heard(10)
    });
    step(&mut failsafe, 20, &heard(20));
    for ms in (20..320).step_by(50) {
        assert_eq!(
            step(&mut failsafe, ms, &asks(Driver::Lease, heard(ms))),
            None
        );
    }
    assert_eq!(
        step(&mut failsafe, 320, &asks(Driver::Lease, heard(320))),
        Some((State::Live, Cause::Arm))
    );
}

#[test]
fn the_old_app_is_stopped_by_its_age_and_a_new_neutral_has_to_stand() {
    let mut failsafe = live(Driver::Legacy);
    assert_eq!(step(&mut failsafe, LEGACY_AGE, &legacy(0)), None);
    assert_eq!(
        step(&mut failsafe, LEGACY_AGE + 1, &legacy(0)),
        Some((State::Stopped, Cause::LegacyAge))
    );
    // The link was never bad, and the old neutral counts for nothing.
    assert_eq!(
        step(&mut failsafe, 3_000, &asks(Driver::Legacy, legacy(1_501))),
        None
    );
    assert!(failsafe.refusals().contains(Refusals::RECOVERING));
    let stands = Facts {
        heard_at: Some(at(3_299)),
        legacy_neutral_at: Some(at(3_000)),
        ..asks(Driver::Legacy, legacy(0))
    };
    assert_eq!(step(&mut failsafe, 3_299, &stands), None);
    assert_eq!(
        step(&mut failsafe, 3_300, &stands),
        Some((State::Live, Cause::Arm))
    );
}

#[test]
fn the_old_apps_age_is_what_the_caller_makes_of_it() {
    let quick = Facts {
        legacy_age: ms(250),
        ..legacy(0)
    };
    let mut failsafe = live(Driver::Legacy);
    assert_eq!(step(&mut failsafe, 250, &quick), None);
    assert_eq!(
        step(&mut failsafe, 251, &quick),
        Some((State::Stopped, Cause::LegacyAge))
    );
    let never = Facts {
        legacy_age: Duration::ZERO,
        ..legacy(0)
    };
    let mut failsafe = live(Driver::Legacy);
    assert_eq!(step(&mut failsafe, 1_000_000, &never), None);
    assert_eq!(
        failsafe.next_at(at(0), &never),
        at(1_000),
        "nothing to wait for but a look"
    );
}

#[test]
fn a_driver_with_a_lease_takes_over_from_the_old_app_and_not_the_other_way() {
    let mut failsafe = live(Driver::Legacy);
    assert_eq!(
        step(&mut failsafe, 10, &asks(Driver::Legacy, legacy(10))),
        None
    );
    assert_eq!(
        step(&mut failsafe, 10, &asks(Driver::Lease, legacy(10))),
        Some((State::Live, Cause::Arm))
    );
    assert_eq!(failsafe.driver(), Some(Driver::Lease));
    assert_eq!(
        step(&mut failsafe, 20, &asks(Driver::Legacy, heard(20))),
        None
    );
    let mut failsafe = ready();
    assert_eq!(
        step(&mut failsafe, 0, &asks(Driver::Legacy, heard(0))),
        None,
        "somebody holds the lease"
    );
}

#[test]
fn the_coast_is_a_line_from_hold_to_neutral() {
    let failsafe = live(Driver::Lease);
    for (silence, left) in [
        (0, 1000),
        (HOLD, 1000),
        (HOLD + 1, 990),
        (150, 500),
        (NEUTRAL - 1, 10),
        (NEUTRAL, 0),
        (9_999, 0),
    ] {
        assert_eq!(
            failsafe.coast_left(at(silence), &heard(0)),
            left,
            "{silence}"
        );
    }
    let never = Facts {
        heard_at: None,
        ..heard(0)
    };
    assert_eq!(failsafe.coast_left(at(0), &never), 0);
}

#[test]
fn it_asks_to_be_called_when_time_alone_changes_something() {
    let tick = Duration::from_micros(1);
    let failsafe = live(Driver::Lease);
    assert_eq!(
        failsafe.next_at(at(10), &heard(5)),
        at(5 + HOLD).after(tick)
    );
    assert_eq!(
        failsafe.next_at(at(500), &heard(5)),
        at(500).after(tick),
        "overdue: as soon as there is"
    );
    assert_eq!(
        failsafe.next_at(at(10), &heard(900)),
        at(10 + HOLD).after(tick),
        "nobody is heard in the future"
    );
    let mut coasting = live(Driver::Lease);
    step(&mut coasting, 150, &heard(0));
    assert_eq!(coasting.next_at(at(150), &heard(0)), at(155));
    let failsafe = live(Driver::Legacy);
    let soon = Facts {
        legacy_age: ms(400),
        ..legacy(0)
    };
    assert_eq!(failsafe.next_at(at(10), &soon), at(400).after(tick));
    assert_eq!(
        failsafe.next_at(at(10), &legacy(0)),
        at(1_010),
        "a look each second at least"
    );

    let mut stopped = stopped_by(Facts {
        link_dropped: true,
        ..heard(10)
    });
    assert_eq!(stopped.next_at(at(10), &legacy(10)), at(1_010));
    stopped.step(at(20), &heard(20));
    assert_eq!(
        stopped.next_at(at(20), &heard(20)),
        at(20 + HOLD).after(tick),
        "the holder may fall silent"
    );
    assert_eq!(
        stopped.next_at(at(20), &legacy(20)),
        at(20 + RECOVERY),
        "recovered"
    );
    let recovered = at(20 + RECOVERY);
    assert_eq!(
        stopped.next_at(recovered, &legacy(20)),
        recovered.after(ms(1_000)),
        "what is due now is done by this step"
    );
    let settles = Facts {
        legacy_neutral_at: Some(at(0)),
        ..legacy(20)
    };
    assert_eq!(
        stopped.next_at(at(20), &settles),
        at(RECOVERY),
        "a legacy neutral has stood"
    );
}

#[test]
fn what_forbids_arming_is_told_only_while_it_is_not_armed() {
    let mut failsafe = live(Driver::Lease);
    let facts = Facts {
        refusals: Refusals::NOT_NEUTRAL,
        ..heard(10)
    };
    failsafe.step(at(10), &facts);
    assert_eq!(failsafe.refusals(), Refusals::NONE);
    let mut failsafe = ready();
    let dark = Facts {
        link_up: false,
        refusals: Refusals::NO_COMMAND,
        ..legacy(0)
    };
    failsafe.step(at(0), &dark);
    assert_eq!(
        failsafe.refusals(),
        Refusals::LINK_DOWN
            .with(Refusals::RECOVERING)
            .with(Refusals::NO_COMMAND)
    );
}

#[test]
fn times_have_floors_and_ceilings_that_no_configuration_passes() {
    let new = |hold, neutral, recovery, legacy, age| {
        FailsafeConfig::new(ms(hold), ms(neutral), ms(recovery), ms(legacy), ms(age)).map(|_| ())
    };
    assert_eq!(new(50, 70, 100, 0, 50), Ok(()));
    assert_eq!(new(500, 1_000, 10_000, 10_000, 1_000), Ok(()));
    assert_eq!(
        new(49, 200, 300, 0, 150),
        Err(FailsafeError::HoldOutOfRange)
    );
    assert_eq!(
        new(501, 900, 300, 0, 150),
        Err(FailsafeError::HoldOutOfRange)
    );
    assert_eq!(
        new(50, 69, 300, 0, 150),
        Err(FailsafeError::NeutralOutOfRange)
    );
    assert_eq!(
        new(50, 1_001, 300, 0, 150),
        Err(FailsafeError::NeutralOutOfRange)
    );
    assert_eq!(
        new(100, 119, 300, 0, 150),
        Err(FailsafeError::NeutralTooCloseToHold)
    );
    assert_eq!(new(100, 120, 300, 0, 150), Ok(()));
    assert_eq!(
        new(100, 200, 99, 0, 150),
        Err(FailsafeError::RecoveryOutOfRange)
    );
    assert_eq!(
        new(100, 200, 300, 199, 150),
        Err(FailsafeError::LegacyAgeOutOfRange)
    );
    assert_eq!(
        new(100, 200, 300, 10_001, 150),
        Err(FailsafeError::LegacyAgeOutOfRange)
    );
    assert_eq!(
        new(100, 200, 300, 0, 49),
        Err(FailsafeError::CommandAgeOutOfRange)
    );
    assert_eq!(
        new(100, 200, 300, 0, 1_001),
        Err(FailsafeError::CommandAgeOutOfRange)
    );
}

#[test]
fn codes_and_words_are_unique_and_come_back() {
    let words: std::collections::BTreeSet<_> =
        Cause::ALL.iter().map(|cause| cause.word()).collect();
    assert_eq!(words.len(), Cause::ALL.len());
    for (code, cause) in (0..).zip(Cause::ALL) {
        assert_eq!((cause.code(), Cause::from_code(code)), (code, Some(*cause)));
    }
    assert_eq!(Cause::from_code(21), None);
    for (code, moves) in [(0, false), (1, true), (2, true), (3, false)] {
        let state = State::from_code(code).unwrap();
        assert_eq!((state.code(), state.may_move()), (code, moves));
    }
    assert_eq!(State::from_code(4), None);
    assert_eq!(Refusals::from_bits(u16::MAX), Refusals::ALL);
    assert_eq!(Refusals::ALL.without(Refusals::LINK_DOWN).bits(), 32766);
    assert!(Refusals::NONE.is_none() && !Refusals::BOARD_HOT.is_none());
}
