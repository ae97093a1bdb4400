//! On a real folder: what is read after each kind of damage, and what is left beside it.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("spidercar-state-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> StateFile {
        StateFile::new(self.0.join("car.json"))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn limited(ticks: u16) -> Learned {
    Learned {
        calibration: None,
        max_speed: Some(ticks),
    }
}

#[test]
fn nothing_there_is_nothing_learned_and_no_complaint() {
    let folder = Folder::new();
    let found = folder.file().read();
    assert_eq!(
        (found.used, found.learned),
        (Used::None, Learned::default())
    );
    assert!(found.unusable.is_empty() && folder.names().is_empty());
}

#[test]
fn the_newest_is_read_and_the_one_before_it_is_kept() {
    let folder = Folder::new();
    let file = folder.file();
    for ticks in [401, 402, 403] {
        file.store(&limited(ticks)).unwrap();
        let found = file.read();
        assert_eq!((found.used, found.learned), (Used::Newest, limited(ticks)));
    }
    assert_eq!(folder.names(), ["car.json", "car.json.good"]);
    fs::remove_file(file.path()).unwrap();
    let found = file.read();
    assert_eq!((found.used, found.learned), (Used::Copy, limited(402)));
    file.store(&limited(404)).unwrap();
    assert_eq!(file.read().learned, limited(404));
    fs::remove_file(file.path()).unwrap();
    assert_eq!(file.read().learned, limited(402), "the copy stayed");
}

#[test]
fn a_damaged_file_is_not_used_and_does_not_push_the_copy_out() {
    let folder = Folder::new();
    let file = folder.file();
    file.store(&limited(401)).unwrap();
    file.store(&limited(402)).unwrap();
    fs::write(file.path(), b"{\"spidercar_state\":1,\"cal").unwrap();
    let found = file.read();
    assert_eq!((found.used, found.learned), (Used::Copy, limited(401)));
    assert!(matches!(
        found.unusable.as_slice(),
        [(_, Unusable::Damaged(Damage::NotOurs(_)))]
    ));
    // Even if somebody writes before it was put aside.
    file.store(&limited(403)).unwrap();
    assert_eq!(file.read().learned, limited(403));
    fs::write(folder.0.join("car.json"), b"").unwrap();
    assert_eq!(file.read().learned, limited(401));
    fs::write(folder.0.join("car.json.good"), [0; 300]).unwrap();
    let found = file.read();
    assert_eq!((found.used, found.unusable.len()), (Used::None, 2));
}

#[test]
fn damaged_files_are_kept_for_a_look_the_newest_first_and_not_many() {
    let folder = Folder::new();
    let file = folder.file();
    for number in 1..=5 {
        fs::write(file.path(), format!("damaged {number}")).unwrap();
        let aside = file.put_aside(file.path()).unwrap();
        assert!(aside.ends_with("car.json.bad-1"), "{}", aside.display());
    }
    assert_eq!(
        folder.names(),
        ["car.json.bad-1", "car.json.bad-2", "car.json.bad-3"]
    );
    let text = |name: &str| fs::read_to_string(folder.0.join(name)).unwrap();
    assert_eq!(text("car.json.bad-1"), "damaged 5");
    assert_eq!(text("car.json.bad-3"), "damaged 3");
}

#[test]
fn a_write_that_fails_leaves_what_was_there() {
    let folder = Folder::new();
    let file = folder.file();
    file.store(&limited(401)).unwrap();
    // Not even root can write over a folder.
    fs::create_dir(folder.0.join("car.json.part")).unwrap();
    assert!(file.store(&limited(402)).is_err());
    assert_eq!(file.read().learned, limited(401));
}

#[test]
fn leftovers_of_a_crash_are_written_over() {
    let folder = Folder::new();
    let file = folder.file();
    file.store(&limited(401)).unwrap();
    fs::write(folder.0.join("car.json.part"), b"half").unwrap();
    fs::hard_link(file.path(), folder.0.join("car.json.good.part")).unwrap();
    fs::hard_link(file.path(), folder.0.join("car.json.good")).unwrap();
    file.store(&limited(402)).unwrap();
    assert_eq!(file.read().learned, limited(402));
    fs::remove_file(file.path()).unwrap();
    assert_eq!(file.read().learned, limited(401));
}

#[test]
fn a_folder_that_is_not_there_is_made() {
    let folder = Folder::new();
    let file = StateFile::new(folder.0.join("var/lib/car.json"));
    assert!(file.store(&limited(401)).is_err());
    file.make_folder().unwrap();
    file.make_folder().unwrap();
    file.store(&limited(401)).unwrap();
    assert_eq!(file.read().learned, limited(401));
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_not_put_in_the_way() {
    let folder = Folder::new();
    let file = folder.file();
    fs::create_dir(file.path()).unwrap();
    let found = file.read();
    assert!(matches!(
        found.unusable.as_slice(),
        [(_, Unusable::Unreadable(_))]
    ));
    assert_eq!(found.used, Used::None);
}
