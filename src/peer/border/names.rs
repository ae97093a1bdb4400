//! Our name in ICE, learned from our own checks: a check of others that is for us begins with it.
//!
//! It is made anew for each peer, and stands in the descriptions that both sides exchange: a stranger cannot know it.
//!
//! Sources: RFC 8445 7.1.2, 7.3 (`USERNAME` of a check).

/// The longest ICE name that is compared. choice: rtc makes 16 characters; RFC 8445 allows 256, which then name nobody.
const MAX_NAME: usize = 64;

/// Our name in ICE, as it stands in the checks of others; the newest and the one before.
#[derive(Debug, Default)]
pub(super) struct Names([Option<Name>; 2]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name {
    bytes: [u8; MAX_NAME],
    len: usize,
}

impl Name {
    fn of(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_NAME];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self {
            bytes,
            len: text.len(),
        })
    }

    fn text(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Names {
    /// Learns it from a check of ours, `theirs:ours`.
    pub(super) fn learn(&mut self, username: &[u8]) {
        let Some(at) = username.iter().position(|byte| *byte == b':') else {
            return;
        };
        let name = username.get(at + 1..).and_then(Name::of);
        if name.is_some() && self.0.first() != Some(&name) {
            self.0.rotate_right(1);
            if let Some(newest) = self.0.first_mut() {
                *newest = name;
            }
        }
    }

    /// Whether a check is for us, `ours:theirs`; as long as we have none, any may be.
    pub(super) fn are_in(&self, username: Option<&[u8]>) -> bool {
        let mut known = self.0.iter().flatten().peekable();
        known.peek().is_none()
            || username.is_some_and(|text| {
                known.any(|name| {
                    text.strip_prefix(name.text())
                        .is_some_and(|rest| rest.first() == Some(&b':'))
                })
            })
    }
}
