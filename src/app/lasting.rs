//! Whether files in a folder outlive the power: not on a file system in memory, nor on one laid over the card in memory.
//!
//! Raspberry Pi OS has a setting that protects the card ("Overlay File System" in `raspi-config`): everything that is
//! written goes to memory, each write succeeds, and all of it is gone at power-off.
//!
//! ```text
//!   folder ─▶ statfs: tmpfs, ramfs ─▶ gone
//!                     overlay ─▶ mountinfo: upperdir= ─▶ statfs of that: in memory ─▶ gone
//!                                                        not to be seen ─▶ gone, if the boot asked for such an overlay
//!                     anything else ─▶ lasts
//! ```
//!
//! *Source:* `statfs(2)` (magic numbers), `proc_pid_mountinfo(5)`, kernel Documentation/filesystems/overlayfs.rst;
//! raspi-config (`boot=overlay`, later `overlayroot=tmpfs` in cmdline.txt).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Magic numbers of file systems. kernel: include/uapi/linux/magic.h.
const TMPFS: u32 = 0x0102_1994;
const RAMFS: u32 = 0x8584_58f6;
const OVERLAY: u32 = 0x794c_7630;

/// Words of cmdline.txt for an overlay in memory. spec: raspi-config, overlayroot(8).
const BOOT_WORDS: [&str; 2] = ["boot=overlay", "overlayroot="];

/// What to do about it, for people.
const TODO: &str = "it is gone at power-off; switch the overlay file system off (sudo raspi-config, Performance Options), or \
                    name a folder on a partition that keeps it";

/// Why what is written to a folder is gone at power-off, and what to do. `None`: it lasts, as far as can be seen.
#[must_use]
pub fn not_lasting(folder: &Path) -> Option<String> {
    let there = folder.ancestors().find(|path| path.is_dir())?;
    let why = match kind(there)? {
        TMPFS | RAMFS => "it is a file system in memory",
        OVERLAY => {
            let about = fs::metadata(there).ok()?;
            let device = about.dev();
            let device = (rustix::fs::major(device), rustix::fs::minor(device));
            let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
            let boot = fs::read_to_string("/proc/cmdline").unwrap_or_default();
            let upper = upper_folder(&mounts, device)?;
            is_in_memory(kind(Path::new(&upper)), &boot)
                .then_some("it is an overlay in memory over the card")?
        }
        _ => return None,
    };
    Some(format!("{}: {why}: {TODO}", folder.display()))
}

fn kind(path: &Path) -> Option<u32> {
    let found = rustix::fs::statfs(path).ok()?;
    u32::try_from(found.f_type).ok()
}

/// Whether the upper layer of an overlay, with this kind of file system if it can be seen, is in memory.
fn is_in_memory(upper: Option<u32>, boot: &str) -> bool {
    match upper {
        Some(kind) => matches!(kind, TMPFS | RAMFS),
        // Mounted before the root was changed. A container's layers look the same, and last.
        None => boot
            .split_whitespace()
            .any(|word| BOOT_WORDS.iter().any(|begins| word.starts_with(begins))),
    }
}

/// The upper folder of the overlay that is this device; an overlay without one cannot be written.
fn upper_folder(mounts: &str, (major, minor): (u32, u32)) -> Option<String> {
    let device = format!("{major}:{minor}");
    let of_device = |line: &&str| line.split(' ').nth(2) == Some(device.as_str());
    let line = mounts.lines().find(of_device)?;
    let (_, about) = line.split_once(" - ")?;
    let options = about.split(' ').nth(2)?;
    let upper = options
        .split(',')
        .find_map(|option| option.strip_prefix("upperdir="))?;
    Some(upper.replace("\\040", " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upper_folder_is_that_of_the_device() {
        let mounts = "22 1 0:21 / /proc rw - proc proc rw\n\
                      71 47 0:41 / / rw,relatime - overlay overlay rw,lowerdir=/media/root-ro,upperdir=/media/root\\040rw/o,workdir=/w\n";
        let upper = upper_folder(mounts, (0, 41));
        assert_eq!(upper.as_deref(), Some("/media/root rw/o"));
        assert_eq!(upper_folder(mounts, (0, 42)), None);
        assert_eq!(upper_folder(mounts, (0, 21)), None);
    }

    #[test]
    fn an_overlay_whose_upper_layer_cannot_be_seen_is_judged_by_the_boot_line() {
        let ext4 = 0xEF53;
        assert!(is_in_memory(Some(TMPFS), ""));
        assert!(!is_in_memory(Some(ext4), "boot=overlay"));
        assert!(is_in_memory(None, "console=tty1 boot=overlay rootwait"));
        assert!(is_in_memory(None, "overlayroot=tmpfs"));
        assert!(!is_in_memory(None, "console=tty1 rootwait"));
    }

    #[test]
    fn the_kernels_own_memory_does_not_last() {
        let said = not_lasting(Path::new("/dev/shm/not-there-yet")).unwrap();
        assert!(
            said.contains("in memory") && said.contains("raspi-config"),
            "{said}"
        );
    }
}
