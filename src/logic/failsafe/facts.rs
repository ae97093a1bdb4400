//! What the failsafe looks at: the health of the parts below the network, and what was heard and wanted.
//!
//! ```text
//!   shell ── Health ──▶ vehicle ── Facts (health, link, lease, age of commands, request) ──▶ failsafe
//! ```
//!
//! Promises: plain values; nothing here decides.
//! Knows nothing of: states.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::report::{Cause, Refusals};
use crate::logic::units::Uptime;

/// What the shell knows of the parts below the network.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each named"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// Camera frames arrive.
    pub camera_ok: bool,
    /// Encoded frames arrive.
    pub encoder_ok: bool,
    /// The last write to the outputs succeeded.
    pub actuator_ok: bool,
    /// The control thread missed its time.
    pub control_late: bool,
    /// The battery is too low to start a drive.
    pub battery_low: bool,
    /// The board is too hot to start a drive.
    pub board_hot: bool,
    /// Nobody has said where this car's neutral is.
    pub uncalibrated: bool,
    /// The ESC has not seen neutral for long enough to listen.
    pub esc_arming: bool,
}

impl Health {
    /// Nothing is wrong.
    pub const GOOD: Self = Self {
        camera_ok: true,
        encoder_ok: true,
        actuator_ok: true,
        control_late: false,
        battery_low: false,
        board_hot: false,
        uncalibrated: false,
        esc_arming: false,
    };

    /// The facts as bits, in the order of the fields; a set bit is good news for the first three and bad for the rest.
    #[must_use]
    pub fn bits(self) -> u8 {
        [
            self.camera_ok,
            self.encoder_ok,
            self.actuator_ok,
            self.control_late,
            self.battery_low,
            self.board_hot,
            self.uncalibrated,
            self.esc_arming,
        ]
        .into_iter()
        .enumerate()
        .map(|(place, fact)| u8::from(fact) << place)
        .sum()
    }

    /// The facts that these bits say.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self {
            camera_ok: bits & 1 != 0,
            encoder_ok: bits & 2 != 0,
            actuator_ok: bits & 4 != 0,
            control_late: bits & 8 != 0,
            battery_low: bits & 16 != 0,
            board_hot: bits & 32 != 0,
            uncalibrated: bits & 64 != 0,
            esc_arming: bits & 128 != 0,
        }
    }

    pub(super) const fn refusals(self) -> Refusals {
        Refusals::NONE
            .with_if(!self.camera_ok, Refusals::CAMERA_DOWN)
            .with_if(!self.encoder_ok, Refusals::ENCODER_DOWN)
            .with_if(!self.actuator_ok, Refusals::ACTUATOR_FAULT)
            .with_if(self.control_late, Refusals::CONTROL_LATE)
            .with_if(self.battery_low, Refusals::BATTERY_LOW)
            .with_if(self.board_hot, Refusals::BOARD_HOT)
            .with_if(self.uncalibrated, Refusals::UNCALIBRATED)
            .with_if(self.esc_arming, Refusals::ESC_ARMING)
    }
}

/// The kind of driver that a live car obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Driver {
    /// Holds the lease and sends many commands a second.
    Lease,
    /// An old program: no lease, and perhaps a command only when a slider moves.
    Legacy,
}

/// All that one step looks at.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each named"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The parts below the network.
    pub health: Health,
    /// The link is up now.
    pub link_up: bool,
    /// The link was down at some time since the last step.
    pub link_dropped: bool,
    /// Somebody said stop since the last step.
    pub stop: bool,
    /// Somebody holds the lease.
    pub lease_held: bool,
    /// The holder gave up the lease since the last step.
    pub released: bool,
    /// Newest fresh command of the lease holder or, if nobody holds it, of a legacy driver.
    pub heard_at: Option<Uptime>,
    /// How long the lease holder's last report of its picture lets it drive; `None` if it never reported.
    pub sees_until: Option<Uptime>,
    /// A driver who wants to arm, whose newest command is fresh and neutral, and whom no other driver's lease shuts out.
    pub request: Option<Driver>,
    /// Silence after which a legacy driver's car stands now; zero: only when the link dies.
    pub legacy_age: Duration,
    /// When the standing legacy command became neutral, if it is.
    pub legacy_neutral_at: Option<Uptime>,
    /// Reasons against arming that only the caller can see: [`Refusals::NOT_NEUTRAL`] and its like.
    pub refusals: Refusals,
}

/// Whatever ends a drive at once, the gravest first.
pub(super) const fn trouble(facts: &Facts) -> Option<Cause> {
    if !facts.health.actuator_ok {
        Some(Cause::ActuatorError)
    } else if facts.health.control_late {
        Some(Cause::ControlLate)
    } else if !facts.link_up || facts.link_dropped {
        Some(Cause::LinkLost)
    } else if !facts.health.camera_ok {
        Some(Cause::CameraDown)
    } else if !facts.health.encoder_ok {
        Some(Cause::EncoderDown)
    } else {
        None
    }
}

/// How long nothing fresh has been heard; for ever, if nothing ever was.
pub(super) fn silence(now: Uptime, facts: &Facts) -> Duration {
    facts.heard_at.map_or(Duration::MAX, |at| now.since(at))
}

/// Whether the lease holder said that its picture is too old to drive by.
pub(super) fn is_blind(now: Uptime, facts: &Facts) -> bool {
    facts.sees_until.is_some_and(|until| now > until)
}
