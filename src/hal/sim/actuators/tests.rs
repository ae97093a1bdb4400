//! The outputs through changes, faults and a full disk.

use std::sync::Mutex;

use super::*;
use crate::logic::drive::Reverse;
use crate::logic::drive::tests::unlimited;

fn car_like(steering_reversed: bool) -> DriveConfig {
    DriveConfig {
        steering_reversed,
        ..unlimited(Reverse::Direct)
    }
}

/// A file that a test can read while it is written, with a disk that can be full.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<(Vec<u8>, usize)>>);

impl Disk {
    fn with_room(bytes: usize) -> Self {
        let disk = Self::default();
        disk.0.lock().unwrap().1 = bytes;
        disk
    }
    fn make_room(&self, bytes: usize) {
        self.0.lock().unwrap().1 += bytes;
    }
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().0.clone()).unwrap()
    }
}

impl Write for Disk {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut disk = self.0.lock().unwrap();
        let fits = data.len().min(disk.1);
        if fits == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        disk.1 -= fits;
        disk.0.extend(data.iter().take(fits));
        Ok(fits)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn pulses(throttle: u16, steering: u16) -> Setpoint {
    Setpoint {
        throttle: PulseWidth::new(throttle).unwrap(),
        steering: PulseWidth::new(steering).unwrap(),
    }
}

fn at(micros: u64) -> Uptime {
    Uptime::from_micros(micros)
}

#[test]
fn the_first_write_and_each_change_make_one_line() {
    let disk = Disk::with_room(usize::MAX);
    let mut car = SimActuators::new().with_log_to("disk".into(), Box::new(disk.clone()));
    car.write(at(1), pulses(1500, 1500), Cause::Start).unwrap();
    car.write(at(2), pulses(1500, 1500), Cause::Arm).unwrap();
    car.write(at(3), pulses(1600, 1500), Cause::Drive).unwrap();
    car.write(at(4), pulses(1600, 1500), Cause::Drive).unwrap();
    car.write(at(u64::MAX), pulses(1500, 1500), Cause::LinkLost)
        .unwrap();
    assert_eq!(
        disk.text(),
        "{\"t_us\":1,\"throttle_us\":1500,\"steering_us\":1500,\"cause\":\"start\"}\n\
         {\"t_us\":3,\"throttle_us\":1600,\"steering_us\":1500,\"cause\":\"drive\"}\n\
         {\"t_us\":18446744073709551615,\"throttle_us\":1500,\"steering_us\":1500,\"cause\":\"link_lost\"}\n"
    );
}

#[test]
fn every_cause_fits_in_a_line_of_json() {
    for cause in Cause::ALL {
        let disk = Disk::with_room(usize::MAX);
        let mut car = SimActuators::new().with_log_to("disk".into(), Box::new(disk.clone()));
        car.write(at(u64::MAX), pulses(2500, 2500), *cause).unwrap();
        let line: serde_json::Value = serde_json::from_str(&disk.text()).unwrap();
        assert_eq!(line["cause"], cause.word());
        assert_eq!(line["t_us"], u64::MAX);
    }
}

#[test]
fn a_line_is_in_the_file_when_write_returns_and_a_second_run_adds_to_it() {
    let path = std::env::temp_dir().join(format!("actuators-{}.jsonl", std::process::id()));
    for run in 1..=2 {
        let mut car = SimActuators::new().with_log(&path).unwrap();
        car.write(at(7), pulses(1500, 1500), Cause::Start).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), run);
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_log_that_cannot_be_made_names_its_path() {
    let error = SimActuators::new()
        .with_log(Path::new("/nowhere/at/all.jsonl"))
        .unwrap_err();
    assert!(error.to_string().contains("/nowhere/at/all.jsonl"));
}

#[test]
fn a_full_disk_is_reported_and_the_car_goes_neutral_all_the_same() {
    let disk = Disk::with_room(150);
    let mut car = SimActuators::new().with_log_to("disk".into(), Box::new(disk.clone()));
    car.write(at(1), pulses(1500, 1500), Cause::Start).unwrap();
    car.write(at(2), pulses(1700, 1500), Cause::Drive).unwrap();
    let error = car.write(at(3), pulses(1500, 1500), Cause::ActuatorError);
    assert!(matches!(error, Err(ActuatorError::Log { .. })));
    assert_eq!(car.outputs(), Some(pulses(1500, 1500)));
}

#[test]
fn a_lost_line_is_written_when_there_is_room_again() {
    let disk = Disk::with_room(100);
    let mut car = SimActuators::new().with_log_to("disk".into(), Box::new(disk.clone()));
    car.write(at(1), pulses(1500, 1500), Cause::Start).unwrap();
    car.write(at(2), pulses(1700, 1500), Cause::Drive)
        .unwrap_err();
    car.write(at(3), pulses(1500, 1500), Cause::Stop)
        .unwrap_err();
    disk.make_room(1000);
    car.write(at(4), pulses(1500, 1500), Cause::Stop).unwrap();
    let text = disk.text();
    assert!(
        text.ends_with(
            "\n{\"t_us\":4,\"throttle_us\":1500,\"steering_us\":1500,\"cause\":\"stop\"}\n"
        ),
        "{text}"
    );
}

#[test]
fn for_every_n_the_nth_write_can_fail_and_the_next_succeeds() {
    for n in 0..5 {
        let mut car = SimActuators::new();
        car.fail_writes(n, 1);
        for write in 0..5 {
            let pulses = pulses(1500 + u16::try_from(write).unwrap(), 1500);
            let before = car.outputs();
            let result = car.write(at(1), pulses, Cause::Drive);
            assert_eq!(result.is_err(), write == n, "write {write}, fault at {n}");
            let expected = if write == n { before } else { Some(pulses) };
            assert_eq!(car.outputs(), expected);
        }
    }
}

#[test]
fn the_view_shows_the_share_of_the_calibration() {
    let view = Arc::new(SimView::default());
    let mut car = SimActuators::new().with_view(Arc::clone(&view), car_like(false));
    for (throttle, steering, expected) in [
        (1500, 1500, (0, 0)),
        (1539, 1500, (0, 0)),
        (1540, 1500, (0, 0)),
        (1770, 1750, (500, 500)),
        (2000, 2000, (1000, 1000)),
        (1250, 1250, (-500, -500)),
        (1000, 1000, (-1000, -1000)),
        (500, 2500, (-1000, 1000)),
    ] {
        car.write(at(1), pulses(throttle, steering), Cause::Drive)
            .unwrap();
        let (t, s) = view.get();
        assert_eq!((t.get(), s.get()), expected, "{throttle} {steering}");
    }
}

#[test]
fn the_view_of_a_reversed_servo_turns_where_the_wheels_do() {
    let view = Arc::new(SimView::default());
    let mut car = SimActuators::new().with_view(Arc::clone(&view), car_like(true));
    for (steering, expected) in [
        (1000, 1000),
        (1250, 500),
        (1500, 0),
        (1750, -500),
        (2000, -1000),
    ] {
        car.write(at(1), pulses(1500, steering), Cause::Drive)
            .unwrap();
        assert_eq!(view.get().1.get(), expected, "{steering}");
    }
}
