//! The link to the Spider: dial, stay, and dial again, for as long as the car runs.
//!
//! ```text
//!   dialling ──open──▶ live ──ended──▶ back-off ──▶ dialling
//!                       │ signalling over, media up
//!                       ▼
//!                     live, and dialling beside it ──new one open──▶ live (the old one is closed)
//! ```
//!
//! "Up" means that commands can arrive: the peer is connected, a command channel is open, and something arrives at all
//! (`silence`). A driver's own silence is the failsafe's business, which is faster.
//!
//! Promises: the vehicle hears of a lost link before anything else is done about it; one video outlet at
//! a time; retries are spread (`logic::backoff`) and never end; another network is tried at once.
//! Knows nothing of: the outputs.
//! Sources: PROTOCOL.md 5.2 (q 7, 21 to 23).

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use webrtc::data_channel::{DataChannel, DataChannelEvent};

use super::board::Board;
use super::clock;
use super::mailbox::Mailbox;
use super::network::Network;
use super::outlet::Outlet;
use super::pilot::{self, Ears};
use super::silence::{self, Heard};
use crate::logic::backoff::{Backoff, Setback};
use crate::logic::seal::Seals;
use crate::logic::units::Kbps;
use crate::net::dial::{Address, Dial, DialError, DialEvent};
use crate::net::publish::publication;
use crate::peer::{Feedback, PeerOptions};

/// Longest time from the answer to an open command channel. choice: ten round trips of a bad LTE path.
const OPEN_LIMIT: Duration = Duration::from_secs(15);

/// How often the rate that the far side allows is looked at. choice: REMB comes once a second.
const RATE_PERIOD: Duration = Duration::from_millis(200);

/// What the link needs to know.
pub struct LinkOptions {
    /// Where to publish.
    pub address: Address,
    /// Builds the options of a new peer.
    pub peer: Box<dyn Fn() -> PeerOptions + Send + Sync>,
    /// Longest time to gather candidates.
    pub gather_limit: Duration,
    /// Rate to encode at unless the far side allows less.
    pub bitrate: Kbps,
    /// Silence after which the link counts as lost.
    pub silence: Option<Duration>,
    /// What commands must be sealed with, if they must.
    pub seals: Option<Arc<Seals>>,
}

/// The parts of the car that the link serves.
#[derive(Clone)]
pub struct LinkParts {
    /// Where commands go.
    pub mailbox: Arc<Mailbox>,
    /// Newest values of everything.
    pub board: Arc<Board>,
    /// Where coded video and telemetry go, while there is somewhere.
    pub outlet: watch::Sender<Option<Outlet>>,
}

/// A link that is up.
struct Live {
    dial: Dial,
    tasks: JoinSet<()>,
    /// Woken when a command channel closes: then no command can come, whatever the peer says.
    closed: Arc<Notify>,
    /// Woken when a command channel opened.
    is_open: Arc<Notify>,
    /// Where the answers to commands go: our `metric`.
    replies: Arc<dyn DataChannel>,
    mailbox: Arc<Mailbox>,
    board: Arc<Board>,
    /// Counts what arrives.
    heard: Heard,
    /// Woken when nothing has arrived for too long.
    silent: Arc<Notify>,
    seals: Option<Arc<Seals>>,
    outlet: Option<Outlet>,
}

/// Keeps the link until cancelled.
pub async fn run(options: Arc<LinkOptions>, parts: LinkParts) {
    let mut backoff = Backoff::new();
    let mut old: Option<Live> = None;
    let mut network = Network::now();
    // What was told of a network that is not there, or a channel that is busy; it is tried every second, and told once.
    let mut told = String::new();
    loop {
        let opened = {
            let mut attempt = pin!(open(&options, &parts));
            loop {
                tokio::select! {
                    opened = &mut attempt => break Some(opened),
                    () = stay(&mut old) => {
                        lose(&parts, old.take()).await;
                    }
                    // It speaks from an address that may be gone.
                    () = network.changed() => break None,
                }
            }
        };
        let Some(opened) = opened else {
            start_anew(&mut backoff);
            continue;
        };
        let setback = opened
            .as_ref()
            .map_or_else(DialError::setback, |_| Setback::Failed);
        match opened {
            Ok(mut live) => {
                tracing::info!("link up");
                told.clear();
                backoff.link_up(clock::now());
                parts.outlet.send_replace(live.outlet.take());
                parts.board.set_watched(true);
                parts.board.want_key_frame();
                parts
                    .mailbox
                    .update(|intent, _| intent.set_link(clock::now(), true));
                if let Some(old) = old.replace(live) {
                    old.close().await;
                }
                if !stay_live(&mut old).await {
                    lose(&parts, old.take()).await;
                }
            }
            Err(err) => {
                parts.board.readings.link_failures.count();
                let words = err.to_string();
                if !matches!(setback, Setback::Near | Setback::Busy) || words != told {
                    tracing::warn!(attempt = backoff.attempt() + 1, "no link: {words}");
                }
                told = words;
            }
        }
        let wait = backoff.next_delay(clock::now(), setback, rand::random());
        tracing::debug!(?wait, "dialling again");
        let mut waiting = pin!(sleep(wait));
        loop {
            tokio::select! {
                () = &mut waiting => break,
                () = stay(&mut old) => lose(&parts, old.take()).await,
                () = network.changed() => {
                    start_anew(&mut backoff);
                    break;
                }
            }
        }
    }
}

fn start_anew(backoff: &mut Backoff) {
    tracing::info!("the addresses of this computer changed; dialling at once");
    backoff.network_changed();
}

/// Tells the vehicle first, then cleans up.
async fn lose(parts: &LinkParts, live: Option<Live>) {
    parts
        .mailbox
        .update(|intent, _| intent.set_link(clock::now(), false));
    parts.board.set_watched(false);
    parts.outlet.send_replace(None);
    parts.board.readings.link_drops.count();
    tracing::warn!("link down");
    if let Some(live) = live {
        live.close().await;
    }
}

/// Serves a kept link until it ends; for ever where there is none.
async fn stay(live: &mut Option<Live>) {
    loop {
        match live {
            Some(live) => match live.next().await {
                DialEvent::Ended(_) | DialEvent::Disconnected => return,
                // Its signalling is over already; nothing else concerns us.
                DialEvent::SignallingOver { .. }
                | DialEvent::Connected
                | DialEvent::Channel(_)
                | DialEvent::Track(_) => {}
            },
            None => std::future::pending().await,
        }
    }
}

/// Serves a link until something ends it. `true`: media is still up and may be kept while dialling.
async fn stay_live(live: &mut Option<Live>) -> bool {
    loop {
        let Some(live) = live else {
            return false;
        };
        match live.next().await {
            DialEvent::SignallingOver { reason, keep_media } => {
                tracing::warn!(?reason, keep_media, "signalling is over");
                return keep_media;
            }
            DialEvent::Ended(err) => {
                tracing::warn!("link: {err}");
                return false;
            }
            DialEvent::Disconnected => {
                tracing::warn!("link: nothing heard from the other side");
                return false;
            }
            DialEvent::Connected | DialEvent::Channel(_) | DialEvent::Track(_) => {}
        }
    }
}

/// One attempt, up to an open command channel.
async fn open(options: &LinkOptions, parts: &LinkParts) -> Result<Live, DialError> {
    let published = publication((options.peer)()).await;
    let made = published.map_err(|err| DialError::Peer("making the car's peer", err))?;
    let feedback = Arc::clone(&made.peer.feedback);
    let dial = Dial::open(
        made.peer,
        &options.address,
        options.gather_limit,
        clock::now,
    )
    .await?;
    tracing::info!("offer sent");
    let mut live = Live {
        dial,
        tasks: JoinSet::new(),
        closed: Arc::new(Notify::new()),
        replies: Arc::clone(&made.metric),
        mailbox: Arc::clone(&parts.mailbox),
        board: Arc::clone(&parts.board),
        heard: Heard::default(),
        silent: Arc::new(Notify::new()),
        seals: options.seals.clone(),
        is_open: Arc::new(Notify::new()),
        outlet: Some(Outlet::new(made.video, Arc::clone(&made.metric))),
    };
    for (label, channel) in made.commands {
        live.listen(label, channel);
    }
    let metric = made.metric;
    let heard = live.heard.clone();
    live.tasks.spawn(async move {
        while let Some(event) = metric.poll().await {
            match event {
                // Inbound metrics are ignorable (PROTOCOL.md 3.4), but they prove that somebody is there; so does a
                // buffer that an acknowledgement has emptied.
                DataChannelEvent::OnMessage(_) | DataChannelEvent::OnBufferedAmountLow => {
                    heard.note();
                }
                _ => {}
            }
        }
    });
    let (silent, heard) = (Arc::clone(&live.silent), live.heard.clone());
    let (limit, counted) = (options.silence, Arc::clone(&feedback));
    live.tasks.spawn(async move {
        silence::fell(counted, heard, limit).await;
        silent.notify_one();
    });
    live.tasks
        .spawn(key_frames(Arc::clone(&feedback), Arc::clone(&parts.board)));
    live.tasks
        .spawn(rate(feedback, Arc::clone(&parts.board), options.bitrate));
    match timeout(OPEN_LIMIT + options.gather_limit, live.until_open()).await {
        Ok(Ok(())) => Ok(live),
        Ok(Err(err)) => {
            live.close().await;
            Err(err)
        }
        Err(_) => {
            live.close().await;
            Err(DialError::StartOver(
                "answered, but no command channel opened in time",
            ))
        }
    }
}

impl Live {
    /// The next event; a command channel of ours that closed counts as the end of the link.
    async fn next(&mut self) -> DialEvent {
        loop {
            let event = tokio::select! {
                event = self.dial.next() => event,
                () = self.closed.notified() => {
                    DialEvent::Ended(DialError::StartOver("a command channel was closed"))
                }
                () = self.silent.notified() => {
                    DialEvent::Ended(DialError::StartOver("nothing at all has arrived for failsafe.link_silence_ms"))
                }
            };
            match event {
                DialEvent::Channel(channel) => self.adopt(channel),
                event => return event,
            }
        }
    }

    async fn until_open(&mut self) -> Result<(), DialError> {
        let is_open = Arc::clone(&self.is_open);
        loop {
            tokio::select! {
                () = is_open.notified() => return Ok(()),
                event = self.next() => match event {
                    DialEvent::Ended(err) => return Err(err),
                    DialEvent::SignallingOver { keep_media: false, reason } => {
                        tracing::debug!(?reason, "signalling over before the link was up");
                        return Err(DialError::Over(reason));
                    }
                    DialEvent::SignallingOver { keep_media: true, .. }
                    | DialEvent::Connected
                    | DialEvent::Disconnected
                    | DialEvent::Channel(_)
                    | DialEvent::Track(_) => {}
                },
            }
        }
    }

    /// Obeys a channel of ours.
    fn listen(&mut self, label: &'static str, channel: Arc<dyn DataChannel>) {
        let heard = self.pilot(label, channel);
        let closed = Arc::clone(&self.closed);
        self.tasks.spawn(async move {
            heard.await;
            closed.notify_one();
        });
    }

    /// Obeys a command channel that the server opened, whenever it did (q 13); its end is not the link's.
    fn adopt(&mut self, channel: Arc<dyn DataChannel>) {
        while self.tasks.try_join_next().is_some() {} // those that ended
        let heard = self.pilot("server's", Arc::clone(&channel));
        self.tasks.spawn(async move {
            match channel.label().await.as_deref() {
                Ok("stream" | "drive") => heard.await,
                // Nobody listens, but what arrives must not pile up.
                _ => while channel.poll().await.is_some() {},
            }
        });
    }

    fn pilot(
        &self,
        label: &'static str,
        channel: Arc<dyn DataChannel>,
    ) -> impl Future<Output = ()> + use<> {
        let ears = Ears {
            replies: Arc::clone(&self.replies),
            mailbox: Arc::clone(&self.mailbox),
            board: Arc::clone(&self.board),
            heard: self.heard.clone(),
            seals: self.seals.clone(),
        };
        let is_open = Arc::clone(&self.is_open);
        async move { pilot::listen(label, channel, ears, || is_open.notify_one()).await }
    }

    async fn close(mut self) {
        self.tasks.abort_all();
        self.dial.close().await;
    }
}

/// Passes on the other side's wishes for key frames.
async fn key_frames(feedback: Arc<Feedback>, board: Arc<Board>) {
    loop {
        feedback.key_frame_wanted().await;
        board.want_key_frame();
    }
}

/// Keeps the encoder's target at what was configured or, if less, what the other side allows.
async fn rate(feedback: Arc<Feedback>, board: Arc<Board>, configured: Kbps) {
    loop {
        let allowed = feedback.remb_kbps().unwrap_or(u32::MAX);
        board.set_target(Kbps::new(configured.get().min(allowed)));
        sleep(RATE_PERIOD).await;
    }
}
