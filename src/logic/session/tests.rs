//! Signalling, phase by phase: every word in every phase, and the open questions about the server by their numbers.

use super::*;

fn at_s(seconds: u64) -> Uptime {
    Uptime::from_micros(seconds * 1_000_000)
}

fn opening() -> Session {
    Session::new(at_s(0), SessionConfig::default())
}

fn offered() -> Session {
    let mut session = opening();
    assert_eq!(session.on_open(at_s(1)), Action::SendOffer);
    session
}

fn answered() -> Session {
    let mut session = offered();
    assert_eq!(
        session.hear(at_s(2), Heard::Answer("sdp")),
        Action::ApplyAnswer("sdp")
    );
    session
}

fn over() -> Session {
    let mut session = answered();
    session.hear(at_s(3), Heard::Close);
    session
}

fn reconnect(reason: Reason, keep_media: bool) -> Action<'static> {
    Action::Reconnect { reason, keep_media }
}

const LINE: CandidateForm = CandidateForm::Line;
const INIT: CandidateForm = CandidateForm::Init;

/// What each word does in each of the phases, in the order opening, offered, answered, over.
#[test]
fn every_word_in_every_phase() {
    let words: [(Heard<'static>, Action<'static>, Action<'static>); 11] = [
        (Heard::Answer("a"), Action::ApplyAnswer("a"), Action::Ignore),
        (Heard::Offer("o"), Action::Ignore, Action::AnswerOffer("o")),
        (
            Heard::Candidate("c"),
            Action::HoldCandidate {
                candidate: "c",
                form: LINE,
            },
            Action::AddCandidate {
                candidate: "c",
                form: LINE,
            },
        ),
        (
            Heard::Candidate2("c"),
            Action::HoldCandidate {
                candidate: "c",
                form: INIT,
            },
            Action::AddCandidate {
                candidate: "c",
                form: INIT,
            },
        ),
        (Heard::Ping, Action::Ignore, Action::Ignore),
        (Heard::Pong, Action::Ignore, Action::Ignore),
        (Heard::Joins("?"), Action::Ignore, Action::Ignore),
        (
            Heard::Error("no"),
            reconnect(Reason::Error, false),
            reconnect(Reason::Error, false),
        ),
        (
            Heard::Close,
            reconnect(Reason::Closed, false),
            reconnect(Reason::Closed, false),
        ),
        (Heard::Unknown("x"), Action::Ignore, Action::Ignore),
        (Heard::Junk, Action::Ignore, Action::Ignore),
    ];
    for (word, when_offered, when_answered) in words {
        assert_eq!(opening().hear(at_s(1), word), Action::Ignore, "{word:?}");
        assert_eq!(offered().hear(at_s(2), word), when_offered, "{word:?}");
        assert_eq!(answered().hear(at_s(3), word), when_answered, "{word:?}");
        assert_eq!(over().hear(at_s(4), word), Action::Ignore, "{word:?}");
    }
}

#[test]
fn the_offer_goes_out_once_when_the_socket_opens() {
    assert_eq!(offered().on_open(at_s(2)), Action::Ignore);
    assert_eq!(answered().on_open(at_s(3)), Action::Ignore);
    assert_eq!(over().on_open(at_s(4)), Action::Ignore);
}

#[test]
fn question_2_candidates_wait_for_the_answer_and_are_taken_after_it_for_ever() {
    let mut session = offered();
    for _ in 0..3 {
        let action = session.hear(at_s(1), Heard::Candidate("c"));
        assert_eq!(
            action,
            Action::HoldCandidate {
                candidate: "c",
                form: LINE
            }
        );
    }
    session.hear(at_s(2), Heard::Answer("sdp"));
    assert!(session.is_answered());
    let action = session.hear(at_s(999), Heard::Candidate2("c"));
    assert_eq!(
        action,
        Action::AddCandidate {
            candidate: "c",
            form: INIT
        }
    );
}

#[test]
fn question_3_pings_go_out_each_25_s_and_need_no_answer() {
    let mut session = answered();
    assert_eq!(session.next_at(), at_s(26), "25 s after the socket opened");
    assert_eq!(session.poll(Uptime::from_micros(25_999_999)), None);
    assert_eq!(session.poll(at_s(26)), Some(Action::SendPing));
    assert_eq!(session.poll(at_s(26)), None);
    assert_eq!(session.next_at(), at_s(51));
    for second in 27..600 {
        // Silence is no failure here: the link itself is supervised elsewhere.
        assert_ne!(
            session.poll(at_s(second)),
            Some(reconnect(Reason::NoAnswer, false))
        );
    }
}

#[test]
fn question_7_no_answer_in_ten_seconds_is_a_refusal() {
    let mut session = offered();
    assert_eq!(session.next_at(), at_s(11));
    assert_eq!(session.poll(Uptime::from_micros(10_999_999)), None);
    assert_eq!(
        session.poll(at_s(11)),
        Some(reconnect(Reason::NoAnswer, false))
    );
    assert_eq!(session.poll(at_s(12)), None, "said once");
    assert_eq!(session.next_at(), Uptime::MAX);
}

#[test]
fn question_7_a_socket_that_goes_before_the_answer_is_a_refusal() {
    for mut session in [opening(), offered()] {
        assert_eq!(
            session.on_socket_lost(at_s(2)),
            reconnect(Reason::Refused, false)
        );
        assert_eq!(session.on_socket_lost(at_s(3)), Action::Ignore, "said once");
    }
    assert_eq!(over().on_socket_lost(at_s(4)), Action::Ignore);
}

#[test]
fn question_7_no_place_now_is_busy_before_the_answer_and_a_lost_socket_after_it() {
    for mut session in [opening(), offered()] {
        assert_eq!(
            session.on_try_later(at_s(2)),
            reconnect(Reason::Busy, false)
        );
        assert_eq!(session.on_try_later(at_s(3)), Action::Ignore, "said once");
    }
    assert_eq!(
        answered().on_try_later(at_s(4)),
        reconnect(Reason::SocketLost, false)
    );
    assert_eq!(over().on_try_later(at_s(4)), Action::Ignore);
}

#[test]
fn question_23_media_that_is_up_outlives_its_signalling() {
    for media_up in [false, true] {
        let mut session = answered();
        session.set_media(media_up);
        assert_eq!(
            session.on_socket_lost(at_s(9)),
            reconnect(Reason::SocketLost, media_up)
        );
        let mut session = answered();
        session.set_media(true);
        session.set_media(media_up);
        assert_eq!(
            session.hear(at_s(9), Heard::Error("x")),
            reconnect(Reason::Error, media_up)
        );
    }
}

#[test]
fn question_8_a_servers_offer_is_answered_again_and_again() {
    let mut session = answered();
    for sdp in ["one", "two"] {
        assert_eq!(
            session.hear(at_s(5), Heard::Offer(sdp)),
            Action::AnswerOffer(sdp)
        );
        assert!(session.is_answered());
    }
}

#[test]
fn while_the_socket_opens_time_calls_for_nothing() {
    let mut session = opening();
    assert_eq!(session.next_at(), Uptime::MAX);
    assert_eq!(session.poll(at_s(1_000)), None);
    assert!(!session.is_answered());
}

#[test]
fn a_long_answer_timeout_does_not_hold_back_the_pings() {
    let config = SessionConfig {
        answer_timeout: Duration::from_secs(60),
        ..SessionConfig::default()
    };
    let mut session = Session::new(at_s(0), config);
    session.on_open(at_s(0));
    assert_eq!(session.next_at(), at_s(25));
    assert_eq!(session.poll(at_s(25)), Some(Action::SendPing));
    assert_eq!(session.next_at(), at_s(50));
}
