//! One attempt at a session with a Spider: a socket, an offer, and then whatever happens.
//!
//! The car and the terminal viewer do the same dance; only what they put into the peer differs. The
//! rules (what to do on which message, when to give up) are `logic::session`; this file carries them
//! out and hands on only what concerns the caller.
//!
//! ```text
//!   connect ∥ gather ─▶ offer ─▶ next() ─▶ Connected, Channel, Track ... ─▶ Ended(why)
//!                                  └─ SignallingOver: media may live on
//! ```
//!
//! Promises: bounded everywhere (gathering, answer, held candidates); duplicates and junk are harmless;
//! `close` leaves nothing running. Knows nothing of: retries (that is the caller's), the car.
//! Sources: PROTOCOL.md 2 and 5.2, whose question numbers stand in the comments.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{sleep, timeout};
use webrtc::data_channel::DataChannel;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{RTCIceCandidateInit, RTCPeerConnectionState};

pub use super::signalling::Address;
use super::signalling::{Message, SignallingError, Socket};
use crate::logic::backoff::Setback;
use crate::logic::session::{Action, CandidateForm, Heard, Reason, Session, SessionConfig};
use crate::logic::units::Uptime;
use crate::peer::{MAX_CANDIDATES, Peer, PeerEvent, answer_in_kind, unify_credentials};

/// Characters of a server's error that are shown. choice: three lines of a terminal.
const ERROR_WORDS: usize = 240;

/// What concerns the caller.
pub enum DialEvent {
    /// The peer is connected: ICE and DTLS are done.
    Connected,
    /// The path is silent; it may come back by itself.
    Disconnected,
    /// The other side opened a data channel.
    Channel(Arc<dyn DataChannel>),
    /// The other side sends a track.
    Track(Arc<dyn TrackRemote>),
    /// Signalling is over; with `keep_media` media and channels are up and may be kept meanwhile.
    SignallingOver {
        /// Why.
        reason: Reason,
        /// Keep what flows until a new session has its own.
        keep_media: bool,
    },
    /// Over; close it and try again, or not.
    Ended(DialError),
}

/// Why an attempt ended.
#[derive(Debug)]
pub enum DialError {
    /// Signalling failed before there was a session.
    Signalling(SignallingError),
    /// The WebRTC stack refused something; the step is named.
    Peer(&'static str, webrtc::error::Error),
    /// The rules of signalling say to start over; the reason is named.
    StartOver(&'static str),
    /// Signalling was over before the connection was up.
    Over(Reason),
    /// The connection was up and failed.
    Lost,
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signalling(err) => err.fmt(f),
            Self::Peer(step, err) => write!(f, "WebRTC, {step}: {err}"),
            Self::StartOver(why) => f.write_str(why),
            Self::Over(reason) => f.write_str(words(*reason)),
            Self::Lost => f.write_str("the connection to the Spider was lost"),
        }
    }
}

impl DialError {
    /// What the failure says about the next try.
    #[must_use]
    pub fn setback(&self) -> Setback {
        match self {
            Self::Signalling(err) if err.is_near() => Setback::Near,
            Self::Over(Reason::Busy) => Setback::Busy,
            Self::Over(Reason::Refused) => Setback::Refused,
            Self::Signalling(_)
            | Self::Peer(..)
            | Self::StartOver(_)
            | Self::Over(_)
            | Self::Lost => Setback::Failed,
        }
    }
}

/// A reason for starting over, as a person reads it.
fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::NoAnswer => "the Spider did not answer our offer; is the channel id right?",
        Reason::Refused => {
            "the Spider dropped us before an answer; wrong channel or key, or somebody else publishes on it"
        }
        Reason::Busy => {
            "the Spider has no place for us now: somebody else publishes on this channel, or it has all the viewers it takes"
        }
        Reason::Closed => "the Spider said close",
        Reason::Error => "the Spider said error",
        Reason::SocketLost => "the signalling socket was lost",
    }
}

impl std::error::Error for DialError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Signalling(err) => Some(err),
            Self::Peer(_, err) => Some(err),
            Self::StartOver(_) | Self::Over(_) | Self::Lost => None,
        }
    }
}

/// An attempt under way.
pub struct Dial {
    peer: Peer,
    socket: Option<Socket>,
    session: Session,
    held: Vec<(String, CandidateForm)>,
    clock: fn() -> Uptime,
    is_closed: bool,
}

impl Drop for Dial {
    /// An attempt that is dropped, by a panic or a cancelled task, must not leave its peer running.
    fn drop(&mut self) {
        if self.is_closed {
            return;
        }
        let pc = Arc::clone(&self.peer.pc);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { pc.close().await });
        }
    }
}

impl Dial {
    /// Connects the socket while the peer gathers candidates, then sends the offer.
    ///
    /// `peer` has its tracks and channels already; they are part of the offer.
    ///
    /// # Errors
    /// No socket, or no offer. The peer is closed then.
    pub async fn open(
        peer: Peer,
        address: &Address,
        gather_limit: Duration,
        clock: fn() -> Uptime,
    ) -> Result<Self, DialError> {
        // From here on dropping this future closes the peer.
        let mut dial = Self {
            peer,
            socket: None,
            session: Session::new(clock(), SessionConfig::default()),
            held: Vec::new(),
            clock,
            is_closed: false,
        };
        let connecting = Socket::connect(address);
        let (socket, offer) = tokio::join!(connecting, offer(&mut dial.peer, gather_limit));
        let opened = async {
            let mut socket = socket.map_err(DialError::Signalling)?;
            let offer = offer?;
            let Action::SendOffer = dial.session.on_open(clock()) else {
                return Err(DialError::StartOver("no offer was due"));
            };
            socket
                .send("offer", &offer)
                .await
                .map_err(DialError::Signalling)?;
            Ok(socket)
        };
        match opened.await {
            Ok(socket) => {
                dial.socket = Some(socket);
                Ok(dial)
            }
            Err(err) => {
                dial.close().await;
                Err(err)
            }
        }
    }

    /// The peer of this attempt.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Waits for the next thing that concerns the caller. Cancel-safe.
    pub async fn next(&mut self) -> DialEvent {
        loop {
            let now = (self.clock)();
            if let Some(action) = self.session.poll(now) {
                if let Some(event) = self.act(action).await {
                    return event;
                }
                continue;
            }
            let wait = self.session.next_at().since(now);
            let socket = &mut self.socket;
            let inbound = async {
                match socket {
                    Some(socket) => socket.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                message = inbound => match message {
                    Ok(message) => if let Some(event) = self.hear(&message).await {
                        return event;
                    },
                    Err(err) => if let Some(event) = self.socket_lost(&err) {
                        return event;
                    },
                },
                event = self.peer.events.recv() => if let Some(event) = self.happen(event) {
                    return event;
                },
                () = sleep(wait) => {}
            }
        }
    }

    /// Closes socket and peer.
    pub async fn close(mut self) {
        self.is_closed = true;
        if let Some(socket) = self.socket.take() {
            socket.close().await;
        }
        self.peer.close().await;
    }

    async fn hear(&mut self, message: &Message) -> Option<DialEvent> {
        let data = message.data.as_str();
        let heard = match message.kind.as_str() {
            "answer" => Heard::Answer(data),
            "offer" => Heard::Offer(data),
            "candidate" => Heard::Candidate(data),
            "candidate2" => Heard::Candidate2(data),
            "ping" => Heard::Ping,
            "pong" => Heard::Pong,
            "joins" => Heard::Joins(data),
            "error" => Heard::Error(data),
            "close" => Heard::Close,
            "" => Heard::Junk,
            other => Heard::Unknown(other),
        };
        if let Heard::Joins(text) = heard {
            tracing::debug!(text, "joins"); // q 5: never parsed
        }
        if let Heard::Error(text) = heard {
            let words: String = text
                .chars()
                .filter(|c| !c.is_control())
                .take(ERROR_WORDS)
                .collect();
            tracing::warn!("the Spider says: {words}"); // q 6: what it means is not known, a person may
        }
        let action = self.session.hear((self.clock)(), heard);
        self.act(action).await
    }

    async fn act(&mut self, action: Action<'_>) -> Option<DialEvent> {
        match action {
            Action::ApplyAnswer(sdp) => self.apply_answer(sdp).await.err().map(DialEvent::Ended),
            Action::AnswerOffer(sdp) => self.answer_offer(sdp).await.err().map(DialEvent::Ended),
            Action::AddCandidate { candidate, form } => {
                self.add_candidate(candidate, form).await;
                None
            }
            Action::HoldCandidate { candidate, form } => {
                if self.held.len() < MAX_CANDIDATES {
                    self.held.push((candidate.to_owned(), form));
                }
                None
            }
            Action::SendPing => match &mut self.socket {
                Some(socket) => match socket.send("ping", "").await {
                    Ok(()) => None,
                    Err(err) => self.socket_lost(&err),
                },
                None => None,
            },
            Action::Reconnect { reason, keep_media } => {
                self.socket = None;
                Some(DialEvent::SignallingOver { reason, keep_media })
            }
            Action::SendOffer | Action::Ignore => None,
        }
    }

    async fn apply_answer(&mut self, sdp: &str) -> Result<(), DialError> {
        let taken = self.peer.take_answer(sdp).await;
        taken.map_err(|err| DialError::Peer("the answer", err))?;
        for (text, form) in std::mem::take(&mut self.held) {
            self.add_candidate(&text, form).await;
        }
        Ok(())
    }

    /// Answers an offer of the server (q 8); a failure starts over.
    async fn answer_offer(&mut self, sdp: &str) -> Result<(), DialError> {
        let step = |err| DialError::Peer("the server's offer", err);
        self.peer.take_offer(sdp).await.map_err(step)?;
        let pc = Arc::clone(&self.peer.pc);
        let answer = pc.create_answer(None).await.map_err(step)?;
        pc.set_local_description(answer).await.map_err(step)?;
        if let (Some(local), Some(socket)) = (pc.local_description().await, &mut self.socket) {
            socket
                .send("answer", &answer_in_kind(sdp, &local.sdp))
                .await
                .map_err(DialError::Signalling)?;
        }
        Ok(())
    }

    /// Takes a candidate in either form (q 1); a bad one is only logged.
    async fn add_candidate(&mut self, text: &str, form: CandidateForm) {
        let parsed = match form {
            CandidateForm::Line => None,
            CandidateForm::Init => serde_json::from_str::<Value>(text).ok(),
        };
        let field = |key| parsed.as_ref().and_then(|value| value.get(key));
        let line = match form {
            CandidateForm::Line => text,
            CandidateForm::Init => field("candidate")
                .and_then(Value::as_str)
                .unwrap_or_default(),
        };
        if line.is_empty() {
            return; // only says that there are no more
        }
        let candidate = if line.starts_with("candidate:") {
            line.to_owned()
        } else {
            format!("candidate:{line}")
        };
        // An empty or absent mid means: use the index, else 0 (PROTOCOL.md 2.4).
        let mid = field("sdpMid")
            .and_then(Value::as_str)
            .filter(|mid| !mid.is_empty());
        let index = field("sdpMLineIndex").and_then(Value::as_u64).unwrap_or(0);
        let init = RTCIceCandidateInit {
            candidate,
            sdp_mid: mid.map(str::to_owned),
            sdp_mline_index: u16::try_from(index).ok(),
            ..Default::default()
        };
        if let Err(err) = self.peer.take_candidate(init).await {
            tracing::debug!(%err, "a candidate was ignored");
        }
    }

    /// The socket is gone: before the answer a refusal, afterwards only signalling is over (q 7, 23).
    fn socket_lost(&mut self, err: &SignallingError) -> Option<DialEvent> {
        self.socket = None;
        tracing::debug!(%err, "signalling");
        let now = (self.clock)();
        let lost = match err {
            SignallingError::TryLater(_) => self.session.on_try_later(now),
            _ => self.session.on_socket_lost(now),
        };
        match lost {
            Action::Reconnect { reason, keep_media } => {
                Some(DialEvent::SignallingOver { reason, keep_media })
            }
            _ => None,
        }
    }

    fn happen(&mut self, event: Option<PeerEvent>) -> Option<DialEvent> {
        match event {
            Some(PeerEvent::State(state)) => match state {
                RTCPeerConnectionState::Connected => {
                    self.session.set_media(true);
                    Some(DialEvent::Connected)
                }
                RTCPeerConnectionState::Disconnected => {
                    self.session.set_media(false);
                    Some(DialEvent::Disconnected)
                }
                RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => {
                    Some(DialEvent::Ended(DialError::Lost))
                }
                _ => None,
            },
            Some(PeerEvent::Channel(channel)) => Some(DialEvent::Channel(channel)),
            Some(PeerEvent::Track(track)) => Some(DialEvent::Track(track)),
            // Late candidates are not trickled: the offer had them all (q 2).
            Some(PeerEvent::Candidate(_) | PeerEvent::GatheringComplete) => None,
            None => Some(DialEvent::Ended(DialError::Lost)),
        }
    }
}

/// Makes the offer and waits, within bounds, until its candidates are all in it (q 1, 11).
async fn offer(peer: &mut Peer, limit: Duration) -> Result<String, DialError> {
    let step = |err| DialError::Peer("the offer", err);
    let offer = peer.pc.create_offer(None).await.map_err(step)?;
    peer.pc.set_local_description(offer).await.map_err(step)?;
    let gathering = async {
        while let Some(event) = peer.events.recv().await {
            if matches!(event, PeerEvent::GatheringComplete) {
                break;
            }
        }
    };
    if timeout(limit, gathering).await.is_err() {
        tracing::warn!(
            ?limit,
            "offering with the candidates found so far; is an ICE server unreachable?"
        );
    }
    let local = peer.pc.local_description().await;
    local
        .map(|local| unify_credentials(&local.sdp))
        .ok_or(DialError::StartOver("the stack has no local description"))
}
