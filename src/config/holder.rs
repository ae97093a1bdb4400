//! Who has a device or a port: the other program's name and number, for "in use" and "busy".
//!
//! ```text
//!   file:  /proc/PID/fd/* ─▶ the same device (or file)                         ─▶ "motion (process 812)"
//!   port:  /proc/net/tcp, tcp6 ─▶ listening there ─▶ its inode ─▶ fd "socket:[..]" ─▶ the same
//! ```
//!
//! Promises: looks at files only. This process is never named: that it looks at a node opens it, too.
//! Sources: `proc(5)`: `/proc/net/tcp` (`0A` is LISTEN), `/proc/PID/fd`, `hidepid`.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Where the kernel tells of processes.
const PROC: &str = "/proc";

/// A place that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// By this program: name and process number.
    Program(String),
    /// By a program that this user may not see.
    Hidden,
    /// By no other program: this one has it, or the kernel.
    NoOther,
}

/// Who has a device open, under whatever name; with a file that is no device, that file.
#[must_use]
pub fn of_device(path: &Path) -> Holder {
    of_device_in(Path::new(PROC), path)
}

fn of_device_in(proc: &Path, path: &Path) -> Holder {
    let Ok(wanted) = fs::metadata(path) else {
        return Holder::Hidden;
    };
    of(proc, |open| {
        // Follows the link to what is open, wherever its name leads in another mount namespace.
        fs::metadata(open).is_ok_and(|found| {
            if wanted.file_type().is_char_device() {
                found.file_type().is_char_device() && found.rdev() == wanted.rdev()
            } else {
                (found.dev(), found.ino()) == (wanted.dev(), wanted.ino())
            }
        })
    })
}

/// Who listens on a TCP port, on whatever address of this machine.
#[must_use]
pub fn of_port(port: u16) -> Holder {
    let proc = Path::new(PROC);
    let sockets: Vec<String> = ["net/tcp", "net/tcp6"]
        .into_iter()
        .filter_map(|table| fs::read_to_string(proc.join(table)).ok())
        .flat_map(|table| listening(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if sockets.is_empty() {
        return Holder::NoOther;
    }
    of(proc, |open| {
        let leads_to = fs::read_link(open).unwrap_or_default();
        sockets.iter().any(|socket| leads_to == Path::new(socket))
    })
}

/// Inodes of the sockets that listen on a port, of a table as `/proc/net/tcp`.
fn listening(table: &str, port: u16) -> Vec<u64> {
    let end = format!(":{port:04X}");
    let inode = |line: &str| {
        let mut fields = line.split_whitespace();
        let is_there = fields.nth(1)?.ends_with(&end);
        let listens = fields.nth(1)? == "0A";
        let inode = fields.nth(5)?.parse().ok()?;
        (is_there && listens).then_some(inode)
    };
    table.lines().skip(1).filter_map(inode).collect()
}

/// The first other process with such an open file.
fn of(proc: &Path, is_it: impl Fn(&Path) -> bool) -> Holder {
    let own = std::process::id().to_string();
    let mut is_hidden = false;
    let Ok(processes) = fs::read_dir(proc) else {
        return Holder::Hidden;
    };
    for process in processes.flatten() {
        let id = process.file_name().to_string_lossy().into_owned();
        // `self` and `thread-self` are this process under another name.
        if id == own || id.parse::<u32>().is_err() {
            continue;
        }
        match fs::read_dir(process.path().join("fd")) {
            Ok(open) => {
                if open.flatten().any(|fd| is_it(&fd.path())) {
                    let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
                    return Holder::Program(format!("{} (process {id})", name.trim()));
                }
            }
            Err(error) => is_hidden |= error.kind() == io::ErrorKind::PermissionDenied,
        }
    }
    // With `hidepid=` or `ProtectProc=invisible` others are not even listed.
    let sees_others = proc.join("1").exists();
    if is_hidden || !sees_others {
        Holder::Hidden
    } else {
        Holder::NoOther
    }
}

/// What to do about a port that is taken: names who has it.
#[must_use]
pub fn port_taken(port: u16) -> String {
    match of_port(port) {
        Holder::Program(other) => format!("{other} listens there: end that"),
        Holder::Hidden => format!(
            "another program listens there, whose name this user may not see (sudo ss -ltnp 'sport = :{port}'): end that"
        ),
        Holder::NoOther => "another car or Spider may run already: end that".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A process that has these lines' files open until it is dropped.
    struct Other(Child);

    impl Other {
        fn with(script: &str) -> (Self, String) {
            let mut child = Command::new("python3")
                .args([
                    "-c",
                    &format!("{script}\nprint('', flush=True)\nimport sys; sys.stdin.read()"),
                ])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut line = String::new();
            let mut out = io::BufReader::new(child.stdout.take().unwrap());
            io::BufRead::read_line(&mut out, &mut line).unwrap();
            (Self(child), line.trim().to_owned())
        }
    }

    impl Drop for Other {
        fn drop(&mut self) {
            drop(self.0.stdin.take());
            self.0.wait().unwrap();
        }
    }

    #[test]
    fn a_port_names_who_listens_on_it_on_either_family() {
        for (family, address) in [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")] {
            let (other, port) = Other::with(&format!(
                "import socket; s = socket.socket(socket.{family}); s.bind(('{address}', 0)); s.listen(); \
                 print(s.getsockname()[1], end='')"
            ));
            let port = port.parse().unwrap();
            let Holder::Program(name) = of_port(port) else {
                panic!("{:?}", of_port(port));
            };
            assert!(name.ends_with(&format!("(process {})", other.0.id())));
            assert!(port_taken(port).ends_with("listens there: end that"));
        }
    }

    #[test]
    fn this_process_is_not_named() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(!matches!(of_port(port), Holder::Program(_)));
        drop(listener);
        assert_eq!(of_port(port), Holder::NoOther);
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
        let motion = Holder::Program("motion (process 71)".to_owned());
        assert_eq!(of_device_in(&proc, &folder.join("cam")), motion);
        assert_eq!(of_device_in(&proc, Path::new("/dev/zero")), Holder::NoOther);
        // A system that hides other users' processes.
        fs::remove_dir_all(proc.join("71")).unwrap();
        fs::remove_dir_all(proc.join("1")).unwrap();
        assert_eq!(of_device_in(&proc, &folder.join("cam")), Holder::Hidden);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn only_sockets_that_listen_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:204A 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0\n\
             1: 0100007F:204A 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 20 4 30 10 -1\n\
             2: 0100007F:204B 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4713 1 0 100 0 0 10 0\n\
             3: short\n";
        assert_eq!(listening(table, 0x204A), [4711]);
        assert_eq!(listening(table, 0x204B), [4713]);
        assert!(listening(table, 1).is_empty());
    }
}
