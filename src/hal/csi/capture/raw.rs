//! The few lines about cameras that the compiler cannot check: memory that a driver fills, and handles that may change
//! threads.
//!
//! ```text
//!   file descriptor of a plane ─▶ own duplicate ─▶ mapped once, read-only ─▶ Pixels
//!                                                  │ cached memory: SYNC start before the first read of a picture,
//!                                                  └                SYNC end before the driver gets it back
//! ```
//!
//! The mapping and its duplicate of the descriptor keep the memory alive by themselves: a frame that is still out when its
//! camera has been closed stays valid.
//!
//! Promises: the memory is mapped as long as a [`Buffer`] lives; it is only read.
//! Knows nothing of: formats.
//! Sources: `mmap(2)`; kernel: Documentation/driver-api/dma-buf.rst ("CPU access"), `include/uapi/linux/dma-buf.h`;
//! libcamera `camera.cpp` and `camera_manager.cpp` (`\context`: every call may be made from any thread, some synchronised by
//! the caller).

#![expect(
    unsafe_code,
    reason = "memory mapping and dma-buf ioctls have no safe interface"
)]

use std::ffi::c_void;
use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use libcamera::camera::ActiveCamera;
use libcamera::camera_manager::CameraManager;
use rustix::ioctl::{self, Setter, opcode};
use rustix::mm::{self, MapFlags, ProtFlags};

use crate::hal::frame::Pixels;

/// spec: `DMA_BUF_SYNC_READ`.
const SYNC_READ: u64 = 1;
/// spec: `DMA_BUF_SYNC_END`; without it, it is the start.
const SYNC_END: u64 = 4;

/// A handle of libcamera's that one thread after another may use.
#[derive(Debug)]
pub(super) struct Handle<T>(T);

impl<T> Handle<T> {
    pub(super) const fn new(inner: T) -> Self {
        Self(inner)
    }
}

// SAFETY: libcamera's Camera has no thread of its caller's: queueRequest, acquire, start and stop are documented as
// thread-safe or to be synchronised by the caller, which exclusive ownership does. Its callbacks are `Send`.
unsafe impl Send for Handle<ActiveCamera<'static>> {}

// SAFETY: the manager runs a thread of its own and documents `cameras`, `get` and `start` as thread-safe.
unsafe impl Send for Handle<CameraManager> {}

impl<T> Deref for Handle<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Handle<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// One buffer of a camera.
pub(super) struct Buffer {
    start: *const u8,
    len: usize,
    slot: u32,
    /// Whether other devices may be given it: the whole picture is in it.
    fd: OwnedFd,
    is_read: AtomicBool,
}

// SAFETY: the memory is only read through it, and only while the driver has no request with it (see `capture`).
unsafe impl Send for Buffer {}

// SAFETY: as above; `is_read` is atomic.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Maps the first `len` bytes behind a descriptor of libcamera's, which stays its own.
    ///
    /// # Errors
    /// No more descriptors or memory; a descriptor that cannot be mapped.
    pub(super) fn map(fd: i32, len: usize, slot: u32) -> io::Result<Self> {
        // SAFETY: the caller has just read the descriptor off a frame buffer that lives through this call.
        let theirs = unsafe { BorrowedFd::borrow_raw(fd) };
        let fd = theirs.try_clone_to_owned()?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let start = unsafe {
            mm::mmap(
                ptr::null_mut(),
                len,
                ProtFlags::READ,
                MapFlags::SHARED,
                &fd,
                0,
            )
        }?;
        Ok(Self {
            start: start.cast::<u8>().cast_const(),
            len,
            slot,
            fd,
            is_read: AtomicBool::new(false),
        })
    }

    /// Ends the reading of a picture: the driver may have the buffer again.
    pub(super) fn give_back(&self) {
        if self.is_read.swap(false, Ordering::Relaxed) {
            self.sync(SYNC_READ | SYNC_END);
        }
    }

    fn sync(&self, flags: u64) {
        // SAFETY: the number and the type behind the pointer are those of the kernel's header.
        let request = unsafe { Setter::<{ opcode::write::<u64>(b'b', 0) }, u64>::new(flags) };
        // SAFETY: the descriptor is open. One that is no dma-buf answers ENOTTY, and needs no sync then.
        let synced = unsafe { ioctl::ioctl(&self.fd, request) };
        if let Err(err) = synced {
            tracing::trace!(%err, "no sync of a camera's buffer");
        }
    }
}

impl Pixels for Buffer {
    fn bytes(&self) -> &[u8] {
        if !self.is_read.swap(true, Ordering::Relaxed) {
            self.sync(SYNC_READ);
        }
        // SAFETY: mapped by `map` for as long as `self` lives, and not written while the frame is out.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }

    fn size(&self) -> usize {
        self.len
    }

    fn dmabuf(&self) -> Option<BorrowedFd<'_>> {
        Some(self.fd.as_fd())
    }

    fn slot(&self) -> u32 {
        self.slot
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer")
            .field("slot", &self.slot)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.give_back();
        let start: *mut c_void = self.start.cast_mut().cast();
        // SAFETY: mapped by `map` with this length, and nothing borrows from `self` any more.
        if let Err(err) = unsafe { mm::munmap(start, self.len) } {
            tracing::warn!(%err, "a camera's buffer stays mapped");
        }
    }
}
