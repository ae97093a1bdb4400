//! One frame's way through an encoder that runs.
//!
//! ```text
//!   put:  [key frame wanted] ─▶ QBUF OUTPUT
//!   get:  poll ─▶ DQBUF OUTPUT: the frame is the caller's again;  DQBUF CAPTURE: is it this frame's unit, and whole?
//!   finish: is it a picture that a viewer can follow? headers in front of an IDR that has none
//!   take_back: QBUF of the unit that was lent
//! ```
//!
//! Promises: a unit is that of the frame that was put in; what no viewer could follow is an error.
//! Knows nothing of: how the encoder was opened. Sources: as `open`.

use core::time::Duration;

use super::input::Put;
use super::open::{Open, failed, unsupported};
use crate::hal::clock::{Clock, SystemClock};
use crate::hal::v4l2::border::{Buffer, Memory, Queue};
use crate::hal::v4l2::control;
use crate::hal::v4l2::stream::{Look, look};
use crate::hal::{EncoderError, Frame};
use crate::logic::units::Uptime;

/// Why a frame did not go through.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The driver does not take its memory.
    Import(String),
    /// Its unit is larger than a buffer of so many bytes.
    Room { bytes: u32 },
    /// Anything else.
    Error(EncoderError),
}

impl Refusal {
    pub(super) fn into_error(self) -> EncoderError {
        match self {
            Self::Error(error) => error,
            Self::Import(why) => failed("encoder", "queue a frame", why),
            Self::Room { bytes } => failed(
                "encoder",
                "take a unit",
                format!("it fills a buffer of {bytes} bytes, and is not whole; asking for more"),
            ),
        }
    }
}

impl From<EncoderError> for Refusal {
    fn from(error: EncoderError) -> Self {
        Self::Error(error)
    }
}

/// A unit that has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coded {
    index: usize,
    used: usize,
    pub(super) is_idr: bool,
    /// It stands in `Open::joined`, with headers in front.
    is_joined: bool,
}

impl Open {
    /// Queues the buffer of the unit that was lent last.
    pub(super) fn take_back(&mut self) -> Result<(), EncoderError> {
        let Some(index) = self.lent.take() else {
            return Ok(());
        };
        self.offer(index)
            .map_err(|error| failed(&self.name, "queue a buffer", error))
    }

    pub(super) fn offer(&self, index: u32) -> std::io::Result<()> {
        let room = usize::try_from(index)
            .ok()
            .and_then(|at| self.units.get(at));
        let length = room.map_or(0, |unit| unit.bytes().len());
        let buffer = Buffer {
            index,
            length: u32::try_from(length).unwrap_or(u32::MAX),
            ..Buffer::default()
        };
        self.device.queue(Queue::CaptureMplane, &buffer, None)
    }

    /// Queues a frame.
    pub(super) fn put(&mut self, frame: &Frame, want_idr: bool) -> Result<Put, Refusal> {
        self.owes_idr |= want_idr;
        if self.owes_idr && self.has_key_button && !self.is_fresh {
            self.device
                .set_control(control::FORCE_KEY, 1)
                .map_err(|error| failed(&self.name, "ask for a key frame", error))?;
        }
        // The time tells which unit is which frame's, so it must not come twice.
        self.time = frame
            .captured_at()
            .max(self.last.after(Duration::from_micros(1)));
        let put = self
            .input
            .put(self.device.as_ref(), &self.name, frame, self.time)?;
        self.last = self.time;
        Ok(put)
    }

    /// Waits for the unit of the frame that was put in, and for the frame itself. Also gives the time at which it came.
    pub(super) fn get(
        &mut self,
        patience: Duration,
        strays: &mut u64,
    ) -> Result<(Buffer, Uptime), Refusal> {
        let until = SystemClock.now().after(patience);
        let mut is_back = false;
        let mut unit = None;
        loop {
            if let (Some(unit), true) = (unit, is_back) {
                return Ok(unit);
            }
            let left = until.since(SystemClock.now());
            let ready = self
                .device
                .wait(left)
                .map_err(|error| failed(&self.name, "wait for a unit", error))?;
            if ready.output {
                is_back |= self.frame_back()?;
            }
            if ready.capture {
                while let Some(buffer) = self.dequeue_unit()? {
                    if unit.is_none() && self.is_ours(&buffer)? {
                        self.lent = Some(buffer.index);
                        unit = Some((buffer, SystemClock.now()));
                    } else {
                        *strays += 1;
                        self.offer(buffer.index)
                            .map_err(|error| failed(&self.name, "queue a buffer", error))?;
                    }
                }
            }
            let is_over = left.is_zero() || ready.is_nothing();
            if ready.error && !ready.capture && !ready.output {
                return Err(
                    failed(&self.name, "wait for a unit", "the device cannot deliver").into(),
                );
            }
            if is_over && !(unit.is_some() && is_back) {
                let what = if unit.is_some() {
                    "did not give the frame back"
                } else {
                    "gave nothing"
                };
                let why = format!("it {what} in {} ms", patience.as_millis());
                return Err(failed(&self.name, "wait for a unit", why).into());
            }
        }
    }

    /// Dequeues frames that the driver is done with.
    fn frame_back(&self) -> Result<bool, EncoderError> {
        let mut is_back = false;
        while let Some(buffer) = self
            .device
            .dequeue(Queue::OutputMplane, self.input.memory())
            .map_err(|error| failed(&self.name, "take a frame back", error))?
        {
            if buffer.flags.is_error {
                return Err(failed(
                    &self.name,
                    "code a frame",
                    "the driver could not read it",
                ));
            }
            is_back |= buffer.time == self.time;
        }
        Ok(is_back)
    }

    fn dequeue_unit(&self) -> Result<Option<Buffer>, EncoderError> {
        self.device
            .dequeue(Queue::CaptureMplane, Memory::Mmap)
            .map_err(|error| failed(&self.name, "take a unit", error))
    }

    /// Whether a unit is that of the frame that is under way; an error if it is and is of no use.
    fn is_ours(&self, buffer: &Buffer) -> Result<bool, Refusal> {
        if buffer.flags.is_last {
            return Err(failed(&self.name, "take a unit", "the driver ended the stream").into());
        }
        if buffer.flags.is_error {
            return Err(failed(&self.name, "code a frame", "the driver says it is damaged").into());
        }
        if buffer.used == 0 || buffer.time != self.time {
            return Ok(false);
        }
        if buffer.used >= buffer.length {
            return Err(Refusal::Room {
                bytes: buffer.length,
            });
        }
        Ok(true)
    }

    /// Looks at a unit and makes it whole.
    pub(super) fn finish(&mut self, buffer: Buffer) -> Result<Coded, Refusal> {
        let index = usize::try_from(buffer.index).unwrap_or(usize::MAX);
        let used = usize::try_from(buffer.used).unwrap_or(usize::MAX);
        let Some(data) = self
            .units
            .get(index)
            .and_then(|unit| unit.bytes().get(..used))
        else {
            return Err(failed(&self.name, "take a unit", "there is no such buffer").into());
        };
        let mut coded = Coded {
            index,
            used,
            // A stream begins with a picture of its own; `vicodec` has no flag that would say so.
            is_idr: buffer.flags.is_key || self.is_fresh,
            is_joined: false,
        };
        if self.is_h264 {
            let seen = look(data);
            check(&seen, self.profile, self.is_fresh, &self.name)?;
            coded.is_idr = seen.is_idr;
            if seen.is_idr && seen.has_parameter_sets() {
                self.headers.clear();
                self.headers
                    .extend_from_slice(data.get(..seen.headers).unwrap_or_default());
            } else if seen.is_idr {
                self.joined.clear();
                self.joined.extend_from_slice(&self.headers);
                self.joined.extend_from_slice(data);
                coded.is_joined = true;
            }
        }
        self.is_fresh = false;
        self.owes_idr &= !coded.is_idr;
        Ok(coded)
    }

    /// The bytes of a unit.
    pub(super) fn unit(&self, coded: &Coded) -> &[u8] {
        if coded.is_joined {
            return &self.joined;
        }
        let unit = self.units.get(coded.index);
        unit.and_then(|unit| unit.bytes().get(..coded.used))
            .unwrap_or_default()
    }
}

/// Refuses a stream that no viewer could follow.
fn check(seen: &Look, profile: u8, is_first: bool, name: &str) -> Result<(), EncoderError> {
    let why = if !seen.has_slice {
        "its output is no H.264 picture".to_owned()
    } else if seen.has_b_slice {
        "it codes B slices, which make viewers wait, although it was told not to".to_owned()
    } else if is_first && !(seen.is_idr && seen.has_parameter_sets()) {
        "its first picture is no IDR with parameter sets".to_owned()
    } else if let Some(got) = seen.profile.filter(|got| *got != profile) {
        format!("its stream has profile {got}, not {profile} as it was told")
    } else {
        return Ok(());
    };
    Err(unsupported(
        name,
        format!("{why}; set encoder.kind = \"openh264\""),
    ))
}
