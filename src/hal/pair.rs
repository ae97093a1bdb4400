//! Two cameras as one: whoever films asks for a picture, and gets it from the camera that is to be shown.
//!
//! ```text
//!   choose() ─▶ the same as before ─▶ its next picture
//!            └▶ the other one      ─▶ open it if it is not ─▶ pass over what it caught before now ─▶ its next picture
//!                                     └ the one before: closed, or left open, as `standby` says
//! ```
//!
//! A camera that stands by goes on running, and keeps its newest pictures; those are from before the change, and would show
//! a moment that has passed. Numbers go on across a change, so that the gap is no jump.
//!
//! Promises: after a change no picture that was caught before it; one camera at a time unless they may stand by, and then
//! both from the start; an error is that of the camera that is shown; each picture says which camera took it.
//! Knows nothing of: why one of them is to be shown, and what kind they are.

use crate::hal::clock::{Clock, SystemClock};
use crate::hal::{Camera, CameraError, Frame};
use crate::logic::sight::Eye;
use crate::logic::units::Uptime;

/// Opens one of the two.
pub type Open = Box<dyn FnMut(Eye) -> Result<Box<dyn Camera>, CameraError> + Send>;
/// Says which is to be shown now.
pub type Choose = Box<dyn FnMut(Uptime) -> Eye + Send>;

/// What a pair does.
pub struct Rules {
    /// Opens one of the two.
    pub open: Open,
    /// Says which is to be shown now.
    pub choose: Choose,
    /// The one that is not shown stays open.
    pub stands_by: bool,
}

/// Two cameras.
pub struct Pair<C: Clock = SystemClock> {
    rules: Rules,
    clock: C,
    shown: Eye,
    front: Option<Box<dyn Camera>>,
    rear: Option<Box<dyn Camera>>,
    /// Pictures caught before this are not shown.
    since: Uptime,
    /// What is added to the numbers of the camera that is shown.
    offset: Option<u32>,
    last_number: u32,
}

impl Pair {
    /// Two cameras, of which the one to be shown is opened.
    ///
    /// # Errors
    /// As for opening it.
    pub fn open(rules: Rules) -> Result<Self, CameraError> {
        Self::open_with(rules, SystemClock)
    }
}

impl<C: Clock> Pair<C> {
    /// The same, on another clock.
    ///
    /// # Errors
    /// As for [`Pair::open`].
    pub fn open_with(mut rules: Rules, clock: C) -> Result<Self, CameraError> {
        let shown = (rules.choose)(clock.now());
        let mut pair = Self {
            rules,
            clock,
            shown,
            front: None,
            rear: None,
            since: Uptime::ZERO,
            offset: Some(0),
            last_number: 0,
        };
        pair.camera()?;
        if pair.rules.stands_by {
            pair.open_other();
        }
        Ok(pair)
    }

    /// The camera that is shown, opened if it is not.
    fn camera(&mut self) -> Result<&mut Box<dyn Camera>, CameraError> {
        let place = match self.shown {
            Eye::Front => &mut self.front,
            Eye::Rear => &mut self.rear,
        };
        match place {
            Some(camera) => Ok(camera),
            None => Ok(place.insert((self.rules.open)(self.shown)?)),
        }
    }

    /// Opens the one that is not shown, so that a change need not wait for it. It is tried again when it is to be shown.
    fn open_other(&mut self) {
        let (other, place) = match self.shown {
            Eye::Front => (Eye::Rear, &mut self.rear),
            Eye::Rear => (Eye::Front, &mut self.front),
        };
        match (self.rules.open)(other) {
            Ok(camera) => *place = Some(camera),
            Err(err) => tracing::warn!(camera = ?other, %err, "does not stand by"),
        }
    }

    fn show(&mut self, eye: Eye, now: Uptime) {
        self.shown = eye;
        self.since = now;
        self.offset = None;
        if !self.rules.stands_by {
            match eye {
                Eye::Front => self.rear = None,
                Eye::Rear => self.front = None,
            }
        }
    }
}

impl<C: Clock> Camera for Pair<C> {
    fn next_frame(&mut self) -> Result<Frame, CameraError> {
        loop {
            let now = self.clock.now();
            let eye = (self.rules.choose)(now);
            if eye != self.shown {
                self.show(eye, now);
            }
            let mut frame = self.camera()?.next_frame()?;
            if frame.captured_at() < self.since {
                continue;
            }
            let next = self.last_number.wrapping_add(1);
            let offset = *self.offset.get_or_insert(next.wrapping_sub(frame.number()));
            self.last_number = frame.number().wrapping_add(offset);
            let captured_at = frame.captured_at();
            frame.set_capture(captured_at, self.last_number);
            frame.set_eye(self.shown);
            return Ok(frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::hal::clock::ManualClock;
    use crate::hal::sim::{SimCamera, SimCameraSettings};

    /// What happened, in order.
    type Diary = Arc<Mutex<Vec<String>>>;

    struct Scene {
        pair: Pair<ManualClock>,
        clock: ManualClock,
        wanted: Arc<Mutex<Eye>>,
        diary: Diary,
    }

    /// A camera that says when it is closed.
    struct Noted(SimCamera<ManualClock>, Eye, Diary);

    impl Camera for Noted {
        fn next_frame(&mut self) -> Result<Frame, CameraError> {
            self.0.next_frame()
        }
    }

    impl Drop for Noted {
        fn drop(&mut self) {
            self.2.lock().unwrap().push(format!("close {:?}", self.1));
        }
    }

    fn scene(stands_by: bool) -> Scene {
        let clock = ManualClock::default();
        clock.pass(1_000_000);
        let wanted = Arc::new(Mutex::new(Eye::Front));
        let diary = Diary::default();
        let of_open = Arc::clone(&diary);
        let (time, choice) = (clock.clone(), Arc::clone(&wanted));
        let rules = Rules {
            open: Box::new(move |eye| {
                of_open.lock().unwrap().push(format!("open {eye:?}"));
                let settings = SimCameraSettings {
                    width: 160,
                    height: 120,
                    fps: 20,
                };
                let camera = SimCamera::open_with(settings, Arc::default(), time.clone())?;
                Ok(Box::new(Noted(camera, eye, Arc::clone(&of_open))))
            }),
            choose: Box::new(move |_| *choice.lock().unwrap()),
            stands_by,
        };
        let pair = Pair::open_with(rules, clock.clone()).unwrap();
        Scene {
            pair,
            clock,
            wanted,
            diary,
        }
    }

    impl Scene {
        fn want(&self, eye: Eye) {
            *self.wanted.lock().unwrap() = eye;
        }

        fn take(&mut self) -> (u32, u64) {
            let frame = self.pair.next_frame().unwrap();
            (frame.number(), frame.captured_at().as_micros())
        }

        fn diary(&self) -> Vec<String> {
            std::mem::take(&mut *self.diary.lock().unwrap())
        }
    }

    #[test]
    fn the_one_that_is_not_shown_is_closed_before_the_other_opens() {
        let mut scene = scene(false);
        scene.take();
        scene.want(Eye::Rear);
        scene.take();
        scene.want(Eye::Front);
        scene.take();
        let diary = scene.diary();
        let wanted = [
            "open Front",
            "close Front",
            "open Rear",
            "close Rear",
            "open Front",
        ];
        assert_eq!(diary, wanted);
    }

    #[test]
    fn a_camera_that_stood_by_shows_nothing_from_before_the_change() {
        let mut scene = scene(true);
        assert_eq!(scene.diary(), ["open Front", "open Rear"], "from the start");
        scene.take();
        scene.want(Eye::Rear);
        scene.take();
        scene.want(Eye::Front);
        scene.take();
        scene.diary();
        // In the middle of a frame time, so that its newest picture is from before.
        scene.clock.pass(1_020_000);
        let changed_at = scene.clock.now().as_micros();
        scene.want(Eye::Rear);
        let frame = scene.pair.next_frame().unwrap();
        let captured_at = frame.captured_at().as_micros();
        assert!(captured_at >= changed_at, "{captured_at} {changed_at}");
        assert_eq!(frame.eye(), Eye::Rear);
        assert!(scene.diary().is_empty(), "both stay open");
    }

    #[test]
    fn numbers_go_on_across_changes_and_gaps_still_count() {
        let mut scene = scene(true);
        let mut numbers = Vec::new();
        for eye in [Eye::Front, Eye::Front, Eye::Rear, Eye::Rear, Eye::Front] {
            scene.want(eye);
            numbers.push(scene.take().0);
        }
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
        scene.clock.pass(150_000); // three frame times
        assert!(scene.take().0 > 6);
    }
}
