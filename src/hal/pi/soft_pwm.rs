//! Pulses on any pin, made by a thread that switches it.
//!
//! rppal has software PWM too, but it hands each new pulse through a queue that allocates, runs at the highest priority
//! there is, and makes the last pulse for ever. Here the newest pulse is one atomic number, a second handle can set it
//! without a lock, and a pulse that nobody has renewed for [`STALE`] ends: the line goes low, and an ESC that hears
//! nothing stops.
//!
//! ```text
//!   writer ──pulse──▶ [atomic] ◀──pulse── guard
//!                        │ each period
//!      rise ─ sleep ─ spin ─ fall ──── sleep ──── spin ─ rise        spin: the last 120 us before an edge
//!           └── pulse ──────┘└───── rest of the period ──┘
//! ```
//!
//! A thread that is kept from running while the pin is high makes a pulse that is too long, and nothing can take it back.
//! How late its falling edges are is counted here, and told by `doctor` and in the log at the end; without real-time
//! priority it can be milliseconds. Hardware PWM has none of this: it is the better choice on every pin that has it.
//!
//! When this process dies the pulses end, and the pin stays high if it was: one time in thirteen for a servo pulse. An ESC
//! takes that for a lost signal; the speed pin of an H-bridge does not, so that one wants hardware PWM or an enable pin.
//!
//! Promises: waits for no lock, no allocation after the start; the newest pulse wins; low at the end.
//! Knows nothing of: servos, motors.
//! Sources: measured jitter in README, "Figures"; `clock_nanosleep(2)`.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use core::time::Duration;

use embedded_hal::digital::OutputPin;
use embedded_hal::pwm::{ErrorType, SetDutyCycle};
use rustix::thread::{ClockId, NanosleepRelativeResult, Timespec, clock_nanosleep_relative};
use rustix::time::clock_gettime;

use super::pwm::PwmFailed;
use super::servo::{Periodic, duty_parts};
use crate::hal::realtime;
use crate::logic::spread::{Figures, Spread};

/// How long before an edge the thread stops sleeping and watches the clock.
/// measured: wake-ups of a real-time thread on a busy 2-core machine are some 60 us late; twice that.
const SPIN: u64 = 120_000;

/// A pulse that is not written again for so long is made no more.
/// choice: five of the driver's refreshes (100 ms); longer than the guard takes to write neutral.
pub const STALE: Duration = Duration::from_millis(500);

/// What the thread and its handles share.
#[derive(Debug, Default)]
struct Shared {
    pulse_ns: AtomicU32,
    /// When the pulse was written, on the monotonic clock.
    renewed_ns: AtomicU64,
    stop: AtomicBool,
    pin_failed: AtomicBool,
    /// How much too long pulses were. The thread never waits for it: a pulse is not counted while somebody reads.
    too_long: Mutex<Spread>,
}

impl Shared {
    fn too_long(&self) -> Figures {
        let spread = self.too_long.lock();
        let spread = spread.unwrap_or_else(PoisonError::into_inner).clone();
        spread.figures()
    }
}

/// One line. Clones are handles on the same line; it ends with the last of them.
#[derive(Clone, Debug)]
pub struct SoftPwm {
    shared: Arc<Shared>,
    _life: Arc<Life>,
    pin: u8,
    period: Duration,
}

/// Ends the thread with the last handle.
#[derive(Debug)]
struct Life {
    shared: Arc<Shared>,
    join: Option<thread::JoinHandle<()>>,
}

impl Drop for Life {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(join) = self.join.take() {
            let _ = join.join(); // a panic in it has left the pin as it was; there is nothing more to do here
        }
    }
}

impl SoftPwm {
    /// Starts the thread; the line is low until a pulse is set.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(
        output: impl OutputPin + Send + 'static,
        pin: u8,
        period: Duration,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let maker = Maker {
            output,
            pin,
            shared: Arc::clone(&shared),
            period_ns: u64::try_from(period.as_nanos()).unwrap_or(u64::MAX),
        };
        let join = thread::Builder::new()
            .name(format!("pulses {pin}"))
            .spawn(move || maker.run())?;
        let life = Arc::new(Life {
            shared: Arc::clone(&shared),
            join: Some(join),
        });
        Ok(Self {
            shared,
            _life: life,
            pin,
            period,
        })
    }

    /// How much too long the pulses were since the start.
    #[must_use]
    pub fn too_long(&self) -> Figures {
        self.shared.too_long()
    }

    /// BCM number of the pin.
    #[must_use]
    pub const fn pin(&self) -> u8 {
        self.pin
    }

    /// As [`Periodic::look`].
    ///
    /// # Errors
    /// The pin could not be switched.
    pub fn look(&self) -> Result<(), PwmFailed> {
        if self.shared.pin_failed.swap(false, Ordering::Relaxed) {
            return Err(PwmFailed::new(
                "switch the pin",
                io::Error::other("it failed"),
            ));
        }
        Ok(())
    }
}

/// The thread's side.
struct Maker<O> {
    output: O,
    pin: u8,
    shared: Arc<Shared>,
    period_ns: u64,
}

impl<O: OutputPin> Maker<O> {
    fn run(mut self) {
        realtime::raise("pulses", realtime::PULSE_PRIORITY);
        let mut rise_at = now_ns();
        while !self.shared.stop.load(Ordering::Relaxed) {
            self.pulse();
            // Periods that were slept through are left out: two pulses close together would be one long one.
            let now = now_ns();
            rise_at = rise_at.saturating_add(self.period_ns);
            if rise_at < now {
                rise_at = now;
            }
            wait_until(rise_at);
        }
        self.low();
        let too_long = self.shared.too_long();
        tracing::info!(
            pin = self.pin,
            pulses = too_long.n,
            too_long_p50_us = too_long.p50_us,
            too_long_p99_us = too_long.p99_us,
            too_long_max_us = too_long.max_us,
            "software PWM"
        );
    }

    /// One pulse, or none.
    fn pulse(&mut self) {
        let pulse = u64::from(self.shared.pulse_ns.load(Ordering::Acquire));
        let age = now_ns().saturating_sub(self.shared.renewed_ns.load(Ordering::Acquire));
        if pulse == 0 || u128::from(age) > STALE.as_nanos() {
            self.low();
            return;
        }
        let is_up = self.output.set_high().is_ok();
        let fall_at = now_ns().saturating_add(pulse);
        self.note(is_up);
        if pulse >= self.period_ns {
            return; // full scale: high all the time
        }
        wait_until(fall_at);
        self.low();
        let late = now_ns().saturating_sub(fall_at);
        if let Ok(mut too_long) = self.shared.too_long.try_lock() {
            too_long.note(Duration::from_nanos(late));
        }
    }

    fn low(&mut self) {
        let is_down = self.output.set_low().is_ok();
        self.note(is_down);
    }

    fn note(&self, is_ok: bool) {
        if !is_ok {
            self.shared.pin_failed.store(true, Ordering::Relaxed);
        }
    }
}

impl ErrorType for SoftPwm {
    type Error = PwmFailed;
}

impl SetDutyCycle for SoftPwm {
    fn max_duty_cycle(&self) -> u16 {
        duty_parts(self.period).0
    }

    fn set_duty_cycle(&mut self, duty: u16) -> Result<(), PwmFailed> {
        let (_, part) = duty_parts(self.period);
        // At most a period of 25 ms: it fits.
        let nanos = u32::try_from(part.as_nanos()).unwrap_or(1) * u32::from(duty);
        self.shared.renewed_ns.store(now_ns(), Ordering::Release);
        self.shared.pulse_ns.store(nanos, Ordering::Release);
        Ok(())
    }
}

impl Periodic for SoftPwm {
    fn period(&self) -> Duration {
        self.period
    }

    fn look(&self) -> Result<(), PwmFailed> {
        Self::look(self)
    }

    fn too_long(&self) -> Option<Figures> {
        Some(Self::too_long(self))
    }

    fn twin(&self) -> Option<Self> {
        Some(self.clone())
    }
}

/// Nanoseconds of the monotonic clock.
fn now_ns() -> u64 {
    let time = clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// Sleeps most of the way and watches the clock for the rest.
fn wait_until(at: u64) {
    loop {
        let left = at.saturating_sub(now_ns());
        if left == 0 {
            return;
        }
        if left <= SPIN {
            core::hint::spin_loop();
            continue;
        }
        let nap = left - SPIN;
        let nap = Timespec {
            tv_sec: i64::try_from(nap / 1_000_000_000).unwrap_or(0),
            tv_nsec: i64::try_from(nap % 1_000_000_000).unwrap_or(0),
        };
        match clock_nanosleep_relative(ClockId::Monotonic, &nap) {
            // Woken early or not at all: the loop looks at the clock again.
            NanosleepRelativeResult::Ok
            | NanosleepRelativeResult::Interrupted(_)
            | NanosleepRelativeResult::Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
