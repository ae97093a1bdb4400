//! The arrows of the module picture go one way, and `logic` stays pure. Sources: README, "The shape".

use std::fs;
use std::path::{Path, PathBuf};

/// What each top-level module of the crate may import from the crate.
const MAY_IMPORT: [(&str, &[&str]); 8] = [
    ("logic", &["logic"]),
    ("config", &["config", "logic"]),
    ("cli", &["cli", "config"]),
    ("peer", &["peer"]),
    ("hal", &["hal", "config", "logic"]),
    ("net", &["net", "peer", "config", "logic"]),
    ("spider", &["spider", "peer", "config", "logic"]),
    (
        "app",
        &[
            "app", "hal", "net", "spider", "peer", "cli", "config", "logic",
        ],
    ),
];

/// Words that pure code has no use for. `core::time::Duration` is a value and is fine.
const IMPURE: [&str; 14] = [
    "std::",
    "tokio",
    "tracing",
    "Instant",
    "SystemTime",
    "thread",
    "async ",
    ".await",
    "println!",
    "unsafe",
    "alloc::",
    "Mutex",
    "Atomic",
    "File",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn of_module(module: &str) -> Vec<PathBuf> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    if src.join(module).is_dir() {
        sources(&src.join(module), &mut found);
    }
    let file = src.join(format!("{module}.rs"));
    if file.is_file() {
        found.push(file);
    }
    found
}

/// The code of a file without its tests and comments. Test modules in files of their own are no code of the program.
fn code(path: &Path) -> String {
    let is_test =
        path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
    if is_test {
        return String::new();
    }
    let text = fs::read_to_string(path).expect("a readable file");
    // A test module that stands in the file itself is its end; one that is only declared is one line.
    let text = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn tests_are_left_out_and_nothing_after_their_declaration_is() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    assert!(code(&src.join("logic/drive.rs")).contains("fn change_gear"));
    assert_eq!(code(&src.join("logic/drive/tests.rs")), "");
    assert_eq!(code(&src.join("logic/drive/tests/gears.rs")), "");
}

#[test]
fn arrows_go_one_way() {
    let mut wrong = Vec::new();
    let mut read = 0;
    for (module, allowed) in MAY_IMPORT {
        for path in of_module(module) {
            read += 1;
            for part in code(&path).split("crate::").skip(1) {
                let target: String = part
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                if MAY_IMPORT.iter().any(|(known, _)| *known == target)
                    && !allowed.contains(&target.as_str())
                {
                    wrong.push(format!("{}: {module} -> {target}", path.display()));
                }
                assert!(
                    !target.is_empty(),
                    "{}: import a path, not a list of modules",
                    path.display()
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(read > 40, "only {read} files were read");
}

#[test]
fn every_module_of_the_crate_is_in_the_picture() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"))
        .expect("lib.rs");
    for line in lib.lines() {
        if let Some(module) = line
            .strip_prefix("pub mod ")
            .and_then(|rest| rest.strip_suffix(';'))
        {
            assert!(
                MAY_IMPORT.iter().any(|(known, _)| *known == module),
                "{module} has no arrows"
            );
        }
    }
}

#[test]
fn logic_is_pure() {
    for path in of_module("logic") {
        let code = code(&path);
        for word in IMPURE {
            assert!(!code.contains(word), "{}: {word}", path.display());
        }
        if !path.ends_with("wire.rs") {
            assert!(
                !code.contains("f64") && !code.contains("f32"),
                "{}: a float",
                path.display()
            );
        }
    }
}

#[test]
fn unsafe_is_nowhere_but_in_the_files_named_for_it() {
    const NAMED: [&str; 3] = [
        "src/hal/openh264/raw.rs",
        "src/hal/csi/capture/raw.rs",
        "src/hal/v4l2/kernel.rs",
    ];
    let mut found = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    for path in found {
        let has_unsafe = code(&path).contains("unsafe {") || code(&path).contains("unsafe fn");
        let is_named = NAMED.iter().any(|name| path.ends_with(name));
        assert!(!has_unsafe || is_named, "{}", path.display());
    }
}

/// The environment is no second configuration: what a release reads there is the service manager's, the terminal's, or a
/// variable that the configuration names.
#[test]
fn nothing_but_these_reads_the_environment() {
    const MAY: [(&str, usize); 3] = [
        ("src/app/notify.rs", 2),     // NOTIFY_SOCKET, WATCHDOG_*: sd_notify(3)
        ("src/config/outside.rs", 1), // credential_env of the configuration
        ("src/main.rs", 2),           // NO_COLOR, JOURNAL_STREAM: systemd.exec(5)
    ];
    let mut found = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    for path in found {
        let code = code(&path);
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        let times = code.matches("env::var").count();
        let allowed = MAY
            .iter()
            .find(|(name, _)| path.ends_with(name))
            .map_or(0, |(_, times)| *times);
        assert_eq!(times, allowed, "{}", path.display());
    }
}

/// The table of limits in SECURITY.md names constants that are there.
#[test]
fn each_limit_of_the_table_is_a_constant_where_it_says() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(top.join("src/SECURITY.md")).expect("a readable file");
    let rows = text.lines().filter(|line| line.contains("| `src/"));
    let mut limits = 0;
    for row in rows {
        let cell = row.split('|').nth(2).expect("a second column");
        let mut names = cell.split('`').skip(1).step_by(2);
        let file = names.next().expect("a file");
        let source =
            fs::read_to_string(top.join(file)).unwrap_or_else(|err| panic!("{file}: {err}"));
        for name in names {
            assert!(
                source.contains(&format!("const {name}: ")),
                "{file} has no constant {name}"
            );
            limits += 1;
        }
    }
    assert!(limits >= 20, "only {limits} limits were found");
}
