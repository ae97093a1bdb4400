//! A picture at half its width and height, for an encoder that cannot keep up.
//!
//! ```text
//!   a b │ c d
//!   e f │ g h        each sample is the rounded mean of a square of four
//!   ────┼────  ─▶  (a+b+e+f+2)/4, (c+d+g+h+2)/4        the same for luma and for both chromas
//! ```
//!
//! Means of squares and not every second sample: thin lines of a track would flicker otherwise.
//!
//! Promises: the memory is made once for each size; the result is planar, even, and the same capture.
//! Knows nothing of: why it is asked for.
//! Sources: ITU-T H.264 6.2 (4:2:0 sampling).

use super::frame::{Chroma, Frame, Pool};

/// choice: one that is encoded, one that is made.
const PICTURES: usize = 2;

/// Makes half pictures.
#[derive(Debug, Default)]
pub struct Halver {
    pool: Option<(u32, u32, Pool)>,
}

/// The size of the half picture; `None` if that is too small to code.
#[must_use]
pub fn half_of(width: u32, height: u32) -> Option<(u32, u32)> {
    let half = (width / 4 * 2, height / 4 * 2);
    (half.0 >= Frame::LEAST.0 && half.1 >= Frame::LEAST.1).then_some(half)
}

impl Halver {
    /// The half of a frame; `None` if that is too small to code, or both pictures are held.
    pub fn halve(&mut self, frame: &Frame) -> Option<Frame> {
        let (width, height) = half_of(frame.width(), frame.height())?;
        if !matches!(&self.pool, Some((w, h, _)) if (*w, *h) == (width, height)) {
            self.pool = Some((width, height, Pool::new(width, height, PICTURES)?));
        }
        let (_, _, pool) = self.pool.as_ref()?;
        let mut half = pool.take()?;
        half.set_capture(frame.captured_at(), frame.number());
        let columns = usize::try_from(width).ok()?;
        let planes = half.planes_mut()?;
        halve_plane(planes.y, columns, frame.y(), frame.y_stride());
        match frame.chroma() {
            Chroma::Planar { u, v, stride } => {
                halve_plane(planes.u, columns / 2, u, stride);
                halve_plane(planes.v, columns / 2, v, stride);
            }
            Chroma::Interleaved { uv, stride } => {
                halve_pairs(planes.u, planes.v, columns / 2, uv, stride);
            }
        }
        Some(half)
    }
}

/// One plane: `columns` samples a line of `to`, tightly.
fn halve_plane(to: &mut [u8], columns: usize, from: &[u8], stride: usize) {
    let mut lines = from.chunks(stride);
    for line in to.chunks_exact_mut(columns) {
        let (Some(upper), Some(lower)) = (lines.next(), lines.next()) else {
            return;
        };
        let squares = upper
            .as_chunks::<2>()
            .0
            .iter()
            .zip(lower.as_chunks::<2>().0);
        for (sample, ([a, b], [c, d])) in line.iter_mut().zip(squares) {
            *sample = mean(*a, *b, *c, *d);
        }
    }
}

/// Two planes that are interleaved.
fn halve_pairs(u: &mut [u8], v: &mut [u8], columns: usize, from: &[u8], stride: usize) {
    let mut lines = from.chunks(stride);
    for (u, v) in u.chunks_exact_mut(columns).zip(v.chunks_exact_mut(columns)) {
        let (Some(upper), Some(lower)) = (lines.next(), lines.next()) else {
            return;
        };
        let squares = upper
            .as_chunks::<4>()
            .0
            .iter()
            .zip(lower.as_chunks::<4>().0);
        for ((u, v), ([ua, va, ub, vb], [uc, vc, ud, vd])) in u.iter_mut().zip(v).zip(squares) {
            (*u, *v) = (mean(*ua, *ub, *uc, *ud), mean(*va, *vb, *vc, *vd));
        }
    }
}

fn mean(a: u8, b: u8, c: u8, d: u8) -> u8 {
    let sum = u16::from(a) + u16::from(b) + u16::from(c) + u16::from(d);
    u8::try_from((sum + 2) / 4).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::units::Uptime;

    #[test]
    fn each_sample_is_the_mean_of_its_square() {
        let mut frame = Frame::new(640, 480).unwrap();
        frame.set_capture(Uptime::from_micros(5), 7);
        let planes = frame.planes_mut().unwrap();
        planes.y.fill(100);
        // The square at column 4, line 2: 10, 20, 30, 41; the mean is rounded.
        for (at, luma) in [(1284, 10), (1285, 20), (1924, 30), (1925, 41)] {
            planes.y[at] = luma;
        }
        (planes.u[2], planes.u[3], planes.u[322], planes.u[323]) = (0, 4, 8, 12);
        planes.v.fill(9);
        let half = Halver::default().halve(&frame).unwrap();
        assert_eq!((half.width(), half.height()), (320, 240));
        assert_eq!(
            (half.captured_at(), half.number()),
            (Uptime::from_micros(5), 7)
        );
        assert_eq!(
            (half.y()[321], half.y()[322], half.y()[323]),
            (100, 25, 100)
        );
        let Chroma::Planar { u, v, .. } = half.chroma() else {
            panic!("planar")
        };
        assert_eq!((u[0], u[1]), (128, 6));
        assert!(v.iter().all(|sample| *sample == 9));
    }

    #[test]
    fn sizes_that_do_not_divide_lose_an_edge_and_small_ones_are_refused() {
        for (size, half) in [
            ((1280, 720), Some((640, 360))),
            ((854, 480), Some((426, 240))),
            ((322, 242), Some((160, 120))),
            ((320, 238), None),
            ((318, 240), None),
        ] {
            assert_eq!(half_of(size.0, size.1), half, "{size:?}");
            let frame = Frame::new(size.0, size.1).unwrap();
            let halved = Halver::default().halve(&frame);
            assert_eq!(halved.map(|half| (half.width(), half.height())), half);
        }
    }

    #[test]
    fn the_memory_is_made_once_for_each_size() {
        let frame = Frame::new(640, 480).unwrap();
        let mut halver = Halver::default();
        let mut seen: Vec<_> = (0..10)
            .map(|_| halver.halve(&frame).unwrap().y().as_ptr())
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), PICTURES);
        let held = (halver.halve(&frame).unwrap(), halver.halve(&frame).unwrap());
        assert!(halver.halve(&frame).is_none(), "both are held");
        drop(held);
    }
}
