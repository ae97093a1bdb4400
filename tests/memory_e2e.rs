//! Folders that are gone at power-off: what `calibrate` and a car say of a calibration that was saved there.
//!
//! Needs root (mount namespaces). The overlay is one as `raspi-config` makes: the card below, memory above.

mod harness;

use std::path::Path;
use std::process::Command;

use harness::Folder;

/// The program among these mounts: exit code and all its words.
fn among(mounts: &str, folder: &Path, command: &str) -> (Option<i32>, String) {
    let program = env!("CARGO_BIN_EXE_spidercar");
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "bash", "-euc"])
        .arg(format!("cd \"$0\"; {mounts}\n\"$1\" {command} 2>&1"))
        .arg(folder)
        .arg(program)
        .output()
        .expect("unshare runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code(), said)
}

const MEMORY: &str = "mkdir -p at && mount -t tmpfs tmpfs at";
const OVERLAY: &str = "mkdir -p card memory at && mount -t tmpfs tmpfs memory && mkdir memory/u memory/w && \
    mount -t overlay overlay -o lowerdir=card,upperdir=memory/u,workdir=memory/w at";
/// A disk of its own, so that it does not matter where the tests' own folder is.
const CARD: &str =
    "mkdir -p at && truncate -s 8M disk && mkfs.ext4 -q -F disk && mount -o loop disk at";
const OVERLAY_ON_CARD: &str = "mkdir -p below at over && truncate -s 8M disk && mkfs.ext4 -q -F disk && \
    mount -o loop disk at && mkdir at/u at/w && \
    mount -t overlay overlay -o lowerdir=below,upperdir=at/u,workdir=at/w over && mount --bind over at";

const SAVE: &str = "calibrate --set drive.state_file=$PWD/at/car.json --save throttle_zero_us=1510";

#[test]
fn a_save_into_memory_says_that_it_is_gone_at_power_off() {
    for (name, mounts) in [("tmpfs", MEMORY), ("overlay", OVERLAY)] {
        let folder = Folder::new(&format!("memory-{name}"));
        let (code, said) = among(mounts, &folder.0, SAVE);
        assert_eq!(code, Some(0), "{name}: {said}");
        assert!(
            said.contains("saved, but only until power-off"),
            "{name}: {said}"
        );
        assert!(
            said.contains("in memory") && said.contains("raspi-config"),
            "{name}: {said}"
        );
        assert!(said.contains("throttle_zero_us = 1510"), "{name}: {said}");
    }
}

#[test]
fn a_save_to_a_disk_says_nothing_of_the_kind() {
    for (name, mounts) in [("disk", CARD), ("overlay on disk", OVERLAY_ON_CARD)] {
        let folder = Folder::new("memory-disk");
        let (code, said) = among(mounts, &folder.0, SAVE);
        assert_eq!(code, Some(0), "{name}: {said}");
        assert!(
            said.contains("# saved, in drive.state_file\n"),
            "{name}: {said}"
        );
        assert!(!said.contains("power-off"), "{name}: {said}");
    }
}

#[test]
fn a_car_that_keeps_its_state_and_its_records_in_memory_says_so() {
    let folder = Folder::new("memory-run");
    let run = "run --set drive.state_file=$PWD/at/car.json --set failsafe.black_box=$PWD/at/stops \
               --set local.port=0 --set local.tls_port=0 > log 2>&1 & car=$!; \
               for i in $(seq 400); do \
               grep -q 'drive.state_file: .*in memory' log && grep -q 'failsafe.black_box: .*in memory' log && break; \
               sleep 0.05; done; kill -TERM $car; wait $car; cat log";
    let (code, said) = among(OVERLAY, &folder.0, run);
    assert_eq!(code, Some(0), "{said}");
    for key in ["drive.state_file: ", "failsafe.black_box: "] {
        let line = said
            .lines()
            .find(|line| line.contains(key) && line.contains("in memory"));
        assert!(
            line.is_some_and(|line| line.contains("WARN")),
            "{key}: {said}"
        );
    }
}
