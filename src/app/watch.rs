//! `spidercar watch`: a viewer in a terminal. Video to a file, metrics to stdout, commands from stdin.
//!
//! ```text
//!   track ──RTP──▶ depacketise ──Annex B──▶ FILE         metric ──▶ one JSON line each on stdout
//!   stdin, one JSON line each ──▶ drive (our own groups, where it is open) or stream
//! ```
//!
//! Promises: the file starts with a key frame and holds whole frames; stdout holds nothing but what the
//! car said; a lost channel is dialled again for half a minute, then the end is code 4.
//! Knows nothing of: the car's side. Sources: PROTOCOL.md 5.2 (q 13, 19).

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::JoinSet;
use tokio::time::sleep;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use super::clock;
use crate::logic::backoff::Backoff;
use crate::logic::wire::decode;
use crate::net::dial::{Address, Dial, DialError, DialEvent};
use crate::net::h264::Depacketizer;
use crate::net::subscribe::{OpenChannels, subscription};
use crate::peer::PeerOptions;

/// How long a channel may stay away. choice: three times what a restarting car takes.
const GIVE_UP_AFTER: Duration = Duration::from_secs(30);

/// What to watch.
pub struct WatchOptions {
    /// Where.
    pub address: Address,
    /// Builds the options of a new peer.
    pub peer: Box<dyn Fn() -> PeerOptions + Send + Sync>,
    /// Longest time to gather candidates.
    pub gather_limit: Duration,
    /// Where video goes.
    pub record: Option<PathBuf>,
}

/// Why watching ended by itself.
#[derive(Debug)]
pub enum WatchError {
    /// The file cannot be written.
    Record(PathBuf, std::io::Error),
    /// The channel stayed away.
    Lost(DialError),
}

impl std::fmt::Display for WatchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Record(path, err) => write!(f, "cannot write {}: {err}", path.display()),
            Self::Lost(err) => write!(f, "gave up after {} s: {err}", GIVE_UP_AFTER.as_secs()),
        }
    }
}

impl std::error::Error for WatchError {}

/// Watches until the channel is gone for good; cancel it to stop.
///
/// # Errors
/// The file cannot be written, or the channel stayed away.
pub async fn run(options: WatchOptions) -> Result<(), WatchError> {
    let record = match &options.record {
        Some(path) => {
            let file =
                std::fs::File::create(path).map_err(|err| WatchError::Record(path.clone(), err))?;
            Some(Arc::new(Mutex::new(file)))
        }
        None => None,
    };
    let channels = OpenChannels::default();
    let mut always = JoinSet::new();
    always.spawn(commands(channels.clone()));
    let mut backoff = Backoff::new();
    let mut seen_at = Instant::now();
    loop {
        let (ended, was_up) = session(&options, &channels, record.as_ref()).await;
        channels.clear();
        if was_up {
            seen_at = Instant::now();
            backoff.link_up(clock::now());
        }
        if seen_at.elapsed() > GIVE_UP_AFTER {
            return Err(WatchError::Lost(ended));
        }
        tracing::warn!("{ended}; dialling again");
        sleep(backoff.next_delay(clock::now(), ended.setback(), rand::random())).await;
    }
}

/// One session to its end, and whether it was ever connected.
async fn session(
    options: &WatchOptions,
    channels: &OpenChannels,
    record: Option<&Arc<Mutex<std::fs::File>>>,
) -> (DialError, bool) {
    let mut was_up = false;
    let made = match subscription((options.peer)()).await {
        Ok(made) => made,
        Err(err) => return (DialError::Peer("making a viewer's peer", err), was_up),
    };
    let opened = Dial::open(
        made.peer,
        &options.address,
        options.gather_limit,
        clock::now,
    )
    .await;
    let mut dial = match opened {
        Ok(dial) => dial,
        Err(err) => return (err, was_up),
    };
    let mut tasks = JoinSet::new();
    for (label, channel) in made.channels {
        tasks.spawn(listen(label.to_owned(), false, channel, channels.clone()));
    }
    loop {
        match dial.next().await {
            DialEvent::Connected => {
                was_up = true;
                tracing::info!("watching");
            }
            DialEvent::Channel(channel) => {
                if let Ok(label) = channel.label().await {
                    tasks.spawn(listen(label, true, channel, channels.clone()));
                }
            }
            DialEvent::Track(track) => {
                tasks.spawn(video(track, record.cloned()));
            }
            DialEvent::Disconnected => tracing::warn!("nothing heard from the other side"),
            DialEvent::SignallingOver {
                keep_media: true, ..
            } => {
                tracing::debug!("signalling is over, media goes on");
            }
            DialEvent::SignallingOver { reason, .. } => {
                tasks.abort_all();
                dial.close().await;
                return (DialError::Over(reason), was_up);
            }
            DialEvent::Ended(err) => {
                tasks.abort_all();
                dial.close().await;
                return (err, was_up);
            }
        }
    }
}

/// Reads one data channel; messages of `metric` go to stdout.
async fn listen(
    label: String,
    is_servers: bool,
    channel: Arc<dyn DataChannel>,
    channels: OpenChannels,
) {
    while let Some(event) = channel.poll().await {
        match event {
            DataChannelEvent::OnOpen => channels.add(&label, is_servers, &channel),
            DataChannelEvent::OnMessage(message) if label == "metric" => print_line(&message.data),
            DataChannelEvent::OnClose => break,
            _ => {}
        }
    }
    channels.remove(&channel);
}

fn print_line(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let written = out
        .write_all(bytes)
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    if written.is_err() {
        // Whoever read us is gone (`spidercar watch ... | head`); video may still be recorded.
        tracing::debug!("stdout is closed");
    }
}

/// Receives video, asks for key frames when something is missing, and writes whole frames.
async fn video(track: Arc<dyn TrackRemote>, record: Option<Arc<Mutex<std::fs::File>>>) {
    let Some(ssrc) = track.ssrcs().await.first().copied() else {
        return;
    };
    let mut depacketizer = Depacketizer::default();
    let mut asked_at: Option<Instant> = None;
    let mut frames = 0_u64;
    while let Some(event) = track.poll().await {
        let TrackRemoteEvent::OnRtpPacket(packet) = event else {
            continue;
        };
        let header = &packet.header;
        let mut unit = depacketizer.push(
            header.sequence_number,
            header.timestamp,
            header.marker,
            &packet.payload,
        );
        while let Some(whole) = unit {
            frames += 1;
            if frames == 1 {
                tracing::info!("first frame");
            }
            if let Some(file) = &record {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                if let Err(err) = file.write_all(&whole.data) {
                    tracing::error!(%err, "recording stopped");
                    return;
                }
            }
            unit = depacketizer.poll();
        }
        let may_ask = asked_at.is_none_or(|at| at.elapsed() > Duration::from_millis(250));
        if depacketizer.wants_key_frame() && may_ask {
            asked_at = Some(Instant::now());
            let request = PictureLossIndication {
                sender_ssrc: 0,
                media_ssrc: ssrc,
            };
            let _ = track.write_rtcp(vec![Box::new(request)]).await; // over soon if this fails
        }
    }
}

/// Reads commands from stdin, one JSON object a line, and sends each on one channel.
async fn commands(channels: OpenChannels) {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let Some(channel) = channel_for(line, &channels) else {
            tracing::warn!("not sent: no command channel is open yet");
            continue;
        };
        if let Err(err) = channel.try_send_text(line).await {
            tracing::warn!(%err, "not sent");
        }
    }
}

/// The channel for a command: `drive` for one of which the newest counts, where it is open, else `stream`.
fn channel_for(line: &str, channels: &OpenChannels) -> Option<Arc<dyn DataChannel>> {
    goes_on_drive(line)
        .then(|| channels.get("drive"))
        .flatten()
        .or_else(|| channels.get("stream"))
}

/// A line that the car would not understand goes the way of the old commands.
fn goes_on_drive(line: &str) -> bool {
    decode(line.as_bytes()).is_ok_and(|incoming| incoming.newest_counts())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_newest_counts_of_goes_on_drive_and_all_else_on_stream() {
        for (line, on_drive) in [
            (
                r#"{"drive":{"seq":1,"t_ms":1,"throttle":0,"steering":0,"lease":7}}"#,
                true,
            ),
            (
                r#"{"calibrate":{"seq":1,"t_ms":1,"lease":7,"wheels_up":1,"output":1,"us":1540}}"#,
                true,
            ),
            (r#"{"arm":{"seq":1,"t_ms":1,"lease":7}}"#, true),
            (r#"{"stop":{}}"#, true),
            (r#"{"lease":{"id":7,"want":1}}"#, true),
            (r#"{"ping":{"id":1,"t_ms":1}}"#, true),
            (r#"{"view":{"lease":7,"rtt_ms":1,"age_ms":1}}"#, true),
            (r#"{"motion":{"key":"forward","value":0}}"#, false),
            (r#"{"speed":{"key":"maxSpeed","value":420}}"#, false),
            (r#"{"later":1}"#, false),
            ("junk", false),
        ] {
            assert_eq!(goes_on_drive(line), on_drive, "{line}");
        }
    }
}
