//! `spidercar run`: the car, from neutral to neutral.
//!
//! See `app` for the order. What is worth a line here is what may end it: a signal (exit 0), an output
//! that is missing or a driver call that never returns (3), a bug in the control thread (1). A link that is
//! lost never ends it.
//!
//! Promises: as for `app`. Knows nothing of: packets, pictures, pulses.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{Mutex, mpsc, watch};

use super::asked::{AskedToStop, renews};
use super::board::Board;
use super::chassis::{Chassis, Person};
use super::control::{Control, ControlEnd};
use super::ending;
use super::fault::{self, Faults, in_runtime, or_panic};
use super::link::{LinkOptions, LinkParts};
use super::lock::Locks;
use super::mailbox::Mailbox;
use super::metrics::{InOrder, Rate};
use super::outlet::{UNIT_ROOM, carry};
use super::parts;
use super::sensing::{Sensing, devices};
use super::supervise::supervise;
use super::survivor::Program;
use super::{
    Fatal, Role, Shared, address, clock, csi_program, link, metrics, neutral, own_spider_options,
    peer_options, runtime, video,
};
use crate::cli::Exit;
use crate::config::{Config, FaultKind, SpiderUrl};
use crate::hal::sim::SimView;
use crate::logic::seal::Seals;
use crate::peer::addresses;
use crate::spider::Spider;

/// How often the control thread is looked after. choice: a bug there is told within this.
const LOOK_AFTER: Duration = Duration::from_millis(50);

/// Runs the car until asked to stop, and beside it what writes neutral if this process dies.
///
/// # Errors
/// What ends the program; the outputs are neutral by then.
pub fn run(config: &Config, survivor: Program) -> Result<(), Fatal> {
    if csi_program::is_elsewhere(config) {
        // The other program may take seconds to load from a card: neutral comes first.
        let locks = Locks::take(&config.drive)?;
        neutral::neutral(&config.drive, &config.sim)?;
        drop(locks);
        csi_program::take_over();
    }
    let mut chassis = Chassis::start(config, Person::Remote, Some(survivor))?;
    // Before anybody is told that it is ready, who may then ask it to stop at once.
    let runtime = runtime()?;
    let asked = {
        let _context = runtime.enter();
        AskedToStop::listen()
    };
    chassis.notify.ready();
    let stopped = with_control(config, &mut chassis, runtime, asked);
    chassis.notify.stopping();
    drop(chassis);
    tracing::info!("stopped at neutral");
    stopped
}

/// Everything above the control thread; whatever happens, that one is stopped first.
fn with_control(
    config: &Config,
    chassis: &mut Chassis,
    runtime: Runtime,
    asked: AskedToStop,
) -> Result<(), Fatal> {
    let stop_video = Arc::new(AtomicBool::new(false));
    let control = &mut chassis.control;
    let events = std::mem::replace(&mut control.events, std::sync::mpsc::sync_channel(1).1);
    // Dropped after everything else here: whatever a sensor is waiting for, neutral does not wait for it.
    let (_sensing, passes) = Sensing::start(devices::parts(&config.sensors)?, &chassis.board)
        .map_err(|err| Fatal::new(Exit::Bug, err))?;
    let ran = runtime.block_on(async {
        let parts = Car {
            config,
            mailbox: Arc::clone(&chassis.mailbox),
            board: Arc::clone(&chassis.board),
            view: Arc::clone(&chassis.view),
            faults: chassis.faults.clone(),
            in_order: Arc::new(Mutex::new(InOrder::new(
                events,
                passes,
                chassis.notify.clone(),
            ))),
        };
        let car = parts.start(&stop_video).await?;
        let why = tokio::select! {
            signal = asked.wait(|| renews(config, car.spider.as_ref())) => {
                tracing::info!(signal, "stopping");
                Ok(())
            }
            () = ended(control) => Err(Fatal::new(Exit::Bug, "the control thread panicked; please report the message above")),
            hung = ending::hung(&chassis.board) => {
                let text = ending::never_returned(&hung);
                tracing::error!("{text}; the program ends at neutral, and the service starts it again");
                Err(Fatal::new(Exit::HardwareMissing, text))
            }
        };
        Ok((car, why))
    });
    ending::limit(&chassis.board);
    // Neutral before anything else is taken down.
    let end = control.stop();
    stop_video.store(true, Ordering::Relaxed);
    let why = ran.map(|(car, why)| {
        car.stop(&runtime);
        why
    });
    runtime.shutdown_timeout(Duration::from_millis(500));
    match (why, end) {
        (Ok(why), ControlEnd::Stopped) => why,
        (Err(err), _) => Err(err),
        (Ok(_), ControlEnd::Panicked) => Err(Fatal::new(Exit::Bug, "the control thread panicked")),
    }
}

async fn ended(control: &Control) {
    while !control.has_ended() {
        tokio::time::sleep(LOOK_AFTER).await;
    }
}

struct Car<'a> {
    config: &'a Config,
    view: Arc<SimView>,
    faults: Option<Arc<Faults>>,
    mailbox: Arc<Mailbox>,
    board: Arc<Board>,
    in_order: Shared<InOrder>,
}

/// What was started above the control thread.
struct Started {
    tasks: Vec<tokio::task::JoinHandle<()>>,
    spider: Option<Spider>,
}

impl Car<'_> {
    async fn start(self, stop_video: &Arc<AtomicBool>) -> Result<Started, Fatal> {
        let config = self.config;
        let spider = match config.spider.url {
            SpiderUrl::Local => {
                let spider = Spider::start(own_spider_options(config)).await?;
                announce(&spider, config);
                Some(spider)
            }
            SpiderUrl::Remote(_) => None,
        };
        let (units_tx, units) = mpsc::channel(UNIT_ROOM);
        let camera = parts::camera(config, &self.view, &self.board)?;
        if let Some(why) = parts::too_much(&config.camera) {
            tracing::warn!("video: {why}");
        }
        let video = video::VideoParts {
            camera: fault::camera(camera, self.faults.as_ref()),
            encoder: parts::encoder(config)?,
            fps: config.camera.fps,
            size: (config.camera.width, config.camera.height),
        };
        video::start(
            video,
            units_tx,
            Arc::clone(&self.board),
            Arc::clone(stop_video),
        )
        .map_err(|err| Fatal::new(Exit::Bug, err))?;
        let (outlet, watched) = watch::channel(None);
        let mut tasks = Vec::new();

        let options = Arc::new(LinkOptions {
            address: address(config, Role::Publisher, spider.as_ref())?,
            peer: peer_options(config),
            gather_limit: config.ice.gather,
            bitrate: config.spider.bitrate,
            silence: config.safety.link_silence,
            seals: seals(config),
        });
        let parts = LinkParts {
            mailbox: Arc::clone(&self.mailbox),
            board: Arc::clone(&self.board),
            outlet,
        };
        let mailbox = Arc::clone(&self.mailbox);
        let board = Arc::clone(&self.board);
        let link_down = move || {
            mailbox.update(|intent, _| intent.set_link(clock::now(), false));
            board.readings.restarts.count();
        };
        let faults = self.faults.clone();
        let linking = move || {
            let faults = faults.clone();
            let link = Box::pin(link::run(Arc::clone(&options), parts.clone()));
            async move { or_panic(faults.as_deref(), FaultKind::LinkPanic, link).await }
        };
        tasks.push(supervise("link", linking, link_down));

        let units = Arc::new(Mutex::new(units));
        let (board, outlet) = (Arc::clone(&self.board), watched.clone());
        let carrying = move || {
            let (units, outlet, board) = (Arc::clone(&units), outlet.clone(), Arc::clone(&board));
            async move { carry(&mut *units.lock().await, outlet, board).await }
        };
        tasks.push(supervise("video out", carrying, restarted(&self.board)));

        let restarted = restarted(&self.board);
        let (board, in_order, faults) = (self.board, self.in_order, self.faults.clone());
        let interval_ms = config.telemetry_interval.as_millis().max(1);
        let rate = Rate {
            hz: u8::try_from(1000 / interval_ms).unwrap_or(1),
            bytes_per_s: config.telemetry_bytes_per_s,
        };
        let measuring = move || {
            let (in_order, outlet, board) =
                (Arc::clone(&in_order), watched.clone(), Arc::clone(&board));
            let faults = faults.clone();
            async move {
                let mut in_order = in_order.lock().await;
                let measured = metrics::run(&mut in_order, outlet, board, rate);
                or_panic(faults.as_deref(), FaultKind::MetricsPanic, measured).await;
            }
        };
        tasks.push(supervise("metrics", measuring, restarted));
        tasks.extend(self.faults.map(|faults| tokio::spawn(in_runtime(faults))));
        Ok(Started { tasks, spider })
    }
}

/// What the car's drivers must seal their commands with; says what is open to the Spider where they need not.
fn seals(config: &Config) -> Option<Arc<Seals>> {
    let Some(driver) = &config.spider.seal_key else {
        if let SpiderUrl::Remote(_) = config.spider.url {
            tracing::info!(
                "commands have no seal: whoever runs the Spider can drive this car (spider.seal_key_file)"
            );
        }
        return None;
    };
    let calibrator = config.spider.calibrate_seal_key.as_ref();
    let calibrator = calibrator.map(|key| key.expose().as_bytes());
    let seals = Seals::new(driver.expose().as_bytes(), calibrator, rand::random());
    tracing::info!(
        "only commands that are sealed with the car's key are obeyed; an old app has none"
    );
    Some(Arc::new(seals))
}

/// Counts a task that was started again.
fn restarted(board: &Arc<Board>) -> impl Fn() + Send + 'static {
    let board = Arc::clone(board);
    move || board.readings.restarts.count()
}

impl Started {
    fn stop(self, runtime: &tokio::runtime::Runtime) {
        runtime.block_on(async {
            for task in self.tasks {
                task.abort();
                let _ = task.await; // cancelled, as asked
            }
            // Peers are closed by their dials as they are dropped; give them a moment to say so.
            tokio::time::sleep(Duration::from_millis(100)).await;
            drop(self.spider);
        });
    }
}

/// Says where the page is, on stdout: it is what the command was run for.
pub fn announce(spider: &Spider, config: &Config) {
    tracing::info!(plain = %spider.plain, tls = %spider.tls, certificate_sha256 = %spider.certificate_sha256, "local Spider");
    let channel = config.spider.channel.as_str();
    let key = if config.local.driver_key.is_some() {
        "#key=YOUR-DRIVER-KEY"
    } else {
        ""
    };
    let port = spider.plain.port();
    let hosts = addresses::reachable(spider.plain.ip());
    let mut hosts: Vec<_> = hosts
        .into_iter()
        .map(|host| SocketAddr::new(host, port).to_string())
        .collect();
    if hosts.is_empty() {
        // No network yet; the car does not wait for one.
        hosts.push(format!("ADDRESS-OF-THIS-CAR:{port}"));
    }
    // Who has read the address finds in the log what led to it.
    super::lines::flush();
    let mut out = std::io::stdout().lock();
    for host in hosts {
        // A closed stdout only means that nobody reads the address.
        let _ = writeln!(out, "Drive it here:  http://{host}/?channel={channel}{key}");
    }
    let _ = out.flush();
}
