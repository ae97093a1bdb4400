//! The border's other side: V4L2 as Linux has it.
//!
//! ```text
//!   Device method ─▶ plain type ─▶ C struct, zeroed ─▶ ioctl ─▶ C struct ─▶ plain type
//! ```
//!
//! The `v4l` crate brings the request codes, the C structs and the calls; it has no multi-planar codecs and no DMABUF, so
//! the few structs are filled here. This file and no other of V4L2 is `unsafe`, for three things: an ioctl gets a pointer
//! to the struct that its request code was made from; a union's field is read that the kernel's documentation names for
//! the `type` that was asked for; mapped memory becomes a slice for as long as the mapping lives.
//!
//! Promises: no pointer outlives its call but that of a mapping, which is unmapped when it is dropped; a call that a signal
//! broke off is made again.
//! Knows nothing of: what devices are for.
//! Sources: `videodev2.h`; Linux `userspace-api/media/v4l`; `ioctl(2)`, `mmap(2)`, `poll(2)`.

#![expect(
    unsafe_code,
    reason = "ioctl, C unions and mapped memory have no safe form; what each needs to be sound stands beside it"
)]

use core::time::Duration;
use std::ffi::{c_int, c_void};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use v4l::v4l_sys as sys;
use v4l::v4l2::{ioctl, mmap, munmap, vidioc};

use super::border::{
    Buffer, Capability, Control, Device, Flags, Format, FourCc, Hint, Interval, Kernel, Memory,
    Offer, Place, Queue, Rates, Ready, Sizes, Span,
};
use crate::hal::clock::{Clock, SystemClock};
use crate::logic::units::Uptime;

/// spec: `V4L2_CAP_VIDEO_CAPTURE`, `V4L2_CAP_VIDEO_M2M_MPLANE`, `V4L2_CAP_STREAMING`, `V4L2_CAP_DEVICE_CAPS`.
const CAN_CAPTURE: u32 = 0x1;
const CAN_CONVERT: u32 = 0x4000;
const CAN_STREAM: u32 = 0x0400_0000;
const HAS_DEVICE_CAPS: u32 = 0x8000_0000;
/// spec: `V4L2_FMT_FLAG_EMULATED`.
const EMULATED: u32 = 0x2;
/// spec: `V4L2_FIELD_NONE`: whole frames, no fields.
const WHOLE_FRAMES: u32 = 1;
/// spec: `V4L2_BUF_FLAG_*`.
const KEY: u32 = 0x8;
const ERROR: u32 = 0x40;
const CLOCK_MASK: u32 = 0xE000;
const CLOCK_MONOTONIC: u32 = 0x2000;
const LAST: u32 = 0x0010_0000;
/// spec: `V4L2_CTRL_FLAG_DISABLED`.
const DISABLED: u32 = 0x1;

/// The kernel of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Linux;

impl Kernel for Linux {
    fn nodes(&self) -> io::Result<Vec<PathBuf>> {
        let mut found: Vec<(u32, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir("/dev")? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("video"));
            if let Some(number) = number.and_then(|number| number.parse().ok()) {
                found.push((number, entry.path()));
            }
        }
        found.sort_unstable();
        Ok(found.into_iter().map(|(_, path)| path).collect())
    }

    fn hint(&self, path: &Path) -> Hint {
        let Some(node) = path.file_name() else {
            return Hint::default();
        };
        // kernel: Documentation/admin-guide/sysfs-rules.rst; `name` is made by `v4l2-dev.c`.
        let folder = Path::new("/sys/class/video4linux").join(node);
        let driver = std::fs::read_link(folder.join("device/driver")).unwrap_or_default();
        let name = std::fs::read_to_string(folder.join("name")).unwrap_or_default();
        Hint {
            driver: driver
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            name: name.trim().to_owned(),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Device>> {
        let flags = c_int::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(path)?;
        Ok(Box::new(Node { file }))
    }
}

/// An open `/dev/video*`.
#[derive(Debug)]
struct Node {
    file: File,
}

/// C structs of which all bytes zero are a value.
///
/// # Safety
/// The type is plain data: integers, arrays, unions of them, and raw pointers.
unsafe trait Plain: Sized {
    fn zeroed() -> Self {
        // SAFETY: all bytes zero are a value of plain data, which is what implementing this trait promises.
        unsafe { core::mem::zeroed() }
    }
}

macro_rules! plain {
    ($($name:ident)*) => { $(
        // SAFETY: bindgen made it from a struct of videodev2.h, which has integers, arrays, unions and raw pointers only.
        unsafe impl Plain for sys::$name {}
    )* };
}

plain! {
    v4l2_capability v4l2_fmtdesc v4l2_format v4l2_frmsizeenum v4l2_frmivalenum v4l2_streamparm v4l2_queryctrl
    v4l2_requestbuffers v4l2_buffer v4l2_plane v4l2_exportbuffer v4l2_pix_format v4l2_pix_format_mplane
    v4l2_outputparm v4l2_captureparm
}

impl Node {
    /// Makes an ioctl, again if a signal broke it off.
    ///
    /// # Safety
    /// The request code must have been made for `T`, and pointers inside it must be good for what the request does.
    unsafe fn call<T>(&self, request: vidioc::_IOC_TYPE, argument: &mut T) -> io::Result<()> {
        loop {
            // SAFETY: the pointer is good for reads and writes of a `T` during the call, which is the size that the
            // request code tells the kernel; the rest is the caller's promise.
            let done = unsafe {
                ioctl(
                    self.file.as_raw_fd(),
                    request,
                    core::ptr::from_mut(argument).cast::<c_void>(),
                )
            };
            match done {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    /// Makes an ioctl that lists things: `None` after the last, or where the driver has no such list.
    ///
    /// # Safety
    /// As for [`Node::call`].
    unsafe fn list<T>(
        &self,
        request: vidioc::_IOC_TYPE,
        argument: &mut T,
    ) -> io::Result<Option<()>> {
        // SAFETY: the caller's promise is the same.
        match unsafe { self.call(request, argument) } {
            Ok(()) => Ok(Some(())),
            Err(error) if is(&error, Errno::INVAL) || is(&error, Errno::NOTTY) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Device for Node {
    fn capability(&self) -> io::Result<Capability> {
        let mut c = sys::v4l2_capability::zeroed();
        // SAFETY: QUERYCAP is made for this struct.
        unsafe { self.call(vidioc::VIDIOC_QUERYCAP, &mut c)? };
        let can = if c.capabilities & HAS_DEVICE_CAPS == 0 {
            c.capabilities
        } else {
            c.device_caps
        };
        Ok(Capability {
            driver: text(&c.driver),
            card: text(&c.card),
            bus: text(&c.bus_info),
            captures: can & CAN_CAPTURE != 0,
            converts: can & CAN_CONVERT != 0,
            streams: can & CAN_STREAM != 0,
        })
    }

    fn offer(&self, queue: Queue, index: u32) -> io::Result<Option<Offer>> {
        let mut c = sys::v4l2_fmtdesc::zeroed();
        (c.index, c.type_) = (index, kind(queue));
        // SAFETY: ENUM_FMT is made for this struct.
        let found = unsafe { self.list(vidioc::VIDIOC_ENUM_FMT, &mut c)? };
        Ok(found.map(|()| Offer {
            format: FourCc(c.pixelformat.to_le_bytes()),
            is_emulated: c.flags & EMULATED != 0,
        }))
    }

    fn sizes(&self, format: FourCc, index: u32) -> io::Result<Option<Sizes>> {
        let mut c = sys::v4l2_frmsizeenum::zeroed();
        (c.index, c.pixel_format) = (index, u32::from_le_bytes(format.0));
        // SAFETY: ENUM_FRAMESIZES is made for this struct.
        if unsafe { self.list(vidioc::VIDIOC_ENUM_FRAMESIZES, &mut c)? }.is_none() {
            return Ok(None);
        }
        if c.type_ == sys::v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE {
            // SAFETY: `discrete` is the field for this type, and any bytes are a value of it.
            let one = unsafe { c.__bindgen_anon_1.discrete };
            return Ok(Some(Sizes::One(one.width, one.height)));
        }
        // SAFETY: `stepwise` is the field for both other types, and any bytes are a value of it.
        let all = unsafe { c.__bindgen_anon_1.stepwise };
        Ok(Some(Sizes::Range {
            least: (all.min_width, all.min_height),
            most: (all.max_width, all.max_height),
            step: (all.step_width, all.step_height),
        }))
    }

    fn rates(
        &self,
        format: FourCc,
        (width, height): (u32, u32),
        index: u32,
    ) -> io::Result<Option<Rates>> {
        let mut c = sys::v4l2_frmivalenum::zeroed();
        (c.index, c.pixel_format) = (index, u32::from_le_bytes(format.0));
        (c.width, c.height) = (width, height);
        // SAFETY: ENUM_FRAMEINTERVALS is made for this struct.
        if unsafe { self.list(vidioc::VIDIOC_ENUM_FRAMEINTERVALS, &mut c)? }.is_none() {
            return Ok(None);
        }
        if c.type_ == sys::v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE {
            // SAFETY: `discrete` is the field for this type, and any bytes are a value of it.
            let one = unsafe { c.__bindgen_anon_1.discrete };
            return Ok(Some(Rates::One(interval(one))));
        }
        // SAFETY: `stepwise` is the field for both other types, and any bytes are a value of it.
        let all = unsafe { c.__bindgen_anon_1.stepwise };
        Ok(Some(Rates::Range(interval(all.min), interval(all.max))))
    }

    fn set_format(&self, queue: Queue, format: &Format) -> io::Result<Format> {
        let mut c = sys::v4l2_format::zeroed();
        c.type_ = kind(queue);
        let name = u32::from_le_bytes(format.format.0);
        if queue == Queue::Capture {
            let mut pix = sys::v4l2_pix_format::zeroed();
            (pix.width, pix.height) = (format.width, format.height);
            (pix.pixelformat, pix.field) = (name, WHOLE_FRAMES);
            (pix.bytesperline, pix.sizeimage) = (format.stride, format.bytes);
            c.fmt.pix = pix;
        } else {
            let mut pix = sys::v4l2_pix_format_mplane::zeroed();
            (pix.width, pix.height) = (format.width, format.height);
            (pix.pixelformat, pix.field) = (name, WHOLE_FRAMES);
            pix.num_planes = 1;
            let mut planes = pix.plane_fmt;
            if let Some(plane) = planes.first_mut() {
                plane.bytesperline = format.stride;
                plane.sizeimage = format.bytes;
            }
            pix.plane_fmt = planes;
            c.fmt.pix_mp = pix;
        }
        // SAFETY: S_FMT is made for this struct.
        unsafe { self.call(vidioc::VIDIOC_S_FMT, &mut c)? };
        if queue == Queue::Capture {
            // SAFETY: `pix` is the field for this type, and any bytes are a value of it.
            let pix = unsafe { c.fmt.pix };
            return Ok(Format {
                width: pix.width,
                height: pix.height,
                format: FourCc(pix.pixelformat.to_le_bytes()),
                stride: pix.bytesperline,
                bytes: pix.sizeimage,
            });
        }
        // SAFETY: `pix_mp` is the field for both multi-planar types, and any bytes are a value of it.
        let pix = unsafe { c.fmt.pix_mp };
        let [plane, ..] = pix.plane_fmt;
        if pix.num_planes != 1 {
            return Err(io::Error::other("the driver wants several memory planes"));
        }
        Ok(Format {
            width: pix.width,
            height: pix.height,
            format: FourCc({ pix.pixelformat }.to_le_bytes()),
            stride: plane.bytesperline,
            bytes: plane.sizeimage,
        })
    }

    fn set_interval(&self, queue: Queue, wanted: Interval) -> io::Result<Interval> {
        let mut c = sys::v4l2_streamparm::zeroed();
        c.type_ = kind(queue);
        let time = sys::v4l2_fract {
            numerator: wanted.0,
            denominator: wanted.1,
        };
        if queue == Queue::OutputMplane {
            let mut rate = sys::v4l2_outputparm::zeroed();
            rate.timeperframe = time;
            c.parm.output = rate;
        } else {
            let mut rate = sys::v4l2_captureparm::zeroed();
            rate.timeperframe = time;
            c.parm.capture = rate;
        }
        // SAFETY: S_PARM is made for this struct.
        unsafe { self.call(vidioc::VIDIOC_S_PARM, &mut c)? };
        Ok(interval(if queue == Queue::OutputMplane {
            // SAFETY: `output` is the field for this type, and any bytes are a value of it.
            unsafe { c.parm.output }.timeperframe
        } else {
            // SAFETY: `capture` is the field for the capture types, and any bytes are a value of it.
            unsafe { c.parm.capture }.timeperframe
        }))
    }

    fn span(&self, control: Control) -> io::Result<Option<Span>> {
        let mut c = sys::v4l2_queryctrl::zeroed();
        c.id = control.0;
        // SAFETY: QUERYCTRL is made for this struct.
        let found = unsafe { self.list(vidioc::VIDIOC_QUERYCTRL, &mut c)? };
        Ok(found.filter(|()| c.flags & DISABLED == 0).map(|()| Span {
            least: c.minimum,
            most: c.maximum,
        }))
    }

    fn set_control(&self, control: Control, value: i32) -> io::Result<()> {
        let mut c = sys::v4l2_control {
            id: control.0,
            value,
        };
        // SAFETY: S_CTRL is made for this struct.
        unsafe { self.call(vidioc::VIDIOC_S_CTRL, &mut c) }
    }

    fn request(&self, queue: Queue, memory: Memory, count: u32) -> io::Result<u32> {
        let mut c = sys::v4l2_requestbuffers::zeroed();
        (c.count, c.type_, c.memory) = (count, kind(queue), place_of(memory));
        // SAFETY: REQBUFS is made for this struct.
        unsafe { self.call(vidioc::VIDIOC_REQBUFS, &mut c)? };
        Ok(c.count)
    }

    fn place(&self, queue: Queue, index: u32) -> io::Result<Place> {
        let (mut c, mut plane) = (sys::v4l2_buffer::zeroed(), sys::v4l2_plane::zeroed());
        with_plane(&mut c, queue, &mut plane);
        (c.index, c.memory) = (index, place_of(Memory::Mmap));
        // SAFETY: QUERYBUF is made for this struct; its plane, if it has one, outlives the call.
        unsafe { self.call(vidioc::VIDIOC_QUERYBUF, &mut c)? };
        let (offset, length) = if queue == Queue::Capture {
            // SAFETY: `offset` is the field for mapped memory, and any bytes are a value of it.
            (unsafe { c.m.offset }, c.length)
        } else {
            // SAFETY: `mem_offset` is the field for mapped memory, and any bytes are a value of it.
            (unsafe { plane.m.mem_offset }, plane.length)
        };
        Ok(Place {
            offset: offset.into(),
            length: usize::try_from(length).map_err(io::Error::other)?,
        })
    }

    fn export(&self, queue: Queue, index: u32) -> io::Result<OwnedFd> {
        let mut c = sys::v4l2_exportbuffer::zeroed();
        (c.index, c.type_) = (index, kind(queue));
        c.flags = OFlags::CLOEXEC.bits() | OFlags::RDWR.bits();
        // SAFETY: EXPBUF is made for this struct.
        unsafe { self.call(vidioc::VIDIOC_EXPBUF, &mut c)? };
        if c.fd < 0 {
            return Err(io::Error::other("the driver gave no file descriptor"));
        }
        // SAFETY: EXPBUF made this file descriptor for its caller, and nobody else has it.
        Ok(unsafe { OwnedFd::from_raw_fd(c.fd) })
    }

    fn map(&self, place: Place) -> io::Result<Mapped> {
        Mapped::new(self.file.as_fd(), place)
    }

    fn queue(
        &self,
        queue: Queue,
        buffer: &Buffer,
        dmabuf: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let (mut c, mut plane) = (sys::v4l2_buffer::zeroed(), sys::v4l2_plane::zeroed());
        let memory = dmabuf.map_or(Memory::Mmap, |_| Memory::Dmabuf);
        (c.index, c.memory, c.field) = (buffer.index, place_of(memory), WHOLE_FRAMES);
        c.timestamp = timeval(buffer.time);
        if queue == Queue::Capture {
            c.bytesused = buffer.used;
        } else {
            (plane.bytesused, plane.length) = (buffer.used, buffer.length);
            if let Some(dmabuf) = dmabuf {
                plane.m.fd = dmabuf.as_raw_fd();
            }
        }
        with_plane(&mut c, queue, &mut plane);
        // SAFETY: QBUF is made for this struct; its plane, if it has one, outlives the call.
        unsafe { self.call(vidioc::VIDIOC_QBUF, &mut c) }
    }

    fn dequeue(&self, queue: Queue, memory: Memory) -> io::Result<Option<Buffer>> {
        let (mut c, mut plane) = (sys::v4l2_buffer::zeroed(), sys::v4l2_plane::zeroed());
        with_plane(&mut c, queue, &mut plane);
        c.memory = place_of(memory);
        // SAFETY: DQBUF is made for this struct; its plane, if it has one, outlives the call.
        match unsafe { self.call(vidioc::VIDIOC_DQBUF, &mut c) } {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        let (used, length) = if queue == Queue::Capture {
            (c.bytesused, c.length)
        } else {
            (plane.bytesused, plane.length)
        };
        Ok(Some(Buffer {
            index: c.index,
            used,
            length,
            time: uptime(c.timestamp),
            sequence: c.sequence,
            flags: Flags {
                is_error: c.flags & ERROR != 0,
                is_key: c.flags & KEY != 0,
                is_last: c.flags & LAST != 0,
                is_monotonic: c.flags & CLOCK_MASK == CLOCK_MONOTONIC,
            },
        }))
    }

    fn stream(&self, queue: Queue, on: bool) -> io::Result<()> {
        let mut which = kind(queue);
        let request = if on {
            vidioc::VIDIOC_STREAMON
        } else {
            vidioc::VIDIOC_STREAMOFF
        };
        // SAFETY: both are made for a C integer, which a `u32` is as large as.
        unsafe { self.call(request, &mut which) }
    }

    fn wait(&self, patience: Duration) -> io::Result<Ready> {
        let until = SystemClock.now().after(patience);
        loop {
            let left = until.since(SystemClock.now());
            let limit = Timespec::try_from(left).map_err(io::Error::other)?;
            let wanted = PollFlags::IN | PollFlags::OUT;
            let mut looked = [PollFd::new(&self.file, wanted)];
            match poll(&mut looked, Some(&limit)) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => {
                    let [looked] = looked;
                    let came = looked.revents();
                    return Ok(Ready {
                        capture: came.contains(PollFlags::IN),
                        output: came.contains(PollFlags::OUT),
                        error: came.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL),
                    });
                }
            }
        }
    }
}

/// Memory of a driver, mapped here: one buffer.
#[derive(Debug)]
pub struct Mapped {
    start: *mut u8,
    length: usize,
}

// SAFETY: it is the only owner of its mapping, which belongs to no thread.
unsafe impl Send for Mapped {}
// SAFETY: through a shared reference it can only be read.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// Maps a part of a file that can be shared: a device's buffer, or the memory that a fake has for one.
    ///
    /// # Errors
    /// What the system said.
    pub fn new(file: BorrowedFd<'_>, place: Place) -> io::Result<Self> {
        /// spec: `PROT_READ | PROT_WRITE`, `MAP_SHARED`.
        const READ_AND_WRITE: c_int = 1 | 2;
        const SHARED: c_int = 1;
        if place.length == 0 {
            return Err(io::Error::other("the driver has an empty buffer"));
        }
        let offset = i64::try_from(place.offset).map_err(io::Error::other)?;
        // SAFETY: the kernel chooses where; the length is not zero, and the mapping is kept until the drop below.
        let start = unsafe {
            mmap(
                core::ptr::null_mut(),
                place.length,
                READ_AND_WRITE,
                SHARED,
                file.as_raw_fd(),
                offset,
            )?
        };
        Ok(Self {
            start: start.cast(),
            length: place.length,
        })
    }

    /// What is in it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is `length` bytes long and lives as long as `self`. The driver writes to it only while the
        // buffer is queued, and its owner lends it to nobody then.
        unsafe { core::slice::from_raw_parts(self.start, self.length) }
    }

    /// What is in it, for writing.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for reading, and `self` is borrowed for nobody else.
        unsafe { core::slice::from_raw_parts_mut(self.start, self.length) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this start and length, and no slice of it outlives `self`.
        // An error is impossible for a mapping that exists, and nothing could be done about it.
        let _ = unsafe { munmap(self.start.cast(), self.length) };
    }
}

/// Tells the kernel where the plane is, for the multi-planar queues; from then on it is the call's.
fn with_plane(c: &mut sys::v4l2_buffer, queue: Queue, plane: &mut sys::v4l2_plane) {
    c.type_ = kind(queue);
    if queue != Queue::Capture {
        c.m.planes = core::ptr::from_mut(plane);
        c.length = 1;
    }
}

const fn kind(queue: Queue) -> u32 {
    match queue {
        Queue::Capture => sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE,
        Queue::CaptureMplane => sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE,
        Queue::OutputMplane => sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE,
    }
}

const fn place_of(memory: Memory) -> u32 {
    match memory {
        Memory::Mmap => sys::v4l2_memory_V4L2_MEMORY_MMAP,
        Memory::Dmabuf => sys::v4l2_memory_V4L2_MEMORY_DMABUF,
    }
}

const fn interval(fraction: sys::v4l2_fract) -> Interval {
    Interval(fraction.numerator, fraction.denominator)
}

/// Text of a C array, up to its end mark.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default())
        .into_owned()
}

fn timeval(time: Uptime) -> sys::timeval {
    let part = |micros: u64| i64::try_from(micros).unwrap_or(i64::MAX);
    sys::timeval {
        tv_sec: part(time.as_micros() / 1_000_000),
        tv_usec: part(time.as_micros() % 1_000_000),
    }
}

fn uptime(time: sys::timeval) -> Uptime {
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    Uptime::from_micros(
        part(time.tv_sec)
            .saturating_mul(1_000_000)
            .saturating_add(part(time.tv_usec)),
    )
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_mapped_shared_and_unmapped() {
        let file = File::from(
            rustix::fs::memfd_create("mapped", rustix::fs::MemfdFlags::CLOEXEC).unwrap(),
        );
        file.set_len(8192).unwrap();
        let place = Place {
            offset: 4096,
            length: 4096,
        };
        let mut mapped = Mapped::new(file.as_fd(), place).unwrap();
        mapped.bytes_mut()[7] = 42;
        let again = Mapped::new(file.as_fd(), place).unwrap();
        assert_eq!(again.bytes()[7], 42);
        assert_eq!(again.bytes().len(), 4096);
        let empty = Place {
            offset: 0,
            length: 0,
        };
        assert!(Mapped::new(file.as_fd(), empty).is_err());
    }

    #[test]
    fn times_survive_the_way_there_and_back() {
        for micros in [0, 1, 999_999, 1_000_000, 86_400_000_001] {
            let time = Uptime::from_micros(micros);
            assert_eq!(uptime(timeval(time)), time);
        }
    }

    #[test]
    fn a_path_that_is_no_video_device_says_so_at_the_first_question() {
        let device = Linux.open(Path::new("/dev/null")).unwrap();
        assert!(device.capability().is_err());
        assert!(Linux.open(Path::new("/dev/spidercar-none")).is_err());
    }

    #[test]
    fn texts_end_at_their_end_mark() {
        assert_eq!(text(b"bcm2835-codec\0\0x"), "bcm2835-codec");
        assert_eq!(text(b"full"), "full");
    }
}
