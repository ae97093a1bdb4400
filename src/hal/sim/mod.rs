//! The simulated car: a camera that looks down a drawn road, and outputs that move the car along it.
//!
//! It is what runs when nothing is configured, what the tests drive, and what a driver tries first. It behaves as
//! hardware does: frames come at their own pace and are missed by who is late, outputs can fail.
//!
//! ```text
//!   Setpoint ─▶ SimActuators ─▶ SimView ─▶ SimCamera: motion ─▶ picture ─▶ grain ─▶ stamp ─▶ Frame
//!                    │          (one atomic word)
//!                    └─▶ actuator log, one line a change
//! ```
//!
//! Promises: integers only; nothing is allocated once a device is open.
//! Knows nothing of: networks, configuration.

pub mod actuators;
pub mod camera;
pub mod canvas;
pub mod font;
pub mod grain;
pub mod motion;
pub mod picture;
pub mod stamp;

pub use actuators::SimActuators;
pub use camera::{SimCamera, SimCameraSettings};
pub use motion::SimView;
pub use stamp::Stamp;
