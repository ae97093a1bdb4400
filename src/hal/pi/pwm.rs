//! The board's PWM block, through the kernel's files: a pulse is one small write into a file that stays open.
//!
//! rppal opens the file and formats its name for every pulse, which allocates, switches a channel off whenever it is
//! opened, and waits 25 times 40 ms for each channel to get the mode 0770, which Raspberry Pi OS does not give: the car of
//! the unit's user was 2 s late at each start. So the duty cycle has a handle of its own here, a second one for the guard,
//! and a channel that already runs with the right period, left by a program that died, is taken over without a gap.
//!
//! ```text
//!   pin ─▶ channel     Pi 1 to 4, Zero 2 W:  12, 18 ─▶ 0    13, 19 ─▶ 1
//!                      Pi 5 (RP1):           12 ─▶ 0   13 ─▶ 1   18 ─▶ 2   19 ─▶ 3
//!
//!   open:  export ─▶ until this user may open the files ─▶ enable = 1, same period, normal: taken over
//!                    (udev gives the rights; 1 s)          else: 0, no pulse, period, polarity, 1
//!   put:   duty_cycle ◀─ "1500000\n"
//! ```
//!
//! The pulses go on as they were when this process dies, for the block needs no processor. That is why the unit has
//! `ExecStopPost=spidercar neutral`, and the board a watchdog.
//!
//! *Invariants:* no allocation in `set_duty_cycle` and `look`; a channel belongs to one pin; no chip is taken but that of
//! the header, for a Pi 5 has another one for its fan.
//!
//! *Source:* kernel `Documentation/driver-api/pwm.rst` (sysfs), drivers/pwm/sysfs.c; BCM2835 datasheet 9.5 and RP1
//! peripherals 3.1.3 (which pin has which channel).

use std::fs;
use std::path::{Path, PathBuf};

use core::time::Duration;

use super::OpenError;
use super::board::{self, Board};
use crate::config::rights;

mod line;

use line::{PATIENCE, export};
pub use line::{PwmFailed, PwmLine};

/// Where the kernel shows PWM chips.
const CLASS: &str = "/sys/class/pwm";

/// The header's block by its address, which is what the kernel names the device after. A Pi 4 has a second one at
/// `fe20c800` for its audio, a Pi 5 one at `1f0009c000` for its fan.
///
/// kernel: bcm283x.dtsi and bcm2711.dtsi (`pwm@7e20c000`, and the `ranges` of `soc`), rp1.dtsi (`pwm@98000`).
const fn header_block(chip: board::Chip) -> &'static str {
    match chip {
        board::Chip::Bcm2835 => "2020c000.pwm",
        board::Chip::Bcm2836 | board::Chip::Bcm2837 => "3f20c000.pwm",
        board::Chip::Bcm2711 => "fe20c000.pwm",
        board::Chip::Bcm2712 => "1f00098000.pwm",
    }
}

/// The PWM block of a board.
#[derive(Debug)]
pub struct Chip {
    folder: PathBuf,
    board: board::Chip,
    /// Which pin has which channel, of those that were opened.
    taken: Vec<(u8, u8)>,
}

impl Chip {
    /// The block whose channels reach the pins.
    ///
    /// # Errors
    /// The kernel does not show it.
    pub fn of(board: &Board) -> Result<Self, OpenError> {
        Ok(Self {
            folder: find(Path::new(CLASS), board.chip)?,
            board: board.chip,
            taken: Vec::new(),
        })
    }

    /// Where the kernel shows it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Exports the channels of these pins. What goes wrong is told when they are opened.
    pub fn prepare(&mut self, pins: &[u8]) {
        for channel in pins.iter().filter_map(|pin| channel_of(self.board, *pin)) {
            let _ = export(&self.folder, channel); // open() tries again
        }
    }

    /// Opens the channel of a pin. Its first pulse is that of the first write, unless it already runs.
    ///
    /// # Errors
    /// The pin has no channel, or the channel is another pin's, or the system refuses.
    pub fn open(&mut self, pin: u8, period: Duration) -> Result<PwmLine, OpenError> {
        let channel = channel_of(self.board, pin).ok_or_else(|| {
            OpenError::WrongPin(format!(
                "BCM {pin} has no hardware PWM; use 12, 13, 18 or 19, or software PWM"
            ))
        })?;
        if let Some((other, _)) = self.taken.iter().find(|(_, taken)| *taken == channel) {
            return Err(OpenError::WrongPin(format!(
                "BCM {pin} and {other} are the same PWM channel ({channel}) on this board; choose 18 and 19, or 12 and 13"
            )));
        }
        let line = PwmLine::open(&self.folder, channel, period, PATIENCE).map_err(|source| {
            let folder = self.folder.display();
            OpenError::Device {
                what: match &source.place {
                    Some(place) => rights::denied(place),
                    None => format!(
                        "PWM channel {channel} of BCM {pin} ({folder}) does not open; does the overlay name this pin?"
                    ),
                },
                source: Box::new(source),
            }
        })?;
        self.taken.push((pin, channel));
        Ok(line)
    }
}

/// The channel that a pin can be given to.
#[must_use]
pub fn channel_of(chip: board::Chip, pin: u8) -> Option<u8> {
    let channels: [(u8, u8); 4] = match chip {
        board::Chip::Bcm2712 => [(12, 0), (13, 1), (18, 2), (19, 3)],
        board::Chip::Bcm2835
        | board::Chip::Bcm2836
        | board::Chip::Bcm2837
        | board::Chip::Bcm2711 => [(12, 0), (13, 1), (18, 0), (19, 1)],
    };
    let found = channels.iter().find(|(with_pwm, _)| *with_pwm == pin);
    found.map(|(_, channel)| *channel)
}

/// The chip whose channels reach the header. Chips are numbered in the order in which the kernel found them, so their
/// numbers say nothing.
fn find(class: &Path, chip: board::Chip) -> Result<PathBuf, OpenError> {
    let block = header_block(chip);
    let mut others = Vec::new();
    for entry in fs::read_dir(class).into_iter().flatten().flatten() {
        let device = fs::canonicalize(entry.path()).unwrap_or_default();
        if device.iter().any(|part| part == block) {
            return Ok(entry.path());
        }
        let of = device.iter().rev().find(|part| {
            let part = part.as_encoded_bytes();
            !part.starts_with(b"pwm")
        });
        let of = of.unwrap_or_default().to_string_lossy();
        others.push(format!(
            "{} is of {of}",
            entry.file_name().to_string_lossy()
        ));
    }
    others.sort();
    let others = if others.is_empty() {
        "there is no chip at all".to_owned()
    } else {
        others.join(", ")
    };
    Err(OpenError::Device {
        what: format!(
            "{} has no PWM chip of the header ({block}): {others}; put \
             dtoverlay=pwm-2chan,pin=18,func=2,pin2=19,func2=2 into config.txt and restart (board/README.md has the line \
             for other pins)",
            class.display()
        ),
        source: "no PWM chip of the header".into(),
    })
}

#[cfg(test)]
mod tests;
