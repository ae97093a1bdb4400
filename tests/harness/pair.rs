//! Bare peers for the rules of the Spider itself: a publisher and viewers inside the test.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use spidercar::app::clock;
use spidercar::config::Trust;
use spidercar::net::dial::{Address, Dial, DialError, DialEvent};
use spidercar::net::publish::{VideoOut, publication};
use spidercar::net::subscribe::{OpenChannels, subscription};
use spidercar::net::tls::client_config;
use spidercar::peer::{Feedback, PeerOptions};
use spidercar::spider::{Fault, Faults, Spider, SpiderOptions};
use tokio::task::JoinSet;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::media_stream::track_remote::TrackRemote;

use super::{CHANNEL, until};

/// A message that came on a channel: its label, whether it was text, its bytes.
pub type Heard = (String, bool, Vec<u8>);

/// A Spider inside the test.
pub async fn inside(faults: &[Fault], ping_every: Duration) -> Spider {
    let options = SpiderOptions {
        port: 0,
        tls_port: 0,
        faults: Faults::new(faults.iter().copied()),
        ping_every,
        ..SpiderOptions::default()
    };
    Spider::start(options)
        .await
        .expect("a Spider on free ports")
}

/// A peer at a Spider, with its channels, whatever it heard, and why it ended.
pub struct Party {
    pub channels: OpenChannels,
    pub heard: Arc<Mutex<Vec<Heard>>>,
    pub events: Arc<Mutex<Vec<String>>>,
    pub feedback: Arc<Feedback>,
    pub video: Option<VideoOut>,
    tracks: Arc<Mutex<Vec<Arc<dyn TrackRemote>>>>,
    tasks: JoinSet<()>,
}

impl Party {
    pub async fn publisher(url: &str, query: &str) -> Result<Self, DialError> {
        let made = publication(PeerOptions::loopback()).await.expect("a peer");
        let mut channels = made.commands;
        channels.push(("metric", made.metric));
        Self::new(
            made.peer,
            channels,
            url,
            &format!("pub?channel={CHANNEL}{query}"),
            Some(made.video),
        )
        .await
    }

    pub async fn viewer(url: &str, query: &str) -> Result<Self, DialError> {
        let made = subscription(PeerOptions::loopback()).await.expect("a peer");
        Self::new(
            made.peer,
            made.channels,
            url,
            &format!("sub?channel={CHANNEL}{query}"),
            None,
        )
        .await
    }

    async fn new(
        peer: spidercar::peer::Peer,
        opened: Vec<(&'static str, Arc<dyn DataChannel>)>,
        url: &str,
        path: &str,
        video: Option<VideoOut>,
    ) -> Result<Self, DialError> {
        let feedback = Arc::clone(&peer.feedback);
        let address = Address {
            key: None,
            url: url.to_owned(),
            path_and_query: format!("/live/ws/{path}"),
            tls: Some(client_config(&Trust::Anything).expect("no trust needed")),
        };
        let dial = Dial::open(peer, &address, Duration::from_secs(2), clock::now).await?;
        let mut party = Self {
            channels: OpenChannels::default(),
            heard: Arc::default(),
            events: Arc::default(),
            feedback,
            video,
            tracks: Arc::default(),
            tasks: JoinSet::new(),
        };
        for (label, channel) in opened {
            let (channels, heard) = (party.channels.clone(), Arc::clone(&party.heard));
            party
                .tasks
                .spawn(listen(label.to_owned(), false, channel, channels, heard));
        }
        let (channels, heard, events) = (
            party.channels.clone(),
            Arc::clone(&party.heard),
            Arc::clone(&party.events),
        );
        let tracks = Arc::clone(&party.tracks);
        party
            .tasks
            .spawn(stay(dial, channels, heard, events, tracks));
        Ok(party)
    }

    pub fn channel(&self, label: &str) -> Option<Arc<dyn DataChannel>> {
        self.channels.get(label)
    }

    /// Waits until a channel is open and returns it.
    pub async fn open(&self, label: &str) -> Arc<dyn DataChannel> {
        until(&format!("an open {label} channel"), || {
            self.channel(label).is_some()
        })
        .await;
        self.channel(label).expect("it was there")
    }

    pub fn has_heard(&self, label: &str, text: &str) -> bool {
        let heard = self.heard.lock().expect("not poisoned");
        heard
            .iter()
            .any(|(on, is_text, bytes)| on == label && *is_text && bytes == text.as_bytes())
    }

    pub fn saw(&self, event: &str) -> bool {
        self.events
            .lock()
            .expect("not poisoned")
            .iter()
            .any(|one| one.contains(event))
    }

    /// Asks for a key frame on every track that came.
    pub async fn ask_for_key_frame(&self) {
        let tracks = self.tracks.lock().expect("not poisoned").clone();
        for track in tracks {
            let media_ssrc = track.ssrcs().await.first().copied().unwrap_or(0);
            let request = PictureLossIndication {
                sender_ssrc: 0,
                media_ssrc,
            };
            track
                .write_rtcp(vec![Box::new(request)])
                .await
                .expect("sent");
        }
    }

    pub async fn until_saw(&self, event: &str) {
        until(
            &format!(
                "{event:?} among {:?}",
                self.events.lock().expect("not poisoned")
            ),
            || self.saw(event),
        )
        .await;
    }
}

async fn stay(
    mut dial: Dial,
    channels: OpenChannels,
    heard: Arc<Mutex<Vec<Heard>>>,
    events: Arc<Mutex<Vec<String>>>,
    tracks: Arc<Mutex<Vec<Arc<dyn TrackRemote>>>>,
) {
    let mut tasks = JoinSet::new();
    loop {
        let event = dial.next().await;
        let name = match &event {
            DialEvent::Connected => "connected".to_owned(),
            DialEvent::Disconnected => "disconnected".to_owned(),
            DialEvent::Channel(_) => "channel".to_owned(),
            DialEvent::Track(_) => "track".to_owned(),
            DialEvent::SignallingOver { reason, keep_media } => {
                format!("over {reason:?} keep={keep_media}")
            }
            DialEvent::Ended(err) => format!("ended {err}"),
        };
        events.lock().expect("not poisoned").push(name);
        match event {
            DialEvent::Channel(channel) => {
                if let Ok(label) = channel.label().await {
                    tasks.spawn(listen(
                        label,
                        true,
                        channel,
                        channels.clone(),
                        Arc::clone(&heard),
                    ));
                }
            }
            DialEvent::Ended(_)
            | DialEvent::SignallingOver {
                keep_media: false, ..
            } => break,
            DialEvent::Track(track) => tracks.lock().expect("not poisoned").push(track),
            DialEvent::Connected | DialEvent::Disconnected | DialEvent::SignallingOver { .. } => {}
        }
    }
    dial.close().await;
}

async fn listen(
    label: String,
    is_servers: bool,
    channel: Arc<dyn DataChannel>,
    channels: OpenChannels,
    heard: Arc<Mutex<Vec<Heard>>>,
) {
    while let Some(event) = channel.poll().await {
        match event {
            DataChannelEvent::OnOpen => {
                channels.add(&label, is_servers, &channel);
            }
            DataChannelEvent::OnMessage(message) => {
                let one = (label.clone(), message.is_string, message.data.to_vec());
                heard.lock().expect("not poisoned").push(one);
            }
            DataChannelEvent::OnClose => break,
            _ => {}
        }
    }
}
