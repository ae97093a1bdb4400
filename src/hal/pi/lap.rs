//! A lap sensor on one or two GPIO lines: the kernel's edge events, with the kernel's time.
//!
//! `gpiocdev` and not `rppal`: rppal's interrupts need a Raspberry Pi (it looks for one before it opens anything), so they
//! could never run against `gpio-sim`, and it serves them from one thread for the whole process. The character device is the
//! same on every board, stamps each edge in the interrupt, and numbers them, so that a loss is seen.
//!
//! ```text
//!   pin ─▶ interrupt: CLOCK_MONOTONIC ─▶ [1024 events] ─▶ wait() ─▶ Edge, Edge, ... Lost
//!                                          full: the oldest goes; the numbers have a gap
//! ```
//!
//! The kernel's own debounce is not asked for: it stamps an edge when the level has held, not when it came, and so moves
//! the last instant over the mark. `logic::lap` does the same without.
//!
//! By symptom: *not found*: not a Raspberry Pi, or its header's chip has a new name; set `lap.chip`. *permission denied*:
//! the group `gpio`. *in use by NAME*: another program has the pin, or an overlay does (`gpioinfo` lists them).
//!
//! Promises: both levels' edges; a pull resistor towards "not over the mark", so that a wire that fell off makes no laps;
//! edges of one pin in order. Those of two pins may change places if they are microseconds apart.
//! Knows nothing of: what a pass is.
//! Sources: kernel: include/uapi/linux/gpio.h (v2); drivers/gpio/gpiolib-cdev.c; drivers/pinctrl/bcm/pinctrl-bcm2835.c and
//! drivers/pinctrl/pinctrl-rp1.c (labels).

use core::time::Duration;
use std::collections::VecDeque;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use gpiocdev::line::{Bias, EdgeDetection, EdgeEvent, EdgeKind, EventClock, Value};
use gpiocdev::{Chip, Request};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::header::{self, Chips, Labelled};
use crate::hal::clock::{Clock, SystemClock};
use crate::hal::sensor::{LapEvent, LapSensor, SensorError};
use crate::logic::lap::Pin;
use crate::logic::units::Uptime;

#[cfg(test)]
mod tests;

/// Events that the kernel keeps for us. kernel: the most it gives, `GPIO_V2_LINES_MAX * 16`.
const KERNEL_EVENTS: u32 = 1024;

/// Events that are read at once. choice: a burst of bounce in one system call.
const READ_EVENTS: usize = 64;

/// Who may open a GPIO chip. spec: Raspberry Pi OS, /etc/udev/rules.d/99-com.rules.
const GROUP: &str = "gpio";

/// Which lines, and what they say over the mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LapSettings {
    /// The GPIO chip; `None` is the one of the header.
    pub chip: Option<PathBuf>,
    /// The first line: on the header's chip its BCM number.
    pub pin: u8,
    /// The second one.
    pub second_pin: Option<u8>,
    /// Whether a line is high over the mark; low otherwise.
    pub active_high: bool,
}

/// The lines while we have them.
pub struct GpioLap {
    request: Request,
    name: String,
    first: Line,
    second: Option<Line>,
    /// What was read and not yet told.
    events: VecDeque<EdgeEvent>,
    raw: Vec<u64>,
    lost: u32,
}

/// A line and the number of its last event.
#[derive(Clone, Copy, Debug)]
struct Line {
    offset: u32,
    number: u32,
}

/// Finds the chip and takes the lines.
///
/// # Errors
/// No such chip or line, no permission, or somebody else has it.
pub fn open(settings: &LapSettings) -> Result<GpioLap, SensorError> {
    let path = match &settings.chip {
        Some(path) => path.clone(),
        None => header_chip()?,
    };
    GpioLap::open(&path, settings)
}

fn header_chip() -> Result<PathBuf, SensorError> {
    let Chips { found, denied } = header::chips();
    match (header::choose(&found), denied) {
        (Some(path), _) => Ok(path.to_owned()),
        // One that cannot be opened may be the one.
        (None, Some(path)) => {
            Err(File::open(&path).map_or_else(|err| cannot_open(&path, err), |_| missing(&found)))
        }
        (None, None) => Err(missing(&found)),
    }
}

fn missing(chips: &[Labelled]) -> SensorError {
    let all: Vec<String> = chips
        .iter()
        .map(|(path, label)| format!("{} ({label})", path.display()))
        .collect();
    let there = if all.is_empty() {
        "no GPIO chip at all".to_owned()
    } else {
        all.join(", ")
    };
    SensorError::Missing {
        sensor: "lap sensor: the GPIO chip of a Raspberry Pi's header".to_owned(),
        todo: format!("there is {there}; set lap.chip"),
    }
}

fn cannot_open(path: &Path, err: std::io::Error) -> SensorError {
    let sensor = format!("lap sensor: {}", path.display());
    match err.kind() {
        ErrorKind::NotFound => SensorError::Missing {
            sensor,
            todo: "`gpiodetect` lists the chips; set lap.chip".to_owned(),
        },
        ErrorKind::PermissionDenied => SensorError::Denied {
            sensor,
            group: GROUP,
        },
        _ => SensorError::Failed {
            sensor,
            step: "open the chip",
            source: Box::new(err),
        },
    }
}

impl GpioLap {
    fn open(path: &Path, settings: &LapSettings) -> Result<Self, SensorError> {
        // Opened once by hand, because the system's own error tells apart what can be done about it.
        File::open(path).map_err(|err| cannot_open(path, err))?;
        let chip = Chip::from_path(path).map_err(|err| failed(path, "open the chip", err))?;
        let info = chip
            .info()
            .map_err(|err| failed(path, "ask for its label", err))?;
        let offsets: Vec<u32> = [Some(settings.pin), settings.second_pin]
            .into_iter()
            .flatten()
            .map(u32::from)
            .collect();
        if let Some(offset) = offsets.iter().find(|offset| **offset >= info.num_lines) {
            return Err(SensorError::Missing {
                sensor: format!("lap sensor: line {offset} of {}", path.display()),
                todo: format!(
                    "{} has {} lines; set lap.pin, lap.second_pin or lap.chip",
                    info.label, info.num_lines
                ),
            });
        }
        let mut builder = Request::builder();
        builder
            .on_chip(path)
            .with_consumer("spidercar lap")
            .with_kernel_event_buffer_size(KERNEL_EVENTS)
            .with_lines(&offsets)
            .as_input()
            .with_edge_detection(EdgeDetection::BothEdges)
            .with_event_clock(EventClock::Monotonic);
        if settings.active_high {
            builder.as_active_high().with_bias(Bias::PullDown);
        } else {
            builder.as_active_low().with_bias(Bias::PullUp);
        }
        let request = builder.request().map_err(|err| {
            busy(&chip, path, &offsets).unwrap_or_else(|| failed(path, "take the lines", err))
        })?;
        let words = request.edge_event_u64_size().saturating_mul(READ_EVENTS);
        let line = |pin: u8| Line {
            offset: pin.into(),
            number: 0,
        };
        Ok(Self {
            request,
            name: format!("{} ({})", path.display(), info.label),
            first: line(settings.pin),
            second: settings.second_pin.map(line),
            events: VecDeque::new(),
            raw: vec![0; words],
            lost: 0,
        })
    }

    fn failed(&self, step: &'static str, err: gpiocdev::Error) -> SensorError {
        SensorError::Failed {
            sensor: format!("lap sensor: {}", self.name),
            step,
            source: Box::new(err),
        }
    }

    fn is_over(&self, line: Line) -> Result<bool, SensorError> {
        let value = self.request.value(line.offset);
        let value = value.map_err(|err| self.failed("read a level", err))?;
        Ok(value == Value::Active)
    }

    /// Waits until there is something to read. A signal that interrupts it is as good as a timeout.
    fn is_readable(&self, limit: Duration) -> Result<bool, SensorError> {
        let mut fds = [PollFd::new(&self.request, PollFlags::IN)];
        let limit = Timespec::try_from(limit).ok();
        match poll(&mut fds, limit.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(err) => Err(SensorError::Failed {
                sensor: format!("lap sensor: {}", self.name),
                step: "wait for an edge",
                source: Box::new(std::io::Error::from(err)),
            }),
        }
    }

    /// Reads what the kernel has, up to a buffer full.
    fn fill(&mut self) -> Result<(), SensorError> {
        let read = self.request.read_edge_events_into_slice(&mut self.raw);
        let words = read.map_err(|err| self.failed("read edges", err))?;
        let size = self.request.edge_event_u64_size().max(1);
        let whole = self.raw.get(..words).unwrap_or_default();
        for raw in whole.chunks_exact(size) {
            let event = self.request.edge_event_from_slice(raw);
            let event = event.map_err(|err| self.failed("read an edge", err))?;
            self.events.push_back(event);
        }
        Ok(())
    }

    /// An event of the kernel as ours; `None` if it is of no line of ours. A gap in the numbers is noted.
    fn told(&mut self, event: &EdgeEvent) -> Option<LapEvent> {
        let (pin, line) = if event.offset == self.first.offset {
            (Pin::First, &mut self.first)
        } else {
            (Pin::Second, self.second.as_mut()?)
        };
        let missed = gap(line.number, event.line_seqno);
        line.number = event.line_seqno;
        self.lost = self.lost.saturating_add(missed);
        Some(LapEvent::Edge {
            pin,
            is_over: event.kind == EdgeKind::Rising, // the kernel has turned active-low lines round
            at: Uptime::from_micros(event.timestamp_ns / 1000),
        })
    }
}

/// How many numbers are missing between two that should follow each other.
const fn gap(before: u32, now: u32) -> u32 {
    now.wrapping_sub(before).wrapping_sub(1)
}

impl LapSensor for GpioLap {
    fn name(&self) -> &str {
        &self.name
    }

    fn levels(&mut self) -> Result<[bool; 2], SensorError> {
        let first = self.is_over(self.first)?;
        let second = match self.second {
            Some(line) => self.is_over(line)?,
            None => false,
        };
        Ok([first, second])
    }

    fn wait(&mut self, limit: Duration) -> Result<Option<LapEvent>, SensorError> {
        let mut limit = limit;
        loop {
            while let Some(event) = self.events.pop_front() {
                if let Some(told) = self.told(&event) {
                    return Ok(Some(told));
                }
            }
            if self.lost > 0 {
                limit = Duration::ZERO; // what is left comes first
            }
            if self.is_readable(limit)? {
                self.fill()?;
            } else if self.lost > 0 {
                let edges = core::mem::take(&mut self.lost);
                let at = SystemClock.now();
                let levels = self.levels()?;
                return Ok(Some(LapEvent::Lost { edges, levels, at }));
            } else {
                return Ok(None);
            }
        }
    }
}

/// Who has one of these lines, if anybody.
fn busy(chip: &Chip, path: &Path, offsets: &[u32]) -> Option<SensorError> {
    offsets.iter().find_map(|offset| {
        let by = header::user(chip, *offset)?;
        let sensor = format!("lap sensor: line {offset} of {}", path.display());
        Some(SensorError::Busy { sensor, by })
    })
}

fn failed(path: &Path, step: &'static str, err: gpiocdev::Error) -> SensorError {
    SensorError::Failed {
        sensor: format!("lap sensor: {}", path.display()),
        step,
        source: Box::new(err),
    }
}
