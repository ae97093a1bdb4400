//! The buffers of a camera, each mapped once and in a request of its own.
//!
//! ```text
//!   libcamera's frame buffer: Y fd 9 +0 | U fd 9 +921600 | V fd 9 +1152000  ─▶ one mapping of fd 9, one Layout
//!                        └──────────────── request, cookie = slot
//! ```
//!
//! Promises: all planes of a picture are in one mapping; slot, cookie and place in the list are the same number.
//! Knows nothing of: when requests are queued.
//! Sources: libcamera `framebuffer.h` (`FrameBuffer::Plane`), `framebuffer_allocator.h`.

use std::io;
use std::sync::Arc;

use libcamera::camera::ActiveCamera;
use libcamera::framebuffer::{AsFrameBuffer, FrameMetadataStatus};
use libcamera::framebuffer_allocator::{FrameBuffer, FrameBufferAllocator};
use libcamera::request::{Request, RequestStatus};
use libcamera::stream::Stream;

use super::configure::Agreed;
use super::failed;
use super::raw::Buffer;
use crate::hal::CameraError;
use crate::hal::frame::{ChromaLayout, Layout};

/// What goes round.
pub(super) struct Pool {
    /// Keeps the frame buffers that the requests hold.
    pub(super) allocator: FrameBufferAllocator,
    /// One for each buffer.
    pub(super) requests: Vec<Request>,
    /// What the requests fill, by slot.
    pub(super) buffers: Vec<Arc<Buffer>>,
    /// The stream that they are for.
    pub(super) stream: Stream,
    /// How every picture lies.
    pub(super) layout: Layout,
}

/// Gets the buffers of a configured camera.
pub(super) fn fill(
    camera: &mut ActiveCamera<'static>,
    agreed: &Agreed,
    picture: (u32, u32),
) -> Result<Pool, CameraError> {
    let name = camera.id().to_owned();
    let fail = |step| {
        let name = name.clone();
        move |source| failed(&name, step, source)
    };
    let stream = agreed
        .configuration
        .get(0)
        .and_then(|stream| stream.stream())
        .ok_or_else(|| fail("find its stream")(io::ErrorKind::NotFound.into()))?;
    let mut allocator = FrameBufferAllocator::new(camera);
    let frame_buffers = allocator.alloc(&stream).map_err(fail(
        "get buffers (too little CMA memory, or no right to /dev/dma_heap)",
    ))?;
    let mut layout = None;
    let (mut buffers, mut requests) = (Vec::new(), Vec::new());
    for (slot, frame_buffer) in (0_u32..).zip(frame_buffers) {
        let (buffer, found) =
            map(&frame_buffer, slot, picture, agreed).map_err(fail("map a buffer"))?;
        layout = Some(found);
        buffers.push(Arc::new(buffer));
        let mut request = camera
            .create_request(Some(u64::from(slot)))
            .ok_or_else(|| fail("make a request")(io::ErrorKind::OutOfMemory.into()))?;
        request
            .add_buffer(&stream, frame_buffer)
            .map_err(fail("fill a request"))?;
        requests.push(request);
    }
    let layout = layout.ok_or_else(|| fail("get buffers")(io::ErrorKind::OutOfMemory.into()))?;
    Ok(Pool {
        allocator,
        requests,
        buffers,
        stream,
        layout,
    })
}

/// Maps a buffer, and says where its planes are.
fn map(
    frame_buffer: &FrameBuffer,
    slot: u32,
    picture: (u32, u32),
    agreed: &Agreed,
) -> io::Result<(Buffer, Layout)> {
    let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let planes = frame_buffer.planes();
    let (mut offsets, mut end, mut fd) = (Vec::new(), 0, None);
    for at in 0..planes.len() {
        let plane = planes.get(at).ok_or_else(|| bad("a plane is missing"))?;
        let offset = plane.offset().ok_or_else(|| bad("a plane has no offset"))?;
        if *fd.get_or_insert(plane.fd()) != plane.fd() {
            return Err(bad(
                "its planes are in separate buffers, which is not built",
            ));
        }
        end = end.max(offset.saturating_add(plane.len()));
        offsets.push(offset);
    }
    let stride = usize::try_from(agreed.stride).map_err(|_| bad("its lines are too long"))?;
    let chroma = match (agreed.is_planar, offsets.as_slice()) {
        (true, &[0, u, v]) => ChromaLayout::Planar {
            u,
            v,
            stride: stride / 2,
        },
        (false, &[0, uv]) => ChromaLayout::Interleaved { uv, stride },
        (_, _) => return Err(bad("its planes are not where they should be")),
    };
    let (width, height) = picture;
    let layout = Layout::new(width, height, stride, chroma).ok_or_else(|| bad("too small"))?;
    let fd = fd.ok_or_else(|| bad("it has no planes"))?;
    Ok((Buffer::map(fd, end, slot)?, layout))
}

/// Whether a request came back with a whole picture.
pub(super) fn is_good(request: &Request, stream: Stream) -> bool {
    let is_whole = request
        .buffer::<FrameBuffer>(&stream)
        .and_then(AsFrameBuffer::metadata)
        .is_some_and(|metadata| metadata.status() == FrameMetadataStatus::Success);
    request.status() == RequestStatus::Complete && is_whole
}

/// The number that the driver gave the picture.
pub(super) fn sequence(request: &Request, stream: Stream) -> u32 {
    request
        .buffer::<FrameBuffer>(&stream)
        .and_then(AsFrameBuffer::metadata)
        .map_or_else(|| request.sequence(), |metadata| metadata.sequence())
}
