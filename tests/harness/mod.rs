//! What the end-to-end tests stand on: the real program as a process, and a viewer peer to drive it.
//!
//! Everything binds loopback on free ports, waits *for* a condition with a deadline, and ends what it
//! started by its process id. A failure prints what was waited for and the tail of the program's log.

#![allow(
    dead_code,
    unused_imports,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    missing_docs,
    unreachable_pub,
    reason = "each test file uses its part of the harness, and tests fail by panicking"
)]

pub mod bare;
pub mod board;
pub mod course;
pub mod log;
pub mod netns;
pub mod operator;
pub mod pair;
pub mod proxy;
pub mod terminal;
pub mod thin;

use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub use log::{Write, last_write, writes};
pub use operator::Operator;
pub use spidercar::app::survivor::AGAIN;

/// The channel of every test, in the form of an xid: not the example's, on which no car publishes for others.
pub const CHANNEL: &str = "c9testtesttesttestt0";

/// Longest wait for anything. choice: ten times what a loaded machine of two cores was seen to need.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How often what cannot be judged, for this computer stood still and the car stopped, is done again.
pub const ATTEMPTS: u32 = 8;

/// A folder of one test, removed when dropped unless the test failed.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("spidercar-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// The program, running.
pub struct Program {
    pub child: Child,
    pub log: PathBuf,
    pub port: u16,
}

impl Program {
    /// Starts the program and waits until it has printed where its Spider listens.
    pub fn with_spider(args: &[&str], folder: &Folder, name: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spidercar"));
        command.args(args);
        Self::listening(command, folder, name)
    }

    /// The same for a command that runs the program in its own way.
    pub fn listening(command: Command, folder: &Folder, name: &str) -> Self {
        let mut program = Self::spawn(command, folder, name);
        let stdout = program.child.stdout.take().expect("stdout is a pipe");
        let mut lines = BufReader::new(stdout).lines();
        let line = lines.next().and_then(Result::ok).unwrap_or_default();
        let port = line
            .split("http://127.0.0.1:")
            .nth(1)
            .and_then(|rest| rest.split('/').next()?.parse().ok())
            .unwrap_or_else(|| panic!("no address on stdout: {line:?}\n{}", program.tail()));
        program.port = port;
        program
    }

    /// Starts the program.
    pub fn start(args: &[&str], folder: &Folder, name: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spidercar"));
        command.args(args);
        Self::spawn(command, folder, name)
    }

    /// A viewer in a terminal that keeps the video.
    pub fn recording(url: &str, video: &Path, folder: &Folder) -> Self {
        let video = video.to_str().expect("UTF-8");
        let args = ["watch", url, "--channel", CHANNEL, "--record", video];
        Self::start(&args, folder, "watch")
    }

    /// The same for a command that runs the program.
    pub fn spawn(mut command: Command, folder: &Folder, name: &str) -> Self {
        let log = folder.file(&format!("{name}.log"));
        let stderr = std::fs::File::create(&log).expect("a log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the program starts");
        Self {
            child,
            log,
            port: 0,
        }
    }

    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    pub fn text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn tail(&self) -> String {
        let text = self.text();
        let lines: Vec<_> = text.lines().rev().take(40).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// The process that outlives this one, once it waits.
    pub fn survivor(&self) -> Option<u32> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).ok()?;
        let children = tasks
            .flatten()
            .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
            .collect::<Vec<_>>()
            .join(" ");
        let is_survivor = |pid: &u32| {
            std::fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|name| name.trim() == "survivor")
        };
        children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .find(is_survivor)
    }

    /// Ends the process that outlives this one. The next one comes after [`AGAIN`].
    pub async fn kill_survivor(&self) {
        until("a survivor", || self.survivor().is_some()).await;
        signal(self.survivor().expect("seen"), "-KILL");
        self.logged("the process that writes neutral after a crash is gone: signal: 9")
            .await;
    }

    /// Whether it catches the signal of this number.
    pub fn catches(&self, number: u32) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let caught = status
            .expect("it runs")
            .lines()
            .find_map(|line| u64::from_str_radix(line.strip_prefix("SigCgt:")?.trim(), 16).ok());
        caught.expect("Linux says it") & 1 << (number - 1) != 0
    }

    /// Stops the process and waits until each of its threads has: the signal alone takes its time.
    pub async fn freeze(&self) {
        self.signal("-STOP");
        until("all threads to be stopped", || is_stopped(self.child.id())).await;
    }

    /// Waits for the end and returns the exit code; `None` after a signal.
    pub fn wait(&mut self) -> Option<i32> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                return status.code();
            }
            assert!(
                Instant::now() < until,
                "the program does not end\n{}",
                self.tail()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the child is ours").is_none()
    }

    /// Waits until the log holds a text.
    pub async fn logged(&self, what: &str) {
        until(&format!("{what:?} in the log of the program"), || {
            self.text().contains(what)
        })
        .await;
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the program ---\n{}", self.tail());
        }
    }
}

/// A pipe of this name that takes nothing more, held open by us: who writes to it waits, or is refused.
pub fn full_pipe(path: &Path) -> File {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo");
    // Without waiting, or filling it would hold the test.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).expect("a flag");
    let mut pipe = File::options()
        .read(true)
        .write(true)
        .custom_flags(nonblocking)
        .open(path)
        .expect("a pipe");
    while pipe.write_all(b"{}\n").is_ok() {}
    pipe
}

/// Sends a signal to any process.
pub fn signal(process: u32, name: &str) {
    let sent = Command::new("kill")
        .args([name, &process.to_string()])
        .status();
    assert!(sent.is_ok_and(|status| status.success()), "kill {name}");
}

/// Whether each thread of a process is.
fn is_stopped(process: u32) -> bool {
    std::fs::read_dir(format!("/proc/{process}/task")).is_ok_and(|tasks| {
        tasks.flatten().all(|task| {
            std::fs::read_to_string(task.path().join("stat")).is_ok_and(|stat| {
                stat.rsplit(')')
                    .next()
                    .is_some_and(|rest| rest.starts_with(" T"))
            })
        })
    })
}

/// A simulated car with its own Spider, small and slow enough for a loaded machine.
pub struct Car {
    pub program: Program,
    pub actuators: PathBuf,
    pub folder: Folder,
}

/// Settings that every simulated car of the tests has.
pub const SMALL: [&str; 8] = [
    "--set",
    "camera.width=320",
    "--set",
    "camera.height=240",
    "--set",
    "camera.fps=15",
    "--set",
    "spider.channel=c9testtesttesttestt0",
];

impl Car {
    /// A car whose Spider is inside.
    pub fn local(name: &str, sets: &[&str]) -> Self {
        let folder = Folder::new(name);
        let actuators = folder.file("actuators.jsonl");
        let log = format!("sim.actuator_log={}", actuators.display());
        let mut args = vec![
            "run",
            "--set",
            &log,
            "--set",
            "local.port=0",
            "--set",
            "local.tls_port=0",
        ];
        args.extend(SMALL);
        args.extend(sets.iter().flat_map(|set| ["--set", set]));
        let program = Program::with_spider(&args, &folder, "car");
        Self {
            program,
            actuators,
            folder,
        }
    }

    /// A car that publishes to another Spider.
    pub fn at(name: &str, url: &str, sets: &[&str]) -> Self {
        let folder = Folder::new(name);
        let actuators = folder.file("actuators.jsonl");
        let (log, url) = (
            format!("sim.actuator_log={}", actuators.display()),
            format!("spider.url={url}"),
        );
        let mut args = vec!["run", "--set", &log, "--set", &url];
        args.extend(SMALL);
        args.extend(sets.iter().flat_map(|set| ["--set", set]));
        let program = Program::start(&args, &folder, "car");
        Self {
            program,
            actuators,
            folder,
        }
    }

    pub fn last(&self) -> Option<Write> {
        last_write(&self.actuators)
    }

    /// Nothing but neutral was written since that many writes. Where this computer stood still it may have been written again.
    pub fn has_not_moved_since(&self, before: usize) {
        let writes = self.since(before);
        assert!(
            writes.iter().all(|write| write.throttle_us == 1500),
            "it moved: {writes:?}"
        );
    }

    /// The last write, which the silence of a driver led to: the tick before the hold time may find nothing left of the throttle.
    pub fn fell_silent(&self) -> Write {
        let last = self.last().expect("there are writes");
        assert!(
            ["coast", "silence"].contains(&last.cause.as_str()),
            "{last:?}"
        );
        last
    }

    pub fn is_neutral(&self) -> bool {
        self.last().is_some_and(|write| write.throttle_us == 1500)
    }

    pub fn moves(&self) -> bool {
        self.last().is_some_and(|write| write.throttle_us > 1540)
    }

    pub async fn until_neutral(&self) {
        until("neutral as the last actuator write", || self.is_neutral()).await;
    }

    /// What the car did since then, by number of writes.
    pub fn since(&self, before: usize) -> Vec<Write> {
        writes(&self.actuators).split_off(before)
    }

    /// See [`course::undisturbed`].
    pub async fn undisturbed<T>(&self, course: impl AsyncFnMut() -> T) -> T {
        course::undisturbed(&self.program, course).await
    }

    pub async fn until_moving(&self) {
        until("a throttle pulse above forward zero", || self.moves()).await;
    }
}

/// A new driver takes over, moves the car and lets it go.
pub async fn drives(car: &Car, url: &str) {
    let mut operator = Operator::connect(url).await;
    operator.move_off(car).await;
    operator
        .drive_until(0, "neutral after the release", || car.is_neutral())
        .await;
}

/// A Spider of its own.
pub fn spider(name: &str, args: &[&str]) -> (Program, Folder) {
    let folder = Folder::new(name);
    let mut all = vec!["spider", "--port", "0", "--tls-port", "0"];
    all.extend(args);
    (Program::with_spider(&all, &folder, "spider"), folder)
}

/// Waits until a condition holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(
            Instant::now() < deadline,
            "waited {} s for {what}",
            PATIENCE.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
