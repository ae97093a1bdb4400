//! `spidercar calibrate`: finds the pulses of a car in a terminal on it, or changes what was saved.
//!
//! With nothing asked for it is a screen and a few keys, for whoever stands at the car with the wheels off the ground: the
//! same chassis as `run` has, and a driver who sits at a keyboard. The other forms touch no output.
//!
//! ```text
//!   calibrate                     type "wheels up" ─▶ chassis ─▶ key, speak, draw, 50 times a second ─▶ neutral
//!   calibrate --show              what counts, as the table of a configuration
//!   calibrate --save NAME=US ...  checked, stored, shown
//!   calibrate --reset             the configuration's pulses again
//! ```
//!
//! Promises: no output moves before somebody said that the wheels are up, and none when no key is held; however this ends,
//! neutral is written. For a killed process (SIGKILL), and one that was stopped (Ctrl-Z), the survivor does it.
//! Knows nothing of: what the keys do (`desk`), what it looks like (`screen`).

use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::chassis::{Chassis, Person, found};
use super::keeper::mend;
use super::lasting::not_lasting;
use super::learned::Learned;
use super::lock::{Locks, StateLock};
use super::state_file::StateFile;
use super::survivor::Program;
use super::{Fatal, asked, clock};
use crate::cli::{CalibrateWish, Exit};
use crate::config::{Config, Drive};
use crate::logic::drive::{Calibration, CalibrationFields};
use crate::logic::units::LeaseId;
use crate::logic::wire::Pulses;

use desk::{Desk, FIELDS, PERIOD, get, place_of, slot};
use keys::Keys;
use screen::Drawn;
use terminal::Terminal;

pub mod desk;
pub mod keys;
pub mod screen;
pub mod terminal;

/// What is said before anything moves.
const WARNING: &str = "This drives the motor and the servo of this car.\n\
                       Put the car on a stand: the wheels must turn freely, and touch nothing.\n\
                       Keep a hand at the battery's plug. A pulse is out only while a key is held.\n\n";

/// What has to be typed.
const SURE: &str = "wheels up";

/// Rounds between two screens. choice: five a second, so that a serial console of 9600 baud keeps up.
const DRAW_EACH: u32 = 10;

/// Rounds after which the whole screen is drawn anew, for a log line may have come between. choice: five seconds.
const FORGET_EACH: u32 = 250;

/// Does what is wished for.
///
/// # Errors
/// No terminal, no state file, another program at the outputs, pulses that make no sense.
pub fn calibrate(config: &Config, wish: &CalibrateWish, survivor: Program) -> Result<(), Fatal> {
    match wish {
        CalibrateWish::Terminal => at_the_car(config, survivor),
        CalibrateWish::Show => {
            let (_, found) = found(&config.drive);
            for (path, why) in &found.unusable {
                tracing::warn!(file = %path.display(), "drive.state_file: {why}; it is not used");
            }
            say(&shown(&config.drive, &found.learned));
            Ok(())
        }
        CalibrateWish::Save(changes) => {
            let saved = changed(&config.drive, changes)?;
            keep(&config.drive, Some(saved))
        }
        CalibrateWish::Reset => keep(&config.drive, None),
    }
}

/// The pulses that count, with these changed.
fn changed(drive: &Drive, changes: &[(String, u16)]) -> Result<Calibration, Fatal> {
    let (_, found) = found(drive);
    let mut pulses = counts(drive, &found.learned).fields().to_pulses();
    let bad = |what: String| Fatal::new(Exit::BadConfig, what);
    for (name, micros) in changes {
        let place = place_of(name).ok_or_else(|| {
            let names: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
            bad(format!(
                "--save {name}: no such pulse; there are {}",
                names.join(", ")
            ))
        })?;
        *slot(&mut pulses, place) = *micros;
    }
    let fields = CalibrationFields::from_pulses(&pulses)
        .ok_or_else(|| bad("--save: each pulse must be from 500 to 2500 us".to_owned()))?;
    Calibration::new(fields).map_err(|err| bad(format!("--save: {err}; nothing was changed")))
}

/// Stores a calibration, or that there is none.
fn keep(drive: &Drive, calibration: Option<Calibration>) -> Result<(), Fatal> {
    let file = drive
        .state_file
        .as_deref()
        .map(StateFile::new)
        .ok_or_else(|| {
            let what =
                "drive.state_file is not set: name the file in which the car keeps what it learns";
            Fatal::new(Exit::BadConfig, what)
        })?;
    let mut lock = StateLock::take(file.path())?;
    let found = file.read();
    mend(&file, &found);
    let learned = Learned {
        calibration,
        ..found.learned
    };
    let stored = file
        .make_folder()
        .and_then(|()| lock.hold())
        .and_then(|()| file.store(&learned));
    stored.map_err(|err| {
        let path = file.path().display();
        let what = format!("drive.state_file = {path:?}: {err}; nothing was changed");
        Fatal::new(Exit::HardwareMissing, what)
    })?;
    say(&shown(drive, &learned));
    Ok(())
}

fn counts(drive: &Drive, learned: &Learned) -> Calibration {
    learned.calibration.unwrap_or(drive.config.calibration)
}

/// What counts, as the table of a configuration.
fn shown(drive: &Drive, learned: &Learned) -> String {
    let from = if learned.calibration.is_some() {
        let file = drive.state_file.as_deref().map(StateFile::new);
        match file.and_then(|file| not_lasting(file.folder())) {
            None => "saved, in drive.state_file".to_owned(),
            Some(why) => format!("saved, but only until power-off: drive.state_file: {why}"),
        }
    } else {
        "of the configuration; nothing is saved".to_owned()
    };
    let limit = learned
        .max_speed
        .map_or_else(String::new, |ticks| format!("# maxSpeed = {ticks} ticks\n"));
    let pulses = table(&counts(drive, learned).fields().to_pulses());
    format!("# {from}\n{limit}[drive.calibration]\n{pulses}")
}

fn table(pulses: &Pulses) -> String {
    let mut text = String::new();
    for (place, field) in FIELDS.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} = {}", field.name, get(pulses, place));
    }
    text
}

/// Data goes to stdout; whoever reads it may be gone.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn at_the_car(config: &Config, survivor: Program) -> Result<(), Fatal> {
    let no_terminal = |err: io::Error| {
        let what = format!("{err}; a script uses --show, --save NAME=US and --reset");
        Fatal::new(Exit::BadConfig, what)
    };
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(no_terminal(io::Error::other("this needs a terminal")));
    }
    // The outputs are not touched before the answer, but that they are free is known now.
    drop(Locks::take(&config.drive)?);
    if !is_sure(WARNING) {
        return Ok(());
    }
    let stop = Arc::new(AtomicBool::new(false));
    watch_signals(&stop)?;
    let mut chassis = Chassis::start(config, Person::AtTheCar, Some(survivor))?;
    let mut terminal = Terminal::open().map_err(no_terminal)?;
    let desk = measure(config, &chassis, &mut terminal, &stop);
    // Neutral, before anything else.
    let _ = chassis.control.stop();
    drop(terminal);
    drop(chassis);
    if let Some(pulses) = desk {
        say(&format!(
            "\nNeutral. What was measured and is not saved:\n[drive.calibration]\n{}",
            table(&pulses)
        ));
    } else {
        say("\nNeutral.\n");
    }
    Ok(())
}

/// Warns, and asks whether the wheels are off the ground; whoever hesitates types something else.
pub(super) fn is_sure(warning: &str) -> bool {
    say(&format!("{warning}Type \"{SURE}\" to go on: "));
    let mut line = String::new();
    let is_sure = io::stdin().lock().read_line(&mut line).is_ok() && line.trim() == SURE;
    if !is_sure {
        say("Nothing was moved.\n");
    }
    is_sure
}

/// A closed terminal, a `kill`: all end as `q` does.
pub(super) fn watch_signals(stop: &Arc<AtomicBool>) -> Result<(), Fatal> {
    let stop = Arc::clone(stop);
    let bug = |err: io::Error| Fatal::new(Exit::Bug, err);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(bug)?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            runtime.block_on(asked::asked_to_stop());
            stop.store(true, Ordering::Relaxed);
        })
        .map_err(bug)?;
    Ok(())
}

/// The loop of keys, words and screens. What was measured and not saved comes back.
fn measure(
    config: &Config,
    chassis: &Chassis,
    terminal: &mut Terminal,
    stop: &AtomicBool,
) -> Option<Pulses> {
    let first = chassis.board.status()?;
    let lease = LeaseId::with_secret(rand::random::<u32>() | 1, rand::random());
    let mut desk = Desk::new(lease, first.calibration.counts.to_pulses());
    let (mut keys, mut drawn, mut round) = (Keys::default(), Drawn::default(), 0_u32);
    let about = match &config.drive.state_file {
        Some(path) => format!("{}   {}", config.drive.output.word(), path.display()),
        None => format!(
            "{}   no drive.state_file: nothing outlives this",
            config.drive.output.word()
        ),
    };
    let mut status = first;
    chassis
        .mailbox
        .update(|intent, _| intent.set_link(clock::now(), true));
    while !stop.load(Ordering::Relaxed) && !chassis.control.has_ended() && !desk.is_over {
        let bytes = terminal.read(PERIOD)?;
        let pressed = if bytes.is_empty() {
            keys.settle().into_iter().collect()
        } else {
            keys.feed(&bytes)
        };
        status = chassis.board.status().unwrap_or(status);
        for key in pressed {
            desk.press(clock::now(), key, &status);
        }
        let now = clock::now();
        for incoming in desk.speak(now, &status) {
            chassis
                .mailbox
                .update(|intent, holder| intent.fold(now, &incoming, holder));
        }
        while chassis.control.events.try_recv().is_ok() {} // the screen shows what they say
        round = round.wrapping_add(1);
        if round.is_multiple_of(FORGET_EACH) {
            drawn.forget();
        }
        if round.is_multiple_of(DRAW_EACH) {
            let stored = chassis.board.stored(status.calibration.changes);
            let lines = screen::lines(&desk, now, &status, stored, &about);
            if !terminal.write(&drawn.update(lines)) {
                return None; // nobody is there to read it
            }
        }
    }
    let now = clock::now();
    for incoming in desk.goodbye(now) {
        chassis
            .mailbox
            .update(|intent, holder| intent.fold(now, &incoming, holder));
    }
    desk.is_new(&status).then_some(desk.pulses)
}
