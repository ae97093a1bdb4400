//! What a line that is no TOML was meant to be: the slips of people, in words that say what to write.
//!
//! ```text
//!   [camera]          ─▶ the table the line stands in ─┐
//!   fps = 30 Hz       ─▶ key, value ───────────────────┴─▶ the key's kind ─▶ "a number has no unit here: write 30"
//! ```
//!
//! Sources: TOML 1.0 (what a value may look like).

use crate::config::kind::Kind;
use crate::config::problem::{Origin, Problem};
use crate::config::schema;

/// What word processors make of straight quotes.
const CURLY: [char; 9] = ['“', '”', '„', '‟', '‘', '’', '‚', '«', '»'];

/// A slip that was recognised.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slip {
    /// The key, as far as it is known.
    pub(super) path: Option<&'static str>,
    /// The value as it was written.
    pub(super) value: String,
    /// What to write.
    pub(super) what: String,
}

impl Slip {
    /// The same as a problem.
    pub(super) fn told(self, origin: Origin) -> Problem {
        match self.path {
            Some(path) if self.value.is_empty() => Problem::of_key(origin, path, self.what),
            Some(path) => Problem::of_value(origin, path, &self.value, self.what),
            None => Problem::of_file(origin, self.what),
        }
    }
}

/// The slip in a line, counted from 0, if it is one that is known.
pub(super) fn find(text: &str, line: usize) -> Option<Slip> {
    let own = text.lines().nth(line)?;
    let (name, value) = own.split_once('=')?;
    let value = value.trim();
    let table = text
        .lines()
        .take(line)
        .filter_map(|line| line.trim().strip_prefix('[')?.split(']').next())
        .last();
    let name = name.trim();
    let path = table.map_or_else(
        || name.to_owned(),
        |table| format!("{}.{name}", table.trim()),
    );
    let id = schema::find(&path);
    let kind = id.map(|id| id.key().kind);
    let hint = hint(value, kind.as_ref())?;
    let allowed = kind.map(|kind| kind.allowed());
    Some(Slip {
        path: id.map(|id| id.key().path),
        value: value.to_owned(),
        what: match allowed {
            Some(allowed) => format!("{hint}; it must be {allowed}"),
            None => hint,
        },
    })
}

/// What a text was meant to be where a key wants none, or none like it: `"1500us"`, `--set KEY=“VALUE”`.
pub(super) fn in_text(text: &str, kind: &Kind) -> Option<String> {
    let text = text.trim();
    match kind {
        Kind::Whole { .. } if text.parse::<i64>().is_ok() => {
            Some(format!("a number has no quotes: write {text}"))
        }
        Kind::Flag { .. } if matches!(text, "true" | "false") => {
            Some(format!("write {text}, without quotes"))
        }
        Kind::Whole { .. } | Kind::Flag { .. } if !text.is_empty() => hint(text, Some(kind)),
        Kind::Text { .. } | Kind::Word { .. }
            if text.starts_with(CURLY) && text.len() > 3 && text.ends_with(CURLY) =>
        {
            hint(text, Some(kind))
        }
        _ => None,
    }
}

fn hint(value: &str, kind: Option<&Kind>) -> Option<String> {
    if value.contains(CURLY) {
        let plain = value.replace(CURLY, "");
        return Some(if plain.contains('@') {
            "curly quotes are no quotes here: write straight ones".to_owned()
        } else {
            format!("curly quotes are no quotes here: write \"{plain}\" with straight ones")
        });
    }
    let bare = value.split('#').next().unwrap_or_default().trim();
    if bare.is_empty() {
        return Some("there is no value behind the =".to_owned());
    }
    if bare.contains(['–', '—', '−']) {
        return Some("a long dash is no minus: write -".to_owned());
    }
    let word = bare.to_ascii_lowercase();
    let is_text = matches!(kind, Some(Kind::Text { .. } | Kind::Word { .. }));
    match word.as_str() {
        "yes" | "on" | "true" | "ja" if !is_text => {
            return Some("write true".to_owned());
        }
        "no" | "off" | "false" | "nein" if !is_text => {
            return Some("write false".to_owned());
        }
        _ => {}
    }
    let digits = bare
        .find(|c: char| !(c.is_ascii_digit() || c == '_' || c == '-'))
        .unwrap_or(bare.len());
    let (number, rest) = bare.split_at_checked(digits)?;
    if number.contains(|c: char| c.is_ascii_digit()) && !is_text {
        let is_fraction = rest
            .strip_prefix(',')
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()));
        if is_fraction {
            return Some(
                "numbers here are whole and have no comma; the unit is small enough".to_owned(),
            );
        }
        let is_unit = !rest.is_empty()
            && rest
                .trim()
                .chars()
                .all(|c| c.is_alphabetic() || c == '/' || c == '%' || c == '°');
        if is_unit {
            return Some(format!("a number has no unit here: write {number}"));
        }
    }
    let is_bare_text = !bare.starts_with(['"', '\'', '[', '{']) && (is_text || kind.is_none());
    is_bare_text.then(|| {
        if bare.contains('@') {
            // Before it may stand a password, as in `Problem::of_value`.
            "text needs quotes: put \" on both sides of it".to_owned()
        } else {
            format!("text needs quotes: write \"{bare}\"")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(table: &str, line: &str) -> String {
        let text = format!("# a car\r\n[{table}]\r\n{line}\r\n");
        find(&text, 2).map_or_else(String::new, |slip| slip.what)
    }

    #[test]
    fn a_text_where_none_belongs_gets_what_to_write() {
        let kind = |path: &str| schema::find(path).unwrap().key().kind;
        for (path, text, wanted) in [
            ("camera.fps", "30", Some("a number has no quotes: write 30")),
            (
                "camera.fps",
                "30 fps",
                Some("a number has no unit here: write 30"),
            ),
            (
                "camera.fps",
                "29,97",
                Some("numbers here are whole and have no comma; the unit is small enough"),
            ),
            ("camera.fps", "fast", None),
            ("camera.fps", "", None),
            ("camera.flip_vertical", "yes", Some("write true")),
            (
                "camera.flip_vertical",
                "true",
                Some("write true, without quotes"),
            ),
            ("camera.flip_vertical", "perhaps", None),
            (
                "spider.url",
                "“wss://10.0.0.2:8267”",
                Some(
                    "curly quotes are no quotes here: write \"wss://10.0.0.2:8267\" with straight ones",
                ),
            ),
            (
                "camera.source",
                "„v4l“",
                Some("curly quotes are no quotes here: write \"v4l\" with straight ones"),
            ),
            ("camera.source", "v4l", None),
            ("spider.url", "wss://10.0.0.2/it’s", None),
            ("spider.url", "’", None),
        ] {
            assert_eq!(
                in_text(text, &kind(path)).as_deref(),
                wanted,
                "{path} = {text:?}"
            );
        }
    }

    #[test]
    fn each_slip_gets_what_to_write() {
        for (table, line, wanted) in [
            (
                "drive.calibration",
                "throttle_zero_us = 1500us",
                "no unit here: write 1500;",
            ),
            (
                "drive.calibration",
                "throttle_zero_us = 1500 µs # mine",
                "no unit here: write 1500;",
            ),
            ("camera", "fps = 29,97", "numbers here are whole"),
            ("camera", "flip_vertical = yes", "write true;"),
            ("camera", "flip_vertical = False", "write false;"),
            ("camera", "fps = –5", "a long dash is no minus"),
            (
                "camera",
                "source = “v4l”",
                "write \"v4l\" with straight ones",
            ),
            ("camera", "source = v4l", "text needs quotes: write \"v4l\""),
            (
                "spider",
                "url = wss://10.0.0.2:8267",
                "text needs quotes: write \"wss://10.0.0.2:8267\"",
            ),
            ("camera", "fps =", "there is no value"),
        ] {
            let told = what(table, line);
            assert!(told.contains(wanted), "{line}: {told:?}");
        }
        assert!(
            what("camera", "fps = 30us").contains("must be"),
            "what is allowed is told, too"
        );
        assert_eq!(what("camera", "fps 30"), "", "not known");
        for line in ["url = wss://me:secret@host", "url = “wss://me:secret@host”"] {
            let told = what("spider", line);
            assert!(!told.is_empty() && !told.contains("secret"), "{told}");
        }
    }
}
