//! A viewer in a test: connects to a channel, drives, hears metrics, counts frames.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use spidercar::app::clock;
use spidercar::config::Trust;
use spidercar::logic::seal::DriverSeal;
use spidercar::logic::wire::decode;
use spidercar::net::dial::{Address, Dial, DialEvent};
use spidercar::net::subscribe::{OpenChannels, subscription};
use spidercar::net::tls::client_config;
use spidercar::peer::PeerOptions;
use tokio::task::JoinSet;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use super::{CHANNEL, Car, PATIENCE, until};

/// The lease id that this operator drives with.
pub const LEASE: u32 = 4711;

/// What it proves by that it is this operator.
pub const SECRET: u32 = 0xC0FF_EE00;

/// States of the car in telemetry (EXTENSION.md).
const LIVE: u64 = 1;
const COASTING: u64 = 2;

/// Causes of a stop when nobody ran for a while: `silence` of the operator, `control_late`, `control_stalled`.
const STOOD_STILL: [u64; 3] = [5, 11, 18];

/// What an operator says again and again.
#[derive(Clone, Copy, Debug)]
enum Wish {
    /// This throttle, and `arm` again if nobody ran for a while.
    Drive(i32),
    /// This throttle and nothing else.
    Hold(i32),
    /// This pulse on this output, and `arm` again as for `Drive`.
    Tune(u8, u32),
}

pub struct Operator {
    pub channels: OpenChannels,
    pub metrics: Arc<Mutex<Vec<String>>>,
    pub packets: Arc<AtomicU32>,
    /// The lease id that it drives with, and the secret of it.
    pub lease: u32,
    pub secret: u32,
    /// The car's own key: all that it says is sealed with it, once the car has answered a ping.
    pub seal_key: Option<&'static str>,
    /// All that it said, as it left.
    pub said: Arc<Mutex<Vec<String>>>,
    seq: u32,
    tasks: JoinSet<()>,
}

impl Operator {
    /// Connects and waits until commands can be sent.
    pub async fn connect(url: &str) -> Self {
        let operator = Self::dial(url, "")
            .await
            .unwrap_or_else(|err| panic!("operator at {url}: {err}"));
        operator.ready().await;
        operator
    }

    /// Connects once; whether the channels open is another matter.
    pub async fn dial(url: &str, query: &str) -> Result<Self, String> {
        let made = subscription(PeerOptions::loopback())
            .await
            .map_err(|err| err.to_string())?;
        let address = Address {
            key: None,
            url: url.to_owned(),
            path_and_query: format!("/live/ws/sub?channel={CHANNEL}&vcodec=h264{query}"),
            tls: Some(client_config(&Trust::Anything).map_err(|err| err.to_string())?),
        };
        let dial = Dial::open(made.peer, &address, Duration::from_secs(2), clock::now)
            .await
            .map_err(|err| err.to_string())?;
        let mut operator = Self {
            channels: OpenChannels::default(),
            metrics: Arc::default(),
            packets: Arc::default(),
            lease: LEASE,
            secret: SECRET,
            seal_key: None,
            said: Arc::default(),
            seq: 0,
            tasks: JoinSet::new(),
        };
        for (label, channel) in made.channels {
            let (channels, metrics) = (operator.channels.clone(), Arc::clone(&operator.metrics));
            operator
                .tasks
                .spawn(listen(label.to_owned(), false, channel, channels, metrics));
        }
        let (channels, metrics) = (operator.channels.clone(), Arc::clone(&operator.metrics));
        operator
            .tasks
            .spawn(stay(dial, channels, metrics, Arc::clone(&operator.packets)));
        Ok(operator)
    }

    /// Waits until `stream` is open and the car's telemetry arrives.
    pub async fn ready(&self) {
        until("an open stream channel", || {
            self.channel("stream").is_some()
        })
        .await;
        until("telemetry of the car", || self.car().is_some()).await;
    }

    pub fn channel(&self, label: &str) -> Option<Arc<dyn DataChannel>> {
        self.channels.get(label)
    }

    /// Sends text on a channel by label.
    pub async fn send(&self, label: &str, text: &str) {
        let text = self.sealed(text).unwrap_or_else(|| text.to_owned());
        self.said.lock().expect("not poisoned").push(text.clone());
        if let Some(channel) = self.channel(label) {
            let _ = channel.send_text(&text).await;
        }
    }

    /// The text under seal; `None` without a key, before the car has said which life of it this is, and for what has none.
    fn sealed(&self, text: &str) -> Option<String> {
        let key = self.seal_key?;
        let pong = self.newest("pong")?;
        let car_ms = pong["car_us"].as_u64()? / 1000;
        let seal = DriverSeal::new(key.as_bytes(), pong["epoch"].as_u64()?);
        let seal = seal.seal(&decode(text.as_bytes()).ok()?, car_ms)?;
        let digits = format!("{:032x}", u128::from_be_bytes(seal));
        let open = text.strip_suffix("}}").expect("a group");
        Some(format!(r#"{open},"car_ms":{car_ms},"seal":"{digits}"}}}}"#))
    }

    /// Sends a legacy motion.
    pub async fn motion(&self, key: &str, value: i32) {
        self.send(
            "stream",
            &format!(r#"{{"motion":{{"key":"{key}","value":{value}}}}}"#),
        )
        .await;
    }

    /// Sends one `drive` of our extension.
    pub async fn drive(&mut self, throttle: i32, steering: i32) {
        self.seq += 1;
        if self.seal_key.is_some() && self.seq.is_multiple_of(10) {
            let id = self.seq;
            self.send("stream", &format!(r#"{{"ping":{{"id":{id},"t_ms":1}}}}"#))
                .await;
        }
        let text = format!(
            r#"{{"drive":{{"seq":{},"t_ms":{},"throttle":{throttle},"steering":{steering},"lease":{},"secret":{}}}}}"#,
            self.seq,
            clock::now().as_micros() / 1000,
            self.lease,
            self.secret,
        );
        let label = if self.channel("drive").is_some() {
            "drive"
        } else {
            "stream"
        };
        self.send(label, &text).await;
    }

    /// Sends one `calibrate`: output 1 is throttle, 2 steering, 0 none.
    pub async fn tune(&mut self, wheels_up: u8, output: u8, us: u32) {
        self.seq += 1;
        let text = format!(
            r#"{{"calibrate":{{"seq":{},"t_ms":{},"lease":{},"secret":{},"wheels_up":{wheels_up},"output":{output},"us":{us}}}}}"#,
            self.seq,
            clock::now().as_micros() / 1000,
            self.lease,
            self.secret,
        );
        let label = if self.channel("drive").is_some() {
            "drive"
        } else {
            "stream"
        };
        self.send(label, &text).await;
    }

    /// Tunes at 50 Hz until a condition holds.
    pub async fn tune_until(
        &mut self,
        output: u8,
        us: u32,
        what: &str,
        holds: impl FnMut() -> bool,
    ) {
        self.say_until(Wish::Tune(output, us), what, holds).await;
    }

    /// Saves a neutral, the other pulses as the car has them, and gives the sequence number of the wish.
    pub async fn save_neutral(&mut self, throttle: u64, steering: u64) -> u64 {
        self.seq += 1;
        let mut pulses = self.calibration().expect("it told its calibration")["pulses"].clone();
        pulses["throttle_zero_us"] = throttle.into();
        pulses["steering_zero_us"] = steering.into();
        let text = format!(
            r#"{{"calibration":{{"action":1,"seq":{},"t_ms":{},"lease":{},"secret":{},"pulses":{pulses}}}}}"#,
            self.seq,
            clock::now().as_micros() / 1000,
            self.lease,
            self.secret,
        );
        self.send("stream", &text).await;
        self.seq.into()
    }

    /// The newest of a group of telemetry.
    fn newest(&self, group: &str) -> Option<serde_json::Value> {
        newest(&self.metrics, group)
    }

    /// How the video path runs.
    pub fn video(&self) -> Option<serde_json::Value> {
        self.newest("video")
    }

    /// What the car last told of its calibration.
    pub fn calibration(&self) -> Option<serde_json::Value> {
        self.newest("calibration")
    }

    /// A number of it.
    pub fn told(&self, field: &str) -> Option<u64> {
        self.calibration()?.get(field)?.as_u64()
    }

    /// The newest echo of `maxSpeed`.
    pub fn max_speed(&self) -> Option<u64> {
        self.newest("speed")?.get("value")?.as_u64()
    }

    /// Says what it wants with the lease: 0 release, 1 take, 2 a hand-over.
    pub async fn want(&self, want: u8) {
        let text = format!(
            r#"{{"lease":{{"id":{},"secret":{},"want":{want}}}}}"#,
            self.lease, self.secret
        );
        self.send("stream", &text).await;
    }

    /// A number of the newest `car` telemetry.
    pub fn number(&self, field: &str) -> Option<u64> {
        self.car()?.get(field)?.as_u64()
    }

    pub async fn arm(&mut self) {
        self.seq += 1;
        let t_ms = clock::now().as_micros() / 1000;
        let text = format!(
            r#"{{"arm":{{"seq":{},"t_ms":{t_ms},"lease":{},"secret":{}}}}}"#,
            self.seq, self.lease, self.secret
        );
        self.send("stream", &text).await;
    }

    /// All that somebody says who would drive, an old app's words too, again and again; waits until it was heard, or dropped.
    pub async fn tries_to_drive(&mut self) {
        for _ in 0..20 {
            self.drive(0, 0).await;
            self.arm().await;
            self.drive(800, 800).await;
            self.motion("forward", 0).await;
            self.motion("forward", 20).await;
            self.want(1).await;
            let most = r#"{"speed":{"key":"maxSpeed","value":100}}"#;
            self.send("stream", most).await;
        }
        self.heard_so_far().await;
    }

    /// Waits until the car has answered a ping on `stream`: all that was said there before it has been heard, or dropped on its way.
    pub async fn heard_so_far(&mut self) {
        self.seq += 1;
        let id = self.seq;
        self.send("stream", &format!(r#"{{"ping":{{"id":{id},"t_ms":1}}}}"#))
            .await;
        let answered = || self.newest("pong").is_some_and(|pong| pong["id"] == id);
        until("the answer to a ping", answered).await;
    }

    /// The newest `car` telemetry.
    pub fn car(&self) -> Option<serde_json::Value> {
        self.newest("car")
    }

    /// How many messages came on the metric channel.
    pub fn reports(&self) -> usize {
        self.metrics.lock().expect("not poisoned").len()
    }

    pub fn state(&self) -> Option<u64> {
        self.car()?.get("state")?.as_u64()
    }

    /// Neutral at 50 Hz and `arm`, until the car says that it is live.
    pub async fn take_over(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let mut beats = 0_u32;
        // What the car said before this call does not count: it may have stopped since.
        let said = self.reports();
        while self.reports() < said + 2 || self.state() != Some(LIVE) {
            assert!(
                Instant::now() < deadline,
                "the car does not arm; it says {:?}",
                self.car()
            );
            self.drive(0, 0).await;
            if beats % 10 == 5 {
                self.arm().await;
            }
            beats += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A neutral of the old app, again and again, until the car says that it is live.
    pub async fn take_over_as_of_old(&self) {
        let deadline = Instant::now() + PATIENCE;
        let said = self.reports();
        while self.reports() < said + 2 || self.state() != Some(LIVE) {
            assert!(
                Instant::now() < deadline,
                "the car is not armed by neutral; it says {:?}",
                self.car()
            );
            self.motion("forward", 0).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Reports what its page sees: the round trip, and the age of the picture.
    pub async fn sees(&self, rtt_ms: u32, age_ms: u32) {
        let (lease, secret) = (self.lease, self.secret);
        let view = format!(
            r#"{{"view":{{"lease":{lease},"secret":{secret},"rtt_ms":{rtt_ms},"age_ms":{age_ms}}}}}"#
        );
        self.send("stream", &view).await;
    }

    /// Says what it wants, as a driver who goes on: one whose car stopped because nobody ran for a while arms it again.
    /// Whatever else stops a car leaves it stopped.
    pub async fn keep_driving(&mut self, throttle: i32, steering: i32) {
        self.heal().await;
        self.drive(throttle, steering).await;
    }

    /// Takes the car over and drives until it moves.
    pub async fn move_off(&mut self, car: &Car) {
        self.take_over().await;
        self.drive_until(400, "the car to move", || car.moves())
            .await;
    }

    async fn heal(&mut self) {
        if self
            .stopped_by()
            .is_some_and(|cause| STOOD_STILL.contains(&cause))
        {
            eprintln!("this computer stood still, and the car stopped: armed again");
            self.take_over().await;
        }
    }

    /// Why the car is not live any more, by its number; `None` if it is, or never was.
    fn stopped_by(&self) -> Option<u64> {
        let mut since = None;
        let metrics = self.metrics.lock().expect("not poisoned");
        for car in newest_first(&metrics, "car") {
            if matches!(car["state"].as_u64(), Some(LIVE | COASTING)) {
                return since;
            }
            since = car["cause"].as_u64();
        }
        None
    }

    /// Drives on at 50 Hz until a condition holds, as [`Self::keep_driving`] does.
    pub async fn drive_until(&mut self, throttle: i32, what: &str, holds: impl FnMut() -> bool) {
        self.say_until(Wish::Drive(throttle), what, holds).await;
    }

    /// Holds the throttle at 50 Hz until a condition holds, whatever the car says: for tests of what stops it.
    pub async fn hold_until(&mut self, throttle: i32, what: &str, holds: impl FnMut() -> bool) {
        self.say_until(Wish::Hold(throttle), what, holds).await;
    }

    async fn say_until(&mut self, wish: Wish, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(
                Instant::now() < deadline,
                "{wish:?} for {} s and waited for {what}; the car says {:?}",
                PATIENCE.as_secs(),
                self.car()
            );
            match wish {
                Wish::Drive(throttle) => self.keep_driving(throttle, 0).await,
                Wish::Hold(throttle) => self.drive(throttle, 0).await,
                Wish::Tune(output, us) => {
                    self.heal().await;
                    self.tune(1, output, us).await;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The newest of a group of telemetry.
pub fn newest(metrics: &Mutex<Vec<String>>, group: &str) -> Option<serde_json::Value> {
    newest_first(&metrics.lock().expect("not poisoned"), group).next()
}

/// All that was told of a group, the newest first.
fn newest_first<'a>(
    metrics: &'a [String],
    group: &'a str,
) -> impl Iterator<Item = serde_json::Value> + 'a {
    metrics.iter().rev().filter_map(move |text| {
        serde_json::from_str::<serde_json::Value>(text)
            .ok()?
            .get_mut(group)
            .map(serde_json::Value::take)
    })
}

async fn stay(
    mut dial: Dial,
    channels: OpenChannels,
    metrics: Arc<Mutex<Vec<String>>>,
    packets: Arc<AtomicU32>,
) {
    let mut tasks = JoinSet::new();
    loop {
        match dial.next().await {
            DialEvent::Channel(channel) => {
                if let Ok(label) = channel.label().await {
                    tasks.spawn(listen(
                        label,
                        true,
                        channel,
                        channels.clone(),
                        Arc::clone(&metrics),
                    ));
                }
            }
            DialEvent::Track(track) => {
                tasks.spawn(count(track, Arc::clone(&packets)));
            }
            DialEvent::Ended(_) => break,
            DialEvent::Connected | DialEvent::Disconnected | DialEvent::SignallingOver { .. } => {}
        }
    }
    dial.close().await;
}

async fn count(track: Arc<dyn TrackRemote>, packets: Arc<AtomicU32>) {
    let ssrc = track.ssrcs().await.first().copied().unwrap_or_default();
    let request = PictureLossIndication {
        sender_ssrc: 0,
        media_ssrc: ssrc,
    };
    let _ = track.write_rtcp(vec![Box::new(request)]).await;
    while let Some(event) = track.poll().await {
        if let TrackRemoteEvent::OnRtpPacket(_) = event {
            packets.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn listen(
    label: String,
    is_servers: bool,
    channel: Arc<dyn DataChannel>,
    channels: OpenChannels,
    metrics: Arc<Mutex<Vec<String>>>,
) {
    while let Some(event) = channel.poll().await {
        match event {
            DataChannelEvent::OnOpen => {
                channels.add(&label, is_servers, &channel);
            }
            DataChannelEvent::OnMessage(message) if label == "metric" => {
                let text = String::from_utf8_lossy(&message.data).into_owned();
                metrics.lock().expect("not poisoned").push(text);
            }
            DataChannelEvent::OnClose => break,
            _ => {}
        }
    }
    channels.remove(&channel);
}
