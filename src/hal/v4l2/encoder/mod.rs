//! H.264 by the machine's own encoder: one frame in, its unit out, without a copy where that can be.
//!
//! Written for `bcm2835-codec` of the Pi Zero to 4 (`/dev/video11`), and found by asking: any V4L2 memory-to-memory device
//! with the multi-planar calls that takes 4:2:0 pictures and gives H.264. Nothing queues: the next frame goes in when the
//! unit of the last one is out, so one buffer is under way at a time, and a slow encoder shows as a lower frame rate, not as
//! a growing delay.
//!
//! ```text
//!                 first frame; size or layout changed; after an error
//!   Closed ────────────────────────────────────────────────────────────▶ Open
//!     ▲  find, S_FMT, S_PARM, controls, REQBUFS, STREAMON                  │ frame: QBUF OUTPUT ─▶ poll ─▶ DQBUF both
//!     └── any error, or nothing within `patience`: STREAMOFF, close ───────┘ unit lent until the next call
//!
//!   frame with a DMABUF whose lines are where the driver wants them ─▶ imported, no copy
//!   any other                                                       ─▶ copied to the driver's buffer, counted, said once
//! ```
//!
//! A frame is the caller's again when `encode` returns, however it returns: its buffer has been dequeued, or the stream
//! was stopped, which gives all buffers back.
//!
//! Promises: no B slices, parameter sets in front of each IDR, the first unit is an IDR: looked at in the output, not
//! believed; never waits longer than `patience`; no allocation a frame.
//! Knows nothing of: RTP, who looks, when to give up.
//! Sources: Linux `dev-encoder` (the stateful encoder's state machine), `dmabuf`;
//! `drivers/staging/vc04_services/bcm2835-codec/bcm2835-v4l2-codec.c` of raspberrypi/linux.

use core::time::Duration;
use std::path::PathBuf;

use super::border::{Devices, FourCc};
use super::control;
use crate::config::words::{EncoderLevel, EncoderProfile};
use crate::hal::clock::{Clock, SystemClock};
use crate::hal::{AccessUnit, Encoder, EncoderError, Frame};
use crate::logic::units::{Kbps, Uptime};

mod controls;
mod find;
mod flow;
mod input;
mod open;
#[cfg(test)]
mod tests;

pub use find::{Found, encoders};
use flow::{Coded, Refusal};
use input::Way;
use open::Open;

/// What is asked of the encoder. The size comes with the frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V4l2Settings {
    /// Its path; `None` takes the first that can do it.
    pub device: Option<String>,
    /// Frames a second that will come.
    pub fps: u32,
    /// Rate to start with.
    pub bitrate: Kbps,
    /// Profile of the stream.
    pub profile: EncoderProfile,
    /// Level of the stream.
    pub level: EncoderLevel,
    /// Longest wait for a unit.
    pub patience: Duration,
    /// What to code to: H.264, or, in tests alone, what the kernel's test driver `vicodec` has.
    pub coded: FourCc,
}

impl V4l2Settings {
    /// choice: thirty frames at 30 a second. The supervisor wants two seconds from a failure to the next picture.
    pub const PATIENCE: Duration = Duration::from_secs(1);
}

/// What the encoder has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames that the driver read where they were.
    pub imports: u64,
    /// Frames that were copied into the driver's memory.
    pub copies: u64,
    /// Buffers that came without a picture, or with one that was not waited for.
    pub strays: u64,
    /// Times that the device was opened.
    pub openings: u64,
}

/// Our own time for one frame, without the driver's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnTime {
    /// From the call of `encode` until the frame was queued.
    pub before: Duration,
    /// From the unit's dequeueing until it was handed over.
    pub after: Duration,
}

/// The hardware encoder.
#[derive(Debug)]
pub struct V4l2Encoder {
    devices: Devices,
    settings: V4l2Settings,
    target: Kbps,
    /// Where it is.
    path: PathBuf,
    /// Opened by the look, for the first frame: each opening costs the firmware something.
    looked_at: Option<find::Opened>,
    open: Option<Open>,
    /// Why frames are not imported, once that is known of this device.
    no_import: Option<String>,
    /// The reason for copying that was logged last.
    said: Option<String>,
    /// Bytes to ask for a coded picture; 0 leaves it to the driver.
    room: u32,
    counts: Counts,
    own_time: OwnTime,
}

impl V4l2Encoder {
    /// Looks whether there is such an encoder; it starts with the first frame, whose size it needs.
    ///
    /// # Errors
    /// [`EncoderError::Missing`] if there is none, with what was found instead.
    pub fn new(devices: Devices, settings: V4l2Settings) -> Result<Self, EncoderError> {
        let looked_at = find::encoder(&devices, &settings)?;
        Ok(Self {
            target: settings.bitrate,
            path: looked_at.0.path.clone(),
            looked_at: Some(looked_at),
            devices,
            settings,
            open: None,
            no_import: None,
            said: None,
            room: 0,
            counts: Counts::default(),
            own_time: OwnTime::default(),
        })
    }

    /// What it has done so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Our own time for the last frame.
    #[must_use]
    pub const fn own_time(&self) -> OwnTime {
        self.own_time
    }

    /// The rate in force.
    #[must_use]
    pub const fn bitrate(&self) -> Kbps {
        self.target
    }

    /// Codes a frame, or says why it cannot be; the device is then to be closed.
    fn code(&mut self, frame: &Frame, want_idr: bool) -> Result<Coded, EncoderError> {
        let begun = SystemClock.now();
        let way = self.way(frame);
        if let Some(open) = &mut self.open {
            open.take_back()?;
            // An IDR of a device that has no button for it is had by opening it anew.
            let cannot_ask = want_idr && !open.has_key_button();
            if !open.fits(frame, way) || cannot_ask {
                self.open = None;
            }
        }
        if self.open.is_none() {
            self.start(frame, way)?;
        }
        match self.submit(frame, want_idr, begun) {
            Ok(coded) => Ok(coded),
            Err(Refusal::Import(why)) => {
                // Known from here on; the same frame goes in by the other way.
                self.no_import = Some(why);
                self.open = None;
                let way = self.way(frame);
                self.start(frame, way)?;
                self.submit(frame, want_idr, begun)
                    .map_err(Refusal::into_error)
            }
            Err(Refusal::Room { bytes }) => {
                self.room = bytes.saturating_mul(2).min(open::MOST_ROOM);
                Err(Refusal::Room { bytes }.into_error())
            }
            Err(Refusal::Error(error)) => Err(error),
        }
    }

    fn start(&mut self, frame: &Frame, way: Way) -> Result<(), EncoderError> {
        let device = match self.looked_at.take() {
            Some(device) => device,
            None => find::encoder_at(&self.devices, &self.settings, &self.path)?,
        };
        let opened = Open::new(device, &self.settings, self.target, self.room, frame, way)?;
        self.counts.openings += 1;
        tracing::info!(
            device = opened.name(),
            width = frame.width(),
            height = frame.height(),
            way = %way,
            "encoder open"
        );
        if let Some(why) = opened.why_copy(frame, self.no_import.as_deref())
            && self.said.as_deref() != Some(why.as_str())
        {
            tracing::info!("encoder: frames are copied: {why}");
            self.said = Some(why);
        }
        self.open = Some(opened);
        Ok(())
    }

    fn submit(&mut self, frame: &Frame, want_idr: bool, begun: Uptime) -> Result<Coded, Refusal> {
        let Some(open) = &mut self.open else {
            unreachable!("opened above");
        };
        let put = open.put(frame, want_idr)?;
        self.own_time.before = SystemClock.now().since(begun);
        match put {
            input::Put::Imported => self.counts.imports += 1,
            input::Put::Copied => self.counts.copies += 1,
        }
        let (coded, dequeued_at) = open.get(self.settings.patience, &mut self.counts.strays)?;
        let coded = open.finish(coded)?;
        self.own_time.after = SystemClock.now().since(dequeued_at);
        Ok(coded)
    }

    /// How this frame is to get into the driver.
    fn way(&self, frame: &Frame) -> Way {
        let has_dmabuf = frame
            .pixels()
            .is_some_and(|pixels| pixels.dmabuf().is_some());
        if has_dmabuf && self.no_import.is_none() {
            Way::Import
        } else {
            Way::Copy
        }
    }
}

impl Encoder for V4l2Encoder {
    fn is_hardware(&self) -> bool {
        true
    }

    fn copies(&self) -> u32 {
        // Wraps, as said.
        u32::try_from(self.counts.copies & u64::from(u32::MAX)).unwrap_or(0)
    }

    fn encode(
        &mut self,
        frame: &Frame,
        want_idr: bool,
    ) -> Result<Option<AccessUnit<'_>>, EncoderError> {
        let coded = match self.code(frame, want_idr) {
            Ok(coded) => coded,
            Err(error) => {
                self.open = None;
                return Err(error);
            }
        };
        let data = self.open.as_ref().map_or(&[][..], |open| open.unit(&coded));
        Ok(Some(AccessUnit::new(
            data,
            frame.captured_at(),
            frame.number(),
            coded.is_idr,
        )))
    }

    fn set_bitrate(&mut self, target: Kbps) -> Result<(), EncoderError> {
        self.target = target;
        let Some(open) = &self.open else {
            return Ok(());
        };
        let done = open.set_bitrate(target);
        if done.is_err() {
            self.open = None;
        }
        done
    }
}

/// Whether the settings ask for H.264, as all but tests do.
fn is_h264(settings: &V4l2Settings) -> bool {
    settings.coded == FourCc::H264
}

/// What the stream's profile must be.
fn wanted_profile(settings: &V4l2Settings) -> u8 {
    control::profile_in_stream(settings.profile)
}
