//! A car that comes back from elsewhere is not kept out by its own old session, of whose end the Spider has not heard.
//!
//! In network namespaces: what the Spider sends to the old address arrives nowhere and nobody says so, as behind a NAT.

#![allow(
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it measured"
)]

mod harness;

use std::time::Instant;

use harness::netns::Namespace;
use harness::{Folder, Program, until};

/// A Spider on one network, and room for cars on another.
struct Track {
    folder: Folder,
    key: String,
    spider: Program,
    near: Namespace,
    far: Namespace,
}

impl Track {
    async fn new(name: &str) -> Option<Self> {
        let (near, far) = Namespace::pair().await?;
        let folder = Folder::new(name);
        let file = folder.file("key");
        std::fs::write(&file, "a-key-for-tests").expect("a key");
        let key = format!("local.driver_key_file={}", file.display());
        let args = ["spider", "--listen", "10.9.0.1", "--set", &key];
        let spider = Program::spawn(near.spidercar(&args), &folder, "spider");
        spider.logged("local Spider").await;
        Some(Self {
            folder,
            key,
            spider,
            near,
            far,
        })
    }

    /// Starts a car, with what it learned in a file of that name.
    fn car(&self, state: &str, log: &str) -> Program {
        let state = format!("drive.state_file={}", self.folder.file(state).display());
        let mut args = vec!["run", "--set", &self.key, "--set", &state];
        args.extend(["--set", "spider.url=ws://10.9.0.1:8266"]);
        args.extend(harness::SMALL);
        Program::spawn(self.far.spidercar(&args), &self.folder, log)
    }

    /// What is sent to this address of the car goes out, and is lost there once the address is gone.
    fn pin(&self, address: &str) {
        let mac = self.far.ip("-br link show v1");
        let mac = mac.split_whitespace().nth(2).expect("a MAC address");
        self.near.ip(&format!(
            "neigh replace {address} lladdr {mac} dev v0 nud permanent"
        ));
    }

    fn ghosts(&self) -> usize {
        let text = self.spider.text();
        text.matches("the same publisher came again").count()
    }
}

/// A try that was the first since the last good link, or the last network.
fn first_tries(car: &Program) -> usize {
    car.text().matches("attempt=1\n").count()
}

fn links(car: &Program) -> usize {
    car.text().matches("link up").count()
}

/// Nobody said that the channel is taken.
fn assert_never_refused(car: &Program) {
    let text = car.text();
    assert!(
        !text.contains("somebody else publishes"),
        "refused by its own ghost:\n{}",
        car.tail()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_car_with_another_address_replaces_its_own_ghost() {
    let Some(track) = Track::new("address").await else {
        return;
    };
    let car = track.car("car.json", "car");
    until("a link", || links(&car) == 1).await;
    for change in 1..=3 {
        let (old, new) = (change + 1, change + 2);
        track.pin(&format!("10.9.0.{old}"));
        let moved = Instant::now();
        track.far.ip(&format!("address del 10.9.0.{old}/24 dev v1"));
        track.far.ip(&format!("address add 10.9.0.{new}/24 dev v1"));
        until("a link from the new address", || links(&car) > change).await;
        println!(
            "another address: linked again after {} ms",
            moved.elapsed().as_millis()
        );
        assert_never_refused(&car);
        assert_eq!(track.ghosts(), change, "{}", track.spider.tail());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_car_after_a_power_cut_replaces_its_own_ghost_and_a_stranger_does_not() {
    let Some(track) = Track::new("power").await else {
        return;
    };
    track.pin("10.9.0.2");
    let mut car = track.car("car.json", "car");
    until("a link", || links(&car) == 1).await;
    for round in 1..=3 {
        track.far.ip("link set v1 down"); // nothing of its end gets out
        car.child.kill().expect("ours");
        car.wait();
        track.far.ip("link set v1 up");
        let on = Instant::now();
        let stranger = (round == 1).then(|| track.car("other.json", "stranger"));
        if let Some(stranger) = &stranger {
            stranger.logged("somebody else publishes").await;
        }
        drop(stranger);
        let on = if round == 1 { Instant::now() } else { on };
        car = track.car("car.json", &format!("car-{round}"));
        until("a link after the power cut", || links(&car) == 1).await;
        println!(
            "power cut: linked {} ms after the start",
            on.elapsed().as_millis()
        );
        assert_never_refused(&car);
        assert_eq!(track.ghosts(), round, "{}", track.spider.tail());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_car_that_waits_tries_another_network_at_once_and_from_the_start() {
    let Some(mut track) = Track::new("waits").await else {
        return;
    };
    track.spider.child.kill().expect("ours");
    track.spider.wait();
    let car = track.car("car.json", "car");
    car.logged("attempt=5").await;
    assert_eq!(first_tries(&car), 1, "{}", car.tail());
    track.far.ip("address del 10.9.0.2/24 dev v1");
    track.far.ip("address add 10.9.0.3/24 dev v1");
    until("a first try", || first_tries(&car) == 2).await;
    assert!(
        car.text()
            .contains("the addresses of this computer changed")
    );
}
