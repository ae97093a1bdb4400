//! What "ready" means: the outputs have taken neutral. Until then neither the service manager nor anybody who reads the
//! page's address is told that the car is there.

mod harness;

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::{Folder, PATIENCE, Program, SMALL, full_pipe};

/// Outputs that take nothing: the actuator log is a pipe, and it is full.
struct Stuck(File);

impl Stuck {
    fn at(path: &Path) -> Self {
        Self(full_pipe(path))
    }

    /// Takes all that is there.
    fn take(&mut self) -> String {
        let mut all = Vec::new();
        let ended = self.0.read_to_end(&mut all).expect_err("it never ends");
        assert_eq!(ended.kind(), ErrorKind::WouldBlock);
        String::from_utf8_lossy(&all).into_owned()
    }
}

/// A car with such outputs, and the socket of its service manager.
fn car(folder: &Folder) -> (Program, Stuck, UnixDatagram) {
    let (pipe, socket) = (folder.file("actuators"), folder.file("notify"));
    let stuck = Stuck::at(&pipe);
    let manager = UnixDatagram::bind(&socket).expect("a socket");
    let log = format!("sim.actuator_log={}", pipe.display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_spidercar"));
    command.env("NOTIFY_SOCKET", &socket).arg("run");
    let sets = ["local.port=0", "local.tls_port=0", &log];
    command.args(SMALL);
    for set in sets {
        command.args(["--set", set]);
    }
    (Program::spawn(command, folder, "car"), stuck, manager)
}

/// The next message to the service manager, if one comes within this time.
fn told(manager: &UnixDatagram, limit: Duration) -> Option<String> {
    manager.set_read_timeout(Some(limit)).expect("a limit");
    let mut text = [0; 512];
    let length = manager.recv(&mut text).ok()?;
    Some(String::from_utf8_lossy(text.get(..length)?).into_owned())
}

#[test]
fn ready_is_told_when_neutral_is_out_and_not_before() {
    let folder = Folder::new("ready");
    let (mut program, mut stuck, manager) = car(&folder);
    let threads = format!("/proc/{}/task", program.child.id());
    let deadline = Instant::now() + PATIENCE;
    let has_control = || {
        let tasks = std::fs::read_dir(&threads).into_iter().flatten().flatten();
        tasks
            .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
            .any(|name| name.trim() == "control")
    };
    while !has_control() {
        assert!(Instant::now() < deadline, "{}", program.tail());
        std::thread::sleep(Duration::from_millis(5));
    }
    // The absence of a word can only be waited for.
    let early = told(&manager, Duration::from_secs(1));
    assert_eq!(early, None, "neutral is not out");
    let mut wrote = stuck.take();
    while !wrote.contains("\"cause\":\"start\"") {
        assert!(Instant::now() < deadline, "{}", program.tail());
        std::thread::sleep(Duration::from_millis(5));
        wrote = stuck.take();
    }
    let ready = told(&manager, PATIENCE).expect("a word to the service manager");
    assert!(ready.contains("READY=1"), "{ready}");
    // Whoever was told may ask it to stop at once, and must not kill it.
    for (name, number) in [("SIGHUP", 1), ("SIGINT", 2), ("SIGTERM", 15)] {
        assert!(program.catches(number), "{name} would kill it");
    }
    program.signal("-TERM");
    assert_eq!(program.wait(), Some(0), "{}", program.tail());
}

#[test]
fn outputs_that_never_take_neutral_are_an_end_with_words_and_never_ready() {
    let folder = Folder::new("never-ready");
    let (mut program, _stuck, manager) = car(&folder);
    assert_eq!(program.wait(), Some(3), "{}", program.tail());
    let said = program.text();
    assert!(said.contains("have not taken neutral"), "{said}");
    assert_eq!(told(&manager, Duration::from_millis(1)), None);
}
