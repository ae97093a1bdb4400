//! Doctor's line for Wi-Fi: whether the radio may be used, and whether it sleeps between packets.
//!
//! Sources: kernel `Documentation/ABI/stable/sysfs-class-rfkill` (`type`, `soft`, `hard`), `sysfs-class-net` (`operstate`),
//! `iw(8)` (`get power_save`).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Finding;
use crate::app::ask::ask;

/// How long `iw` may take. choice: it asks the kernel one question.
const LIMIT: Duration = Duration::from_secs(3);

/// Where `iw` is; a user's `PATH` often has no `sbin` (Debian's package `iw`).
const IW: [&str; 2] = ["/usr/sbin/iw", "/sbin/iw"];

/// The lines for this computer.
pub(super) fn checks() -> Vec<(&'static str, Finding)> {
    lines(Path::new("/"), &power_save)
}

/// Whether a device saves power, as the kernel says; `None` where nobody can tell.
fn power_save(device: &str) -> Option<bool> {
    let iw = IW.into_iter().map(Path::new).find(|path| path.exists())?;
    let answer = ask(iw, &["dev", device, "get", "power_save"], LIMIT).ok()?;
    is_on(&answer.out)
}

fn is_on(said: &str) -> Option<bool> {
    match said.trim().strip_prefix("Power save: ")? {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

/// A line for a radio that is blocked, then one for each device that is connected. Without Wi-Fi there is none.
fn lines(root: &Path, power_save: &dyn Fn(&str) -> Option<bool>) -> Vec<(&'static str, Finding)> {
    let devices = entries(&root.join("sys/class/net"));
    let (wireless, wired): (Vec<_>, Vec<_>) = devices
        .into_iter()
        .partition(|path| path.join("phy80211").exists());
    let is_up = |path: &PathBuf| text(path, "operstate") == "up";
    let has_other = wired.iter().chain(&wireless).any(is_up);
    let mut lines: Vec<_> = blocked(root)
        .map(|why| {
            if has_other {
                Ok(format!(
                    "{why}; another network is up, so nothing is missing"
                ))
            } else {
                Err(why)
            }
        })
        .map(|finding| ("wifi", finding))
        .into_iter()
        .collect();
    for path in wireless.iter().filter(|path| is_up(path)) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        lines.push(("wifi", sleep(&name, power_save(&name))));
    }
    lines
}

/// Why the radio must be silent, and what to do.
fn blocked(root: &Path) -> Option<String> {
    let radios = entries(&root.join("sys/class/rfkill"));
    let of = |name: &str| {
        radios
            .iter()
            .find(|path| text(path, "type") == "wlan" && text(path, name) == "1")
    };
    if let Some(path) = of("hard") {
        return Some(format!(
            "the radio {} is blocked by hardware: a switch, or the board's firmware (look for disable-wifi in config.txt)",
            text(path, "name")
        ));
    }
    of("soft").map(|path| {
        format!(
            "the radio {} is blocked by software, as on a new Raspberry Pi OS until its country is known: `sudo raspi-config nonint do_wifi_country CC`, then `sudo nmcli radio wifi on` (elsewhere `sudo rfkill unblock wlan`)",
            text(path, "name")
        )
    })
}

fn sleep(device: &str, saves: Option<bool>) -> Finding {
    match saves {
        Some(false) => Ok(format!("{device}: connected, power save off")),
        Some(true) => Err(format!(
            "{device}: power save is on, so a command may wait up to a second for the radio: `sudo iw dev {device} set power_save off` until the next start; for good with wifi.powersave=2 in NetworkManager, which scripts/deploy.sh installs"
        )),
        None => Ok(format!(
            "{device}: connected; whether it saves power, which delays commands, tells `iw dev {device} get power_save` (package iw)"
        )),
    }
}

/// What is in a folder, sorted.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn text(folder: &Path, name: &str) -> String {
    let text = fs::read_to_string(folder.join(name)).unwrap_or_default();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A computer with these files; a name that ends with `/` is a folder.
    struct Computer(PathBuf);

    impl Computer {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let root =
                std::env::temp_dir().join(format!("spidercar-radio-{name}-{}", std::process::id()));
            for (path, text) in files {
                let path = root.join("sys/class").join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, format!("{text}\n")).unwrap();
            }
            Self(root)
        }

        fn lines(&self, saves: Option<bool>) -> Vec<(&'static str, Finding)> {
            lines(&self.0, &|_| saves)
        }
    }

    impl Drop for Computer {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const BLOCKED: [(&str, &str); 10] = [
        ("rfkill/rfkill0/type", "bluetooth"),
        ("rfkill/rfkill0/soft", "1"),
        ("rfkill/rfkill0/hard", "1"),
        ("rfkill/rfkill1/type", "wlan"),
        ("rfkill/rfkill1/name", "phy0"),
        ("rfkill/rfkill1/soft", "1"),
        ("rfkill/rfkill1/hard", "0"),
        ("net/wlan0/phy80211/index", "0"),
        ("net/wlan0/operstate", "down"),
        ("net/lo/operstate", "unknown"),
    ];

    #[test]
    fn a_blocked_radio_is_named_and_is_a_fault_where_it_is_the_only_network() {
        let computer = Computer::new("soft", &BLOCKED);
        let lines = computer.lines(None);
        let [("wifi", Err(why))] = &lines[..] else {
            panic!("{lines:?}");
        };
        assert!(
            why.contains("phy0 is blocked by software") && why.contains("nmcli radio wifi on"),
            "{why}"
        );

        let with_wire: Vec<_> = BLOCKED
            .into_iter()
            .chain([("net/eth0/operstate", "up")])
            .collect();
        let computer = Computer::new("wire", &with_wire);
        let lines = computer.lines(None);
        assert!(
            matches!(&lines[..], [("wifi", Ok(why))] if why.contains("phy0 is blocked")),
            "{lines:?}"
        );

        let mut hard = BLOCKED;
        hard[6].1 = "1";
        let lines = Computer::new("hard", &hard).lines(None);
        assert!(
            matches!(&lines[..], [("wifi", Err(why))] if why.contains("by hardware")),
            "{lines:?}"
        );
    }

    #[test]
    fn power_save_is_a_fault_of_a_connected_device_and_off_is_told() {
        let mut up = BLOCKED;
        up[5].1 = "0";
        up[8].1 = "up";
        let computer = Computer::new("save", &up);
        let lines = computer.lines(Some(true));
        assert!(
            matches!(&lines[..], [("wifi", Err(why))] if why.contains("iw dev wlan0 set power_save off")),
            "{lines:?}"
        );
        let off = Ok("wlan0: connected, power save off".to_owned());
        assert_eq!(computer.lines(Some(false)), [("wifi", off)]);
        assert!(matches!(&computer.lines(None)[..], [("wifi", Ok(_))]));
    }

    #[test]
    fn without_wi_fi_there_is_no_line() {
        assert_eq!(
            Computer::new("none", &[("net/eth0/operstate", "up")]).lines(None),
            []
        );
        assert_eq!(lines(Path::new("/nonexistent"), &|_| None), []);
    }

    #[test]
    fn the_words_of_iw_are_read() {
        assert_eq!(is_on("Power save: on\n"), Some(true));
        assert_eq!(is_on("Power save: off\n"), Some(false));
        assert_eq!(is_on("command failed: No such device (-19)\n"), None);
    }
}
