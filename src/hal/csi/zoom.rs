//! Which part of the sensor fills the picture.
//!
//! ```text
//!   sensor, 4:3          largest part with the picture's shape      zoom 2000, x 1000, y 0
//!   ┌──────────────┐     ┌──────────────┐                           ┌──────────────┐
//!   │              │     ├──────────────┤                           ├───────┬──────┤
//!   │              │     │   16:9       │                           │       ├──────┤
//!   │              │     ├──────────────┤                           │       ├──────┤
//!   └──────────────┘     └──────────────┘                           └───────┴──────┘
//! ```
//!
//! Promises: the part lies inside the sensor, has the picture's shape to the pixel below, and even sides.
//! Knows nothing of: what the hardware rounds it to.
//! Sources: libcamera `control_ids_core.yaml` (`ScalerCrop`), `property_ids_core.yaml` (`ScalerCropMaximum`).

/// A part of the sensor, in its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Left edge.
    pub x: i32,
    /// Upper edge.
    pub y: i32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// No zoom, in permille.
const WHOLE: u64 = 1000;

/// The part that fills a picture of this size. `zoom` in permille, 1000 and above; `x` and `y` from -1000 to 1000.
#[must_use]
pub fn part(most: Part, picture: (u32, u32), zoom: i32, x: i32, y: i32) -> Part {
    let (width, height) = (u64::from(picture.0.max(1)), u64::from(picture.1.max(1)));
    let (most_width, most_height) = (u64::from(most.width), u64::from(most.height));
    // As wide as it goes, unless that is too high.
    let (full_width, full_height) = if most_width * height <= most_height * width {
        (most_width, most_width * height / width)
    } else {
        (most_height * width / height, most_height)
    };
    let zoom = u64::try_from(zoom).unwrap_or(WHOLE).max(WHOLE);
    let side = |full: u64| u32::try_from(full * WHOLE / zoom / 2 * 2).unwrap_or(0);
    let (width, height) = (side(full_width), side(full_height));
    Part {
        x: most.x + offset(most.width, width, x),
        y: most.y + offset(most.height, height, y),
        width,
        height,
    }
}

/// How far from the edge the part begins.
fn offset(most: u32, side: u32, place: i32) -> i32 {
    let room = i64::from(most.saturating_sub(side));
    let place = i64::from(place.clamp(-1000, 1000));
    i32::try_from(room * (place + 1000) / 2000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IMX219: 3280x2464.
    const SENSOR: Part = Part {
        x: 0,
        y: 0,
        width: 3280,
        height: 2464,
    };

    #[test]
    fn without_zoom_it_is_the_largest_part_of_the_picture_s_shape() {
        let whole = part(SENSOR, (1280, 720), 1000, 0, 0);
        assert_eq!((whole.width, whole.height), (3280, 1844));
        assert_eq!((whole.x, whole.y), (0, 310));
        let narrow = part(SENSOR, (480, 640), 1000, 0, 0);
        assert_eq!((narrow.width, narrow.height), (1848, 2464));
    }

    #[test]
    fn it_stays_inside_wherever_it_is_put() {
        let shifted = Part {
            x: 8,
            y: 16,
            ..SENSOR
        };
        for zoom in [1000, 1500, 8000, 0, -5] {
            for x in [-2000, -1000, -1, 0, 1, 1000, 2000] {
                for y in [-1000, 0, 1000] {
                    let part = part(shifted, (1280, 720), zoom, x, y);
                    let right = i64::from(part.x) + i64::from(part.width);
                    let lower = i64::from(part.y) + i64::from(part.height);
                    assert!(part.x >= 8 && part.y >= 16, "{part:?}");
                    assert!(right <= 3288 && lower <= 2480, "{part:?}");
                    assert!(part.width.is_multiple_of(2) && part.height.is_multiple_of(2));
                }
            }
        }
        assert_eq!(part(SENSOR, (1280, 720), 2000, 1000, 0).x, 3280 - 1640);
        assert_eq!(part(SENSOR, (1280, 720), 2000, -1000, 0).x, 0);
    }
}
