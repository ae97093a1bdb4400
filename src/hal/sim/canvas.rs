//! Flat colours into the three planes of an I420 picture, clipped at its edges.
//!
//! The simulated camera draws everything as horizontal spans of one colour: a span is one `fill` in the luma
//! plane and, on every second line, one in each chroma plane, which is as fast as memory. An RGB picture that is
//! converted afterwards was rejected: it would read and write three times the bytes for the same result.
//!
//! ```text
//!  y:  one byte a pixel           u, v:  one byte for each 2x2 pixels, written when the even line is
//! ```
//!
//! Promises: no allocation, nothing drawn outside the picture, no panic for any coordinate.
//! Knows nothing of: cars, roads, stamps.
//! Sources: ITU-R BT.601 (conversion), ITU-T H.264 6.2 (I420 layout).

use crate::hal::frame::{Frame, PlanesMut};

/// Number of fractional steps of a mix: 0 is the first colour, this is the second.
pub const FULL: i32 = 256; // choice: a power of two, so that a mix is a shift

/// One colour as limited-range BT.601 luma and chroma.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    y: u8,
    u: u8,
    v: u8,
}

impl Colour {
    /// A colour from 8-bit red, green and blue.
    #[must_use]
    pub fn rgb(red: u8, green: u8, blue: u8) -> Self {
        let (r, g, b) = (i32::from(red), i32::from(green), i32::from(blue));
        // spec: BT.601 limited range in 8-bit fixed point, rounded.
        Self {
            y: byte(16 + ((66 * r + 129 * g + 25 * b + 128) >> 8)),
            u: byte(128 + ((-38 * r - 74 * g + 112 * b + 128) >> 8)),
            v: byte(128 + ((112 * r - 94 * g - 18 * b + 128) >> 8)),
        }
    }

    /// A grey of the given luma.
    #[must_use]
    pub const fn grey(luma: u8) -> Self {
        Self {
            y: luma,
            u: 128,
            v: 128,
        }
    }

    /// The colour `share`/[`FULL`] of the way from `self` to `other`.
    #[must_use]
    pub fn mix(self, other: Self, share: i32) -> Self {
        let share = share.clamp(0, FULL);
        let part = |a: u8, b: u8| {
            byte((i32::from(a) * (FULL - share) + i32::from(b) * share + FULL / 2) / FULL)
        };
        Self {
            y: part(self.y, other.y),
            u: part(self.u, other.u),
            v: part(self.v, other.v),
        }
    }

    /// The luma.
    #[must_use]
    pub const fn luma(self) -> u8 {
        self.y
    }

    /// The two chroma values, blue difference first.
    #[must_use]
    pub const fn chroma(self) -> (u8, u8) {
        (self.u, self.v)
    }
}

/// The planes of one I420 picture, borrowed for drawing.
#[derive(Debug)]
pub struct Canvas<'a> {
    /// Picture width in pixels.
    pub width: i32,
    /// Picture height in pixels.
    pub height: i32,
    /// Luma plane, `y_stride` bytes a line.
    pub y: &'a mut [u8],
    /// Blue-difference plane, `chroma_stride` bytes for two lines.
    pub u: &'a mut [u8],
    /// Red-difference plane, `chroma_stride` bytes for two lines.
    pub v: &'a mut [u8],
    /// Bytes from one luma line to the next.
    pub y_stride: usize,
    /// Bytes from one chroma line to the next.
    pub chroma_stride: usize,
}

impl<'a> Canvas<'a> {
    /// The planes of a frame; `None` if its memory is not ours to write.
    #[must_use]
    pub fn new(frame: &'a mut Frame) -> Option<Self> {
        let y_stride = frame.y_stride();
        let width = i32::try_from(frame.width()).unwrap_or(i32::MAX);
        let height = i32::try_from(frame.height()).unwrap_or(i32::MAX);
        let PlanesMut { y, u, v } = frame.planes_mut()?;
        Some(Self {
            width,
            height,
            y,
            u,
            v,
            y_stride,
            chroma_stride: y_stride / 2,
        })
    }

    /// Fills the pixels `left..right` of one line.
    pub fn span(&mut self, line: i32, left: i32, right: i32, colour: Colour) {
        let (left, right) = (left.max(0), right.min(self.width));
        if line < 0 || line >= self.height || left >= right {
            return;
        }
        let start = index(line) * self.y_stride;
        fill(self.y, start, left, right, colour.y);
        if line % 2 == 0 {
            let start = index(line / 2) * self.chroma_stride;
            let (left, right) = ((left + 1) / 2, (right + 1) / 2);
            fill(self.u, start, left, right, colour.u);
            fill(self.v, start, left, right, colour.v);
        }
    }

    /// Fills a rectangle given by its top left corner and size.
    pub fn rect(&mut self, left: i32, top: i32, width: i32, height: i32, colour: Colour) {
        let bottom = top.saturating_add(height).min(self.height);
        for line in top.max(0)..bottom {
            self.span(line, left, left.saturating_add(width), colour);
        }
    }

    /// Fills a disc.
    pub fn disc(&mut self, x: i32, y: i32, radius: i32, colour: Colour) {
        for dy in -radius..=radius {
            let half = half_chord(radius, dy);
            self.span(y + dy, x - half, x + half + 1, colour);
        }
    }

    /// Draws a line of the given thickness as a chain of small squares.
    pub fn line(&mut self, from: (i32, i32), to: (i32, i32), thickness: i32, colour: Colour) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let steps = dx.abs().max(dy.abs()).max(1);
        for step in 0..=steps {
            let x = from.0 + dx * step / steps;
            let y = from.1 + dy * step / steps;
            self.rect(
                x - thickness / 2,
                y - thickness / 2,
                thickness,
                thickness,
                colour,
            );
        }
    }

    /// The luma and the two chroma lines of one picture line; the chroma lines only where `line` is even.
    pub fn line_mut(&mut self, line: i32) -> Option<LineMut<'_>> {
        if line < 0 || line >= self.height {
            return None;
        }
        let width = index(self.width);
        let start = index(line) * self.y_stride;
        let luma = self.y.get_mut(start..start + width)?;
        let chroma = if line % 2 == 0 {
            let start = index(line / 2) * self.chroma_stride;
            let range = start..start + width.div_ceil(2);
            Some((self.u.get_mut(range.clone())?, self.v.get_mut(range)?))
        } else {
            None
        };
        Some(LineMut { luma, chroma })
    }
}

/// One picture line, for drawing that differs from pixel to pixel.
#[derive(Debug)]
pub struct LineMut<'a> {
    /// One byte a pixel.
    pub luma: &'a mut [u8],
    /// One byte for two pixels in each plane (blue, red difference), on even lines.
    pub chroma: Option<(&'a mut [u8], &'a mut [u8])>,
}

/// Half the width of a disc at the height `dy` from its centre.
#[must_use]
pub fn half_chord(radius: i32, dy: i32) -> i32 {
    (radius * radius - dy * dy).max(0).isqrt()
}

/// The coordinate as an index; anything negative is the first.
#[must_use]
pub fn index(value: i32) -> usize {
    usize::try_from(value).unwrap_or(0)
}

/// The value as a byte, limited to its range.
#[must_use]
pub fn byte(value: i32) -> u8 {
    u8::try_from(value.clamp(0, 255)).unwrap_or(u8::MAX)
}

fn fill(plane: &mut [u8], start: usize, left: i32, right: i32, value: u8) {
    if let Some(run) = plane.get_mut(start + index(left)..start + index(right).max(index(left))) {
        run.fill(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLUE: (u8, u8, u8) = (0, 0, 255);

    fn canvas<'a>(y: &'a mut [u8; 32], u: &'a mut [u8; 8], v: &'a mut [u8; 8]) -> Canvas<'a> {
        Canvas {
            width: 8,
            height: 4,
            y,
            u,
            v,
            y_stride: 8,
            chroma_stride: 4,
        }
    }

    #[test]
    fn primaries_have_the_values_of_bt601() {
        assert_eq!(Colour::rgb(0, 0, 0), Colour::grey(16));
        assert_eq!(Colour::rgb(255, 255, 255), Colour::grey(235));
        let blue = Colour::rgb(BLUE.0, BLUE.1, BLUE.2);
        assert_eq!((blue.luma(), blue.chroma()), (41, (240, 110)));
    }

    #[test]
    fn a_mix_ends_at_both_colours() {
        let (a, b) = (Colour::rgb(200, 10, 30), Colour::rgb(1, 250, 99));
        assert_eq!(a.mix(b, 0), a);
        assert_eq!(a.mix(b, FULL), b);
        assert_eq!(a.mix(b, 9 * FULL), b);
    }

    #[test]
    fn a_span_is_clipped_at_both_ends() {
        let (mut y, mut u, mut v) = ([0; 32], [0; 8], [0; 8]);
        let mut c = canvas(&mut y, &mut u, &mut v);
        c.span(2, -5, 500, Colour::grey(99));
        c.span(1, 9, 12, Colour::grey(50));
        c.span(-1, 0, 8, Colour::grey(50));
        c.span(4, 0, 8, Colour::grey(50));
        let painted = y.iter().enumerate().filter(|(_, luma)| **luma == 99);
        assert_eq!(
            painted.map(|(at, _)| at).collect::<Vec<_>>(),
            (16..24).collect::<Vec<_>>()
        );
        assert_eq!(u[4..8], [128; 4]);
        assert!(!y.contains(&50));
    }

    #[test]
    fn shapes_far_outside_draw_nothing_and_do_not_panic() {
        let (mut y, mut u, mut v) = ([0; 32], [0; 8], [0; 8]);
        let mut c = canvas(&mut y, &mut u, &mut v);
        c.disc(-100, 50, 7, Colour::grey(1));
        c.rect(i32::MAX - 1, i32::MAX - 1, 10, 10, Colour::grey(1));
        c.line((-50, -60), (-9, -3), 3, Colour::grey(1));
        assert!(c.line_mut(4).is_none() && c.line_mut(-1).is_none());
        assert!(y.iter().chain(&u).chain(&v).all(|b| *b == 0));
    }
}
