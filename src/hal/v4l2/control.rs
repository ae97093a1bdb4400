//! The controls of an encoder, by number and value.
//!
//! Promises: the numbers are the kernel's, which never change. Knows nothing of: which driver has which.
//! Sources: `v4l2-controls.h`; Linux `ext-ctrls-codec`.

use super::border::Control;
use crate::config::words::{EncoderLevel, EncoderProfile};
use crate::hal::level::{Level, least};

/// spec: `V4L2_CID_CODEC_BASE`.
const BASE: u32 = 0x0099_0900;

/// spec: `V4L2_CID_MPEG_VIDEO_B_FRAMES`: pictures between two that do not refer to later ones.
pub(super) const B_FRAMES: Control = Control(BASE + 202);
/// spec: `V4L2_CID_MPEG_VIDEO_GOP_SIZE`.
pub(super) const GOP_SIZE: Control = Control(BASE + 203);
/// spec: `V4L2_CID_MPEG_VIDEO_BITRATE_MODE`.
pub(super) const BITRATE_MODE: Control = Control(BASE + 206);
/// spec: `V4L2_CID_MPEG_VIDEO_BITRATE`, bits a second.
pub(super) const BITRATE: Control = Control(BASE + 207);
/// spec: `V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER`: parameter sets before each IDR.
pub(super) const REPEAT_HEADERS: Control = Control(BASE + 226);
/// spec: `V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME`, a button.
pub(super) const FORCE_KEY: Control = Control(BASE + 229);
/// spec: `V4L2_CID_MPEG_VIDEO_H264_I_PERIOD`.
pub(super) const I_PERIOD: Control = Control(BASE + 358);
/// spec: `V4L2_CID_MPEG_VIDEO_H264_LEVEL`.
pub(super) const LEVEL: Control = Control(BASE + 359);
/// spec: `V4L2_CID_MPEG_VIDEO_H264_PROFILE`.
pub(super) const PROFILE: Control = Control(BASE + 363);

/// spec: `V4L2_MPEG_VIDEO_BITRATE_MODE_CBR`.
pub(super) const CONSTANT: i32 = 1;

/// spec: `enum v4l2_mpeg_video_h264_profile`; a driver that has no constrained baseline takes baseline.
pub(super) const fn profile(wanted: EncoderProfile) -> i32 {
    match wanted {
        EncoderProfile::Baseline => 1,
        EncoderProfile::Main => 2,
    }
}

/// spec: `V4L2_MPEG_VIDEO_H264_PROFILE_BASELINE`.
pub(super) const PLAIN_BASELINE: i32 = 0;

/// What `profile_idc` of the stream must be. spec: ITU-T H.264 A.2.1, A.2.2.
pub(super) const fn profile_in_stream(wanted: EncoderProfile) -> u8 {
    match wanted {
        EncoderProfile::Baseline => 66,
        EncoderProfile::Main => 77,
    }
}

/// spec: `enum v4l2_mpeg_video_h264_level`. With `auto`: the least that holds the size and rate.
pub(super) const fn level(wanted: EncoderLevel, size: (u32, u32), fps: u32) -> i32 {
    let level = match wanted {
        EncoderLevel::L31 => Level::L31,
        EncoderLevel::L32 => Level::L32,
        EncoderLevel::L40 => Level::L40,
        EncoderLevel::L42 => Level::L42,
        EncoderLevel::Auto => least(size, fps),
    };
    match level {
        Level::L31 => 9,
        Level::L32 => 10,
        Level::L40 => 11,
        Level::L42 => 13,
    }
}
