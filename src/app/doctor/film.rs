//! `spidercar doctor --video SECONDS`: the whole way of a picture, from the sensor to the network, with its times.
//!
//! The parts are those of `run`: camera, encoder, packets, encryption. Only the other end is near: a Spider inside, so that
//! what is measured is this board and not a network. No output is touched; the service may not run, for it has the camera.
//!
//! ```text
//!   camera ─▶ video thread ─▶ encoder ─▶ packets ─▶ DTLS, UDP ─▶ Spider inside, loopback
//!             └── link up, first picture: counted from here, for SECONDS ──▶ lines ──▶ all is given back
//! ```
//!
//! Promises: moves nothing; a camera that gives nothing ends it after [`PATIENCE`] with the reason.
//! Knows nothing of: sockets.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{Finding, Lines};
use crate::app::board::Board;
use crate::app::link::{LinkOptions, LinkParts};
use crate::app::mailbox::Mailbox;
use crate::app::outlet::{UNIT_ROOM, carry};
use crate::app::stages::Stage;
use crate::app::{
    Fatal, Role, address, link, own_spider_options, parts, peer_options, runtime, video,
};
use crate::cli::Exit;
use crate::config::{Config, IcePolicy, SpiderUrl};
use crate::logic::spread::Figures;
use crate::logic::wire::Video;
use crate::spider::Spider;

/// How long the first picture may take. choice: a camera that is opened, fails and is opened again needs five seconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often it is looked at whether a picture came. choice: a tenth of what a person notices.
const LOOK: Duration = Duration::from_millis(20);

/// Fewer pictures than so many in a hundred of what was asked for are a fault. choice: a tenth is not seen; more is.
const ENOUGH_PERCENT: u32 = 90;

/// Measures for so long.
///
/// # Errors
/// No runtime, no local Spider.
pub(super) fn film(config: &Config, length: Duration) -> Result<Lines, Fatal> {
    let config = near(config);
    let runtime = runtime()?;
    let stop = Arc::new(AtomicBool::new(false));
    let measured = runtime.block_on(measure(&config, length, &stop));
    stop.store(true, Ordering::Relaxed);
    runtime.shutdown_timeout(Duration::from_millis(500));
    measured
}

/// The same car, with a Spider of its own that nobody else finds.
fn near(config: &Config) -> Config {
    let mut config = config.clone();
    config.spider.url = SpiderUrl::Local;
    config.local.listen = IpAddr::V4(Ipv4Addr::LOCALHOST);
    (config.local.port, config.local.tls_port) = (0, 0);
    config.local.certificate = None;
    config.ice.servers.clear();
    config.ice.policy = IcePolicy::All;
    config
}

async fn measure(
    config: &Config,
    length: Duration,
    stop: &Arc<AtomicBool>,
) -> Result<Lines, Fatal> {
    let spider = Spider::start(own_spider_options(config)).await?;
    let board = Board::at_rest(config);
    let (units, mut carried) = mpsc::channel(UNIT_ROOM);
    let made = video::VideoParts {
        camera: parts::camera(config, &Arc::default(), &board)?,
        encoder: parts::encoder(config)?,
        fps: config.camera.fps,
        size: (config.camera.width, config.camera.height),
    };
    let thread = video::start(made, units, Arc::clone(&board), Arc::clone(stop))
        .map_err(|err| Fatal::new(Exit::Bug, err))?;
    let options = Arc::new(LinkOptions {
        address: address(config, Role::Publisher, Some(&spider))?,
        peer: peer_options(config),
        gather_limit: config.ice.gather,
        bitrate: config.spider.bitrate,
        silence: None,
        seals: None,
    });
    let (outlet, watched) = watch::channel(None);
    let linked = LinkParts {
        mailbox: Mailbox::new(),
        board: Arc::clone(&board),
        outlet,
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(Box::pin(link::run(options, linked)));
    let carrying = Arc::clone(&board);
    tasks.spawn(async move { carry(&mut carried, watched, carrying).await });

    let lines = watched_for(config, &board, length).await;
    stop.store(true, Ordering::Relaxed);
    tasks.shutdown().await;
    drop(spider);
    // The camera is given back before the program says that it is done.
    let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    Ok(lines)
}

/// Waits for the first picture, and then for as long as was asked.
async fn watched_for(config: &Config, board: &Board, length: Duration) -> Lines {
    let began = Instant::now();
    let sent = || board.frames_sent.load(Ordering::Relaxed);
    while sent() == 0 {
        if began.elapsed() > PATIENCE {
            let what = format!(
                "no picture in {} s; the lines above say why, and so does `spidercar doctor`",
                PATIENCE.as_secs()
            );
            return vec![("video", Some(Err(what)))];
        }
        sleep(LOOK).await;
    }
    let seen = || Seen {
        sent: sent(),
        dropped: board.frames_dropped.load(Ordering::Relaxed),
        bytes: board.bytes_sent.load(Ordering::Relaxed),
    };
    board.video.stages.clear();
    let (before, began) = (seen(), Instant::now());
    sleep(length).await;
    let (after, took) = (seen(), began.elapsed());
    let video = board.video.timed(board.video.facts());
    let size = (
        board.video.width.load(Ordering::Relaxed),
        board.video.height.load(Ordering::Relaxed),
    );
    let mut lines = vec![(
        "video",
        Some(verdict(config, size, &before.until(&after, took), &video)),
    )];
    lines.extend(Stage::ALL.map(|stage| {
        let figures = board.video.stages.figures(stage);
        (stage.name(), Some(Ok(told(stage, figures))))
    }));
    lines
}

/// What was counted at one moment.
struct Seen {
    sent: u32,
    dropped: u32,
    bytes: u64,
}

/// What came in the time between.
#[derive(Clone, Copy, Debug)]
struct Rates {
    fps: f64,
    kbps: f64,
    dropped: u32,
}

impl Seen {
    fn until(&self, later: &Self, took: Duration) -> Rates {
        let seconds = took.as_secs_f64().max(0.001);
        #[expect(
            clippy::cast_precision_loss,
            reason = "bytes of a few minutes are exact in a double"
        )]
        let bytes = later.bytes.wrapping_sub(self.bytes) as f64;
        Rates {
            fps: f64::from(later.sent.wrapping_sub(self.sent)) / seconds,
            kbps: bytes / 125.0 / seconds,
            dropped: later.dropped.wrapping_sub(self.dropped),
        }
    }
}

/// The first line: what came out, and what to do if it is not what was asked for.
fn verdict(config: &Config, size: (u32, u32), rates: &Rates, video: &Video) -> Finding {
    let Rates { fps, kbps, dropped } = *rates;
    let wanted = config.camera.fps;
    let who = if video.hardware == 1 {
        "a device"
    } else {
        "the processor"
    };
    let words = format!(
        "{}x{}, {fps:.1} of {wanted} pictures a second, {kbps:.0} of {} kb/s, coded by {who}; {dropped} dropped, {} copied",
        size.0,
        size.1,
        config.spider.bitrate.get(),
        video.copies
    );
    if video.shows != 1 {
        return Err(format!(
            "{words}: the picture was lost meanwhile; the lines above say why"
        ));
    }
    if video.rung != 0 {
        return Err(format!(
            "{words}: {who} cannot keep up and gives less than asked for; choose a smaller camera.width and height, or \
             fewer camera.fps"
        ));
    }
    if fps * 100.0 < f64::from(wanted * ENOUGH_PERCENT) {
        return Err(format!(
            "{words}: too few; the stage that takes longest is the one to mend, and in the dark exposure takes longer than \
             a picture may (camera.controls.least_fps)"
        ));
    }
    Ok(words)
}

/// A stage's line.
fn told(stage: Stage, figures: Figures) -> String {
    let Figures {
        n,
        p50_us,
        p99_us,
        max_us,
    } = figures;
    let what = match stage {
        Stage::Capture => "sensor's time stamp to this program",
        Stage::Prepare => "to the encoder's call",
        Stage::Encode => "in the encoder",
        Stage::HandOver => "coded picture to its packets",
        Stage::Send => "packets, encrypted, to the network",
        Stage::Whole => "sensor's time stamp to the last packet",
    };
    let ms = |us: u32| f64::from(us) / 1000.0;
    format!(
        "p50 {:>7.2} ms   p99 {:>7.2} ms   longest {:>7.2} ms   of {n:>4}   {what}",
        ms(p50_us),
        ms(p99_us),
        ms(max_us)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::built_in;

    #[test]
    fn what_is_less_than_asked_for_is_a_fault_with_its_advice() {
        let config = built_in();
        let wanted = f64::from(config.camera.fps);
        let rates = |fps| Rates {
            fps,
            kbps: 2000.0,
            dropped: 3,
        };
        let good = Video {
            shows: 1,
            copies: 2,
            ..Video::default()
        };
        let said = |fps, video: &Video| verdict(&config, (640, 480), &rates(fps), video);
        let words = said(wanted * 0.9, &good).unwrap();
        assert!(
            words.contains("640x480") && words.ends_with("by the processor; 3 dropped, 2 copied"),
            "{words}"
        );
        let few = said(wanted * 0.899, &good).unwrap_err();
        assert!(few.contains("too few"), "{few}");
        let slow = Video { rung: 1, ..good };
        let slow = said(wanted, &slow).unwrap_err();
        assert!(slow.contains("camera.width"), "{slow}");
        let lost = Video { shows: 2, ..good };
        assert!(said(wanted, &lost).unwrap_err().contains("lost"));
        let device = Video {
            hardware: 1,
            ..good
        };
        assert!(said(wanted, &device).unwrap().contains("coded by a device"));
    }

    #[test]
    fn rates_are_those_of_the_time_between_and_counts_may_wrap() {
        let before = Seen {
            sent: u32::MAX,
            dropped: 7,
            bytes: 1000,
        };
        let after = Seen {
            sent: 59,
            dropped: 9,
            bytes: 251_000,
        };
        let rates = before.until(&after, Duration::from_secs(2));
        assert!((rates.fps - 30.0).abs() < 1e-9, "{rates:?}");
        assert!((rates.kbps - 1000.0).abs() < 1e-9, "{rates:?}");
        assert_eq!(rates.dropped, 2);
    }

    #[test]
    fn the_simulated_camera_is_filmed_from_end_to_end() {
        let mut config = built_in();
        (config.camera.width, config.camera.height) = (320, 240);
        let lines = film(&config, Duration::from_millis(600)).unwrap();
        let names: Vec<_> = lines.iter().map(|(name, _)| *name).collect();
        let stages = ["capture", "prepare", "encode", "hand over", "send", "whole"];
        assert_eq!(names[0], "video");
        assert_eq!(names[1..], stages);
        for (name, line) in &lines[1..] {
            let Some(Ok(words)) = line else {
                panic!("{name}: {line:?}")
            };
            assert!(!words.contains("of    0 "), "{name}: {words}");
        }
    }
}
