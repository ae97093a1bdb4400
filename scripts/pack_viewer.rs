//! Packs the viewer's files for the program: smaller on the card, and on the way to a phone.
//!
//! ```text
//!   src/spider/viewer/NAME ──gzip──▶ OUT_DIR/NAME.gz ──┐
//!                                    OUT_DIR/files.rs ──┴──include!──▶ src/spider/page.rs
//! ```
//!
//! Cargo runs this before it builds (`build` in Cargo.toml). Promises: every file of the folder, in the order of their
//! names, and nothing else; the same bytes from the same files. Knows nothing of: how they are served.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::{env, fs, io};

use flate2::{Compression, GzBuilder};

/// Where the files are, from the top of the work tree.
const FOLDER: &str = "src/spider/viewer";

#[expect(clippy::print_stdout, reason = "that is how cargo is spoken to")]
fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={FOLDER}");
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
