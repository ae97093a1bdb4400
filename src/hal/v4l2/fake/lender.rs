//! A camera's few buffers as DMABUFs, lent as frames: what libcamera would give, without it.
//!
//! Promises: a frame that goes home can be lent again; the memory is real, shared, and has a file descriptor.
//! Knows nothing of: who reads it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use rustix::fs::{MemfdFlags, memfd_create};

use crate::hal::Frame;
use crate::hal::frame::{Home, Layout, Memory, Pixels};
use crate::hal::v4l2::border::Place;
use crate::hal::v4l2::kernel::Mapped;
use crate::logic::units::Uptime;

/// One buffer.
#[derive(Debug)]
struct Shared {
    file: File,
    mapped: Mapped,
    slot: u32,
}

impl Pixels for Shared {
    fn bytes(&self) -> &[u8] {
        self.mapped.bytes()
    }

    fn dmabuf(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }

    fn slot(&self) -> u32 {
        self.slot
    }
}

/// The buffers.
#[derive(Debug)]
pub struct Lender {
    layout: Layout,
    back: Receiver<Memory>,
    home: Home,
    number: u32,
}

impl Lender {
    /// So many buffers of so many bytes, each painted by `paint` from its number.
    ///
    /// # Errors
    /// What the system said.
    pub fn new(
        layout: Layout,
        bytes: usize,
        count: u32,
        paint: impl Fn(u32, &mut [u8]),
    ) -> io::Result<Self> {
        let (home, back) = sync_channel(usize::try_from(count).map_err(io::Error::other)?);
        for slot in 0..count {
            let file = File::from(memfd_create("fake-camera", MemfdFlags::CLOEXEC)?);
            file.set_len(u64::try_from(bytes).map_err(io::Error::other)?)?;
            let place = Place {
                offset: 0,
                length: bytes,
            };
            let mut mapped = Mapped::new(file.as_fd(), place)?;
            paint(slot, mapped.bytes_mut());
            let shared = Shared { file, mapped, slot };
            home.try_send(Memory::Lent(Arc::new(shared)))
                .map_err(|_| io::Error::other("no room"))?;
        }
        Ok(Self {
            layout,
            back,
            home,
            number: 0,
        })
    }

    /// The next frame; `None` if all buffers are out.
    pub fn lend(&mut self) -> Option<Frame> {
        let Memory::Lent(pixels) = self.back.try_recv().ok()? else {
            return None;
        };
        let mut frame = Frame::lent(self.layout, pixels, self.home.clone())?;
        self.number += 1;
        let time = Uptime::from_micros(u64::from(self.number) * 33_333);
        frame.set_capture(time, self.number);
        Some(frame)
    }

    /// Buffers that are home.
    #[must_use]
    pub fn at_home(&self) -> usize {
        let all: Vec<Memory> = self.back.try_iter().collect();
        let count = all.len();
        for memory in all {
            // There was room for it a moment ago, and nobody else sends.
            let _ = self.home.try_send(memory);
        }
        count
    }
}
