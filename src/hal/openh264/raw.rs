//! The two encoder options that the `openh264` crate has no safe call for: the bitrate while it runs, and its chatter.
//!
//! Opening the encoder anew for each new bitrate would be safe code, but each opening costs an IDR of twenty to thirty
//! kilobytes, exactly when the link has just become slow; a bandwidth estimate changes several times a second. So these
//! few lines are unsafe and no others: everything here is one call of `SetOption` with a pointer to a local value.
//!
//! Promises: the option's number and the type behind the pointer belong together; the pointer is not kept.
//! Sources: `codec/api/wels/codec_app_def.h` of openh264 2.x (`ENCODER_OPTION`, `SBitrateInfo`, `LAYER_NUM`) and
//! `CWelsH264SVCEncoder::SetOption` in `codec/encoder/plus/src/welsEncoderExt.cpp`, which copies what it is given.

#![expect(
    unsafe_code,
    reason = "the crate offers SetOption only as an unsafe call"
)]

use std::ffi::c_int;

use openh264::encoder::Encoder;

/// spec: `ENCODER_OPTION_BITRATE`.
const BITRATE: c_int = 5;
/// spec: `ENCODER_OPTION_MAX_BITRATE`.
const MAX_BITRATE: c_int = 6;
/// spec: `ENCODER_OPTION_TRACE_LEVEL`.
const TRACE_LEVEL: c_int = 25;
/// spec: `SPATIAL_LAYER_0` of `LAYER_NUM`; there is one layer.
const LAYER_0: c_int = 0;
/// spec: `SPATIAL_LAYER_ALL` of `LAYER_NUM`.
const LAYER_ALL: c_int = 4;
/// spec: `WELS_LOG_QUIET`.
const QUIET: c_int = 0;

/// spec: `SBitrateInfo`.
#[repr(C)]
struct BitrateInfo {
    layer: c_int,
    bits_per_second: c_int,
}

/// A code that the encoder gave back, not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused(c_int);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "native code {}", self.0)
    }
}

impl std::error::Error for Refused {}

/// Silences the encoder's own lines on stderr; it may be called before the first frame.
pub(super) fn quiet(encoder: &mut Encoder) -> Result<(), Refused> {
    let mut level = QUIET;
    // SAFETY: TRACE_LEVEL reads one 32-bit integer from the pointer during the call, and `level` outlives the call.
    // It needs no initialised encoder: `SetOption` exempts it from that check.
    let code = unsafe {
        encoder
            .raw_api()
            .set_option(TRACE_LEVEL, (&raw mut level).cast())
    };
    checked(code)
}

/// Sets target and ceiling of the rate; only after the first frame was encoded.
pub(super) fn set_bitrate(
    encoder: &mut Encoder,
    old_bits_per_second: c_int,
    bits_per_second: c_int,
) -> Result<(), Refused> {
    // The encoder refuses a target above its ceiling: when it rises, the ceiling goes first.
    let mut steps = [(MAX_BITRATE, LAYER_0), (BITRATE, LAYER_ALL)];
    if bits_per_second < old_bits_per_second {
        steps.reverse();
    }
    for (option, layer) in steps {
        let mut info = BitrateInfo {
            layer,
            bits_per_second,
        };
        // SAFETY: both options read one `SBitrateInfo` from the pointer during the call; `BitrateInfo` has the same
        // layout (two C integers) and `info` outlives the call. An encoder that is not initialised refuses with a code.
        let code = unsafe { encoder.raw_api().set_option(option, (&raw mut info).cast()) };
        checked(code)?;
    }
    Ok(())
}

fn checked(code: c_int) -> Result<(), Refused> {
    if code == 0 {
        Ok(())
    } else {
        Err(Refused(code))
    }
}
