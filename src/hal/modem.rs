//! The signal of a mobile modem, as ModemManager knows it: its own command `mmcli`, asked now and then.
//!
//! D-Bus without it would be a crate of thirty more; a command that is there wherever ModemManager is costs a process every
//! ten seconds. It is never waited for: it is started on one look, and read on the next ones; one that hangs is killed.
//!
//! ```text
//!   idle ──10 s──▶ mmcli -m any -J ──ended──▶ percent, or none
//!                        └── 3 s ──▶ killed ──▶ none
//! ```
//!
//! Promises: `poll` does not wait; where there is no `mmcli`, no modem or no signal, there is no number.
//! Knows nothing of: telemetry.
//! Sources: mmcli(1), `--output-json`; ModemManager D-Bus API, `Modem.SignalQuality` (percent, recent).

use core::time::Duration;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::logic::units::Uptime;

/// How often the modem is asked. choice: ModemManager itself asks it every 30 s or on a change.
const PERIOD: Duration = Duration::from_secs(10);

/// How long `mmcli` may take. choice: it takes some 50 ms where ModemManager answers, and D-Bus waits 25 s where not.
const LIMIT: Duration = Duration::from_secs(3);

/// Most output that is read. choice: ten times what a modem with all its bands says.
const MOST: usize = 65_536;

/// A question that is under way.
#[derive(Debug)]
struct Question {
    child: Child,
    output: ChildStdout,
    text: Vec<u8>,
    asked_at: Uptime,
}

/// Asks for the signal.
#[derive(Debug)]
pub struct Modem {
    program: PathBuf,
    question: Option<Question>,
    next_at: Uptime,
    percent: Option<u8>,
}

impl Modem {
    /// Asks with this program: `mmcli`, or another for tests.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            question: None,
            next_at: Uptime::ZERO,
            percent: None,
        }
    }

    /// The signal in percent, as it was last said. Call it about once a second.
    pub fn poll(&mut self, now: Uptime) -> Option<u8> {
        match self.question.take() {
            None if now >= self.next_at => {
                self.next_at = now.after(PERIOD);
                self.question = self.ask(now);
                if self.question.is_none() {
                    self.percent = None;
                }
            }
            None => {}
            Some(mut question) => match question.look(now) {
                Look::Waiting => self.question = Some(question),
                Look::Answered => self.percent = signal(&question.text),
                Look::Failed => self.percent = None,
            },
        }
        self.percent
    }

    /// Whether no question is under way.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.question.is_none()
    }

    fn ask(&self, now: Uptime) -> Option<Question> {
        let mut child = Command::new(&self.program)
            .args(["--modem", "any", "--output-json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?; // most boards have no ModemManager
        let output = child.stdout.take()?;
        let question = Question {
            child,
            output,
            text: Vec::new(),
            asked_at: now,
        };
        rustix::io::ioctl_fionbio(&question.output, true).ok()?;
        Some(question)
    }
}

enum Look {
    Waiting,
    Answered,
    Failed,
}

impl Question {
    fn look(&mut self, now: Uptime) -> Look {
        let mut part = [0; 4096];
        loop {
            match self.output.read(&mut part) {
                Ok(0) => break,
                Ok(length) => self.text.extend(part.iter().take(length)),
                Err(err) if err.kind() == ErrorKind::Interrupted => {}
                Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return Look::Failed,
            }
            if self.text.len() > MOST {
                return Look::Failed;
            }
        }
        match self.child.try_wait() {
            Ok(Some(status)) if status.success() => Look::Answered,
            Ok(None) if now.since(self.asked_at) < LIMIT => Look::Waiting,
            Ok(Some(_) | None) | Err(_) => Look::Failed,
        }
    }
}

impl Drop for Question {
    /// Nobody waits for an answer any more. After an answer both are in vain and do no harm.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait(); // a killed process ends at once
    }
}

/// The signal in `mmcli`'s answer: `{"modem":{"generic":{"signal-quality":{"recent":"yes","value":"63"}}}}`.
fn signal(answer: &[u8]) -> Option<u8> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let quality = answer.pointer("/modem/generic/signal-quality")?;
    let value = quality.get("value")?;
    let percent: u8 = match value.as_str() {
        Some(text) => text.parse().ok()?,
        None => u8::try_from(value.as_u64()?).ok()?,
    };
    let is_recent = quality.get("recent").and_then(Value::as_str) != Some("no");
    // A modem that is off says "0, not recent": that is no signal, but neither is it a measured one.
    (percent <= 100 && (is_recent || percent > 0)).then_some(percent)
}

#[cfg(test)]
mod tests;
