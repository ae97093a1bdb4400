//! A command in a terminal of its own, for the questions that the program asks a person: `script` makes the terminal.
//!
//! What is typed goes through a pipe to `script`, and from there to the program as keys; what it says comes back the same way.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::PATIENCE;

/// How each question of `doctor --hands` ends.
const ASKED: &str = "q: end  ";

/// A command that sees a terminal.
pub struct AtTerminal {
    child: Child,
    keys: ChildStdin,
    said: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    /// So much of what was said has been answered.
    answered: usize,
}

impl AtTerminal {
    /// Starts a command. Its words must be plain: no quotes in them.
    pub fn start(command: &Command) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<String> = words
            .map(|word| format!("'{}'", word.to_str().expect("a plain word")))
            .collect();
        let mut script = Command::new("script");
        script
            .args(["--quiet", "--return", "--flush", "--command"])
            .arg(words.join(" "))
            .arg("/dev/null")
            .env("TERM", "vt100")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        for (name, value) in command.get_envs() {
            script.env(name, value.unwrap_or_default());
        }
        let mut child = script.spawn().expect("script, of bsdutils");
        let keys = child.stdin.take().expect("piped");
        let mut screen = child.stdout.take().expect("piped");
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]);
                heard.lock().expect("not poisoned").push_str(&text);
            }
        });
        Self {
            child,
            keys,
            said,
            reader: Some(reader),
            answered: 0,
        }
    }

    /// All that was said so far.
    pub fn said(&self) -> String {
        self.said.lock().expect("not poisoned").clone()
    }

    /// Waits until one of these is said from there on; which came first, and where it ends.
    fn wait_for_first(&self, texts: &[&str], from: usize) -> (usize, usize) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.said();
            let rest = said.get(from..).unwrap_or_default();
            let found = texts
                .iter()
                .enumerate()
                .filter_map(|(which, text)| Some((rest.find(text)?, which, text.len())));
            if let Some((at, which, length)) = found.min() {
                return (which, from + at + length);
            }
            assert!(Instant::now() < deadline, "waited for {texts:?}: {said}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until this is said from there on; where it ends.
    fn wait_for(&self, text: &str, from: usize) -> usize {
        self.wait_for_first(&[text], from).1
    }

    /// Types a line when this was said.
    pub fn line(&mut self, after: &str, line: &str) {
        self.answered = self.wait_for(after, self.answered);
        writeln!(self.keys, "{line}").expect("a terminal");
    }

    /// Presses a key when a question with these words was asked; false if something else was said before.
    pub fn answers_unless(&mut self, other: &str, question: &str, key: &str) -> bool {
        let (first, end) = self.wait_for_first(&[question, other], self.answered);
        let is_asked = first == 0;
        if is_asked {
            self.answer(question, key);
        } else {
            self.answered = end;
        }
        is_asked
    }

    /// Presses a key when a question with these words was asked.
    pub fn answer(&mut self, question: &str, key: &str) {
        let asked = self.wait_for(question, self.answered);
        self.answered = self.wait_for(ASKED, asked);
        self.keys.write_all(key.as_bytes()).expect("a terminal");
    }

    /// The exit code, when it has ended, and all that was said.
    pub fn ends(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                // The last words are in the pipe until it is closed.
                if let Some(reader) = self.reader.take() {
                    reader.join().expect("a reader");
                }
                return (status.code(), self.said());
            }
            assert!(
                Instant::now() < deadline,
                "it does not end: {}",
                self.said()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for AtTerminal {
    fn drop(&mut self) {
        // Its terminal goes with it, on which the program ends at neutral.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
