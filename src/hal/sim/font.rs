//! A 5x7 bitmap font: digits, capitals and the few signs that an overlay and an error's sentence need.
//!
//! A font file or a rasteriser would be a dependency for forty letters. Each glyph is seven lines of five pixels,
//! most significant bit on the left, so a glyph can be read in its source with a little squinting.
//!
//! Promises: any text can be drawn; lower case is drawn as capitals, a letter that is not here as a blank.
//! Knows nothing of: what is written.

use super::canvas::{Canvas, Colour};

/// choice: the classic width of a dot-matrix letter.
const GLYPH_WIDTH: i32 = 5;
/// choice: one blank column between letters.
const ADVANCE: i32 = GLYPH_WIDTH + 1;
/// Height of a line of text at scale 1, in pixels.
pub const GLYPH_HEIGHT: i32 = 7;

/// Width in pixels of a text at the given scale.
#[must_use]
pub fn width(text: &str, scale: i32) -> i32 {
    let letters = i32::try_from(text.chars().count()).unwrap_or(i32::MAX / ADVANCE);
    (letters * ADVANCE - 1).max(0).saturating_mul(scale)
}

/// Writes `text` with its top left corner at `(x, y)`, each font pixel `scale` pixels large.
pub fn write(canvas: &mut Canvas<'_>, x: i32, y: i32, scale: i32, colour: Colour, text: &str) {
    let mut left = x;
    for letter in text.chars() {
        for (row, bits) in (0..).zip(glyph(letter.to_ascii_uppercase())) {
            for column in 0..GLYPH_WIDTH {
                if bits & (0b1_0000 >> column) != 0 {
                    let (x, y) = (left + column * scale, y + row * scale);
                    canvas.rect(x, y, scale, scale, colour);
                }
            }
        }
        left += ADVANCE * scale;
    }
}

/// The seven lines of a letter.
#[rustfmt::skip]
fn glyph(letter: char) -> [u8; 7] {
    match letter {
        '0' => [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110],
        '1' => [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
        '2' => [0b01110, 0b10001, 0b00001, 0b01110, 0b10000, 0b10000, 0b11111],
        '3' => [0b11111, 0b00001, 0b00010, 0b00110, 0b00001, 0b10001, 0b01110],
        '4' => [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
        '5' => [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
        '6' => [0b00111, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
        '7' => [0b11111, 0b00001, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000],
        '8' => [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
        '9' => [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b11100],
        'A' => [0b00100, 0b01010, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001],
        'B' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10001, 0b10001, 0b11110],
        'C' => [0b01110, 0b10001, 0b10000, 0b10000, 0b10000, 0b10001, 0b01110],
        'D' => [0b11110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b11110],
        'E' => [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111],
        'F' => [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b10000],
        'G' => [0b01111, 0b10001, 0b10000, 0b10000, 0b10011, 0b10001, 0b01111],
        'H' => [0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
        'I' => [0b01110, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
        'J' => [0b00111, 0b00010, 0b00010, 0b00010, 0b00010, 0b10010, 0b01100],
        'K' => [0b10001, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010, 0b10001],
        'L' => [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
        'M' => [0b10001, 0b11011, 0b10101, 0b10101, 0b10101, 0b10001, 0b10001],
        'N' => [0b10001, 0b10001, 0b11001, 0b10101, 0b10011, 0b10001, 0b10001],
        'O' => [0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
        'P' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000, 0b10000],
        'Q' => [0b01110, 0b10001, 0b10001, 0b10001, 0b10101, 0b10010, 0b01101],
        'R' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001],
        'S' => [0b01110, 0b10001, 0b10000, 0b01110, 0b00001, 0b10001, 0b01110],
        'T' => [0b11111, 0b10101, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100],
        'U' => [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
        'V' => [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01010, 0b00100],
        'W' => [0b10001, 0b10001, 0b10001, 0b10101, 0b10101, 0b10101, 0b01010],
        'X' => [0b10001, 0b10001, 0b01010, 0b00100, 0b01010, 0b10001, 0b10001],
        'Y' => [0b10001, 0b10001, 0b01010, 0b00100, 0b00100, 0b00100, 0b00100],
        'Z' => [0b11111, 0b00001, 0b00010, 0b01110, 0b01000, 0b10000, 0b11111],
        ':' => [0b00000, 0b01100, 0b01100, 0b00000, 0b01100, 0b01100, 0b00000],
        '.' => [0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b01100],
        '-' => [0b00000, 0b00000, 0b00000, 0b11111, 0b00000, 0b00000, 0b00000],
        '+' => [0b00000, 0b00100, 0b00100, 0b11111, 0b00100, 0b00100, 0b00000],
        '/' => [0b00000, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b00000],
        '%' => [0b11000, 0b11001, 0b00010, 0b00100, 0b01000, 0b10011, 0b00011],
        ',' => [0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b00100, 0b01000],
        ';' => [0b00000, 0b01100, 0b01100, 0b00000, 0b01100, 0b00100, 0b01000],
        '=' => [0b00000, 0b00000, 0b11111, 0b00000, 0b11111, 0b00000, 0b00000],
        '_' => [0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b11111],
        '"' => [0b01010, 0b01010, 0b01010, 0b00000, 0b00000, 0b00000, 0b00000],
        '(' => [0b00010, 0b00100, 0b01000, 0b01000, 0b01000, 0b00100, 0b00010],
        ')' => [0b01000, 0b00100, 0b00010, 0b00010, 0b00010, 0b00100, 0b01000],
        _ => [0; 7],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_the_overlay_has_a_glyph_of_its_own() {
        let letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ:.-+/%,;=_\"()";
        let mut seen: Vec<[u8; 7]> = Vec::new();
        for letter in letters.chars() {
            let lines = glyph(letter);
            assert!(lines.iter().any(|line| *line != 0), "{letter} is blank");
            assert!(lines.iter().all(|line| *line < 32), "{letter} is too wide");
            assert!(!seen.contains(&lines), "{letter} looks like another");
            seen.push(lines);
        }
    }

    #[test]
    fn width_counts_the_gaps_between_letters_only() {
        assert_eq!(width("", 3), 0);
        assert_eq!(width("A", 2), 10);
        assert_eq!(width("AB", 2), 22);
    }
}
