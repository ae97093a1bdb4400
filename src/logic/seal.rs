//! Commands under seal: driver and car share a key that the Spider between them does not have.
//!
//! A Spider sees and can change all that passes through it. With a key of their own, the two ends take nothing from it on
//! trust that moves the car: a command carries a code over all that it says (HMAC-SHA-256, its first half), and the car's
//! clock as its driver last heard it, in an answer of the car that is sealed, too.
//!
//! ```text
//!   driver ── ping {id, t_ms} ───────────────────────────▶ car
//!          ◀─ pong {id, t_ms, car_us, epoch, seal} ─────── epoch: drawn at each start, so nothing of an earlier life counts
//!          ── drive {…, car_ms, seal} ───────────────────▶ car_ms: at most [`MAX_AGE`] ago
//!
//!   sealed:  kind │ epoch │ fields, little endian, in the order of this file │ car_ms
//! ```
//!
//! What is sealed is what the command means, not its text, so two encoders of the same JSON agree. `car_ms` bounds how long
//! a Spider can hold a command back: whoever signs it has heard from the car since. The freshness rules come after.
//!
//! `stop` needs no seal, for nobody is to be kept from stopping a car; a Spider could as well cut the line. An old app's
//! commands can have none, so a car with a key obeys no old app.
//!
//! Invariants: total; nothing allocates; the time of a check does not depend on how much of a code was right.
//! Sources: RFC 2104 (HMAC, truncation to half), RFC 4231 (test vectors), FIPS 180-4.

use core::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::rights::{Right, Rights};
use super::units::Uptime;
use super::wire::{Incoming, Pong, SealFields};

mod bytes;
#[cfg(test)]
mod tests;

use bytes::Bytes;

/// Bytes of a seal. spec: RFC 2104 5, at least half of the hash.
pub const SEAL_BYTES: usize = 16;

/// How long ago the clock may have been read that a command carries.
///
/// choice: a driver of ours asks four times a second; a second's round trip and three lost answers are no attack.
pub const MAX_AGE: Duration = Duration::from_secs(2);

/// Why a message that somebody sealed, or did not, changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsealed {
    /// It has no seal.
    Missing,
    /// Its seal is none of this car's, or it was changed on its way.
    Wrong,
    /// It was sealed with a key for something else.
    Right,
    /// It was under way for too long, or is from another life of the car.
    Old,
}

impl Unsealed {
    /// A word for logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Missing => "no_seal",
            Self::Wrong => "wrong_seal",
            Self::Right => "seal_for_something_else",
            Self::Old => "old_seal",
        }
    }
}

/// A key, ready to be used.
#[derive(Clone)]
struct Key(Hmac<Sha256>);

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("<secret>")
    }
}

impl Key {
    fn new(key: &[u8]) -> Self {
        // Any length is a key (RFC 2104 2); the error is for algorithms that are pickier.
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    fn seal(&self, bytes: &Bytes) -> [u8; SEAL_BYTES] {
        let mut mac = self.0.clone();
        mac.update(bytes.as_slice());
        let whole: [u8; 32] = mac.finalize().into_bytes().into();
        let mut half = [0; SEAL_BYTES];
        for (to, from) in half.iter_mut().zip(whole) {
            *to = from;
        }
        half
    }

    fn matches(&self, bytes: &Bytes, seal: &[u8; SEAL_BYTES]) -> bool {
        let mut mac = self.0.clone();
        mac.update(bytes.as_slice());
        mac.verify_truncated_left(seal).is_ok()
    }
}

/// The keys of a car, and what it calls this life of its.
#[derive(Clone, Debug)]
pub struct Seals {
    driver: Key,
    calibrator: Option<Key>,
    epoch: u64,
}

impl Seals {
    /// Keys as bytes of any length; without a calibrator's key, the driver's is for that, too. Of `epoch`, a random number, 53
    /// bits count: a browser has no more.
    #[must_use]
    pub fn new(driver: &[u8], calibrator: Option<&[u8]>, epoch: u64) -> Self {
        Self {
            driver: Key::new(driver),
            calibrator: calibrator.map(Key::new),
            epoch: epoch >> 11,
        }
    }

    /// Whether a message that arrived now may be obeyed; `said` is what it says of its seal.
    ///
    /// # Errors
    /// Why not.
    pub fn check(
        &self,
        now: Uptime,
        message: &Incoming,
        said: Option<&SealFields>,
    ) -> Result<(), Unsealed> {
        let Some(bytes) = Bytes::of(message, self.epoch, said.map_or(0, |said| said.car_ms)) else {
            return match message {
                Incoming::Stop | Incoming::Ping(_) | Incoming::TellCalibration => Ok(()),
                _ => Err(Unsealed::Missing),
            };
        };
        let said = said.ok_or(Unsealed::Missing)?;
        let rights = self.rights(&bytes, &said.seal);
        if rights == Rights::NONE {
            return Err(Unsealed::Wrong);
        }
        if !rights.has(Right::needed(&Ok(*message))) {
            return Err(Unsealed::Right);
        }
        // Signed, so nobody but the driver has said it; a clock of the future is none that the car ever told.
        let read_at = Uptime::from_micros(said.car_ms.saturating_mul(1000));
        if now.since(read_at) > MAX_AGE || read_at > now {
            return Err(Unsealed::Old);
        }
        Ok(())
    }

    /// The same answer with the car's seal.
    #[must_use]
    pub fn sealed(&self, pong: Pong) -> Pong {
        let bytes = Bytes::of_pong(&pong, self.epoch);
        Pong {
            epoch: Some(self.epoch),
            seal: Some(self.driver.seal(&bytes)),
            ..pong
        }
    }

    fn rights(&self, bytes: &Bytes, seal: &[u8; SEAL_BYTES]) -> Rights {
        let drives = Rights::NONE.and(Right::Watch).and(Right::Drive);
        let is_calibrator = self
            .calibrator
            .as_ref()
            .is_some_and(|key| key.matches(bytes, seal));
        match (self.driver.matches(bytes, seal), is_calibrator) {
            (_, true) => drives.and(Right::Calibrate),
            (true, false) if self.calibrator.is_none() => drives.and(Right::Calibrate),
            (true, false) => drives,
            (false, false) => Rights::NONE,
        }
    }
}

/// What a driver seals with: for tests, and for programs that drive.
#[derive(Clone, Debug)]
pub struct DriverSeal {
    key: Key,
    epoch: u64,
}

impl DriverSeal {
    /// A key, and the life of the car that it is for.
    #[must_use]
    pub fn new(key: &[u8], epoch: u64) -> Self {
        Self {
            key: Key::new(key),
            epoch,
        }
    }

    /// The seal of a command with the car's clock as it was last heard; `None` for what has none.
    #[must_use]
    pub fn seal(&self, message: &Incoming, car_ms: u64) -> Option<[u8; SEAL_BYTES]> {
        Bytes::of(message, self.epoch, car_ms).map(|bytes| self.key.seal(&bytes))
    }

    /// Whether an answer is the car's.
    #[must_use]
    pub fn is_cars(&self, pong: &Pong) -> bool {
        let bytes = Bytes::of_pong(pong, pong.epoch.unwrap_or(0));
        pong.seal
            .is_some_and(|seal| self.key.matches(&bytes, &seal))
    }
}
