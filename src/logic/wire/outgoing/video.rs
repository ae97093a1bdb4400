//! How the video path runs, for whoever asks why the picture is late, small or missing.
//!
//! ```text
//!   {"video":{"v":1,"t_us":…,"shows":1,"cameras":1,"camera":0,"hardware":1,"rung":0,"copies":0,"capture":[150,4100,6200,9000],…}}
//!                                                                              pictures, p50, p99, longest, in microseconds
//! ```
//!
//! Promises: integers only; a stage that no picture passed is four zeros.
//! Knows nothing of: who measures.

use serde::Serialize;

use crate::logic::spread::Figures;

/// The times of one stage: how many pictures, and median, 99th percentile and longest in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Times(pub [u32; 4]);

impl From<Figures> for Times {
    fn from(figures: Figures) -> Self {
        Self([figures.n, figures.p50_us, figures.p99_us, figures.max_us])
    }
}

/// The video path, every few seconds and when something in it changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Video {
    /// Version of this message: 1.
    pub v: u8,
    /// The car's monotonic clock, in microseconds.
    pub t_us: u64,
    /// What a viewer gets: 0 nothing, 1 the camera, 2 the still picture that says why there is none.
    pub shows: u8,
    /// How many cameras there are: 1 or 2.
    pub cameras: u8,
    /// Which camera is shown: 0 front, 1 rear.
    pub camera: u8,
    /// 1 if a device encodes, 0 if the processor does.
    pub hardware: u8,
    /// [`Rung::code`](crate::logic::ladder::Rung::code): how much of the camera's picture is coded.
    pub rung: u8,
    /// Pictures that had to be copied for the encoder, since it was opened.
    pub copies: u32,
    /// From the sensor's time stamp to the video thread, since the last message, as all that follow.
    pub capture: Times,
    /// From there to the call of the encoder.
    pub prepare: Times,
    /// Inside the encoder.
    pub encode: Times,
    /// From the coded picture to its packets.
    pub hand_over: Times,
    /// From the first packet to the last one taken by the network stack.
    pub send: Times,
    /// From the sensor's time stamp to the last packet.
    pub whole: Times,
}
