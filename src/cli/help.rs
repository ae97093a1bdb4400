//! The table of commands as text: help pages, usage lines, and the tail of usage errors.
//!
//! Promises: every flag and exit code of a command is on its page; text is at most 80 wide, but for
//! usage lines and examples, which are there to be copied.
//! Knows nothing of: any particular command.

use super::commands::{COMMANDS, Command, Flag};
use super::{Exit, Misuse};

impl Command {
    /// The command's help page.
    #[must_use]
    pub fn help(&self) -> String {
        let word = self.name.word();
        let mut out = format!(
            "spidercar {word}: {}\n\nUsage: {}\n\n",
            self.summary,
            self.usage()
        );
        paragraph(&mut out, "", self.about);
        let listed = || self.positional.iter().chain(self.flags);
        let title = |flag: &Flag| match flag.value {
            value if value.is_empty() || value == flag.name => flag.name.to_owned(),
            value => format!("{} {value}", flag.name),
        };
        if !self.flags.is_empty() {
            out.push_str("\nFlags:\n");
        }
        for flag in listed() {
            line(&mut out, &format!("  {}", title(flag)));
            paragraph(&mut out, "      ", flag.doc);
        }
        out.push_str("\nExamples:\n");
        for (example, what) in self.examples {
            line(&mut out, &format!("  {example}"));
            paragraph(&mut out, "      ", what);
        }
        out.push_str("\nExit codes:\n");
        for exit in self.exits {
            line(&mut out, &format!("  {}  {}", exit.code(), exit.meaning()));
        }
        out
    }

    /// How to type it, on one line.
    #[must_use]
    pub fn usage(&self) -> String {
        let mut out = format!("spidercar {}", self.name.word());
        for value in self.positional {
            out.push(' ');
            out.push_str(value.value);
        }
        for flag in self.flags {
            let space = if flag.value.is_empty() { "" } else { " " };
            let again = if flag.many { "..." } else { "" };
            let (open, close) = if flag.needed { ("", "") } else { ("[", "]") };
            let shown = format!(" {open}{}{space}{}{close}{again}", flag.name, flag.value);
            out.push_str(&shown);
        }
        out
    }

    /// What is wrong with a use of this command.
    pub(super) fn misuse(&self, what: &str) -> Misuse {
        let word = self.name.word();
        Misuse(format!(
            "{word}: {what}\n  usage: {}\n  `spidercar {word} --help` says more",
            self.usage()
        ))
    }
}

/// `spidercar --help`.
#[must_use]
pub(super) fn overview() -> String {
    let mut out = String::from(
        "spidercar: the one program on a camera car that is driven from a browser\n\nCommands:\n",
    );
    for command in COMMANDS {
        line(
            &mut out,
            &format!("  {:11}{}", command.name.word(), command.summary),
        );
    }
    out.push_str(
        "\nTry it now, with no hardware:\n  spidercar run\n\n`spidercar COMMAND --help` has flags, examples and exit codes.\n",
    );
    out.push_str("Logs go to stderr, data to stdout.\n\nExit codes:\n");
    for exit in Exit::ALL {
        line(&mut out, &format!("  {}  {}", exit.code(), exit.meaning()));
    }
    out
}

/// `spidercar --version`.
#[must_use]
pub(super) fn version() -> String {
    let of = if cfg!(feature = "libcamera") {
        super::WITH_LIBCAMERA
    } else {
        ""
    };
    format!("{}{of}\n", super::VERSION)
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

/// Adds a text, broken into lines between words.
fn paragraph(out: &mut String, indent: &str, text: &str) {
    // choice: fits a terminal of usual width.
    const WIDTH: usize = 80;
    let mut current = String::from(indent);
    for word in text.split_whitespace() {
        let full = current.chars().count() + 1 + word.chars().count() > WIDTH;
        if full && current.len() > indent.len() {
            line(out, &current);
            current = String::from(indent);
        }
        if current.len() > indent.len() {
            current.push(' ');
        }
        current.push_str(word);
    }
    line(out, &current);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_example_and_exit_code_is_on_the_page() {
        for command in COMMANDS {
            let page = command.help();
            for flag in command.positional.iter().chain(command.flags) {
                assert!(
                    page.contains(&format!("\n  {}", flag.name)),
                    "{} in {page}",
                    flag.name
                );
                assert!(command.usage().contains(flag.name), "{}", command.usage());
            }
            for (example, _) in command.examples {
                assert!(
                    example.contains(&format!("spidercar {}", command.name.word())),
                    "{example}"
                );
                assert!(page.contains(example), "{example} in {page}");
            }
            for exit in command.exits {
                assert!(
                    page.contains(&format!("\n  {}  ", exit.code())),
                    "{exit:?} in {page}"
                );
            }
        }
    }

    #[test]
    fn the_overview_names_every_command_and_exit_code() {
        let page = overview();
        for command in COMMANDS {
            assert!(
                page.contains(&format!("\n  {:11}", command.name.word())),
                "{page}"
            );
        }
        for exit in Exit::ALL {
            assert!(
                page.contains(&format!("\n  {}  {}", exit.code(), exit.meaning())),
                "{page}"
            );
        }
    }

    #[test]
    fn prose_is_at_most_80_wide() {
        for command in COMMANDS {
            for line in command.help().lines() {
                let to_be_copied = line.contains("spidercar ");
                assert!(to_be_copied || line.chars().count() <= 80, "{line}");
            }
        }
    }

    #[test]
    fn codes_are_those_of_the_contract() {
        assert_eq!(Exit::ALL.map(Exit::code), [0, 1, 2, 3, 4]);
    }
}
