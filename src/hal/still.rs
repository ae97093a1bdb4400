//! The picture that is shown while there is none: what is wrong, in letters that a phone shows.
//!
//! A frozen frame looks like a car that stands still; black looks like a broken page. So the viewer gets a picture that
//! cannot be taken for the road, says what failed and for how long, and moves, so that it is seen to be alive.
//!
//! ```text
//!   ┌────────────────────────────────┐
//!   │▀▄▀▄▀▄▀▄▀▄▀▄▀▄▀▄▀▄▀▄▀▄▀▄▀▄▀▄▀▄▀▄│  stripes that move
//!   │                                │
//!   │  NO PICTURE                    │
//!   │  CAMERA CSI: NO FRAME FOR      │  the reason, wrapped at words
//!   │  334 MS: CHECK THE CABLE       │
//!   │  FOR 12 S                      │
//!   └────────────────────────────────┘
//! ```
//!
//! Promises: any text at any size is drawn without a panic; what does not fit is cut off at the end.
//! Knows nothing of: who is to see it.

use core::time::Duration;

use super::frame::Frame;
use super::sim::canvas::{Canvas, Colour};
use super::sim::font;

/// choice: legible on a phone held in landscape, where 24 letters fill the width.
const LETTERS_A_LINE: i32 = 26;
/// The least size of a font pixel. choice: a letter of less than 5 pixels does not survive the encoder.
const LEAST_SCALE: i32 = 1;

/// Draws the picture into a frame of our own; does nothing to a driver's.
///
/// `why` is one sentence; `lasted` is how long it has been so.
pub fn draw(frame: &mut Frame, why: &str, lasted: Duration) {
    let Some(mut canvas) = Canvas::new(frame) else {
        return;
    };
    let (width, height) = (canvas.width, canvas.height);
    let (back, bright, amber) = (
        Colour::grey(28),
        Colour::grey(220),
        Colour::rgb(255, 176, 0),
    );
    canvas.rect(0, 0, width, height, back);
    stripes(&mut canvas, height / 20, lasted, amber);
    let scale = (width / (LETTERS_A_LINE * font::width("M ", 1))).max(LEAST_SCALE);
    let (left, pitch) = (width / 20, (font::GLYPH_HEIGHT + 4) * scale);
    let mut top = height / 5;
    font::write(&mut canvas, left, top, scale * 3 / 2, amber, "NO PICTURE");
    top += pitch * 2;
    for line in wrapped(why, width - 2 * left, scale) {
        if top + 2 * pitch > height {
            break;
        }
        font::write(&mut canvas, left, top, scale, bright, line);
        top += pitch;
    }
    let mut since = heapless::String::<24>::new();
    // 24 letters hold any number of seconds.
    let _ = core::fmt::write(&mut since, format_args!("FOR {} S", lasted.as_secs()));
    font::write(&mut canvas, left, top, scale, amber, &since);
}

/// Slanted stripes along the top, one step further every half second.
fn stripes(canvas: &mut Canvas<'_>, thick: i32, lasted: Duration, colour: Colour) {
    let pitch = (thick * 2).max(2);
    let step = i32::try_from(lasted.as_millis() / 500 % 4).unwrap_or(0) * pitch / 4;
    for line in 0..thick {
        let mut left = step + line - 2 * pitch;
        while left < canvas.width {
            canvas.span(line, left, left + pitch / 2, colour);
            left += pitch;
        }
    }
}

/// Lines that fit into so many pixels, broken at spaces where there are any.
fn wrapped(text: &str, width: i32, scale: i32) -> impl Iterator<Item = &str> {
    let mut rest = text.trim();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0;
        let mut broken = None;
        for (at, letter) in rest.char_indices() {
            let next = at + letter.len_utf8();
            if font::width(rest.get(..next).unwrap_or(rest), scale) > width && end > 0 {
                break;
            }
            if letter == ' ' {
                broken = Some(at);
            }
            end = next;
        }
        // A word that is longer than the line is broken where the line ends.
        let cut = if end == rest.len() {
            end
        } else {
            broken.unwrap_or(end)
        };
        let (line, more) = rest.split_at_checked(cut)?;
        rest = more.trim_start();
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_words_and_nothing_is_lost() {
        let text = "camera csi: no frame for 334 ms; check the cable";
        let lines: Vec<_> = wrapped(text, font::width("no frame for 334", 2), 2).collect();
        assert_eq!(
            lines,
            ["camera csi: no", "frame for 334", "ms; check the", "cable"]
        );
        let long: Vec<_> = wrapped("aaaaaaaaaa", font::width("aaaa", 1), 1).collect();
        assert_eq!(long, ["aaaa", "aaaa", "aa"]);
        assert_eq!(wrapped("  ", 100, 1).count(), 0);
        assert_eq!(
            wrapped("äöü ß", 1, 1).collect::<Vec<_>>(),
            ["ä", "ö", "ü", "ß"]
        );
    }

    #[test]
    fn any_size_and_text_is_drawn_and_the_picture_moves() {
        let why = "camera ".repeat(60);
        for (width, height) in [(160, 120), (1280, 720), (1920, 1080), (162, 1080)] {
            let mut first = Frame::new(width, height).unwrap();
            let mut second = Frame::new(width, height).unwrap();
            draw(&mut first, &why, Duration::from_millis(0));
            draw(&mut second, &why, Duration::from_millis(500));
            assert!(first.y() != second.y(), "{width}x{height}");
            assert!(first.y().contains(&28) && first.y().contains(&220));
        }
    }

    #[test]
    fn the_reason_is_in_the_picture() {
        let mut camera = Frame::new(640, 480).unwrap();
        let mut encoder = Frame::new(640, 480).unwrap();
        draw(&mut camera, "camera", Duration::ZERO);
        draw(&mut encoder, "encoder", Duration::ZERO);
        assert!(camera.y() != encoder.y());
    }
}
