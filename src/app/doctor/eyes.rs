//! Doctor's lines for cameras and encoder: the ones that `run` would use, for a second or two, and what else is there.
//!
//! ```text
//!   camera, rear   opened, 15 pictures, closed      csi       what libcamera sees: each camera with its modes, or what to do
//!   encoder        15 pictures coded                encoders  the devices that code, and from what to what
//!   size           only if it is more than this board is good for
//! ```
//!
//! Promises: each is opened, used and closed again. Knows nothing of: networks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Finding;
use crate::app::board::Board;
use crate::app::csi_program;
use crate::app::parts::{self, MakeCamera};
use crate::config::{CameraSource, Config, EncoderKind};
use crate::hal::csi;
use crate::hal::sim::SimView;

/// Frames taken from the camera and coded. choice: a second or two at any rate.
const FRAMES: u32 = 15;

/// All of them.
pub(super) fn checks(config: &Config, view: &Arc<SimView>) -> Vec<(&'static str, Finding)> {
    let board = Board::at_rest(config);
    let front = || parts::front_camera(config, view, &board).map_err(|fatal| fatal.text);
    let frames = |make: Result<MakeCamera, String>| make.and_then(|make| camera(config, make));
    let source = config.camera.source.word();
    let seen = frames(front()).map(|said| format!("{source} {said}"));
    // Without a picture the encoder still can be tried: one fault is one line.
    let to_code = match &seen {
        Ok(_) => front(),
        Err(_) => Ok(parts::test_camera(config, view)),
    };
    let is_test = seen.is_err();
    let mut lines = vec![("camera", seen)];
    let rear = parts::rear_camera(config, view, &board);
    if let Some(make) = rear.map_err(|fatal| fatal.text).transpose() {
        lines.push(("rear", frames(make)));
    }
    // Without libcamera the camera's own line has said why.
    if csi_program::is_wanted(config) && csi::built_for().is_some() {
        lines.extend(listed("csi", csi::findings()));
    }
    if config.camera.source == CameraSource::V4l {
        lines.extend(listed("usb", parts::webcams()));
    }
    if let Some((_, Err(camera))) = lines.first().cloned() {
        lines.retain(|(name, found)| *name == "camera" || !is_told(found, &camera));
    }
    let coded = to_code.and_then(|make| encoder(config, make));
    let of_what = if is_test { ", of a test picture" } else { "" };
    lines.push(("encoder", coded.map(|said| format!("{said}{of_what}"))));
    if config.encoder != EncoderKind::OpenH264 {
        lines.extend(parts::coding_devices().map(|found| ("encoders", found)));
    }
    lines.extend(parts::too_much(&config.camera).map(|why| ("size", Ok(why))));
    lines
}

/// Whether the camera's own line says it already.
fn is_told(found: &Finding, camera: &str) -> bool {
    matches!(found, Err(why) if camera.contains(why.as_str()))
}

/// The cameras there are; if there is none, the reasons are one line, for they are one fault.
fn listed(
    kind: &'static str,
    findings: Result<Vec<String>, Vec<String>>,
) -> Vec<(&'static str, Finding)> {
    match findings {
        Ok(lines) => lines.into_iter().map(|line| (kind, Ok(line))).collect(),
        Err(reasons) => vec![(kind, Err(reasons.join("; ")))],
    }
}

/// Takes frames.
fn camera(config: &Config, mut make: MakeCamera) -> Finding {
    let mut camera = make().map_err(|err| parts::chain(&err))?;
    let started = Instant::now();
    let mut size = (0, 0);
    for _ in 0..FRAMES {
        let frame = camera.next_frame().map_err(|err| parts::chain(&err))?;
        size = (frame.width(), frame.height());
    }
    let per_second = f64::from(FRAMES - 1) / started.elapsed().as_secs_f64().max(0.001);
    Ok(format!(
        "{}x{}, {per_second:.0} frames a second (asked for {})",
        size.0, size.1, config.camera.fps
    ))
}

/// Codes frames.
fn encoder(config: &Config, mut make_camera: MakeCamera) -> Finding {
    let mut make = parts::encoder(config).map_err(|fatal| fatal.text)?;
    let mut camera = make_camera().map_err(|err| parts::chain(&err))?;
    let mut encoder = make().map_err(|err| parts::chain(&err))?;
    let mut spent = Duration::ZERO;
    let mut bytes = 0;
    for n in 0..FRAMES {
        let frame = camera.next_frame().map_err(|err| parts::chain(&err))?;
        let started = Instant::now();
        let unit = encoder
            .encode(&frame, n == 0)
            .map_err(|err| parts::chain(&err))?;
        spent += started.elapsed();
        bytes += unit.map_or(0, |unit| unit.data().len());
    }
    let who = if encoder.is_hardware() {
        "a device"
    } else {
        "the processor"
    };
    let each = spent / FRAMES;
    let budget = Duration::from_secs(1) / config.camera.fps.max(1);
    if each > budget {
        return Err(format!(
            "{} ms a frame by {who} is more than {} frames a second allow; choose a smaller camera.width and height, or \
             fewer camera.fps",
            each.as_millis(),
            config.camera.fps
        ));
    }
    Ok(format!(
        "{:.1} ms a frame by {who}, {} kB in {FRAMES} frames",
        each.as_secs_f64() * 1000.0,
        bytes / 1000
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::built_in;

    #[test]
    fn reasons_for_no_camera_are_one_fault_and_cameras_a_line_each() {
        let two = |words: [&str; 2]| words.map(str::to_owned).to_vec();
        let lines = listed("csi", Err(two(["the ribbon", "the overlay"])));
        assert_eq!(lines, [("csi", Err("the ribbon; the overlay".to_owned()))]);
        let lines = listed("usb", Ok(two(["0: imx708", "1: ov5647"])));
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1], ("usb", Ok("1: ov5647".to_owned())));
    }

    #[test]
    fn what_the_camera_s_line_says_is_not_said_again() {
        let camera = "camera v4l: not found: there is no USB camera";
        let found = |text: &str| Err(text.to_owned());
        assert!(is_told(&found("there is no USB camera"), camera));
        assert!(!is_told(&found("the ribbon"), camera));
        assert!(!is_told(&Ok("there is no USB camera".to_owned()), camera));
    }

    #[test]
    fn two_simulated_cameras_are_looked_at_and_libcamera_is_not() {
        let set = crate::config::Set {
            key: "camera.rear.source".to_owned(),
            value: "sim".to_owned(),
            flag: "--set".to_owned(),
        };
        let config = crate::config::with(&[set]);
        let lines = checks(&config, &Arc::default());
        let names: Vec<_> = lines.iter().map(|(name, _)| *name).collect();
        assert_eq!(names[..3], ["camera", "rear", "encoder"]);
        for (name, finding) in &lines[..2] {
            let words = finding.as_ref().unwrap();
            assert!(words.contains("1280x720"), "{name}: {words}");
        }
        assert!(!csi_program::is_wanted(&built_in()));
    }
}
