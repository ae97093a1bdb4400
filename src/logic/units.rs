//! One integer newtype per quantity, so that a microsecond is never taken for a permille.
//!
//! Fields are private and every value is checked on the way in, so the rest of the car never checks a range twice.
//! Bare integers with a unit in the name were rejected: a call with two swapped arguments would still compile.
//!
//! ```text
//!            forward +1000                 left +1000
//!                ▲                            ◀──┐
//!   Throttle     0  neutral        Steering      0  straight ahead
//!                ▼                               └──▶
//!            reverse −1000                 right −1000
//! ```
//!
//! Promises: a value that exists is in its range; all arithmetic saturates, none panics.
//! Knows nothing of: what a quantity is used for.
//! Sources: README 3.5 (names, sign and frame), PROTOCOL.md 4.7 (the tick).

use core::time::Duration;

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// A moment on the machine's monotonic clock, in microseconds since its start.
///
/// It cannot wrap in 584,000 years, does not jump when the wall clock is set, and all parts of the process share it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Uptime(u64);

impl Uptime {
    /// The start of the clock.
    pub const ZERO: Self = Self(0);
    /// The far end of the clock: "never", where a deadline is wanted and there is none.
    pub const MAX: Self = Self(u64::MAX);

    /// The moment this many microseconds after the start of the clock.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the start of the clock.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Time passed since `earlier`; zero if `earlier` is in fact later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The moment `wait` after this one; [`Uptime::MAX`] if that is past the end of the clock.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

/// Declares a signed permille of full scale.
macro_rules! permille {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "i32")]
        pub struct $name(i16);

        impl TryFrom<i32> for $name {
            type Error = &'static str;

            fn try_from(permille: i32) -> Result<Self, Self::Error> {
                Self::new(permille).ok_or("beyond full scale")
            }
        }

        impl $name {
            /// Neutral.
            pub const ZERO: Self = Self(0);
            /// Full scale in the positive direction.
            pub const MAX: Self = Self(1000);
            /// Full scale in the negative direction.
            pub const MIN: Self = Self(-1000);

            /// The value, if it is within full scale.
            #[must_use]
            pub fn new(permille: i32) -> Option<Self> {
                let value = i16::try_from(permille).ok()?;
                (Self::MIN.0..=Self::MAX.0)
                    .contains(&value)
                    .then_some(Self(value))
            }

            /// The nearest value within full scale.
            #[must_use]
            pub fn saturating(permille: i32) -> Self {
                match i16::try_from(permille) {
                    Ok(value) if value > Self::MAX.0 => Self::MAX,
                    Ok(value) if value < Self::MIN.0 => Self::MIN,
                    Ok(value) => Self(value),
                    Err(_) if permille > 0 => Self::MAX,
                    Err(_) => Self::MIN,
                }
            }

            /// Permille of full scale, signed.
            #[must_use]
            pub const fn get(self) -> i16 {
                self.0
            }

            /// Whether this is neutral.
            #[must_use]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }
        }
    };
}

permille! {
    /// How hard to drive, in permille of full scale: forward is positive, reverse negative.
    Throttle
}

permille! {
    /// How far to steer, in permille of full scale: left is positive, right negative.
    Steering
}

/// The length of a servo or ESC pulse, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16")]
pub struct PulseWidth(u16);

impl TryFrom<u16> for PulseWidth {
    type Error = &'static str;

    fn try_from(micros: u16) -> Result<Self, Self::Error> {
        Self::new(micros).ok_or("no pulse of a servo")
    }
}

impl PulseWidth {
    /// choice: no hobby servo or ESC understands less; a lower number is a slip of the pen.
    pub const MIN: Self = Self(500);
    /// choice: no hobby servo or ESC understands more, and a 50 Hz frame has room for it.
    pub const MAX: Self = Self(2500);

    /// Ticks a second of the old car's PWM chip: 12 bits at a nominal 60 Hz.
    ///
    /// spec: PROTOCOL.md 4.7, "nominal 4.0690 us (1e6/60/4096)".
    const TICKS_PER_SECOND: u32 = 60 * 4096;

    /// The pulse, if a servo could understand it.
    #[must_use]
    pub fn new(micros: u16) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0)
            .contains(&micros)
            .then_some(Self(micros))
    }

    /// The nearest pulse that a servo could understand.
    #[must_use]
    pub fn saturating(micros: u32) -> Self {
        match u16::try_from(micros) {
            Ok(value) if value < Self::MIN.0 => Self::MIN,
            Ok(value) if value <= Self::MAX.0 => Self(value),
            Ok(_) | Err(_) => Self::MAX,
        }
    }

    /// Length in microseconds.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The pulse that the old car made of this tick count, to the nearest microsecond, if it is in range.
    #[must_use]
    pub fn from_ticks(ticks: u16) -> Option<Self> {
        u16::try_from(Self::ticks_to_micros(ticks))
            .ok()
            .and_then(Self::new)
    }

    /// The nearest pulse to this tick count of the old car.
    #[must_use]
    pub fn saturating_from_ticks(ticks: u16) -> Self {
        Self::saturating(Self::ticks_to_micros(ticks))
    }

    /// The old car's tick count nearest to this pulse. It undoes [`PulseWidth::from_ticks`] exactly.
    #[must_use]
    pub fn to_ticks(self) -> u16 {
        let ticks = (u32::from(self.0) * Self::TICKS_PER_SECOND + 500_000) / 1_000_000;
        u16::try_from(ticks).unwrap_or(u16::MAX)
    }

    fn ticks_to_micros(ticks: u16) -> u32 {
        let micros = (u64::from(ticks) * 1_000_000 + u64::from(Self::TICKS_PER_SECOND / 2))
            / u64::from(Self::TICKS_PER_SECOND);
        u32::try_from(micros).unwrap_or(u32::MAX)
    }
}

/// A bit rate in thousands of bits a second (1 kbit = 1000 bit).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kbps(u32);

impl Kbps {
    /// A rate. Every number is a rate; what is sensible is the caller's to say.
    #[must_use]
    pub const fn new(kbps: u32) -> Self {
        Self(kbps)
    }

    /// Kilobits a second.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Bits a second.
    #[must_use]
    pub fn bits_per_second(self) -> u64 {
        u64::from(self.0) * 1000
    }
}

/// Names a driver: a number that all may see, and a secret that only he and the car know. A viewer picks both at random when
/// its page loads and keeps them until the page goes.
///
/// Two with one number and different secrets are two drivers, so who reads the number in telemetry can do nothing with it.
/// A driver without a secret (0: an older page) is whoever says his number. A sender whose sequence numbers start again must
/// take a new id: the car remembers what it heard under the old one.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LeaseId(u64);

impl core::fmt::Debug for LeaseId {
    /// The number alone: what is printed may be read by others.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("LeaseId").field(&self.get()).finish()
    }
}

impl LeaseId {
    /// Nobody.
    pub const NONE: Self = Self(0);

    /// The id with this number and no secret; 0 is [`LeaseId::NONE`].
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self::with_secret(number, 0)
    }

    /// The id with this number and this secret. The number 0 is [`LeaseId::NONE`], whatever the secret is.
    #[must_use]
    pub const fn with_secret(number: u32, secret: u32) -> Self {
        let mut bytes = [0; 8];
        let (low, high) = bytes.split_at_mut(4);
        low.copy_from_slice(&number.to_le_bytes());
        high.copy_from_slice(&secret.to_le_bytes());
        Self::from_word(u64::from_le_bytes(bytes))
    }

    /// The number, which everybody may know.
    #[must_use]
    pub const fn get(self) -> u32 {
        let [a, b, c, d, ..] = self.0.to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// The secret, for the driver's own messages; 0 if he has none.
    #[must_use]
    pub const fn secret(self) -> u32 {
        let [.., e, f, g, h] = self.0.to_le_bytes();
        u32::from_le_bytes([e, f, g, h])
    }

    /// Both in one word, for what is shared without a lock.
    #[must_use]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// The id of a word.
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        if Self(word).get() == 0 {
            return Self::NONE;
        }
        Self(word)
    }

    /// Whether this names nobody.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// The sequence number of a command. It wraps, so "newer" is a matter of which way round is shorter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seq(u32);

impl Seq {
    /// The sequence number with this value.
    #[must_use]
    pub const fn new(seq: u32) -> Self {
        Self(seq)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Whether this came after `other`: at most half the number circle ahead of it, and not equal.
    ///
    /// spec: RFC 1982 section 3.2; exactly half way round counts as not newer, from both sides.
    #[must_use]
    pub const fn is_newer_than(self, other: Self) -> bool {
        let ahead = self.0.wrapping_sub(other.0);
        ahead != 0 && ahead < 1 << 31
    }
}
