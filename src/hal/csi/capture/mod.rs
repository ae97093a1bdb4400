//! Cameras behind libcamera: found, configured, started.
//!
//! ```text
//!   manager ─▶ configure: pick, agree ─▶ acquire ─▶ pool: buffers, requests ─▶ dials ─▶ start ─▶ flow: CsiCamera
//! ```
//!
//! Promises: a camera is opened as it was asked for, or not at all; `BUFFERS` buffers and no more.
//! Knows nothing of: encoders, and which camera is shown.
//! Sources: libcamera `camera.h` ("camera operation": the states of a camera).

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use libcamera::camera::ActiveCamera;
use libcamera::control::ControlList;
use libcamera::properties::ScalerCropMaximum;
use libcamera::request::Request;

use super::zoom::Part;
use super::{Connected, CsiSettings, Desk};
use crate::hal::{Camera, CameraError};
use crate::logic::camera::Controls;

mod configure;
mod dials;
mod flow;
mod manager;
mod pool;
mod raw;

use configure::BUFFERS;
use dials::Optics;
use flow::{CsiCamera, Started};
use manager::Manager;
use raw::Handle;

/// What libcamera's thread tells us.
enum Event {
    /// A request is done, or was cancelled.
    Done(Request),
    /// The camera was unplugged.
    Gone,
}

/// The release of libcamera that this program was built for.
#[must_use]
pub fn built_for() -> Option<&'static str> {
    Some("0.7")
}

/// Opens a camera, whose dials `desk` moves from now on.
///
/// # Errors
/// What is missing or impossible, and what would be possible.
pub fn open(settings: &CsiSettings, desk: Arc<Desk>) -> Result<Box<dyn Camera>, CameraError> {
    let manager = Manager::get()?;
    let (mut camera, mut agreed) = manager.with_cameras(|cameras| {
        let camera = configure::pick(cameras, &settings.which)?;
        let agreed = configure::agree(camera, settings)?;
        let active = camera.acquire().map_err(|source| {
            let step = "take it for ourselves (another program may have it)";
            failed(camera.id(), step, source)
        })?;
        Ok((Handle::new(active), agreed))
    })?;
    camera
        .configure(&mut agreed.configuration)
        .map_err(|source| failed(camera.id(), "configure it", source))?;
    let picture = (settings.width, settings.height);
    let pool = pool::fill(&mut camera, &agreed, picture)?;
    let (tell, events) = sync_channel(pool.requests.len() + 1);
    listen(&mut camera, &tell);
    let most = camera.properties().get::<ScalerCropMaximum>().ok();
    let optics = Optics {
        fps: settings.fps,
        picture,
        most: most.map(|most| Part {
            x: most.0.x,
            y: most.0.y,
            width: most.0.width,
            height: most.0.height,
        }),
    };
    let controls = start(&mut camera, settings, optics, &desk)?;
    tracing::info!(
        camera = camera.id(),
        width = settings.width,
        height = settings.height,
        stride = agreed.stride,
        format = if agreed.is_planar { "YUV420" } else { "NV12" },
        buffers = BUFFERS,
        "camera opened"
    );
    Ok(Box::new(CsiCamera::new(Started {
        manager,
        camera,
        pool,
        events,
        optics,
        desk,
        controls,
    })?))
}

/// The cameras that are connected.
///
/// # Errors
/// libcamera does not start.
pub fn survey() -> Result<Vec<Connected>, CameraError> {
    let manager = Manager::get()?;
    Ok(manager.with_cameras(|cameras| cameras.iter().map(configure::describe).collect()))
}

/// Has libcamera's thread tell us what happens.
fn listen(camera: &mut ActiveCamera<'static>, tell: &SyncSender<Event>) {
    let (done, gone) = (tell.clone(), tell.clone());
    // The channel has room for every request and for the end; it is full only if libcamera completes one twice.
    camera.on_request_completed(move |request| {
        let _ = done.try_send(Event::Done(request));
    });
    camera.on_disconnected(move || {
        let _ = gone.try_send(Event::Gone);
    });
}

/// Starts the camera with its dials where they were asked to be.
fn start(
    camera: &mut ActiveCamera<'static>,
    settings: &CsiSettings,
    optics: Optics,
    desk: &Desk,
) -> Result<Controls, CameraError> {
    let name = camera.id().to_owned();
    let mut first = ControlList::new();
    // A camera that is opened again has what the driver chose meanwhile; a dial that it lacks is only then no error.
    let missing = dials::write(
        &mut first,
        camera.controls(),
        optics,
        None,
        &settings.controls,
    );
    if let Some(dial) = missing.first() {
        return Err(CameraError::Unsupported {
            camera: name,
            why: format!("it has no control for camera.controls.{dial}; leave it at its default"),
        });
    }
    let now = desk.controls();
    let _ = dials::write(
        &mut first,
        camera.controls(),
        optics,
        Some(&settings.controls),
        &now,
    );
    camera
        .start(Some(&first))
        .map_err(|source| failed(&name, "start it", source))?;
    Ok(now)
}

fn failed(camera: &str, step: &'static str, source: std::io::Error) -> CameraError {
    CameraError::Failed {
        camera: camera.to_owned(),
        step,
        source: Box::new(source),
    }
}
