//! H.264 in software, for machines without an encoder of their own (Pi 5, any PC).
//!
//! `OpenH264` is set up for a driver who waits for the picture: real-time camera use, one frame in and one out, no
//! frames that are coded out of order, an IDR only at the start and on request (a long GOP: an IDR is ten times a
//! frame, so a periodic one would be a periodic stall). The rate is held by the bitrate mode with frame skipping:
//! a skipped frame is a moment of low frame rate, a frame that is too big is a queue.
//!
//! ```text
//!            first frame, or after an error                 a frame of another size
//!   Closed ─────────────────────────────────▶ Open ──────────────────────────────────▶ (closed and opened) ─┐
//!     ▲                                         │ ▲                                                          │
//!     └── encode or set_bitrate fails ──────────┘ └──────────── IDR with new parameter sets ─────────────────┘
//! ```
//!
//! The picture is cut into one slice for each thread, and one core is left for the rest of the program. A second thread
//! on an idle core takes a frame from 14.7 to 8.6 ms; on a core that is busy it waits its turn, which takes the 99th
//! percentile from 16 to 21 ms (measured: 720p30, 2.5 Mb/s, two cores of an EPYC, no assembler; with nasm in the PATH
//! of the build, one thread takes 5.0 ms). Slices of packet size were tried: they cost 5 % of an IDR at 720p and 24 ms
//! a frame at 1080p and 20 Mb/s, and a browser drops a frame with any slice missing, so they gain nothing.
//!
//! Promises: constrained baseline; each frame gives one access unit or none, at once; the first is an IDR; an IDR has
//! SPS and PPS in front and is never skipped; no allocation of ours once the largest frame has been seen.
//! Knows nothing of: RTP, who looks.
//! Sources: openh264 2.x sources in `openh264-sys2`; ITU-T H.264 Annex A (profiles, Table A-1).

use std::thread::available_parallelism;

use openh264::encoder::{
    BitRate, Complexity, Encoder as Library, EncoderConfig, FrameRate, FrameType, IntraFramePeriod,
    Level, Profile, QpRange, RateControlMode, SpsPpsStrategy, UsageType, VuiConfig,
};
use openh264::{OpenH264API, Timestamp};

use super::level::least;
use super::{AccessUnit, Encoder, EncoderError, Frame};
use crate::logic::units::Kbps;

#[cfg(test)]
mod inspect;
mod planes;
mod raw;

/// The name in errors.
const NAME: &str = "openh264";
/// choice: below this a 160x120 picture is a still; the encoder refuses a rate below one bit a frame.
const LEAST: Kbps = Kbps::new(30);
/// choice: far above what a car sends, and inside the encoder's 32-bit bits a second.
const MOST: Kbps = Kbps::new(100_000);
/// spec: `camera.fps` of the configuration.
const FASTEST: u32 = 60;
/// choice: no frame is split further than one slice a thread; a slice of more than this is split.
const LARGEST_SLICE: u32 = 200_000;
/// choice: pictures below this many pixels take under 2 ms on one thread, so a second one would only wake and wait.
const ONE_THREAD_BELOW: u32 = 640 * 360;
/// choice: `OpenH264` runs four at most.
const MOST_THREADS: u16 = 4;
/// measured: with a least QP of 0 the encoder silently limits the greatest to 42, and skips two frames in three
/// of 720p at 300 kb/s; with 12 to 51 it skips one in three. 12 is the encoder's own floor.
const QP: (u8, u8) = (12, 51);

/// What is asked of the encoder. The size comes with the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenH264Settings {
    /// Frames a second that will come, 1 to 60.
    pub fps: u32,
    /// Rate to start with.
    pub bitrate: Kbps,
    /// Threads and slices, 1 to 4; 0 leaves it to the number of cores and the picture size.
    pub threads: u16,
}

/// The software encoder.
pub struct OpenH264Encoder {
    settings: OpenH264Settings,
    target: Kbps,
    open: Option<Open>,
    output: Vec<u8>,
    split: planes::Split,
}

/// A running encoder: its first frame went well.
struct Open {
    library: Library,
    size: (u32, u32),
    /// The rate that it was told.
    bits_per_second: i32,
}

impl OpenH264Encoder {
    /// Checks the settings; the encoder itself opens with the first frame, whose size it needs.
    ///
    /// # Errors
    /// [`EncoderError::Unsupported`] if the frame rate or the number of threads is out of range.
    pub fn new(settings: OpenH264Settings) -> Result<Self, EncoderError> {
        if !(1..=FASTEST).contains(&settings.fps) {
            return Err(unsupported(format!(
                "{} frames a second are not possible; choose 1 to {FASTEST}",
                settings.fps
            )));
        }
        if settings.threads > MOST_THREADS {
            return Err(unsupported(format!(
                "{} threads are not possible; choose 0 (automatic) to {MOST_THREADS}",
                settings.threads
            )));
        }
        Ok(Self {
            settings,
            target: settings.bitrate,
            open: None,
            output: Vec::new(),
            split: planes::Split::default(),
        })
    }

    /// The rate in force.
    #[must_use]
    pub const fn bitrate(&self) -> Kbps {
        self.target
    }

    fn start(&self, size: (u32, u32)) -> Result<Open, EncoderError> {
        let bits_per_second = bits(self.target);
        let config = self.config(size, bits_per_second);
        let mut library = Library::with_api_config(OpenH264API::from_source(), config)
            .map_err(|source| failed("open", source))?;
        raw::quiet(&mut library).map_err(|source| failed("silence", source))?;
        Ok(Open {
            library,
            size,
            bits_per_second,
        })
    }

    fn config(&self, size: (u32, u32), bits_per_second: i32) -> EncoderConfig {
        let threads = match self.settings.threads {
            0 => threads(available_parallelism().map_or(1, usize::from), size),
            threads => threads,
        };
        let config = EncoderConfig::new()
            .usage_type(UsageType::CameraVideoRealTime)
            .profile(Profile::Baseline)
            .level(level(size, self.settings.fps))
            .bitrate(BitRate::from_bps(
                u32::try_from(bits_per_second).unwrap_or(0),
            ))
            .max_frame_rate(FrameRate::from_hz(frame_rate(self.settings.fps)))
            .rate_control_mode(RateControlMode::Bitrate)
            .skip_frames(true)
            .qp(QpRange::new(QP.0, QP.1))
            .intra_frame_period(IntraFramePeriod::auto())
            .scene_change_detect(false)
            .sps_pps_strategy(SpsPpsStrategy::ConstantId)
            .complexity(Complexity::Low)
            .adaptive_quantization(false)
            .background_detection(false)
            .long_term_reference(false)
            .vui(VuiConfig::bt601())
            .num_threads(threads);
        if threads > 1 {
            config.max_slice_len(LARGEST_SLICE)
        } else {
            config
        }
    }
}

impl Encoder for OpenH264Encoder {
    fn encode(
        &mut self,
        frame: &Frame,
        want_idr: bool,
    ) -> Result<Option<AccessUnit<'_>>, EncoderError> {
        let size = (frame.width(), frame.height());
        // Taken, so that any error on the way leaves it closed.
        let mut open = match self.open.take() {
            Some(mut open) if open.size == size => {
                if want_idr {
                    open.library.force_intra_frame();
                }
                open
            }
            Some(_) | None => self.start(size)?,
        };
        self.output.clear();
        let time = Timestamp::from_millis(frame.captured_at().as_micros() / 1000);
        let stream = open
            .library
            .encode_at(&self.split.planes(frame), time)
            .map_err(|source| failed("encode a frame", source))?;
        let kind = stream.frame_type();
        stream.write_vec(&mut self.output);
        self.open = Some(open);
        let is_idr = match kind {
            FrameType::IDR => true,
            FrameType::I | FrameType::P | FrameType::IPMixed => false,
            FrameType::Skip | FrameType::Invalid => return Ok(None),
        };
        let unit = AccessUnit::new(&self.output, frame.captured_at(), frame.number(), is_idr);
        Ok((!unit.data().is_empty()).then_some(unit))
    }

    fn set_bitrate(&mut self, target: Kbps) -> Result<(), EncoderError> {
        self.target = target;
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        let bits_per_second = bits(target);
        if bits_per_second != open.bits_per_second {
            raw::set_bitrate(&mut open.library, open.bits_per_second, bits_per_second)
                .map_err(|source| failed("set the bitrate", source))?;
            open.bits_per_second = bits_per_second;
        }
        self.open = Some(open);
        Ok(())
    }
}

impl std::fmt::Debug for OpenH264Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenH264Encoder")
            .field("settings", &self.settings)
            .field("target", &self.target)
            .field("size", &self.open.as_ref().map(|open| open.size))
            .finish_non_exhaustive()
    }
}

/// The target in the unit and range of the library.
fn bits(target: Kbps) -> i32 {
    let target = target.clamp(LEAST, MOST);
    i32::try_from(target.bits_per_second()).unwrap_or(i32::MAX)
}

/// The library wants a float; 60 fits in any.
fn frame_rate(fps: u32) -> f32 {
    u16::try_from(fps).map_or(30.0, f32::from)
}

/// Threads for a machine and a picture: one core is left for the rest of the program.
fn threads(cores: usize, (width, height): (u32, u32)) -> u16 {
    if width * height < ONE_THREAD_BELOW {
        return 1;
    }
    u16::try_from(cores.saturating_sub(1)).map_or(MOST_THREADS, |free| free.clamp(1, MOST_THREADS))
}

/// The least level that holds the picture size and rate, in the library's words.
fn level(size: (u32, u32), fps: u32) -> Level {
    match least(size, fps) {
        super::level::Level::L31 => Level::Level_3_1,
        super::level::Level::L32 => Level::Level_3_2,
        super::level::Level::L40 => Level::Level_4_0,
        super::level::Level::L42 => Level::Level_4_2,
    }
}

fn unsupported(why: String) -> EncoderError {
    EncoderError::Unsupported {
        encoder: NAME.into(),
        why,
    }
}

fn failed(
    step: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> EncoderError {
    EncoderError::Failed {
        encoder: NAME.into(),
        step,
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests;
