//! Hands a car with a CSI camera over to the program that is linked to libcamera.
//!
//! libcamera's SONAME changes every few months, and an ordinary upgrade of a board removes the old library. A program that
//! is linked to it then does not start at all, `spidercar neutral` included. So the program that everything starts is built
//! without libcamera, and a second one of the same source, built with it, takes its place where a CSI camera is wanted.
//!
//! ```text
//!   BIN/spidercar run, doctor ─ a CSI camera? ─ no ─▶ goes on
//!          │ yes                                 (run: neutral is on the outputs first)
//!          ▼
//!   BIN/../lib/spidercar/spidercar-csi --version ─ loads, of the same source ─▶ exec: same process, same arguments
//!          └─ missing, does not load, silent, of another source ─▶ goes on; each attempt to open the camera says why
//! ```
//!
//! Invariants: a program with libcamera looks for no other, so nothing goes round in circles; only `run` and `doctor` call this.
//! Source: `execve(2)`: process id, environment, ambient capabilities and the service manager's socket stay.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::ask::{Answer, ask};
use crate::cli::{VERSION, WITH_LIBCAMERA};
use crate::config::{CameraSource, Config, RearSource};
use crate::hal::csi;

/// Where the second program is, from the folder of the first.
const PLACE: &str = "../lib/spidercar/spidercar-csi";

/// How long it may take to load. measured: 7 s from a cold card on the emulated Pi 3B, whose card reads 3 MB/s. choice: four
/// times that, and half of what the unit waits for READY.
const LOADS_WITHIN: Duration = Duration::from_secs(30);

/// What the loader says of a library that is missing, before its name (glibc, `elf/dl-error.c`, `elf/dl-load.c`).
const LOADER: &str = "error while loading shared libraries: ";

/// Why this program has no CSI camera; set once, by [`take_over`].
static WHY_NOT: OnceLock<String> = OnceLock::new();

/// Whether a CSI camera is configured.
#[must_use]
pub fn is_wanted(config: &Config) -> bool {
    let rear = config.camera.rear.as_ref().map(|rear| rear.source);
    config.camera.source == CameraSource::Libcamera || rear == Some(RearSource::Libcamera)
}

/// Whether another program is wanted: a CSI camera is configured, and this program has no libcamera.
#[must_use]
pub fn is_elsewhere(config: &Config) -> bool {
    csi::built_for().is_none() && is_wanted(config)
}

/// Replaces this process by the program with libcamera. Returns only where that is impossible; [`why_not`] then says why.
///
/// Call it before any thread is started but that of the log.
pub fn take_over() {
    let why = match usable() {
        Ok(program) => {
            tracing::info!(program = %program.display(), "a CSI camera: the program with libcamera takes over");
            super::lines::flush();
            let err = Command::new(&program)
                .args(std::env::args_os().skip(1))
                .exec();
            format!("{}: cannot be run: {err}", program.display())
        }
        Err(why) => why,
    };
    tracing::error!("no CSI camera: {why}");
    let _ = WHY_NOT.set(why);
}

/// Why there is no CSI camera in this process, and what to do.
#[must_use]
pub fn why_not() -> &'static str {
    WHY_NOT.get().map_or(
        "this program was built without libcamera; use the build for the board (scripts/build-pi.sh), or camera.source = \"sim\"",
        String::as_str,
    )
}

/// The second program, if it is there, loads, and is of this program's source.
fn usable() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|err| format!("where this program is: {err}"))?;
    let program = place(&here);
    let asked = ask(&program, &["--version"], LOADS_WITHIN);
    let name = program.display();
    let answer = asked.map_err(|err| match err.kind() {
        ErrorKind::NotFound => format!(
            "{name} is missing, the program with libcamera: scripts/build-pi.sh makes it, scripts/deploy.sh installs it; or set camera.source = \"v4l\" or \"sim\""
        ),
        ErrorKind::TimedOut => format!(
            "{name} did not start within {} s; try it: {name} --version",
            LOADS_WITHIN.as_secs()
        ),
        _ => format!("{name}: cannot be run: {err}"),
    })?;
    judge(&program, &answer, Path::new("/usr/lib")).map(|()| program)
}

/// Without `..`, for a person who reads it.
fn place(here: &Path) -> PathBuf {
    let folder = here.parent().unwrap_or(Path::new("/"));
    match (folder.parent(), PLACE.strip_prefix("../")) {
        (Some(up), Some(rest)) => up.join(rest),
        _ => folder.join(PLACE),
    }
}

/// Whether this answer to `--version` is that of the right program. `libraries`: where the system's are.
fn judge(program: &Path, answer: &Answer, libraries: &Path) -> Result<(), String> {
    let name = program.display();
    if !answer.is_good {
        return Err(does_not_load(program, &answer.err, libraries));
    }
    let said = answer.out.trim();
    if said == format!("{VERSION}{WITH_LIBCAMERA}") {
        return Ok(());
    }
    Err(format!(
        "{name} is \"{said}\", and this is \"{VERSION}\": both must be of one build; run scripts/deploy.sh again"
    ))
}

fn does_not_load(program: &Path, said: &str, libraries: &Path) -> String {
    let name = program.display();
    let missing = said
        .split(LOADER)
        .nth(1)
        .and_then(|rest| rest.split(':').next());
    let Some(missing) = missing.filter(|missing| missing.contains(".so")) else {
        let last = said.trim().lines().last().unwrap_or("it says nothing");
        return format!("{name} does not start: {last}");
    };
    let mut why = format!("this system has no {missing}, which {name} needs");
    if let Some((_, release)) = missing
        .split_once(".so.")
        .filter(|(stem, _)| stem.starts_with("libcamera"))
    {
        let here = releases(libraries);
        if !here.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(why, " (it has {})", here.join(", "));
        }
        let _ = write!(
            why,
            ": install the package libcamera{release}, or deploy a program that was built for the libcamera of this system"
        );
    } else {
        why.push_str(": install the package that has it");
    }
    why
}

/// The releases of libcamera below a folder of libraries, by their file names.
fn releases(libraries: &Path) -> Vec<String> {
    let names = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let mut found: Vec<String> = names(libraries)
        .into_iter()
        .filter(|path| path.is_dir())
        .chain([libraries.to_owned()])
        .flat_map(|folder| names(&folder))
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .filter(|name| {
            name.strip_prefix("libcamera.so.")
                .is_some_and(|release| release.matches('.').count() == 1)
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "/usr/local/lib/spidercar/spidercar-csi";

    fn judged(is_good: bool, out: &str, err: &str) -> Result<(), String> {
        let answer = Answer {
            is_good,
            out: out.to_owned(),
            err: err.to_owned(),
        };
        judge(Path::new(PROGRAM), &answer, Path::new("/nonexistent"))
    }

    #[test]
    fn the_second_program_is_where_a_card_has_it() {
        assert_eq!(
            place(Path::new("/usr/local/bin/spidercar")),
            Path::new(PROGRAM)
        );
    }

    #[test]
    fn only_a_program_of_the_same_source_that_has_libcamera_is_taken() {
        assert_eq!(
            judged(true, &format!("{VERSION}{WITH_LIBCAMERA}\n"), ""),
            Ok(())
        );
        // This very program in the place of the other one would call itself for ever.
        judged(true, &format!("{VERSION}\n"), "").unwrap_err();
        let other = judged(
            true,
            "spidercar 0.0.9 (source 00000000) with libcamera\n",
            "",
        )
        .unwrap_err();
        assert!(other.contains("both must be of one build"), "{other}");
    }

    #[test]
    fn a_library_that_is_missing_is_named_with_its_package() {
        let said = format!(
            "{PROGRAM}: {LOADER}libcamera-base.so.0.7: cannot open shared object file: No such file or directory\n"
        );
        let why = judged(false, "", &said).unwrap_err();
        let wanted = format!(
            "this system has no libcamera-base.so.0.7, which {PROGRAM} needs: install the package libcamera0.7, or deploy"
        );
        assert!(why.starts_with(&wanted), "{why}");
        let said = format!("x: {LOADER}libstdc++.so.6: cannot open shared object file");
        let why = judged(false, "", &said).unwrap_err();
        assert!(
            why.contains("libstdc++.so.6") && !why.contains("libcamera6"),
            "{why}"
        );
    }

    #[test]
    fn any_other_failure_is_told_in_its_own_words() {
        let why = judged(false, "", "x: undefined symbol: _ZN9libcamera6CameraE\n").unwrap_err();
        assert!(
            why.ends_with("undefined symbol: _ZN9libcamera6CameraE"),
            "{why}"
        );
        let why = judged(false, "", "").unwrap_err();
        assert!(why.ends_with("it says nothing"), "{why}");
    }

    #[test]
    fn the_releases_that_are_there_are_told() {
        let folder =
            std::env::temp_dir().join(format!("spidercar-libraries-{}", std::process::id()));
        let libraries = folder.join("aarch64-linux-gnu");
        std::fs::create_dir_all(&libraries).unwrap();
        for name in [
            "libcamera.so.0.8",
            "libcamera.so.0.8.1",
            "libcamera-base.so.0.8",
            "libc.so.6",
        ] {
            std::fs::write(libraries.join(name), "").unwrap();
        }
        assert_eq!(releases(&folder), ["libcamera.so.0.8"]);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
