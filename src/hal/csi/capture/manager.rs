//! libcamera's manager of cameras: one in a process, as long as somebody uses it.
//!
//! libcamera ends the process if a second manager is made while there is one, so this is the one place of the program with
//! a global: it mirrors the library's own.
//!
//! Promises: all cameras of the process share one manager; it ends with the last of them.
//! Knows nothing of: configurations.
//! Sources: libcamera `camera_manager.cpp` ("Multiple `CameraManager` objects are not allowed").

use std::sync::{Arc, Mutex, PoisonError, Weak};

use libcamera::camera::Camera;
use libcamera::camera_manager::CameraManager;

use super::raw::Handle;
use crate::hal::CameraError;
use crate::hal::csi::in_order;

/// The one that runs, if one does.
static RUNNING: Mutex<Weak<Manager>> = Mutex::new(Weak::new());

/// The manager.
#[derive(Debug)]
pub(super) struct Manager(Mutex<Inner>);

struct Inner(Handle<CameraManager>);

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CameraManager")
    }
}

impl Manager {
    /// The manager, started if it does not run.
    pub(super) fn get() -> Result<Arc<Self>, CameraError> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(manager) = running.upgrade() {
            return Ok(manager);
        }
        let manager = CameraManager::new().map_err(|source| CameraError::Failed {
            camera: "libcamera".into(),
            step: "start libcamera",
            source: Box::new(source),
        })?;
        let manager = Arc::new(Self(Mutex::new(Inner(Handle::new(manager)))));
        *running = Arc::downgrade(&manager);
        Ok(manager)
    }

    /// Does something with the cameras that are connected now, in the order of their index.
    pub(super) fn with_cameras<T>(&self, look: impl FnOnce(&[Camera<'static>]) -> T) -> T {
        let manager = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let list = manager.0.cameras();
        let mut cameras: Vec<_> = (0..list.len()).filter_map(|at| list.get(at)).collect();
        in_order(&mut cameras, |camera| camera.id());
        look(&cameras)
    }
}
