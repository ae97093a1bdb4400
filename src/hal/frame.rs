//! One captured picture: I420 planes in one buffer that is reused for every frame.
//!
//! I420 is what every H.264 encoder takes and every camera path can give. The planes live in one allocation made
//! when the camera opens; the fields are private so that a later backend can lend a buffer of the driver instead.
//!
//! ```text
//!   buffer:  y_stride * height  |  chroma_stride * height/2  |  chroma_stride * height/2
//!            Y                     U (blue difference)          V (red difference)
//! ```
//!
//! Promises: width and height are even and in range; the planes are as long as stride and height say.
//! Knows nothing of: who draws or encodes it.
//! Sources: ITU-T H.264 6.2 (4:2:0 sampling); the configuration (`camera.width`, `camera.height`).

use crate::logic::units::Uptime;

/// One captured picture and what is known of its capture.
#[derive(Clone, Debug)]
pub struct Frame {
    width: u32,
    height: u32,
    captured_at: Uptime,
    number: u32,
    y: usize,
    chroma: usize,
    buffer: Vec<u8>,
}

/// The three planes, borrowed for drawing into.
#[derive(Debug)]
pub struct PlanesMut<'a> {
    /// Luma, [`Frame::y_stride`] bytes a line.
    pub y: &'a mut [u8],
    /// Blue difference, [`Frame::chroma_stride`] bytes for two lines.
    pub u: &'a mut [u8],
    /// Red difference, [`Frame::chroma_stride`] bytes for two lines.
    pub v: &'a mut [u8],
}

impl Frame {
    /// spec: `camera.width` and `camera.height` of the configuration.
    pub const LEAST: (u32, u32) = (160, 120);
    /// spec: `camera.width` and `camera.height` of the configuration.
    pub const MOST: (u32, u32) = (1920, 1080);

    /// A black frame; `None` if the size is odd or out of range.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Option<Self> {
        let fits = (Self::LEAST.0..=Self::MOST.0).contains(&width)
            && (Self::LEAST.1..=Self::MOST.1).contains(&height);
        if !fits || !width.is_multiple_of(2) || !height.is_multiple_of(2) {
            return None;
        }
        let (columns, lines) = (usize::try_from(width).ok()?, usize::try_from(height).ok()?);
        let (y, chroma) = (columns * lines, columns * lines / 4);
        let mut buffer = vec![128; y + 2 * chroma];
        buffer.iter_mut().take(y).for_each(|luma| *luma = 16);
        Some(Self {
            width,
            height,
            captured_at: Uptime::from_micros(0),
            number: 0,
            y,
            chroma,
            buffer,
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

    /// When the picture was caught, on the car's monotonic clock.
    #[must_use]
    pub const fn captured_at(&self) -> Uptime {
        self.captured_at
    }

    /// The number of the frame since the camera started; frames that were skipped count.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Says which capture the planes now hold.
    pub const fn set_capture(&mut self, captured_at: Uptime, number: u32) {
        self.captured_at = captured_at;
        self.number = number;
    }

    /// Bytes from one luma line to the next.
    #[must_use]
    pub fn y_stride(&self) -> usize {
        usize::try_from(self.width).unwrap_or(0)
    }

    /// Bytes from one chroma line to the next.
    #[must_use]
    pub fn chroma_stride(&self) -> usize {
        self.y_stride() / 2
    }

    /// The luma plane.
    #[must_use]
    pub fn y(&self) -> &[u8] {
        self.buffer.get(..self.y).unwrap_or_default()
    }

    /// The blue-difference plane.
    #[must_use]
    pub fn u(&self) -> &[u8] {
        self.buffer
            .get(self.y..self.y + self.chroma)
            .unwrap_or_default()
    }

    /// The red-difference plane.
    #[must_use]
    pub fn v(&self) -> &[u8] {
        self.buffer.get(self.y + self.chroma..).unwrap_or_default()
    }

    /// All three planes for drawing.
    pub fn planes_mut(&mut self) -> PlanesMut<'_> {
        let (y, chroma) = self.buffer.split_at_mut(self.y);
        let (u, v) = chroma.split_at_mut(self.chroma);
        PlanesMut { y, u, v }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_are_as_long_as_their_strides_say() {
        for (width, height) in [(160, 120), (1280, 720), (1920, 1080), (162, 122)] {
            let frame = Frame::new(width, height).unwrap();
            let lines = usize::try_from(height).unwrap();
            assert_eq!(frame.y().len(), frame.y_stride() * lines);
            assert_eq!(frame.u().len(), frame.chroma_stride() * lines / 2);
            assert_eq!(frame.v().len(), frame.u().len());
        }
    }

    #[test]
    fn a_new_frame_is_black() {
        let frame = Frame::new(160, 120).unwrap();
        assert!(frame.y().iter().all(|v| *v == 16));
        assert!(frame.u().iter().chain(frame.v()).all(|v| *v == 128));
    }

    #[test]
    fn odd_small_and_large_sizes_are_refused() {
        for (width, height) in [
            (158, 120),
            (160, 118),
            (1922, 1080),
            (1920, 1082),
            (161, 120),
            (160, 121),
            (0, 0),
            (u32::MAX, u32::MAX),
        ] {
            assert!(Frame::new(width, height).is_none(), "{width}x{height}");
        }
    }
}
