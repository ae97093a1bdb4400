//! An open camera: a few buffers that go round, and the newest picture for whoever asks.
//!
//! ```text
//!            ┌────────── idle ◀───────── cancelled or spoilt ◀──────┐
//!            ▼                                                      │
//!   queue ─▶ libcamera, its own thread ─▶ done (channel) ─▶ newest: lent ─▶ Frame ─▶ dropped: home (channel) ─┐
//!            ▲                                          └▶ older: at once again                               │
//!            └──────────────────────────── next call or wait ◀────────────────────────────────────────────────┘
//! ```
//!
//! Every buffer has one request of its own for good; the request is in libcamera, in the channel, idle, or kept here while
//! its picture is lent. A camera may run faster than it was told (libcamera's virtual one makes pictures as fast as they
//! are asked for), so requests are queued at little more than the rate that was asked for.
//!
//! Closing: the camera is stopped with its callbacks still in place, so that every request comes back; then the requests
//! go, then the camera, its buffers and the manager. A picture that is still out keeps its memory by itself (`raw`).
//!
//! Promises: the driver has no buffer whose picture is out; a camera that gives nothing is an error after a while
//! ([`patience`]).
//! Knows nothing of: how it was configured.
//! Sources: libcamera `camera.h`, `request.h` (`Request::reuse`), `framebuffer.h` (`FrameMetadata`).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::time::Duration;

use libcamera::camera::ActiveCamera;
use libcamera::controls::SensorTimestamp;
use libcamera::framebuffer_allocator::FrameBufferAllocator;
use libcamera::request::{Request, RequestStatus, ReuseFlag};
use libcamera::stream::Stream;
use rustix::time::ClockId;

use super::configure::BUFFERS;
use super::dials::{self, Optics};
use super::manager::Manager;
use super::pool::{self, Pool};
use super::raw::{Buffer, Handle};
use super::{Event, failed};
use crate::hal::clock::{self, Clock, SystemClock};
use crate::hal::csi::Desk;
use crate::hal::frame::{Frame, Home, Layout, Memory, Pixels};
use crate::hal::moment::Moments;
use crate::hal::{Camera, CameraError, patience};
use crate::logic::camera::Controls;
use crate::logic::units::Uptime;

/// The shortest time between two requests, in percent of a frame time. choice: a sensor's rate is nearer to what it was
/// told than that, so one that keeps it never waits for a request.
const RATE_PERCENT: u32 = 95;

/// How long a wait for a picture lasts before the buffers that came home meanwhile are looked at.
/// choice: a quarter of a frame time at 30 a second.
const LOOK_HOME: Duration = Duration::from_millis(8);

/// An open camera. The order of the fields is the order in which they go.
pub(super) struct CsiCamera {
    name: String,
    /// Requests that wait to be queued.
    idle: Vec<Request>,
    /// Requests whose pictures are out, by slot.
    lent: Vec<Option<Request>>,
    events: Receiver<Event>,
    camera: Handle<ActiveCamera<'static>>,
    /// Keeps the frame buffers that the requests hold.
    _allocator: FrameBufferAllocator,
    _manager: Arc<Manager>,

    buffers: Vec<Arc<Buffer>>,
    home: Home,
    came_home: Receiver<Memory>,
    stream: Stream,
    layout: Layout,
    optics: Optics,
    desk: Arc<Desk>,
    seen: u32,
    /// Where the dials stood in the last request.
    controls: Controls,
    pace: Pace,
    moments: Moments,
    patience: Duration,
    clock: SystemClock,
    is_gone: bool,
}

/// How fast requests may be queued: as many as there are buffers at once, and then at a rate.
struct Pace {
    interval: Duration,
    /// When all that was queued so far would be done at this rate.
    done_at: Uptime,
}

impl Pace {
    fn new(fps: u32) -> Self {
        Self {
            interval: Duration::from_secs(1) * RATE_PERCENT / 100 / fps.max(1),
            done_at: Uptime::ZERO,
        }
    }

    /// When the next request may be queued.
    fn opens_at(&self) -> Uptime {
        let ahead = u64::try_from((self.interval * (BUFFERS - 1)).as_micros()).unwrap_or(0);
        Uptime::from_micros(self.done_at.as_micros().saturating_sub(ahead))
    }

    fn queued(&mut self, now: Uptime) {
        self.done_at = self.done_at.max(now).after(self.interval);
    }
}

/// What a camera that was started is made of.
pub(super) struct Started {
    pub(super) manager: Arc<Manager>,
    pub(super) camera: Handle<ActiveCamera<'static>>,
    pub(super) pool: Pool,
    pub(super) events: Receiver<Event>,
    pub(super) optics: Optics,
    pub(super) desk: Arc<Desk>,
    pub(super) controls: Controls,
}

impl CsiCamera {
    /// A camera that was started, with all of its buffers on the way.
    pub(super) fn new(started: Started) -> Result<Self, CameraError> {
        let Started {
            manager,
            camera,
            pool,
            events,
            optics,
            desk,
            controls,
        } = started;
        let Pool {
            allocator,
            requests,
            buffers,
            stream,
            layout,
        } = pool;
        let pace = Pace::new(optics.fps);
        let (home, came_home) = sync_channel(buffers.len());
        let mut new = Self {
            name: camera.id().to_owned(),
            lent: buffers.iter().map(|_| None).collect(),
            idle: requests,
            events,
            camera,
            _allocator: allocator,
            _manager: manager,
            buffers,
            home,
            came_home,
            stream,
            layout,
            optics,
            desk,
            seen: 0,
            controls,
            pace,
            moments: Moments::default(),
            patience: patience::FIRST,
            clock: SystemClock,
            is_gone: false,
        };
        new.queue()?;
        Ok(new)
    }

    /// Queues what is idle, as far as the rate allows.
    fn queue(&mut self) -> Result<(), CameraError> {
        loop {
            let now = self.clock.now();
            if self.idle.is_empty() || self.pace.opens_at() > now {
                return Ok(());
            }
            let Some(mut request) = self.idle.pop() else {
                return Ok(());
            };
            if request.status() != RequestStatus::Pending {
                request.reuse(ReuseFlag::REUSE_BUFFERS);
            }
            if let Some(wanted) = self.desk.newer_than(&mut self.seen) {
                let missing = dials::write(
                    request.controls_mut(),
                    self.camera.controls(),
                    self.optics,
                    Some(&self.controls),
                    &wanted,
                );
                self.controls = wanted;
                if !missing.is_empty() {
                    tracing::warn!(camera = self.name, dials = ?missing, "the camera has no such control");
                }
            }
            if let Err((request, source)) = self.camera.queue_request(request) {
                self.idle.push(request);
                return Err(if self.is_gone {
                    self.gone()
                } else {
                    failed(&self.name, "queue a request", source)
                });
            }
            self.pace.queued(now);
        }
    }

    /// Takes back what came home.
    fn take_home(&mut self) {
        while let Ok(memory) = self.came_home.try_recv() {
            let Memory::Lent(pixels) = memory else {
                continue; // not ours
            };
            let slot = usize::try_from(pixels.slot()).unwrap_or(usize::MAX);
            if let Some(buffer) = self.buffers.get(slot) {
                buffer.give_back();
            }
            if let Some(request) = self.lent.get_mut(slot).and_then(Option::take) {
                self.idle.push(request);
            }
        }
    }

    /// Takes in what libcamera said; the newest picture of it.
    fn hear(&mut self, event: Event, newest: &mut Option<Request>) {
        match event {
            Event::Gone => self.is_gone = true,
            Event::Done(request) => {
                if pool::is_good(&request, self.stream) {
                    self.idle.extend(newest.replace(request));
                } else {
                    tracing::debug!(camera = self.name, "a picture was spoilt");
                    self.idle.push(request);
                }
            }
        }
    }

    /// Waits for the next picture and takes the newest.
    fn wait(&mut self) -> Result<Request, CameraError> {
        let mut newest = None;
        let began_at = self.clock.now();
        loop {
            self.take_home();
            loop {
                match self.events.try_recv() {
                    Ok(event) => self.hear(event, &mut newest),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => self.is_gone = true,
                }
                if self.is_gone {
                    return Err(self.gone());
                }
            }
            self.queue()?;
            if let Some(request) = newest {
                return Ok(request);
            }
            let silent = self.clock.now().since(began_at);
            if silent >= self.patience {
                return Err(CameraError::Stalled {
                    camera: self.name.clone(),
                    silent,
                });
            }
            match self.events.recv_timeout(self.look_again()) {
                Ok(event) => self.hear(event, &mut newest),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.is_gone = true,
            }
        }
    }

    /// How long to wait for libcamera before the rest is looked after.
    fn look_again(&self) -> Duration {
        if self.idle.is_empty() {
            return LOOK_HOME;
        }
        self.pace.opens_at().since(self.clock.now()).min(LOOK_HOME)
    }

    fn gone(&self) -> CameraError {
        CameraError::Missing {
            camera: self.name.clone(),
            source: "it was unplugged".into(),
        }
    }

    /// When a picture was caught.
    fn caught_at(&mut self, request: &Request) -> Uptime {
        let now = self.clock.now();
        let stamp = request.metadata().get::<SensorTimestamp>().ok();
        let stamp = stamp.and_then(|stamp| u64::try_from(stamp.0).ok());
        self.moments
            .caught_at(&self.name, stamp, now, clock::read(ClockId::Boottime))
    }
}

impl Camera for CsiCamera {
    fn next_frame(&mut self) -> Result<Frame, CameraError> {
        let request = self.wait()?;
        self.patience = patience::between(self.optics.fps);
        let captured_at = self.caught_at(&request);
        let number = pool::sequence(&request, self.stream);
        let slot = usize::try_from(request.cookie()).unwrap_or(usize::MAX);
        let bug = |camera: &Self| {
            failed(
                &camera.name,
                "find its buffer",
                std::io::ErrorKind::InvalidData.into(),
            )
        };
        let Some(buffer) = self.buffers.get(slot).map(Arc::clone) else {
            return Err(bug(self));
        };
        let pixels: Arc<dyn Pixels> = buffer;
        if let Some(place) = self.lent.get_mut(slot) {
            *place = Some(request);
        }
        let mut frame =
            Frame::lent(self.layout, pixels, self.home.clone()).ok_or_else(|| bug(self))?;
        frame.set_capture(captured_at, number);
        Ok(frame)
    }
}

impl Drop for CsiCamera {
    fn drop(&mut self) {
        // The callbacks are still there: every request that libcamera has comes back, cancelled.
        if let Err(err) = self.camera.stop() {
            tracing::warn!(camera = self.name, %err, "the camera does not stop");
        }
        while self.events.try_recv().is_ok() {}
        self.idle.clear();
        self.lent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_may_come_all_at_once_and_then_at_the_rate() {
        let mut pace = Pace::new(30);
        let start = Uptime::from_micros(1_000_000);
        for _ in 0..BUFFERS {
            assert!(pace.opens_at() <= start);
            pace.queued(start);
        }
        for n in 1..100 {
            let opens_at = pace.opens_at();
            let since = u32::try_from(opens_at.since(start).as_micros()).unwrap();
            assert!(since.abs_diff(n * 31_666) <= n, "{n}: {since}");
            pace.queued(opens_at);
        }
    }
}
