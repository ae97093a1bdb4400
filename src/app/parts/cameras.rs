//! The camera that the configuration names, or two of them as one.
//!
//! ```text
//!   camera.source ──────────────────────────▶ front ─┐
//!   camera.rear.source: none ─▶ front alone          ├▶ Pair ── Sight: throttle, the old app's key, the driver's wish
//!                       else ───────────────▶ rear ──┘
//! ```
//!
//! Promises: nothing is opened before the maker is called. Knows nothing of: who films, and what fails.

use std::sync::Arc;

use super::{MakeCamera, not_built, video_devices};
use crate::app::Fatal;
use crate::app::board::Board;
use crate::app::csi_program;
use crate::config::{Camera as Settings, CameraSource, Config, Rear, RearSource};
use crate::hal::csi;
use crate::hal::pair::{Pair, Rules};
use crate::hal::sim::{SimCamera, SimCameraSettings, SimView};
use crate::hal::{Camera, CameraError};
use crate::logic::sight::{Eye, Sight};

/// One camera, opened; called again after it failed.
pub(super) type Open = Arc<dyn Fn() -> Result<Box<dyn Camera>, CameraError> + Send + Sync>;

/// How to make the camera that `camera.source` names, together with that of `camera.rear.source`. What a driver wants of
/// them comes through the board.
///
/// # Errors
/// A kind of camera that this program was built without.
pub fn camera(
    config: &Config,
    view: &Arc<SimView>,
    board: &Arc<Board>,
) -> Result<MakeCamera, Fatal> {
    let settings = &config.camera;
    board.eyes.desk.put(settings.controls);
    board.video.set_rear(settings.rear.is_some());
    let front = front(settings, view, board)?;
    let Some(rear) = &settings.rear else {
        return Ok(Box::new(move || front()));
    };
    let behind = behind(settings, rear, view, board)?;
    let (board, stands_by, dwell) = (Arc::clone(board), rear.stands_by, rear.dwell);
    Ok(Box::new(move || {
        let (front, behind) = (Arc::clone(&front), Arc::clone(&behind));
        let looks = Arc::clone(&board);
        let mut sight = Sight::new(dwell);
        let mut last = looks.status();
        let rules = Rules {
            open: Box::new(move |eye| match eye {
                Eye::Front => front(),
                Eye::Rear => behind(),
            }),
            choose: Box::new(move |now| {
                // In the instant of a change the one before is as good.
                last = looks.status().or(last);
                let look = last.as_ref().map(|status| looks.eyes.look(status));
                sight.step(now, look.unwrap_or_default())
            }),
            stands_by,
        };
        Ok(Box::new(Pair::open(rules)?))
    }))
}

/// The simulated camera, with the size and the rate of the one that is configured.
#[must_use]
pub fn test_camera(config: &Config, view: &Arc<SimView>) -> MakeCamera {
    let make = sim(&config.camera, view, |camera| camera);
    Box::new(move || make())
}

/// How to make the one of `camera.source` alone.
///
/// # Errors
/// A kind of camera that this program was built without.
pub fn front_camera(
    config: &Config,
    view: &Arc<SimView>,
    board: &Arc<Board>,
) -> Result<MakeCamera, Fatal> {
    let front = front(&config.camera, view, board)?;
    Ok(Box::new(move || front()))
}

/// How to make the one of `camera.rear.source` alone, if there is to be one.
///
/// # Errors
/// A kind of camera that this program was built without.
pub fn rear_camera(
    config: &Config,
    view: &Arc<SimView>,
    board: &Arc<Board>,
) -> Result<Option<MakeCamera>, Fatal> {
    let Some(rear) = &config.camera.rear else {
        return Ok(None);
    };
    let behind = behind(&config.camera, rear, view, board)?;
    Ok(Some(Box::new(move || behind())))
}

fn front(settings: &Settings, view: &Arc<SimView>, board: &Arc<Board>) -> Result<Open, Fatal> {
    let turn = csi::Turn {
        rotation: settings.rotation,
        flip_horizontal: settings.flip_horizontal,
        flip_vertical: settings.flip_vertical,
    };
    match settings.source {
        CameraSource::Libcamera if csi::built_for().is_some() => {
            let which = which(settings.id.as_ref(), settings.index);
            Ok(csi(csi_settings(settings, which, turn), board))
        }
        CameraSource::Sim => Ok(sim(settings, view, |camera| camera)),
        CameraSource::V4l => video_devices::webcam(settings, turn),
        CameraSource::Libcamera => Ok(no_libcamera()),
    }
}

fn behind(
    settings: &Settings,
    rear: &Rear,
    view: &Arc<SimView>,
    board: &Arc<Board>,
) -> Result<Open, Fatal> {
    match rear.source {
        RearSource::Libcamera if csi::built_for().is_some() => {
            let turn = csi::Turn {
                rotation: rear.rotation,
                flip_horizontal: rear.flip_horizontal,
                flip_vertical: rear.flip_vertical,
            };
            let which = which(rear.id.as_ref(), rear.index);
            Ok(csi(csi_settings(settings, which, turn), board))
        }
        RearSource::Sim => Ok(sim(settings, view, SimCamera::looking_back)),
        RearSource::Libcamera => Ok(no_libcamera()),
        RearSource::None => Err(not_built("camera.rear.source", rear.source.word())),
    }
}

fn sim(settings: &Settings, view: &Arc<SimView>, turn: fn(SimCamera) -> SimCamera) -> Open {
    let (width, height, fps) = (settings.width, settings.height, settings.fps);
    let (settings, view) = (SimCameraSettings { width, height, fps }, Arc::clone(view));
    Arc::new(move || {
        Ok(Box::new(turn(SimCamera::open(
            settings,
            Arc::clone(&view),
        )?)))
    })
}

fn csi(settings: csi::CsiSettings, board: &Arc<Board>) -> Open {
    let desk = Arc::clone(&board.eyes.desk);
    Arc::new(move || csi::open(&settings, Arc::clone(&desk)))
}

/// Never opens: the car runs without a picture, and says why.
fn no_libcamera() -> Open {
    Arc::new(|| {
        Err(CameraError::Unsupported {
            camera: "libcamera".to_owned(),
            why: csi_program::why_not().to_owned(),
        })
    })
}

fn which(id: Option<&String>, index: u32) -> csi::Which {
    id.map_or(csi::Which::Index(index), |id| csi::Which::Id(id.clone()))
}

/// What is asked of a CSI camera.
fn csi_settings(settings: &Settings, which: csi::Which, turn: csi::Turn) -> csi::CsiSettings {
    csi::CsiSettings {
        which,
        width: settings.width,
        height: settings.height,
        fps: settings.fps,
        turn,
        controls: settings.controls,
    }
}
