//! The effective configuration as TOML that explains itself.
//!
//! `spidercar check` prints this: every key with what it does, what is allowed, its default and,
//! where it is not the default, who set it. With nothing said it is the file of the simulated car,
//! so `board/sim/spidercar.toml` is a copy of the output, and the file to begin a new board with.
//!
//! Promises: what is printed reads back as the same configuration; it holds no secret, because a
//! configuration never does.
//! Knows nothing of: what values mean.

use super::kind::Kind;
use super::problem::Origin;
use super::raw::RawConfig;
use super::schema::{KEYS, Key, SERVER_KEYS, TABLES};

/// choice: fits an editor of usual width.
const WIDTH: usize = 100;

/// The effective configuration, complete and commented.
#[must_use]
pub fn effective(raw: &RawConfig) -> String {
    let mut out = String::new();
    let set = match raw.keys_said().len() {
        0 => "every key at its default".to_owned(),
        1 => "1 key set, the others at their defaults".to_owned(),
        n => format!("{n} keys set, the others at their defaults"),
    };
    comment(
        &mut out,
        &format!("Configuration of spidercar, from {}: {set}.", raw.source()),
    );
    comment(
        &mut out,
        "Every key there is stands here, with what it does, what is allowed and its default. Secrets do not: \
         a key names the file or the environment variable that holds one. `spidercar check --config FILE` \
         tells all that is wrong with a file.",
    );
    for table in TABLES {
        out.push('\n');
        comment(&mut out, table.doc);
        let header = format!("[{}]\n", table.name);
        out.push_str(&header);
        for key in KEYS
            .iter()
            .map(|id| id.key())
            .filter(|key| key.table == table.name)
        {
            out.push('\n');
            show_key(&mut out, raw, key);
        }
    }
    out
}

fn show_key(out: &mut String, raw: &RawConfig, key: &Key) {
    comment(out, key.doc);
    if key.kind == Kind::Servers {
        comment(out, "Each is a table of:");
        for (name, holds) in SERVER_KEYS {
            comment(out, &format!("  {name}: {holds}"));
        }
    }
    let default = key.kind.default_value();
    let said = raw.get(key.id);
    let mut facts = match key.kind {
        Kind::Servers => format!("Default: {default}"),
        Kind::Text { .. } | Kind::Whole { .. } | Kind::Flag { .. } | Kind::Word { .. } => {
            format!("{}. Default: {default}", capital(&key.kind.allowed()))
        }
    };
    match said.as_ref().map(|said| &said.origin) {
        None | Some(Origin::Default) => {}
        Some(origin) => facts = format!("{facts}. Set by {origin}"),
    }
    comment(out, &facts);
    let value = said.map_or(default, |said| said.value);
    let line = format!("{} = {value}\n", key.name);
    out.push_str(&line);
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

/// Adds a comment, broken into lines between words.
fn comment(out: &mut String, text: &str) {
    let indent = text.len() - text.trim_start().len();
    let mut line = format!("#{:1$}", "", indent);
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = format!("#{:1$}", "", indent + if indent > 0 { 2 } else { 0 });
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::kind::Value;
    use super::super::outside::Shelf;
    use super::super::{Set, Source};
    use super::*;

    fn read(text: &str) -> RawConfig {
        let outside = Shelf::default().file("car.toml", text);
        RawConfig::read(&Source::File("car.toml".into()), &[], &outside)
    }

    #[test]
    fn a_value_that_is_not_the_default_names_who_set_it() {
        let text = effective(&read("[camera]\nfps = 25\n"));
        assert!(
            text.contains("1 to 60 frames/s. Default: 30. Set by car.toml:2\nfps = 25\n"),
            "{text}"
        );
        assert!(
            text.contains("from car.toml: 1 key set, the others at their defaults."),
            "{text}"
        );
    }

    #[test]
    fn no_line_of_prose_is_wider_than_the_page() {
        for line in effective(&read("")).lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn servers_are_printed_so_that_they_read_back() {
        let raw = read(
            "[[ice.servers]]\nurls = ['stun:a', 'turn:b']\nusername = 'a\"b'\ncredential_file = '/x'\n\
             [[ice.servers]]\nurls = 'turn:c'\ncredential_env = 'X'\n",
        );
        let again = read(&effective(&raw));
        assert!(again.problems().is_empty(), "{:?}", again.problems());
        let servers = |raw: &RawConfig| {
            raw.get(super::super::schema::Id::IceServers)
                .map(|said| said.value)
        };
        assert_eq!(servers(&raw), servers(&again));
    }

    /// Any key with a value that its kind allows.
    fn any_said() -> impl Strategy<Value = (&'static str, Value)> {
        (prop::sample::select(KEYS), any::<u64>(), "\\PC{0,20}").prop_map(|(id, number, text)| {
            let key = id.key();
            let value = match key.kind {
                Kind::Text { .. } => Value::Text(text),
                Kind::Flag { .. } => Value::Flag(number % 2 == 0),
                Kind::Word { words, .. } => {
                    let word = words
                        .iter()
                        .cycle()
                        .nth(usize::from(number.to_le_bytes() > [128; 8]));
                    Value::Text(word.map_or_else(String::new, |word| (*word).to_owned()))
                }
                Kind::Whole { min, max, step, .. } => {
                    let steps = (max - min) / step + 1;
                    Value::Whole(
                        min + i64::try_from(number % steps.unsigned_abs()).unwrap_or(0) * step,
                    )
                }
                Kind::Servers => Value::Servers(Vec::new()),
            };
            (key.path, value)
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_as_the_same(said in prop::collection::vec(any_said(), 0..20)) {
            let sets: Vec<Set> = said
                .iter()
                .map(|(key, value)| Set { key: (*key).into(), value: value.to_string(), flag: "--set".into() })
                .collect();
            let raw = RawConfig::read(&Source::BuiltIn, &sets, &Shelf::default());
            prop_assert_eq!(raw.problems(), &[]);
            let again = read(&effective(&raw));
            prop_assert_eq!(again.problems(), &[]);
            for id in KEYS {
                let value = |raw: &RawConfig| raw.get(*id).map(|said| said.value);
                prop_assert_eq!(value(&raw), value(&again));
            }
        }
    }
}
