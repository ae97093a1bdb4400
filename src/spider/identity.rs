//! The certificate that a Spider makes for itself, and keeps: who has pinned it finds the same one after each start.
//!
//! ```text
//!   file ── whole ──────────────▶ it
//!        ── not there ──────────▶ a new one, written: 0600, in one moment
//!        ── damaged, refused ───▶ a new one for this start, and an error that says what to do; the file stays
//! ```
//!
//! Invariants: whatever is wrong with the file, there is a certificate; the key is never readable for others, not for a moment.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::tls::{Identity, IdentityError, identity};

/// For its owner alone.
const MODE: u32 = 0o600;

/// Longest file that is read. choice: a hundred times what is written.
const LONGEST: u64 = 100_000;

/// The identity of this file, or a new one, for this address; without a file it is new each time.
pub(super) fn own(file: Option<&Path>, listen: IpAddr) -> Result<Identity, IdentityError> {
    let Some(file) = file else {
        return Ok(make(listen)?.0);
    };
    let name = file.display();
    match read(file) {
        Ok(Some(identity)) => return Ok(identity),
        Ok(None) => {}
        Err(err) => {
            tracing::error!(
                "local.identity_file = \"{name}\": {err}; a new certificate serves until the next start, and pins of the old one \
                 fail: put the file back, or delete it"
            );
            return Ok(make(listen)?.0);
        }
    }
    let (identity, pem) = make(listen)?;
    match write(file, &pem) {
        Ok(()) => {
            tracing::info!("local.identity_file = \"{name}\": a new certificate is kept there");
        }
        Err(err) => tracing::error!(
            "local.identity_file = \"{name}\": {err}; the certificate is new after each start: name a file that can be written"
        ),
    }
    Ok(identity)
}

/// A self-signed identity for loopback, the given address and the usual local names, and both of its parts as PEM.
fn make(listen: IpAddr) -> Result<(Identity, String), IdentityError> {
    let mut names = vec![
        "localhost".to_owned(),
        "spidercar.local".to_owned(),
        "127.0.0.1".to_owned(),
    ];
    if !listen.is_loopback() && !listen.is_unspecified() {
        names.push(listen.to_string());
    }
    let made = rcgen::generate_simple_self_signed(names)?;
    let pem = made.cert.pem() + &made.signing_key.serialize_pem();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let identity = identity(vec![made.cert.der().clone()], key.into())?;
    Ok((identity, pem))
}

/// What is kept; `None` if there is no such file.
fn read(file: &Path) -> Result<Option<Identity>, IdentityError> {
    let about = match fs::metadata(file) {
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(None),
        about => about?,
    };
    if !about.is_file() || about.len() > LONGEST {
        return Err("this is no certificate of a Spider".into());
    }
    if about.mode() & 0o077 != 0 {
        tracing::warn!(
            "local.identity_file = \"{}\": others may read the key in it: chmod 600",
            file.display()
        );
    }
    let pem = fs::read(file)?;
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(&pem)?;
    identity(chain, key).map(Some)
}

fn write(file: &Path, pem: &str) -> io::Result<()> {
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut part = PathBuf::from(file).into_os_string();
    part.push(".part");
    let _ = fs::remove_file(&part); // of a start that was cut short
    let mut new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(&part)?;
    new.write_all(pem.as_bytes())?;
    new.sync_all()?;
    fs::rename(&part, file)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("spidercar-identity-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder); // of an earlier process of that number
        folder
    }

    #[test]
    fn the_same_certificate_is_there_after_each_start() {
        let folder = folder("same");
        let file = folder.join("deeper/identity.pem");
        let first = own(Some(&file), HERE).unwrap().sha256;
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, MODE);
        for listen in [HERE, IpAddr::from([192, 0, 2, 7])] {
            assert_eq!(own(Some(&file), listen).unwrap().sha256, first);
        }
        assert_ne!(own(None, HERE).unwrap().sha256, first);
        // What a cut start left is in nobody's way.
        fs::rename(&file, folder.join("deeper/identity.pem.part")).unwrap();
        let second = own(Some(&file), HERE).unwrap().sha256;
        assert_ne!(second, first);
        assert_eq!(own(Some(&file), HERE).unwrap().sha256, second);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_used_costs_no_start_and_stays() {
        let folder = folder("bad");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("identity.pem");
        let good = {
            own(Some(&file), HERE).unwrap();
            fs::read_to_string(&file).unwrap()
        };
        let (half, _) = good.split_at(good.len() / 2);
        let long = "x".repeat(200_000);
        for text in ["", "no PEM", half, &long] {
            fs::write(&file, text).unwrap();
            own(Some(&file), HERE).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
        // A folder in its place, and a path that cannot be.
        own(Some(&folder), HERE).unwrap();
        own(Some(&file.join("below-a-file")), HERE).unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }
}
