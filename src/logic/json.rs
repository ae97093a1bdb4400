//! The least of JSON that a command needs: one object with one group, read strictly and without a copy.
//!
//! A message comes from the network, so the reader must be exact about what it refuses. Decoding with
//! `serde-json-core` was tried and rejected: it reads `null` as NaN, takes `+5` for a number, skips unknown fields
//! without checking them, and recurses as deep as the sender likes. This is the grammar of RFC 8259 and nothing else,
//! with a limit on depth.
//!
//! ```text
//!   {"motion":{"key":"forward","value":7}}
//!    ╰─group╯ ╰──────────fields─────────╯      fields are looked up by name; unknown ones are checked and passed over
//! ```
//!
//! Promises: total; no allocation; at most [`MAX_DEPTH`] levels of recursion; time linear in the length for each look-up.
//! Knows nothing of: what groups and fields mean.
//! Sources: RFC 8259. Names are compared as they are written: a name with `\u` escapes is a different name.

use super::wire::Reject;

#[cfg(test)]
mod tests;

/// Deepest nesting that is read.
///
/// choice: our own messages need two; the rest is room for fields of a later version.
pub(super) const MAX_DEPTH: u8 = 8;

/// A JSON value, as far as commands care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A number, as it is written.
    Number(&'a str),
    /// The text between the quotes, with its escapes as they are written.
    Text(&'a str),
    /// An object.
    Object(Fields<'a>),
    /// `true`, `false`, `null` or an array: nothing that a command has.
    Other,
}

/// The inside of an object that was read once and found well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields<'a> {
    text: &'a str,
    start: usize,
}

impl<'a> Fields<'a> {
    /// The value of the field with this name.
    pub(super) fn get(&self, name: &str) -> Result<Value<'a>, Reject> {
        let mut found = None;
        let mut twice = false;
        let mut reader = Reader {
            text: self.text,
            at: self.start,
        };
        reader.object(0, &mut |key, value| {
            if key == name {
                twice |= found.is_some();
                found = Some(value);
            }
        })?;
        if twice {
            Err(Reject::Duplicate)
        } else {
            found.ok_or(Reject::Missing)
        }
    }
}

/// Reads a whole message: the name of its one group and the value of that.
pub(super) fn one_group(text: &str) -> Result<(&str, Value<'_>), Reject> {
    let mut reader = Reader { text, at: 0 };
    reader.space();
    if reader.peek() != Some(b'{') {
        // Well-formed or not decides between the two refusals.
        reader.value(0)?;
        reader.end()?;
        return Err(Reject::NotOneGroup);
    }
    let mut group = None;
    let mut groups = 0_u32;
    reader.object(0, &mut |name, value| {
        groups = groups.saturating_add(1);
        group = Some((name, value));
    })?;
    reader.end()?;
    group.filter(|_| groups == 1).ok_or(Reject::NotOneGroup)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> Result<(), Reject> {
        if self.peek() == Some(wanted) {
            self.at += 1;
            Ok(())
        } else {
            Err(Reject::NotJson)
        }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn since(&self, start: usize) -> Result<&'a str, Reject> {
        self.text.get(start..self.at).ok_or(Reject::NotJson)
    }

    fn end(&mut self) -> Result<(), Reject> {
        self.space();
        if self.peek().is_none() {
            Ok(())
        } else {
            Err(Reject::NotJson)
        }
    }

    fn value(&mut self, depth: u8) -> Result<Value<'a>, Reject> {
        match self.peek() {
            Some(b'{') => {
                let start = self.at;
                self.object(depth, &mut |_, _| {})?;
                Ok(Value::Object(Fields {
                    text: self.text,
                    start,
                }))
            }
            Some(b'[') => self.array(depth).map(|()| Value::Other),
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(_) | None => Err(Reject::NotJson),
        }
    }

    /// Reads an object and shows each member to `visit`.
    fn object(
        &mut self,
        depth: u8,
        visit: &mut dyn FnMut(&'a str, Value<'a>),
    ) -> Result<(), Reject> {
        let depth = deeper(depth)?;
        self.take(b'{')?;
        self.space();
        if self.peek() == Some(b'}') {
            return self.take(b'}');
        }
        loop {
            self.space();
            let name = self.string()?;
            self.space();
            self.take(b':')?;
            self.space();
            visit(name, self.value(depth)?);
            self.space();
            if self.peek() != Some(b',') {
                return self.take(b'}');
            }
            self.take(b',')?;
        }
    }

    fn array(&mut self, depth: u8) -> Result<(), Reject> {
        let depth = deeper(depth)?;
        self.take(b'[')?;
        self.space();
        if self.peek() == Some(b']') {
            return self.take(b']');
        }
        loop {
            self.space();
            self.value(depth)?;
            self.space();
            if self.peek() != Some(b',') {
                return self.take(b']');
            }
            self.take(b',')?;
        }
    }

    fn string(&mut self) -> Result<&'a str, Reject> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let text = self.since(start)?;
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape()?;
                }
                Some(0..=0x1F) | None => return Err(Reject::NotJson),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), Reject> {
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return Err(Reject::NotJson);
                    }
                    self.at += 1;
                }
                Ok(())
            }
            Some(_) | None => Err(Reject::NotJson),
        }
    }

    fn number(&mut self) -> Result<&'a str, Reject> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        self.since(start)
    }

    fn digits(&mut self) -> Result<(), Reject> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start {
            Ok(())
        } else {
            Err(Reject::NotJson)
        }
    }

    fn word(&mut self, word: &str) -> Result<Value<'a>, Reject> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.starts_with(word) {
            self.at += word.len();
            Ok(Value::Other)
        } else {
            Err(Reject::NotJson)
        }
    }
}

fn deeper(depth: u8) -> Result<u8, Reject> {
    if depth < MAX_DEPTH {
        Ok(depth + 1)
    } else {
        Err(Reject::TooDeep)
    }
}
