//! A Spider for a whole network prints addresses that a phone can open. In a network namespace: nothing here is reachable.

mod harness;

use std::io::{BufRead, BufReader};
use std::process::Command;

use harness::{Folder, Program};

/// Lines on stdout of a Spider on `listen`, on a computer with two addresses. Needs root.
fn printed(listen: &str, lines: usize) -> Vec<String> {
    let folder = Folder::new("lan");
    let key = folder.file("key");
    std::fs::write(&key, "a-key-for-tests\n").expect("a key");
    let network = "ip link set lo up && ip address add 192.0.2.7/24 dev lo && \
                   ip address add 2001:db8::7/64 dev lo nodad && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--net", "--", "sh", "-c", network, "sh"]);
    command.arg(env!("CARGO_BIN_EXE_spidercar"));
    command.args(["spider", "--listen", listen, "--set"]);
    command.arg(format!("local.driver_key_file={}", key.display()));
    let mut program = Program::spawn(command, &folder, "spider");
    let stdout = program.child.stdout.take().expect("stdout is a pipe");
    let read = BufReader::new(stdout).lines().take(lines);
    read.map(|line| line.expect("a line")).collect()
}

#[test]
fn a_spider_for_everyone_prints_the_addresses_of_this_computer() {
    let [line] = &printed("0.0.0.0", 1)[..] else {
        panic!("no line");
    };
    assert!(
        line.starts_with("Drive it here:  http://192.0.2.7:8266/?channel="),
        "{line}"
    );
    let lines = printed("::", 2);
    assert!(lines[0].contains("http://192.0.2.7:8266/"), "{lines:?}");
    assert!(lines[1].contains("http://[2001:db8::7]:8266/"), "{lines:?}");
}
