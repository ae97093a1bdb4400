//! The lap sensor while somebody brings the mark to it: each edge is counted as it comes.
//!
//! ```text
//!   BCM 4: 6 edges, BCM 17: 0 edges, 1 pass, 14 s left          until each pin had its edges and a pass was told
//! ```
//!
//! Promises: ends by itself; moves nothing. Knows nothing of: terminals, outputs.

use std::time::Duration;

use super::Finding;
use super::person::{Gone, Key, Person};
use crate::app::clock;
use crate::app::parts::chain;
use crate::app::sensing::devices;
use crate::config::hardware::Lap;
use crate::hal::sensor::{LapEvent, LapSensor};
use crate::logic::lap::{LapConfig, LapDetector, Pin};

/// How long somebody may take. choice: time to fetch the magnet.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

/// How often the keys are looked at, and the count is shown when it changed.
const LOOK: Duration = Duration::from_millis(50);

/// An edge is told by then. choice: as in `sensing`.
const EDGE_LAG: Duration = Duration::from_millis(20);

/// What came so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    edges: [u32; 2],
    /// Levels that were seen, over the mark and not, for each pin.
    over: [bool; 2],
    clear: [bool; 2],
    passes: u32,
}

/// Watches the sensor until it is known to work, the time is over, or a key is pressed. `None`: left out.
pub(super) fn watch(
    person: &mut dyn Person,
    sensor: &mut dyn LapSensor,
    part: &Lap,
    limit: Duration,
) -> Result<Option<Finding>, Gone> {
    let opened = clock::now();
    let levels = match sensor.levels() {
        Ok(levels) => levels,
        Err(err) => return Ok(Some(Err(chain(&err)))),
    };
    // Here a second pass may follow at once: nobody drives a lap.
    let config = LapConfig {
        minimum: Duration::ZERO,
        ..devices::lap_config(part)
    };
    let mut detector = LapDetector::new(config, opened, levels);
    let (mut count, mut shown) = (Count::default(), None);
    count.see(levels);
    let until = opened.after(limit);
    loop {
        let now = clock::now();
        let left = until.since(now).as_secs();
        if shown != Some((count, left)) {
            shown = Some((count, left));
            person.tell(&format!("\r\x1b[K  {}, {left} s left", count.words(part)))?;
        }
        if count.is_enough(part) || now >= until {
            break;
        }
        match person.key(Duration::ZERO)? {
            Some(Key::Skip) => return Ok(None),
            Some(Key::Go) => break,
            _ => {}
        }
        let pass = match sensor.wait(LOOK) {
            Ok(Some(LapEvent::Edge { pin, is_over, at })) => {
                count.edge(pin, is_over);
                detector.edge(pin, is_over, at)
            }
            Ok(Some(LapEvent::Lost { levels, at, .. })) => {
                count.see(levels);
                detector.resync(levels, at)
            }
            Ok(None) => detector.advance(clock::before(now, EDGE_LAG)),
            Err(err) => return Ok(Some(Err(chain(&err)))),
        };
        count.passes += u32::from(pass.is_some());
    }
    Ok(Some(count.finding(part)))
}

impl Count {
    fn edge(&mut self, pin: Pin, is_over: bool) {
        let place = usize::from(pin == Pin::Second);
        if let Some(edges) = self.edges.get_mut(place) {
            *edges += 1;
        }
        let seen = if is_over {
            &mut self.over
        } else {
            &mut self.clear
        };
        if let Some(seen) = seen.get_mut(place) {
            *seen = true;
        }
    }

    fn see(&mut self, levels: [bool; 2]) {
        for (place, is_over) in levels.into_iter().enumerate() {
            let seen = if is_over {
                &mut self.over
            } else {
                &mut self.clear
            };
            if let Some(seen) = seen.get_mut(place) {
                *seen = true;
            }
        }
    }

    fn is_enough(&self, part: &Lap) -> bool {
        let [first, second] = self.edges;
        self.passes > 0 && first > 1 && (part.second_pin.is_none() || second > 1)
    }

    fn words(&self, part: &Lap) -> String {
        let [first, second] = self.edges;
        let mut words = format!("BCM {}: {first} edges", part.pin);
        if let Some(pin) = part.second_pin {
            words = format!("{words}, BCM {pin}: {second} edges");
        }
        let plural = if self.passes == 1 { "pass" } else { "passes" };
        format!("{words}, {} {plural}", self.passes)
    }

    fn finding(&self, part: &Lap) -> Finding {
        let words = self.words(part);
        if self.is_enough(part) {
            return Ok(words);
        }
        let pins = [Some(part.pin), part.second_pin];
        let silent: Vec<u8> = pins
            .into_iter()
            .zip(self.edges)
            .filter_map(|(pin, edges)| pin.filter(|_| edges == 0))
            .collect();
        let Some(pin) = silent.first() else {
            return Err(format!(
                "{words}: it flickers, and no level held long enough; hold the mark longer and steadier, or lower \
                 lap.debounce_us"
            ));
        };
        let place = usize::from(*pin != part.pin);
        let is_stuck = self.over.get(place) == Some(&true) && self.clear.get(place) != Some(&true);
        Err(if is_stuck {
            format!(
                "{words}: BCM {pin} says \"over the mark\" all the time; a short circuit, a sensor without supply, or one of \
                 the other kind (lap.kind)"
            )
        } else {
            format!(
                "{words}: BCM {pin} never changed; check its wire, the sensor's supply and ground, that the magnet comes \
                 within a few millimetres, and the pin's number (lap.pin, lap.second_pin)"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::app::doctor::person::tests::Scripted;
    use crate::config::words::LapRule;
    use crate::hal::sensor::SensorError;

    struct Fake {
        levels: [bool; 2],
        events: VecDeque<(Pin, bool)>,
    }

    impl LapSensor for Fake {
        fn name(&self) -> &'static str {
            "fake"
        }

        fn levels(&mut self) -> Result<[bool; 2], SensorError> {
            Ok(self.levels)
        }

        fn wait(&mut self, limit: Duration) -> Result<Option<LapEvent>, SensorError> {
            let Some((pin, is_over)) = self.events.pop_front() else {
                std::thread::sleep(limit.min(Duration::from_millis(5)));
                return Ok(None);
            };
            Ok(Some(LapEvent::Edge {
                pin,
                is_over,
                at: clock::now(),
            }))
        }
    }

    fn part(second_pin: Option<u8>) -> Lap {
        Lap {
            active_high: false,
            pin: 4,
            second_pin,
            rule: LapRule::Any,
            debounce: Duration::ZERO,
            minimum: Duration::from_secs(3),
            chip: None,
        }
    }

    fn told(second_pin: Option<u8>, levels: [bool; 2], events: &[(Pin, bool)]) -> Finding {
        let mut sensor = Fake {
            levels,
            events: events.iter().copied().collect(),
        };
        let mut person = Scripted::default();
        let limit = Duration::from_millis(60);
        let found = watch(&mut person, &mut sensor, &part(second_pin), limit);
        assert!(person.told.contains("BCM 4: "), "{}", person.told);
        found.unwrap().unwrap()
    }

    const ONE: [(Pin, bool); 2] = [(Pin::First, true), (Pin::First, false)];
    const TWO: [(Pin, bool); 2] = [(Pin::Second, true), (Pin::Second, false)];

    #[test]
    fn a_sensor_that_never_fires_is_told_with_its_pin() {
        let said = told(None, [false; 2], &[]).unwrap_err();
        assert!(
            said.starts_with("BCM 4: 0 edges, 0 passes: BCM 4 never changed; check its wire"),
            "{said}"
        );
        let said = told(None, [true, false], &[]).unwrap_err();
        assert!(said.contains("all the time"), "{said}");
        let said = told(Some(17), [false; 2], &ONE).unwrap_err();
        assert!(
            said.starts_with("BCM 4: 2 edges, BCM 17: 0 edges, 1 pass: BCM 17 never"),
            "{said}"
        );
        let said = told(Some(17), [false; 2], &TWO).unwrap_err();
        assert!(said.contains("BCM 4 never"), "{said}");
    }

    #[test]
    fn a_sensor_that_fires_is_good_at_once() {
        assert_eq!(
            told(None, [false; 2], &ONE),
            Ok("BCM 4: 2 edges, 1 pass".to_owned())
        );
        assert_eq!(
            told(Some(17), [false; 2], &[ONE, TWO].concat()),
            Ok("BCM 4: 2 edges, BCM 17: 2 edges, 2 passes".to_owned())
        );
    }

    #[test]
    fn it_can_be_left_out() {
        let mut sensor = Fake {
            levels: [false; 2],
            events: VecDeque::new(),
        };
        let mut person = Scripted::default();
        person.keys.push_back(Some(Key::Skip));
        let found = watch(&mut person, &mut sensor, &part(None), LIMIT);
        assert_eq!(found, Ok(None));
    }
}
