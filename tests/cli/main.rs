//! What a person sees who types something wrong: the real program, its exit code, its words.
//!
//! Each case is a line of a table: what is typed, what the file says, how the program must end and
//! what must stand in stderr. Cases name their file `car.toml`; the program runs in a folder of its
//! own, so messages can be compared letter by letter.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

mod import;
mod names;
mod output;
mod sets;
mod usage;
mod values;

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "spidercar-cli-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder for the test");
        for (name, content) in files {
            fs::write(path.join(name), content).expect("a file for the test");
        }
        Self(path)
    }

    fn spidercar(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spidercar"));
        command
            .args(args)
            .current_dir(&self.0)
            .env_clear()
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Ended {
        Ended::of(&self.spidercar(args).output().expect("the program starts"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind in /tmp harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How a run ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// What `spidercar check` says of a file: every line of stderr but the first and the last.
fn problems(config: &str, args: &[&str]) -> Vec<String> {
    let folder = Folder::new(&[("car.toml", config)]);
    let ended = folder.run(&[&["check", "--config", "car.toml"], args].concat());
    assert_eq!(ended.code, Some(2), "{config}: {ended:?}");
    assert_eq!(
        ended.stdout, "",
        "{config}: bad configurations are not printed"
    );
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let [head, problems @ .., tail] = lines.as_slice() else {
        panic!("{config}: {ended:?}");
    };
    let plural = if problems.len() == 1 { "" } else { "s" };
    assert_eq!(
        *head,
        format!(
            "spidercar: the configuration has {} problem{plural}",
            problems.len()
        )
    );
    assert_eq!(
        *tail,
        "  `spidercar check` without arguments prints every key and what is allowed"
    );
    problems
        .iter()
        .map(|line| line.trim_start().to_owned())
        .collect()
}

/// Each file has a mistake that is answered with these words.
fn told(cases: &[(&str, &str)]) {
    for (config, expected) in cases {
        let problems = problems(config, &[]);
        assert!(
            problems.iter().any(|problem| problem.starts_with(expected)),
            "{config}\nexpected {expected}\ngot {problems:#?}"
        );
    }
}
