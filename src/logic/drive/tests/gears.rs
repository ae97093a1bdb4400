//! Brake, neutral, reverse: how long each lasts, and what gives it up.

use super::*;

const BRAKE_MS: [u64; 4] = [0, 1, 80, 500];
const NEUTRAL_MS: [u64; 4] = [0, 1, 60, 500];
/// Times between two steps: faster and slower than any tick that the configuration allows.
const TICK_US: [u64; 5] = [1, 1_000, 5_000, 7_001, 50_000];

fn esc(brake_ms: u64, neutral_ms: u64) -> Drive {
    let reverse = Reverse::Esc {
        brake: Duration::from_millis(brake_ms),
        neutral: Duration::from_millis(neutral_ms),
    };
    car(ordinary(), NO_LIMITS, reverse)
}

/// Steps with one demand each `tick_us` and says how long each pulse stood, the last one for `tail` steps.
fn pulses_over_time(
    drive: &mut Drive,
    from: Uptime,
    tick_us: u64,
    throttle: i32,
) -> Vec<(u16, u64)> {
    let mut now = from;
    let mut runs: Vec<(u16, u64)> = Vec::new();
    for _ in 0..2_000_000 {
        let micros = drive.step(now, demand(throttle, 0)).throttle.get();
        match runs.last_mut() {
            Some((last, lasted)) if *last == micros => *lasted += tick_us,
            _ => runs.push((micros, tick_us)),
        }
        if !drive.is_braking() {
            return runs;
        }
        now = now.after(Duration::from_micros(tick_us));
    }
    panic!("it brakes for ever: {runs:?}");
}

#[test]
fn reverse_after_forward_is_brake_then_neutral_then_reverse_each_for_its_time() {
    for brake_ms in BRAKE_MS {
        for neutral_ms in NEUTRAL_MS {
            for tick_us in TICK_US {
                if brake_ms + neutral_ms > 100 && tick_us == 1 {
                    continue; // a million steps show no more than ten thousand
                }
                let mut drive = esc(brake_ms, neutral_ms);
                drive.step(at_ms(5), demand(700, 0));
                let runs = pulses_over_time(&mut drive, at_ms(10), tick_us, -1000);
                let mut wanted = Vec::new();
                let ticks = |ms: u64| (ms * 1000).div_ceil(tick_us) * tick_us;
                if brake_ms > 0 {
                    wanted.push((1300, ticks(brake_ms)));
                }
                if neutral_ms > 0 {
                    wanted.push((1490, ticks(neutral_ms)));
                }
                wanted.push((1010, tick_us));
                assert_eq!(runs, wanted, "{brake_ms} {neutral_ms} ms, {tick_us} us");
            }
        }
    }
}

#[test]
fn the_first_reverse_brakes_too_for_the_esc_may_remember_a_forward() {
    let runs = pulses_over_time(&mut esc(80, 60), at_ms(5), 5_000, -500);
    assert_eq!(runs, [(1300, 80_000), (1490, 60_000), (1250, 5_000)]);
}

#[test]
fn once_in_reverse_it_stays_there_until_a_forward() {
    let mut drive = esc(80, 60);
    pulses_over_time(&mut drive, at_ms(5), 5_000, -500);
    // Neutral, coasting and a stop leave the ESC where it is.
    assert_eq!(drive.step(at_ms(300), demand(0, 0)).throttle.get(), 1490);
    assert_eq!(
        drive.step(at_ms(305), demand(-1000, 0)).throttle.get(),
        1010
    );
    drive.coast(at_ms(310), 0);
    assert_eq!(
        drive.step(at_ms(315), demand(-1000, 0)).throttle.get(),
        1010
    );
    drive.stop(at_ms(320));
    assert_eq!(
        drive.step(at_ms(325), demand(-1000, 0)).throttle.get(),
        1010
    );
    // A forward, even one of zero, makes the next reverse brake first.
    let forward_of_zero = Demand {
        forward: true,
        ..demand(0, 0)
    };
    assert_eq!(drive.step(at_ms(330), forward_of_zero).throttle.get(), 1490);
    let runs = pulses_over_time(&mut drive, at_ms(335), 5_000, -1000);
    assert_eq!(runs, [(1300, 80_000), (1490, 60_000), (1010, 5_000)]);
}

#[test]
fn a_brake_is_given_up_by_neutral_forward_coasting_and_stop_and_starts_anew() {
    type Break = fn(&mut Drive, Uptime) -> Setpoint;
    let breaks: [(Break, u16); 4] = [
        (|drive, now| drive.step(now, demand(0, 0)), 1490),
        (|drive, now| drive.step(now, demand(1000, 0)), 1980),
        (|drive, now| drive.coast(now, 1000), 1490),
        (Drive::stop, 1490),
    ];
    for (give_up, pulse) in breaks {
        for after_ms in [5, 100] {
            // 5 ms is within the brake, 100 ms within the neutral after it.
            let mut drive = esc(80, 60);
            for ms in (0..=after_ms).step_by(5) {
                drive.step(at_ms(10 + ms), demand(-1000, 0));
            }
            assert!(drive.is_braking());
            let setpoint = give_up(&mut drive, at_ms(15 + after_ms));
            assert_eq!(setpoint.throttle.get(), pulse);
            assert!(!drive.is_braking());
            let runs = pulses_over_time(&mut drive, at_ms(20 + after_ms), 5_000, -1000);
            assert_eq!(runs, [(1300, 80_000), (1490, 60_000), (1010, 5_000)]);
        }
    }
}

#[test]
fn a_late_step_cuts_no_time_short() {
    // The brake pulse went out late: its time counts from then, for the ESC has to see it that long.
    let mut drive = esc(80, 60);
    assert_eq!(drive.step(at_ms(10), demand(-1000, 0)).throttle.get(), 1300);
    assert_eq!(
        drive.step(at_ms(900), demand(-1000, 0)).throttle.get(),
        1490
    );
    assert_eq!(
        drive.step(at_ms(959), demand(-1000, 0)).throttle.get(),
        1490
    );
    assert_eq!(
        drive.step(at_ms(960), demand(-1000, 0)).throttle.get(),
        1010
    );
}

#[test]
fn without_an_esc_reverse_is_at_once() {
    let mut drive = car(ordinary(), NO_LIMITS, Reverse::Direct);
    assert_eq!(drive.step(at_ms(5), demand(1000, 0)).throttle.get(), 1980);
    assert_eq!(drive.step(at_ms(10), demand(-1000, 0)).throttle.get(), 1010);
    assert!(!drive.is_braking());
}

#[test]
fn it_asks_for_a_call_exactly_while_something_is_on_the_way() {
    let mut drive = esc(80, 60);
    assert_eq!(drive.next_at(), None);
    drive.step(at_ms(5), demand(1000, 1000));
    assert_eq!(drive.next_at(), None, "no slew: it has arrived");
    drive.step(at_ms(10), demand(-1000, 0));
    assert_eq!(drive.next_at(), Some(at_ms(15)));
    drive.stop(at_ms(12));
    assert_eq!(drive.next_at(), None);
    drive.step(at_ms(20), demand(1000, 0));
    drive.coast(at_ms(25), 500);
    assert_eq!(drive.next_at(), Some(at_ms(30)));
    drive.coast(at_ms(30), 0);
    assert_eq!(drive.next_at(), None);
}
