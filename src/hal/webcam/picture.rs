//! What a camera's buffer holds, as a frame: the buffer itself, or a picture made of it.
//!
//! ```text
//!   NV12, YU12   ─▶ lent as it is                              nothing is moved
//!   YUYV         ─▶ luma as it is, chroma of two lines as one  once over the picture
//!   MJPEG        ─▶ decoded, brought into range, as YUYV       much more: an encoder in the camera, a decoder here
//! ```
//!
//! JPEG has luma and chroma from 0 to 255; viewers expect 16 to 235 and 16 to 240 of a picture that says nothing else, and
//! ours does not. Cameras leave out the Huffman tables that all of them use; the mark of an AVI file tells the decoder so.
//!
//! Promises: a buffer is read only inside; what is damaged or not whole gives an error and no frame: a decoder would show
//! what is missing in grey (`scan`).
//! Knows nothing of: devices.
//! Sources: Linux `pixfmt-packed-yuv`, `pixfmt-compressed`; ITU-R BT.601 (ranges); JFIF 1.02 (full range); USB Video Class
//! "Motion-JPEG" 1.5, 3.2 (tables that may be missing).

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::scan::{Scanner, Seen};
use crate::hal::Frame;
use crate::hal::frame::{Layout, PlanesMut, Pool};
use crate::hal::v4l2::FourCc;
use crate::hal::v4l2::border::Format;

/// What a picture is that is not whole, and what to do about it.
pub(super) const LOST: &str = "a part of it was lost on the USB bus; if many are, take another port or cable, a smaller size, fewer \
                               pictures a second";

/// Pictures that are made at once. choice: one being shown, one being coded, one newest, one in the making.
const POOL: usize = 4;

/// Start of a picture, and an `APP0` of five letters that stands for the usual tables. spec: JPEG B.2.4.6, `OpenDML` AVI.
const START: [u8; 11] = *b"\xFF\xD8\xFF\xE0\x00\x07AVI1\0";

/// From a buffer to a frame.
#[derive(Debug)]
pub(super) enum Picture {
    /// The buffer is the picture.
    Lent(Layout),
    /// It is made of `YUYV`, with so many bytes a line.
    Yuyv(Pool, usize),
    /// It is decoded.
    Mjpeg {
        pool: Pool,
        /// The file, with its tables named.
        file: Vec<u8>,
        /// Luma, blue and red difference of each pixel in turn.
        pixels: Vec<u8>,
        /// Sees whether all of it has come.
        scanner: Box<Scanner>,
    },
}

impl Picture {
    /// For pictures of a format; `None` if the size is odd or out of range, or a line longer than its stride.
    pub(super) fn of(format: &Format) -> Option<Self> {
        let (width, height) = (format.width, format.height);
        let stride = usize::try_from(format.stride).ok()?;
        let columns = usize::try_from(width).ok()?;
        let pool = || Pool::new(width, height, POOL);
        Some(match format.format {
            FourCc::NV12 | FourCc::YU12 => {
                let lines = usize::try_from(height).ok()?;
                let is_planar = format.format == FourCc::YU12;
                let stride = stride.max(columns);
                Self::Lent(Layout::contiguous(
                    (width, height),
                    stride,
                    lines,
                    is_planar,
                )?)
            }
            FourCc::YUYV => Self::Yuyv(pool()?, stride.max(columns * 2)),
            FourCc::MJPG => Self::Mjpeg {
                pool: pool()?,
                file: Vec::new(),
                pixels: vec![0; columns * usize::try_from(height).ok()? * 3],
                scanner: Box::new(Scanner::new()),
            },
            _ => return None,
        })
    }

    /// How the buffer lies, if it is the picture itself.
    pub(super) const fn lent(&self) -> Option<Layout> {
        match self {
            Self::Lent(layout) => Some(*layout),
            Self::Yuyv(..) | Self::Mjpeg { .. } => None,
        }
    }

    /// The picture made of a buffer; `None` if no memory is free, or the buffer is the picture.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn make(&mut self, bytes: &[u8]) -> Result<Option<Frame>, String> {
        match self {
            Self::Lent(_) => Ok(None),
            Self::Yuyv(pool, stride) => {
                let Some(mut frame) = pool.take() else {
                    return Ok(None);
                };
                let columns = width(&frame);
                let planes = frame.planes_mut().ok_or("no memory of our own")?;
                from_yuyv(bytes, *stride, columns, planes).ok_or("it is too short")?;
                Ok(Some(frame))
            }
            Self::Mjpeg {
                pool,
                file,
                pixels,
                scanner,
            } => {
                if scanner.look(bytes) == Seen::Cut {
                    return Err(LOST.to_owned());
                }
                let Some(mut frame) = pool.take() else {
                    return Ok(None);
                };
                let size = (width(&frame), frame.height());
                decode(bytes, size, file, pixels)?;
                let planes = frame.planes_mut().ok_or("no memory of our own")?;
                from_jpeg(pixels, size.0, planes);
                Ok(Some(frame))
            }
        }
    }
}

fn width(frame: &Frame) -> usize {
    usize::try_from(frame.width()).unwrap_or(0)
}

/// `YUYV` to planes; `None` if it is too short.
fn from_yuyv(bytes: &[u8], stride: usize, columns: usize, planes: PlanesMut<'_>) -> Option<()> {
    let PlanesMut { y, u, v } = planes;
    let pairs = y.chunks_exact_mut(columns * 2);
    let blue = u.chunks_exact_mut(columns / 2);
    let red = v.chunks_exact_mut(columns / 2);
    let mut lines = bytes.chunks(stride);
    for ((y, u), v) in pairs.zip(blue).zip(red) {
        let (upper, lower) = y.split_at_mut_checked(columns)?;
        let (one, two) = (
            lines.next()?.get(..columns * 2)?,
            lines.next()?.get(..columns * 2)?,
        );
        for (luma, line) in [(upper, one), (lower, two)] {
            for (to, from) in luma.iter_mut().zip(line.chunks_exact(2)) {
                if let [sample, _] = from {
                    *to = *sample;
                }
            }
        }
        let fours = one.chunks_exact(4).zip(two.chunks_exact(4));
        for ((u, v), (one, two)) in u.iter_mut().zip(v).zip(fours) {
            if let ([_, u1, _, v1], [_, u2, _, v2]) = (one, two) {
                (*u, *v) = (u1.midpoint(*u2), v1.midpoint(*v2));
            }
        }
    }
    Some(())
}

/// Decodes a file into `pixels`, if it has the size.
fn decode(
    bytes: &[u8],
    (width, height): (usize, u32),
    file: &mut Vec<u8>,
    pixels: &mut [u8],
) -> Result<(), String> {
    let rest = bytes
        .strip_prefix(b"\xFF\xD8")
        .ok_or("it does not begin as a JPEG picture")?;
    file.clear();
    file.extend_from_slice(&START);
    file.extend_from_slice(rest);
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::YCbCr);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file.as_slice()), options);
    decoder
        .decode_headers()
        .map_err(|error| error.to_string())?;
    if let Some(size) = decoder.dimensions()
        && size != (width, usize::try_from(height).unwrap_or(0))
    {
        return Err(format!("it has {}x{} pixels", size.0, size.1));
    }
    if decoder.output_buffer_size() != Some(pixels.len()) {
        return Err("it has no colours".to_owned());
    }
    decoder
        .decode_into(pixels)
        .map_err(|error| error.to_string())
}

/// Luma of full range to that of video. spec: BT.601, 219 of 255 steps from 16.
const LUMA: [u8; 256] = ranged(219, 16);
/// The same for chroma: 224 of 255 steps around 128.
const CHROMA: [u8; 256] = ranged(224, 16);

const fn ranged(steps: u32, from: u32) -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::as_conversions,
            clippy::indexing_slicing,
            reason = "16 + 224 at most, 256 of 256; there is no other way in a constant"
        )]
        {
            table[at] = (from + (at as u32 * steps + 127) / 255) as u8;
        }
        at += 1;
    }
    table
}

/// Decoded pixels to planes.
fn from_jpeg(pixels: &[u8], columns: usize, planes: PlanesMut<'_>) {
    let ranged = |table: &[u8; 256], value: u16| {
        let at = usize::from(value).min(255);
        table.get(at).copied().unwrap_or_default()
    };
    let PlanesMut { y, u, v } = planes;
    let pairs = y.chunks_exact_mut(columns * 2);
    let blue = u.chunks_exact_mut(columns / 2);
    let red = v.chunks_exact_mut(columns / 2);
    let lines = pixels.chunks_exact(columns * 6);
    for (((y, u), v), both) in pairs.zip(blue).zip(red).zip(lines) {
        for (to, from) in y.iter_mut().zip(both.chunks_exact(3)) {
            if let [luma, ..] = from {
                *to = ranged(&LUMA, u16::from(*luma));
            }
        }
        let (one, two) = both.split_at(columns * 3);
        let sixes = one.chunks_exact(6).zip(two.chunks_exact(6));
        for ((u, v), (one, two)) in u.iter_mut().zip(v).zip(sixes) {
            if let ([_, u1, v1, _, u2, v2], [_, u3, v3, _, u4, v4]) = (one, two) {
                let mean = |of: [&u8; 4]| of.iter().map(|one| u16::from(**one)).sum::<u16>() / 4;
                *u = ranged(&CHROMA, mean([u1, u2, u3, u4]));
                *v = ranged(&CHROMA, mean([v1, v2, v3, v4]));
            }
        }
    }
}
