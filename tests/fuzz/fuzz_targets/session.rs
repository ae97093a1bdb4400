//! Any words of a server, as text frames: the session neither panics nor speaks after it is over.
//!
//! One frame a line; `@open`, `@lost`, `@media 0|1` and `@wait SECONDS` are events.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use spidercar::logic::session::{Action, Heard, Session, SessionConfig};
use spidercar::logic::units::Uptime;
use spidercar::net::signalling::parse;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut now = Uptime::ZERO;
    let mut session = Session::new(now, SessionConfig::default());
    let (mut is_over, mut offers) = (false, 0);
    for line in text.lines() {
        let message = parse(line);
        let action = match line.split_once(' ').unwrap_or((line, "")) {
            ("@open", _) => session.on_open(now),
            ("@lost", _) => session.on_socket_lost(now),
            ("@busy", _) => session.on_try_later(now),
            ("@media", up) => {
                session.set_media(up == "1");
                Action::Ignore
            }
            ("@wait", seconds) => {
                now = now.after(Duration::from_secs(seconds.parse::<u16>().unwrap_or(1).into()));
                session.poll(now).unwrap_or(Action::Ignore)
            }
            _ => session.hear(
                now,
                match message.kind.as_str() {
                    "answer" => Heard::Answer(&message.data),
                    "offer" => Heard::Offer(&message.data),
                    "candidate" => Heard::Candidate(&message.data),
                    "candidate2" => Heard::Candidate2(&message.data),
                    "close" => Heard::Close,
                    "error" => Heard::Error(&message.data),
                    "ping" => Heard::Ping,
                    "" => Heard::Junk,
                    other => Heard::Unknown(other),
                },
            ),
        };
        assert!(!is_over || action == Action::Ignore, "{action:?} after the end");
        is_over |= matches!(action, Action::Reconnect { .. });
        offers += u32::from(action == Action::SendOffer);
        assert!(offers <= 1);
        assert!(!is_over || session.next_at() == Uptime::MAX);
    }
});
