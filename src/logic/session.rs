//! Signalling with a Spider as a state machine: what was heard goes in, what to do comes out.
//!
//! The server's source is not public; all that is known of it was seen from clients, and much of that is unsure. So this
//! accepts every order and form that any client was ever sent, and treats silence, not oddity, as the failure. It holds no
//! text: what it hears is borrowed, and what it wants done is said about the same text. The shell splits the JSON envelope
//! and keeps the candidates that have to wait.
//!
//! ```text
//!             on_open              answer
//!   Opening ───────────▶ Offered ──────────▶ Answered ──┐ offer: answered; candidates: added; second answer: ignored
//!                          │    │              │   ▲    │
//!            candidates:   │    │ no answer    │   └────┘
//!            held          │    │ in time      │ close, error, socket lost
//!                          │    ▼              ▼
//!                          └─▶ Over ◀──────────┘          Over: a reconnect was asked for; nothing more is said
//!              close, error,
//!              socket lost
//! ```
//!
//! Promises: total; after [`Action::Reconnect`] nothing but [`Action::Ignore`]; a socket that dies never asks for the
//! end of media that is up.
//! Knows nothing of: JSON, sockets, SDP, back-off; whether it publishes or subscribes (both are the same here).
//! Sources: PROTOCOL.md 2 (messages), 5.2 (q 1 to 8, 23).

use core::time::Duration;

use super::units::Uptime;

#[cfg(test)]
mod tests;

/// Times of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// How long the server may take to answer our offer.
    pub answer_timeout: Duration,
    /// How often we send a JSON ping.
    pub ping_every: Duration,
}

impl Default for SessionConfig {
    /// spec: PROTOCOL.md 5.2 q 7 (refused after about 10 s) and q 3 (a ping each 25 to 30 s).
    fn default() -> Self {
        Self {
            answer_timeout: Duration::from_secs(10),
            ping_every: Duration::from_secs(25),
        }
    }
}

/// One frame from the server, after the shell split its envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// `answer`, with its SDP.
    Answer(&'a str),
    /// `offer`, with its SDP: the server wants to renegotiate.
    Offer(&'a str),
    /// `candidate`, a bare candidate line.
    Candidate(&'a str),
    /// `candidate2`, the JSON text of an `ICECandidateInit`.
    Candidate2(&'a str),
    /// `ping`. Nobody ever answered one.
    Ping,
    /// `pong`.
    Pong,
    /// `joins`, with whatever it says.
    Joins(&'a str),
    /// `error`, with whatever it says.
    Error(&'a str),
    /// The plain text `close`.
    Close,
    /// A type that is not known.
    Unknown(&'a str),
    /// Binary, or no envelope.
    Junk,
}

/// In which form a candidate came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateForm {
    /// A bare line, `candidate:` in front or not.
    Line,
    /// The JSON text of an `ICECandidateInit`.
    Init,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No answer in time: a refusal, or a server in trouble.
    NoAnswer,
    /// The socket went before an answer: the usual way of refusing a channel.
    Refused,
    /// The server said that it has no place for us now.
    Busy,
    /// The server said `close`: in order.
    Closed,
    /// The server said `error`.
    Error,
    /// The socket went after the answer.
    SocketLost,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Send our offer, with all candidates that were gathered.
    SendOffer,
    /// Apply this answer; then add every candidate that was held.
    ApplyAnswer(&'a str),
    /// Apply this offer and send an `answer`. If that fails, reconnect.
    AnswerOffer(&'a str),
    /// Add this candidate now. One that fails, or came before, does no harm.
    AddCandidate {
        /// Its text.
        candidate: &'a str,
        /// Its form.
        form: CandidateForm,
    },
    /// Keep this candidate until the answer was applied.
    HoldCandidate {
        /// Its text.
        candidate: &'a str,
        /// Its form.
        form: CandidateForm,
    },
    /// Send `{"type":"ping","data":""}`.
    SendPing,
    /// Do nothing. (Log what was heard, if it is worth it.)
    Ignore,
    /// Close the socket and start a new session after a back-off.
    Reconnect {
        /// Why.
        reason: Reason,
        /// Media is up: keep it until the new session has its own.
        keep_media: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The socket is not open yet.
    Opening,
    /// Our offer is out.
    Offered { answer_by: Uptime },
    /// Signalling is done, until the server wants more.
    Answered,
    /// A reconnect was asked for.
    Over,
}

/// One signalling session, over one socket.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    config: SessionConfig,
    phase: Phase,
    ping_at: Uptime,
    media_up: bool,
}

impl Session {
    /// A session whose socket is being opened. The time to open it is the shell's to limit.
    #[must_use]
    pub fn new(now: Uptime, config: SessionConfig) -> Self {
        Self {
            config,
            phase: Phase::Opening,
            ping_at: now.after(config.ping_every),
            media_up: false,
        }
    }

    /// The socket is open.
    pub fn on_open(&mut self, now: Uptime) -> Action<'static> {
        match self.phase {
            Phase::Opening => {
                self.ping_at = now.after(self.config.ping_every);
                self.enter(Phase::Offered {
                    answer_by: now.after(self.config.answer_timeout),
                });
                Action::SendOffer
            }
            Phase::Offered { .. } | Phase::Answered | Phase::Over => Action::Ignore,
        }
    }

    /// Media came up or went down; it decides what a reconnect may tear down.
    pub fn set_media(&mut self, up: bool) {
        self.media_up = up;
    }

    /// Whether our offer was answered.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        match self.phase {
            Phase::Answered => true,
            Phase::Opening | Phase::Offered { .. } | Phase::Over => false,
        }
    }

    /// The socket went.
    pub fn on_socket_lost(&mut self, _now: Uptime) -> Action<'static> {
        match self.phase {
            Phase::Opening | Phase::Offered { .. } => self.give_up(Reason::Refused),
            Phase::Answered => self.give_up(Reason::SocketLost),
            Phase::Over => Action::Ignore,
        }
    }

    /// The socket went, and the server said that we may come again: there was no place.
    pub fn on_try_later(&mut self, now: Uptime) -> Action<'static> {
        match self.phase {
            Phase::Opening | Phase::Offered { .. } => self.give_up(Reason::Busy),
            Phase::Answered | Phase::Over => self.on_socket_lost(now),
        }
    }

    /// A frame came from the server.
    pub fn hear<'a>(&mut self, _now: Uptime, heard: Heard<'a>) -> Action<'a> {
        match self.phase {
            Phase::Opening | Phase::Over => Action::Ignore,
            Phase::Offered { .. } => match heard {
                Heard::Answer(sdp) => {
                    self.enter(Phase::Answered);
                    Action::ApplyAnswer(sdp)
                }
                Heard::Candidate(candidate) => Action::HoldCandidate {
                    candidate,
                    form: CandidateForm::Line,
                },
                Heard::Candidate2(candidate) => Action::HoldCandidate {
                    candidate,
                    form: CandidateForm::Init,
                },
                Heard::Close => self.give_up(Reason::Closed),
                Heard::Error(_) => self.give_up(Reason::Error),
                // Both sides offering at once has no rule here: ours stands, and the server answers it or we try again.
                Heard::Offer(_) => Action::Ignore,
                Heard::Ping | Heard::Pong | Heard::Joins(_) | Heard::Unknown(_) | Heard::Junk => {
                    Action::Ignore
                }
            },
            Phase::Answered => match heard {
                Heard::Offer(sdp) => Action::AnswerOffer(sdp),
                Heard::Candidate(candidate) => Action::AddCandidate {
                    candidate,
                    form: CandidateForm::Line,
                },
                Heard::Candidate2(candidate) => Action::AddCandidate {
                    candidate,
                    form: CandidateForm::Init,
                },
                Heard::Close => self.give_up(Reason::Closed),
                Heard::Error(_) => self.give_up(Reason::Error),
                Heard::Answer(_)
                | Heard::Ping
                | Heard::Pong
                | Heard::Joins(_)
                | Heard::Unknown(_)
                | Heard::Junk => Action::Ignore,
            },
        }
    }

    /// Whatever time alone calls for. Call it until it says nothing.
    pub fn poll(&mut self, now: Uptime) -> Option<Action<'static>> {
        match self.phase {
            Phase::Opening | Phase::Over => return None,
            Phase::Offered { answer_by } if now >= answer_by => {
                return Some(self.give_up(Reason::NoAnswer));
            }
            Phase::Offered { .. } | Phase::Answered => {}
        }
        (now >= self.ping_at).then(|| {
            self.ping_at = now.after(self.config.ping_every);
            Action::SendPing
        })
    }

    /// When to poll next; [`Uptime::MAX`] if time changes nothing.
    #[must_use]
    pub fn next_at(&self) -> Uptime {
        match self.phase {
            Phase::Opening | Phase::Over => Uptime::MAX,
            Phase::Offered { answer_by } => answer_by.min(self.ping_at),
            Phase::Answered => self.ping_at,
        }
    }

    fn give_up(&mut self, reason: Reason) -> Action<'static> {
        self.enter(Phase::Over);
        Action::Reconnect {
            reason,
            keep_media: self.media_up,
        }
    }

    /// The one place where the phase changes.
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
    }
}
