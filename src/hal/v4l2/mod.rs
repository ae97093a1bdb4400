//! Video devices of Linux: the H.264 encoder of a Pi.
//!
//! ```text
//!   encoder::V4l2Encoder ─┐                                 ┌─ kernel::Linux ─▶ /dev/video*
//!   list (doctor) ────────┴─▶ border: Kernel, Device ───────┤
//!                             one method an ioctl           └─ fake: drivers after their sources
//! ```
//!
//! By symptom:
//! - *no video device codes H.264*: a Pi 5 has no encoder; on others `bcm2835-codec` is missing: `modprobe bcm2835-codec`.
//! - *permission denied*: the user is not in the group that the node belongs to, mostly `video`.
//! - *busy*: another program has it open; it is named.
//! - *frames are copied*: the log says why; the picture's lines are not where the encoder wants them, or it cannot import.
//!
//! Promises: no device is opened before it is asked for; everything is given back when its owner is dropped.
//! Knows nothing of: networks, the configuration file, when to restart.
//! Sources: Linux `userspace-api/media/v4l`; see each file.

pub mod border;
mod control;
pub mod encoder;
#[doc(hidden)]
pub mod fake;
pub mod kernel;
mod stream;
pub(crate) mod trouble;

pub use border::{Devices, FourCc};
pub use encoder::{V4l2Encoder, V4l2Settings};

use std::sync::Arc;

/// The video devices of this machine.
#[must_use]
pub fn devices() -> Devices {
    Arc::new(kernel::Linux)
}
