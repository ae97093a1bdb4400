//! What the system's refusals mean for whoever stands before the car: which group, which program.
//!
//! Promises: looks at files only; a thing that cannot be found out is left out.
//! Knows nothing of: cameras and encoders. Sources: `open(2)`, `proc(5)`, `group(5)`.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::io::Errno;

use crate::config::holder::{self, Holder};

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
        format!("{error}; {}", held(path))
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

/// Who has a node open, in words.
fn held(path: &Path) -> String {
    match holder::of_device(path) {
        Holder::Program(other) => format!("{other} has it open: end that"),
        Holder::Hidden => format!(
            "another program has it open, whose name this user may not see: sudo fuser -v {}",
            path.display()
        ),
        Holder::NoOther => "no other program has it open, so this one has still, or the kernel's driver: it is free again in \
                            a moment, or when the device was unplugged"
            .to_owned(),
    }
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
