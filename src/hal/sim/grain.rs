//! Sensor noise: what makes a drawn picture as hard to encode as a filmed one.
//!
//! Flat colours cost an encoder next to nothing: at 720p the bare scene never fills 2.5 Mb/s, so no rate control
//! could be tried on it. A real small sensor has noise of a few luma steps; so has this one. It is taken from a
//! table of random steps, each line of each frame from another place, which is one add a pixel.
//!
//! Promises: no allocation after `new`; the same frame number gives the same noise; black and white stay in range.
//! Knows nothing of: what is drawn.

use super::canvas::{Canvas, index};

/// choice: longer than the widest line by enough places to start from.
const TABLE: usize = 8192;
/// choice: places to start from, a power of two below `TABLE` less the widest line (1920).
const STARTS: u32 = 4096;

/// A table of random luma steps.
#[derive(Debug)]
pub struct Grain {
    steps: Vec<i8>,
}

impl Grain {
    /// Noise of up to `amplitude` luma steps each way, small steps more often than large ones.
    #[must_use]
    pub fn new(amplitude: u8) -> Self {
        let span = u32::from(amplitude) + 1;
        let mut seed = 0x2545_F491_u32; // choice: any odd start
        let mut draw = || {
            seed = scramble(seed.wrapping_add(0x9E37_79B9));
            i32::try_from(seed % span).unwrap_or(0)
        };
        let steps = (0..TABLE)
            .map(|_| i8::try_from(draw() - draw()).unwrap_or(0))
            .collect();
        Self { steps }
    }

    /// Adds the noise of frame `number` to the luma of every line from `top` down.
    pub fn apply(&self, canvas: &mut Canvas<'_>, top: i32, number: u32) {
        for line in top..canvas.height {
            let place = u32::try_from(line).unwrap_or(0);
            let start = scramble(number.wrapping_mul(2_053).wrapping_add(place)) % STARTS;
            let start = usize::try_from(start).unwrap_or(0);
            let Some(steps) = self.steps.get(start..start + index(canvas.width)) else {
                continue;
            };
            let Some(line) = canvas.line_mut(line) else {
                continue;
            };
            for (luma, step) in line.luma.iter_mut().zip(steps) {
                *luma = luma.saturating_add_signed(*step);
            }
        }
    }
}

/// Spreads the bits of a counter (the finaliser of `MurmurHash3`).
const fn scramble(value: u32) -> u32 {
    let value = (value ^ value >> 16).wrapping_mul(0x85EB_CA6B);
    let value = (value ^ value >> 13).wrapping_mul(0xC2B2_AE35);
    value ^ value >> 16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hal::Frame;

    fn noisy(amplitude: u8, number: u32) -> Frame {
        let mut frame = Frame::new(320, 240).unwrap();
        frame.planes_mut().unwrap().y.fill(100);
        Grain::new(amplitude).apply(&mut Canvas::new(&mut frame).unwrap(), 12, number);
        frame
    }

    #[test]
    fn noise_stays_within_its_amplitude_and_below_the_top() {
        let frame = noisy(4, 1);
        let (clean, grainy) = frame.y().split_at(12 * 320);
        assert!(clean.iter().all(|v| *v == 100));
        assert!(grainy.iter().all(|v| (96..=104).contains(v)));
        let mean = grainy.iter().map(|v| u32::from(*v)).sum::<u32>() / (320 * 228);
        assert!((99..=100).contains(&mean), "mean {mean}");
    }

    #[test]
    fn frames_differ_and_a_frame_repeats() {
        assert_eq!(noisy(4, 7).y(), noisy(4, 7).y());
        assert_ne!(noisy(4, 7).y(), noisy(4, 8).y());
        assert_eq!(noisy(0, 7).y(), noisy(0, 8).y());
    }
}
