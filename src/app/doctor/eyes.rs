//! Doctor's lines for camera and encoder: the ones that `run` would use, for a second or two.
//!
//! Promises: each is opened, used and closed again. Knows nothing of: networks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Finding;
use crate::app::parts;
use crate::config::Config;
use crate::hal::sim::SimView;

/// Frames taken from the camera and coded. choice: a second or two at any rate.
const FRAMES: u32 = 15;

/// Takes frames.
pub(super) fn camera(config: &Config, view: &Arc<SimView>) -> Finding {
    let mut make = parts::camera(config, Arc::clone(view)).map_err(|fatal| fatal.text)?;
    let mut camera = make().map_err(|err| parts::chain(&err))?;
    let started = Instant::now();
    for _ in 0..FRAMES {
        camera.next_frame().map_err(|err| parts::chain(&err))?;
    }
    let per_second = f64::from(FRAMES - 1) / started.elapsed().as_secs_f64().max(0.001);
    Ok(format!(
        "{} {}x{}, {per_second:.0} frames a second (asked for {})",
        config.camera.source.word(),
        config.camera.width,
        config.camera.height,
        config.camera.fps
    ))
}

/// Codes frames.
pub(super) fn encoder(config: &Config, view: &Arc<SimView>) -> Finding {
    let mut make_camera = parts::camera(config, Arc::clone(view)).map_err(|fatal| fatal.text)?;
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
