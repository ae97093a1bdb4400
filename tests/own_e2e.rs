//! A Spider for this computer alone offers viewers its network card's address too, and nobody outside is answered there.
//!
//! Firefox uses no loopback address (`src/peer/own.rs`). Here the border: a neighbour who knows everything, the viewer's
//! ICE password too, asks from another network namespace. Needs root.

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

mod harness;

use std::io::{BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};

use harness::netns::Namespace;
use harness::{CHANNEL, PATIENCE, until};
use spidercar::net::signalling::{Address, Socket};
use spidercar::peer::{PeerEvent, PeerOptions, build};
use spidercar::spider::{Spider, SpiderOptions};

const HERE: &str = "192.0.2.7";
const INSIDE: &str = "SPIDERCAR_OWN_INSIDE";

/// Ends a process when the test does.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A packet that was sent, from here or from the neighbour's namespace.
struct Sender {
    child: Ended,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Sender {
    fn send(neighbour: Option<&Namespace>, port: u16, what: &[&str]) -> Self {
        let mut command = neighbour.map_or_else(
            || Command::new("python3"),
            |neighbour| neighbour.command("python3"),
        );
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/harness/stun.py");
        command.args([script, HERE, &port.to_string()]).args(what);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3 runs");
        let out = child.stdout.take().expect("a pipe");
        let mut sender = Self {
            child: Ended(child),
            lines: BufReader::new(out).lines(),
        };
        assert_eq!(sender.line(), "sent");
        sender
    }

    fn line(&mut self) -> String {
        self.lines.next().and_then(Result::ok).unwrap_or_default()
    }

    /// What came back: `now`, or once something does (`wait`).
    fn saw(&mut self, when: &str) -> String {
        let pipe = self.child.0.stdin.as_mut().expect("a pipe");
        writeln!(pipe, "{when}").expect("it reads");
        self.line()
    }
}

fn run(line: &str) {
    let status = Command::new("sh").args(["-ec", line]).status();
    assert!(status.is_ok_and(|status| status.success()), "{line}");
}

/// The test that has this name, again, in a network namespace of its own.
fn in_a_namespace(name: &str) {
    let exe = std::env::current_exe().expect("this program");
    let status = Command::new("unshare")
        .args(["--net", "--"])
        .arg(exe)
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .status();
    assert!(status.is_ok_and(|status| status.success()), "{name}");
}

/// A neighbour on the same network, in a namespace of its own.
async fn neighbour() -> Namespace {
    let there = Namespace::new().await.expect("this one is in one");
    run(&format!(
        "ip link set lo up
         ip link add here type veth peer name there netns {}
         ip address add {HERE}/24 dev here
         ip link set here up",
        there.id()
    ));
    there.ip("address add 192.0.2.9/24 dev there");
    there.ip("link set there up");
    there
}

/// The answer to a viewer that only wants telemetry, and the user name for checks of it.
async fn answer(spider: &Spider) -> (Socket, String, String) {
    let mut peer = build(PeerOptions::loopback()).await.expect("a peer");
    let metric = peer.pc.create_data_channel("metric", None).await;
    metric.expect("a channel");
    let offer = peer.pc.create_offer(None).await.expect("an offer");
    let set = peer.pc.set_local_description(offer).await;
    set.expect("an offer");
    while !matches!(peer.events.recv().await, Some(PeerEvent::GatheringComplete)) {}
    let offer = peer.pc.local_description().await.expect("an offer").sdp;
    peer.pc.close().await.expect("closed");
    let url = format!("ws://{}", spider.plain);
    let path = format!("/live/ws/sub?channel={CHANNEL}");
    let address = Address::open(url, path);
    let mut socket = Socket::connect(&address).await.expect("a socket");
    socket.send("offer", &offer).await.expect("sent");
    let sdp = loop {
        let message = tokio::time::timeout(PATIENCE, socket.recv()).await;
        let message = message.expect("in time").expect("the socket stays");
        if message.kind == "answer" {
            break message.data;
        }
    };
    let user = format!(
        "{}:{}",
        value(&sdp, "a=ice-ufrag:"),
        value(&offer, "a=ice-ufrag:")
    );
    (socket, sdp, user)
}

fn value<'a>(sdp: &'a str, key: &str) -> &'a str {
    sdp.lines()
        .find_map(|line| line.strip_prefix(key))
        .unwrap_or_else(|| panic!("no {key} in {sdp}"))
}

/// Ports of the candidates at an address.
fn ports(sdp: &str, address: &str) -> Vec<u16> {
    let port = |line: &str| {
        let words: Vec<_> = line.strip_prefix("a=candidate:")?.split(' ').collect();
        (words[4] == address).then(|| words[5].parse().expect("a port"))
    };
    sdp.lines().filter_map(port).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spider_for_this_computer_alone_answers_at_the_cards_address_and_to_nobody_outside() {
    if std::env::var_os(INSIDE).is_none() {
        return in_a_namespace(
            "a_spider_for_this_computer_alone_answers_at_the_cards_address_and_to_nobody_outside",
        );
    }
    let there = neighbour().await;
    let outside = Some(&there);
    let spider = Spider::start(SpiderOptions {
        port: 0,
        tls_port: 0,
        ..SpiderOptions::default()
    })
    .await
    .expect("a Spider");
    let (_socket, sdp, user) = answer(&spider).await;
    assert!(!ports(&sdp, "127.0.0.1").is_empty(), "{sdp}");
    let port = *ports(&sdp, HERE).first().expect("the card's address");
    let check = ["check", &user, value(&sdp, "a=ice-pwd:")];

    // The path is there: an open socket of this address hears the neighbour, and not one who pretends to be this address.
    let open = UdpSocket::bind((HERE, 0)).expect("a socket");
    open.set_nonblocking(true).expect("a socket");
    let open_port = open.local_addr().expect("an address").port();
    Sender::send(outside, open_port, &["forged", HERE]);
    Sender::send(outside, open_port, &["forged", "192.0.2.8"]);
    Sender::send(outside, open_port, &["plain"]);
    let mut heard: Vec<String> = Vec::new();
    until("the neighbour's packet", || {
        let mut buf = [0; 64];
        while let Ok((len, from)) = open.recv_from(&mut buf) {
            heard.push(format!(
                "{} from {}",
                String::from_utf8_lossy(&buf[..len]),
                from.ip()
            ));
        }
        heard.iter().any(|one| one.starts_with("plain"))
    })
    .await;
    assert_eq!(
        heard,
        ["forged from 192.0.2.8", "plain from 192.0.2.9"],
        "a packet that forges our own address never arrives"
    );

    // The neighbour asks first; by the time this computer has its answer, the neighbour's would be there too.
    let mut neighbours = Sender::send(outside, port, &check);
    let mut own = Sender::send(None, port, &check);
    assert_eq!(own.saw("wait"), "answered");
    assert_eq!(neighbours.saw("now"), "silence");
    println!("{HERE}:{port}: answered from here, silence for 192.0.2.9");
}
