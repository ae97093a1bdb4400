//! One holder, for as long as he is heard.

use super::*;

fn at_ms(ms: u64) -> Uptime {
    Uptime::from_micros(ms * 1000)
}

const ANN: LeaseId = LeaseId::new(1);
const BOB: LeaseId = LeaseId::new(2);

#[test]
fn nobody_holds_it_at_first_and_nobody_is_shut_out() {
    let lease = Lease::default();
    assert!(!lease.is_held());
    assert_eq!(lease.holder(), LeaseId::NONE);
    assert_eq!(lease.expires_at(), None);
    for id in [ANN, BOB, LeaseId::NONE] {
        assert!(!lease.is_held_by(id) && !lease.shuts_out(id), "{id:?}");
    }
}

#[test]
fn the_holder_shuts_everybody_else_out() {
    let mut lease = Lease::default();
    lease.grant(ANN, at_ms(0));
    assert!(lease.is_held_by(ANN) && !lease.shuts_out(ANN));
    assert!(lease.shuts_out(BOB) && lease.shuts_out(LeaseId::NONE));
    assert!(!lease.is_held_by(BOB) && !lease.is_held_by(LeaseId::NONE));
}

#[test]
fn it_lasts_three_seconds_from_the_last_word() {
    let mut lease = Lease::default();
    lease.grant(ANN, at_ms(500));
    assert_eq!(lease.expires_at(), Some(at_ms(3_500)));
    lease.renew(at_ms(900));
    assert_eq!(lease.expires_at(), Some(at_ms(3_900)));
    lease.renew(at_ms(600));
    assert_eq!(
        lease.expires_at(),
        Some(at_ms(3_900)),
        "an older word takes nothing away"
    );
}

#[test]
fn given_up_it_is_free() {
    let mut lease = Lease::default();
    lease.grant(ANN, at_ms(0));
    lease.end();
    assert_eq!(lease, Lease::default());
    lease.grant(BOB, at_ms(10));
    assert!(lease.is_held_by(BOB) && lease.shuts_out(ANN));
}

#[test]
fn a_release_to_an_asker_is_his_and_no_thirds() {
    let mut lease = Lease::default();
    lease.grant(ANN, at_ms(0));
    lease.ask(at_ms(100), BOB);
    assert_eq!(lease.asker(at_ms(2_100)), BOB);
    assert!(lease.is_held_by(ANN), "asking takes nothing");
    lease.release(at_ms(2_100));
    assert!(lease.is_held_by(BOB) && lease.shuts_out(ANN));
    assert_eq!(lease.asker(at_ms(2_100)), LeaseId::NONE);
    assert_eq!(lease.expires_at(), Some(at_ms(5_100)));
}

#[test]
fn a_request_that_was_not_repeated_is_forgotten() {
    let mut lease = Lease::default();
    lease.grant(ANN, at_ms(0));
    lease.ask(at_ms(100), BOB);
    assert_eq!(lease.asker(at_ms(2_101)), LeaseId::NONE);
    lease.release(at_ms(2_101));
    assert!(!lease.is_held());
}

#[test]
fn only_another_can_ask_and_only_a_holder() {
    let mut lease = Lease::default();
    lease.ask(at_ms(0), BOB);
    assert_eq!(lease.asker(at_ms(0)), LeaseId::NONE, "nobody holds it: arm");
    lease.grant(ANN, at_ms(0));
    for id in [ANN, LeaseId::NONE] {
        lease.ask(at_ms(1), id);
        assert_eq!(lease.asker(at_ms(1)), LeaseId::NONE);
    }
    lease.ask(at_ms(2), BOB);
    lease.ask(at_ms(3), LeaseId::new(3));
    assert_eq!(lease.asker(at_ms(3)), LeaseId::new(3), "the last who asked");
}
