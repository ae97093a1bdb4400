//! One captured picture: 4:2:0 samples in a buffer that goes home when the frame is dropped.
//!
//! A frame is owned by whoever works on it, and its memory by whoever filled it: our own pool, or a driver that lends one
//! of its few buffers. So a picture is never copied to be handed on, and no buffer is lost however its holder ends.
//!
//! ```text
//!            take                 next_frame                encode(&frame)
//!   Pool ─────────▶ Frame ─────────────────────▶ holder ─────────────────▶ …
//!    ▲   (or a driver's buffer, with its DMABUF)    │
//!    └──────────────── home ◀──────── drop ─────────┘      home closed: the memory is freed
//!
//!   planar (I420):       Y  y_stride × height | U  stride × height/2 | V  stride × height/2
//!   interleaved (NV12):  Y  y_stride × height | UV stride × height/2
//! ```
//!
//! Promises: width and height are even and in range; the planes lie inside the buffer; a frame costs no allocation.
//! Knows nothing of: who draws or encodes it.
//! Sources: ITU-T H.264 6.2 (4:2:0 sampling); Linux `pixfmt-yuv-planar` (`YU12`, `NV12`); the configuration.

use core::fmt;
use core::time::Duration;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

use crate::logic::sight::Eye;
use crate::logic::units::Uptime;

mod layout;
#[cfg(test)]
mod tests;

pub use layout::{ChromaLayout, Layout};

/// Memory of a driver, which holds one picture at a time.
pub trait Pixels: fmt::Debug + Send + Sync {
    /// All samples, readable by the processor. It may cost a look at the caches: ask only to read.
    fn bytes(&self) -> &[u8];

    /// How many bytes there are.
    fn size(&self) -> usize {
        self.bytes().len()
    }

    /// The same memory for another device, where it can be shared.
    fn dmabuf(&self) -> Option<BorrowedFd<'_>>;

    /// Which of its owner's buffers this is, from 0; the same memory has the same number as long as its owner is open.
    fn slot(&self) -> u32;
}

/// Where a picture's samples are.
#[derive(Debug)]
pub enum Memory {
    /// In memory of our own.
    Own(Vec<u8>),
    /// In a buffer of a driver.
    Lent(Arc<dyn Pixels>),
}

impl Memory {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Lent(pixels) => pixels.bytes(),
        }
    }
}

/// Where a buffer goes when its frame is dropped. It must have room for all buffers of its owner.
pub type Home = SyncSender<Memory>;

/// One captured picture and what is known of its capture.
pub struct Frame {
    layout: Layout,
    captured_at: Uptime,
    number: u32,
    eye: Eye,
    /// Taken only when the frame is dropped.
    memory: Memory,
    home: Option<Home>,
}

/// The chroma samples of a frame.
#[derive(Clone, Copy, Debug)]
pub enum Chroma<'a> {
    /// A plane each.
    Planar {
        /// Blue difference.
        u: &'a [u8],
        /// Red difference.
        v: &'a [u8],
        /// Bytes from one line to the next, in both.
        stride: usize,
    },
    /// Blue and red difference in turn.
    Interleaved {
        /// Both.
        uv: &'a [u8],
        /// Bytes from one line to the next.
        stride: usize,
    },
}

/// The three planes, borrowed for drawing into.
#[derive(Debug)]
pub struct PlanesMut<'a> {
    /// Luma, [`Frame::y_stride`] bytes a line.
    pub y: &'a mut [u8],
    /// Blue difference, half of [`Frame::y_stride`] bytes for two lines.
    pub u: &'a mut [u8],
    /// Red difference, as many.
    pub v: &'a mut [u8],
}

impl Frame {
    /// spec: `camera.width` and `camera.height` of the configuration.
    pub const LEAST: (u32, u32) = (160, 120);
    /// spec: `camera.width` and `camera.height` of the configuration.
    pub const MOST: (u32, u32) = (1920, 1080);

    /// A black frame in memory of its own, planar; `None` if the size is odd or out of range.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Option<Self> {
        let layout = Layout::packed(width, height)?;
        Some(Self::made(layout, Memory::Own(black(layout)), None))
    }

    /// A frame in a driver's buffer, which goes `home` afterwards; `None` if the layout does not fit in there.
    #[must_use]
    pub fn lent(layout: Layout, pixels: Arc<dyn Pixels>, home: Home) -> Option<Self> {
        layout
            .fits(pixels.size())
            .then(|| Self::made(layout, Memory::Lent(pixels), Some(home)))
    }

    const fn made(layout: Layout, memory: Memory, home: Option<Home>) -> Self {
        Self {
            layout,
            captured_at: Uptime::ZERO,
            number: 0,
            eye: Eye::Front,
            memory,
            home,
        }
    }

    /// How the samples lie.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// Width in pixels, even.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.layout.width()
    }

    /// Height in pixels, even.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.layout.height()
    }

    /// When the picture was caught, on the car's monotonic clock.
    #[must_use]
    pub const fn captured_at(&self) -> Uptime {
        self.captured_at
    }

    /// The number of the frame since the camera started; frames that were skipped count.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Says which capture the samples now hold.
    pub const fn set_capture(&mut self, captured_at: Uptime, number: u32) {
        self.captured_at = captured_at;
        self.number = number;
    }

    /// Which of the car's cameras took it.
    #[must_use]
    pub const fn eye(&self) -> Eye {
        self.eye
    }

    /// Says which of the car's cameras took it.
    pub const fn set_eye(&mut self, eye: Eye) {
        self.eye = eye;
    }

    /// Bytes from one luma line to the next.
    #[must_use]
    pub const fn y_stride(&self) -> usize {
        self.layout.y_stride()
    }

    /// The luma plane.
    #[must_use]
    pub fn y(&self) -> &[u8] {
        self.plane(0, self.layout.y_len())
    }

    /// The chroma samples.
    #[must_use]
    pub fn chroma(&self) -> Chroma<'_> {
        let len = self.layout.chroma_len();
        match self.layout.chroma() {
            ChromaLayout::Planar { u, v, stride } => Chroma::Planar {
                u: self.plane(u, len),
                v: self.plane(v, len),
                stride,
            },
            ChromaLayout::Interleaved { uv, stride } => Chroma::Interleaved {
                uv: self.plane(uv, len),
                stride,
            },
        }
    }

    /// The buffer of the driver that the samples are in, if they are in one.
    #[must_use]
    pub fn pixels(&self) -> Option<&dyn Pixels> {
        match &self.memory {
            Memory::Own(_) => None,
            Memory::Lent(pixels) => Some(pixels.as_ref()),
        }
    }

    fn plane(&self, from: usize, len: usize) -> &[u8] {
        self.memory
            .bytes()
            .get(from..from + len)
            .unwrap_or_default()
    }

    /// All three planes for drawing; `None` in a driver's memory, which is not ours to write.
    pub fn planes_mut(&mut self) -> Option<PlanesMut<'_>> {
        let (y_len, chroma_len) = (self.layout.y_len(), self.layout.chroma_len());
        let Memory::Own(bytes) = &mut self.memory else {
            return None;
        };
        let (y, chroma) = bytes.split_at_mut_checked(y_len)?;
        let (u, v) = chroma.split_at_mut_checked(chroma_len)?;
        Some(PlanesMut { y, u, v })
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        let memory = std::mem::replace(&mut self.memory, Memory::Own(Vec::new()));
        if let Some(home) = &self.home {
            // Its owner may have closed; then the memory ends here.
            let _ = home.try_send(memory);
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("layout", &self.layout)
            .field("captured_at", &self.captured_at)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// A few pictures in memory of our own, for a source that draws, decodes or converts.
#[derive(Debug)]
pub struct Pool {
    layout: Layout,
    back: Receiver<Memory>,
    home: Home,
}

impl Pool {
    /// So many black pictures; `None` if the size is odd or out of range.
    #[must_use]
    pub fn new(width: u32, height: u32, count: usize) -> Option<Self> {
        let layout = Layout::packed(width, height)?;
        let (home, back) = sync_channel(count);
        for _ in 0..count {
            home.try_send(Memory::Own(black(layout))).ok()?;
        }
        Some(Self { layout, back, home })
    }

    /// How the samples of every picture lie.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// A picture that nobody holds, with whatever was in it; `None` if all are out.
    #[must_use]
    pub fn take(&self) -> Option<Frame> {
        match self.back.try_recv() {
            Ok(memory) => Some(Frame::made(self.layout, memory, Some(self.home.clone()))),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }

    /// As [`Pool::take`], but waits for one to come home.
    #[must_use]
    pub fn wait(&self, patience: Duration) -> Option<Frame> {
        let memory = self.back.recv_timeout(patience).ok()?;
        Some(Frame::made(self.layout, memory, Some(self.home.clone())))
    }
}

fn black(layout: Layout) -> Vec<u8> {
    let y = layout.y_len();
    let mut bytes = vec![128; y + 2 * layout.chroma_len()];
    bytes.iter_mut().take(y).for_each(|luma| *luma = 16);
    bytes
}
