//! Commands as they arrive: bytes of a data channel become the newest intent.
//!
//! ```text
//!   channel ──bytes──▶ wire::decode ──▶ ping: answered here, with the car's clock
//!                                   ├─▶ camera, of the lease holder: to the cameras (`eyes`)
//!                                   └─▶ all else: folded into the mailbox
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
use crate::logic::wire::{Incoming, Outgoing, Ping, Pong, Reject, decode};

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
}

/// Reads one channel until it closes. `on_open` is called once it can be used.
pub async fn listen(
    label: &str,
    channel: Arc<dyn DataChannel>,
    ears: Ears,
    on_open: impl FnOnce(),
) {
    let Ears {
        replies,
        mailbox,
        board,
        heard,
    } = ears;
    let mut tell = Some(on_open);
    let mut refused = Rejects::default();
    while let Some(event) = channel.poll().await {
        match event {
            DataChannelEvent::OnOpen => {
                if let Some(tell) = tell.take() {
                    tell();
                }
            }
            DataChannelEvent::OnMessage(message) => {
                heard.note();
                let now = clock::now();
                match decode(&message.data) {
                    Ok(Incoming::Ping(Ping { id, t_ms })) => {
                        let car_us = now.as_micros();
                        let pong = Outgoing::Pong(Pong { id, t_ms, car_us });
                        if let Some(bytes) = send(&replies, &pong).await {
                            board
                                .readings
                                .pong_bytes
                                .add(u32::try_from(bytes).unwrap_or(u32::MAX));
                        }
                    }
                    Ok(Incoming::Camera(command)) => {
                        let mut is_holders = false;
                        mailbox.update(|intent, holder| {
                            intent.fold(now, &Incoming::Camera(command), holder);
                            is_holders = !holder.is_none() && command.lease == holder;
                        });
                        if is_holders {
                            board.eyes.obey(command);
                        }
                    }
                    Ok(incoming) => {
                        if let Incoming::Motion(motion) = incoming {
                            board.eyes.note_key(motion.key);
                        }
                        mailbox.update(|intent, holder| intent.fold(now, &incoming, holder));
                    }
                    Err(why) => {
                        refused.note(label, why);
                        mailbox.update(|intent, _| intent.reject(why));
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
struct Rejects {
    kinds: Vec<(Reject, u32)>,
}

impl Rejects {
    fn note(&mut self, label: &str, reject: Reject) {
        if let Some((_, count)) = self.kinds.iter_mut().find(|(kind, _)| *kind == reject) {
            *count = count.saturating_add(1);
            return;
        }
        self.kinds.push((reject, 1)); // as many as Reject has variants, at most
        tracing::warn!(
            channel = label,
            why = reject.word(),
            "a message was not understood; more are only counted"
        );
    }

    fn summary(&self, label: &str) {
        for (reject, count) in &self.kinds {
            tracing::info!(
                channel = label,
                why = reject.word(),
                count,
                "messages not understood"
            );
        }
    }
}
