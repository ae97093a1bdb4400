//! What the system's refusals mean for whoever stands before the car: which group, which program.
//!
//! Promises: looks at files only; a thing that cannot be found out is left out.
//! Knows nothing of: cameras and encoders. Sources: `open(2)`, `proc(5)`, `group(5)`.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::io::Errno;

/// Whether an error is of this kind.
pub(crate) fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

/// Whether an error is of one of these kinds.
pub(crate) fn is_any(error: &io::Error, errnos: &[Errno]) -> bool {
    errnos.iter().any(|errno| is(error, *errno))
}

/// The error with what to do about it.
pub(crate) fn explained(path: &Path, error: io::Error) -> io::Error {
    let text = if is_any(&error, &[Errno::ACCESS, Errno::PERM]) {
        let group = group_of(path).unwrap_or_else(|| "video".to_owned());
        format!(
            "{error}; it belongs to the group {group}: sudo usermod -aG {group} USER, then log in again"
        )
    } else if is(&error, Errno::BUSY) {
        format!("{error}; {}", holder(path, Path::new("/proc")))
    } else if let Some(words) = words(&error) {
        format!("{error}: {words}")
    } else {
        return error;
    };
    io::Error::new(error.kind(), text)
}

/// What a driver means by an error whose own text misleads, and what to do.
/// Sources: Linux `userspace-api/media/v4l/vidioc-streamon`, `driver-api/usb/error-codes`, `uvc_video.c`.
fn words(error: &io::Error) -> Option<&'static str> {
    let all = [
        (
            Errno::NOSPC,
            "the USB bus has no room for it, a disk has nothing to do with it; plug the camera into another port (a blue one is \
             USB 3), unplug other cameras, or choose a smaller camera.width and height, fewer camera.fps, or camera.format = \
             \"mjpeg\"",
        ),
        (
            Errno::NOMEM,
            "no memory for its pictures; choose a smaller camera.width and height, or give the kernel more (cma=256M at the \
             end of cmdline.txt)",
        ),
        (
            Errno::PROTO,
            "the USB device does not answer as it should: its cable or its power; take a shorter cable, another port, or a hub \
             with a supply",
        ),
        (
            Errno::PIPE,
            "the USB device refuses it (a stalled pipe): unplug it and plug it in again; if that lasts, choose another \
             camera.format or size",
        ),
        (
            Errno::IO,
            "the device or its bus fails: look at cable, supply and `dmesg`, and plug it in again",
        ),
        (
            Errno::TIMEDOUT,
            "the device does not answer in time: look at cable, supply and `dmesg`, and plug it in again",
        ),
        (
            Errno::NODEV,
            "it was unplugged, or its driver gave it up; `dmesg` says which",
        ),
    ];
    let found = all.iter().find(|(errno, _)| is(error, *errno));
    found.map(|(_, words)| *words)
}

/// The name of the group that a node belongs to.
fn group_of(path: &Path) -> Option<String> {
    let number = fs::metadata(path).ok()?.gid();
    let groups = fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(number)).then(|| name.to_owned())
    })
}

/// Who has a node open, in words. This process is not named: that it looks at the node opens it, too.
fn holder(path: &Path, proc: &Path) -> String {
    let hidden = match others_with(path, proc) {
        (Some(other), _) => return format!("{other} has it open: end that"),
        (None, hidden) => hidden,
    };
    let where_ = path.display();
    if hidden {
        format!(
            "another program has it open, whose name this user may not see: sudo fuser -v {where_}"
        )
    } else {
        "no other program has it open, so this one has still, or the kernel's driver: it is free again in a moment, or when \
         the device was unplugged"
            .to_owned()
    }
}

/// Another process that has the same device open under any name, and whether some processes could not be looked at.
fn others_with(path: &Path, proc: &Path) -> (Option<String>, bool) {
    let Ok(wanted) = fs::metadata(path) else {
        return (None, true);
    };
    let is_it = |found: &fs::Metadata| {
        if wanted.file_type().is_char_device() {
            found.file_type().is_char_device() && found.rdev() == wanted.rdev()
        } else {
            (found.dev(), found.ino()) == (wanted.dev(), wanted.ino())
        }
    };
    let own = std::process::id().to_string();
    let mut hidden = false;
    let Ok(processes) = fs::read_dir(proc) else {
        return (None, true);
    };
    for process in processes.flatten() {
        let id = process.file_name().to_string_lossy().into_owned();
        // `self` and `thread-self` are this process under another name.
        if id == own || id.parse::<u32>().is_err() {
            continue;
        }
        let open = match fs::read_dir(process.path().join("fd")) {
            Ok(open) => open,
            Err(error) => {
                hidden |= error.kind() == io::ErrorKind::PermissionDenied;
                continue;
            }
        };
        // Follows the link to what is open, wherever its name leads in another mount namespace.
        let has_it = open
            .flatten()
            .any(|fd| fs::metadata(fd.path()).is_ok_and(|found| is_it(&found)));
        if has_it {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return (Some(format!("{} (process {id})", name.trim())), hidden);
        }
    }
    // With `hidepid=` or `ProtectProc=invisible` others are not even listed.
    let sees_others = proc.join("1").exists();
    (None, hidden || !sees_others)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(errno: Errno) -> io::Error {
        errno.into()
    }

    #[test]
    fn permission_names_the_group_of_the_node() {
        let text = explained(Path::new("/proc/self/mem"), error(Errno::ACCESS)).to_string();
        assert!(text.contains("the group root: sudo usermod"), "{text}");
        let text = explained(Path::new("/dev/none"), error(Errno::ACCESS)).to_string();
        assert!(text.contains("the group video"), "{text}");
    }

    #[test]
    fn busy_names_the_program() {
        let file = std::env::temp_dir().join(format!("spidercar-busy-{}", std::process::id()));
        let mut holder = std::process::Command::new("sh")
            .arg("-c")
            .arg(format!("exec 7>'{}'; echo; exec cat", file.display()))
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0];
        io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut first).unwrap();
        let text = explained(&file, error(Errno::BUSY)).to_string();
        drop(holder.stdin.take());
        holder.wait().unwrap();
        let wanted = format!("(process {}) has it open", holder.id());
        assert!(text.contains(&wanted), "{text}");
        let text = explained(&file, error(Errno::BUSY)).to_string();
        assert!(text.contains("no other program has it open"), "{text}");
        // This process has it open, as it has when it looks what a node is.
        let ours = fs::File::open(&file).unwrap();
        let text = explained(&file, error(Errno::BUSY)).to_string();
        drop(ours);
        fs::remove_file(&file).unwrap();
        assert!(text.contains("no other program has it open"), "{text}");
        assert!(
            !text.contains("self") && !text.contains("end that"),
            "{text}"
        );
    }

    #[test]
    fn a_device_is_known_by_its_number_not_by_its_name() {
        let folder = std::env::temp_dir().join(format!("spidercar-holder-{}", std::process::id()));
        fs::create_dir_all(folder.join("proc/71/fd")).unwrap();
        fs::create_dir_all(folder.join("proc/1")).unwrap();
        fs::write(folder.join("proc/71/comm"), "motion\n").unwrap();
        // Under another name: /dev/stdin may lead anywhere, /dev/null and a link to it are one device.
        std::os::unix::fs::symlink("/dev/null", folder.join("cam")).unwrap();
        std::os::unix::fs::symlink("/dev/null", folder.join("proc/71/fd/7")).unwrap();
        // This process is not named, by whatever name it is listed.
        for own in ["self", "thread-self", &std::process::id().to_string()] {
            fs::create_dir_all(folder.join("proc").join(own).join("fd")).unwrap();
            let link = folder.join("proc").join(own).join("fd/3");
            std::os::unix::fs::symlink("/dev/null", link).unwrap();
        }
        let proc = folder.join("proc");
        assert_eq!(
            holder(&folder.join("cam"), &proc),
            "motion (process 71) has it open: end that"
        );
        let text = holder(Path::new("/dev/zero"), &proc);
        assert!(text.starts_with("no other program has it open"), "{text}");
        // A system that hides other users' processes.
        fs::remove_dir_all(proc.join("71")).unwrap();
        fs::remove_dir_all(proc.join("1")).unwrap();
        let text = holder(&folder.join("cam"), &proc);
        assert!(text.contains("may not see: sudo fuser -v"), "{text}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_a_driver_means_is_said_in_words() {
        for (errno, wanted) in [
            (Errno::NOSPC, "the USB bus has no room"),
            (Errno::NOMEM, "no memory for its pictures"),
            (Errno::PROTO, "cable or its power"),
            (Errno::PIPE, "plug it in again"),
            (Errno::IO, "dmesg"),
            (Errno::TIMEDOUT, "does not answer in time"),
            (Errno::NODEV, "unplugged"),
        ] {
            let text = explained(Path::new("/dev/video0"), error(errno)).to_string();
            assert!(text.contains(wanted), "{text}");
        }
        let text = explained(Path::new("/dev/null"), error(Errno::INVAL)).to_string();
        assert_eq!(text, error(Errno::INVAL).to_string());
    }
}
