//! What the pulses may be: neutral, which only a save changes and only while the car stands, and an output that is tuned.
//!
//! ```text
//!   a save is granted ──▶ neutral is another one in the first step that finds the car standing, and not before
//!   a pulse is asked for ──▶ from neutral towards it, by so much in each step, never past it; the other output at neutral
//! ```

use std::time::Duration;

use spidercar::logic::drive::{Calibration, CalibrationFields, Setpoint};
use spidercar::logic::units::LeaseId;
use spidercar::logic::vehicle::{Answer, Event, Step};
use spidercar::logic::wire::{Axis, CalibrationCommand, Change, DriveCommand, Tune};

use super::car::Car;

/// What `drive/tuning.rs` promises, said once more: microseconds a second, and the longest tick that counts.
const SLEW_US_PER_S: [u64; 2] = [250, 1000];
const LONGEST_TICK: Duration = Duration::from_millis(20);

/// The book that the oracle keeps of pulses.
pub struct Pulses {
    file: Calibration,
    counts: Calibration,
    in_force: Calibration,
    change: Option<(u64, CalibrationCommand)>,
    /// How far throttle and steering were from neutral in the last step, and when that was.
    offsets: ([i32; 2], u64),
    /// Steps in which an output was tuned.
    pub tuned: u64,
    /// Changes that were granted.
    pub granted: u64,
}

impl Pulses {
    pub fn new(config: &Car) -> Self {
        let file = config.drive.calibration;
        Self {
            file,
            counts: file,
            in_force: file,
            change: None,
            offsets: ([0, 0], 0),
            tuned: 0,
            granted: 0,
        }
    }

    pub fn neutral(&self) -> Setpoint {
        self.in_force.neutral()
    }

    /// The process was started anew, and nothing was stored.
    pub fn restart(&mut self) {
        (self.counts, self.in_force) = (self.file, self.file);
        (self.change, self.offsets) = (None, ([0, 0], 0));
    }

    pub fn folds(&mut self, now: u64, change: &CalibrationCommand) {
        self.change = Some((now, *change));
    }

    /// The change of this step, if the car took it; whoever judges commands says if it may have.
    pub fn granted(&mut self, step: &Step) -> Option<(u64, CalibrationCommand)> {
        let answer = step.events.iter().find_map(|event| match event {
            Event::Calibration(answer) => Some(*answer),
            _ => None,
        });
        let said = self.change.take();
        let answer = answer?;
        let (at, change) = said.expect("a change was answered that nobody wished for");
        let wanted = match change.change {
            Change::Reset => Ok(self.file),
            Change::Save(pulses) => CalibrationFields::from_pulses(&pulses)
                .ok_or(Answer::NoPulse)
                .and_then(|fields| Calibration::new(fields).map_err(Answer::from)),
        };
        match wanted {
            Ok(calibration) => {
                assert!(answer.is_granted(), "{change:?} was answered {answer:?}");
                self.counts = calibration;
                self.granted += 1;
            }
            Err(why) => assert_eq!(answer, why, "{change:?}"),
        }
        Some((at, change))
    }

    /// Looks at the pulses of a step. `good` is the holder's last good command.
    pub fn steps(&mut self, now: u64, step: &Step, holder: LeaseId, good: Option<DriveCommand>) {
        let changed = step
            .events
            .iter()
            .any(|event| matches!(event, Event::State(_)));
        if !step.state.may_move() && !changed {
            self.in_force = self.counts;
        }
        let neutral = self.neutral();
        let offset = |pulse: u16, zero: u16| i32::from(pulse) - i32::from(zero);
        let offsets = [
            offset(step.setpoint.throttle.get(), neutral.throttle.get()),
            offset(step.setpoint.steering.get(), neutral.steering.get()),
        ];
        let (before, last_at) = std::mem::replace(&mut self.offsets, (offsets, now));
        if step.status.throttle.is_zero() && step.status.steering.is_zero() {
            let tune = good
                .filter(|_| !holder.is_none())
                .and_then(|good| good.tune);
            let brakes = good.is_some_and(|good| good.throttle.get() < 0) || holder.is_none();
            let passed = Duration::from_micros(now - last_at).min(LONGEST_TICK);
            for (place, axis) in [Axis::Throttle, Axis::Steering].into_iter().enumerate() {
                if place == 0 && brakes {
                    continue; // the ESC may be on its way into reverse
                }
                let zero = [neutral.throttle, neutral.steering][place];
                self.judge_axis(place, axis, tune, zero.get(), offsets, before, passed);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one look at one output")]
    fn judge_axis(
        &mut self,
        place: usize,
        axis: Axis,
        tune: Option<Tune>,
        zero: u16,
        offsets: [i32; 2],
        before: [i32; 2],
        passed: Duration,
    ) {
        let got = offsets[place];
        let Some(tune) = tune.filter(|tune| tune.axis == axis) else {
            assert_eq!(got, 0, "{axis:?} is not at neutral, and nobody tunes it");
            return;
        };
        let wanted = i32::from(tune.pulse.get()) - i32::from(zero);
        self.tuned += u64::from(got != 0);
        assert!(
            got == 0 || (got.signum() == wanted.signum() && got.abs() <= wanted.abs()),
            "{axis:?} is {got} us from neutral, {wanted} were asked for"
        );
        let from = if before[place].signum() == got.signum() {
            before[place].abs()
        } else {
            0
        };
        let micros = u64::try_from(passed.as_micros()).unwrap_or(0) * SLEW_US_PER_S[place];
        let most = i32::try_from(micros / 1_000_000).unwrap_or(0) + 1;
        assert!(
            got.abs() <= from + most,
            "{axis:?} went from {from} to {got} us in {passed:?}"
        );
    }
}
