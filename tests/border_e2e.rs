//! Strangers at the ports of a car that is driven: it lives, and its driver notices nothing.
//!
//! What comes by UDP here kept the process busy for good before there was a border (`src/peer/border.rs`).

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

mod harness;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use harness::{CHANNEL, Car, Operator, PATIENCE, until};
use spidercar::net::subscribe::subscription;
use spidercar::peer::PeerOptions;
use tokio_tungstenite::tungstenite::Message;

/// What the Spider says of a viewer for whom there is no place.
const FULL: &str = "why=\"the channel is full\"";

/// The UDP sockets of a process on 127.0.0.1, by the kernel's table.
fn udp_ports_of(pid: u32) -> Vec<SocketAddr> {
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("ours")
        .filter_map(|entry| {
            let target = std::fs::read_link(entry.ok()?.path()).ok()?;
            let name = target
                .to_str()?
                .strip_prefix("socket:[")?
                .strip_suffix(']')?;
            Some(name.to_owned())
        })
        .collect();
    let table = std::fs::read_to_string("/proc/net/udp").expect("Linux");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let (address, port) = fields.get(1)?.split_once(':')?;
            let is_ours = sockets
                .iter()
                .any(|inode| Some(&inode.as_str()) == fields.get(9));
            let is_loopback =
                u32::from_str_radix(address, 16).ok()?.to_ne_bytes() == [127, 0, 0, 1];
            let port = u16::from_str_radix(port, 16).ok()?;
            (is_ours && is_loopback).then_some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        })
        .collect()
}

/// A plaintext handshake record with pieces of one byte, of one message.
fn tiny_pieces(number: u64, message: u16, from: u32, count: u32) -> Vec<u8> {
    const LENGTH: u32 = 70_000;
    let triple = |number: u32| number.to_be_bytes()[1..].to_vec();
    let mut pieces = Vec::new();
    for offset in from..from + count {
        pieces.push(11);
        pieces.extend(triple(LENGTH));
        pieces.extend(message.to_be_bytes());
        pieces.extend(triple(offset));
        pieces.extend(triple(1));
        pieces.push(b'x');
    }
    let mut record = vec![22, 0xfe, 0xfd, 0, 0];
    // A number of its own, or it is taken for a replay.
    record.extend(&number.to_be_bytes()[2..]);
    record.extend(u16::try_from(pieces.len()).expect("short").to_be_bytes());
    record.extend(pieces);
    record
}

/// A check that nobody signed, and that says that the other side has the same role.
fn role_conflict() -> Vec<u8> {
    let mut check = vec![0, 1, 0, 24, 0x21, 0x12, 0xa4, 0x42];
    check.extend([7; 12]);
    for role in [0x8029_u16, 0x802a] {
        check.extend(role.to_be_bytes());
        check.extend([0, 8]);
        check.extend([0xff; 8]);
    }
    check
}

/// All of it, at each port, until it is told to end; how many datagrams that were.
fn attack(ports: &[SocketAddr], is_over: &AtomicBool) -> u64 {
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let (mut count, mut number) = (0, 0);
    let mut throw = |datagram: &[u8]| {
        for port in ports {
            // A port may be gone with its session.
            count += u64::from(stranger.send_to(datagram, port).is_ok());
        }
    };
    // A message at a time, so slowly that none is lost; the first piece comes last. Then all of them are put together, each
    // by a call within the one before.
    'slowly: for message in 0..8 {
        for from in (80..64_000).step_by(80).chain([0]) {
            number += 1;
            throw(&tiny_pieces(number, message, from, 80));
            std::thread::sleep(Duration::from_micros(500));
            if is_over.load(Ordering::Relaxed) {
                break 'slowly;
            }
        }
    }
    while !is_over.load(Ordering::Relaxed) {
        for from in (0..64_000).step_by(80) {
            number += 1;
            throw(&tiny_pieces(number, 3, from, 80));
        }
        for _ in 0..200 {
            throw(&role_conflict());
            throw(&[0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
            throw(&[23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0]);
            throw(&[0xff; 1200]);
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_strangers_neither_ends_a_car_nor_stops_it() {
    let mut car = Car::local("border", &[]);
    let mut operator = Operator::connect(&car.program.url()).await;
    operator.move_off(&car).await;
    let ports = udp_ports_of(car.program.child.id());
    assert!(
        ports.len() >= 3,
        "the car's, and its Spider's two: {ports:?}"
    );
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let attacker = std::thread::spawn(move || attack(&ports, &over));
    let accepted = operator.number("accepted").expect("telemetry");
    // Ten seconds of commands, half of which arrive at least, and the process lives.
    let patience = Instant::now() + PATIENCE;
    while operator
        .number("accepted")
        .is_none_or(|now| now < accepted + 250)
    {
        assert!(car.program.is_running(), "{}", car.program.tail());
        assert!(Instant::now() < patience, "the driver is not heard");
        operator.keep_driving(400, 0).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    is_over.store(true, Ordering::Relaxed);
    let sent = attacker.join().expect("it sends");
    println!("{sent} datagrams of a stranger; {accepted} commands before");
    assert!(car.program.is_running());
    operator
        .drive_until(400, "the car to move afterwards", || car.moves())
        .await;
    // Said, and not for each: at 64, 128, 256 ... for each of the three sockets.
    let told = car
        .program
        .text()
        .matches("datagrams of strangers are refused")
        .count();
    assert!((3..=60).contains(&told), "told {told} times");
}

/// Memory of a process that is there, in kilobytes.
fn resident_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .expect("Linux says it")
}

/// A viewer's socket that asks for answers without end and reads none of them; how many megabytes it could send in two seconds.
fn asks_and_never_reads(port: u16) -> u64 {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a listener");
    let asked = format!(
        "GET /live/ws/sub?channel={CHANNEL} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: \
         Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    socket.write_all(asked.as_bytes()).expect("sent");
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 101");
    // A ping of 125 bytes, masked with zeros.
    let mut ping = vec![0x89, 0xfd, 0, 0, 0, 0];
    ping.resize(6 + 125, b'x');
    let pings = ping.repeat(500);
    socket
        .set_write_timeout(Some(Duration::from_millis(100)))
        .expect("a number");
    let until = Instant::now() + Duration::from_secs(2);
    let mut sent = 0;
    while Instant::now() < until {
        match socket.write(&pings) {
            Ok(count) => sent += count as u64,
            Err(err) if err.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break, // it was ended
        }
    }
    sent / 1_000_000
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_asks_and_never_reads_takes_no_memory() {
    let mut car = Car::local("never-reads", &[]);
    let mut operator = Operator::connect(&car.program.url()).await;
    operator.move_off(&car).await;
    let before = resident_kb(car.program.child.id());
    let port = car.program.port;
    let attacker = std::thread::spawn(move || asks_and_never_reads(port));
    while !attacker.is_finished() {
        operator.keep_driving(400, 0).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let sent = attacker.join().expect("it sends");
    let after = resident_kb(car.program.child.id());
    println!("{sent} MB of questions; {before} kB before, {after} kB after");
    assert!(
        after < before + 20_000,
        "{before} kB before, {after} kB after"
    );
    assert!(car.program.is_running());
    operator
        .drive_until(400, "the car to move afterwards", || car.moves())
        .await;
}

/// Descriptors of a process.
fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("it runs")
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_ask_for_nothing_lock_nobody_out() {
    let car = Car::local("idle", &[]);
    let mut operator = Operator::connect(&car.program.url()).await;
    operator.move_off(&car).await;
    let before = descriptors(car.program.child.id());
    let port = car.program.port;
    let idle: Vec<_> = (0..500)
        .filter_map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok())
        .collect();
    let during = descriptors(car.program.child.id());
    assert!(
        during <= before + 64,
        "{before} descriptors before, {during} during"
    );
    operator
        .drive_until(400, "the car to move all the while", || car.moves())
        .await;
    // They are still there, and not thought of any more.
    until("another driver's socket", || {
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .and_then(|mut socket| {
                socket.set_read_timeout(Some(Duration::from_millis(200)))?;
                socket.write_all(
                    b"GET /channels.json HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
                )?;
                let mut answer = [0; 12];
                socket.read_exact(&mut answer)?;
                Ok(&answer == b"HTTP/1.1 200")
            })
            .unwrap_or(false)
    })
    .await;
    println!(
        "{} connections that wait; {before} descriptors before, {during} during",
        idle.len()
    );
    until("the descriptors of all that waited", || {
        descriptors(car.program.child.id()) <= before + 8
    })
    .await;
}

/// An offer to receive, of a peer that is not there.
async fn offer_of_nobody() -> String {
    let made = subscription(PeerOptions::loopback()).await.expect("a peer");
    let offer = made.peer.pc.create_offer(None).await.expect("an offer");
    serde_json::json!({"type": "offer", "data": offer.sdp}).to_string()
}

/// Findings D8: who has asked for a place, and does not come, gives it up.
#[tokio::test(flavor = "multi_thread")]
async fn viewers_who_never_connect_lock_nobody_out_for_long() {
    let car = Car::local("never-connects", &[]);
    let url = car.program.url();
    let offer = offer_of_nobody().await;
    let mut waiting = Vec::new();
    while !car.program.text().contains(FULL) {
        let stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, car.program.port))
            .await
            .expect("a listener");
        let asked = format!("{url}/live/ws/sub?channel={CHANNEL}&drive=1");
        let (mut socket, _) = tokio_tungstenite::client_async(asked, stream)
            .await
            .expect("an upgrade");
        socket
            .send(Message::text(offer.as_str()))
            .await
            .expect("sent");
        // Its answer, or its end.
        while let Some(Ok(Message::Text(text))) = socket.next().await {
            if text.contains("\"answer\"") {
                break;
            }
        }
        waiting.push(socket);
        assert!(waiting.len() < 40, "it never is full");
    }
    // Each try is refused, or finds a place.
    let patience = Instant::now() + 2 * PATIENCE;
    let mut operator = loop {
        assert!(Instant::now() < patience, "there is no place for a driver");
        let before = car.program.text().matches(FULL).count();
        let Ok(operator) = Operator::dial(&url, "&drive=1").await else {
            continue;
        };
        until("a place, or none", || {
            operator.car().is_some() || car.program.text().matches(FULL).count() > before
        })
        .await;
        if operator.car().is_some() {
            break operator;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    operator.move_off(&car).await;
    println!("{} viewers asked for a place, and none came", waiting.len());
}
