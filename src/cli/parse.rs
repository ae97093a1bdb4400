//! How the arguments are read: flag by flag as the table has them, then as what they ask for.
//!
//! `lexopt` splits the arguments; it was chosen because it declares nothing ahead, so the table in
//! `commands.rs` stays the only one. Its own messages are replaced where they could not name the
//! nearest flag or the usage.
//!
//! Promises: nothing but the arguments is looked at; `--help` wins over whatever follows it.
//! Knows nothing of: which flags there are.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::Arg;

use super::commands::{COMMANDS, Command, Flag, Name, WHEN_STDIN_ENDS};
use super::{Asked, CalibrateWish, Check, DoctorWish, Given, Misuse, Work, help};
use crate::config::Set;
use crate::config::nearest::{did_you_mean, nearest};
use crate::config::schema;

/// The most seconds that pictures are timed. choice: an hour shows what heat does.
const FILM_S: u16 = 3600;

/// What other programs call these commands: near in meaning, far in letters.
const OTHER_NAMES: [(&str, &str); 9] = [
    ("drive", "run"),
    ("start", "run"),
    ("car", "run"),
    ("serve", "spider"),
    ("server", "spider"),
    ("view", "watch"),
    ("config", "check"),
    ("test", "doctor"),
    ("stop", "neutral"),
];

/// Makes sense of the arguments that follow the program's name.
///
/// # Errors
/// What makes no sense, with the nearest thing that would.
pub fn parse(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Asked, Misuse> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let word = match next(&mut parser)? {
        None => return Err(Misuse(format!("which command?\n\n{}", help::overview()))),
        Some(Token::Flag(flag)) => {
            return match flag.as_str() {
                "--help" | "-h" => Ok(Asked::Text(help::overview())),
                "--version" | "-V" => Ok(Asked::Text(help::version())),
                other => {
                    let near = did_you_mean(nearest(other, ["--help", "--version"]));
                    Err(no_command(&format!(
                        "no flag {other} before the command{near}"
                    )))
                }
            };
        }
        Some(Token::Value(word)) => word.to_string_lossy().into_owned(),
    };
    if word == "help" {
        return help_for(&mut parser);
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name.word() == word) else {
        return Err(unknown_command(&word));
    };
    match said(command, &mut parser)? {
        Some(said) => said.asked(),
        None => Ok(Asked::Text(command.help())),
    }
}

fn help_for(parser: &mut lexopt::Parser) -> Result<Asked, Misuse> {
    match next(parser)? {
        None => Ok(Asked::Text(help::overview())),
        Some(Token::Flag(flag)) => Err(no_command(&format!("no flag {flag} after help"))),
        Some(Token::Value(word)) => {
            let word = word.to_string_lossy();
            match COMMANDS.iter().find(|command| command.name.word() == word) {
                Some(command) => Ok(Asked::Text(command.help())),
                None => Err(unknown_command(&word)),
            }
        }
    }
}

fn unknown_command(word: &str) -> Misuse {
    let meant = OTHER_NAMES
        .iter()
        .find(|(other, _)| *other == word)
        .map(|(_, ours)| *ours);
    let near = did_you_mean(meant.or_else(|| nearest(word, words())));
    no_command(&format!("no command {word:?}{near}"))
}

fn words() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|command| command.name.word())
}

fn no_command(what: &str) -> Misuse {
    let all: Vec<&str> = words().collect();
    Misuse(format!(
        "{what}\n  commands: {}\n  `spidercar --help` says what they do",
        all.join(", ")
    ))
}

/// How a setting of that name is given, for one who writes it as a flag: `--port` for `--set local.port=VALUE`.
fn setting(flag: &str) -> String {
    let leaf = flag.trim_start_matches('-').replace('-', "_");
    let is_meant = |path: &&str| *path == leaf || path.rsplit('.').next() == Some(leaf.as_str());
    let ways: Vec<String> = schema::paths()
        .filter(is_meant)
        .map(|path| format!("--set {path}=VALUE"))
        .collect();
    match ways.as_slice() {
        [] => String::new(),
        ways => format!("; did you mean {}?", ways.join(" or ")),
    }
}

/// One argument, its borrow of the parser ended.
enum Token {
    Flag(String),
    Value(OsString),
}

fn next(parser: &mut lexopt::Parser) -> Result<Option<Token>, Misuse> {
    match parser.next() {
        Ok(None) => Ok(None),
        Ok(Some(Arg::Long(name))) => Ok(Some(Token::Flag(format!("--{name}")))),
        Ok(Some(Arg::Short(name))) => Ok(Some(Token::Flag(format!("-{name}")))),
        Ok(Some(Arg::Value(value))) => Ok(Some(Token::Value(value))),
        Err(error) => Err(Misuse(error.to_string())),
    }
}

/// What was said after a command.
struct Said {
    command: &'static Command,
    flags: Vec<(&'static Flag, OsString)>,
    values: Vec<OsString>,
}

/// Reads flags and values as the command's table has them; `None` if help was asked for.
fn said(command: &'static Command, parser: &mut lexopt::Parser) -> Result<Option<Said>, Misuse> {
    let mut flags: Vec<(&'static Flag, OsString)> = Vec::new();
    let mut values = Vec::new();
    while let Some(token) = next(parser)? {
        let name = match token {
            Token::Value(value) => {
                if values.len() == command.positional.len() {
                    return Err(command.misuse(&unexpected(command, &value)));
                }
                values.push(value);
                continue;
            }
            Token::Flag(name) if name == "--help" || name == "-h" => return Ok(None),
            Token::Flag(name) => name,
        };
        let Some(flag) = command.flags.iter().find(|flag| flag.name == name) else {
            let known = command.flags.iter().map(|flag| flag.name).chain(["--help"]);
            let near = match nearest(&name, known) {
                None if command.flags.iter().any(|flag| flag.name == "--set") => setting(&name),
                suggestion => did_you_mean(suggestion),
            };
            return Err(command.misuse(&format!("no flag {name}{near}")));
        };
        if !flag.many && flags.iter().any(|(given, _)| given.name == name) {
            return Err(command.misuse(&format!("{name} is given twice")));
        }
        let value = if flag.value.is_empty() {
            match parser.optional_value() {
                None => OsString::from("true"),
                Some(_) => return Err(command.misuse(&format!("{name} takes no value"))),
            }
        } else {
            parser.value().map_err(|_| {
                command.misuse(&format!("{name} needs a value: {name} {}", flag.value))
            })?
        };
        flags.push((flag, value));
    }
    Ok(Some(Said {
        command,
        flags,
        values,
    }))
}

fn unexpected(command: &Command, value: &OsString) -> String {
    let value = value.to_string_lossy();
    let takes_config = command.flags.iter().any(|flag| flag.name == "--config");
    let looks_like = |end: &str| value.to_ascii_lowercase().ends_with(end);
    if takes_config && looks_like(".toml") {
        format!("unexpected {value:?}; did you mean --config {value}?")
    } else if takes_config && value.contains('=') {
        format!("unexpected {value:?}; did you mean --set {value}?")
    } else {
        format!("unexpected {value:?}")
    }
}

impl Said {
    fn asked(mut self) -> Result<Asked, Misuse> {
        let command = self.command;
        if let Some(missing) = command.positional.get(self.values.len()) {
            return Err(command.misuse(&format!("{} is missing", missing.value)));
        }
        let mut needed = command.flags.iter().filter(|flag| flag.needed);
        if let Some(missing) = needed.find(|flag| self.find(flag.name).is_none()) {
            return Err(command.misuse(&format!("{} {} is missing", missing.name, missing.value)));
        }
        Ok(match command.name {
            Name::Run => Asked::Work(Work::Run(self.given()?)),
            Name::Doctor => Asked::Work(Work::Doctor {
                wish: self.doctor()?,
                given: self.given()?,
            }),
            Name::Neutral => Asked::Work(Work::Neutral {
                waits: self.find(WHEN_STDIN_ENDS).is_some(),
                given: self.given()?,
            }),
            Name::Spider => Asked::Work(Work::Spider {
                faults: self.all("--fault")?,
                given: self.given()?,
            }),
            Name::Watch => {
                if self.values.iter().any(|url| url == "local") {
                    return Err(command.misuse(
                        "URL must be wss://HOST:PORT or ws://HOST:PORT: another process is watched",
                    ));
                }
                Asked::Work(Work::Watch {
                    record: self.path("--record"),
                    given: self.given()?,
                })
            }
            Name::Calibrate => Asked::Work(Work::Calibrate {
                wish: self.calibrate()?,
                given: self.given()?,
            }),
            Name::Check => Asked::Check(self.check()?),
            Name::Replay => Asked::Replay(self.values.pop().unwrap_or_default().into()),
            Name::Key => Asked::Key(self.values.pop().unwrap_or_default().into()),
        })
    }

    fn doctor(&self) -> Result<DoctorWish, Misuse> {
        let hands = self.find("--hands").is_some();
        let Some(seconds) = self.all("--video")?.pop() else {
            return Ok(if hands {
                DoctorWish::Hands
            } else {
                DoctorWish::Look
            });
        };
        if hands {
            return Err(self
                .command
                .misuse("--hands and --video are each for themselves"));
        }
        match seconds.parse() {
            Ok(length @ 1..=FILM_S) => Ok(DoctorWish::Video(length)),
            Ok(_) | Err(_) => Err(self.command.misuse(&format!(
                "--video {seconds}: a whole number of seconds, from 1 to {FILM_S}"
            ))),
        }
    }

    fn calibrate(&self) -> Result<CalibrateWish, Misuse> {
        let saves = self.all("--save")?;
        let is_said = |name| u8::from(self.find(name).is_some());
        if is_said("--show") + is_said("--save") + is_said("--reset") > 1 {
            return Err(self
                .command
                .misuse("--show, --save and --reset are each for themselves"));
        }
        if self.find("--show").is_some() {
            return Ok(CalibrateWish::Show);
        }
        if self.find("--reset").is_some() {
            return Ok(CalibrateWish::Reset);
        }
        if saves.is_empty() {
            return Ok(CalibrateWish::Terminal);
        }
        let changes = saves.iter().map(|said| {
            said.split_once('=')
                .and_then(|(name, us)| Some((name.trim().to_owned(), us.trim().parse().ok()?)))
                .ok_or_else(|| {
                    let what = format!(
                        "--save {said}: write it as NAME=MICROSECONDS, for example --save throttle_zero_us=1510"
                    );
                    self.command.misuse(&what)
                })
        });
        Ok(CalibrateWish::Save(changes.collect::<Result<_, _>>()?))
    }

    fn check(&mut self) -> Result<Check, Misuse> {
        let car = self.all("--car")?.pop();
        match self.path("--import") {
            None if car.is_some() => Err(self
                .command
                .misuse("--car is for --import: give --import FILE too")),
            None => Ok(Check::Config(self.given()?)),
            Some(file) if self.find("--config").is_none() && self.find("--set").is_none() => {
                Ok(Check::Import { file, car })
            }
            Some(_) => Err(self
                .command
                .misuse("--import prints a file of its own: leave --config and --set out")),
        }
    }

    /// The configuration that was given: by file, by `--set`, and by flags and values that stand for keys.
    fn given(&mut self) -> Result<Given, Misuse> {
        let config = self.path("--config");
        let mut sets = Vec::new();
        let positional = self.command.positional.iter().zip(&self.values);
        for (flag, value) in positional.chain(self.flags.iter().map(|(flag, value)| (*flag, value)))
        {
            if let Some(key) = flag.key {
                sets.push(Set {
                    key: key.to_owned(),
                    value: text(self.command, flag, value)?,
                    flag: flag.name.to_owned(),
                });
            } else if flag.name == "--set" {
                let said = text(self.command, flag, value)?;
                let Some((key, value)) = said.split_once('=') else {
                    let what = format!(
                        "--set {said}: write it as KEY=VALUE, for example --set camera.fps=25"
                    );
                    return Err(self.command.misuse(&what));
                };
                sets.push(Set {
                    key: key.trim().to_owned(),
                    value: value.trim().to_owned(),
                    flag: flag.name.to_owned(),
                });
            }
        }
        let built_in = !self
            .command
            .flags
            .iter()
            .any(|flag| flag.name == "--config");
        Ok(Given {
            config,
            sets,
            built_in,
        })
    }

    fn find(&self, name: &str) -> Option<&OsString> {
        self.flags
            .iter()
            .find(|(flag, _)| flag.name == name)
            .map(|(_, value)| value)
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.find(name).map(PathBuf::from)
    }

    fn all(&self, name: &str) -> Result<Vec<String>, Misuse> {
        self.flags
            .iter()
            .filter(|(flag, _)| flag.name == name)
            .map(|(flag, value)| text(self.command, flag, value))
            .collect()
    }
}

fn text(command: &Command, flag: &Flag, value: &OsString) -> Result<String, Misuse> {
    value
        .to_str()
        .map(str::to_owned)
        .ok_or_else(|| command.misuse(&format!("{}: the value is not UTF-8 text", flag.name)))
}

#[cfg(test)]
mod tests;
