//! The part of a car that stands between its driver and its wheels: vehicle, outputs, control thread, guard, keeper.
//!
//! `run` puts a network on top of it, `calibrate` a terminal; below that nothing may differ, or what is measured in the one
//! would not hold in the other. So both get it here, built and taken down in one order.
//!
//! ```text
//!   up      locks ─▶ what was learned ─▶ outputs ─▶ control thread (neutral first) ─▶ guard, survivor ─▶ keeper, black box's folder
//!   down    control thread (neutral last) ─▶ guard, survivor, black box ─▶ keeper (writes what is new) ─▶ locks
//! ```
//!
//! Promises: neutral is on the wires before a disk is written; whichever way it is dropped, neutral is the last write.
//! Knows nothing of: who drives.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::black_box::BlackBox;
use super::board::{Board, Stored};
use super::control::{Control, NotBegun, Pace};
use super::ending;
use super::fault::{self, Faults};
use super::gate::Gate;
use super::guard::{Guard, GuardParts};
use super::keeper::Keeper;
use super::lasting::not_lasting;
use super::lock::{Locks, OutputLock};
use super::mailbox::Mailbox;
use super::notify::Notify;
use super::parts::{actuators, pins_are_free};
use super::pulse::Pulse;
use super::state_file::{Found, StateFile};
use super::survivor::{Program, Survivor};
use super::{Fatal, clock};
use crate::cli::Exit;
use crate::config::{Config, Drive};
use crate::hal::realtime;
use crate::hal::sim::SimView;
use crate::logic::failsafe::Health;
use crate::logic::intent::Intent;
use crate::logic::vehicle::Vehicle;

/// How long the outputs may take for the first neutral. choice: a bus without an answer gives up after some 20 ms, and a
/// person who waits for the page waits no longer.
const FIRST_NEUTRAL: Duration = Duration::from_secs(5);

/// Who drives this car.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person {
    /// Somebody at the other end of a network, by the camera's picture.
    Remote,
    /// Somebody who stands beside it and calibrates it.
    AtTheCar,
}

/// A running chassis. Fields are dropped in their order, which is the order of going down.
pub struct Chassis {
    /// The control thread.
    pub control: Control,
    _guard: Guard,
    _survivor: Option<Survivor>,
    _black_box: Option<BlackBox>,
    _keeper: Option<Keeper>,
    /// Where commands go.
    pub mailbox: Arc<Mailbox>,
    /// Newest values of everything.
    pub board: Arc<Board>,
    /// What the simulated outputs do to the simulated picture.
    pub view: Arc<SimView>,
    /// `None` for a car that does not fail on purpose.
    pub faults: Option<Arc<Faults>>,
    /// The service manager.
    pub notify: Notify,
    _locks: Option<OutputLock>,
}

impl Chassis {
    /// Builds it and starts it: when this returns, neutral was written, or the outputs refused it, and the log says so.
    ///
    /// `survivor` writes neutral when this process dies; without one only a service manager does.
    ///
    /// # Errors
    /// Another program has the outputs; outputs that are missing, or that never return; a thread that could not be made.
    pub fn start(
        config: &Config,
        person: Person,
        survivor: Option<Program>,
    ) -> Result<Self, Fatal> {
        let Locks {
            outputs: locks,
            state,
        } = Locks::take(&config.drive)?;
        let (file, found) = found(&config.drive);
        let drive = with_learned(&config.drive, &found);
        let view = Arc::new(SimView::default());
        let faults = Faults::of(config);
        pins_are_free(&drive.output)?;
        let outputs = actuators(&drive, &config.sim, &view)?;
        let now = clock::now();
        let mut vehicle = vehicle(config, person, &found);
        let pulse = Pulse::new(now, vehicle.neutral());
        let spare = outputs.spare();
        // Faults stand before the gate, where a real thread would stall.
        let gated = Box::new(Gate::new(outputs, Arc::clone(&pulse)));
        let outputs = fault::outputs(gated, faults.as_ref());
        let mailbox = Mailbox::new();
        let first = vehicle.step(now, &Intent::default(), nothing_works_yet());
        let board = Board::new(&first.status, config.spider.bitrate);
        if person == Person::AtTheCar {
            board.drive_on_sight();
        }
        let folder = config.safety.black_box.as_deref();
        let bug = |err| Fatal::new(Exit::Bug, err);
        let (black_box, recorder) = folder
            .map(BlackBox::start)
            .transpose()
            .map_err(bug)?
            .unzip();
        let notify = Notify::from_environment();
        let control = Control::start(
            vehicle,
            outputs,
            Arc::clone(&mailbox),
            Arc::clone(&board),
            Arc::clone(&pulse),
            recorder,
            Pace {
                tick: config.drive.tick,
                esc_arming: config.drive.esc_arming,
            },
        )
        .map_err(bug)?;
        // A board that restarts in the middle of a measurement helps nobody: its watchdog is for the service.
        let device = config.safety.watchdog_device.clone();
        let guard = Guard::start(GuardParts {
            pulse: Arc::clone(&pulse),
            outputs: spare,
            notify: notify.clone(),
            watchdog_device: device.filter(|_| person == Person::Remote),
        })
        .map_err(bug)?;
        control
            .begun(FIRST_NEUTRAL)
            .map_err(|why| not_begun(why, &board))?;
        // Before memory is locked, which a copy of this process would have to pay for.
        let survivor = survivor
            .map(|program| Survivor::start(program, &pulse))
            .transpose()
            .map_err(bug)?;
        // The car is at neutral; only now may a disk be slow.
        if let Some(folder) = folder {
            make(folder);
        }
        let keeper = match file.zip(state) {
            Some((file, lock)) => {
                board.set_stored(Stored::OnTheWay);
                let started = Keeper::start(file, lock, found, Arc::clone(&board));
                Some(started.map_err(bug)?)
            }
            None => None,
        };
        realtime::lock_memory();
        Ok(Self {
            control,
            _guard: guard,
            _survivor: survivor,
            _black_box: black_box,
            _keeper: keeper,
            mailbox,
            board,
            view,
            faults,
            notify,
            _locks: locks,
        })
    }
}

/// What is said of a car whose outputs are not at neutral. The control thread may never come back, and whoever waits for it
/// would not either: the end of the process gets a limit.
fn not_begun(why: NotBegun, board: &Arc<Board>) -> Fatal {
    let fatal = match why {
        NotBegun::Waiting => Fatal::new(
            Exit::HardwareMissing,
            format!(
                "the outputs have not taken neutral for {} s: their driver hangs; look at wiring, supply and `dmesg`, and \
                 switch the board off and on",
                FIRST_NEUTRAL.as_secs()
            ),
        ),
        NotBegun::Panicked => Fatal::new(Exit::Bug, "the control thread panicked at its start"),
    };
    tracing::error!("{}", fatal.text);
    ending::limit(board);
    fatal
}

/// Makes the folder of the black box. A card that became read-only must not keep a car from its driver: what it records is lost,
/// and said to be.
fn make(folder: &Path) {
    match std::fs::create_dir_all(folder) {
        Ok(()) => {
            if let Some(why) = not_lasting(folder) {
                tracing::warn!("failsafe.black_box: {why}");
            }
        }
        Err(err) => {
            let folder = folder.display();
            tracing::error!(
                "failsafe.black_box = \"{folder}\": {err}; what leads to a stop is not kept: name a folder that can be written"
            );
        }
    }
}

/// The state file, if there is to be one, and what it says. Changes nothing.
#[must_use]
pub fn found(drive: &Drive) -> (Option<StateFile>, Found) {
    let file = drive.state_file.as_deref().map(StateFile::new);
    let found = file.as_ref().map(StateFile::read).unwrap_or_default();
    (file, found)
}

/// The same outputs, with the calibration that was saved.
#[must_use]
pub fn with_learned(drive: &Drive, found: &Found) -> Drive {
    let mut drive = drive.clone();
    if let Some(saved) = found.learned.calibration {
        drive.config.calibration = saved;
    }
    drive
}

fn vehicle(config: &Config, person: Person, found: &Found) -> Vehicle {
    let vehicle = config.vehicle(clock::now());
    let vehicle = match person {
        Person::Remote => vehicle,
        // He is there to measure them.
        Person::AtTheCar => vehicle.with_remote_calibration().with_measured(true),
    };
    vehicle.with_learned(found.learned.calibration, found.learned.max_speed)
}

/// Health before anything is known.
fn nothing_works_yet() -> Health {
    Health {
        camera_ok: false,
        encoder_ok: false,
        ..Health::GOOD
    }
}
