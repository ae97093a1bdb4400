//! Which records are kept, whatever the clock says.

use super::*;
use crate::logic::units::Uptime;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("spidercar-box-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn record() -> Record {
    Record {
        cause: Cause::Silence,
        at: Uptime::ZERO,
        segments: Default::default(),
    }
}

fn numbers(folder: &Path) -> Vec<u64> {
    let found = records(folder).unwrap();
    found.into_iter().map(|(number, _)| number).collect()
}

#[test]
fn the_newest_record_stays_when_the_clock_is_behind_all_others() {
    let folder = folder("behind");
    // A version that put the time there, in a year that has not come.
    for number in 0..u64::try_from(KEPT).unwrap() {
        let name = format!("stop-{}-silence.jsonl", 4_102_444_800_000 + number);
        fs::write(folder.join(name), "").unwrap();
    }
    let newest = write(&folder, &record()).unwrap();
    assert!(newest.exists(), "{}", newest.display());
    assert_eq!(numbers(&folder).len(), KEPT);
    assert_eq!(numbers(&folder).last(), Some(&4_102_444_800_020));
    assert!(!folder.join("stop-4102444800000-silence.jsonl").exists());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn records_count_from_one_and_the_last_twenty_stay() {
    let folder = folder("count");
    for _ in 0..25 {
        write(&folder, &record()).unwrap();
    }
    assert_eq!(numbers(&folder), (6..=25).collect::<Vec<_>>());
    assert!(folder.join("stop-000025-silence.jsonl").exists());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn files_of_others_stay_and_halves_of_ours_go() {
    let folder = folder("others");
    let others = [
        "stop-99999999999999999999-silence.jsonl",
        "stop-18446744073709551615-silence.jsonl",
        "stop-note.jsonl",
        "notes.txt",
    ];
    for name in others {
        fs::write(folder.join(name), "").unwrap();
    }
    let half = folder.join("stop-000003-silence.jsonl.part");
    fs::write(&half, "{").unwrap();
    for _ in 0..30 {
        write(&folder, &record()).unwrap();
    }
    assert!(others.iter().all(|name| folder.join(name).exists()));
    assert!(!half.exists());
    assert_eq!(numbers(&folder).len(), KEPT);
    fs::remove_dir_all(folder).unwrap();
}
