//! The ways in which a Spider may behave that clients must survive, switchable by name.
//!
//! The real server is not public, so much of it is inferred; a client has to work either way. Each
//! variant names the rule of PROTOCOL.md (section 5.1) that it belongs to.
//!
//! Promises: an empty set is a well-behaved server. Knows nothing of: how sessions use it.

/// One deviation from the default behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 2: a bad channel id is accepted at the upgrade and then dropped without a word.
    BadChannelDrops,
    /// 6: candidates come as `candidate` and `candidate2` after the answer as well.
    Trickle,
    /// 6: candidates come only that way; the answer has none.
    TrickleOnly,
    /// 12: a client that sends nothing for two ping intervals is dropped.
    IdleTimeout,
    /// 14: the plain text `close`, then silence.
    PlainClose,
    /// 14: an `error` message.
    ErrorMessage,
    /// 14: a binary frame before the answer.
    BinaryFrame,
    /// 14: text that is not JSON before the answer.
    Junk,
    /// 14: the server makes an offer of its own once connected.
    ServerOffer,
    /// 14: the socket is dropped right after the offer.
    SilentDrop,
    /// 14: the offer is never answered.
    NoAnswer,
    /// 14: the answer takes a second.
    LateAnswer,
    /// 15: subscribers get channels opened by the server, and those of their own too.
    ServerChannels,
    /// 15: subscribers get only channels opened by the server; their own are ignored.
    OnlyServerChannels,
    /// 16: every channel opens, and what viewers say on `drive` goes nowhere.
    DropDrive,
    /// 18: a second publisher replaces the first.
    ReplacePublisher,
    /// 19: a subscriber without a publisher is dropped.
    NeedPublisher,
    /// 20: REMB at `brate` and a key-frame request every `ktime` times 10 ms go to the publisher.
    Enforce,
    /// 21: media stays up when the socket closes.
    KeepMedia,
}

impl Fault {
    /// Every fault, for `--help` and for tests that walk them all.
    pub const ALL: [Self; 19] = [
        Self::BadChannelDrops,
        Self::Trickle,
        Self::TrickleOnly,
        Self::IdleTimeout,
        Self::PlainClose,
        Self::ErrorMessage,
        Self::BinaryFrame,
        Self::Junk,
        Self::ServerOffer,
        Self::SilentDrop,
        Self::NoAnswer,
        Self::LateAnswer,
        Self::ServerChannels,
        Self::OnlyServerChannels,
        Self::DropDrive,
        Self::ReplacePublisher,
        Self::NeedPublisher,
        Self::Enforce,
        Self::KeepMedia,
    ];

    /// The name used on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BadChannelDrops => "bad-channel-drops",
            Self::Trickle => "trickle",
            Self::TrickleOnly => "trickle-only",
            Self::IdleTimeout => "idle-timeout",
            Self::PlainClose => "plain-close",
            Self::ErrorMessage => "error-message",
            Self::BinaryFrame => "binary-frame",
            Self::Junk => "junk",
            Self::ServerOffer => "server-offer",
            Self::SilentDrop => "silent-drop",
            Self::NoAnswer => "no-answer",
            Self::LateAnswer => "late-answer",
            Self::ServerChannels => "server-channels",
            Self::OnlyServerChannels => "only-server-channels",
            Self::DropDrive => "drop-drive",
            Self::ReplacePublisher => "replace-publisher",
            Self::NeedPublisher => "need-publisher",
            Self::Enforce => "enforce",
            Self::KeepMedia => "keep-media",
        }
    }

    /// The fault of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }
}

/// The faults in force.
#[derive(Clone, Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// A set of faults.
    #[must_use]
    pub fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self(faults.into_iter().collect())
    }

    /// Whether a fault is in force.
    #[must_use]
    pub fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }

    /// Their names, for the log.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|fault| fault.name()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_found_by_its_name() {
        for fault in Fault::ALL {
            assert_eq!(Fault::from_name(fault.name()), Some(fault));
        }
        assert_eq!(Fault::from_name("none"), None);
    }
}
