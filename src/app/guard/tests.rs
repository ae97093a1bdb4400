//! The guard through a stall, on made-up time: neutral in time, again and again, and no food for the watchdogs.

use std::os::unix::net::UnixDatagram;
use std::sync::Mutex;

use super::*;
use crate::hal::ActuatorError;
use crate::logic::drive::Setpoint;
use crate::logic::units::PulseWidth;

type Writes = Arc<Mutex<Vec<(u64, Cause)>>>;

struct Outputs(Writes);

impl Actuators for Outputs {
    fn write(&mut self, now: Uptime, _: Setpoint, cause: Cause) -> Result<(), ActuatorError> {
        let ms = now.as_micros() / 1000;
        self.0.lock().unwrap().push((ms, cause));
        Ok(())
    }
    fn spare(&self) -> Option<Box<dyn Actuators>> {
        None
    }
}

fn at_ms(ms: u64) -> Uptime {
    Uptime::from_micros(ms * 1000)
}

fn watch(notify: Notify, device: Option<PathBuf>) -> (Watch, Arc<Pulse>, Writes) {
    let writes = Writes::default();
    let middle = PulseWidth::saturating(1500);
    let neutral = Setpoint {
        throttle: middle,
        steering: middle,
    };
    let pulse = Pulse::new(at_ms(0), neutral);
    let parts = GuardParts {
        pulse: Arc::clone(&pulse),
        outputs: Some(Box::new(Outputs(Arc::clone(&writes)))),
        notify,
        watchdog_device: device,
    };
    (Watch::new(parts), pulse, writes)
}

#[test]
fn a_stall_is_neutral_after_200_ms_and_as_long_as_it_lasts() {
    let (mut watch, pulse, writes) = watch(Notify::default(), None);
    for ms in (0..=1000).step_by(5) {
        if ms <= 400 {
            pulse.beat(at_ms(ms));
        }
        if ms % 20 == 0 {
            watch.look(at_ms(ms));
        }
    }
    let writes = writes.lock().unwrap();
    let times: Vec<u64> = writes.iter().map(|(ms, _)| *ms).collect();
    let wanted: Vec<u64> = (620..=1000).step_by(20).collect();
    assert_eq!(times, wanted, "200 ms and a look after the last beat");
    assert!(
        writes
            .iter()
            .all(|(_, cause)| *cause == Cause::ControlStalled)
    );
}

#[test]
fn a_control_thread_that_comes_back_learns_that_it_was_relieved() {
    let (mut watch, pulse, writes) = watch(Notify::default(), None);
    watch.look(at_ms(200));
    assert!(!pulse.was_relieved(), "200 ms are not more than 200 ms");
    watch.look(at_ms(201));
    assert!(pulse.was_relieved() && !pulse.was_relieved(), "told once");
    pulse.beat(at_ms(300));
    watch.look(at_ms(320));
    assert!(!pulse.was_relieved());
    assert_eq!(writes.lock().unwrap().len(), 1);
}

#[test]
fn after_the_end_silence_means_nothing() {
    let (mut watch, pulse, writes) = watch(Notify::default(), None);
    pulse.end(true);
    watch.look(at_ms(10_000));
    assert!(writes.lock().unwrap().is_empty() && !pulse.was_relieved());
}

/// Food that came, over ten seconds of looks, while the control thread beats for the first five.
fn fed(take: impl Fn() -> usize, mut watch: Watch, pulse: &Pulse) -> (usize, usize) {
    let mut run = |from: u64, beats: bool| {
        for ms in (from..from + 5_000).step_by(20) {
            if beats {
                pulse.beat(at_ms(ms));
            }
            watch.look(at_ms(ms));
        }
        take()
    };
    let alive = run(10_000, true);
    (alive, run(15_000, false))
}

#[test]
fn only_heartbeats_feed_systemd() {
    let path = std::env::temp_dir().join(format!("spidercar-guard-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_nonblocking(true).unwrap();
    let notify = Notify::for_tests(&path, Duration::from_secs(2));
    let (watch, pulse, _) = watch(notify, None);
    let take = || {
        let mut bytes = [0; 32];
        std::iter::from_fn(|| manager.recv(&mut bytes).ok()).count()
    };
    let (alive, dead) = fed(take, watch, &pulse);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(alive, 5, "every half of two seconds, for five");
    assert!(dead <= 1, "{dead} more after the last beat");
}

#[test]
fn only_heartbeats_feed_the_board_and_an_orderly_end_disarms_it() {
    let path = std::env::temp_dir().join(format!("spidercar-watchdog-{}", std::process::id()));
    std::fs::write(&path, "").unwrap();
    let (watch, pulse, _) = watch(Notify::default(), Some(path.clone()));
    let length = || std::fs::read(&path).unwrap().len();
    let (alive, dead) = fed(length, watch, &pulse);
    assert_eq!(alive, 5);
    assert!(dead <= alive + 1, "{dead} in all after the last beat");
    // A guard that is asked to end, as at SIGTERM.
    std::fs::write(&path, "").unwrap();
    let (watch, ..) = self::watch(Notify::default(), Some(path.clone()));
    let stop = AtomicBool::new(true);
    watch.run(&stop);
    assert_eq!(std::fs::read(&path).unwrap(), b"V");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_watchdog_that_is_not_there_is_no_reason_not_to_drive() {
    let (watch, ..) = watch(Notify::default(), Some("/nowhere/watchdog".into()));
    assert!(watch.device.is_none());
}
