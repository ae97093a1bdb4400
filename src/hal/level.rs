//! The H.264 level that a picture size and rate need.
//!
//! ```text
//!   macroblocks of 16x16 ─┐
//!                         ├─▶ the least row of Table A-1 that holds both ─▶ Level, 3.1 at least
//!   macroblocks a second ─┘
//! ```
//!
//! A level that is too low makes a decoder refuse the stream; one that is too high makes it keep memory that nobody needs.
//!
//! Promises: 3.1 at least, which is what an offer of `profile-level-id=42e01f` promises.
//! Knows nothing of: which encoder is told.
//! Sources: ITU-T H.264 Table A-1.

/// The levels that this program's picture sizes need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// 3.1: 720p at 30 a second.
    L31,
    /// 3.2: 720p at 60.
    L32,
    /// 4.0: 1080p at 30.
    L40,
    /// 4.2: 1080p at 60.
    L42,
}

/// The least level for a size in pixels and frames a second.
pub(super) const fn least((width, height): (u32, u32), fps: u32) -> Level {
    let macroblocks = width.div_ceil(16) * height.div_ceil(16);
    match (macroblocks, macroblocks * fps) {
        (..=3_600, ..=108_000) => Level::L31,
        (..=5_120, ..=216_000) => Level::L32,
        (..=8_192, ..=245_760) => Level::L40,
        _ => Level::L42,
    }
}
