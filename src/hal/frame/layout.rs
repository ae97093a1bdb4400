//! How the samples of a 4:2:0 picture lie in one buffer.
//!
//! ```text
//!   y_stride ≥ width        ┌──────── width ────────┬ padding ┐
//!                           │ Y                     │         │ height lines
//!                           ├───────────────────────┴─────────┤
//!   planar:                 │ U: stride ≥ width/2, height/2 lines, then V at any offset
//!   interleaved:            │ UV: stride ≥ width, height/2 lines
//! ```
//!
//! A driver pads lines and planes as its hardware wants it; whoever reads must go by the layout, never by the size.
//!
//! Promises: a layout that exists has an even size in range, and strides that hold a line.
//! Knows nothing of: memory.
//! Sources: Linux `pixfmt-yuv-planar` (`YU12`, `NV12`: `bytesperline` counts the first plane).

use super::Frame;

/// Where luma and chroma are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    width: u32,
    height: u32,
    y_stride: usize,
    chroma: ChromaLayout,
}

/// Where the chroma samples are, as offsets from the start of the buffer, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChromaLayout {
    /// `YU12`, also called I420.
    Planar {
        /// Start of the blue differences.
        u: usize,
        /// Start of the red differences.
        v: usize,
        /// Bytes from one line to the next, in both.
        stride: usize,
    },
    /// `NV12`.
    Interleaved {
        /// Start of both.
        uv: usize,
        /// Bytes from one line to the next.
        stride: usize,
    },
}

impl Layout {
    /// Planar, without any padding; `None` if the size is odd or out of range.
    #[must_use]
    pub fn packed(width: u32, height: u32) -> Option<Self> {
        let (columns, lines) = (usize::try_from(width).ok()?, usize::try_from(height).ok()?);
        let y = columns.checked_mul(lines)?;
        let chroma = ChromaLayout::Planar {
            u: y,
            v: y.checked_add(y / 4)?,
            stride: columns / 2,
        };
        Self::new(width, height, columns, chroma)
    }

    /// The planes of one buffer whose lines are `y_stride` apart, following each other without a gap, as V4L2's formats with one
    /// memory plane have them; `lines` is the height that the planes are padded to. `None` as for [`Layout::new`].
    #[must_use]
    pub fn contiguous(
        (width, height): (u32, u32),
        y_stride: usize,
        lines: usize,
        is_planar: bool,
    ) -> Option<Self> {
        let y = y_stride.checked_mul(lines)?;
        let chroma = if is_planar {
            let stride = y_stride / 2;
            let v = y.checked_add(stride.checked_mul(lines / 2)?)?;
            ChromaLayout::Planar { u: y, v, stride }
        } else {
            ChromaLayout::Interleaved {
                uv: y,
                stride: y_stride,
            }
        };
        Self::new(width, height, y_stride, chroma)
    }

    /// Planes anywhere. `None` if the size is odd or out of range, or a line longer than its stride.
    #[must_use]
    pub fn new(width: u32, height: u32, y_stride: usize, chroma: ChromaLayout) -> Option<Self> {
        let in_range = (Frame::LEAST.0..=Frame::MOST.0).contains(&width)
            && (Frame::LEAST.1..=Frame::MOST.1).contains(&height);
        let columns = usize::try_from(width).ok()?;
        let holds_a_line = y_stride >= columns
            && match chroma {
                ChromaLayout::Planar { stride, .. } => stride >= columns / 2,
                ChromaLayout::Interleaved { stride, .. } => stride >= columns,
            };
        let is_even = width.is_multiple_of(2) && height.is_multiple_of(2);
        (in_range && is_even && holds_a_line).then_some(Self {
            width,
            height,
            y_stride,
            chroma,
        })
    }

    /// Width in pixels, even.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels, even.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// Bytes from one luma line to the next.
    #[must_use]
    pub const fn y_stride(&self) -> usize {
        self.y_stride
    }

    /// Where the chroma samples are.
    #[must_use]
    pub const fn chroma(&self) -> ChromaLayout {
        self.chroma
    }

    /// Bytes of the luma plane. The last line ends with its last sample: a driver may leave its padding out.
    #[must_use]
    pub(super) fn y_len(&self) -> usize {
        span(self.y_stride, self.lines(), self.columns())
    }

    /// Bytes of one chroma plane, as for luma.
    #[must_use]
    pub(super) fn chroma_len(&self) -> usize {
        match self.chroma {
            ChromaLayout::Planar { stride, .. } => {
                span(stride, self.lines() / 2, self.columns() / 2)
            }
            ChromaLayout::Interleaved { stride, .. } => {
                span(stride, self.lines() / 2, self.columns())
            }
        }
    }

    /// Whether all planes lie in a buffer of so many bytes.
    #[must_use]
    pub(super) fn fits(&self, bytes: usize) -> bool {
        let ends_inside = |from: usize, len| from.checked_add(len).is_some_and(|end| end <= bytes);
        let chroma = self.chroma_len();
        ends_inside(0, self.y_len())
            && match self.chroma {
                ChromaLayout::Planar { u, v, .. } => {
                    ends_inside(u, chroma) && ends_inside(v, chroma)
                }
                ChromaLayout::Interleaved { uv, .. } => ends_inside(uv, chroma),
            }
    }

    fn columns(&self) -> usize {
        usize::try_from(self.width).unwrap_or(0)
    }

    fn lines(&self) -> usize {
        usize::try_from(self.height).unwrap_or(0)
    }
}

/// From the first sample of the first line to the last of the last.
fn span(stride: usize, lines: usize, columns: usize) -> usize {
    stride * lines.saturating_sub(1) + columns
}
