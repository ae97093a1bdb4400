//! What the system's refusals mean for whoever stands before the car: which group, which program.
//!
//! Promises: looks at files only; a thing that cannot be found out is left out.
//! Knows nothing of: cameras and encoders. Sources: `open(2)`, `proc(5)`, `group(5)`.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
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
        match user_of(path) {
            Some(user) => format!("{error}; {user} has it open: end that"),
            None => format!("{error}; another program has it open: end that"),
        }
    } else {
        return error;
    };
    io::Error::new(error.kind(), text)
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

/// The program that has a node open, if this user may see it.
fn user_of(path: &Path) -> Option<String> {
    let wanted = fs::canonicalize(path).ok()?;
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Ok(open) = fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let has_it = open
            .flatten()
            .any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target == wanted));
        let id = process.file_name();
        let id = id.to_string_lossy();
        if has_it && id != std::process::id().to_string() {
            let name = fs::read_to_string(process.path().join("comm")).ok()?;
            return Some(format!("{} (process {id})", name.trim()));
        }
    }
    None
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
        fs::remove_file(&file).unwrap();
        assert!(text.contains("another program"), "{text}");
    }

    #[test]
    fn other_errors_stay_as_they_are() {
        let text = explained(Path::new("/dev/null"), error(Errno::IO)).to_string();
        assert_eq!(text, error(Errno::IO).to_string());
    }
}
