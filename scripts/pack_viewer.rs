//! Packs the viewer's files for the program, smaller on the card and on the way to a phone, and names the source.
//!
//! ```text
//!   src/spider/viewer/NAME ──gzip──▶ OUT_DIR/NAME.gz ──┐
//!                                    OUT_DIR/files.rs ──┴──include!──▶ src/spider/page.rs
//!   src/**, Cargo.lock ──hash──▶ SPIDERCAR_SOURCE ──env!──▶ `spidercar --version`
//! ```
//!
//! Two programs of one version can be of different sources; the hash tells them apart (`app::csi_program` compares it).
//!
//! Cargo runs this before it builds (`build` in Cargo.toml). Promises: every file of the folder, in the order of their
//! names, and nothing else; the same bytes and the same hash from the same files. Knows nothing of: how they are served.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use flate2::{Compression, GzBuilder};

/// Where the files are, from the top of the work tree.
const FOLDER: &str = "src/spider/viewer";

#[expect(clippy::print_stdout, reason = "that is how cargo is spoken to")]
fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rustc-env=SPIDERCAR_SOURCE={:08x}", source()?);
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
