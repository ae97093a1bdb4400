//! V4L2 without a kernel: drivers after their sources, for tests on any machine.
//!
//! It stands at the border, below all code that talks to devices. Buffers are real shared memory and DMABUFs real file
//! descriptors, so that what leaks here leaks for real; time is not real: nothing to wait for is known at once.
//!
//! ```text
//!   FakeKernel ── /dev/video11 codec::CodecModel      bcm2835-codec, or vicodec
//!             └── /dev/video0  webcam::WebcamModel    uvcvideo
//!   each call counts; the n-th can be made to fail, or to hang; a node can be unplugged, or belong to somebody else
//! ```
//!
//! Promises: no allocation a frame, so that those of the code under test can be counted.
//! Knows nothing of: who calls. Sources: the drivers that `codec` and `webcam` name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;

use super::border::{Capability, Device, Devices, FourCc, Hint, Kernel, Place};
use super::encoder::V4l2Settings;
use super::kernel::Mapped;

pub mod codec;
pub mod lender;
pub mod units;
pub mod webcam;

use codec::CodecModel;
use webcam::WebcamModel;

use crate::config::words::{EncoderLevel, EncoderProfile};
use crate::logic::units::Kbps;

/// What the tests ask of an encoder: H.264 baseline, 30 frames and 2500 kbit a second, from the first that there is.
#[must_use]
pub const fn settings() -> V4l2Settings {
    V4l2Settings {
        device: None,
        fps: 30,
        bitrate: Kbps::new(2500),
        profile: EncoderProfile::Baseline,
        level: EncoderLevel::Auto,
        patience: V4l2Settings::PATIENCE,
        coded: FourCc::H264,
    }
}

/// A device of the fake.
#[derive(Clone, Debug)]
pub enum Model {
    /// An encoder.
    Codec(Arc<CodecModel>),
    /// A camera.
    Webcam(Arc<WebcamModel>),
    /// There is a node that this user may not open.
    Forbidden,
}

#[derive(Debug, Default)]
struct World {
    nodes: BTreeMap<PathBuf, Model>,
    calls: u64,
    fail: Option<(u64, Errno)>,
    hang: Option<u64>,
    /// Openings of each node.
    openings: BTreeMap<PathBuf, u64>,
    open: usize,
}

/// A kernel with the devices that it was given.
#[derive(Clone, Debug, Default)]
pub struct FakeKernel {
    world: Arc<Mutex<World>>,
    let_go: Arc<Condvar>,
}

impl FakeKernel {
    /// A kernel with this device.
    #[must_use]
    pub fn with(path: &str, model: Model) -> Self {
        let kernel = Self::default();
        kernel.plug(path, model);
        kernel
    }

    /// It, as those who look for devices take it.
    #[must_use]
    pub fn devices(&self) -> Devices {
        Arc::new(self.clone())
    }

    /// Adds a device.
    pub fn plug(&self, path: &str, model: Model) {
        self.world().nodes.insert(path.into(), model);
    }

    /// Takes a device away: what is open of it answers that it is gone.
    pub fn unplug(&self, path: &str) {
        self.world().nodes.remove(Path::new(path));
    }

    /// Lets the n-th call from now fail, from 1; no other.
    pub fn fail(&self, nth: u64, errno: Errno) {
        let mut world = self.world();
        world.fail = Some((world.calls + nth, errno));
    }

    /// Lets the n-th call from now hang, from 1, until [`Self::let_go`].
    pub fn hang(&self, nth: u64) {
        let mut world = self.world();
        world.hang = Some(world.calls + nth);
    }

    /// Lets a call that hangs return.
    pub fn let_go(&self) {
        self.world().hang = None;
        self.let_go.notify_all();
    }

    /// How often a node was opened.
    #[must_use]
    pub fn openings(&self, path: &str) -> u64 {
        let world = self.world();
        world.openings.get(Path::new(path)).copied().unwrap_or(0)
    }

    /// Calls so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.world().calls
    }

    /// Devices that are open.
    #[must_use]
    pub fn open_devices(&self) -> usize {
        self.world().open
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call, which may be the one that fails.
    fn call(&self) -> io::Result<()> {
        let mut world = self.world();
        world.calls += 1;
        let own = world.calls;
        while world.hang == Some(own) {
            world = self
                .let_go
                .wait(world)
                .unwrap_or_else(PoisonError::into_inner);
        }
        match world.fail {
            Some((at, errno)) if at == own => Err(errno.into()),
            Some(_) | None => Ok(()),
        }
    }

    /// Counts a call of a device that must still be plugged in.
    fn call_of(&self, path: &Path) -> io::Result<()> {
        self.call()?;
        if self.world().nodes.contains_key(path) {
            Ok(())
        } else {
            Err(Errno::NODEV.into())
        }
    }
}

impl Kernel for FakeKernel {
    fn nodes(&self) -> io::Result<Vec<PathBuf>> {
        self.call()?;
        Ok(self.world().nodes.keys().cloned().collect())
    }

    fn hint(&self, path: &Path) -> Hint {
        let capability = match self.world().nodes.get(path) {
            Some(Model::Codec(model)) => model.capability.clone(),
            Some(Model::Webcam(model)) => model.capability.clone(),
            Some(Model::Forbidden) | None => Capability::default(),
        };
        Hint {
            driver: capability.driver,
            name: capability.card,
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Device>> {
        self.call()?;
        *self.world().openings.entry(path.into()).or_default() += 1;
        let model = self.world().nodes.get(path).cloned();
        let device: Box<dyn Device> = match model {
            Some(Model::Codec(model)) => Box::new(codec::Codec::new(self, path, model)),
            Some(Model::Webcam(model)) => Box::new(webcam::Webcam::new(self, path, model)),
            Some(Model::Forbidden) => return Err(Errno::ACCESS.into()),
            None => return Err(Errno::NOENT.into()),
        };
        Ok(device)
    }
}

/// An open device as the kernel counts it.
#[derive(Debug)]
struct Handle {
    kernel: FakeKernel,
    path: PathBuf,
}

impl Handle {
    fn new(kernel: &FakeKernel, path: &Path) -> Self {
        kernel.world().open += 1;
        Self {
            kernel: kernel.clone(),
            path: path.to_owned(),
        }
    }

    fn call(&self) -> io::Result<()> {
        self.kernel.call_of(&self.path)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.kernel.world().open -= 1;
    }
}

/// Shared memory for the buffers of a queue, each on pages of its own.
#[derive(Debug)]
struct Shared {
    file: File,
    each: usize,
}

impl Shared {
    fn new(count: u32, bytes: u32) -> io::Result<Self> {
        let each = u64::from(bytes).max(1).next_multiple_of(4096);
        let file = File::from(memfd_create("fake-v4l2", MemfdFlags::CLOEXEC)?);
        file.set_len(each * u64::from(count))?;
        Ok(Self {
            file,
            each: usize::try_from(each).map_err(io::Error::other)?,
        })
    }

    fn place(&self, index: u32, bytes: u32) -> Place {
        Place {
            offset: self.offset(index),
            length: usize::try_from(bytes).unwrap_or(0),
        }
    }

    fn offset(&self, index: u32) -> u64 {
        u64::from(index) * u64::try_from(self.each).unwrap_or(0)
    }

    fn map(&self, place: Place) -> io::Result<Mapped> {
        Mapped::new(self.file.as_fd(), place)
    }
}
