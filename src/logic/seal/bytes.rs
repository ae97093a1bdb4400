//! What a seal is over: the meaning of a message as bytes, each in one way.
//!
//! ```text
//!   kind │ epoch u64 │ … │ car_ms u64
//!   1 drive, calibrate   seq u32  t_ms u64  throttle i16  steering i16  output u8  us u16  lease u32  secret u32
//!   2 arm                seq u32  t_ms u64  lease u32  secret u32
//!   3 lease              want u8  lease u32  secret u32
//!   4 view               rtt_ms u32  age_ms u32  lease u32  secret u32
//!   5 camera             key (its length u8, its bytes)  value i32  lease u32  secret u32
//!   6 calibration        action u8  seq u32  t_ms u64  eight pulses u16, as `Pulses` has them  lease u32  secret u32
//!   7 pong               id u32  t_ms u64  car_us u64, and no car_ms
//! ```
//!
//! Invariants: two messages that mean different things have different bytes: each kind has its own number and fixed lengths.

use crate::logic::camera::CameraWish;
use crate::logic::units::LeaseId;
use crate::logic::wire::{Change, Incoming, Pong, Pulses};

/// Longest of all: a `calibration`, and a camera's longest key.
///
/// measured: 55 bytes, and 40 with the longest name of a dial (test `the_longest_...`); the rest is room.
const MOST: usize = 96;

/// The bytes that a seal is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bytes(heapless::Vec<u8, MOST>);

impl Bytes {
    /// Those of a message, if it can have a seal.
    pub(super) fn of(message: &Incoming, epoch: u64, car_ms: u64) -> Option<Self> {
        let bytes = match *message {
            Incoming::Drive(drive) => {
                let (output, us) = drive
                    .tune
                    .map_or((0, 0), |tune| (tune.axis.code(), tune.pulse.get()));
                Self::begin(1, epoch)
                    .and(drive.seq.get().to_le_bytes())
                    .and(drive.t_ms.to_le_bytes())
                    .and(drive.throttle.get().to_le_bytes())
                    .and(drive.steering.get().to_le_bytes())
                    .and([output])
                    .and(us.to_le_bytes())
                    .of_driver(drive.lease)
            }
            Incoming::Arm(arm) => Self::begin(2, epoch)
                .and(arm.seq.get().to_le_bytes())
                .and(arm.t_ms.to_le_bytes())
                .of_driver(arm.lease),
            Incoming::Lease(lease) => Self::begin(3, epoch)
                .and([lease.want.code()])
                .of_driver(lease.id),
            Incoming::View(view) => Self::begin(4, epoch)
                .and(view.rtt_ms.to_le_bytes())
                .and(view.age_ms.to_le_bytes())
                .of_driver(view.lease),
            Incoming::Camera(camera) => {
                let (key, value) = match camera.wish {
                    CameraWish::Dial(dial, value) => (dial.word(), value),
                    CameraWish::View(view) => ("view", view.code().into()),
                };
                let length = u8::try_from(key.len()).unwrap_or(u8::MAX);
                let mut bytes = Self::begin(5, epoch).and([length]);
                // Names of dials are short; one that were not would have no seal that fits, and be refused.
                bytes.0.extend_from_slice(key.as_bytes()).ok()?;
                bytes.and(value.to_le_bytes()).of_driver(camera.lease)
            }
            Incoming::Calibration(change) => {
                let (action, pulses) = match change.change {
                    Change::Save(pulses) => (1, pulses),
                    Change::Reset => (2, Pulses::default()),
                };
                let mut bytes = Self::begin(6, epoch)
                    .and([action])
                    .and(change.seq.get().to_le_bytes())
                    .and(change.t_ms.to_le_bytes());
                for pulse in pulses.in_order() {
                    bytes = bytes.and(pulse.to_le_bytes());
                }
                bytes.of_driver(change.lease)
            }
            Incoming::Stop
            | Incoming::Ping(_)
            | Incoming::TellCalibration
            | Incoming::Motion(_)
            | Incoming::MaxSpeed { .. } => return None,
        };
        Some(bytes.and(car_ms.to_le_bytes()))
    }

    /// Those of an answer to a ping.
    pub(super) fn of_pong(pong: &Pong, epoch: u64) -> Self {
        Self::begin(7, epoch)
            .and(pong.id.to_le_bytes())
            .and(pong.t_ms.to_le_bytes())
            .and(pong.car_us.to_le_bytes())
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    fn begin(kind: u8, epoch: u64) -> Self {
        Self(heapless::Vec::new())
            .and([kind])
            .and(epoch.to_le_bytes())
    }

    fn and<const N: usize>(mut self, bytes: [u8; N]) -> Self {
        self.0
            .extend_from_slice(&bytes)
            .expect("MOST has room for the longest");
        self
    }

    fn of_driver(self, id: LeaseId) -> Self {
        self.and(id.get().to_le_bytes())
            .and(id.secret().to_le_bytes())
    }
}
