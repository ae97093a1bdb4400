//! Opening an encoder for frames of one kind: formats, rate, buffers, and both queues running.
//!
//! ```text
//!   CAPTURE format ─▶ OUTPUT format ─▶ rate ─▶ controls ─▶ buffers ─▶ queue CAPTURE ─▶ stream both
//! ```
//!
//! What drivers do, and what is made of it:
//!
//! | The driver | Here |
//! | --- | --- |
//! | rounds strides and sizes up (`vidioc_try_fmt`: 64 bytes a line for `YU12`, 32 for `NV12`) | goes by what it returned |
//! | rounds the bitrate to 25 kb/s, from 25 kb/s to 25 Mb/s (`bcm2835_codec_open`) | asks for its range; the driver rounds |
//! | has H.264 level 4.0 as its real limit (`bcm2835_codec_set_level_profile`) | `encoder.level` says more if it must |
//! | puts headers in front of the first unit only, unless told (`REPEAT_SEQ_HEADER`) | tells it; else keeps and adds them |
//! | gives a unit larger than the buffer in parts (`MINIMISE_FRAGMENTATION`) | fails, and opens again with twice the room |
//! | marks a damaged unit with `ERROR`, the end with `LAST` (`op_buffer_cb`) | fails, and opens again |
//! | gives buffers back in another order, or empty | queues them again, and counts them |
//!
//! Promises: dropping it stops both queues, so every buffer is its owner's again, and closes the device.
//! Knows nothing of: a frame's way through it (`flow`).
//! Sources: Linux `dev-encoder`; `bcm2835-v4l2-codec.c` of raspberrypi/linux (functions as named).

use super::controls::{LONG, bits, is_unknown, optional, set_controls};
use super::find::{Found, Opened};
use super::input::{Input, Way, raw_format};
use super::{V4l2Settings, is_h264, wanted_profile};
use crate::hal::frame::Layout;
use crate::hal::v4l2::border::{Device, Format, FourCc, Interval, Memory, Queue, Span};
use crate::hal::v4l2::kernel::Mapped;
use crate::hal::v4l2::{control, trouble};
use crate::hal::{EncoderError, Frame};
use crate::logic::units::{Kbps, Uptime};

/// Buffers for units: one is lent while the other is filled. choice: the least that works.
const UNITS: u32 = 2;
/// Most bytes that are asked for a unit. choice: a picture of 1920x1080 without any coding has 3 MB.
pub(super) const MOST_ROOM: u32 = 4 << 20;

/// The running encoder. The memory comes first: it is unmapped before the device closes.
#[expect(
    clippy::struct_excessive_bools,
    reason = "two say what the device is, two what is still to come; none implies another"
)]
#[derive(Debug)]
pub(super) struct Open {
    pub(super) input: Input,
    pub(super) units: Vec<Mapped>,
    pub(super) device: Box<dyn Device>,
    pub(super) name: String,
    pub(super) is_h264: bool,
    pub(super) profile: u8,
    pub(super) bitrates: Option<Span>,
    pub(super) has_key_button: bool,
    /// The unit that was lent until the next call.
    pub(super) lent: Option<u32>,
    /// Parameter sets of this stream.
    pub(super) headers: Vec<u8>,
    /// A unit with the headers put in front.
    pub(super) joined: Vec<u8>,
    /// Nothing has come out yet.
    pub(super) is_fresh: bool,
    /// An IDR was asked for and has not come.
    pub(super) owes_idr: bool,
    /// Time of the last frame that went in; no two have the same.
    pub(super) last: Uptime,
    pub(super) time: Uptime,
}

impl Open {
    /// Opens and starts an encoder for frames like this one.
    pub(super) fn new(
        (found, device): Opened,
        settings: &V4l2Settings,
        target: Kbps,
        room: u32,
        frame: &Frame,
        way: Way,
    ) -> Result<Self, EncoderError> {
        let name = format!("{} ({})", found.path.display(), found.capability.card);
        let step = |step: &'static str| {
            let (path, name) = (found.path.clone(), name.clone());
            move |error| failed(&name, step, trouble::explained(&path, error))
        };
        let (width, height) = (frame.width(), frame.height());
        let coded = Format {
            width,
            height,
            format: settings.coded,
            stride: 0,
            bytes: room,
        };
        let coded = device
            .set_format(Queue::CaptureMplane, &coded)
            .map_err(step("set the coded format"))?;
        if coded.format != settings.coded {
            let why = format!("asked for {}, it gives {}", settings.coded, coded.format);
            return Err(unsupported(&name, why));
        }
        let (format, layout) = raw(device.as_ref(), &found, &name, frame, &step)?;
        // A driver without frame rates codes all the same.
        match device.set_interval(Queue::OutputMplane, Interval::of(settings.fps)) {
            Ok(_) => {}
            Err(error) if is_unknown(&error) => {
                tracing::debug!("encoder {name}: it takes no frame rate");
            }
            Err(error) => return Err(step("set the frame rate")(error)),
        }
        let bitrates = if is_h264(settings) {
            Some(set_controls(
                device.as_ref(),
                settings,
                target,
                (width, height),
                &name,
                &step,
            )?)
        } else {
            optional(device.as_ref(), control::GOP_SIZE, LONG, &step)?;
            None
        };
        let has_key_button = device
            .span(control::FORCE_KEY)
            .map_err(step("ask for key frames"))?
            .is_some();
        let input = Input::new(device.as_ref(), format, layout, frame, way)
            .map_err(step("get buffers for frames"))?;
        let units = units(device.as_ref()).map_err(step("get buffers for units"))?;
        let open = Self {
            input,
            units,
            device,
            name: name.clone(),
            is_h264: is_h264(settings),
            profile: wanted_profile(settings),
            bitrates,
            has_key_button,
            lent: None,
            headers: Vec::with_capacity(256),
            joined: Vec::new(),
            is_fresh: true,
            owes_idr: true,
            last: Uptime::ZERO,
            time: Uptime::ZERO,
        };
        for index in 0..open.units.len() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            open.offer(index).map_err(step("queue a buffer"))?;
        }
        for queue in [Queue::OutputMplane, Queue::CaptureMplane] {
            open.device
                .stream(queue, true)
                .map_err(|error| too_much(error, settings, (width, height)))
                .map_err(step("start the stream"))?;
        }
        Ok(open)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn has_key_button(&self) -> bool {
        self.has_key_button
    }

    /// Whether a frame can go in as it was opened.
    pub(super) fn fits(&self, frame: &Frame, way: Way) -> bool {
        self.input.fits(frame, way)
    }

    /// Why frames like this are copied, if they are.
    pub(super) fn why_copy(&self, frame: &Frame, no_import: Option<&str>) -> Option<String> {
        self.input.why_copy(frame, no_import)
    }

    pub(super) fn set_bitrate(&self, target: Kbps) -> Result<(), EncoderError> {
        let Some(span) = self.bitrates else {
            return Ok(());
        };
        self.device
            .set_control(control::BITRATE, bits(target, span))
            .map_err(|error| failed(&self.name, "set the bitrate", error))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Stopping gives every buffer back, whatever the driver was doing; closing would do the same, later. A driver that
        // is gone refuses, and has nothing left to give.
        for queue in [Queue::OutputMplane, Queue::CaptureMplane] {
            let _ = self.device.stream(queue, false);
        }
    }
}

/// What the driver makes of the frame's format.
fn raw<S, E>(
    device: &dyn Device,
    found: &Found,
    name: &str,
    frame: &Frame,
    step: &S,
) -> Result<(Format, Layout), EncoderError>
where
    S: Fn(&'static str) -> E,
    E: FnOnce(std::io::Error) -> EncoderError,
{
    let (width, height) = (frame.width(), frame.height());
    let wanted = raw_format(&frame.layout());
    if !found.takes.contains(&wanted) {
        let why = format!("frames come as {wanted}, it takes {:?}", found.takes);
        return Err(unsupported(name, why));
    }
    let format = Format {
        width,
        height,
        format: wanted,
        stride: u32::try_from(frame.y_stride()).unwrap_or(0),
        bytes: 0,
    };
    let got = device
        .set_format(Queue::OutputMplane, &format)
        .map_err(step("set the format of frames"))?;
    let side = |pixels: u32| usize::try_from(pixels).unwrap_or(0);
    let layout = Layout::contiguous(
        (width, height),
        side(got.stride),
        side(got.height),
        wanted == FourCc::YU12,
    );
    match layout {
        Some(layout) if got.format == wanted && got.width == width && got.height >= height => {
            Ok((got, layout))
        }
        Some(_) | None => Err(unsupported(
            name,
            format!(
                "it makes {}x{} {} of {width}x{height} {wanted}; choose another camera.width and camera.height",
                got.width, got.height, got.format
            ),
        )),
    }
}

/// A driver that refuses to start mostly cannot do so much at the level that it was told.
fn too_much(
    error: std::io::Error,
    settings: &V4l2Settings,
    (width, height): (u32, u32),
) -> std::io::Error {
    if !is_unknown(&error) {
        return error;
    }
    std::io::Error::other(format!(
        "{error}; {width}x{height} at {} a second may be too much for encoder.level = {:?}",
        settings.fps,
        settings.level.word()
    ))
}

fn units(device: &dyn Device) -> std::io::Result<Vec<Mapped>> {
    let queue = Queue::CaptureMplane;
    let count = device.request(queue, Memory::Mmap, UNITS)?;
    (0..count)
        .map(|index| device.map(device.place(queue, index)?))
        .collect()
}

pub(super) fn unsupported(name: &str, why: String) -> EncoderError {
    EncoderError::Unsupported {
        encoder: name.to_owned(),
        why,
    }
}

pub(super) fn failed(
    name: &str,
    step: &'static str,
    source: impl Into<crate::hal::Source>,
) -> EncoderError {
    EncoderError::Failed {
        encoder: name.to_owned(),
        step,
        source: source.into(),
    }
}
