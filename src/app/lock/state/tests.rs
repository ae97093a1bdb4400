//! What may be at the place of a lock, and what then.

use std::os::unix::fs::symlink;

use super::*;

/// A state file in a folder of its own.
fn state(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("spidercar-lock-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder.join("car.json")
}

fn remove(state: &Path) {
    fs::remove_dir_all(state.parent().unwrap()).unwrap();
}

#[test]
fn a_lock_is_held_once_and_free_again_when_its_holder_is_gone() {
    let state = state("once");
    let held = StateLock::take(&state).unwrap();
    let refused = StateLock::take(&state).unwrap_err().text;
    assert!(
        refused.contains("another spidercar has the outputs"),
        "{refused}"
    );
    drop(held);
    StateLock::take(&state).unwrap();
    remove(&state);
}

#[test]
fn everybody_can_see_the_lock_whatever_the_umask() {
    let state = state("mode");
    let lock = StateLock::take(&state).unwrap();
    let mode = fs::metadata(beside(&state)).unwrap().mode() & 0o777;
    assert_eq!(mode, MODE);
    drop(lock);
    remove(&state);
}

#[test]
fn what_is_no_plain_file_counts_as_held() {
    let state = state("strange");
    let lock = beside(&state);
    let elsewhere = state.with_file_name("elsewhere");
    fs::write(&elsewhere, "").unwrap();
    symlink(&elsewhere, &lock).unwrap();
    let text = StateLock::take(&state).unwrap_err().text;
    assert!(text.contains("symbolic link"), "{text}");
    fs::remove_file(&lock).unwrap();
    // A link to nothing is one, too: nothing is made at its end.
    symlink("nowhere", &lock).unwrap();
    StateLock::take(&state).unwrap_err();
    assert!(!state.with_file_name("nowhere").exists());
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    let text = StateLock::take(&state).unwrap_err().text;
    assert!(text.contains("no plain file"), "{text}");
    remove(&state);
}

#[test]
fn who_deletes_a_lock_that_is_held_gives_it_to_the_next_and_the_first_stores_no_more() {
    let state = state("deleted");
    let mut first = StateLock::take(&state).unwrap();
    first.hold().unwrap();
    fs::remove_file(beside(&state)).unwrap();
    let mut second = StateLock::take(&state).unwrap();
    assert!(first.hold().is_err());
    second.hold().unwrap();
    drop(second);
    first.hold().unwrap();
    StateLock::take(&state).unwrap_err();
    remove(&state);
}

#[test]
fn without_a_folder_nobody_holds_it_and_nothing_is_stored_before_it_can_be_taken() {
    let state = state("folder");
    let inner = state.with_file_name("inner").join("car.json");
    let mut first = StateLock::take(&inner).unwrap();
    let mut second = StateLock::take(&inner).unwrap();
    assert!(first.hold().is_err());
    fs::write(inner.parent().unwrap(), "").unwrap();
    assert!(StateLock::take(&inner).unwrap().hold().is_err());
    fs::remove_file(inner.parent().unwrap()).unwrap();
    fs::create_dir(inner.parent().unwrap()).unwrap();
    first.hold().unwrap();
    assert!(second.hold().is_err());
    remove(&state);
}
