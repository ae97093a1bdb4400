//! What an encoder is told before it starts.
//!
//! ```text
//!   rate constant ─▶ bitrate ─▶ profile ─▶ level ─▶ no B-frames ─▶ headers repeated ─▶ IDRs on request only
//! ```
//!
//! A driver may lack any of these but the bitrate: the output is looked at anyway (`flow`).
//!
//! Promises: a value is brought into the driver's range. Knows nothing of: buffers, formats.
//! Sources: as `open`.

use super::V4l2Settings;
use super::open::unsupported;
use crate::config::words::EncoderProfile;
use crate::hal::EncoderError;
use crate::hal::v4l2::border::{Control, Device, Span};
use crate::hal::v4l2::{control, trouble};
use crate::logic::units::Kbps;

/// Frames from one IDR to the next where none is asked for. choice: as long as all drivers take; IDRs come on request.
pub(super) const LONG: i32 = i32::MAX;

/// Sets what H.264 needs; the range of bitrates.
pub(super) fn set_controls<S, E>(
    device: &dyn Device,
    settings: &V4l2Settings,
    target: Kbps,
    size: (u32, u32),
    name: &str,
    step: &S,
) -> Result<Span, EncoderError>
where
    S: Fn(&'static str) -> E,
    E: FnOnce(std::io::Error) -> EncoderError,
{
    optional(device, control::BITRATE_MODE, control::CONSTANT, step)?;
    let bitrates = device
        .span(control::BITRATE)
        .map_err(step("ask for bitrates"))?
        .ok_or_else(|| unsupported(name, "its bitrate cannot be set".to_owned()))?;
    device
        .set_control(control::BITRATE, bits(target, bitrates))
        .map_err(step("set the bitrate"))?;
    let has_profile = optional(
        device,
        control::PROFILE,
        control::profile(settings.profile),
        step,
    )?;
    if !has_profile && settings.profile == EncoderProfile::Baseline {
        optional(device, control::PROFILE, control::PLAIN_BASELINE, step)?;
    }
    let level = control::level(settings.level, size, settings.fps);
    optional(device, control::LEVEL, level, step)?;
    optional(device, control::B_FRAMES, 0, step)?;
    optional(device, control::REPEAT_HEADERS, 1, step)?;
    if !optional(device, control::GOP_SIZE, LONG, step)? {
        optional(device, control::I_PERIOD, LONG, step)?;
    }
    Ok(bitrates)
}

/// Sets a control if the driver has it and takes the value, which is brought into its range: the output is looked at
/// anyway. False if it does not.
pub(super) fn optional<S, E>(
    device: &dyn Device,
    control: Control,
    value: i32,
    step: &S,
) -> Result<bool, EncoderError>
where
    S: Fn(&'static str) -> E,
    E: FnOnce(std::io::Error) -> EncoderError,
{
    let Some(span) = device.span(control).map_err(step("ask for a control"))? else {
        return Ok(false);
    };
    let value = value.clamp(span.least, span.most.max(span.least));
    match device.set_control(control, value) {
        Ok(()) => Ok(true),
        Err(error) if is_unknown(&error) => Ok(false),
        Err(error) => Err(step("set a control")(error)),
    }
}

/// The driver has no such thing, or not this value of it.
pub(super) fn is_unknown(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    trouble::is_any(error, &[Errno::INVAL, Errno::NOTTY, Errno::RANGE])
}

/// The target in bits a second, in the driver's range.
pub(super) fn bits(target: Kbps, span: Span) -> i32 {
    let wanted = i32::try_from(target.bits_per_second()).unwrap_or(i32::MAX);
    wanted.clamp(span.least, span.most.max(span.least))
}
