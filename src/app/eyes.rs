//! What the driver wants of the cameras, on its way from the network to whoever films.
//!
//! ```text
//!   `camera`, of the lease holder ─▶ obey ─┬▶ dials ─▶ Desk ─▶ the next request of each open camera
//!   `motion` forward, back ─▶ note_key ────┴▶ view, key ─▶ look(status) ─▶ Sight, at each picture ─▶ front or rear
//! ```
//!
//! A view that was asked for is its driver's: it ends with his lease. A dial stays where it was put, as on any camera.
//!
//! Promises: nobody waits here; the newest wish counts. Knows nothing of: cameras.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use crate::hal::csi::Desk;
use crate::logic::camera::{CameraCommand, CameraWish, View};
use crate::logic::failsafe::State;
use crate::logic::sight::Look;
use crate::logic::units::LeaseId;
use crate::logic::vehicle::Status;
use crate::logic::wire::MotionKey;

/// The wishes.
#[derive(Debug, Default)]
pub struct Eyes {
    /// The dials.
    pub desk: Arc<Desk>,
    /// Whose view: [`LeaseId::word`].
    whose: AtomicU64,
    /// Which.
    view: AtomicU8,
    /// Whether the old app's last throttle key was `back`.
    is_back: AtomicBool,
}

impl Eyes {
    /// Does what the lease holder wishes.
    pub fn obey(&self, command: CameraCommand) {
        match command.wish {
            CameraWish::Dial(dial, value) => {
                let is_set = self.desk.set(dial, value);
                tracing::info!(dial = dial.word(), value, is_set, "camera");
            }
            CameraWish::View(view) => {
                // In between it is the new view of the old driver, who has no lease any more, or of the same.
                self.view.store(view.code(), Ordering::Release);
                self.whose.store(command.lease.word(), Ordering::Release);
                tracing::info!(?view, "camera");
            }
        }
    }

    /// Takes note of a slider of the old app.
    pub fn note_key(&self, key: MotionKey) {
        match key {
            MotionKey::Forward => self.is_back.store(false, Ordering::Relaxed),
            MotionKey::Back => self.is_back.store(true, Ordering::Relaxed),
            MotionKey::Left | MotionKey::Right => {}
        }
    }

    /// What the choice of the camera depends on now.
    #[must_use]
    pub fn look(&self, status: &Status) -> Look {
        let whose = LeaseId::from_word(self.whose.load(Ordering::Acquire));
        let view = View::from_code(self.view.load(Ordering::Acquire));
        let is_his = !status.holder.is_none() && status.holder == whose;
        let is_driven = matches!(status.state, State::Live | State::Coasting);
        let is_old_app = status.holder.is_none() && is_driven;
        Look {
            throttle: status.throttle,
            legacy_back: is_old_app.then(|| self.is_back.load(Ordering::Relaxed)),
            view: view.filter(|_| is_his).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::camera::Dial;
    use crate::logic::failsafe::Health;
    use crate::logic::intent::Intent;
    use crate::logic::units::{Throttle, Uptime};

    fn status(holder: u32, state: State, throttle: i32) -> Status {
        let mut vehicle = crate::config::built_in().vehicle(Uptime::ZERO);
        let first = vehicle.step(Uptime::ZERO, &Intent::default(), Health::GOOD);
        Status {
            holder: LeaseId::new(holder),
            state,
            throttle: Throttle::saturating(throttle),
            ..first.status
        }
    }

    fn wish(lease: u32, wish: CameraWish) -> CameraCommand {
        CameraCommand {
            lease: LeaseId::new(lease),
            wish,
        }
    }

    #[test]
    fn a_view_ends_with_the_lease_of_who_asked_for_it() {
        let eyes = Eyes::default();
        let view = |holder| eyes.look(&status(holder, State::Live, 0)).view;
        assert_eq!(view(7), View::Automatic);
        eyes.obey(wish(7, CameraWish::View(View::Rear)));
        assert_eq!(
            (view(7), view(8), view(0)),
            (View::Rear, View::Automatic, View::Automatic)
        );
        eyes.obey(wish(7, CameraWish::View(View::Automatic)));
        assert_eq!(view(7), View::Automatic);
    }

    #[test]
    fn the_old_app_s_key_counts_while_it_drives() {
        let eyes = Eyes::default();
        let back = |holder, state| eyes.look(&status(holder, state, 0)).legacy_back;
        assert_eq!(back(0, State::Live), Some(false));
        eyes.note_key(MotionKey::Back);
        eyes.note_key(MotionKey::Left);
        assert_eq!(back(0, State::Live), Some(true));
        assert_eq!(back(0, State::Coasting), Some(true));
        assert_eq!(back(0, State::Disarmed), None);
        assert_eq!(back(9, State::Live), None, "a driver with a lease");
        eyes.note_key(MotionKey::Forward);
        assert_eq!(back(0, State::Live), Some(false));
    }

    #[test]
    fn a_dial_is_put_on_the_desk_and_the_throttle_is_the_one_in_force() {
        let eyes = Eyes::default();
        eyes.obey(wish(7, CameraWish::Dial(Dial::ExposureUs, 8000)));
        assert_eq!(eyes.desk.controls().get(Dial::ExposureUs), 8000);
        let look = eyes.look(&status(7, State::Live, -120));
        assert_eq!(look.throttle.get(), -120);
    }
}
