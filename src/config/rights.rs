//! Words for "permission denied": which user, which file with which owner and mode, and the command that helps.
//!
//! ```text
//!   pi (user 1000) may not open /dev/i2c-1, which is root:i2c with mode 0660: `sudo usermod -aG i2c pi` and log in again
//! ```
//!
//! *Source:* `path_resolution(7)`, `passwd(5)`, `group(5)`. Names come from the files alone, so a user of a directory
//! service is a number.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Permission bits. spec: `inode(7)`.
const MODE_BITS: u32 = 0o7777;
const GROUP_READ_WRITE: u32 = 0o060;

/// Says why this process may not open a file, and what to do.
#[must_use]
pub fn denied(path: &Path) -> String {
    let user = rustix::process::geteuid().as_raw();
    let names = Names {
        users: fs::read_to_string("/etc/passwd").unwrap_or_default(),
        groups: fs::read_to_string("/etc/group").unwrap_or_default(),
    };
    // A file behind a closed folder has no metadata for us: then the folder is what is in the way.
    let found = path
        .ancestors()
        .find_map(|place| Some((place, fs::metadata(place).ok()?)));
    match found {
        Some((place, about)) => sentence(path, place, &about.into(), user, &names),
        None => format!(
            "{} may not open {}; use sudo",
            names.user(user),
            path.display()
        ),
    }
}

/// Owner, group and permission bits.
#[derive(Clone, Copy)]
struct Rights {
    user: u32,
    group: u32,
    mode: u32,
    is_folder: bool,
}

impl From<Metadata> for Rights {
    fn from(about: Metadata) -> Self {
        Self {
            user: about.uid(),
            group: about.gid(),
            mode: about.mode() & MODE_BITS,
            is_folder: about.is_dir(),
        }
    }
}

struct Names {
    users: String,
    groups: String,
}

impl Names {
    /// The name of a number, in a file whose lines are `name:...:number:...`.
    fn find(text: &str, number: u32) -> Option<&str> {
        text.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(number)).then_some(name)
        })
    }

    fn user(&self, id: u32) -> String {
        match Self::find(&self.users, id) {
            Some(name) => format!("{name} (user {id})"),
            None => format!("user {id}"),
        }
    }
}

fn sentence(path: &Path, place: &Path, rights: &Rights, user: u32, names: &Names) -> String {
    let name = |text, id: u32| Names::find(text, id).map_or_else(|| id.to_string(), str::to_owned);
    let (owner, group) = (
        name(&names.users, rights.user),
        name(&names.groups, rights.group),
    );
    let what = if place == path {
        "which".to_owned()
    } else {
        format!("for {}", place.display())
    };
    let said = format!(
        "{} may not open {}, {what} is {owner}:{group} with mode {:04o}",
        names.user(user),
        path.display(),
        rights.mode
    );
    let opens_for_group =
        !rights.is_folder && rights.group != 0 && rights.mode & GROUP_READ_WRITE != 0;
    let is_device = path.starts_with("/dev") || path.starts_with("/sys");
    if opens_for_group && is_device {
        let me = name(&names.users, user);
        return format!(
            "{said}: `sudo usermod -aG {group} {me}` and log in again (a service: SupplementaryGroups={group}), or use sudo"
        );
    }
    if is_device {
        return format!(
            "{said}: udev gives it no group that could (board/shared/system/udev.rules), so use sudo"
        );
    }
    format!("{said}: use sudo, or give it to this user")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            users: "root:x:0:0::/root:/bin/sh\npi:x:1000:1000::/home/pi:/bin/bash\n".to_owned(),
            groups: "root:x:0:\ni2c:x:998:\n".to_owned(),
        }
    }

    fn said(path: &str, place: &str, rights: Rights, user: u32) -> String {
        sentence(Path::new(path), Path::new(place), &rights, user, &names())
    }

    #[test]
    fn a_device_names_its_group_and_the_command() {
        let rights = Rights {
            user: 0,
            group: 998,
            mode: 0o660,
            is_folder: false,
        };
        assert_eq!(
            said("/dev/i2c-1", "/dev/i2c-1", rights, 1000),
            "pi (user 1000) may not open /dev/i2c-1, which is root:i2c with mode 0660: `sudo usermod -aG i2c pi` and log in \
             again (a service: SupplementaryGroups=i2c), or use sudo"
        );
        let of_root = Rights { group: 0, ..rights };
        let text = said("/dev/i2c-1", "/dev/i2c-1", of_root, 4711);
        assert!(text.starts_with("user 4711 may not open"), "{text}");
        assert!(
            text.contains("udev") && text.ends_with("use sudo"),
            "{text}"
        );
    }

    #[test]
    fn a_secret_and_a_closed_folder_name_sudo() {
        let secret = Rights {
            user: 0,
            group: 990,
            mode: 0o640,
            is_folder: false,
        };
        let path = "/etc/spidercar/key";
        assert_eq!(
            said(path, path, secret, 1000),
            "pi (user 1000) may not open /etc/spidercar/key, which is root:990 with mode 0640: use sudo, or give it to this \
             user"
        );
        let folder = Rights {
            mode: 0o750,
            is_folder: true,
            ..secret
        };
        let text = said(path, "/etc/spidercar", folder, 1000);
        assert!(
            text.contains("for /etc/spidercar is root:990 with mode 0750"),
            "{text}"
        );
    }
}
