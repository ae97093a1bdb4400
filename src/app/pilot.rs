//! Commands as they arrive: bytes of a data channel become the newest intent.
//!
//! ```text
//!   channel ──bytes──▶ wire::decode ──▶ seal, if the car has a key ──▶ ping: answered here, with the car's clock
//!                                                                  ├─▶ camera, of the lease holder: to the cameras (`eyes`)
//!                                                                  └─▶ all else: folded into the mailbox
//! ```
//!
//! Promises: nothing that arrives ends the reader; nothing queues here; after the channel closes nothing
//! more of it is obeyed. Knows nothing of: what the car does about a command.
//! Sources: PROTOCOL.md 5.2 q 13 and 19 (any channel named `stream`, text or binary).

use std::sync::Arc;

use webrtc::data_channel::{DataChannel, DataChannelEvent};

use super::board::Board;
use super::clock;
use super::mailbox::Mailbox;
use super::silence::Heard;
use crate::logic::seal::{Seals, Unsealed};
use crate::logic::units::Uptime;
use crate::logic::wire::{Incoming, Outgoing, Ping, Pong, SealFields, decode};

/// Where what is heard goes.
pub struct Ears {
    /// Answers: our `metric` channel.
    pub replies: Arc<dyn DataChannel>,
    /// Commands.
    pub mailbox: Arc<Mailbox>,
    /// What answers cost.
    pub board: Arc<Board>,
    /// That anything was heard at all.
    pub heard: Heard,
    /// What commands must be sealed with, if they must.
    pub seals: Option<Arc<Seals>>,
}

impl Ears {
    /// Whether a message may be obeyed, as far as seals say.
    fn check(&self, now: Uptime, incoming: &Incoming, message: &[u8]) -> Result<(), Unsealed> {
        match &self.seals {
            Some(seals) => seals.check(now, incoming, SealFields::of(message).as_ref()),
            None => Ok(()),
        }
    }

    /// Does what a message wants.
    async fn obey(&self, now: Uptime, incoming: Incoming) {
        match incoming {
            Incoming::Ping(ping) => self.answer(now, ping).await,
            Incoming::Camera(command) => {
                let mut is_holders = false;
                self.mailbox.update(|intent, holder| {
                    intent.fold(now, &incoming, holder);
                    is_holders = !holder.is_none() && command.lease == holder;
                });
                if is_holders {
                    self.board.eyes.obey(command);
                }
            }
            _ => {
                if let Incoming::Motion(motion) = incoming {
                    self.board.eyes.note_key(motion.key);
                }
                self.mailbox
                    .update(|intent, holder| intent.fold(now, &incoming, holder));
            }
        }
    }

    async fn answer(&self, now: Uptime, Ping { id, t_ms }: Ping) {
        let pong = Pong {
            id,
            t_ms,
            car_us: now.as_micros(),
            ..Pong::default()
        };
        let pong = match &self.seals {
            Some(seals) => seals.sealed(pong),
            None => pong,
        };
        if let Some(bytes) = send(&self.replies, &Outgoing::Pong(pong)).await {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            self.board.readings.pong_bytes.add(bytes);
        }
    }
}

/// Reads one channel until it closes. `on_open` is called once it can be used.
pub async fn listen(
    label: &str,
    channel: Arc<dyn DataChannel>,
    ears: Ears,
    on_open: impl FnOnce(),
) {
    let mut tell = Some(on_open);
    let mut refused = Refusals::default();
    while let Some(event) = channel.poll().await {
        match event {
            DataChannelEvent::OnOpen => {
                if let Some(tell) = tell.take() {
                    tell();
                }
            }
            DataChannelEvent::OnMessage(message) => {
                ears.heard.note();
                let now = clock::now();
                match decode(&message.data) {
                    Ok(incoming) => match ears.check(now, &incoming, &message.data) {
                        Ok(()) => ears.obey(now, incoming).await,
                        Err(why) => {
                            refused.note(label, why.word());
                            ears.mailbox.update(|intent, _| intent.refuse());
                        }
                    },
                    Err(why) => {
                        refused.note(label, why.word());
                        ears.mailbox.update(|intent, _| intent.reject(why));
                    }
                }
            }
            DataChannelEvent::OnClose => break,
            _ => {}
        }
    }
    refused.summary(label);
}

/// Sends one message on a channel, and says how long it was; `None` where the channel is full or closed: it was dropped.
pub async fn send(channel: &Arc<dyn DataChannel>, message: &Outgoing) -> Option<usize> {
    let bytes = message.encode();
    let text = std::str::from_utf8(&bytes).ok()?;
    match channel.try_send_text(text).await {
        Ok(()) => Some(bytes.len()),
        Err(err) => {
            tracing::trace!(%err, "telemetry not sent");
            None
        }
    }
}

/// Says the first of each kind and counts the rest: a peer must not fill the journal.
#[derive(Default)]
struct Refusals {
    kinds: Vec<(&'static str, u32)>,
}

impl Refusals {
    fn note(&mut self, label: &str, why: &'static str) {
        if let Some((_, count)) = self.kinds.iter_mut().find(|(kind, _)| *kind == why) {
            *count = count.saturating_add(1);
            return;
        }
        self.kinds.push((why, 1)); // as many as there are words for it, at most
        tracing::warn!(
            channel = label,
            why,
            "a message was not obeyed; more are only counted"
        );
    }

    fn summary(&self, label: &str) {
        for (why, count) in &self.kinds {
            tracing::info!(channel = label, why, count, "messages not obeyed");
        }
    }
}
