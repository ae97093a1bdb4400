//! What is wrong with a configuration: where, which key, which value, and what would be right.
//!
//! Problems are values that are collected, so that one start of the program shows all of them and
//! a person at a car in a field edits the file once. A problem is one line, because it ends up in
//! a journal:
//!
//! ```text
//! /etc/spidercar/spidercar.toml:12: camera.fps = 99: must be a whole number, 1 to 60 frames/s
//! └─────────── origin ────────────┘ └─ key ──┘   └┘  └──────────────── what ────────────────┘
//! ```
//!
//! Promises: a report is never empty, and lists the file's problems in the order of its lines,
//! then those of the command line as they were given.
//! Knows nothing of: which keys there are.

use core::fmt;

/// Where a value was said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In a file as a whole, or nowhere in particular in it.
    File(String),
    /// In a line of a file, counted from 1.
    Line {
        /// The file, as the user named it.
        file: String,
        /// The line, counted from 1.
        line: usize,
    },
    /// On the command line, by this flag.
    Flag(String),
    /// Nowhere: it is the default.
    Default,
}

impl Origin {
    /// Its place in a report: the file, its lines, the command line, the rest.
    fn place(&self) -> (u8, usize) {
        match self {
            Self::File(_) => (0, 0),
            Self::Line { line, .. } => (1, *line),
            Self::Flag(_) => (2, 0),
            Self::Default => (3, 0),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => f.write_str(file),
            Self::Line { file, line } => write!(f, "{file}:{line}"),
            Self::Flag(flag) => f.write_str(flag),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    origin: Origin,
    key: String,
    value: Option<String>,
    what: String,
}

impl Problem {
    /// A problem with a file or a line as such, not with one key.
    #[must_use]
    pub fn of_file(origin: Origin, what: impl Into<String>) -> Self {
        Self {
            origin,
            key: String::new(),
            value: None,
            what: what.into(),
        }
    }

    /// A problem with a key, its value left out: because it has none, or may be a secret.
    #[must_use]
    pub fn of_key(origin: Origin, key: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            origin,
            key: key.into(),
            value: None,
            what: what.into(),
        }
    }

    /// A problem with the value of a key; the value is shown, cut to one short line, unless it may hold a secret.
    #[must_use]
    pub fn of_value(
        origin: Origin,
        key: impl Into<String>,
        value: &str,
        what: impl Into<String>,
    ) -> Self {
        Self {
            origin,
            key: key.into(),
            // Before an '@' may stand a password: wss://USER:PASSWORD@HOST.
            value: (!value.contains('@')).then(|| excerpt(value)),
            what: what.into(),
        }
    }

    /// The key it concerns; empty where it concerns the whole file.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Where it was said.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            f.write_str(&self.key)?;
            if let Some(value) = &self.value {
                write!(f, " = {value}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.what)
    }
}

/// Everything that is wrong with a configuration, in reading order. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report(Vec<Problem>);

impl Report {
    /// A report of these problems, or `None` if there are none.
    #[must_use]
    pub fn of(mut problems: Vec<Problem>) -> Option<Self> {
        problems.sort_by_key(|problem| problem.origin.place());
        (!problems.is_empty()).then_some(Self(problems))
    }

    /// The problems, in reading order.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("1 problem")?,
            n => write!(f, "{n} problems")?,
        }
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl core::error::Error for Report {}

/// The first line of a value, at most 60 characters of it.
fn excerpt(value: &str) -> String {
    // choice: longer than any good value, short enough for one line of a journal.
    const LONGEST: usize = 60;
    let line = value.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(LONGEST).collect();
    if short.len() < value.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(line: usize) -> Origin {
        Origin::Line {
            file: "car.toml".into(),
            line,
        }
    }

    #[test]
    fn a_problem_is_one_line_with_place_key_value_and_reason() {
        let problem = Problem::of_value(line(12), "camera.fps", "99", "must be 1 to 60");
        assert_eq!(
            problem.to_string(),
            "car.toml:12: camera.fps = 99: must be 1 to 60"
        );
        let problem = Problem::of_key(Origin::Flag("--set".into()), "camera.fsp", "no such key");
        assert_eq!(problem.to_string(), "--set: camera.fsp: no such key");
        let problem = Problem::of_file(Origin::File("car.toml".into()), "cannot be read");
        assert_eq!(problem.to_string(), "car.toml: cannot be read");
    }

    #[test]
    fn long_and_many_lined_values_are_cut() {
        let shown = |value: &str| Problem::of_value(line(1), "a", value, "bad").to_string();
        assert_eq!(shown("[1,\n2]"), "car.toml:1: a = [1,…: bad");
        assert_eq!(
            shown(&"é".repeat(60)),
            format!("car.toml:1: a = {}: bad", "é".repeat(60))
        );
        assert_eq!(
            shown(&"é".repeat(61)),
            format!("car.toml:1: a = {}…: bad", "é".repeat(60))
        );
    }

    #[test]
    fn a_value_that_may_hold_a_password_is_left_out() {
        let problem = Problem::of_value(line(1), "spider.url", "\"wss://me:hunter2@host\"", "bad");
        assert_eq!(problem.to_string(), "car.toml:1: spider.url: bad");
    }

    #[test]
    fn a_report_reads_in_the_order_of_the_file_then_the_flags() {
        let of = |origin| Problem::of_file(origin, "bad");
        let report = Report::of(vec![
            of(Origin::Default),
            of(Origin::Flag("URL".into())),
            of(Origin::Flag("--set".into())),
            of(line(10)),
            of(line(9)),
        ])
        .expect("five problems");
        assert_eq!(
            report.to_string(),
            "5 problems\n  car.toml:9: bad\n  car.toml:10: bad\n  URL: bad\n  --set: bad\n  default: bad"
        );
    }

    #[test]
    fn no_problem_is_no_report() {
        assert_eq!(Report::of(Vec::new()), None);
    }
}
