//! The encoder as the video thread uses it: made when needed, made again after a failure, fed what it can bear.
//!
//! ```text
//!   closed ──code──▶ make ──▶ open ──code──▶ unit
//!     ▲               │fails    │ fails
//!     └── wait ◀──────┴─────────┘       a software encoder that is too slow gets half pictures, then half as many
//! ```
//!
//! Promises: an encoder that fails is made again after 0.5 s, then ever more rarely ([`Reopening`]); the first unit of a new
//! encoder, and of a picture that comes back, is an IDR.
//! Knows nothing of: cameras, who looks. Sources: `logic::ladder`.

use std::time::Duration;

use super::calls::Row;
use super::clock;
use super::outlet::{Coded, CodedPool};
use super::parts::{MakeEncoder, chain};
use crate::hal::halve::Halver;
use crate::hal::{Encoder, Frame};
use crate::logic::backoff::Reopening;
use crate::logic::ladder::{Ladder, Rung};
use crate::logic::units::{Kbps, Uptime};

/// Makes units of frames.
pub struct Coder<'a> {
    make: &'a mut MakeEncoder,
    row: &'a Row,
    encoder: Option<Box<dyn Encoder>>,
    reopening: &'a mut Reopening,
    retry_at: Uptime,
    target: Option<Kbps>,
    needs_key: bool,
    period: Duration,
    ladder: Ladder,
    halver: Halver,
    last_coded: Option<Uptime>,
    pool: CodedPool,
}

/// What became of a frame.
#[derive(Debug)]
pub enum Done {
    /// It was left out: the encoder is slow, or will be made again in a moment.
    LeftOut,
    /// It was coded, unless the rate allowed no picture.
    Coded(Times, Option<CodedUnit>),
}

/// A frame's way through the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When the camera took it.
    pub captured_at: Uptime,
    /// When the encoder was called.
    pub called_at: Uptime,
    /// When it was done.
    pub coded_at: Uptime,
    /// Size of what was coded.
    pub size: (u32, u32),
}

/// A coded frame.
#[derive(Debug)]
pub struct CodedUnit {
    /// Annex B bytes.
    pub data: Coded,
    /// Whether decoding can start here.
    pub is_key: bool,
}

impl<'a> Coder<'a> {
    /// Makes nothing yet; frames come with this period. What is known of failures outlives it.
    #[must_use]
    pub fn new(
        make: &'a mut MakeEncoder,
        reopening: &'a mut Reopening,
        row: &'a Row,
        period: Duration,
    ) -> Self {
        Self {
            make,
            row,
            encoder: None,
            reopening,
            retry_at: Uptime::ZERO,
            target: None,
            needs_key: true,
            period,
            ladder: Ladder::new(period),
            halver: Halver::default(),
            last_coded: None,
            pool: CodedPool::default(),
        }
    }

    /// Codes a frame.
    ///
    /// # Errors
    /// Why the encoder could not be made, or failed; it is closed, and made again with a later frame.
    pub fn code(
        &mut self,
        now: Uptime,
        frame: &Frame,
        target: Kbps,
        wants_key: bool,
    ) -> Result<Done, String> {
        self.needs_key |= wants_key;
        let done = self.try_code(now, frame, target);
        if done.is_err() {
            self.close();
            let now = clock::now();
            self.retry_at = now.after(self.reopening.failed(now));
        }
        done
    }

    fn try_code(&mut self, now: Uptime, frame: &Frame, target: Kbps) -> Result<Done, String> {
        if self.encoder.is_none() {
            if now < self.retry_at {
                return Ok(Done::LeftOut);
            }
            let made = self.row.during("open the encoder", || (self.make)());
            self.encoder = Some(made.map_err(|err| chain(&err))?);
            (self.target, self.needs_key) = (None, true);
        }
        let is_hardware = self.is_hardware();
        let rung = self.rung();
        if rung == Rung::HalfRate
            && self
                .last_coded
                .is_some_and(|last| frame.captured_at().since(last) < self.period * 3 / 2)
        {
            return Ok(Done::LeftOut);
        }
        let half = match rung {
            Rung::Full => None,
            // A picture that is too small to halve goes as it is.
            Rung::Half | Rung::HalfRate => self.halver.halve(frame),
        };
        let picture = half.as_ref().unwrap_or(frame);
        let Some(encoder) = self.encoder.as_mut() else {
            return Ok(Done::LeftOut);
        };
        let row = self.row;
        let _under_way = row.enter("encode a picture");
        let called_at = clock::now();
        let set = match self.target {
            Some(last) if last == target => Ok(()),
            Some(_) | None => encoder.set_bitrate(target),
        };
        let coded = set.and_then(|()| encoder.encode(picture, self.needs_key));
        let unit = match coded {
            Ok(unit) => unit.map(|unit| CodedUnit {
                data: self.pool.copy(unit.data()),
                is_key: unit.is_idr(),
            }),
            Err(err) => return Err(chain(&err)),
        };
        let coded_at = clock::now();
        self.reopening.works(coded_at);
        self.target = Some(target);
        self.needs_key &= !unit.as_ref().is_some_and(|unit| unit.is_key);
        self.last_coded = Some(frame.captured_at());
        let times = Times {
            captured_at: frame.captured_at(),
            called_at,
            coded_at,
            size: (picture.width(), picture.height()),
        };
        if !is_hardware {
            self.climb(coded_at, coded_at.since(called_at));
        }
        Ok(Done::Coded(times, unit))
    }

    fn climb(&mut self, now: Uptime, spent: Duration) {
        if let Some(rung) = self.ladder.coded(now, spent) {
            let says = rung.says();
            tracing::info!("video: the processor encodes at {says} now");
        }
    }

    /// The next unit must start a new picture: something else was shown meanwhile.
    pub const fn start_with_key(&mut self) {
        self.needs_key = true;
    }

    /// Closes the encoder; the next frame makes a new one.
    pub fn close(&mut self) {
        let encoder = self.encoder.take();
        self.row.during("close the encoder", || drop(encoder));
    }

    /// Whether a device encodes.
    #[must_use]
    pub fn is_hardware(&self) -> bool {
        self.encoder
            .as_ref()
            .is_some_and(|encoder| encoder.is_hardware())
    }

    /// How much of the camera's picture is coded.
    #[must_use]
    pub fn rung(&self) -> Rung {
        if self.is_hardware() {
            Rung::Full
        } else {
            self.ladder.rung()
        }
    }

    /// Pictures that had to be copied for this encoder.
    #[must_use]
    pub fn copies(&self) -> u32 {
        self.encoder.as_ref().map_or(0, |encoder| encoder.copies())
    }
}

impl Drop for Coder<'_> {
    fn drop(&mut self) {
        self.close();
    }
}
