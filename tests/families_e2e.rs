//! IPv6 and IPv4: a host whose IPv6 is broken is reached over IPv4, and a Spider on both has media on both.
//!
//! In network namespaces, where the host's name is in a file of the test's own.

#![allow(
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it measured"
)]

mod harness;

use std::process::Command;
use std::time::Instant;

use harness::netns::Namespace;
use harness::{CHANNEL, Folder, Program};

const NAME: &str = "spider.test";

/// Two networks with both families on their cable, and a folder with a key and the host's name.
async fn both(name: &str) -> Option<(Namespace, Namespace, Folder, String)> {
    let (near, far) = Namespace::pair().await?;
    far.ip("address add fd00:9::2/64 dev v1 nodad");
    let folder = Folder::new(name);
    let file = folder.file("key");
    std::fs::write(&file, "a-key-for-tests").expect("a key");
    let hosts = format!("127.0.0.1 localhost\nfd00:9::1 {NAME}\n10.9.0.1 {NAME}\n");
    std::fs::write(folder.file("hosts"), hosts).expect("a file of names");
    let key = format!("local.driver_key_file={}", file.display());
    Some((near, far, folder, key))
}

/// The program in a namespace, where the name is known.
fn knowing(namespace: &Namespace, folder: &Folder, args: &[&str]) -> Command {
    let mut command = namespace.command("unshare");
    let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
    command.args(["--mount", "--propagation", "private", "sh", "-c", script]);
    command.arg(folder.file("hosts"));
    command.arg(env!("CARGO_BIN_EXE_spidercar")).args(args);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_ipv6_is_broken_is_reached_over_ipv4() {
    for broken in ["no answer", "refuses", "accepts and says nothing"] {
        let Some((near, far, folder, key)) = both("broken-v6").await else {
            return;
        };
        let args = ["spider", "--listen", "10.9.0.1", "--set", &key];
        let spider = Program::spawn(near.spidercar(&args), &folder, "spider");
        spider.logged("local Spider").await;
        let mut mute = None;
        if broken == "no answer" {
            // It goes out to the other end, which has no such address.
            let link = near.ip("-br link show v0");
            let mac = link.split_whitespace().nth(2).expect("a MAC address");
            far.ip(&format!(
                "neigh replace fd00:9::1 lladdr {mac} dev v1 nud permanent"
            ));
        } else {
            near.ip("address add fd00:9::1/64 dev v0 nodad");
        }
        if broken == "accepts and says nothing" {
            let listens = "import socket, time\n\
                           s = [socket.create_server(('fd00:9::1', p), family=socket.AF_INET6) for p in (8266, 8267)]\n\
                           print('http://127.0.0.1:1/', flush=True)\n\
                           time.sleep(600)";
            let mut command = near.command("python3");
            command.args(["-c", listens]);
            mute = Some(Program::listening(command, &folder, "mute"));
        }
        for url in [format!("ws://{NAME}:8266"), format!("wss://{NAME}:8267")] {
            let at = format!("spider.url={url}");
            let mut args = vec!["run", "--set", &key, "--set", &at];
            if url.starts_with("wss") {
                args.extend(["--set", "spider.insecure=true"]);
            }
            args.extend(harness::SMALL);
            let began = Instant::now();
            let car = Program::spawn(knowing(&far, &folder, &args), &folder, "car");
            car.logged("link up").await;
            println!(
                "IPv6 {broken}, {url}: linked after {} ms",
                began.elapsed().as_millis()
            );
        }
        drop(mute);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spider_on_both_families_has_media_for_a_viewer_on_either() {
    let Some((near, far, folder, key)) = both("media-v6").await else {
        return;
    };
    near.ip("address add fd00:9::1/64 dev v0 nodad");
    let args = ["run", "--set", &key, "--set", "local.listen=::"];
    let args = [&args[..], &harness::SMALL].concat();
    let car = Program::spawn(near.spidercar(&args), &folder, "car");
    car.logged("link up").await;
    for (url, gone) in [
        ("ws://[fd00:9::1]:8266", "10.9.0.2/24"),
        ("ws://10.9.0.1:8266", "fd00:9::2/64"),
    ] {
        far.ip(&format!("address del {gone} dev v1")); // only one family is left
        let args = ["watch", url, "--channel", CHANNEL, "--set", &key];
        let watch = Program::spawn(far.spidercar(&args), &folder, "watch");
        watch.logged("first frame").await;
        far.ip(&format!("address add {gone} dev v1"));
    }
}
