//! An encoder that runs: what was set, its buffers, and one frame's way through it.
//!
//! ```text
//!   new:  CAPTURE format ─▶ OUTPUT format ─▶ rate ─▶ controls ─▶ buffers ─▶ queue CAPTURE ─▶ stream both
//!   put:  [key frame wanted] ─▶ QBUF OUTPUT
//!   get:  poll ─▶ DQBUF OUTPUT: the frame is the caller's again;  DQBUF CAPTURE: is it this frame's unit, and whole?
//!   take_back: QBUF of the unit that was lent
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
//! Knows nothing of: why a frame is coded.
//! Sources: Linux `dev-encoder`; `bcm2835-v4l2-codec.c` of raspberrypi/linux (functions as named).

use core::time::Duration;

use super::find::{self, Found};
use super::input::{Input, Put, Way, raw_format};
use super::{V4l2Settings, is_h264, wanted_profile};
use crate::config::words::EncoderProfile;
use crate::hal::clock::{Clock, SystemClock};
use crate::hal::frame::Layout;
use crate::hal::v4l2::border::{
    Buffer, Control, Device, Devices, Format, FourCc, Interval, Memory, Queue, Span,
};
use crate::hal::v4l2::kernel::Mapped;
use crate::hal::v4l2::stream::{Look, look};
use crate::hal::v4l2::{control, trouble};
use crate::hal::{EncoderError, Frame};
use crate::logic::units::{Kbps, Uptime};

/// Buffers for units: one is lent while the other is filled. choice: the least that works.
const UNITS: u32 = 2;
/// Frames from one IDR to the next where none is asked for. choice: as long as all drivers take; IDRs come on request.
const LONG: i32 = i32::MAX;
/// Most bytes that are asked for a unit. choice: a picture of 1920x1080 without any coding has 3 MB.
pub(super) const MOST_ROOM: u32 = 4 << 20;

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

/// The running encoder. The memory comes first: it is unmapped before the device closes.
#[expect(
    clippy::struct_excessive_bools,
    reason = "two say what the device is, two what is still to come; none implies another"
)]
#[derive(Debug)]
pub(super) struct Open {
    input: Input,
    units: Vec<Mapped>,
    device: Box<dyn Device>,
    name: String,
    is_h264: bool,
    profile: u8,
    bitrates: Option<Span>,
    has_key_button: bool,
    /// The unit that was lent until the next call.
    lent: Option<u32>,
    /// Parameter sets of this stream.
    headers: Vec<u8>,
    /// A unit with the headers put in front.
    joined: Vec<u8>,
    /// Nothing has come out yet.
    is_fresh: bool,
    /// An IDR was asked for and has not come.
    owes_idr: bool,
    /// Time of the last frame that went in; no two have the same.
    last: Uptime,
    time: Uptime,
}

impl Open {
    /// Opens and starts an encoder for frames like this one.
    pub(super) fn new(
        devices: &Devices,
        settings: &V4l2Settings,
        target: Kbps,
        room: u32,
        frame: &Frame,
        way: Way,
    ) -> Result<Self, EncoderError> {
        let (found, device) = find::encoder(devices, settings)?;
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

    /// Queues the buffer of the unit that was lent last.
    pub(super) fn take_back(&mut self) -> Result<(), EncoderError> {
        let Some(index) = self.lent.take() else {
            return Ok(());
        };
        self.offer(index)
            .map_err(|error| failed(&self.name, "queue a buffer", error))
    }

    fn offer(&self, index: u32) -> std::io::Result<()> {
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

/// Sets what H.264 needs; the range of bitrates.
fn set_controls<S, E>(
    device: &dyn Device,
    settings: &V4l2Settings,
    target: Kbps,
    size: (u32, u32),
    name: &str,
    step: &S,
) -> Result<Span, EncoderError>
where
    S: Fn(&'static str) -> E,
    E: FnOnce(std::io::Error) -> EncoderError,
{
    optional(device, control::BITRATE_MODE, control::CONSTANT, step)?;
    let bitrates = device
        .span(control::BITRATE)
        .map_err(step("ask for bitrates"))?
        .ok_or_else(|| unsupported(name, "its bitrate cannot be set".to_owned()))?;
    device
        .set_control(control::BITRATE, bits(target, bitrates))
        .map_err(step("set the bitrate"))?;
    let has_profile = optional(
        device,
        control::PROFILE,
        control::profile(settings.profile),
        step,
    )?;
    if !has_profile && settings.profile == EncoderProfile::Baseline {
        optional(device, control::PROFILE, control::PLAIN_BASELINE, step)?;
    }
    let level = control::level(settings.level, size, settings.fps);
    optional(device, control::LEVEL, level, step)?;
    optional(device, control::B_FRAMES, 0, step)?;
    optional(device, control::REPEAT_HEADERS, 1, step)?;
    if !optional(device, control::GOP_SIZE, LONG, step)? {
        optional(device, control::I_PERIOD, LONG, step)?;
    }
    Ok(bitrates)
}

/// Sets a control if the driver has it and takes the value, which is brought into its range: the output is looked at
/// anyway. False if it does not.
fn optional<S, E>(
    device: &dyn Device,
    control: Control,
    value: i32,
    step: &S,
) -> Result<bool, EncoderError>
where
    S: Fn(&'static str) -> E,
    E: FnOnce(std::io::Error) -> EncoderError,
{
    let Some(span) = device.span(control).map_err(step("ask for a control"))? else {
        return Ok(false);
    };
    let value = value.clamp(span.least, span.most.max(span.least));
    match device.set_control(control, value) {
        Ok(()) => Ok(true),
        Err(error) if is_unknown(&error) => Ok(false),
        Err(error) => Err(step("set a control")(error)),
    }
}

/// The driver has no such thing, or not this value of it.
fn is_unknown(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::INVAL, Errno::NOTTY, Errno::RANGE]
        .iter()
        .any(|errno| trouble::is(error, *errno))
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

/// The target in bits a second, in the driver's range.
fn bits(target: Kbps, span: Span) -> i32 {
    let wanted = i32::try_from(target.bits_per_second()).unwrap_or(i32::MAX);
    wanted.clamp(span.least, span.most.max(span.least))
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
