//! A camera that runs: its buffers, and one picture after the other.
//!
//! ```text
//!   S_FMT ─▶ S_PARM ─▶ flips ─▶ REQBUFS ─▶ map, export ─▶ QBUF all ─▶ STREAMON
//!
//!   driver ─▶ DQBUF all that is done ─▶ the newest ─▶ lent: Frame ─▶ dropped: home ─▶ QBUF at the next call or wait
//!                  └ older, damaged ─▶ QBUF at once └▶ made of it: QBUF at once
//! ```
//!
//! What drivers do, and what is made of it:
//!
//! | The driver | Here |
//! | --- | --- |
//! | makes another size or format of what it was asked for (`VIDIOC_S_FMT` never refuses one) | an error that says both |
//! | has no frame rates (`EINVAL`, `ENOTTY`) | its own rate |
//! | marks a picture as damaged, or gives a part of it: a packet was lost on the bus (`uvc_video_decode_end`) | the next one |
//! | has memory that cannot be shared (`EXPBUF`) | the encoder copies |
//! | has another clock in its timestamps | the time of delivery |
//! | answers `ENODEV` | it was unplugged |
//! | gives nothing | an error after a while ([`patience`]) |
//!
//! Promises: the driver has no buffer whose picture is out; what a frame holds stays after the camera has closed.
//! Knows nothing of: which device it is, and why.
//! Sources: Linux `mmap`, `dmabuf`, `poll` of `userspace-api/media/v4l`; `videobuf2-core.c`; `uvc_video.c`.

use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use rustix::io::Errno;
use rustix::time::ClockId;

use super::find::Found;
use super::modes::Mode;
use super::picture::{LOST, Picture};
use super::{WebcamSettings, failed, missing, unsupported};
use crate::config::Rotation;
use crate::hal::clock::{self, Clock, SystemClock};
use crate::hal::csi::Turn;
use crate::hal::frame::{Home, Memory as Samples, Pixels};
use crate::hal::moment::Moments;
use crate::hal::v4l2::border::{Buffer, Control, Device, Format, Memory, Queue};
use crate::hal::v4l2::kernel::Mapped;
use crate::hal::v4l2::trouble;
use crate::hal::{Camera, CameraError, Frame, patience};
use crate::logic::units::Uptime;

/// Buffers of a camera. choice: one being filled, one to be filled next, one newest, one being coded.
pub(super) const BUFFERS: u32 = 4;
/// Fewer do not go round: a driver keeps one, and one is out. kernel: `uvc_queue_setup` gives what was asked for.
const LEAST_BUFFERS: u32 = 2;
/// How long a wait lasts before buffers that came home meanwhile are looked at, while some are out.
/// choice: a quarter of a frame time at 30 a second.
const LOOK_HOME: Duration = Duration::from_millis(8);
/// spec: `V4L2_CID_HFLIP`, `V4L2_CID_VFLIP`.
const FLIPS: [Control; 2] = [Control(0x0098_0914), Control(0x0098_0915)];

/// A buffer of the driver.
#[derive(Debug)]
struct Slot {
    mapped: Mapped,
    dmabuf: Option<OwnedFd>,
    number: u32,
}

impl Pixels for Slot {
    fn bytes(&self) -> &[u8] {
        self.mapped.bytes()
    }

    fn dmabuf(&self) -> Option<BorrowedFd<'_>> {
        self.dmabuf.as_ref().map(AsFd::as_fd)
    }

    fn slot(&self) -> u32 {
        self.number
    }
}

/// A camera that runs. The memory comes first: it is unmapped before the device closes.
#[derive(Debug)]
pub(super) struct Webcam {
    slots: Vec<Arc<Slot>>,
    picture: Picture,
    device: Box<dyn Device>,
    name: String,
    path: PathBuf,
    /// What a whole picture has at least.
    bytes: u32,
    fps: u32,
    home: Home,
    came_home: Receiver<Samples>,
    /// Pictures that are out.
    out: usize,
    patience: Duration,
    moments: Moments,
    /// Why pictures are thrown away, once that was logged.
    said: Option<String>,
    /// Pictures that were thrown away since it was opened.
    thrown_away: u32,
}

impl Webcam {
    /// Configures and starts a camera.
    pub(super) fn start(
        found: Found,
        mode: Mode,
        settings: &WebcamSettings,
    ) -> Result<Self, CameraError> {
        let name = found.name();
        let Found { path, device, .. } = found;
        let step = |step: &'static str| {
            let (path, name) = (path.clone(), name.clone());
            move |error| failed(&name, step, trouble::explained(&path, error))
        };
        let format = set_format(
            device.as_ref(),
            &name,
            mode,
            settings,
            step("set the format"),
        )?;
        let fps = set_rate(device.as_ref(), mode, settings.fps).map_err(step("set the rate"))?;
        turn(
            device.as_ref(),
            &name,
            settings.turn,
            step("turn the picture"),
        )?;
        let picture = Picture::of(&format).ok_or_else(|| {
            let why = format!("{format:?} is no picture; choose another camera.format");
            unsupported(&name, why)
        })?;
        let shares = picture.lent().is_some();
        let slots = slots(device.as_ref(), shares).map_err(step("get buffers"))?;
        if slots.len() < usize::try_from(LEAST_BUFFERS).unwrap_or(0) {
            let why = io::Error::from(Errno::NOMEM);
            return Err(step("get buffers")(why));
        }
        let (home, came_home) = sync_channel(slots.len());
        let is_coded = format.format == crate::hal::v4l2::FourCc::MJPG;
        let camera = Self {
            slots,
            picture,
            device,
            name: name.clone(),
            path: path.clone(),
            bytes: if is_coded { 1 } else { format.bytes },
            fps,
            home,
            came_home,
            out: 0,
            patience: patience::FIRST,
            moments: Moments::default(),
            said: None,
            thrown_away: 0,
        };
        for slot in &camera.slots {
            camera.offer(slot.number).map_err(step("queue a buffer"))?;
        }
        camera
            .device
            .stream(Queue::Capture, true)
            .map_err(step("start it"))?;
        tracing::info!(
            camera = camera.name,
            width = format.width,
            height = format.height,
            stride = format.stride,
            format = %format.format,
            fps,
            buffers = camera.slots.len(),
            is_shared = camera.slots.iter().all(|slot| slot.dmabuf.is_some()),
            "camera opened"
        );
        Ok(camera)
    }

    fn offer(&self, index: u32) -> io::Result<()> {
        let buffer = Buffer {
            index,
            ..Buffer::default()
        };
        self.device.queue(Queue::Capture, &buffer, None)
    }

    /// An error of the driver: it may be gone.
    fn broken(&self, step: &'static str, error: io::Error) -> CameraError {
        if trouble::is_any(&error, &[Errno::NODEV, Errno::NXIO]) {
            return missing(&self.name, "it was unplugged");
        }
        failed(&self.name, step, trouble::explained(&self.path, error))
    }

    fn give_back(&self, index: u32) -> Result<(), CameraError> {
        self.offer(index)
            .map_err(|error| self.broken("queue a buffer", error))
    }

    /// Gives the driver what came home.
    fn take_home(&mut self) -> Result<(), CameraError> {
        while let Ok(Samples::Lent(pixels)) = self.came_home.try_recv() {
            self.out = self.out.saturating_sub(1);
            self.give_back(pixels.slot())?;
        }
        Ok(())
    }

    /// The newest whole picture that the driver has; older ones go back.
    fn newest(&mut self) -> Result<Option<Buffer>, CameraError> {
        let mut newest: Option<Buffer> = None;
        while let Some(buffer) = self
            .device
            .dequeue(Queue::Capture, Memory::Mmap)
            .map_err(|error| self.broken("take a picture", error))?
        {
            let back = if buffer.flags.is_error || buffer.used < self.bytes {
                self.is_thrown_away(LOST);
                Some(buffer)
            } else {
                newest.replace(buffer)
            };
            if let Some(back) = back {
                self.give_back(back.index)?;
            }
        }
        Ok(newest)
    }

    /// Logs why a picture is of no use, when the reason is new and when twice as many were lost as at the last word.
    fn is_thrown_away(&mut self, why: &str) {
        self.thrown_away = self.thrown_away.wrapping_add(1);
        if self.said.as_deref() != Some(why) || self.thrown_away.is_power_of_two() {
            tracing::warn!(
                camera = self.name,
                so_far = self.thrown_away,
                "a picture is thrown away: {why}"
            );
            self.said = Some(why.to_owned());
        }
    }

    /// A frame of a buffer; `None` if it cannot be made.
    fn frame(&mut self, buffer: Buffer) -> Result<Option<Frame>, CameraError> {
        let at = usize::try_from(buffer.index).unwrap_or(usize::MAX);
        let Some(slot) = self.slots.get(at).map(Arc::clone) else {
            let why = "the driver has no such buffer";
            return Err(failed(&self.name, "take a picture", why));
        };
        let frame = if let Some(layout) = self.picture.lent() {
            let frame = Frame::lent(layout, slot, self.home.clone());
            self.out += usize::from(frame.is_some());
            frame
        } else {
            let used = usize::try_from(buffer.used).unwrap_or(usize::MAX);
            let bytes = slot.mapped.bytes();
            let made = self.picture.make(bytes.get(..used).unwrap_or(bytes));
            self.give_back(buffer.index)?;
            match made {
                Ok(frame) => frame,
                Err(why) => {
                    self.is_thrown_away(&why);
                    return Ok(None);
                }
            }
        };
        Ok(frame.map(|mut frame| {
            frame.set_capture(self.caught_at(buffer), buffer.sequence);
            frame
        }))
    }

    /// When a picture was caught.
    fn caught_at(&mut self, buffer: Buffer) -> Uptime {
        let now = SystemClock.now();
        let stamp = buffer.time.as_micros().saturating_mul(1000);
        let stamp = buffer.flags.is_monotonic.then_some(stamp);
        self.moments
            .caught_at(&self.name, stamp, now, clock::read(ClockId::Boottime))
    }
}

impl Camera for Webcam {
    fn next_frame(&mut self) -> Result<Frame, CameraError> {
        let began_at = SystemClock.now();
        loop {
            self.take_home()?;
            if let Some(buffer) = self.newest()?
                && let Some(frame) = self.frame(buffer)?
            {
                self.patience = patience::between(self.fps);
                return Ok(frame);
            }
            let silent = SystemClock.now().since(began_at);
            let left = self.patience.saturating_sub(silent);
            if left.is_zero() {
                return Err(CameraError::Stalled {
                    camera: self.name.clone(),
                    silent,
                });
            }
            let look = if self.out == 0 { left } else { LOOK_HOME };
            let ready = self
                .device
                .wait(look.min(left))
                .map_err(|error| self.broken("wait for a picture", error))?;
            if ready.error && !ready.capture {
                // The next call of the driver would say more, if it had more to say.
                self.newest()?;
                let why = "the device cannot deliver";
                return Err(failed(&self.name, "wait for a picture", why));
            }
        }
    }
}

impl Drop for Webcam {
    fn drop(&mut self) {
        // Closing would do the same, later. A driver that is gone refuses, and has nothing left to stop.
        let _ = self.device.stream(Queue::Capture, false);
    }
}

/// Sets format and size; an error if the driver makes others of them.
fn set_format(
    device: &dyn Device,
    name: &str,
    mode: Mode,
    settings: &WebcamSettings,
    step: impl FnOnce(io::Error) -> CameraError,
) -> Result<Format, CameraError> {
    let wanted = Format {
        width: settings.width,
        height: settings.height,
        format: mode.format,
        stride: 0,
        bytes: 0,
    };
    let got = device.set_format(Queue::Capture, &wanted).map_err(step)?;
    if (got.width, got.height, got.format) == (wanted.width, wanted.height, wanted.format) {
        return Ok(got);
    }
    Err(unsupported(
        name,
        format!(
            "it makes {}x{} {} of {}x{} {}; choose camera.width, camera.height and camera.format as it does",
            got.width, got.height, got.format, wanted.width, wanted.height, wanted.format
        ),
    ))
}

/// Sets the rate; what it became.
fn set_rate(device: &dyn Device, mode: Mode, fps: u32) -> io::Result<u32> {
    match device.set_interval(Queue::Capture, mode.interval) {
        Ok(interval) => Ok(Some(interval.per_second())
            .filter(|fps| *fps > 0)
            .unwrap_or(fps)),
        Err(error) if is_unknown(&error) => Ok(fps),
        Err(error) => Err(error),
    }
}

/// Has the camera turn the picture, as far as it can.
fn turn(
    device: &dyn Device,
    name: &str,
    turn: Turn,
    step: impl FnOnce(io::Error) -> CameraError,
) -> Result<(), CameraError> {
    let is_over = match turn.rotation {
        Rotation::Upright => false,
        Rotation::Half => true,
        Rotation::Quarter | Rotation::ThreeQuarters => {
            let why = "it cannot make a quarter turn; set camera.rotation to 0 or 180, and turn the camera";
            return Err(unsupported(name, why.to_owned()));
        }
    };
    let wanted = [turn.flip_horizontal ^ is_over, turn.flip_vertical ^ is_over];
    let mut outcome = Ok(());
    for (control, is_wanted) in FLIPS.into_iter().zip(wanted) {
        let has = match device.span(control) {
            Ok(span) => span.is_some(),
            Err(error) => {
                outcome = Err(error);
                break;
            }
        };
        if has {
            outcome = device.set_control(control, i32::from(is_wanted));
        } else if is_wanted {
            let why = "it cannot flip its picture; set camera.rotation to 0 and camera.flip_* to false, and turn the camera";
            return Err(unsupported(name, why.to_owned()));
        }
        if outcome.is_err() {
            break;
        }
    }
    outcome.map_err(step)
}

/// Gets the driver's buffers, and shares them if that is of use and it can.
fn slots(device: &dyn Device, shares: bool) -> io::Result<Vec<Arc<Slot>>> {
    let queue = Queue::Capture;
    let count = device.request(queue, Memory::Mmap, BUFFERS)?;
    let mut slots = Vec::new();
    for number in 0..count {
        let mapped = device.map(device.place(queue, number)?)?;
        let dmabuf = match shares.then(|| device.export(queue, number)) {
            None => None,
            Some(Ok(dmabuf)) => Some(dmabuf),
            Some(Err(error)) if is_unknown(&error) => None,
            Some(Err(error)) => return Err(error),
        };
        slots.push(Arc::new(Slot {
            mapped,
            dmabuf,
            number,
        }));
    }
    Ok(slots)
}

/// The driver has no such thing.
fn is_unknown(error: &io::Error) -> bool {
    trouble::is_any(
        error,
        &[Errno::INVAL, Errno::NOTTY, Errno::NOTSUP, Errno::NOSYS],
    )
}
