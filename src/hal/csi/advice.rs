//! What to do when libcamera finds no camera: looks at what a camera needs from the system, and says what is missing.
//!
//! libcamera itself only says that there is none. Nearly always it is one of these, in this order.
//!
//! ```text
//!   config.txt says nothing of a camera ─▶ camera_auto_detect=1, or dtoverlay=SENSOR
//!   no /dev/media*                      ─▶ the ribbon: seat, side, connector; a camera from another maker: its overlay
//!   /dev/media* may not be opened       ─▶ the group video
//!   no /dev/dma_heap, or no right to it ─▶ the group video, the udev rule
//!   all of that is there                ─▶ another program has it, or this libcamera does not know the sensor
//! ```
//!
//! Promises: changes nothing; each sentence says what to do.
//! Knows nothing of: libcamera.
//! Sources: Raspberry Pi documentation (`config.txt`: `camera_auto_detect`; "Camera software": troubleshooting).

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where the firmware's settings are, newest first.
const BOOT_CONFIG: [&str; 2] = ["boot/firmware/config.txt", "boot/config.txt"];

/// How the overlays of the usual sensors begin. spec: Raspberry Pi firmware, `overlays/README`.
const SENSORS: [&str; 6] = ["imx", "ov", "arducam", "mira", "tc358743", "camera-mux"];

/// What may be the reason that there is no camera, the likeliest first; never empty. `root` is `/` but in tests.
#[must_use]
pub fn none_found(root: &Path) -> Vec<String> {
    let mut reasons = Vec::new();
    for path in BOOT_CONFIG.map(|path| root.join(path)) {
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        if !names_a_camera(&text) {
            reasons.push(format!(
                "{} names no camera; put camera_auto_detect=1 there (or dtoverlay=SENSOR for a camera that is not the \
                 Foundation's), restart",
                path.display()
            ));
        }
        break;
    }
    let media = devices(&root.join("dev"), "media");
    if media.is_empty() {
        reasons.push(
            "the kernel sees no camera (no /dev/media*): power off, seat the ribbon at both ends, contacts to the \
             contacts, in the CAMERA connector; on a Pi 5 or Zero with the narrow ribbon"
                .to_owned(),
        );
        return reasons;
    }
    let heaps = devices(&root.join("dev/dma_heap"), "");
    let refused = media.iter().chain(&heaps).find(|path| is_refused(path));
    if let Some(path) = refused {
        reasons.push(format!(
            "{} may not be opened: the user must be in the group video (usermod -aG video USER), and udev must give it to \
             that group",
            path.display()
        ));
    }
    if heaps.is_empty() {
        reasons.push(
            "there is no /dev/dma_heap for its pictures: use Raspberry Pi OS's own kernel"
                .to_owned(),
        );
    }
    if reasons.is_empty() {
        reasons.push(
            "the kernel has media devices, but none is a camera that this libcamera knows: seat the ribbon, look for the \
             sensor's name in `dmesg`, and compare with `rpicam-hello --list-cameras`"
                .to_owned(),
        );
    }
    reasons
}

fn names_a_camera(config: &str) -> bool {
    config.lines().map(str::trim).any(|line| {
        let overlay = line.strip_prefix("dtoverlay=");
        line == "camera_auto_detect=1"
            || overlay.is_some_and(|name| SENSORS.iter().any(|sensor| name.starts_with(sensor)))
    })
}

fn devices(folder: &Path, begin: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(begin))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

fn is_refused(path: &Path) -> bool {
    File::open(path).is_err_and(|err| err.kind() == ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("advice-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path); // of a run that was killed
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn put(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0); // it is in the temporary folder
        }
    }

    #[test]
    fn without_any_device_it_is_the_ribbon() {
        let folder = Folder::new("none");
        let said = none_found(&folder.0);
        assert_eq!(said.len(), 1);
        assert!(said[0].contains("ribbon"), "{said:?}");
    }

    #[test]
    fn a_boot_configuration_without_a_camera_is_named_first() {
        let folder = Folder::new("config");
        folder.put(
            "boot/firmware/config.txt",
            "#camera_auto_detect=1\ndtoverlay=vc4-kms-v3d\n",
        );
        folder.put("boot/config.txt", "camera_auto_detect=1\n"); // a stub that nobody reads
        let said = none_found(&folder.0);
        assert_eq!(said.len(), 2);
        assert!(said[0].contains("camera_auto_detect=1"), "{said:?}");
        for line in ["camera_auto_detect=1", " dtoverlay=imx219,cam0 "] {
            folder.put("boot/firmware/config.txt", line);
            assert_eq!(none_found(&folder.0).len(), 1, "{line}");
        }
    }

    #[test]
    fn with_devices_it_is_the_heap_or_the_sensor() {
        let folder = Folder::new("devices");
        folder.put("dev/media0", "");
        let said = none_found(&folder.0);
        assert!(said[0].contains("dma_heap"), "{said:?}");
        folder.put("dev/dma_heap/linux,cma", "");
        let said = none_found(&folder.0);
        assert_eq!(said.len(), 1);
        assert!(said[0].contains("dmesg"), "{said:?}");
    }
}
