//! A capture time and a frame number, readable by machine from the picture itself.
//!
//! Latency that is computed from clocks on the way says what each stage believes; a stamp in the pixels says
//! when the light that is on the screen now was caught. It must survive H.264 at the lowest bitrate and scaling
//! by a browser, so each bit is one large block of full black or white, and a CRC decides whether it was read.
//!
//! The stamp is 15 bytes, 120 bits, most significant bit first (1 = white). They fill a grid of 40 columns by 3
//! lines over the full width of a strip along the top edge (a driver needs the sky least), **column by column**:
//! neighbours in time share macroblocks, so the bits that change in each frame cost the encoder less. A block is 4
//! pixels high, 8 from 540 lines of picture on, 12 from 900 on, so the strip is 12, 24 or 36 pixels: a block that
//! does not lie on the encoder's 4x4 grid is not always read at the lowest rates.
//!
//! ```text
//!   x: 0      1/40    2/40                 39/40     1         byte  0      0xB2     sync
//!      ┌───────┬───────┬───────  · · ·  ───┬─────────┐ 0             1..=7  captured, microseconds, big endian
//!      │ bit 0 │ bit 3 │ bit 6             │ bit 117 │ 1/3           8..=11 frame number, big endian
//!      │ bit 1 │ bit 4 │ bit 7             │ bit 118 │ 2/3           12..=13 CRC-16 of bytes 1..=11
//!      │ bit 2 │ bit 5 │ bit 8             │ bit 119 │ 1             14     0x4D     sync (0xB2 inverted)
//!      └───────┴───────┴───────  · · ·  ───┴─────────┘ of the strip
//! ```
//!
//! The reader takes the mean of the middle quarter of each block and calls it white above the middle between
//! the mean of the eight white and of the eight black sync blocks. Within the strip all is in shares, so a strip that
//! was copied and scaled is read just as well. `src/spider/viewer/stamp.js` is the same reader for a page.
//!
//! Promises: what is read was written (two sync bytes and a CRC); no allocation; no panic for any input.
//! Knows nothing of: cameras and clocks.
//! Sources: EXTENSION.md, the stamp; CRC-16/IBM-3740 (poly 0x1021, init 0xFFFF), ITU-T V.41's polynomial.

use super::canvas::{Canvas, Colour};
use crate::logic::units::Uptime;

/// choice: 4 pixels wide at the smallest picture (160), so that no block is narrower than one 4x4 transform.
pub const COLUMNS: usize = 40;
/// choice: three lines make 120 bits, the least that holds sync, time, number and CRC.
pub const LINES: usize = 3;
/// choice: a block is a whole number of 4x4 transforms high.
///
/// measured (1200 frames a size, x86): with a strip of a thirtieth of the height 7 stamps were lost at 320x240 and
/// 100 kb/s, with this none at ten sizes down to 50 kb/s.
const TRANSFORM: usize = 4;
/// choice: one transform more for each so many lines of picture, so that the strip is a thirtieth of a large one.
const LINES_A_TRANSFORM: usize = 360;
/// Bytes of one stamp.
pub const BYTES: usize = COLUMNS * LINES / 8;

/// choice: four ones, no period, so that a shifted or mirrored grid does not match.
const SYNC_HEAD: u8 = 0xB2;
/// choice: the head inverted, so that head and tail together hold eight white and eight black blocks.
const SYNC_TAIL: u8 = !SYNC_HEAD;
/// spec: BT.601 limited range.
const BLACK: Colour = Colour::grey(16);
/// spec: BT.601 limited range.
const WHITE: Colour = Colour::grey(235);
/// choice: a quarter of full contrast; below it the picture is no stamp but something grey.
const LEAST_CONTRAST: u32 = 56;
/// choice: 56 bits of microseconds last 2283 years, and JavaScript reads the first 285 of them exactly.
const TIME_MASK: u64 = (1 << 56) - 1;

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When the frame was caught.
    pub captured_at: Uptime,
    /// Its number; skipped frames count.
    pub number: u32,
}

impl Stamp {
    /// The 15 bytes of the stamp.
    #[must_use]
    pub fn to_bytes(self) -> [u8; BYTES] {
        let [_, t0, t1, t2, t3, t4, t5, t6] =
            (self.captured_at.as_micros() & TIME_MASK).to_be_bytes();
        let [n0, n1, n2, n3] = self.number.to_be_bytes();
        let data = [t0, t1, t2, t3, t4, t5, t6, n0, n1, n2, n3];
        let [c0, c1] = crc16(&data).to_be_bytes();
        [
            SYNC_HEAD, t0, t1, t2, t3, t4, t5, t6, n0, n1, n2, n3, c0, c1, SYNC_TAIL,
        ]
    }

    /// The stamp in 15 bytes, if both sync bytes and the CRC are right.
    #[must_use]
    pub fn from_bytes(bytes: [u8; BYTES]) -> Option<Self> {
        let [
            head,
            t0,
            t1,
            t2,
            t3,
            t4,
            t5,
            t6,
            n0,
            n1,
            n2,
            n3,
            c0,
            c1,
            tail,
        ] = bytes;
        let data = [t0, t1, t2, t3, t4, t5, t6, n0, n1, n2, n3];
        if head != SYNC_HEAD || tail != SYNC_TAIL || crc16(&data) != u16::from_be_bytes([c0, c1]) {
            return None;
        }
        Some(Self {
            captured_at: Uptime::from_micros(u64::from_be_bytes([0, t0, t1, t2, t3, t4, t5, t6])),
            number: u32::from_be_bytes([n0, n1, n2, n3]),
        })
    }

    /// Draws the stamp over the top of the picture.
    pub fn draw(self, canvas: &mut Canvas<'_>) {
        let bytes = self.to_bytes();
        let height = usize::try_from(canvas.height).unwrap_or(0);
        let strip = i32::try_from(strip_height(height)).unwrap_or(0);
        for column in 0..COLUMNS {
            for line in 0..LINES {
                let white = bit(&bytes, column * LINES + line);
                let (left, right) = edges(canvas.width, column, COLUMNS);
                let (top, bottom) = edges(strip, line, LINES);
                let colour = if white { WHITE } else { BLACK };
                canvas.rect(left, top, right - left, bottom - top, colour);
            }
        }
    }

    /// Reads the stamp from the luma plane of a whole picture.
    ///
    /// `None` where there is no stamp or it does not add up; never a wrong one.
    #[must_use]
    pub fn read(luma: &[u8], stride: usize, width: usize, height: usize) -> Option<Self> {
        let mut levels = [0_u32; COLUMNS * LINES];
        for (bit, level) in levels.iter_mut().enumerate() {
            let across = middle(width, bit / LINES, COLUMNS);
            let down = middle(strip_height(height), bit % LINES, LINES);
            *level = mean(luma, stride, across, down)?;
        }
        let threshold = threshold(&levels)?;
        let mut bytes = [0_u8; BYTES];
        for (byte, levels) in bytes.iter_mut().zip(levels.chunks_exact(8)) {
            for level in levels {
                *byte = *byte << 1 | u8::from(*level > threshold);
            }
        }
        Self::from_bytes(bytes)
    }
}

/// Height in lines of the strip that the stamp covers in a picture of this height.
#[must_use]
pub fn strip_height(height: usize) -> usize {
    let transforms = (height + LINES_A_TRANSFORM / 2) / LINES_A_TRANSFORM;
    LINES * TRANSFORM * transforms.max(1)
}

fn bit(bytes: &[u8; BYTES], bit: usize) -> bool {
    bytes
        .get(bit / 8)
        .is_some_and(|byte| byte << (bit % 8) & 0x80 != 0)
}

/// First and one-past-last pixel of part `part` of `parts` of a length.
fn edges(length: i32, part: usize, parts: usize) -> (i32, i32) {
    let at = |part: usize| {
        let pixels = usize::try_from(length).unwrap_or(0) * part / parts;
        i32::try_from(pixels).unwrap_or(i32::MAX)
    };
    (at(part), at(part + 1))
}

/// The middle half of part `part` of `parts` of a length, at least one pixel.
fn middle(length: usize, part: usize, parts: usize) -> std::ops::Range<usize> {
    let first = length * (4 * part + 1) / (4 * parts);
    let end = length * (4 * part + 3) / (4 * parts);
    first..end.max(first + 1)
}

fn mean(
    luma: &[u8],
    stride: usize,
    across: std::ops::Range<usize>,
    down: std::ops::Range<usize>,
) -> Option<u32> {
    let mut sum = 0_u32;
    let mut count = 0_u32;
    for line in down {
        let run = luma.get(line * stride + across.start..line * stride + across.end)?;
        sum += run.iter().map(|v| u32::from(*v)).sum::<u32>();
        count += u32::try_from(run.len()).ok()?;
    }
    sum.checked_div(count)
}

/// The middle between the white and the black sync blocks, if they are as far apart as a stamp's.
fn threshold(levels: &[u32; COLUMNS * LINES]) -> Option<u32> {
    let (head, tail) = (levels.get(..8)?, levels.get(levels.len() - 8..)?);
    let mut white = 0;
    let mut black = 0;
    for (bit, (head, tail)) in head.iter().zip(tail).enumerate() {
        // The tail is the head inverted: each pair holds one white and one black block.
        let (high, low) = if SYNC_HEAD << bit & 0x80 != 0 {
            (head, tail)
        } else {
            (tail, head)
        };
        white += high;
        black += low;
    }
    let (white, black) = (white / 8, black / 8);
    (white >= black + LEAST_CONTRAST).then_some(u32::midpoint(white, black))
}

/// spec: CRC-16/IBM-3740.
fn crc16(bytes: &[u8]) -> u16 {
    let mut crc = 0xFFFF_u16;
    for byte in bytes {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 != 0 {
                crc << 1 ^ 0x1021
            } else {
                crc << 1
            };
        }
    }
    crc
}

#[cfg(test)]
pub(crate) mod tests;
