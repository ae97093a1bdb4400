//! How large a picture a board codes well; more is said, not refused, for a scene, a clock or a later firmware may allow it.
//!
//! ```text
//!   512 MB (Zero 2 W, 3 Model A+)       up to 1280x720            a camera's and an encoder's buffers, and one memory bus
//!   firmware encoder (up to the Pi 4)   up to 1920x1080 at 30     what the encoder is made for
//!   Pi 5: no encoder                    the ladder of logic::ladder looks after that by measuring
//! ```
//!
//! Sources: Raspberry Pi product briefs (Zero 2 W, 3 Model A+: 512 MB LPDDR2; Pi 3, Pi 4, Zero 2 W: "H.264 1080p30 encode").

use super::board::{Board, Chip};

/// spec: product briefs.
const ENCODER_PIXELS_PER_S: u64 = 1920 * 1080 * 30;
/// choice: what the program's own budget of memory is drawn up for (README, "Figures").
const SMALL_BOARD_PIXELS: u64 = 1280 * 720;
/// Boards with 512 MB that code video. spec: product briefs.
const SMALL_BOARDS: [&str; 2] = ["Zero 2", "3 Model A"];

/// What to say about pictures of this size and rate, if they are more than the board is good for.
#[must_use]
pub fn too_much(board: &Board, width: u32, height: u32, fps: u32) -> Option<String> {
    let pixels = u64::from(width) * u64::from(height);
    let is_small = SMALL_BOARDS.iter().any(|name| board.model.contains(name));
    let is_coded_by_firmware = board.chip != Chip::Bcm2712;
    let why = if is_small && pixels > SMALL_BOARD_PIXELS {
        "its 512 MB and its memory bus are short for that, so pictures may come late or not at all; set camera.width = 1280 \
         and camera.height = 720, or less"
    } else if is_coded_by_firmware && pixels * u64::from(fps) > ENCODER_PIXELS_PER_S {
        "its encoder is made for 1920x1080 at 30, so pictures may come late or be left out; set a smaller camera.fps, \
         camera.width and camera.height"
    } else {
        return None;
    };
    Some(format!(
        "{width}x{height} at {fps} on a {}: {why}",
        board.model
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(model: &str, chip: Chip) -> Board {
        Board {
            model: model.to_owned(),
            chip,
        }
    }

    #[test]
    fn each_board_is_told_what_is_too_much_for_it_and_nothing_else() {
        let zero = board("Raspberry Pi Zero 2 W Rev 1.0", Chip::Bcm2837);
        let small = board("Raspberry Pi 3 Model A Plus Rev 1.0", Chip::Bcm2837);
        let three = board("Raspberry Pi 3 Model B Plus Rev 1.3", Chip::Bcm2837);
        let four = board("Raspberry Pi 4 Model B Rev 1.5", Chip::Bcm2711);
        let five = board("Raspberry Pi 5 Model B Rev 1.0", Chip::Bcm2712);
        for board in [&zero, &small, &three, &four, &five] {
            assert_eq!(too_much(board, 1280, 720, 30), None);
        }
        for board in [&zero, &small] {
            let said = too_much(board, 1920, 1080, 30).unwrap();
            assert!(
                said.contains("512 MB") && said.contains("camera.width = 1280"),
                "{said}"
            );
        }
        for board in [&three, &four] {
            assert_eq!(too_much(board, 1920, 1080, 30), None);
            let said = too_much(board, 1920, 1080, 60).unwrap();
            assert!(
                said.contains("1920x1080 at 30") && said.contains("camera.fps"),
                "{said}"
            );
        }
        assert_eq!(too_much(&five, 1920, 1080, 60), None);
    }
}
