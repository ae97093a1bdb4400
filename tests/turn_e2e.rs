//! A car that can be reached by relay only, through a real TURN server (coturn): PROTOCOL.md 5.2, question 22.
//!
//! User and password come from the configuration, the password from a file or a variable. The peers are on loopback,
//! where a direct path would always win: so the policy is `relay`, and a car that got there without the server fails.

mod harness;

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use harness::{Car, Folder, Program, SMALL, drives, spider, until};

/// A free UDP port, and one that the kernel gives to nobody before the TURN server has it: below those that it hands out.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + (std::process::id() % 1_000) as u16 * 20;
    (0..20)
        .map(|_| first + NEXT.fetch_add(1, Ordering::Relaxed) % 20)
        .find(|port| UdpSocket::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// A TURN server on loopback, ended with the test.
struct Turn {
    child: Child,
    port: u16,
    folder: Folder,
}

impl Turn {
    async fn start(password: &str) -> Self {
        let folder = Folder::new("turn");
        let log = std::fs::File::create(folder.file("turn.log")).expect("a log file");
        let port = free_port();
        let pid = folder.file("turn.pid");
        let child = Command::new("turnserver")
            .args([
                "-n",
                "--lt-cred-mech",
                "--realm=car.test",
                "--no-tls",
                "--no-dtls",
                "--no-cli",
                "--no-tcp",
                "--verbose",
            ])
            .args([
                "--allow-loopback-peers",
                "--listening-ip=127.0.0.1",
                "--relay-ip=127.0.0.1",
                "--log-file=stdout",
            ])
            .args([
                &format!("--listening-port={port}"),
                &format!("--user=driver:{password}"),
            ])
            .arg(format!("--pidfile={}", pid.display()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("coturn is installed by scripts/prepare.sh");
        let turn = Self {
            child,
            port,
            folder,
        };
        until("the TURN server to listen", || {
            turn.log().contains("UDP listener opened")
        })
        .await;
        turn
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.file("turn.log")).unwrap_or_default()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the TURN server ---\n{}", self.log());
        }
    }
}

/// A car with this server and no other way out. `credential` is the line that says where the password is.
fn relayed(name: &str, url: &str, turn: &Turn, credential: &str) -> Car {
    let folder = Folder::new(name);
    let config = folder.file("car.toml");
    let text = format!(
        "[spider]\nurl = \"{url}\"\n[ice]\npolicy = \"relay\"\n[[ice.servers]]\n\
         urls = [\"turn:127.0.0.1:{}?transport=udp\"]\nusername = \"driver\"\n{credential}\n",
        turn.port
    );
    std::fs::write(&config, text).expect("a file of the test");
    let actuators = folder.file("actuators.jsonl");
    let log = format!("sim.actuator_log={}", actuators.display());
    let path = config.display().to_string();
    let mut args = vec!["run", "--config", &path, "--set", &log];
    args.extend(SMALL);
    let program = Program::start(&args, &folder, "car");
    Car {
        program,
        actuators,
        folder,
    }
}

fn secret(folder: &Path, text: &str) -> String {
    let path = folder.join("turn-password");
    std::fs::write(&path, format!("{text}\n")).expect("a file of the test");
    format!("credential_file = \"{}\"", path.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn question_22_a_car_behind_a_turn_server_is_driven() {
    let turn = Turn::start("made-up-for-this-test").await;
    let (spider, _folder) = spider("turn-spider", &[]);
    let credential = secret(&turn.folder.0, "made-up-for-this-test");
    let car = relayed("turn-car", &spider.url(), &turn, &credential);
    car.program.logged("link up").await;
    drives(&car, &spider.url()).await;
    let log = turn.log();
    assert!(
        log.contains("user <driver>") && log.contains("ALLOCATE processed, success"),
        "nobody used the relay"
    );
    assert!(
        !car.program.text().contains("made-up-for-this-test"),
        "the password is in the log"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn question_22_a_wrong_password_gives_no_link_and_no_end() {
    let turn = Turn::start("the-right-one").await;
    let (spider, _folder) = spider("turn-refuses", &[]);
    let credential = secret(&turn.folder.0, "a-wrong-one");
    let mut car = relayed("turn-stranger", &spider.url(), &turn, &credential);
    until("the server to refuse", || {
        turn.log().contains("401: Unauthorized") || turn.log().contains("error 401")
    })
    .await;
    until("a failed attempt", || {
        car.program.text().contains("no link")
    })
    .await;
    assert!(car.program.is_running() && car.is_neutral());
}
