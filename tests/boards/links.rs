//! Links and names of files in texts for people: each leads to something.

use std::fs;
use std::path::{Path, PathBuf};

/// README, all of `board/`, and the notes beside the source.
fn texts() -> Vec<PathBuf> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![top.join("README.md")];
    let mut folders = vec![top.join("board"), top.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md")
                || path.starts_with(top.join("board/shared/system"))
            {
                found.push(path);
            }
        }
    }
    found
}

/// What stands between two marks, all of it.
fn between<'a>(text: &'a str, begin: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(begin)
        .skip(1)
        .filter_map(move |rest| rest.split_once(end).map(|(inside, _)| inside))
}

fn is_unit(word: &str) -> bool {
    word.starts_with("spidercar")
        && [".service", ".path", ".timer", ".socket"]
            .iter()
            .any(|end| word.ends_with(end))
}

#[test]
fn every_link_file_and_unit_that_is_named_is_there() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut missing, mut links, mut units) = (Vec::new(), 0, 0);
    for path in texts() {
        let text = fs::read_to_string(&path).expect("UTF-8");
        let beside = path.parent().expect("a folder");
        let targets = between(&text, "](", ")").chain(between(&text, "src=\"", "\""));
        for target in targets.filter(|target| !target.contains("://") && !target.starts_with('#')) {
            links += 1;
            let file = target.split('#').next().unwrap_or_default();
            if !beside.join(file).exists() {
                missing.push(format!("{}: link {target}", path.display()));
            }
        }
        for named in between(&text, "`", "`") {
            let is_path = ["board/", "src/", "tests/", "scripts/"]
                .iter()
                .any(|folder| named.starts_with(folder));
            if is_path
                && !named.contains(['*', '{', ' ', '\n'])
                && !named.contains("NAME")
                && !top.join(named).exists()
            {
                missing.push(format!("{}: file {named}", path.display()));
            }
        }
        for word in text
            .split(|c: char| !(c.is_ascii_alphanumeric() || "-_.@".contains(c)))
            .filter(|word| is_unit(word))
        {
            units += 1;
            if !top.join("board/shared/system").join(word).exists() {
                missing.push(format!("{}: unit {word}", path.display()));
            }
        }
    }
    assert!(links > 20 && units > 2, "{links} links, {units} units");
    assert!(missing.is_empty(), "{missing:#?}");
}
