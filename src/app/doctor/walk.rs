//! `spidercar doctor --hands`: the examination that needs a person at the car, from "wheels up" to the last line.
//!
//! ```text
//!   terminal? locks free? ─▶ "wheels up" ─▶ chassis, neutral ─▶ still? ─▶ each step: Space, it moves, y o n
//!                                                                                     │
//!        lines ◀── lap sensor, an edge at a time ◀── chassis down, neutral ◀──────────┘  battery, at rest and under load
//! ```
//!
//! Every question has a limit of time, and every movement ends by itself, by any key, and, if this program stands still, by
//! the failsafe. A movement is begun by a key and by nothing else.
//!
//! Promises: nothing moves before somebody typed that the wheels are up; whichever way it ends, neutral is written. A killed
//! process (SIGKILL) cannot: `spidercar neutral` does.
//! Knows nothing of: what an answer means (`steps`), what a key is (`person`).

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::load::Load;
use super::magnet;
use super::mover::{Moved, Mover};
use super::person::{AtTerminal, Gone, Key, Person, ask};
use super::steps::{self, Part, STILL, Step};
use super::{Finding, Lines, report};
use crate::app::Fatal;
use crate::app::calibrate::terminal::Terminal;
use crate::app::calibrate::{is_sure, watch_signals};
use crate::app::chassis::{Chassis, Person as At};
use crate::app::lock::Locks;
use crate::app::parts::chain;
use crate::app::sensing::devices;
use crate::app::survivor::Program;
use crate::cli::Exit;
use crate::config::Config;
use crate::config::hardware::Lap;

/// What is said before anything moves.
const WARNING: &str = "This moves the steering and turns the motor of this car, one at a time, slowly, when you press a key.\n\
                       Put the car on a stand: the wheels must turn freely, and touch nothing.\n\
                       Keep a hand at the battery's plug. Any key stops a movement.\n\n";

/// Examines the car with somebody beside it, and prints a line for each step.
///
/// # Errors
/// No terminal, another program at the outputs, a step that did not go as it should.
pub(super) fn walk(config: &Config, survivor: Program) -> Result<(), Fatal> {
    let no_terminal = |err: io::Error| {
        let what = format!(
            "--hands: {err}; it asks somebody at the car, so a script uses `spidercar doctor` without it"
        );
        Fatal::new(Exit::BadConfig, what)
    };
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        let err = io::Error::other("this needs a terminal");
        return Err(no_terminal(err));
    }
    // The outputs are not touched before the answer, but that they are free is known now.
    drop(Locks::take(&config.drive)?);
    if !is_sure(WARNING) {
        return Ok(());
    }
    let stop = Arc::new(AtomicBool::new(false));
    watch_signals(&stop)?;
    let mut chassis = Chassis::start(config, At::AtTheCar, Some(survivor))?;
    let terminal = Terminal::open().map_err(no_terminal)?;
    let mut person = AtTerminal::new(terminal, stop);
    let mut lines = Lines::new();
    let moved = outputs(config, &chassis, &mut person, &mut lines);
    // Neutral, before anything else.
    let _ = chassis.control.stop();
    drop(chassis);
    let ended = moved.and_then(|()| match &config.sensors.lap {
        Some(part) => lap(part, &mut person, &mut lines),
        None => Ok(()),
    });
    if let Err(gone) = ended {
        // Whoever went may have closed the terminal too.
        let _ = person.tell(&format!("\nNeutral: {}.\n", gone.says()));
    } else {
        let _ = person.tell("\nNeutral.\n");
    }
    drop(person);
    report(&lines)
}

/// Neutral, each movement, and the battery meanwhile.
fn outputs(
    config: &Config,
    chassis: &Chassis,
    person: &mut dyn Person,
    lines: &mut Lines,
) -> Result<(), Gone> {
    let drive = &config.drive;
    let mut load = config.sensors.battery.as_ref().map(Load::start);
    let answer = ask(
        person,
        &format!("{STILL}\n  y: yes   n: no   s: skip   q: end  "),
        &[Key::Yes, Key::Nothing, Key::Skip],
    )?;
    let is_still = answer != Key::Nothing;
    lines.push((
        "still",
        (answer != Key::Skip).then(|| steps::finding(Part::Still, answer, drive)),
    ));
    let mut mover = Mover::new(chassis, drive.esc_arming);
    for step in steps::steps(drive) {
        if step.is_load() && !is_still {
            // What is forward of a neutral that is none may be fast.
            lines.push((step.name, None));
            continue;
        }
        if let Some(load) = &mut load {
            load.note(false);
        }
        let line = movement(&mut mover, person, &step, config)?;
        lines.push((step.name, line));
        if let Some(load) = &mut load {
            load.note(step.is_load());
        }
    }
    lines.extend(load.map(|load| ("battery", Some(load.finding()))));
    Ok(())
}

/// One movement: announced, begun by a key, asked about. One that the car cut short is announced again, with its reason,
/// and whoever leaves it at that has this reason as the finding. `None`: left out.
fn movement(
    mover: &mut Mover<'_>,
    person: &mut dyn Person,
    step: &Step,
    config: &Config,
) -> Result<Option<Finding>, Gone> {
    let announced = format!("\nNext: {}.\n  Space: go   s: skip   q: end  ", step.does);
    let mut cut_short = None;
    loop {
        if ask(person, &announced, &[Key::Go, Key::Skip])? == Key::Skip {
            return Ok(cut_short.map(Err));
        }
        person.tell("  moving; any key stops it ...\n")?;
        match mover.go(person, step)? {
            Moved::Done => {}
            Moved::Stopped => person.tell("  stopped\n")?,
            Moved::CutShort(why) => {
                person.tell(&format!("  {why}; Space tries again\n"))?;
                cut_short = Some(why);
                continue;
            }
            Moved::Refused(why) => return Ok(Some(Err(why))),
        }
        let question = format!(
            "{}\n  y: yes   o: the other way round   n: nothing moved   Space: again   s: skip   q: end  ",
            step.asks
        );
        let keys = [Key::Yes, Key::Other, Key::Nothing, Key::Go, Key::Skip];
        match ask(person, &question, &keys)? {
            Key::Go => cut_short = None,
            Key::Skip => return Ok(None),
            answer => {
                return Ok(Some(steps::finding(step.part, answer, &config.drive)));
            }
        }
    }
}

/// The lap sensor, with whoever is there as the one who passes the line.
fn lap(part: &Lap, person: &mut dyn Person, lines: &mut Lines) -> Result<(), Gone> {
    let opened = devices::lap_sensor(part)
        .map_err(|fatal| fatal.text)
        .and_then(|mut open| open().map_err(|err| chain(&err)));
    let mut sensor = match opened {
        Ok(sensor) => sensor,
        Err(why) => {
            lines.push(("lap", Some(Err(why))));
            return Ok(());
        }
    };
    let which = match part.second_pin {
        None => format!("the sensor at BCM {}", part.pin),
        Some(second) => format!("each sensor, at BCM {} and BCM {second}", part.pin),
    };
    person.tell(&format!(
        "\nNext: the lap sensor; the motor is off. Hold the magnet (or the mark) to {which}, and take it away again,\n\
         or turn the wheel by hand if the mark is on it.\n  s: skip   Space: that is all   q: end\n"
    ))?;
    let found = magnet::watch(person, sensor.as_mut(), part, magnet::LIMIT)?;
    person.tell("\n")?;
    lines.push(("lap", found));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::person::tests::Scripted;
    use super::*;

    #[test]
    fn who_goes_away_without_a_word_leaves_the_car_at_neutral() {
        let log = std::env::temp_dir().join(format!("spidercar-walk-{}", std::process::id()));
        let mut config = crate::config::built_in();
        config.sim.actuator_log = Some(log.clone());
        let mut chassis = Chassis::start(&config, At::AtTheCar, None).unwrap();
        let mut person = Scripted::default();
        let keys = [None, Some(Key::Yes), None, Some(Key::Go)];
        person.keys.extend(keys);
        let mut lines = Lines::new();

        let ended = outputs(&config, &chassis, &mut person, &mut lines);
        assert_eq!(ended, Err(Gone::Silent));
        assert!(
            person.told.contains("Did they turn left?"),
            "{}",
            person.told
        );
        let names: Vec<_> = lines.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["still"], "what was answered is kept");

        let _ = chassis.control.stop();
        drop(chassis);
        let written = std::fs::read_to_string(&log).unwrap();
        assert!(written.contains("\"steering_us\":1650"), "{written}");
        let last = written.lines().last().unwrap();
        let neutral = "\"throttle_us\":1500,\"steering_us\":1500";
        assert!(last.contains(neutral), "{written}");
        std::fs::remove_file(log).unwrap();
    }
}
