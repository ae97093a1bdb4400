//! How a frame gets into the encoder: by its DMABUF, or copied.
//!
//! ```text
//!   frame.layout() == the driver's layout, and a DMABUF ─▶ QBUF with its file descriptor        no byte is moved
//!   anything else ─▶ plane by plane, line by line ─▶ the driver's mapped buffer ─▶ QBUF         once over the picture
//! ```
//!
//! Imported memory stays known to the driver under the number of its buffer, so a camera's few buffers are each mapped for
//! the device once and not for every frame (`__prepare_dmabuf` of `videobuf2-core.c`).
//!
//! Promises: what is queued has every line where the driver said. Knows nothing of: what comes out.
//! Sources: Linux `dmabuf` ("Streaming I/O (DMA buffer importing)"), `pixfmt-yuv-planar`;
//! `bcm2835_codec_buf_prepare` of `bcm2835-v4l2-codec.c` (a plane smaller than `sizeimage` is refused).

use core::fmt;
use std::io;

use rustix::io::Errno;

use super::flow::Refusal;
use super::open::failed;
use crate::hal::Frame;
use crate::hal::frame::{Chroma, ChromaLayout, Layout};
use crate::hal::v4l2::border::{Buffer, Device, Format, FourCc, Memory, Queue};
use crate::hal::v4l2::kernel::Mapped;
use crate::hal::v4l2::trouble;
use crate::logic::units::Uptime;

/// Numbers for imported buffers. choice: no camera here has more buffers; an unused number costs nothing.
const NUMBERS: u32 = 8;

/// How frames get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By their DMABUF.
    Import,
    /// Copied.
    Copy,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Import => "import",
            Self::Copy => "copy",
        })
    }
}

/// How a frame got in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    Imported,
    Copied,
}

/// The OUTPUT queue of an open encoder.
#[derive(Debug)]
pub(super) struct Input {
    /// As the driver wants pictures.
    format: Format,
    layout: Layout,
    /// The layout of the frames that it was opened for.
    frames: Layout,
    /// The way that it was opened for.
    asked: Way,
    memory: Room,
    /// Why the driver has no buffers for memory of others.
    refused: Option<String>,
}

#[derive(Debug)]
enum Room {
    /// So many numbers for memory of others.
    Imported(u32),
    /// A buffer of the driver.
    Copied(Mapped),
}

/// The format that a frame's pixels are in.
pub(super) const fn raw_format(layout: &Layout) -> FourCc {
    match layout.chroma() {
        ChromaLayout::Planar { .. } => FourCc::YU12,
        ChromaLayout::Interleaved { .. } => FourCc::NV12,
    }
}

impl Input {
    /// Gets the queue's buffers. `format` is what the driver made of the frame's format.
    pub(super) fn new(
        device: &dyn Device,
        format: Format,
        layout: Layout,
        frame: &Frame,
        way: Way,
    ) -> io::Result<Self> {
        let queue = Queue::OutputMplane;
        let has_room = frame
            .pixels()
            .is_some_and(|pixels| holds(&format, pixels.bytes().len()));
        let mut refused = None;
        let mut memory = None;
        if way == Way::Import && layout == frame.layout() && has_room {
            match device.request(queue, Memory::Dmabuf, NUMBERS) {
                Ok(numbers) => memory = Some(Room::Imported(numbers)),
                Err(error) if is_refusal(&error) => refused = Some(refusal(&error)),
                Err(error) => return Err(error),
            }
        }
        let memory = if let Some(memory) = memory {
            memory
        } else {
            device.request(queue, Memory::Mmap, 1)?;
            Room::Copied(device.map(device.place(queue, 0)?)?)
        };
        Ok(Self {
            format,
            layout,
            frames: frame.layout(),
            asked: way,
            memory,
            refused,
        })
    }

    /// Whether a frame can go in as it was opened.
    pub(super) fn fits(&self, frame: &Frame, way: Way) -> bool {
        self.frames == frame.layout() && self.asked == way
    }

    /// Whose memory the buffers are.
    pub(super) const fn memory(&self) -> Memory {
        match self.memory {
            Room::Imported(_) => Memory::Dmabuf,
            Room::Copied(_) => Memory::Mmap,
        }
    }

    /// Why a frame like this is copied, if it is.
    pub(super) fn why_copy(&self, frame: &Frame, no_import: Option<&str>) -> Option<String> {
        if matches!(self.memory, Room::Imported(_)) {
            return None;
        }
        if let Some(why) = no_import.or(self.refused.as_deref()) {
            return Some(why.to_owned());
        }
        let Some(pixels) = frame.pixels() else {
            return Some("they are in this program's own memory".to_owned());
        };
        if pixels.dmabuf().is_none() {
            return Some("the camera's memory cannot be shared".to_owned());
        }
        if self.layout != frame.layout() {
            return Some(format!(
                "the camera has {:?}, the encoder wants {:?}",
                frame.layout(),
                self.layout
            ));
        }
        Some(format!(
            "the camera's buffers have {} bytes, the encoder wants {}",
            pixels.bytes().len(),
            self.format.bytes
        ))
    }

    /// Queues a frame.
    pub(super) fn put(
        &mut self,
        device: &dyn Device,
        name: &str,
        frame: &Frame,
        time: Uptime,
    ) -> Result<Put, Refusal> {
        let mut buffer = Buffer {
            index: 0,
            used: self.format.bytes,
            length: self.format.bytes,
            time,
            ..Buffer::default()
        };
        match &mut self.memory {
            Room::Copied(mapped) => {
                buffer.length = u32::try_from(mapped.bytes().len()).unwrap_or(u32::MAX);
                copy(frame, self.layout, mapped.bytes_mut()).ok_or_else(|| {
                    failed(name, "copy a frame", "the driver's buffer is too small")
                })?;
                device
                    .queue(Queue::OutputMplane, &buffer, None)
                    .map_err(|error| failed(name, "queue a frame", error))?;
                Ok(Put::Copied)
            }
            Room::Imported(numbers) => {
                let pixels = frame.pixels();
                let shared = pixels.and_then(|pixels| Some((pixels, pixels.dmabuf()?)));
                let Some((pixels, dmabuf)) = shared else {
                    return Err(failed(name, "queue a frame", "it has no DMABUF any more").into());
                };
                buffer.index = pixels.slot() % (*numbers).max(1);
                buffer.length = u32::try_from(pixels.bytes().len()).unwrap_or(u32::MAX);
                device
                    .queue(Queue::OutputMplane, &buffer, Some(dmabuf))
                    .map_err(|error| {
                        if is_refusal(&error) {
                            Refusal::Import(refusal(&error))
                        } else {
                            failed(name, "queue a frame", error).into()
                        }
                    })?;
                Ok(Put::Imported)
            }
        }
    }
}

/// The driver, or the one whose memory it is, does not share it. kernel: `__prepare_dmabuf`, `vb2_dc_map_dmabuf` (memory
/// in pieces is `EFAULT`), `dma_buf_attach`.
fn is_refusal(error: &io::Error) -> bool {
    trouble::is_any(
        error,
        &[
            Errno::INVAL,
            Errno::FAULT,
            Errno::NOTTY,
            Errno::NOTSUP,
            Errno::NOMEM,
        ],
    )
}

fn refusal(error: &io::Error) -> String {
    format!("the encoder does not import them: {error}")
}

fn holds(format: &Format, bytes: usize) -> bool {
    usize::try_from(format.bytes).is_ok_and(|wanted| bytes >= wanted)
}

/// Copies a picture line by line; `None` if the room is too small or the chroma samples lie in another way.
fn copy(frame: &Frame, layout: Layout, room: &mut [u8]) -> Option<()> {
    let side = |pixels: u32| usize::try_from(pixels).ok();
    let (columns, lines) = (side(frame.width())?, side(frame.height())?);
    plane(
        frame.y(),
        frame.y_stride(),
        room,
        layout.y_stride(),
        (columns, lines),
    )?;
    match (frame.chroma(), layout.chroma()) {
        (
            Chroma::Planar { u, v, stride: from },
            ChromaLayout::Planar {
                u: u_at,
                v: v_at,
                stride,
            },
        ) => {
            let half = (columns / 2, lines / 2);
            plane(u, from, room.get_mut(u_at..)?, stride, half)?;
            plane(v, from, room.get_mut(v_at..)?, stride, half)
        }
        (
            Chroma::Interleaved { uv, stride: from },
            ChromaLayout::Interleaved { uv: at, stride },
        ) => plane(uv, from, room.get_mut(at..)?, stride, (columns, lines / 2)),
        (Chroma::Planar { .. }, ChromaLayout::Interleaved { .. })
        | (Chroma::Interleaved { .. }, ChromaLayout::Planar { .. }) => None,
    }
}

fn plane(
    from: &[u8],
    from_stride: usize,
    to: &mut [u8],
    to_stride: usize,
    (columns, lines): (usize, usize),
) -> Option<()> {
    if from_stride == to_stride {
        let all = from_stride
            .checked_mul(lines.checked_sub(1)?)?
            .checked_add(columns)?;
        to.get_mut(..all)?.copy_from_slice(from.get(..all)?);
        return Some(());
    }
    let mut rows = to.chunks_mut(to_stride).zip(from.chunks(from_stride));
    for _ in 0..lines {
        let (to, from) = rows.next()?;
        to.get_mut(..columns)?.copy_from_slice(from.get(..columns)?);
    }
    Some(())
}
