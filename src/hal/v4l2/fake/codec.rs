//! An encoder in a driver: `bcm2835-codec` of the Pi, and `vicodec` of the kernel's test drivers.
//!
//! What is modelled is what differs between drivers and can go wrong; each rule names the function it was read from.
//! A picture is "coded" by telling six samples of it (see [`super::units`]), read from where the driver would read them: so a
//! wrong stride, offset or buffer shows in the output.
//!
//! | Rule of `bcm2835-v4l2-codec.c` | Where |
//! | --- | --- |
//! | 64 bytes a line for `YU12`, 32 for `NV12`; a larger stride that is asked for is kept, rounded up | `supported_formats`, `vidioc_try_fmt` |
//! | sizes up to 1920x1920 and from 32x32: others are brought into range, not refused | `vidioc_try_fmt` |
//! | an unknown format becomes the first of the list | `vidioc_try_fmt_vid_out` |
//! | coded buffers: 512 kB up to 1280x720, 768 kB above; more if asked for | `get_sizeimage`, `vidioc_try_fmt` |
//! | bitrate 25 kb/s to 25 Mb/s in steps of 25 kb/s; outside it is rounded into it | `bcm2835_codec_open`, `std_validate` of `v4l2-ctrls-core.c` |
//! | profiles baseline, constrained baseline, main, high; default high; no B pictures at all | `bcm2835_codec_open` |
//! | a format cannot change while a queue has buffers: `EBUSY` | `vidioc_s_fmt` |
//! | a plane smaller than `sizeimage` is refused when it is queued: `EINVAL` | `bcm2835_codec_buf_prepare` |
//! | an imported buffer is kept until another takes its number, or the buffers are freed | `bcm2835_codec_buf_prepare` |
//! | headers in front of the first unit; of each IDR only with `REPEAT_SEQ_HEADER` | `bcm2835_codec_create_component` |
//! | times go through microseconds | `vb2_to_mmal_buffer`, `op_buffer_cb` |
//! | a damaged unit has the flag `ERROR`; the end is an empty one with `LAST`, then `EPIPE` | `op_buffer_cb`, `vb2_core_dqbuf` |
//! | one that is larger than its buffer comes in parts, each buffer full | `MINIMISE_FRAGMENTATION` |
//! | a level that is too low for size and rate: the stream does not start | firmware; `rpicam-apps` `h264_encoder.cpp` |
//!
//! Promises: as `super`. Knows nothing of: H.264 beyond headers.

use core::time::Duration;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::units::{Kind, Samples, write};
use super::{FakeKernel, Handle, Shared};
use crate::hal::v4l2::border::{
    Buffer, Capability, Control, Device, Flags, Format, FourCc, Interval, Memory, Offer, Place,
    Queue, Rates, Ready, Sizes, Span,
};
use crate::hal::v4l2::control;
use crate::hal::v4l2::kernel::Mapped;
use crate::logic::units::Uptime;

/// What the offsets of coded buffers begin at. spec: `DST_QUEUE_OFF_BASE` of `v4l2-mem2mem.c`.
const UNITS_BASE: u64 = 1 << 30;

/// What a driver does with a frame, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// It codes it as it should.
    None,
    /// Nothing comes, and the frame stays with it.
    Hang,
    /// The frame comes back and no unit does.
    Swallow,
    /// The unit comes and the frame does not.
    KeepFrame,
    /// The unit has the flag `ERROR`.
    Damage,
    /// The frame has the flag `ERROR`.
    Unreadable,
    /// An empty buffer comes first.
    EmptyFirst,
    /// The unit of an older frame comes first.
    OldFirst,
    /// The unit is larger than its buffer.
    Overflow,
    /// The stream ends.
    End,
    /// A B slice.
    BSlice,
    /// An IDR without parameter sets, whatever was set.
    NoHeaders,
    /// Bytes that are no NAL units.
    Rubbish,
    /// The key frame that was asked for is forgotten.
    ForgetKey,
}

/// A kind of encoder.
#[derive(Debug)]
pub struct CodecModel {
    /// What it says of itself.
    pub capability: Capability,
    /// What it gives; the first stands for unknown ones.
    pub gives: Vec<FourCc>,
    /// What it takes, with the alignment of its lines; the first stands for unknown ones.
    pub takes: Vec<(FourCc, u32)>,
    /// Heights are rounded up to this.
    pub lines: u32,
    /// Greatest width and height.
    pub most: (u32, u32),
    /// Controls and their ranges.
    pub controls: Vec<(Control, Span)>,
    /// It imports DMABUFs.
    pub imports: bool,
    /// It says that it imports, and refuses each buffer.
    pub refuses_imports: bool,
    /// What happens to the next frames.
    quirks: Mutex<VecDeque<Quirk>>,
    /// Values of controls of the device that was opened last.
    values: Mutex<Vec<(Control, i32)>>,
    /// Imported buffers that are held, over all openings.
    held: Mutex<usize>,
    /// The layout that the last frame was read by.
    last_time: Mutex<Uptime>,
}

impl CodecModel {
    /// `bcm2835-codec`, as `/dev/video11` of a Pi 3 or 4.
    #[must_use]
    pub fn bcm2835() -> Self {
        let span = |least, most| Span { least, most };
        Self {
            capability: Capability {
                driver: "bcm2835-codec".into(),
                card: "bcm2835-codec-encode".into(),
                bus: "platform:bcm2835-codec".into(),
                captures: false,
                converts: true,
                streams: true,
            },
            gives: vec![FourCc::H264, FourCc(*b"MJPG")],
            takes: vec![
                (FourCc::YU12, 64),
                (FourCc(*b"YV12"), 64),
                (FourCc::NV12, 32),
                (FourCc(*b"YUYV"), 64),
            ],
            lines: 1,
            most: (1920, 1920),
            controls: vec![
                (control::BITRATE_MODE, span(0, 1)),
                (control::BITRATE, span(25_000, 25_000_000)),
                (control::REPEAT_HEADERS, span(0, 1)),
                (control::I_PERIOD, span(0, i32::MAX)),
                (control::LEVEL, span(0, 15)),
                (control::PROFILE, span(0, 4)),
                (control::FORCE_KEY, span(0, 0)),
                (control::B_FRAMES, span(0, 0)),
                (control::GOP_SIZE, span(0, i32::MAX)),
            ],
            imports: true,
            refuses_imports: false,
            quirks: Mutex::default(),
            values: Mutex::default(),
            held: Mutex::default(),
            last_time: Mutex::default(),
        }
    }

    /// `vicodec`: FWHT only, heights in steps of 8, no control but the GOP (`vicodec-core.c`).
    #[must_use]
    pub fn vicodec() -> Self {
        Self {
            capability: Capability {
                driver: "vicodec".into(),
                card: "vicodec".into(),
                bus: "platform:vicodec".into(),
                captures: false,
                converts: true,
                streams: true,
            },
            gives: vec![FourCc(*b"FWHT")],
            takes: vec![(FourCc::YU12, 1), (FourCc::NV12, 1)],
            lines: 8,
            most: (4096, 2160),
            controls: vec![(control::GOP_SIZE, Span { least: 1, most: 16 })],
            ..Self::bcm2835()
        }
    }

    /// Lets things happen to the next frames, in this order.
    pub fn quirks(&self, quirks: &[Quirk]) {
        lock(&self.quirks).extend(quirks);
    }

    /// The value of a control, if it was set since the device was opened last.
    #[must_use]
    pub fn value(&self, control: Control) -> Option<i32> {
        let values = lock(&self.values);
        values
            .iter()
            .find(|(id, _)| *id == control)
            .map(|(_, value)| *value)
    }

    /// Imported buffers that it holds.
    #[must_use]
    pub fn held(&self) -> usize {
        *lock(&self.held)
    }

    fn remember(&self, control: Control, value: i32) {
        let mut values = lock(&self.values);
        match values.iter_mut().find(|(id, _)| *id == control) {
            Some((_, old)) => *old = value,
            None => values.push((control, value)),
        }
    }
}

/// One side of an open encoder.
#[derive(Debug, Default)]
struct Side {
    format: Option<Format>,
    memory: Option<Memory>,
    count: u32,
    shared: Option<Shared>,
    is_streaming: bool,
    queued: VecDeque<Buffer>,
    done: VecDeque<Buffer>,
    /// What was imported, by number.
    imported: Vec<Option<OwnedFd>>,
}

#[derive(Debug)]
struct State {
    frames: Side,
    units: Side,
    fps: u32,
    key_wanted: bool,
    coded: u32,
    is_over: bool,
}

/// An open encoder.
#[derive(Debug)]
pub(super) struct Codec {
    state: Mutex<State>,
    model: Arc<CodecModel>,
    handle: Handle,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Codec {
    pub(super) fn new(kernel: &FakeKernel, path: &Path, model: Arc<CodecModel>) -> Self {
        lock(&model.values).clear();
        Self {
            handle: Handle::new(kernel, path),
            model,
            state: Mutex::new(State {
                frames: Side::default(),
                units: Side::default(),
                fps: 30,
                key_wanted: false,
                coded: 0,
                is_over: false,
            }),
        }
    }

    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        self.handle.call()?;
        Ok(lock(&self.state))
    }

    /// `vidioc_try_fmt`.
    fn tried(&self, queue: Queue, wanted: &Format) -> Format {
        let width = wanted.width.clamp(32, self.model.most.0);
        let height = wanted.height.clamp(32, self.model.most.1);
        if queue == Queue::CaptureMplane {
            let format = Self::known(wanted.format, self.model.gives.iter().copied());
            let least = if width * height > 1280 * 720 {
                768 << 10
            } else {
                512 << 10
            };
            return Format {
                width,
                height,
                format,
                stride: 0,
                bytes: wanted.bytes.max(least),
            };
        }
        let takes = &self.model.takes;
        let format = Self::known(wanted.format, takes.iter().map(|(format, _)| *format));
        let align = takes
            .iter()
            .find(|(known, _)| *known == format)
            .map_or(1, |(_, align)| *align);
        let stride = wanted.stride.max(width).next_multiple_of(align);
        let height = height.next_multiple_of(self.model.lines);
        Format {
            width,
            height,
            format,
            stride,
            bytes: stride * height * 3 / 2,
        }
    }

    fn known(wanted: FourCc, mut all: impl Iterator<Item = FourCc> + Clone) -> FourCc {
        let first = all.clone().next().unwrap_or(wanted);
        all.find(|format| *format == wanted).unwrap_or(first)
    }

    /// The firmware's refusal of a level that cannot hold size and rate; macroblocks a second of Table A-1.
    fn level_holds(&self, state: &State) -> bool {
        let Some(format) = state.frames.format else {
            return false;
        };
        if state.units.format.map(|format| format.format) != Some(FourCc::H264) {
            return true;
        }
        let rate = format.width.div_ceil(16) * format.height.div_ceil(16) * state.fps;
        let most = match self.model.value(control::LEVEL).unwrap_or(11) {
            ..=8 => 40_500,
            9 => 108_000,
            10 => 216_000,
            11 | 12 => 245_760,
            13 => 522_240,
            _ => u32::MAX,
        };
        rate <= most
    }

    /// `device_run`: codes while there are a frame and a buffer for its unit.
    fn run(&self, state: &mut State) -> io::Result<()> {
        while state.frames.is_streaming && state.units.is_streaming && !state.is_over {
            let (Some(frame), Some(unit)) = (
                state.frames.queued.front().copied(),
                state.units.queued.front().copied(),
            ) else {
                return Ok(());
            };
            let quirk = lock(&self.model.quirks).pop_front().unwrap_or(Quirk::None);
            if quirk == Quirk::Hang {
                state.is_over = true;
                return Ok(());
            }
            state.frames.queued.pop_front();
            state.units.queued.pop_front();
            self.code(state, quirk, frame, unit)?;
        }
        Ok(())
    }

    fn code(
        &self,
        state: &mut State,
        quirk: Quirk,
        mut frame: Buffer,
        mut unit: Buffer,
    ) -> io::Result<()> {
        let samples = Self::read(&state.frames, &frame)?;
        let wants_key = std::mem::take(&mut state.key_wanted) && quirk != Quirk::ForgetKey;
        let is_idr = state.coded == 0 || wants_key;
        let repeats = self.model.value(control::REPEAT_HEADERS) == Some(1);
        let kind = Kind {
            is_idr,
            is_b: quirk == Quirk::BSlice,
            has_headers: is_idr && (state.coded == 0 || repeats) && quirk != Quirk::NoHeaders,
            profile: match self.model.value(control::PROFILE) {
                Some(0 | 1) => 66,
                Some(2) => 77,
                Some(_) | None => 100,
            },
            level: 31,
        };
        let (bytes, mut length) = write(kind, samples);
        if let Some(shared) = &state.units.shared {
            let bytes = if quirk == Quirk::Rubbish {
                &[0xFF; 32][..]
            } else {
                bytes.get(..length).unwrap_or_default()
            };
            shared.file.write_all_at(bytes, shared.offset(unit.index))?;
            length = bytes.len();
        }
        let extra = |state: &mut State, used, time| {
            if let Some(mut other) = state.units.queued.pop_front() {
                (other.used, other.time) = (used, time);
                state.units.done.push_back(other);
            }
        };
        let used = u32::try_from(length).unwrap_or(0);
        let before = std::mem::replace(&mut *lock(&self.model.last_time), frame.time);
        match quirk {
            Quirk::EmptyFirst => extra(state, 0, frame.time),
            Quirk::OldFirst => extra(state, used, before),
            _ => {}
        }
        unit.time = frame.time;
        unit.used = used;
        unit.flags = Flags {
            is_key: is_idr,
            ..Flags::default()
        };
        match quirk {
            Quirk::Damage => unit.flags.is_error = true,
            Quirk::Unreadable => frame.flags.is_error = true,
            Quirk::Overflow => unit.used = unit.length,
            Quirk::End => {
                (unit.used, unit.flags.is_last) = (0, true);
                state.is_over = true;
            }
            _ => {}
        }
        if quirk == Quirk::Swallow {
            state.units.queued.push_back(unit);
        } else {
            unit.sequence = state.coded;
            state.units.done.push_back(unit);
        }
        if quirk != Quirk::KeepFrame {
            state.frames.done.push_back(frame);
        }
        state.coded += 1;
        Ok(())
    }

    /// Reads six samples where the format says that they are.
    fn read(frames: &Side, frame: &Buffer) -> io::Result<Samples> {
        let format = frames.format.ok_or(Errno::INVAL)?;
        let (stride, lines) = (u64::from(format.stride), u64::from(format.height));
        let (width, height) = (u64::from(format.width), u64::from(format.height));
        let luma = stride * lines;
        let y = [0, stride * (height - 1) + width - 1];
        let (u, v) = if format.format == FourCc::NV12 {
            let last = luma + stride * (height / 2 - 1) + width;
            ([luma, last - 2], [luma + 1, last - 1])
        } else {
            let half = stride / 2;
            let last = half * (height / 2 - 1) + width / 2 - 1;
            let v = luma + half * (lines / 2);
            ([luma, luma + last], [v, v + last])
        };
        let imported;
        let (file, base) = match frames.memory {
            Some(Memory::Dmabuf) => {
                let index = usize::try_from(frame.index).map_err(io::Error::other)?;
                let fd = frames.imported.get(index).and_then(Option::as_ref);
                imported = File::from(fd.ok_or(Errno::INVAL)?.try_clone()?);
                (&imported, 0)
            }
            Some(Memory::Mmap) | None => {
                let shared = frames.shared.as_ref().ok_or(Errno::INVAL)?;
                (&shared.file, shared.offset(frame.index))
            }
        };
        let mut samples = [0; 6];
        let places = [y, u, v];
        for (sample, at) in samples.iter_mut().zip(places.iter().flatten()) {
            file.read_exact_at(std::slice::from_mut(sample), base + at)?;
        }
        Ok(samples)
    }

    fn free(&self, side: &mut Side) {
        let held = side.imported.drain(..).flatten().count();
        *lock(&self.model.held) -= held;
        side.shared = None;
        side.count = 0;
        side.memory = None;
        side.queued.clear();
        side.done.clear();
    }
}

impl State {
    fn side(&mut self, queue: Queue) -> io::Result<&mut Side> {
        match queue {
            Queue::OutputMplane => Ok(&mut self.frames),
            Queue::CaptureMplane => Ok(&mut self.units),
            Queue::Capture => Err(Errno::INVAL.into()),
        }
    }
}

impl Device for Codec {
    fn capability(&self) -> io::Result<Capability> {
        self.handle.call()?;
        Ok(self.model.capability.clone())
    }

    fn offer(&self, queue: Queue, index: u32) -> io::Result<Option<Offer>> {
        self.handle.call()?;
        let index = usize::try_from(index).map_err(io::Error::other)?;
        let format = match queue {
            Queue::OutputMplane => self.model.takes.get(index).map(|(format, _)| *format),
            Queue::CaptureMplane => self.model.gives.get(index).copied(),
            Queue::Capture => None,
        };
        Ok(format.map(|format| Offer {
            format,
            is_emulated: false,
        }))
    }

    fn sizes(&self, _: FourCc, index: u32) -> io::Result<Option<Sizes>> {
        self.handle.call()?;
        Ok((index == 0).then_some(Sizes::Range {
            least: (32, 32),
            most: self.model.most,
            step: (2, 2),
        }))
    }

    fn rates(&self, _: FourCc, _: (u32, u32), _: u32) -> io::Result<Option<Rates>> {
        self.handle.call()?;
        Ok(None)
    }

    fn set_format(&self, queue: Queue, format: &Format) -> io::Result<Format> {
        let mut state = self.state()?;
        let tried = self.tried(queue, format);
        let side = state.side(queue)?;
        if side.count > 0 {
            return Err(Errno::BUSY.into());
        }
        side.format = Some(tried);
        Ok(tried)
    }

    fn set_interval(&self, queue: Queue, interval: Interval) -> io::Result<Interval> {
        let mut state = self.state()?;
        if queue != Queue::OutputMplane || interval.0 == 0 || interval.1 == 0 {
            return Err(Errno::INVAL.into());
        }
        state.fps = interval.per_second();
        Ok(interval)
    }

    fn span(&self, control: Control) -> io::Result<Option<Span>> {
        self.handle.call()?;
        let found = self.model.controls.iter().find(|(id, _)| *id == control);
        Ok(found.map(|(_, span)| *span))
    }

    fn set_control(&self, control: Control, value: i32) -> io::Result<()> {
        let mut state = self.state()?;
        let found = self.model.controls.iter().find(|(id, _)| *id == control);
        let (_, span) = found.ok_or(Errno::INVAL)?;
        if control == control::FORCE_KEY {
            state.key_wanted = true;
            return Ok(());
        }
        if matches!(control, control::PROFILE | control::LEVEL) {
            // A menu refuses what is not on it; a number is rounded. Extended profile is not on it.
            let is_known = (span.least..=span.most).contains(&value)
                && !(control == control::PROFILE && value == 3);
            if !is_known {
                return Err(Errno::RANGE.into());
            }
        }
        let value = value.clamp(span.least, span.most);
        let value = if control == control::BITRATE {
            (value + 12_500) / 25_000 * 25_000
        } else {
            value
        };
        self.model.remember(control, value);
        Ok(())
    }

    fn request(&self, queue: Queue, memory: Memory, count: u32) -> io::Result<u32> {
        let mut state = self.state()?;
        if memory == Memory::Dmabuf && !self.model.imports {
            return Err(Errno::INVAL.into());
        }
        let side = state.side(queue)?;
        if side.is_streaming {
            return Err(Errno::BUSY.into());
        }
        self.free(side);
        let bytes = side.format.ok_or(Errno::INVAL)?.bytes;
        let room = usize::try_from(count).map_err(io::Error::other)?;
        if memory == Memory::Mmap && count > 0 {
            side.shared = Some(Shared::new(count, bytes)?);
        }
        side.imported.resize_with(room, || None);
        side.queued.reserve(room);
        side.done.reserve(room);
        (side.count, side.memory) = (count, (count > 0).then_some(memory));
        Ok(count)
    }

    fn place(&self, queue: Queue, index: u32) -> io::Result<Place> {
        let mut state = self.state()?;
        let side = state.side(queue)?;
        let (Some(shared), Some(format)) = (&side.shared, side.format) else {
            return Err(Errno::INVAL.into());
        };
        if index >= side.count {
            return Err(Errno::INVAL.into());
        }
        let mut place = shared.place(index, format.bytes);
        if queue == Queue::CaptureMplane {
            place.offset += UNITS_BASE;
        }
        Ok(place)
    }

    fn export(&self, _: Queue, _: u32) -> io::Result<OwnedFd> {
        self.handle.call()?;
        Err(Errno::INVAL.into())
    }

    fn map(&self, place: Place) -> io::Result<Mapped> {
        let state = self.state()?;
        let (side, offset) = match place.offset.checked_sub(UNITS_BASE) {
            Some(offset) => (&state.units, offset),
            None => (&state.frames, place.offset),
        };
        let shared = side.shared.as_ref().ok_or(Errno::INVAL)?;
        shared.map(Place { offset, ..place })
    }

    fn queue(
        &self,
        queue: Queue,
        buffer: &Buffer,
        dmabuf: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let mut state = self.state()?;
        let side = state.side(queue)?;
        let format = side.format.ok_or(Errno::INVAL)?;
        let is_there = side
            .queued
            .iter()
            .chain(&side.done)
            .any(|other| other.index == buffer.index);
        if buffer.index >= side.count || is_there {
            return Err(Errno::INVAL.into());
        }
        let memory = dmabuf.map_or(Memory::Mmap, |_| Memory::Dmabuf);
        if side.memory != Some(memory) {
            return Err(Errno::INVAL.into());
        }
        let mut buffer = *buffer;
        if let Some(dmabuf) = dmabuf {
            if self.model.refuses_imports || buffer.length < format.bytes {
                return Err(Errno::INVAL.into());
            }
            let index = usize::try_from(buffer.index).map_err(io::Error::other)?;
            let place = side.imported.get_mut(index).ok_or(Errno::INVAL)?;
            if place.replace(dmabuf.try_clone_to_owned()?).is_none() {
                *lock(&self.model.held) += 1;
            }
        } else {
            buffer.length = format.bytes;
        }
        side.queued.push_back(buffer);
        self.run(&mut state)
    }

    fn dequeue(&self, queue: Queue, memory: Memory) -> io::Result<Option<Buffer>> {
        let mut state = self.state()?;
        let is_over = state.is_over;
        let side = state.side(queue)?;
        if !side.is_streaming || side.memory != Some(memory) {
            return Err(Errno::INVAL.into());
        }
        match side.done.pop_front() {
            Some(buffer) => Ok(Some(buffer)),
            None if is_over && queue == Queue::CaptureMplane && side.queued.is_empty() => {
                Err(Errno::PIPE.into())
            }
            None => Ok(None),
        }
    }

    fn stream(&self, queue: Queue, on: bool) -> io::Result<()> {
        let mut state = self.state()?;
        if on && queue == Queue::CaptureMplane && !self.level_holds(&state) {
            return Err(Errno::INVAL.into());
        }
        let side = state.side(queue)?;
        if on && side.count == 0 {
            return Err(Errno::INVAL.into());
        }
        side.is_streaming = on;
        if !on {
            side.queued.clear();
            side.done.clear();
        }
        self.run(&mut state)
    }

    fn wait(&self, _: Duration) -> io::Result<Ready> {
        let state = match self.state() {
            Ok(state) => state,
            Err(error) if error.raw_os_error() == Some(Errno::NODEV.raw_os_error()) => {
                return Ok(Ready {
                    error: true,
                    ..Ready::default()
                });
            }
            Err(error) => return Err(error),
        };
        Ok(Ready {
            capture: !state.units.done.is_empty(),
            output: !state.frames.done.is_empty(),
            error: false,
        })
    }
}

impl Drop for Codec {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        let State { frames, units, .. } = &mut *state;
        self.free(frames);
        self.free(units);
    }
}
