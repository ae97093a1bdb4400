//! Packs the viewer's files for the program, smaller on the card and on the way to a phone; names and dates the source.
//!
//! ```text
//!   src/spider/viewer/NAME ──gzip──▶ OUT_DIR/NAME.gz ──┐
//!                                    OUT_DIR/files.rs ──┴──include!──▶ src/spider/page.rs
//!   src/**, Cargo.lock ──hash──▶ SPIDERCAR_SOURCE ──env!──▶ `spidercar --version`
//! ```
//!
//! Two programs of one version can be of different sources; the hash tells them apart (`app::csi_program` compares it).
//!
//! The date is a floor for the car's clock, which starts anywhere on a board without a battery: `SOURCE_DATE_EPOCH` if it is
//! set (reproducible-builds.org), else the day of the commit, else [`WRITTEN_S`]. Never the day of the build.
//!
//! Cargo runs this before it builds (`build` in Cargo.toml). Promises: every file of the folder, in the order of their
//! names, and nothing else; the same bytes and the same hash from the same files. Knows nothing of: how they are served.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use flate2::{Compression, GzBuilder};

/// Where the files are, from the top of the work tree.
const FOLDER: &str = "src/spider/viewer";

/// 2026-01-01: the floor of builds without git. choice: this program is younger.
const WRITTEN_S: u64 = 1_767_225_600;

/// spec: POSIX, seconds of a day.
const DAY_S: u64 = 86_400;

#[expect(clippy::print_stdout, reason = "that is how cargo is spoken to")]
fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rustc-env=SPIDERCAR_SOURCE={:08x}", source()?);
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    // Without git there is no such file, and naming one that is not there would run this each time.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"])
        && Path::new(&log).is_file()
    {
        println!("cargo::rerun-if-changed={log}");
    }
    println!("cargo::rustc-env=SPIDERCAR_DATE_S={}", date_s());
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo says no OUT_DIR"))?;
    let out = Path::new(&out);
    let mut names = Vec::new();
    for entry in fs::read_dir(FOLDER)? {
        let name = entry?.file_name().into_string();
        names.push(
            name.map_err(|name| io::Error::other(format!("{} is no UTF-8", name.display())))?,
        );
    }
    names.sort();
    let mut table = "&[\n".to_owned();
    for name in names {
        // No name and no time inside: neither changes what a browser sees.
        let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
        encoder.write_all(&fs::read(Path::new(FOLDER).join(&name))?)?;
        let member = format!("{name}.gz");
        fs::write(out.join(&member), encoder.finish()?)?;
        // Writing to a String cannot fail.
        let _ = writeln!(table, "    ({name:?}, include_bytes!({member:?})),");
    }
    fs::write(out.join("files.rs"), table + "]\n")
}

/// A hash of all sources: names and bytes, in the order of the names.
///
/// Source: FNV-1a, 32 bits (draft-eastlake-fnv). It tells builds apart; it is no protection.
fn source() -> io::Result<u32> {
    let mut files = vec![PathBuf::from("Cargo.lock")];
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    let mut hash = 0x811c_9dc5_u32;
    for path in files {
        let name = path.to_string_lossy().into_owned().into_bytes();
        for byte in name.into_iter().chain(fs::read(&path)?) {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
    Ok(hash)
}

/// The day that the program is from, in seconds since 1970.
fn date_s() -> u64 {
    let said = env::var("SOURCE_DATE_EPOCH").ok();
    let seconds = said
        .or_else(|| git(&["log", "-1", "--format=%ct"]))
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(WRITTEN_S);
    seconds.max(WRITTEN_S) / DAY_S * DAY_S
}

/// What git says, if it is there and this is a work tree; of whomever, for root may build somebody else's.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(["-c", "safe.directory=*"])
        .args(args)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
