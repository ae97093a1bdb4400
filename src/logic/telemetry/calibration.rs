//! When the car tells its calibration: when something about it changed, and when somebody asked.
//!
//! Promises: the last of a burst of changes is always told; never more often than `car`, whoever asks.
//! Knows nothing of: channels, files.

use super::Telemetry;
use crate::logic::units::Uptime;
use crate::logic::vehicle::CalibrationStatus;
use crate::logic::wire::CalibrationReport;

/// What was told last.
#[derive(Clone, Copy, Debug, Default)]
pub struct CalibrationTeller {
    told: Option<(CalibrationReport, u32)>,
    sent_at: Option<Uptime>,
}

impl CalibrationTeller {
    /// The message to send now, if one is due. It counts as sent. `stored` is what [`CalibrationReport::stored`] says.
    pub fn poll(
        &mut self,
        now: Uptime,
        status: &CalibrationStatus,
        stored: u8,
    ) -> Option<CalibrationReport> {
        let news = (status.report(stored), status.tell);
        let is_soon = self
            .sent_at
            .is_some_and(|at| now < at.after(Telemetry::SHORTEST));
        if is_soon || self.told == Some(news) {
            return None;
        }
        (self.told, self.sent_at) = (Some(news), Some(now));
        Some(news.0)
    }
}
