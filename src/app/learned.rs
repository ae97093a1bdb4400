//! What a car learns while it runs, as the text of a file, and when that is worth a write.
//!
//! Two things are learned: a calibration that was saved, and the old app's `maxSpeed`. The text is one line of JSON that
//! ends with a checksum of the rest, so that a file that a power cut left half, or that a card returned wrong, is known
//! for what it is; a person can still read it.
//!
//! ```text
//!   {"spidercar_state":1,"calibration":{"throttle_min_us":1000,…},"max_speed_ticks":420,"sha256":"…64 digits…"}
//! ```
//!
//! The old car wrote its file at every move of a slider. Here a write waits until the slider stands, and costs a token:
//!
//! ```text
//!   tokens    10 ──write──▶ 9 … one more each minute, 10 at most; the last five are for calibrations alone
//!   so        at most 526,000 writes in a year in which somebody moves the slider day and night
//! ```
//!
//! Promises: pure, time is an argument; what is decoded is a whole calibration in order, or refused with the reason; text
//! that was encoded decodes to the same; what is the same as on the disk is not written.
//! Knows nothing of: files, threads.
//! Sources: PROTOCOL.md 6 defects 26 to 28 (the file that was half written, and at each move of a slider).

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::logic::drive::{Calibration, CalibrationError, CalibrationFields};
use crate::logic::units::Uptime;
use crate::logic::vehicle::CalibrationStatus;
use crate::logic::wire::Pulses;

/// Version of the text.
const VERSION: u64 = 1;

/// The longest text that is looked at, in bytes. choice: ten times what is ever written.
pub const LONGEST: usize = 4096;

/// Most ticks of the old PWM chip. datasheet: PCA9685 7.3.3, a 12-bit counter.
const MOST_TICKS: u16 = 4095;

/// Writes that may follow each other without a wait. choice: nobody saves ten times in a minute on purpose.
const TOKENS: u32 = 10;

/// Tokens that a slider leaves alone. choice: half of them.
const RESERVE: u32 = 5;

/// Time for one more token. choice: a write is some eight blocks of 4 KiB on ext4, data, directory and journal; one a
/// minute is 17 GB a year, which a card of 8 GB with a thousand erasures a block bears for centuries.
const REFILL: Duration = Duration::from_secs(60);

/// How long a slider must stand before it is worth a write. choice: a hand that looks for a speed is faster.
const SETTLED: Duration = Duration::from_secs(2);

/// Wait after a write that failed. choice: a folder that became writable again is noticed by whoever made it so.
const AGAIN: Duration = Duration::from_secs(30);

/// What was learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// A calibration that was saved.
    pub calibration: Option<Calibration>,
    /// Full forward in ticks of the old car, if a `maxSpeed` lowered it.
    pub max_speed: Option<u16>,
}

/// Why a text is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Nothing in it: the power went while it was made.
    Empty,
    /// Longer than any that was ever written.
    TooLong,
    /// Not the JSON that is written here.
    NotOurs(String),
    /// Written by another version of this program.
    Version(u64),
    /// The checksum is that of another text.
    Checksum,
    /// A pulse that no servo understands.
    NoPulse,
    /// The pulses make no sense together.
    OutOfOrder(CalibrationError),
    /// No tick count of the old chip.
    MaxSpeed(u16),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty: the power went while it was made"),
            Self::TooLong => write!(f, "it is longer than {LONGEST} bytes"),
            Self::NotOurs(why) => write!(f, "it is half written, or something else ({why})"),
            Self::Version(version) => write!(
                f,
                "it was written by another version of this program (format {version}, not {VERSION})"
            ),
            Self::Checksum => f.write_str(
                "its checksum is wrong: the card returned other bytes, or somebody edited it by hand",
            ),
            Self::NoPulse => f.write_str("a pulse in it is not from 500 to 2500 us"),
            Self::OutOfOrder(why) => write!(f, "the pulses in it are out of order ({why})"),
            Self::MaxSpeed(ticks) => {
                write!(f, "max_speed_ticks = {ticks} is not from 1 to {MOST_TICKS}")
            }
        }
    }
}

impl core::error::Error for Damage {}

/// The text without its checksum.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    spidercar_state: u64,
    calibration: Option<Pulses>,
    max_speed_ticks: Option<u16>,
}

#[derive(Debug, Deserialize)]
struct Whole {
    #[serde(flatten)]
    body: Body,
    sha256: String,
}

/// What every version says first.
#[derive(Debug, Deserialize)]
struct Versioned {
    spidercar_state: u64,
}

impl Learned {
    /// What a running car has learned by now.
    #[must_use]
    pub fn of(status: &CalibrationStatus) -> Self {
        let saved = status.is_saved.then_some(status.counts);
        Self {
            // What counts was a calibration before it became words.
            calibration: saved.and_then(|fields| Calibration::new(fields).ok()),
            max_speed: status.max_speed,
        }
    }

    /// The text of the file.
    #[must_use]
    pub fn encode(&self) -> String {
        let calibration = self.calibration.map(|saved| saved.fields().to_pulses());
        let body = text_of(&Body {
            spidercar_state: VERSION,
            calibration,
            max_speed_ticks: self.max_speed,
        });
        let sum = sum(&body);
        let open = body.strip_suffix('}').unwrap_or(&body);
        format!("{open},\"sha256\":\"{sum}\"}}\n")
    }

    /// What a text says.
    ///
    /// # Errors
    /// Why it is not used.
    pub fn decode(text: &[u8]) -> Result<Self, Damage> {
        if text.is_empty() {
            return Err(Damage::Empty);
        }
        if text.len() > LONGEST {
            return Err(Damage::TooLong);
        }
        let not_ours = |err: serde_json::Error| Damage::NotOurs(err.to_string());
        let Versioned { spidercar_state } = serde_json::from_slice(text).map_err(not_ours)?;
        if spidercar_state != VERSION {
            return Err(Damage::Version(spidercar_state));
        }
        let Whole { body, sha256 } = serde_json::from_slice(text).map_err(not_ours)?;
        if sha256 != sum(&text_of(&body)) {
            return Err(Damage::Checksum);
        }
        let calibration = body.calibration.map(|pulses| {
            let fields = CalibrationFields::from_pulses(&pulses).ok_or(Damage::NoPulse)?;
            Calibration::new(fields).map_err(Damage::OutOfOrder)
        });
        if let Some(ticks) = body.max_speed_ticks
            && !(1..=MOST_TICKS).contains(&ticks)
        {
            return Err(Damage::MaxSpeed(ticks));
        }
        Ok(Self {
            calibration: calibration.transpose()?,
            max_speed: body.max_speed_ticks,
        })
    }
}

fn text_of(body: &Body) -> String {
    serde_json::to_string(body).expect("numbers and names are always JSON")
}

fn sum(text: &str) -> String {
    use fmt::Write as _;
    let mut digits = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// When to write.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is on the disk, as far as is known.
    stored: Option<Learned>,
    /// What was wanted last, and since when.
    wanted: (Learned, Uptime),
    tokens: u32,
    refilled_at: Uptime,
    not_before: Uptime,
}

impl Plan {
    /// A plan for a disk that has this; `None` if what it has must be written anew.
    #[must_use]
    pub const fn new(now: Uptime, stored: Option<Learned>, wanted: Learned) -> Self {
        Self {
            stored,
            wanted: (wanted, now),
            tokens: TOKENS,
            refilled_at: now,
            not_before: Uptime::ZERO,
        }
    }

    /// Whether to write this now. If so it costs a token, and [`Plan::wrote`] wants to know how it went.
    pub fn is_due(&mut self, now: Uptime, wanted: Learned) -> bool {
        self.refill(now);
        if self.wanted.0 != wanted {
            self.wanted = (wanted, now);
        }
        let stored = self.stored;
        if stored == Some(wanted) || now < self.not_before {
            return false;
        }
        // A calibration is written at once: somebody stands there and waits for the word that it is safe.
        let is_slider = stored.is_some_and(|stored| stored.calibration == wanted.calibration);
        if is_slider && now.since(self.wanted.1) < SETTLED {
            return false;
        }
        let reserve = if is_slider { RESERVE } else { 0 };
        if self.tokens <= reserve {
            return false;
        }
        self.tokens -= 1;
        true
    }

    /// A write of this ended.
    pub fn wrote(&mut self, now: Uptime, learned: Learned, is_ok: bool) {
        if is_ok {
            self.stored = Some(learned);
        } else {
            self.not_before = now.after(AGAIN);
        }
    }

    /// Whether the disk has this.
    #[must_use]
    pub fn has(&self, learned: &Learned) -> bool {
        self.stored.as_ref() == Some(learned)
    }

    /// Whether the disk has this calibration, whatever it has of a slider.
    #[must_use]
    pub fn has_calibration(&self, learned: &Learned) -> bool {
        let stored = self.stored.as_ref();
        stored.is_some_and(|stored| stored.calibration == learned.calibration)
    }

    fn refill(&mut self, now: Uptime) {
        while self.tokens < TOKENS && now.since(self.refilled_at) >= REFILL {
            self.tokens += 1;
            self.refilled_at = self.refilled_at.after(REFILL);
        }
        if self.tokens == TOKENS {
            self.refilled_at = now;
        }
    }
}

#[cfg(test)]
mod tests;
