//! One channel of a PWM block: exported, opened as soon as this user may, set up or taken over, then written.
//!
//! *Source:* kernel `Documentation/driver-api/pwm.rst`, drivers/pwm/sysfs.c.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{error, fmt, io, thread};

use core::time::Duration;

use embedded_hal::pwm::{ErrorKind, ErrorType, SetDutyCycle};

use crate::hal::pi::servo::{Periodic, duty_parts};

/// Longest wait for udev to give a channel's files to this user. measured by rppal's author: some 30 ms ("should normally
/// be set within the first ~30ms", rppal 0.22 `pwm/sysfs.rs`). choice: a second; the unit starts again after that.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Time between two attempts. choice: a sixth of what udev takes.
const LOOK: Duration = Duration::from_millis(5);

/// What it means that a channel was asked for and is not there: the kernel says "busy" then, and names nobody.
/// kernel: drivers/pwm/core.c `pwm_device_request`; its consumers are in debugfs.
const TAKEN: &str = "a driver of the kernel has it, and keeps it: take its overlay out of config.txt (pwm-fan, pwm-ir-tx, \
     gpio-backlight and the like); `sudo cat /sys/kernel/debug/pwm` names it";

/// A channel of the block.
#[derive(Debug)]
pub struct PwmLine {
    folder: PathBuf,
    duty: File,
    enable: File,
    period: Duration,
}

/// What a PWM line said no to.
#[derive(Debug)]
pub struct PwmFailed {
    what: &'static str,
    source: io::Error,
    /// The file, where it is this user who may not open it.
    pub(super) place: Option<PathBuf>,
}

impl PwmFailed {
    /// The step, and what the system said.
    pub(in crate::hal::pi) const fn new(what: &'static str, source: io::Error) -> Self {
        Self {
            what,
            source,
            place: None,
        }
    }
}

impl PwmLine {
    pub(super) fn open(
        chip: &Path,
        channel: u8,
        period: Duration,
        patience: Duration,
    ) -> Result<Self, PwmFailed> {
        let until = Instant::now() + patience;
        let folder = folder_of(chip, channel);
        wait(until, &chip.join("export"), "export the channel", || {
            export(chip, channel)
        })?;
        for name in ["period", "polarity", "duty_cycle", "enable"] {
            let path = folder.join(name);
            let opened = wait(until, &path, "open a file of the channel", || {
                writable(&path)
            });
            opened.map_err(|failed| {
                if folder.exists() {
                    failed
                } else {
                    PwmFailed::new("export the channel", io::Error::other(TAKEN))
                }
            })?;
        }
        if !runs(&folder, period) {
            set_up(&folder, period)
                .map_err(|source| PwmFailed::new("set the channel up", source))?;
        }
        Self::on(folder, period)
    }

    pub(super) fn on(folder: PathBuf, period: Duration) -> Result<Self, PwmFailed> {
        let duty = File::options()
            .write(true)
            .open(folder.join("duty_cycle"))
            .map_err(|source| PwmFailed::new("open duty_cycle", source))?;
        let enable = File::options()
            .read(true)
            .write(true)
            .open(folder.join("enable"))
            .map_err(|source| PwmFailed::new("open enable", source))?;
        Ok(Self {
            folder,
            duty,
            enable,
            period,
        })
    }

    /// A second handle, with a file of its own.
    pub(in crate::hal::pi) fn twin(&self) -> Option<Self> {
        Self::on(self.folder.clone(), self.period).ok()
    }

    /// As [`Periodic::look`].
    ///
    /// # Errors
    /// Somebody switched the channel off, or took it away.
    pub fn look(&self) -> Result<(), PwmFailed> {
        let mut state = [0];
        self.enable
            .read_at(&mut state, 0)
            .map_err(|source| PwmFailed::new("read enable", source))?;
        if state == *b"0" {
            let source = io::Error::other("somebody switched it off");
            // On again, with the pulse it had; the caller is told and goes to neutral first.
            let again = self.enable.write_all_at(b"1", 0);
            return Err(PwmFailed::new(
                "look at enable",
                again.err().unwrap_or(source),
            ));
        }
        Ok(())
    }
}

/// Whether a channel already makes pulses of this period.
pub(super) fn runs(folder: &Path, period: Duration) -> bool {
    let says = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    says("enable").trim() == "1"
        && says("polarity").trim() == "normal"
        && says("period").trim() == period.as_nanos().to_string()
}

fn folder_of(chip: &Path, channel: u8) -> PathBuf {
    chip.join(format!("pwm{channel}"))
}

/// Asks the kernel for the files of a channel, unless they are there.
pub(super) fn export(chip: &Path, channel: u8) -> io::Result<()> {
    if folder_of(chip, channel).exists() {
        return Ok(());
    }
    let written = put(&chip.join("export"), &channel.to_string());
    match written {
        // Another program was faster, or a driver of the kernel has it: then no folder comes.
        // kernel: drivers/pwm/sysfs.c `pwm_export_child`.
        Err(err) if err.kind() == io::ErrorKind::ResourceBusy => Ok(()),
        other => other,
    }
}

/// Tries until it works, or until udev should have given the rights long ago.
fn wait<T>(
    until: Instant,
    path: &Path,
    what: &'static str,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> Result<T, PwmFailed> {
    loop {
        let err = match attempt() {
            Ok(done) => return Ok(done),
            Err(err) => err,
        };
        let is_denied = err.kind() == io::ErrorKind::PermissionDenied;
        let may_change = is_denied || err.kind() == io::ErrorKind::NotFound;
        if !may_change || Instant::now() >= until {
            return Err(PwmFailed {
                what,
                source: err,
                place: is_denied.then(|| path.to_owned()),
            });
        }
        thread::sleep(LOOK);
    }
}

fn writable(path: &Path) -> io::Result<File> {
    File::options().write(true).open(path)
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    writable(path)?.write_all(format!("{text}\n").as_bytes())
}

/// Brings a channel from any state to: this period, no pulse yet, on.
fn set_up(folder: &Path, period: Duration) -> io::Result<()> {
    let put = |name: &str, text: &str| put(&folder.join(name), text);
    // A channel without a period may refuse this; it is off then. kernel: drivers/pwm/core.c `pwm_apply_might_sleep`.
    let _ = put("enable", "0");
    put("duty_cycle", "0")?; // the old pulse may be longer than the new period
    put("period", &period.as_nanos().to_string())?;
    put("polarity", "normal")?;
    put("enable", "1")
}

impl ErrorType for PwmLine {
    type Error = PwmFailed;
}

impl SetDutyCycle for PwmLine {
    fn max_duty_cycle(&self) -> u16 {
        duty_parts(self.period).0
    }

    fn set_duty_cycle(&mut self, duty: u16) -> Result<(), PwmFailed> {
        let (_, part) = duty_parts(self.period);
        let nanos = u64::try_from(part.as_nanos()).unwrap_or(1) * u64::from(duty);
        let mut digits = [0_u8; 24]; // u64 has 20 digits at most, and a line end
        let mut rest = digits.as_mut_slice();
        writeln!(rest, "{nanos}").map_err(|source| PwmFailed::new("print the pulse", source))?;
        let left = rest.len();
        let length = digits.len() - left;
        let line = digits.get(..length).unwrap_or_default();
        self.duty
            .write_all_at(line, 0)
            .map_err(|source| PwmFailed::new("write duty_cycle", source))
    }
}

impl Periodic for PwmLine {
    fn period(&self) -> Duration {
        self.period
    }

    fn look(&self) -> Result<(), PwmFailed> {
        Self::look(self)
    }

    fn twin(&self) -> Option<Self> {
        Self::twin(self)
    }
}

impl embedded_hal::pwm::Error for PwmFailed {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl fmt::Display for PwmFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: failed", self.what)
    }
}

impl error::Error for PwmFailed {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.source)
    }
}
