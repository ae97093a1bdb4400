//! From what is asked of a camera to what it will do, or to an error that says what it could do.
//!
//! ```text
//!   settings ─▶ camera by index or id ─▶ YUV420, else NV12; size; orientation ─▶ validate ─▶ as asked? ─▶ configuration
//!                                                                                   └ no ─▶ what is on offer
//! ```
//!
//! YUV420 is tried first, because the software encoder takes it as it is; the hardware one takes both.
//!
//! Promises: a configuration that is returned has the size, the turn and a format that were asked for.
//! Knows nothing of: requests, buffers.
//! Sources: libcamera `camera.h` (`CameraConfiguration::validate`), `stream.h`, `orientation.h`.

use libcamera::camera::{Camera, CameraConfiguration, CameraConfigurationStatus, Orientation};
use libcamera::formats;
use libcamera::geometry::Size;
use libcamera::pixel_format::PixelFormat;
use libcamera::properties::{Model, PixelArraySize};
use libcamera::stream::{StreamConfigurationRef, StreamRole};

use crate::config::Rotation;
use crate::hal::CameraError;
use crate::hal::csi::{Connected, CsiSettings, Turn, Which, advice, is_usb};

/// Buffers of a camera. choice: one being filled, one waiting, two with whoever encodes.
pub(super) const BUFFERS: u32 = 4;

/// The formats that encoders take, best first, and whether their chroma planes are apart.
const FORMATS: [(PixelFormat, bool); 2] = [(formats::YUV420, true), (formats::NV12, false)];

/// A configuration that does what was asked.
pub(super) struct Agreed {
    /// To be applied.
    pub(super) configuration: CameraConfiguration,
    /// Bytes from one luma line to the next.
    pub(super) stride: u32,
    /// Whether the chroma planes are apart.
    pub(super) is_planar: bool,
}

/// Picks the camera that is meant.
pub(super) fn pick<'a>(
    cameras: &'a [Camera<'static>],
    which: &Which,
) -> Result<&'a Camera<'static>, CameraError> {
    let list = || {
        let names: Vec<_> = cameras.iter().map(Camera::id).collect();
        names.join(", ")
    };
    let missing = |camera: String, why: String| CameraError::Missing {
        camera,
        source: why.into(),
    };
    if cameras.is_empty() {
        let why = advice::none_found(std::path::Path::new("/"));
        return Err(missing("libcamera".into(), why.join("; ")));
    }
    match which {
        Which::Index(index) => usize::try_from(*index)
            .ok()
            // USB cameras stand behind the others.
            .and_then(|index| cameras.get(index).filter(|camera| !is_usb(camera.id())))
            .ok_or_else(|| {
                let why = format!(
                    "camera.index counts CSI cameras from 0, as `rpicam-hello --list-cameras` does, and there are: {}",
                    list()
                );
                missing(format!("libcamera {index}"), why)
            }),
        Which::Id(part) => {
            let exact = cameras.iter().find(|camera| camera.id() == part);
            let mut like = cameras.iter().filter(|camera| camera.id().contains(part));
            match (exact, like.next(), like.next()) {
                (Some(camera), _, _) | (None, Some(camera), None) => Ok(camera),
                (None, None, _) => {
                    let why = format!("no name has camera.id in it; there are: {}", list());
                    Err(missing(part.clone(), why))
                }
                (None, Some(_), Some(_)) => {
                    let why = format!("several names have camera.id in them: {}", list());
                    Err(missing(part.clone(), why))
                }
            }
        }
    }
}

/// Finds a configuration that does what is asked.
pub(super) fn agree(
    camera: &Camera<'static>,
    settings: &CsiSettings,
) -> Result<Agreed, CameraError> {
    let unsupported = |why: String| CameraError::Unsupported {
        camera: camera.id().to_owned(),
        why,
    };
    let turned = orientation(settings.turn);
    let mut offer = String::new();
    for (format, is_planar) in FORMATS {
        let Some(mut configuration) = camera.generate_configuration(&[StreamRole::VideoRecording])
        else {
            return Err(unsupported("it has no video stream".into()));
        };
        {
            let Some(mut stream) = configuration.get_mut(0) else {
                return Err(unsupported("it has no video stream".into()));
            };
            offer = modes(&stream);
            stream.set_pixel_format(format);
            stream.set_size(Size::new(settings.width, settings.height));
            stream.set_buffer_count(BUFFERS);
        }
        configuration.set_orientation(turned);
        let status = configuration.validate();
        let (got, size, stride) = match configuration.get(0) {
            Some(stream) => (
                stream.get_pixel_format(),
                stream.get_size(),
                stream.get_stride(),
            ),
            None => continue,
        };
        if matches!(status, CameraConfigurationStatus::Invalid) || got != format {
            continue;
        }
        if (size.width, size.height) != (settings.width, settings.height) {
            let (width, height) = (settings.width, settings.height);
            return Err(unsupported(format!(
                "{width}x{height} is not possible, {}x{} would be; set camera.width and camera.height; on offer: {offer}",
                size.width, size.height
            )));
        }
        if configuration.orientation() != turned {
            return Err(unsupported(turn_refused(settings.turn)));
        }
        return Ok(Agreed {
            configuration,
            stride,
            is_planar,
        });
    }
    Err(unsupported(format!(
        "it gives neither YUV420 nor NV12; on offer: {offer}"
    )))
}

fn turn_refused(turn: Turn) -> String {
    let Turn {
        rotation,
        flip_horizontal,
        flip_vertical,
    } = turn;
    format!(
        "it cannot turn the picture like this (rotation = {}, flip_horizontal = {flip_horizontal}, flip_vertical = \
         {flip_vertical}); the Pi's cameras can flip either way and turn by 180 degrees, not by 90: turn the camera",
        rotation.degrees()
    )
}

/// The picture's orientation in libcamera's words: clockwise, and mirrored before that.
///
/// Flipping up and down is mirroring and half a turn.
fn orientation(turn: Turn) -> Orientation {
    let half = u16::from(turn.flip_vertical) * 180;
    let degrees = (turn.rotation.degrees() + half) % 360;
    let is_mirrored = turn.flip_horizontal != turn.flip_vertical;
    let rotation = Rotation::from_degrees(degrees).unwrap_or(Rotation::Upright);
    match (rotation, is_mirrored) {
        (Rotation::Upright, false) => Orientation::Rotate0,
        (Rotation::Upright, true) => Orientation::Rotate0Mirror,
        (Rotation::Quarter, false) => Orientation::Rotate90,
        (Rotation::Quarter, true) => Orientation::Rotate90Mirror,
        (Rotation::Half, false) => Orientation::Rotate180,
        (Rotation::Half, true) => Orientation::Rotate180Mirror,
        (Rotation::ThreeQuarters, false) => Orientation::Rotate270,
        (Rotation::ThreeQuarters, true) => Orientation::Rotate270Mirror,
    }
}

/// Formats and sizes of a stream, in words.
fn modes(stream: &StreamConfigurationRef<'_>) -> String {
    let formats = stream.formats();
    let offered = formats.pixel_formats();
    let mut words = Vec::new();
    for at in 0..offered.len() {
        let Some(format) = offered.get(at) else {
            continue;
        };
        let sizes = formats.sizes(format);
        let range = formats.range(format);
        let sizes: Vec<_> = sizes
            .iter()
            .map(|size| format!("{}x{}", size.width, size.height))
            .collect();
        let sizes = if sizes.is_empty() {
            let (least, most) = (range.min, range.max);
            format!(
                "{}x{} to {}x{}",
                least.width, least.height, most.width, most.height
            )
        } else {
            sizes.join(" ")
        };
        words.push(format!("{format} {sizes}"));
    }
    words.join(", ")
}

/// What there is to say of a camera without opening it.
pub(super) fn describe(camera: &Camera<'static>) -> Connected {
    let properties = camera.properties();
    let model = properties
        .get::<Model>()
        .map_or_else(|_| "unknown sensor".to_owned(), |model| model.0);
    let sensor = properties.get::<PixelArraySize>().map_or_else(
        |_| String::new(),
        |size| format!("sensor {}x{}; ", size.0.width, size.0.height),
    );
    let streams = camera
        .generate_configuration(&[StreamRole::VideoRecording])
        .and_then(|configuration| configuration.get(0).map(|stream| modes(&stream)))
        .unwrap_or_else(|| "no video stream".to_owned());
    Connected {
        id: camera.id().to_owned(),
        model,
        modes: format!("{sensor}{streams}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flips_and_rotations_become_orientations() {
        let turned = |degrees, flip_horizontal, flip_vertical| {
            orientation(Turn {
                rotation: Rotation::from_degrees(degrees).unwrap(),
                flip_horizontal,
                flip_vertical,
            })
        };
        assert_eq!(turned(0, false, false), Orientation::Rotate0);
        assert_eq!(turned(180, false, false), Orientation::Rotate180);
        assert_eq!(turned(0, true, true), Orientation::Rotate180);
        assert_eq!(turned(180, true, true), Orientation::Rotate0);
        assert_eq!(turned(0, true, false), Orientation::Rotate0Mirror);
        assert_eq!(turned(0, false, true), Orientation::Rotate180Mirror);
        assert_eq!(turned(90, false, false), Orientation::Rotate90);
        assert_eq!(turned(270, false, false), Orientation::Rotate270);
    }
}
