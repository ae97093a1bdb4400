//! Wiring: builds the parts, starts them in a written order, and stops them in another.
//!
//! ```text
//!   start   1 control thread (neutral first), guard  2 local Spider, if asked  3 sensors, video thread  4 link, metrics
//!   stop    1 control thread (neutral last), guard   2 link, metrics           3 sensors, video thread  4 local Spider
//! ```
//!
//! The car is safe before anything else is tried and until everything else has ended. A part that fails
//! is started again by itself; only a bug in the control thread and a driver call that never returns end
//! the process, at neutral.
//!
//! Promises: every way out of [`run`] has written neutral. Knows nothing of: how a part does its work.

pub mod ask;
pub mod asked;
pub mod black_box;
pub mod board;
pub mod calibrate;
pub mod calls;
pub mod capture;
pub mod chassis;
pub mod clock;
pub mod coder;
pub mod control;
pub mod csi_program;
pub mod doctor;
pub mod ending;
pub mod eyes;
pub mod fault;
pub mod gate;
pub mod guard;
pub mod instance;
pub mod keeper;
pub mod keys;
pub mod lasting;
pub mod learned;
pub mod lines;
pub mod link;
pub mod lock;
pub mod mailbox;
pub mod metrics;
pub mod network;
pub mod neutral;
pub mod newest;
pub mod notify;
pub mod outlet;
pub mod parts;
pub mod pilot;
pub mod pulse;
pub mod readings;
pub mod recorder;
pub mod replay;
pub mod run;
pub mod sensing;
pub mod silence;
pub mod stages;
pub mod standby;
pub mod state_file;
pub mod supervise;
pub mod survivor;
pub mod trouble;
pub mod video;
pub mod watch;

use std::sync::Arc;

use rtc::peer_connection::transport::RTCIceServer;

use asked::{AskedToStop, renews};

use crate::cli::Exit;
use crate::config::{Config, Endpoint, IcePolicy, Secret, SpiderUrl};
use crate::net::dial::Address;
use crate::net::tls::{TrustError, client_config};
use crate::peer::{Codec, PeerOptions, Reach};
use crate::spider::{Fault, Faults, Keys, Spider, SpiderError, SpiderOptions};

/// An error that ends the program: the exit code, and the sentence that says what to do.
#[derive(Debug)]
pub struct Fatal {
    /// The exit code.
    pub exit: Exit,
    /// The whole chain on one line.
    pub text: String,
}

impl Fatal {
    fn new(exit: Exit, text: impl std::fmt::Display) -> Self {
        Self {
            exit,
            text: text.to_string(),
        }
    }
}

impl From<SpiderError> for Fatal {
    fn from(err: SpiderError) -> Self {
        Self::new(Exit::BadConfig, err)
    }
}

impl From<TrustError> for Fatal {
    fn from(err: TrustError) -> Self {
        Self::new(Exit::BadConfig, err)
    }
}

/// The runtime that everything but control and video runs on.
fn runtime() -> Result<tokio::runtime::Runtime, Fatal> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2) // choice: a car has four cores; two are for video and control
        .enable_all()
        .build()
        .map_err(|err| Fatal::new(Exit::Bug, err))
}

/// The options of a Spider inside the car. With a driver key nobody publishes there but the car, which makes itself a key that
/// nobody else has.
fn own_spider_options(config: &Config) -> SpiderOptions {
    let mut options = spider_options(config, Faults::default());
    let own = || Secret::new(format!("{:032x}", rand::random::<u128>()));
    options.keys.publish.get_or_insert_with(own);
    options
}

/// The options of a local Spider.
fn spider_options(config: &Config, faults: Faults) -> SpiderOptions {
    SpiderOptions {
        listen: config.local.listen,
        port: config.local.port,
        tls_port: config.local.tls_port,
        certificate: config.local.certificate.clone(),
        identity_file: config.local.identity_file.clone(),
        keys: Keys {
            driver: config.local.driver_key.clone(),
            watch: config.local.watch_key.clone(),
            calibrate: config.local.calibrate_key.clone(),
            publish: config.local.publish_key.clone(),
        },
        faults,
        ..SpiderOptions::default()
    }
}

/// Runs a local Spider alone until asked to stop.
///
/// # Errors
/// An address in use, a bad certificate, a fault name that does not exist.
pub fn spider(config: &Config, fault_names: &[String]) -> Result<(), Fatal> {
    let mut faults = Vec::new();
    for name in fault_names {
        let known = || Fault::ALL.map(Fault::name).join(", ");
        faults.push(Fault::from_name(name).ok_or_else(|| {
            Fatal::new(
                Exit::BadConfig,
                format!("--fault {name}: no such fault; there are {}", known()),
            )
        })?);
    }
    runtime()?.block_on(async {
        let spider = Spider::start(spider_options(config, Faults::new(faults))).await?;
        let asked = AskedToStop::listen();
        run::announce(&spider, config);
        let signal = asked.wait(|| renews(config, Some(&spider))).await;
        tracing::info!(signal, "stopping");
        drop(spider);
        Ok(())
    })
}

/// Watches a channel until asked to stop.
///
/// # Errors
/// A file that cannot be written, or a channel that is gone for good.
pub fn watch(config: &Config, record: Option<std::path::PathBuf>) -> Result<(), Fatal> {
    let address = address(config, Role::Viewer, None)?;
    let options = watch::WatchOptions {
        address,
        peer: peer_options(config),
        gather_limit: config.ice.gather,
        record,
    };
    let runtime = runtime()?;
    let watched = runtime.block_on(async {
        tokio::select! {
            watched = watch::run(options) => watched,
            _ = asked::asked_to_stop() => Ok(()),
        }
    });
    runtime.shutdown_background(); // stdin may be waiting for a line that never comes
    watched.map_err(|err| {
        let exit = match err {
            watch::WatchError::Record(..) => Exit::BadConfig,
            watch::WatchError::Lost(_) => Exit::LinkLost,
        };
        Fatal::new(exit, err)
    })
}

/// What this program is to a Spider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// The car, whose locks are held.
    Publisher,
    /// A viewer.
    Viewer,
}

/// Where to dial; `local` stands in for `spider.url = "local"`.
fn address(config: &Config, role: Role, local: Option<&Spider>) -> Result<Address, Fatal> {
    let (url, is_tls) = match &config.spider.url {
        SpiderUrl::Remote(endpoint) => (url_of(endpoint), endpoint.is_tls()),
        SpiderUrl::Local => {
            let port = local.map_or(config.local.port, |spider| spider.plain.port());
            let host = match config.local.listen {
                any if any.is_unspecified() => "127.0.0.1".to_owned(),
                v6 if v6.is_ipv6() => format!("[{v6}]"),
                v4 => v4.to_string(),
            };
            (format!("ws://{host}:{port}"), false)
        }
    };
    let mut parts = vec![format!("channel={}", config.spider.channel.as_str())];
    if role == Role::Publisher {
        parts.push(format!("brate={}", config.spider.bitrate.get()));
        parts.extend(
            config
                .spider
                .ktime
                .as_ref()
                .map(|ktime| format!("ktime={ktime}")),
        );
    }
    parts.extend(
        config
            .spider
            .vcodec
            .as_ref()
            .map(|vcodec| format!("vcodec={vcodec}")),
    );
    if role == Role::Publisher {
        parts.push(format!("instance={}", instance::of(config).expose()));
    }
    let driver_key = config.local.driver_key.as_ref();
    let key = match (role, local) {
        (Role::Viewer, _) => driver_key,
        (Role::Publisher, Some(own)) => own.publish_key(),
        (Role::Publisher, None) => config.local.publish_key.as_ref().or(driver_key),
    };
    let path = match role {
        Role::Publisher => "pub",
        Role::Viewer => "sub",
    };
    Ok(Address {
        url,
        path_and_query: format!("/live/ws/{path}?{}", parts.join("&")),
        key: key.cloned(),
        // A car on its own Spider, or on a plain one, needs no authorities, and must start on a system without any.
        tls: is_tls
            .then(|| client_config(&config.spider.trust))
            .transpose()?,
    })
}

fn url_of(endpoint: &Endpoint) -> String {
    let scheme = if endpoint.is_tls() { "wss" } else { "ws" };
    let host = endpoint.host();
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    format!("{scheme}://{host}:{}", endpoint.port())
}

/// Makes the options of each new peer of the car or of a viewer.
fn peer_options(config: &Config) -> Box<dyn Fn() -> PeerOptions + Send + Sync> {
    let is_near = match &config.spider.url {
        SpiderUrl::Local => true,
        SpiderUrl::Remote(endpoint) => {
            let host = endpoint.host();
            host == "localhost"
                || host
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|ip| ip.is_loopback())
        }
    };
    let loopback = "127.0.0.1:0";
    let addrs: &[&str] = match (is_near, config.ice.servers.is_empty()) {
        (true, true) => &[loopback],
        (true, false) => &["0.0.0.0:0", loopback],
        (false, _) => &["0.0.0.0:0", "[::]:0"],
    };
    let addrs: Vec<_> = addrs.iter().filter_map(|text| text.parse().ok()).collect();
    let relay_only = config.ice.policy == IcePolicy::Relay;
    let ice_servers: Vec<_> = config
        .ice
        .servers
        .iter()
        .map(|server| RTCIceServer {
            urls: server.urls.clone(),
            username: server
                .login
                .as_ref()
                .map(|login| login.username.clone())
                .unwrap_or_default(),
            credential: server
                .login
                .as_ref()
                .map(|login| login.credential.expose().to_owned())
                .unwrap_or_default(),
        })
        .collect();
    Box::new(move || PeerOptions {
        ice_servers: ice_servers.clone(),
        relay_only,
        addrs: addrs.clone(),
        own_addrs: Vec::new(),
        codecs: vec![Codec::H264],
        answers_passively: false,
        reach: Reach::Inside, // the Spider is one that its owner has chosen
        gives_way: false,
    })
}

/// A name for logs.
impl std::fmt::Display for Fatal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Fatal {}

/// Shared by the parts of a running car.
type Shared<T> = Arc<tokio::sync::Mutex<T>>;
