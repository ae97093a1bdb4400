//! Runs another program for its answer, within a time limit.
//!
//! Invariants: an answer, a failure or the limit comes, whatever the program does; nothing that was started stays.

use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often a running program is looked at. choice: a hundredth of the shortest limit in use.
const LOOK: Duration = Duration::from_millis(10);

/// Most output that is read. choice: sixteen screens of text.
const MOST: u64 = 65_536;

/// What a program said.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether its exit code was 0.
    pub is_good: bool,
    /// Its standard output.
    pub out: String,
    /// Its standard error output.
    pub err: String,
}

/// Runs `program`, with nothing to read, until it ends.
///
/// # Errors
/// It cannot be started, or did not end within `limit` (`ErrorKind::TimedOut`) and was killed.
pub fn ask(program: &Path, arguments: &[&str], limit: Duration) -> io::Result<Answer> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let answer = until_its_end(&mut child, limit);
    if answer.is_err() {
        // It may have ended by itself meanwhile; then both are in vain and do no harm.
        let _ = child.kill();
        let _ = child.wait();
    }
    answer
}

fn until_its_end(child: &mut Child, limit: Duration) -> io::Result<Answer> {
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() >= limit {
            return Err(ErrorKind::TimedOut.into());
        }
        thread::sleep(LOOK);
    };
    Ok(Answer {
        is_good: status.success(),
        out: child
            .stdout
            .take()
            .map(text)
            .transpose()?
            .unwrap_or_default(),
        err: child
            .stderr
            .take()
            .map(text)
            .transpose()?
            .unwrap_or_default(),
    })
}

/// What is in a pipe now. A descendant of the program may still hold its other end.
fn text(pipe: impl Read + std::os::fd::AsFd) -> io::Result<String> {
    rustix::io::ioctl_fionbio(&pipe, true)?;
    let mut bytes = Vec::new();
    match pipe.take(MOST).read_to_end(&mut bytes) {
        Err(err) if err.kind() != ErrorKind::WouldBlock => Err(err),
        Ok(_) | Err(_) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> io::Result<Answer> {
        ask(Path::new("/bin/sh"), &["-c", script], limit)
    }

    #[test]
    fn both_outputs_and_the_exit_code_come_back() {
        let answer = shell("echo out; echo err >&2; exit 3", Duration::from_secs(60)).unwrap();
        let wanted = Answer {
            is_good: false,
            out: "out\n".to_owned(),
            err: "err\n".to_owned(),
        };
        assert_eq!(answer, wanted);
    }

    #[test]
    fn a_program_that_hangs_is_ended_and_a_descendant_that_stays_is_not_waited_for() {
        let hangs = shell("exec sleep 600", Duration::from_millis(50)).unwrap_err();
        assert_eq!(hangs.kind(), ErrorKind::TimedOut);
        let leaves = shell("echo said; sleep 30 &", Duration::from_secs(20)).unwrap();
        assert_eq!(leaves.out, "said\n");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let missing = ask(Path::new("/nonexistent/program"), &[], Duration::ZERO);
        assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
    }
}
