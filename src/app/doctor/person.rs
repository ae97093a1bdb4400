//! Whoever stands at the car while it is examined: what he is told, and which key he pressed.
//!
//! ```text
//!   y yes   o the other way round   n nothing moved   Space go   s skip   q, Ctrl-C end
//! ```
//!
//! A person goes away: he closes the terminal, he is called to the phone. So every wait has an end, and each way of going
//! is the same [`Gone`], on which the caller ends at neutral.
//!
//! Promises: no wait without a limit; keys that were typed before a question do not answer it.
//! Knows nothing of: cars.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::app::calibrate::terminal::Terminal;
use crate::app::clock;
use crate::logic::units::Uptime;

/// How long an answer is waited for. choice: time to walk around the car and look; then the car is left as it is, neutral.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a waiting question looks whether it should end.
const LOOK: Duration = Duration::from_millis(50);

/// A key, as far as it means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Yes.
    Yes,
    /// Yes, but the other way round.
    Other,
    /// Nothing moved.
    Nothing,
    /// Go on.
    Go,
    /// Leave this out.
    Skip,
    /// Any other key.
    Unknown,
}

/// Nobody is there any more, or he wants to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// He said so, by a key or a signal.
    Quit,
    /// The terminal is closed.
    Closed,
    /// He did not answer.
    Silent,
}

impl Gone {
    /// The same in words.
    pub(super) const fn says(self) -> &'static str {
        match self {
            Self::Quit => "ended",
            Self::Closed => "the terminal was closed",
            Self::Silent => "nobody answered for a minute",
        }
    }
}

/// Somebody at the car.
pub(super) trait Person {
    /// Tells him something.
    fn tell(&mut self, text: &str) -> Result<(), Gone>;

    /// The key that he presses within this time, or none.
    fn key(&mut self, wait: Duration) -> Result<Option<Key>, Gone>;

    /// The time by his watch.
    fn now(&self) -> Uptime {
        clock::now()
    }
}

/// Asks until one of these keys is pressed.
pub(super) fn ask(person: &mut dyn Person, question: &str, keys: &[Key]) -> Result<Key, Gone> {
    while person.key(Duration::ZERO)?.is_some() {} // typed before the question
    person.tell(question)?;
    let until = person.now().after(PATIENCE);
    while person.now() < until {
        if let Some(key) = person.key(LOOK)?
            && keys.contains(&key)
        {
            person.tell("\n")?;
            return Ok(key);
        }
    }
    Err(Gone::Silent)
}

/// Somebody at a terminal.
pub(super) struct AtTerminal {
    terminal: Terminal,
    /// Set by a signal that asks to stop.
    stop: Arc<AtomicBool>,
}

impl AtTerminal {
    pub(super) const fn new(terminal: Terminal, stop: Arc<AtomicBool>) -> Self {
        Self { terminal, stop }
    }
}

impl Person for AtTerminal {
    fn tell(&mut self, text: &str) -> Result<(), Gone> {
        if self.terminal.write(text) {
            Ok(())
        } else {
            Err(Gone::Closed)
        }
    }

    fn key(&mut self, wait: Duration) -> Result<Option<Key>, Gone> {
        let bytes = self.terminal.read(wait).ok_or(Gone::Closed)?;
        if self.stop.load(Ordering::Relaxed) {
            return Err(Gone::Quit);
        }
        let mut last = None;
        for byte in bytes {
            last = Some(meaning(byte)?);
        }
        Ok(last)
    }
}

/// What a byte of a terminal in raw mode means; Ctrl-C and Ctrl-D are bytes there.
fn meaning(byte: u8) -> Result<Key, Gone> {
    match byte.to_ascii_lowercase() {
        b'q' | 0x03 | 0x04 => Err(Gone::Quit),
        b'y' => Ok(Key::Yes),
        b'o' => Ok(Key::Other),
        b'n' => Ok(Key::Nothing),
        b' ' | b'\r' | b'\n' => Ok(Key::Go),
        b's' => Ok(Key::Skip),
        _ => Ok(Key::Unknown),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::app::calibrate::desk::PERIOD;

    /// Somebody who presses these keys, one each time he is asked, and remembers what he was told.
    ///
    /// His watch goes on only while a key is waited for, and then at once: a minute without an answer takes no time. What
    /// moves a car looks for keys more often than a question does ([`PERIOD`]), and there time is what it is.
    #[derive(Default)]
    pub(in crate::app::doctor) struct Scripted {
        pub(in crate::app::doctor) keys: VecDeque<Option<Key>>,
        pub(in crate::app::doctor) told: String,
        pub(in crate::app::doctor) waited: Duration,
    }

    impl Person for Scripted {
        fn tell(&mut self, text: &str) -> Result<(), Gone> {
            self.told.push_str(text);
            Ok(())
        }

        fn key(&mut self, wait: Duration) -> Result<Option<Key>, Gone> {
            let key = self.keys.pop_front().flatten();
            if key.is_none() {
                self.waited += wait;
                if wait <= PERIOD {
                    std::thread::sleep(wait);
                }
            }
            Ok(key)
        }

        fn now(&self) -> Uptime {
            Uptime::ZERO.after(self.waited)
        }
    }

    #[test]
    fn a_question_that_nobody_answers_ends_after_a_minute_and_not_before() {
        let asked = |keys: &[(u32, Key)]| {
            let mut person = Scripted::default();
            person.keys.push_back(None); // typed before the question: nothing
            let looks = PATIENCE.as_millis() / LOOK.as_millis();
            for look in 0..u32::try_from(looks).unwrap() {
                let pressed = keys.iter().find(|(at, _)| *at == look);
                person.keys.push_back(pressed.map(|(_, key)| *key));
            }
            let answer = ask(&mut person, "did it?", &[Key::Yes]);
            (answer, person.waited)
        };
        let minute = Duration::from_secs(60);
        assert_eq!(asked(&[]), (Err(Gone::Silent), minute));
        // The last look of the minute still counts, and another key is no answer.
        assert_eq!(asked(&[(1199, Key::Yes)]), (Ok(Key::Yes), LOOK * 1199));
        let other = asked(&[(5, Key::Go), (700, Key::Unknown)]);
        assert_eq!(other, (Err(Gone::Silent), minute));
    }

    #[test]
    fn what_was_typed_before_the_question_is_no_answer() {
        let mut person = Scripted::default();
        person.keys.extend([
            Some(Key::Yes),
            None,
            None,
            Some(Key::Unknown),
            Some(Key::Go),
            Some(Key::Nothing),
        ]);
        let answer = ask(&mut person, "did it?", &[Key::Yes, Key::Nothing]);
        assert_eq!(answer, Ok(Key::Nothing));
    }

    #[test]
    fn each_key_has_its_meaning_and_control_c_is_one() {
        for (bytes, key) in [
            (b"yY".as_slice(), Key::Yes),
            (b"oO", Key::Other),
            (b"nN", Key::Nothing),
            (b" \r\n", Key::Go),
            (b"sS", Key::Skip),
            (b"x\x1b[", Key::Unknown),
        ] {
            for byte in bytes {
                assert_eq!(meaning(*byte), Ok(key), "{byte}");
            }
        }
        for byte in *b"qQ\x03\x04" {
            assert_eq!(meaning(byte), Err(Gone::Quit), "{byte}");
        }
    }
}
