//! The board's PWM block: rppal sets a channel up, and the pulse is one small write into a file that stays open.
//!
//! rppal opens the file and formats its name for every pulse, which allocates, and it switches a channel off whenever it
//! is opened. Neither suits a stop: so the duty cycle has a handle of its own here, a second one for the guard, and a
//! channel that already runs with the right period, left by a program that died, is taken over without a gap.
//!
//! ```text
//!   pin ─▶ channel     Pi 1 to 4, Zero 2 W:  12, 18 ─▶ 0    13, 19 ─▶ 1
//!                      Pi 5 (RP1):           12 ─▶ 0   13 ─▶ 1   18 ─▶ 2   19 ─▶ 3
//!
//!   open:  enable = 1, same period, normal ─▶ taken over           else ─▶ rppal: export, period, 0, polarity, enable
//!   put:   duty_cycle ◀─ "1500000\n"
//! ```
//!
//! What happens when this process dies: the pulses go on as they were, for the block needs no processor. That is why
//! the unit has `ExecStopPost=spidercar neutral`, and the board a watchdog.
//!
//! Promises: no allocation in `set_duty_cycle`; a channel belongs to one pin.
//! Knows nothing of: servos.
//! Sources: kernel `Documentation/driver-api/pwm.rst` (sysfs), BCM2835 datasheet 9.5 and RP1 peripherals 3.1.3 (which pin
//! has which channel), rppal 0.22 `pwm`.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::{error, fmt, io};

use core::time::Duration;

use embedded_hal::pwm::{ErrorKind, ErrorType, SetDutyCycle};
use rppal::pwm::{Polarity, Pwm};
use rppal::system::{DeviceInfo, SoC};

use super::OpenError;
use super::servo::{Periodic, duty_parts};

/// Where the kernel shows PWM chips.
const CLASS: &str = "/sys/class/pwm";

/// The RP1's block whose channels reach the header, by its address; the other one turns the fan.
/// kernel: `bcm2712-rpi-5-b.dts`, `rp1_pwm0`.
const RP1_HEADER_BLOCK: &str = "1f00098000.pwm";

/// The PWM block of a board.
#[derive(Debug)]
pub struct Chip {
    number: u8,
    soc: SoC,
    /// Which pin has which channel, of those that were opened.
    taken: Vec<(u8, u8)>,
}

impl Chip {
    /// The block whose channels reach the pins.
    ///
    /// # Errors
    /// The kernel shows none.
    pub fn of(board: &DeviceInfo) -> Result<Self, OpenError> {
        let number = find(Path::new(CLASS), board.soc()).ok_or_else(|| OpenError::Device {
            what: format!(
                "{CLASS}/pwmchip0 is not there; put dtoverlay=pwm-2chan,pin=18,func=2,pin2=19,func2=2 into config.txt \
                 and restart (board/README.md has the line for other pins)"
            ),
            source: "no PWM chip of the header".into(),
        })?;
        Ok(Self {
            number,
            soc: board.soc(),
            taken: Vec::new(),
        })
    }

    /// Opens the channel of a pin. Its first pulse is that of the first write, unless it already runs.
    ///
    /// # Errors
    /// The pin has no channel, or the channel is another pin's, or the system refuses.
    pub fn open(&mut self, pin: u8, period: Duration) -> Result<PwmLine, OpenError> {
        let channel = channel_of(self.soc, pin).ok_or_else(|| {
            OpenError::WrongPin(format!(
                "BCM {pin} has no hardware PWM; use 12, 13, 18 or 19, or software PWM"
            ))
        })?;
        if let Some((other, _)) = self.taken.iter().find(|(_, taken)| *taken == channel) {
            return Err(OpenError::WrongPin(format!(
                "BCM {pin} and {other} are the same PWM channel ({channel}) on this board; choose 18 and 19, or 12 and 13"
            )));
        }
        let line = PwmLine::open(self.number, channel, period).map_err(|source| OpenError::Device {
            what: format!(
                "PWM channel {channel} of BCM {pin} ({CLASS}/pwmchip{}) does not open; is the user in the group gpio, and \
                 does the overlay name this pin?",
                self.number
            ),
            source: Box::new(source),
        })?;
        self.taken.push((pin, channel));
        Ok(line)
    }
}

/// The channel that a pin can be given to.
#[must_use]
pub fn channel_of(soc: SoC, pin: u8) -> Option<u8> {
    let channels: [(u8, u8); 4] = match soc {
        SoC::Bcm2712 => [(12, 0), (13, 1), (18, 2), (19, 3)],
        _ => [(12, 0), (13, 1), (18, 0), (19, 1)],
    };
    let found = channels.iter().find(|(with_pwm, _)| *with_pwm == pin);
    found.map(|(_, channel)| *channel)
}

/// The number of the chip whose channels reach the header.
///
/// A Pi 5 has two, numbered by the order in which the kernel found them; older boards have one, and fans or backlights
/// may add others behind it.
fn find(class: &Path, soc: SoC) -> Option<u8> {
    let mut chips: Vec<u8> = fs::read_dir(class)
        .ok()?
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            name.to_str()?.strip_prefix("pwmchip")?.parse().ok()
        })
        .collect();
    chips.sort_unstable();
    let is_header = |chip: &u8| {
        fs::canonicalize(class.join(format!("pwmchip{chip}")))
            .is_ok_and(|path| path.to_string_lossy().contains(RP1_HEADER_BLOCK))
    };
    match soc {
        SoC::Bcm2712 => chips
            .iter()
            .copied()
            .find(is_header)
            .or_else(|| chips.first().copied()),
        _ => chips.first().copied(),
    }
}

/// A channel of the block.
#[derive(Debug)]
pub struct PwmLine {
    folder: PathBuf,
    duty: File,
    period: Duration,
}

/// What a PWM line said no to.
#[derive(Debug)]
pub struct PwmFailed {
    what: &'static str,
    source: io::Error,
}

impl PwmFailed {
    /// The step, and what the system said.
    pub(super) const fn new(what: &'static str, source: io::Error) -> Self {
        Self { what, source }
    }
}

impl PwmLine {
    fn open(chip: u8, channel: u8, period: Duration) -> Result<Self, PwmFailed> {
        let folder = Path::new(CLASS).join(format!("pwmchip{chip}/pwm{channel}"));
        if !runs(&folder, period) {
            set_up(chip, channel, period)
                .map_err(|source| PwmFailed::new("set the channel up", source))?;
        }
        Self::on(folder, period)
    }

    fn on(folder: PathBuf, period: Duration) -> Result<Self, PwmFailed> {
        let duty = File::options()
            .write(true)
            .open(folder.join("duty_cycle"))
            .map_err(|source| PwmFailed::new("open duty_cycle", source))?;
        Ok(Self {
            folder,
            duty,
            period,
        })
    }

    /// A second handle, with a file of its own.
    pub(super) fn twin(&self) -> Option<Self> {
        Self::on(self.folder.clone(), self.period).ok()
    }

    /// As [`Periodic::look`].
    ///
    /// # Errors
    /// Somebody switched the channel off, or took it away.
    pub fn look(&self) -> Result<(), PwmFailed> {
        let enable = fs::read_to_string(self.folder.join("enable"))
            .map_err(|source| PwmFailed::new("read enable", source))?;
        if enable.trim() == "0" {
            let source = io::Error::other("somebody switched it off");
            // On again, with the pulse it had; the caller is told and goes to neutral first.
            let again = fs::write(self.folder.join("enable"), "1");
            return Err(PwmFailed::new(
                "look at enable",
                again.err().unwrap_or(source),
            ));
        }
        Ok(())
    }
}

/// Whether a channel already makes pulses of this period.
fn runs(folder: &Path, period: Duration) -> bool {
    let says = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    says("enable").trim() == "1"
        && says("polarity").trim() == "normal"
        && says("period").trim() == period.as_nanos().to_string()
}

/// Brings a channel from any state to: this period, no pulse yet, on.
fn set_up(chip: u8, channel: u8, period: Duration) -> io::Result<()> {
    let io = |err| match err {
        rppal::pwm::Error::Io(err) => err,
        other @ (rppal::pwm::Error::UnknownModel | rppal::pwm::Error::InvalidChannel) => {
            io::Error::other(other)
        }
    };
    let mut pwm = Pwm::with_pwmchip(chip, channel).map_err(io)?;
    pwm.set_reset_on_drop(false); // what is on the wire at the end is for the caller to say
    pwm.set_pulse_width(Duration::ZERO).map_err(io)?; // the old pulse may be longer than the new period
    pwm.set_period(period).map_err(io)?;
    pwm.set_polarity(Polarity::Normal).map_err(io)?;
    pwm.enable().map_err(io)
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

#[cfg(test)]
mod tests;
