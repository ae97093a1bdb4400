//! The PCA9685 of the original car: two of its sixteen outputs, both changed in one transaction.
//!
//! The crate `pwm-pca9685` sets the chip up; the pulses are written here, because the crate changes one output at a time,
//! and an ESC that sees throttle of one tick with steering of another is late by a transaction.
//!
//! ```text
//!   open:   runs already at this rate? ─ yes ─▶ nothing         a program before this one left it; its pulses go on
//!             └ no ─▶ asleep, rate, both pulses, awake          the first pulse out is the setpoint, never another
//!   put:    [address] [0x06 + 4 * first output] [0 0 off off] [0 0 off off]      10 bytes on the wire, one STOP
//!   look:   MODE1 asleep? somebody cut its power: it has forgotten all           4 bytes
//!
//!   enable_pin ─ OE, high = all outputs low
//!     opened ─▶ high ── pulses are in the chip ─▶ low ── a put or a look fails ─▶ high ── pulses are in it again ─▶ low
//!     the end of the program, however it comes: as it is
//! ```
//!
//! **What OE is for.** As long as the chip obeys, neutral is a *pulse*: it is the one thing that every ESC takes for "stop",
//! it keeps the ESC armed for the next start, and holds the wheels straight. So an orderly end and `spidercar neutral`
//! leave neutral pulses on and OE low, as the other outputs do. A chip that does *not* obey goes on with what it was told
//! last, which may be full throttle: then no pulse at all is better, and OE, which needs no bus, makes it so: the ESC
//! stops on signal loss, if it does that (try it), and the servo goes limp. This holds for `spidercar neutral` too: a bus
//! that is dead after a crash leaves outputs that are off, and exit code 3. OE may cut a pulse short, when the program
//! starts or a transaction fails; that is one pulse shorter than any, on the way to neutral.
//!
//! Cost at 400 kHz: a byte is 9 bits of 2.5 us, so a put takes 10 * 22.5 + 5 = 230 us on the wire, a look after it 105 us
//! more; at 100 kHz four times as much. What the kernel adds is measured in `scripts/bench.sh`.
//!
//! What happens when this process dies: the chip goes on by itself, and OE stays low. `ExecStopPost=spidercar neutral` ends
//! it. When the whole board resets, its pin becomes an input, and a pull-up at OE ends it (`board/original-pca9685`).
//!
//! Promises: no other output of the chip is touched, and none is ever zeroed (the old program zeroed all sixteen, twice);
//! OE is low only while the chip has taken the last pulses; no allocation in `put` once the chip is set up.
//! Knows nothing of: servos.
//! Sources: NXP PCA9685 datasheet rev. 4: 7.3.1.1 (MODE1, power-up state), 7.3.2 (MODE2: OUTNE 00 after power-on), 7.3.3
//! (outputs), 7.3.5 (prescale), 7.4 (OE, active low);
//! PROTOCOL.md 4.7 (the old car: 60 Hz, outputs 0 and 1, 0x40).

use core::fmt::Debug;

use embedded_hal::digital::OutputPin;
use embedded_hal::i2c::I2c;
use pwm_pca9685::{Address, Channel, Pca9685 as Crate};

use super::shared::Shared;
use crate::config::hardware::Pca9685 as Settings;
use crate::hal::Source;
use crate::hal::car::{Progress, Pulses};
use crate::logic::drive::Setpoint;
use crate::logic::units::{PulseWidth, Uptime};

/// datasheet: 7.3.1.1, table 5.
const MODE1: u8 = 0x00;
const MODE1_AUTO_INCREMENT: u8 = 0x20;
const MODE1_SLEEP: u8 = 0x10;
/// datasheet: 7.3, table 4: first of the four registers of output 0.
const LED0_ON_L: u8 = 0x06;
/// datasheet: 7.3.5.
const PRE_SCALE: u8 = 0xFE;
/// datasheet: 7.3.5: counts of a period.
const COUNTS: u32 = 4096;
/// datasheet: 7.3.5: least prescale that the chip takes.
const PRESCALE_MIN: u32 = 3;

/// Opens another handle on the bus, for the guard.
pub type OpenBus<B> = Box<dyn Fn() -> Result<B, Source> + Send + Sync>;

/// Two outputs of one chip.
pub struct Pca<B, O> {
    settings: Settings,
    /// `None` only while the chip is being set up, or after that failed: then the next put opens it again.
    bus: Option<B>,
    open: std::sync::Arc<OpenBus<B>>,
    prescale: u8,
    is_ready: bool,
    /// What drives OE, high for off, if it is wired; one pin for both handles.
    off: Option<Shared<O>>,
}

impl<B, O> Pca<B, O>
where
    B: I2c<Error: Debug>,
    O: OutputPin<Error: Debug>,
{
    /// The chip on this bus, and the pin at its OE, which is high until now; nothing is written yet.
    #[must_use]
    pub fn new(settings: Settings, off: Option<O>, bus: B, open: OpenBus<B>) -> Self {
        let off = off.map(Shared::new);
        Self::with(settings, off, Some(bus), std::sync::Arc::new(open))
    }

    fn with(
        settings: Settings,
        off: Option<Shared<O>>,
        bus: Option<B>,
        open: std::sync::Arc<OpenBus<B>>,
    ) -> Self {
        Self {
            settings,
            off,
            bus,
            open,
            prescale: prescale(settings.oscillator_hz, settings.frequency_hz),
            is_ready: false,
        }
    }

    /// Sets the chip up with these pulses as its first, unless it runs as it should already.
    fn set_up(&mut self, setpoint: Setpoint) -> Result<(), Source> {
        let mut bus = match self.bus.take() {
            Some(bus) => bus,
            None => (self.open)()?,
        };
        let address = self.settings.address;
        let mut read = |register: u8| -> Result<u8, Source> {
            let mut value = [0];
            bus.write_read(address, &[register], &mut value)
                .map_err(|err| step("find the chip", err))?;
            Ok(value[0])
        };
        let mode = read(MODE1)?;
        let is_awake = mode & MODE1_SLEEP == 0;
        if is_awake && mode & MODE1_AUTO_INCREMENT != 0 && read(PRE_SCALE)? == self.prescale {
            self.bus = Some(bus);
            self.is_ready = true;
            return Ok(());
        }
        self.switch(false)?;
        let mut chip =
            Crate::new(bus, Address::from(address)).map_err(|err| step("address the chip", err))?;
        if is_awake {
            // The rate can only be changed asleep (datasheet 7.3.5).
            chip.disable()
                .map_err(|err| step("put the chip to sleep", err))?;
        }
        chip.set_prescale(self.prescale)
            .map_err(|err| step("set the rate", err))?;
        for (output, pulse) in [
            (self.settings.throttle_channel, setpoint.throttle),
            (self.settings.steering_channel, setpoint.steering),
        ] {
            let channel = Channel::try_from(output).map_err(|()| "there are outputs 0 to 15")?;
            chip.set_channel_on_off(channel, 0, self.counts(pulse))
                .map_err(|err| step("set an output", err))?;
        }
        chip.enable().map_err(|err| step("wake the chip", err))?;
        self.bus = Some(chip.destroy());
        self.is_ready = true;
        Ok(())
    }

    /// Switches all outputs of the chip on or off, if OE is wired.
    fn switch(&self, is_on: bool) -> Result<(), Source> {
        let Some(off) = &self.off else {
            return Ok(());
        };
        off.with(|pin| {
            let level = if is_on { pin.set_low() } else { pin.set_high() };
            level.map_err(|err| step("switch the outputs", err))
        })
    }

    /// The chip did not do as it was told: it has forgotten how it was set up, or goes on with what it was told before.
    fn give_up(&mut self) {
        self.is_ready = false;
        // The caller hears of a failure as it is, and writes again on its next tick.
        let _ = self.switch(false);
    }

    fn try_put(&mut self, setpoint: Setpoint) -> Result<(), Source> {
        if !self.is_ready {
            self.set_up(setpoint)?;
        }
        self.write(setpoint)?;
        self.switch(true)
    }

    fn write(&mut self, setpoint: Setpoint) -> Result<(), Source> {
        let throttle = self.counts(setpoint.throttle).to_le_bytes();
        let steering = self.counts(setpoint.steering).to_le_bytes();
        let (first, [a_low, a_high], [b_low, b_high]) =
            if self.settings.throttle_channel < self.settings.steering_channel {
                (self.settings.throttle_channel, throttle, steering)
            } else {
                (self.settings.steering_channel, steering, throttle)
            };
        let register = LED0_ON_L + 4 * first;
        let block = [register, 0, 0, a_low, a_high, 0, 0, b_low, b_high];
        let bus = self.bus.as_mut().ok_or("the bus is not open")?;
        bus.write(self.settings.address, &block)
            .map_err(|err| step("write both outputs", err))
    }

    /// The count at which a pulse ends, to the nearest.
    fn counts(&self, pulse: PulseWidth) -> u16 {
        let counts_per_second =
            u64::from(self.settings.oscillator_hz) / (u64::from(self.prescale) + 1);
        let counts = (u64::from(pulse.get()) * counts_per_second + 500_000) / 1_000_000;
        u16::try_from(counts.min(u64::from(COUNTS - 1))).unwrap_or(0)
    }
}

impl<B, O> Pulses for Pca<B, O>
where
    B: I2c<Error: Debug> + Send + 'static,
    O: OutputPin<Error: Debug> + Send + 'static,
{
    fn put(&mut self, _: Uptime, setpoint: Setpoint) -> Result<Progress, Source> {
        let written = self.try_put(setpoint);
        if written.is_err() {
            self.give_up();
        }
        written.map(|()| Progress::Done)
    }

    fn look(&mut self) -> Result<(), Source> {
        let bus = self.bus.as_mut().ok_or("the bus is not open")?;
        let mut mode = [0];
        let asked = bus
            .write_read(self.settings.address, &[MODE1], &mut mode)
            .map_err(|err| step("look at the chip", err));
        let verdict = asked.and_then(|()| {
            if mode[0] & MODE1_SLEEP == 0 {
                Ok(())
            } else {
                Err("the chip was reset: its supply failed for a moment; check the wires and the regulator".into())
            }
        });
        if verdict.is_err() {
            self.give_up();
        }
        verdict
    }

    fn spare(&self) -> Option<Box<dyn Pulses>> {
        let open = std::sync::Arc::clone(&self.open);
        let bus = open().ok();
        let off = self.off.clone();
        Some(Box::new(Self::with(self.settings, off, bus, open)))
    }
}

/// What the chip divides its oscillator by, less one. datasheet: 7.3.5, equation 1.
fn prescale(oscillator_hz: u32, frequency_hz: u32) -> u8 {
    let counts = COUNTS * frequency_hz.max(1);
    let rounded = (oscillator_hz + counts / 2) / counts;
    let prescale = rounded.saturating_sub(1).max(PRESCALE_MIN);
    u8::try_from(prescale).unwrap_or(u8::MAX)
}

fn step(what: &str, err: impl Debug) -> Source {
    format!("{what}: {err:?}").into()
}

#[cfg(test)]
mod tests;
