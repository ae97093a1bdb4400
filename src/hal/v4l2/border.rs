//! The border to V4L2: one method an ioctl, in plain types.
//!
//! Everything above this line is safe code that can be run against a fake; below it are the kernel ([`super::kernel`]) and
//! the fake ([`super::fake`]). So each way in which a driver may answer can be shown to the code that has to cope with it.
//!
//! ```text
//!   encoder, doctor ──▶ Kernel: nodes, open ──▶ Device: one method an ioctl, map, wait
//!                                 ├─ kernel::Linux        ioctl(2), mmap(2), poll(2) on /dev/video*
//!                                 └─ fake::FakeKernel     drivers written after their sources
//! ```
//!
//! Promises: no method waits but [`Device::wait`] (and what a driver does in STREAMOFF); dropping a device closes it, and
//! gives all its buffers back.
//! Knows nothing of: what is coded or seen. One memory plane a picture: that is all that `YU12`, `NV12`, `YUYV` and coded
//! formats have.
//! Sources: Linux `userspace-api/media/v4l` (the section of each ioctl), `videodev2.h`.

use core::fmt;
use core::time::Duration;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::kernel::Mapped;
use crate::logic::units::Uptime;

/// Four letters that name a pixel format.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FourCc(pub [u8; 4]);

impl FourCc {
    /// Planar 4:2:0 in one memory plane, also called I420.
    pub const YU12: Self = Self(*b"YU12");
    /// 4:2:0 with blue and red difference in turn, in one memory plane.
    pub const NV12: Self = Self(*b"NV12");
    /// 4:2:2, two pixels in four bytes.
    pub const YUYV: Self = Self(*b"YUYV");
    /// A JPEG picture a buffer.
    pub const MJPG: Self = Self(*b"MJPG");
    /// H.264 with start codes, a picture a buffer.
    pub const H264: Self = Self(*b"H264");
}

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A queue of a device; seen from the program, as V4L2 names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Pictures that come from a camera.
    Capture,
    /// What comes out of a codec.
    CaptureMplane,
    /// What goes into a codec.
    OutputMplane,
}

/// Whose memory the buffers of a queue are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The driver's, mapped here.
    Mmap,
    /// Another device's, named by a file descriptor with each buffer.
    Dmabuf,
}

/// What a device says of itself (`VIDIOC_QUERYCAP`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capability {
    /// Name of the driver: `bcm2835-codec`, `uvcvideo`.
    pub driver: String,
    /// Name of the device, for people.
    pub card: String,
    /// Where it is plugged in: `usb-0000:01:00.0-1.2`.
    pub bus: String,
    /// It gives pictures and takes none.
    pub captures: bool,
    /// It takes pictures and gives others, through the multi-planar calls.
    pub converts: bool,
    /// Buffers can be streamed.
    pub streams: bool,
}

/// A pixel format that a queue offers (`VIDIOC_ENUM_FMT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its name.
    pub format: FourCc,
    /// The driver converts to it in software; another one is cheaper.
    pub is_emulated: bool,
}

/// A picture's format and where its lines are (`VIDIOC_S_FMT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Width in pixels.
    pub width: u32,
    /// Height in lines.
    pub height: u32,
    /// How pixels are stored.
    pub format: FourCc,
    /// Bytes from one line to the next; 0 asks for the least.
    pub stride: u32,
    /// Bytes of a whole buffer; 0 asks for what the driver thinks right.
    pub bytes: u32,
}

/// Sizes that a format comes in (`VIDIOC_ENUM_FRAMESIZES`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// This one.
    One(u32, u32),
    /// All from the least to the most, by a step.
    Range {
        /// Least width and height.
        least: (u32, u32),
        /// Greatest width and height.
        most: (u32, u32),
        /// Steps of both.
        step: (u32, u32),
    },
}

impl Sizes {
    /// Whether a size is among them.
    #[must_use]
    pub fn holds(&self, (width, height): (u32, u32)) -> bool {
        let on = |value: u32, least: u32, most: u32, step: u32| {
            (least..=most).contains(&value) && (value - least).is_multiple_of(step.max(1))
        };
        match self {
            Self::One(w, h) => (*w, *h) == (width, height),
            Self::Range { least, most, step } => {
                on(width, least.0, most.0, step.0) && on(height, least.1, most.1, step.1)
            }
        }
    }
}

/// Seconds a frame takes, as numerator and denominator (`VIDIOC_ENUM_FRAMEINTERVALS`, `VIDIOC_S_PARM`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval(pub u32, pub u32);

impl Interval {
    /// The interval of so many frames a second.
    #[must_use]
    pub const fn of(fps: u32) -> Self {
        Self(1, fps)
    }

    /// Frames a second, rounded; 0 if the driver gave none.
    #[must_use]
    pub const fn per_second(self) -> u32 {
        if self.0 == 0 {
            return 0;
        }
        self.1.saturating_add(self.0 / 2) / self.0
    }
}

/// Rates that a format comes at in a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rates {
    /// This one.
    One(Interval),
    /// All from the shortest interval to the longest.
    Range(Interval, Interval),
}

/// A control (`V4L2_CID_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Control(pub u32);

/// What a control takes (`VIDIOC_QUERYCTRL`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Least value.
    pub least: i32,
    /// Greatest value.
    pub most: i32,
}

/// Flags of a buffer that matter here (`V4L2_BUF_FLAG_*`).
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are flags of a driver, in any combination"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// What is in it is damaged.
    pub is_error: bool,
    /// Decoding can start here.
    pub is_key: bool,
    /// The last one of a stream.
    pub is_last: bool,
    /// Its time is that of `CLOCK_MONOTONIC`.
    pub is_monotonic: bool,
}

/// A buffer on its way to or from a driver (`VIDIOC_QBUF`, `VIDIOC_DQBUF`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buffer {
    /// Which of the queue.
    pub index: u32,
    /// Bytes that mean something.
    pub used: u32,
    /// Bytes that it has room for.
    pub length: u32,
    /// When the picture was taken.
    pub time: Uptime,
    /// Number of the picture since the stream began; left-out ones count.
    pub sequence: u32,
    /// What else there is to know.
    pub flags: Flags,
}

/// Where the driver keeps a buffer (`VIDIOC_QUERYBUF`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Offset for mapping it.
    pub offset: u64,
    /// Bytes.
    pub length: usize,
}

/// What can be done without waiting (`poll(2)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// A capture buffer can be dequeued.
    pub capture: bool,
    /// An output buffer can be dequeued.
    pub output: bool,
    /// The device is gone, or its queue cannot deliver.
    pub error: bool,
}

impl Ready {
    /// Nothing came in time.
    #[must_use]
    pub const fn is_nothing(self) -> bool {
        !self.capture && !self.output && !self.error
    }
}

/// What is known of a node without opening it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    /// The driver: `uvcvideo`.
    pub driver: String,
    /// The node's name: `bcm2835-codec-encode`.
    pub name: String,
}

/// The devices of a machine.
pub trait Kernel: fmt::Debug + Send + Sync {
    /// The video devices there are, in the order of their numbers.
    ///
    /// # Errors
    /// What the system said when its folder was read.
    fn nodes(&self) -> io::Result<Vec<PathBuf>>;

    /// What a node is, as far as that can be known without opening it: empty words where it cannot. Opening is no small
    /// thing: `bcm2835-codec` makes a component in the firmware each time, and a driver that is sick may not return.
    fn hint(&self, path: &Path) -> Hint;

    /// The device that a path or a link leads to.
    ///
    /// # Errors
    /// There is none, or it may not be opened.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Device>>;
}

/// Devices that are shared by all who look for one.
pub type Devices = Arc<dyn Kernel>;

/// An open device.
///
/// # Errors
/// Each method gives back what the driver said; the section of the ioctl in the kernel's documentation lists the codes.
#[expect(
    clippy::missing_errors_doc,
    reason = "the errors of an ioctl are those of its section in the kernel's documentation"
)]
pub trait Device: fmt::Debug + Send {
    /// `VIDIOC_QUERYCAP`.
    fn capability(&self) -> io::Result<Capability>;

    /// `VIDIOC_ENUM_FMT`; `None` after the last.
    fn offer(&self, queue: Queue, index: u32) -> io::Result<Option<Offer>>;

    /// `VIDIOC_ENUM_FRAMESIZES`; `None` after the last, or if the driver does not say.
    fn sizes(&self, format: FourCc, index: u32) -> io::Result<Option<Sizes>>;

    /// `VIDIOC_ENUM_FRAMEINTERVALS`; `None` after the last, or if the driver does not say.
    fn rates(&self, format: FourCc, size: (u32, u32), index: u32) -> io::Result<Option<Rates>>;

    /// `VIDIOC_S_FMT`: what the driver made of it.
    fn set_format(&self, queue: Queue, format: &Format) -> io::Result<Format>;

    /// `VIDIOC_S_PARM`: what the driver made of it.
    fn set_interval(&self, queue: Queue, interval: Interval) -> io::Result<Interval>;

    /// `VIDIOC_QUERYCTRL`; `None` if there is no such control.
    fn span(&self, control: Control) -> io::Result<Option<Span>>;

    /// `VIDIOC_S_CTRL`.
    fn set_control(&self, control: Control, value: i32) -> io::Result<()>;

    /// `VIDIOC_REQBUFS`: how many the driver made.
    fn request(&self, queue: Queue, memory: Memory, count: u32) -> io::Result<u32>;

    /// `VIDIOC_QUERYBUF`, for `Memory::Mmap`.
    fn place(&self, queue: Queue, index: u32) -> io::Result<Place>;

    /// `VIDIOC_EXPBUF`, for `Memory::Mmap`.
    fn export(&self, queue: Queue, index: u32) -> io::Result<OwnedFd>;

    /// `mmap(2)` of a buffer.
    fn map(&self, place: Place) -> io::Result<Mapped>;

    /// `VIDIOC_QBUF`; with the file descriptor of the memory for `Memory::Dmabuf`.
    fn queue(
        &self,
        queue: Queue,
        buffer: &Buffer,
        dmabuf: Option<BorrowedFd<'_>>,
    ) -> io::Result<()>;

    /// `VIDIOC_DQBUF`; `None` if there is none yet.
    fn dequeue(&self, queue: Queue, memory: Memory) -> io::Result<Option<Buffer>>;

    /// `VIDIOC_STREAMON`, `VIDIOC_STREAMOFF`.
    fn stream(&self, queue: Queue, on: bool) -> io::Result<()>;

    /// `poll(2)`: waits until there is something to dequeue, and no longer than this.
    fn wait(&self, patience: Duration) -> io::Result<Ready>;
}
