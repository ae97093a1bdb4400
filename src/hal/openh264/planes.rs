//! A frame as the library wants to see it: three planes.
//!
//! ```text
//!   planar frame:       Y, U, V ──────────────────────────────▶ the library   nothing is copied
//!   interleaved frame:  Y ────────────────────────────────────▶ the library
//!                       UV ─▶ split line by line ─▶ U, V ─────▶              a third of the picture is
//! ```
//!
//! Promises: the memory for split planes is made once for each picture size. Knows nothing of: where frames come from.
//! Sources: `openh264` (`YUVSource`: planes with strides, nothing said of their ends).

use openh264::formats::YUVSource;

use crate::hal::Frame;
use crate::hal::frame::Chroma;

/// Memory for the chroma planes of interleaved frames.
#[derive(Debug, Default)]
pub(super) struct Split {
    u: Vec<u8>,
    v: Vec<u8>,
}

/// Three planes of one frame.
#[derive(Debug)]
pub(super) struct Planes<'a> {
    frame: &'a Frame,
    u: &'a [u8],
    v: &'a [u8],
    chroma_stride: usize,
}

impl Split {
    /// The planes of a frame, split if they must be.
    pub(super) fn planes<'a>(&'a mut self, frame: &'a Frame) -> Planes<'a> {
        match frame.chroma() {
            Chroma::Planar { u, v, stride } => Planes {
                frame,
                u,
                v,
                chroma_stride: stride,
            },
            Chroma::Interleaved { uv, stride } => {
                let (columns, lines) = (side(frame.width()) / 2, side(frame.height()) / 2);
                self.u.resize(columns * lines, 128);
                self.v.resize(columns * lines, 128);
                let halves = self
                    .u
                    .chunks_exact_mut(columns)
                    .zip(self.v.chunks_exact_mut(columns));
                for ((u, v), line) in halves.zip(uv.chunks(stride)) {
                    for ((u, v), pair) in u.iter_mut().zip(v).zip(line.as_chunks::<2>().0) {
                        [*u, *v] = *pair;
                    }
                }
                Planes {
                    frame,
                    u: &self.u,
                    v: &self.v,
                    chroma_stride: columns,
                }
            }
        }
    }
}

impl YUVSource for Planes<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (side(self.frame.width()), side(self.frame.height()))
    }
    fn strides(&self) -> (usize, usize, usize) {
        (
            self.frame.y_stride(),
            self.chroma_stride,
            self.chroma_stride,
        )
    }
    fn y(&self) -> &[u8] {
        self.frame.y()
    }
    fn u(&self) -> &[u8] {
        self.u
    }
    fn v(&self) -> &[u8] {
        self.v
    }
}

fn side(pixels: u32) -> usize {
    usize::try_from(pixels).unwrap_or(0)
}
