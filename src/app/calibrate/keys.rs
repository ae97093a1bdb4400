//! What the keys of a terminal mean while a car is calibrated.
//!
//! ```text
//!   Left Right    1 us           1 to 8   which pulse            s   save            q, Ctrl-C   end
//!   Down Up      10 us           Space    put it out, hold it    r   what is saved
//!   - +           as Left Right  x, Esc   neutral, at once       f   the configuration's
//! ```
//!
//! A terminal sends an arrow as three bytes that begin with Escape; they may come in two pieces, and Escape may be all
//! there is. So a piece waits until more bytes come, or until none do.
//!
//! Promises: total: any bytes are keys or nothing; at most a few bytes are kept.
//! Knows nothing of: what a key does, terminals.
//! Sources: ECMA-48 5.4 (control sequences), `console_codes(4)`.

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// So many microseconds more, or less.
    Move(i16),
    /// This pulse, counted from 0.
    Field(usize),
    /// Put the pulse out, or go on with it.
    Hold,
    /// Neutral, at once.
    Neutral,
    /// Save what was measured.
    Save,
    /// Back to what is saved.
    Revert,
    /// Back to what the configuration says.
    Reset,
    /// The end.
    Quit,
}

const ESCAPE: u8 = 0x1B;

/// The longest sequence that is waited for. choice: `ESC [ 1 ; 2 C` is the longest of ours.
const LONGEST: usize = 8;

/// Bytes that may still become a key.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    waiting: Vec<u8>,
}

impl Keys {
    /// The keys that these bytes complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Key> {
        let mut keys = Vec::new();
        for byte in bytes {
            if *byte == ESCAPE && self.waiting.len() == 1 {
                keys.push(Key::Neutral); // the first one stood alone
                continue;
            }
            self.waiting.push(*byte);
            let whole = match self.waiting.as_slice() {
                [ESCAPE] | [ESCAPE, b'[' | b'O'] => continue,
                [ESCAPE, b'[', middle @ .., last] => {
                    if !(0x40..=0x7E).contains(last) && middle.len() < LONGEST {
                        continue;
                    }
                    arrow(middle, *last)
                }
                [ESCAPE, b'O', last] => arrow(&[], *last),
                [ESCAPE, ..] => Some(Key::Neutral), // Alt and a key: rather too careful than not
                [byte] => plain(*byte),
                _ => None,
            };
            self.waiting.clear();
            keys.extend(whole);
        }
        keys
    }

    /// No more bytes came: what waits is what it is.
    pub fn settle(&mut self) -> Option<Key> {
        let is_escape = self.waiting.first() == Some(&ESCAPE);
        self.waiting.clear();
        is_escape.then_some(Key::Neutral)
    }
}

fn arrow(middle: &[u8], last: u8) -> Option<Key> {
    // `1;2` is Shift, `1;5` Control: ten instead of one.
    let step = if middle.contains(&b';') { 10 } else { 1 };
    match (last, middle) {
        (b'C', _) => Some(Key::Move(step)),
        (b'D', _) => Some(Key::Move(-step)),
        (b'A', _) | (b'~', b"5") => Some(Key::Move(10)),
        (b'B', _) | (b'~', b"6") => Some(Key::Move(-10)),
        _ => None,
    }
}

fn plain(byte: u8) -> Option<Key> {
    match byte.to_ascii_lowercase() {
        b'+' | b'=' => Some(Key::Move(1)),
        b'-' => Some(Key::Move(-1)),
        digit @ b'1'..=b'8' => Some(Key::Field(usize::from(digit - b'1'))),
        b' ' => Some(Key::Hold),
        b'x' | b'n' => Some(Key::Neutral),
        b's' => Some(Key::Save),
        b'r' => Some(Key::Revert),
        b'f' => Some(Key::Reset),
        b'q' | 0x03 | 0x04 => Some(Key::Quit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Vec<Key> {
        Keys::default().feed(bytes)
    }

    #[test]
    fn arrows_move_by_one_and_by_ten() {
        assert_eq!(
            of(b"\x1b[C\x1b[D\x1b[A\x1b[B\x1bOC\x1b[1;2D\x1b[5~\x1b[6~+-"),
            [1, -1, 10, -10, 1, -10, 10, -10, 1, -1].map(Key::Move)
        );
    }

    #[test]
    fn letters_and_digits() {
        assert_eq!(
            of(b"18 sSrfqx\x03"),
            [
                Key::Field(0),
                Key::Field(7),
                Key::Hold,
                Key::Save,
                Key::Save,
                Key::Revert,
                Key::Reset,
                Key::Quit,
                Key::Neutral,
                Key::Quit,
            ]
        );
        assert_eq!(of(b"09zZ\t\r\n"), []);
    }

    #[test]
    fn a_sequence_may_come_in_pieces_and_escape_may_be_all_there_is() {
        let mut keys = Keys::default();
        assert_eq!(keys.feed(b"\x1b"), []);
        assert_eq!(keys.feed(b"["), []);
        assert_eq!(keys.feed(b"A"), [Key::Move(10)]);
        assert_eq!(keys.feed(b"\x1b"), []);
        assert_eq!(keys.settle(), Some(Key::Neutral));
        assert_eq!(keys.settle(), None);
        assert_eq!(of(b"\x1b\x1b[C"), [Key::Neutral, Key::Move(1)]);
        assert_eq!(of(b"\x1bs"), [Key::Neutral], "no save by accident");
    }

    #[test]
    fn any_bytes_are_keys_or_nothing_and_little_is_kept() {
        let mut keys = Keys::default();
        for round in 0_u32..20_000 {
            let byte = u8::try_from(round.wrapping_mul(2_654_435_761) >> 24).unwrap();
            keys.feed(&[byte, if round % 3 == 0 { b'[' } else { byte ^ 0x1B }]);
            assert!(keys.waiting.len() <= LONGEST + 3, "{:?}", keys.waiting);
        }
    }
}
