//! A USB camera in a driver: `uvcvideo`, as far as a program sees it.
//!
//! | Rule | Where |
//! | --- | --- |
//! | another size or format than there is becomes the nearest, not an error | `uvc_v4l2_try_format` |
//! | one program streams, another one gets `EBUSY` at `S_FMT` and `REQBUFS` | `uvc_acquire_privileges` |
//! | pictures that nobody took are left out, and their numbers with them | `uvc_queue_next_buffer` |
//! | a lost packet: the picture is short, or has the flag `ERROR` | `uvc_video_decode_end` |
//! | times are those of `CLOCK_MONOTONIC` | `uvc_video_clock_update` |
//! | the device is gone: `ENODEV` from then on | `uvc_disconnect` |
//!
//! Pictures come as fast as they are asked for; a wait for none takes its time. Each tells its number by its first line.
//!
//! Promises: as `super`. Knows nothing of: what JPEG is; its pictures are given.

use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::{FakeKernel, Handle, Shared};
use crate::hal::clock::{Clock, SystemClock};
use crate::hal::v4l2::border::{
    Buffer, Capability, Control, Device, Flags, Format, FourCc, Interval, Memory, Offer, Place,
    Queue, Rates, Ready, Sizes, Span,
};
use crate::hal::v4l2::kernel::Mapped;
use crate::logic::units::Uptime;

/// What a camera does with a picture, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// It gives it.
    None,
    /// It gives nothing from now on, until it is opened again.
    Stall,
    /// The picture has the flag `ERROR`.
    Damage,
    /// Half of the picture is there.
    Short,
    /// The picture is empty.
    Empty,
    /// Its time is of another clock.
    OtherClock,
    /// The poll says that something is wrong.
    Broken,
}

/// A size, and the rates that it comes at.
pub type SizeAt = ((u32, u32), Vec<u32>);

/// A kind of camera.
#[derive(Debug)]
pub struct WebcamModel {
    /// What it says of itself.
    pub capability: Capability,
    /// What it offers.
    pub offers: Vec<(FourCc, Vec<SizeAt>)>,
    /// Its memory can be shared.
    pub exports: bool,
    /// It flips pictures.
    pub flips: bool,
    /// What it makes of every format, if it does not do as it is told.
    pub insists: Option<Format>,
    /// The file of every JPEG picture.
    pub jpeg: Vec<u8>,
    pub(crate) quirks: Mutex<VecDeque<Quirk>>,
    /// Somebody streams.
    pub(crate) is_busy: Mutex<bool>,
    /// Flips that were set.
    pub(crate) flipped: Mutex<[bool; 2]>,
}

/// spec: `V4L2_CID_HFLIP`; the other one is the next.
const HFLIP: u32 = 0x0098_0914;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WebcamModel {
    /// A camera as most are: little in YUYV, all in MJPEG.
    #[must_use]
    pub fn usual() -> Self {
        let size = |size, rates: &[u32]| (size, rates.to_vec());
        Self {
            capability: Capability {
                driver: "uvcvideo".into(),
                card: "HD Webcam: HD Webcam".into(),
                bus: "usb-0000:01:00.0-1.2".into(),
                captures: true,
                converts: false,
                streams: true,
            },
            offers: vec![
                (
                    FourCc::MJPG,
                    vec![size((160, 120), &[30]), size((1280, 720), &[30, 60])],
                ),
                (
                    FourCc::YUYV,
                    vec![size((160, 120), &[15, 30]), size((1280, 720), &[10])],
                ),
            ],
            exports: true,
            flips: false,
            insists: None,
            jpeg: Vec::new(),
            quirks: Mutex::default(),
            is_busy: Mutex::default(),
            flipped: Mutex::default(),
        }
    }

    /// A camera with one format of 160x120.
    #[must_use]
    pub fn of(format: FourCc) -> Self {
        Self {
            offers: vec![(format, vec![((160, 120), vec![30])])],
            ..Self::usual()
        }
    }

    /// Lets things happen to the next pictures, in this order.
    pub fn quirks(&self, quirks: &[Quirk]) {
        lock(&self.quirks).extend(quirks);
    }

    /// Has another program stream, or end that.
    pub fn set_busy(&self, is_busy: bool) {
        *lock(&self.is_busy) = is_busy;
    }

    /// Whether left and right, up and down are exchanged.
    #[must_use]
    pub fn flipped(&self) -> [bool; 2] {
        *lock(&self.flipped)
    }

    fn sizes_of(&self, format: FourCc) -> &[SizeAt] {
        let offer = self.offers.iter().find(|(known, _)| *known == format);
        offer.map_or(&[], |(_, sizes)| sizes)
    }
}

#[derive(Debug, Default)]
struct State {
    format: Option<Format>,
    count: u32,
    shared: Option<Shared>,
    is_streaming: bool,
    is_stalled: bool,
    is_broken: bool,
    queued: VecDeque<u32>,
    done: VecDeque<Buffer>,
    taken: u32,
}

/// An open camera.
#[derive(Debug)]
pub(super) struct Webcam {
    state: Mutex<State>,
    model: Arc<WebcamModel>,
    handle: Handle,
}

impl Webcam {
    pub(super) fn new(kernel: &FakeKernel, path: &Path, model: Arc<WebcamModel>) -> Self {
        Self {
            state: Mutex::default(),
            model,
            handle: Handle::new(kernel, path),
        }
    }

    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        self.handle.call()?;
        Ok(lock(&self.state))
    }

    /// Fills a buffer that waits for a picture.
    fn take(&self, state: &mut State) -> io::Result<()> {
        if !state.is_streaming || state.is_stalled || !state.done.is_empty() {
            return Ok(());
        }
        let quirk = lock(&self.model.quirks).pop_front();
        match quirk {
            Some(Quirk::Stall) => {
                state.is_stalled = true;
                return Ok(());
            }
            Some(Quirk::Broken) => {
                state.is_broken = true;
                return Ok(());
            }
            Some(_) | None => {}
        }
        let Some(index) = state.queued.pop_front() else {
            return Ok(());
        };
        let format = state.format.ok_or(Errno::INVAL)?;
        let number = state.taken;
        state.taken += 1;
        let shared = state.shared.as_ref().ok_or(Errno::INVAL)?;
        let used = if format.format == FourCc::MJPG {
            shared
                .file
                .write_all_at(&self.model.jpeg, shared.offset(index))?;
            u32::try_from(self.model.jpeg.len()).map_err(io::Error::other)?
        } else {
            let line = [u8::try_from(number % 256).unwrap_or(0); 160];
            shared.file.write_all_at(&line, shared.offset(index))?;
            format.bytes
        };
        let mut buffer = Buffer {
            index,
            used,
            length: format.bytes,
            time: SystemClock.now(),
            sequence: number,
            flags: Flags {
                is_monotonic: true,
                ..Flags::default()
            },
        };
        match quirk {
            Some(Quirk::Damage) => buffer.flags.is_error = true,
            Some(Quirk::Short) => buffer.used /= 2,
            Some(Quirk::Empty) => buffer.used = 0,
            Some(Quirk::OtherClock) => {
                buffer.flags.is_monotonic = false;
                buffer.time = Uptime::from_micros(7);
            }
            Some(Quirk::None | Quirk::Stall | Quirk::Broken) | None => {}
        }
        state.done.push_back(buffer);
        Ok(())
    }

    fn busy(&self) -> io::Result<()> {
        if *lock(&self.model.is_busy) {
            return Err(Errno::BUSY.into());
        }
        Ok(())
    }
}

impl Device for Webcam {
    fn capability(&self) -> io::Result<Capability> {
        self.handle.call()?;
        Ok(self.model.capability.clone())
    }

    fn offer(&self, queue: Queue, index: u32) -> io::Result<Option<Offer>> {
        self.handle.call()?;
        if queue != Queue::Capture {
            return Ok(None);
        }
        let offer = usize::try_from(index)
            .ok()
            .and_then(|at| self.model.offers.get(at));
        Ok(offer.map(|(format, _)| Offer {
            format: *format,
            is_emulated: false,
        }))
    }

    fn sizes(&self, format: FourCc, index: u32) -> io::Result<Option<Sizes>> {
        self.handle.call()?;
        let sizes = self.model.sizes_of(format);
        let one = usize::try_from(index).ok().and_then(|at| sizes.get(at));
        Ok(one.map(|((width, height), _)| Sizes::One(*width, *height)))
    }

    fn rates(&self, format: FourCc, size: (u32, u32), index: u32) -> io::Result<Option<Rates>> {
        self.handle.call()?;
        let mut sizes = self.model.sizes_of(format).iter();
        let rates = sizes.find(|(known, _)| *known == size);
        let at = usize::try_from(index).ok();
        let one = rates.and_then(|(_, rates)| rates.get(at?));
        Ok(one.map(|fps| Rates::One(Interval::of(*fps))))
    }

    fn set_format(&self, _: Queue, format: &Format) -> io::Result<Format> {
        let mut state = self.state()?;
        self.busy()?;
        let mut got = self.model.insists.unwrap_or(*format);
        let area = got.width * got.height;
        (got.stride, got.bytes) = match got.format {
            FourCc::YUYV => (got.width * 2, area * 2),
            FourCc::MJPG => (0, area * 2),
            _ => (got.width, area * 3 / 2),
        };
        state.format = Some(got);
        Ok(got)
    }

    fn set_interval(&self, _: Queue, interval: Interval) -> io::Result<Interval> {
        self.handle.call()?;
        Ok(interval)
    }

    fn span(&self, control: Control) -> io::Result<Option<Span>> {
        self.handle.call()?;
        let has = self.model.flips && (HFLIP..=HFLIP + 1).contains(&control.0);
        Ok(has.then_some(Span { least: 0, most: 1 }))
    }

    fn set_control(&self, control: Control, value: i32) -> io::Result<()> {
        self.handle.call()?;
        let at = usize::try_from(control.0 - HFLIP).map_err(io::Error::other)?;
        let mut flipped = lock(&self.model.flipped);
        *flipped.get_mut(at).ok_or(Errno::INVAL)? = value == 1;
        Ok(())
    }

    fn request(&self, _: Queue, _: Memory, count: u32) -> io::Result<u32> {
        let mut state = self.state()?;
        self.busy()?;
        let format = state.format.ok_or(Errno::INVAL)?;
        state.shared = Some(Shared::new(count, format.bytes)?);
        state.count = count;
        Ok(count)
    }

    fn place(&self, _: Queue, index: u32) -> io::Result<Place> {
        let state = self.state()?;
        let format = state.format.ok_or(Errno::INVAL)?;
        let shared = state.shared.as_ref().ok_or(Errno::INVAL)?;
        Ok(shared.place(index, format.bytes))
    }

    fn export(&self, _: Queue, _: u32) -> io::Result<OwnedFd> {
        let state = self.state()?;
        if !self.model.exports {
            return Err(Errno::NOTTY.into());
        }
        let shared = state.shared.as_ref().ok_or(Errno::INVAL)?;
        Ok(shared.file.try_clone()?.into())
    }

    fn map(&self, place: Place) -> io::Result<Mapped> {
        let state = self.state()?;
        state.shared.as_ref().ok_or(Errno::INVAL)?.map(place)
    }

    fn queue(&self, _: Queue, buffer: &Buffer, _: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let mut state = self.state()?;
        if buffer.index >= state.count || state.queued.contains(&buffer.index) {
            return Err(Errno::INVAL.into());
        }
        state.queued.push_back(buffer.index);
        Ok(())
    }

    fn dequeue(&self, _: Queue, _: Memory) -> io::Result<Option<Buffer>> {
        Ok(self.state()?.done.pop_front())
    }

    fn stream(&self, _: Queue, on: bool) -> io::Result<()> {
        let mut state = self.state()?;
        state.is_streaming = on;
        Ok(())
    }

    fn wait(&self, patience: Duration) -> io::Result<Ready> {
        let mut state = self.state()?;
        self.take(&mut state)?;
        let ready = Ready {
            capture: !state.done.is_empty(),
            output: false,
            error: state.is_broken,
        };
        drop(state);
        if ready.is_nothing() {
            std::thread::sleep(patience);
        }
        Ok(ready)
    }
}
