//! Plain output pins, through rppal.
//!
//! A pin that is given up must stay as it is: rppal would make it an input again, and the input of a motor driver that
//! floats is anybody's guess. So the reset on drop is switched off, and neutral is what the caller wrote last.
//!
//! Promises: a pin that was opened has its first level until it is written; a pin is opened once. Knows nothing of: what it switches.
//! Sources: rppal `gpio` documentation ("Reset on drop", "Exclusive access").

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use rppal::gpio::{Error, Gpio, OutputPin, Pin};

use super::{OpenError, header};
use crate::config::rights;

/// Devices through which pins are reached: registers before Pi 5, registers of the RP1, the chip's label.
const DEVICES: [&str; 3] = ["/dev/gpiomem", "/dev/gpiomem0", "/dev/gpiochip0"];

/// The board's pins.
///
/// # Errors
/// They are not there, or may not be used.
pub fn gpio() -> Result<Gpio, OpenError> {
    let board = super::board()?;
    Gpio::new().map_err(|source| OpenError::Device {
        what: match &source {
            Error::UnknownModel => format!(
                "the GPIO pins of {:?} cannot be reached yet (rppal 0.22 does not know this model); hardware PWM and a PCA9685 \
                 without enable_pin need none",
                board.model
            ),
            Error::PermissionDenied(_)
            | Error::PinUsed(_)
            | Error::PinNotAvailable(_)
            | Error::Io(_)
            | Error::ThreadPanic => denied().unwrap_or_else(|| {
                "the GPIO pins cannot be used; are /dev/gpiomem (/dev/gpiomem0 on a Pi 5) and /dev/gpiochip0 there?"
                    .to_owned()
            }),
        },
        source: Box::new(source),
    })
}

/// What is said about the first device of the pins that this user may not open; rppal names another one, or none.
fn denied() -> Option<String> {
    let path = DEVICES.map(Path::new).into_iter().find(|path| {
        let opened = File::options().read(true).write(true).open(path);
        opened.is_err_and(|err| err.kind() == ErrorKind::PermissionDenied)
    });
    path.map(rights::denied)
}

/// An output that is low, and stays as it is when it is dropped.
///
/// # Errors
/// The pin is in use by another part of this program, or is not there.
pub fn output(gpio: &Gpio, pin: u8) -> Result<OutputPin, OpenError> {
    Ok(kept(take(gpio, pin)?.into_output_low()))
}

/// An output that is high, and stays as it is when it is dropped.
///
/// # Errors
/// As for [`output`].
pub fn output_high(gpio: &Gpio, pin: u8) -> Result<OutputPin, OpenError> {
    Ok(kept(take(gpio, pin)?.into_output_high()))
}

/// Whether pins are free at the kernel. Registers ask nobody: another user would write them, too.
///
/// # Errors
/// A program or a driver has one; which one.
pub fn nobody_has(pins: &[u8]) -> Result<(), OpenError> {
    let Some((pin, user)) = header::named_user(pins) else {
        return Ok(());
    };
    Err(OpenError::Device {
        what: format!(
            "BCM {pin} is in use by {user:?}: end that program, or take its overlay out of config.txt (`gpioinfo` lists the \
             lines)"
        ),
        source: Box::new(io::Error::from(ErrorKind::ResourceBusy)),
    })
}

fn take(gpio: &Gpio, pin: u8) -> Result<Pin, OpenError> {
    gpio.get(pin).map_err(|source| OpenError::Device {
        what: format!("BCM {pin} cannot be used"),
        source: Box::new(source),
    })
}

fn kept(mut output: OutputPin) -> OutputPin {
    output.set_reset_on_drop(false);
    output
}
