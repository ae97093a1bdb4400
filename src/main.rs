//! The program: arguments, configuration, logging, the work itself, an exit code.
//!
//! Nothing is decided here. What was asked is parsed by [`cli`], what is configured is checked by
//! [`config`], and [`dispatch`] is the one place that starts a part of the program.
//!
//! Promises: data goes to stdout, all else to stderr; a reader that closes stdout ends the program
//! quietly; a panic ends it with the exit code of a bug.
//! Knows nothing of: what any command does.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::panic::{self, UnwindSafe};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use spidercar::app;
use spidercar::app::replay::{ReplayError, Replayed};
use spidercar::app::survivor::Program;
use spidercar::cli::{self, Asked, CalibrateWish, Check, DoctorWish, Exit, Given, Work};
use spidercar::config::{self, Config, LogLevel, Machine, Outputs, RawConfig, Report, Source};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

fn main() -> ExitCode {
    guarded(start)
}

/// Runs the program and turns a panic, whose message is on stderr by then, into the exit code of a bug.
fn guarded(program: impl FnOnce() -> ExitCode + UnwindSafe) -> ExitCode {
    let code = panic::catch_unwind(program).unwrap_or_else(|_| Exit::Bug.into());
    app::lines::flush();
    code
}

fn start() -> ExitCode {
    match cli::parse(std::env::args_os().skip(1)) {
        Err(misuse) => refuse(&misuse.to_string()),
        Ok(Asked::Text(text)) => print(&text),
        Ok(Asked::Check(Check::Config(given))) => check(&given),
        Ok(Asked::Check(Check::Import { file, car })) => import(&file, car.as_deref()),
        Ok(Asked::Replay(file)) => replay(&file),
        Ok(Asked::Key(file)) => match app::keys::make(&file) {
            Ok(()) => print(&format!("{}\n", file.display())),
            Err(why) => refuse(&why),
        },
        Ok(Asked::Work(work)) => match prepare(work) {
            Ok(job) => dispatch(job),
            Err(report) => refuse_configuration(&report),
        },
    }
}

/// Work with the configuration it needs, ready to start.
enum Job {
    Run {
        config: Config,
        survivor: Program,
    },
    Spider {
        config: Config,
        faults: Vec<String>,
    },
    Watch {
        config: Config,
        record: Option<PathBuf>,
    },
    Doctor {
        config: Config,
        wish: DoctorWish,
        survivor: Program,
    },
    Neutral {
        outputs: Outputs,
        waits: bool,
    },
    Calibrate {
        config: Config,
        wish: CalibrateWish,
        survivor: Program,
    },
}

/// Starts the part of the program that does a job, and waits for its end.
fn dispatch(job: Job) -> ExitCode {
    let done = match job {
        Job::Run { config, survivor } => app::run::run(&config, survivor),
        Job::Spider { config, faults } => app::spider(&config, &faults),
        Job::Watch { config, record } => app::watch(&config, record),
        Job::Doctor {
            config,
            wish,
            survivor,
        } => app::doctor::doctor(&config, wish, survivor),
        Job::Neutral {
            outputs,
            waits: false,
        } => app::neutral::neutral(&outputs.drive, &outputs.sim),
        Job::Neutral {
            outputs,
            waits: true,
        } => app::survivor::waiting::wait(&outputs),
        Job::Calibrate {
            config,
            wish,
            survivor,
        } => app::calibrate::calibrate(&config, &wish, survivor),
    };
    match done {
        Ok(()) => Exit::Done.into(),
        Err(fatal) => {
            complain(&fatal.text);
            fatal.exit.into()
        }
    }
}

/// Reads the configuration that a piece of work needs, and starts logging as it says.
fn prepare(work: Work) -> Result<Job, Report> {
    let given = work.given();
    let source = source(given);
    let raw = RawConfig::read(&source, &given.sets, &Machine);
    if let Work::Neutral { waits, .. } = work {
        let outputs = Outputs::from_raw(&raw, &Machine)?;
        // The car that is waited for has said all the rest, and a reader of the log must not hold who waits.
        let (level, way) = if waits {
            (LogLevel::Error, Way::Queued)
        } else {
            (LogLevel::Info, Way::Direct)
        };
        log_to_stderr(level, way);
        for problem in outputs.ignored.iter().flat_map(Report::problems) {
            tracing::warn!(%problem, "neutral goes on without this part of the configuration");
        }
        return Ok(Job::Neutral { outputs, waits });
    }
    let config = Config::from_raw(&raw, &Machine)?;
    let level = match &work {
        // Their screen is no place for a log; what a person must know of still comes through.
        Work::Calibrate {
            wish: CalibrateWish::Terminal,
            ..
        }
        | Work::Doctor {
            wish: DoctorWish::Hands,
            ..
        } => LogLevel::Error,
        _ => config.log_level,
    };
    let way = match &work {
        Work::Run(_) | Work::Spider { .. } => Way::Queued,
        _ => Way::Direct,
    };
    log_to_stderr(level, way);
    tracing::info!(%source, keys_set = raw.keys_said().len(), "configuration");
    let survivor = Program::this(work.given());
    Ok(match work {
        Work::Run(_) => Job::Run { config, survivor },
        Work::Spider { faults, .. } => Job::Spider { config, faults },
        Work::Watch { record, .. } => Job::Watch { config, record },
        Work::Doctor { wish, .. } => Job::Doctor {
            config,
            wish,
            survivor,
        },
        Work::Calibrate { wish, .. } => Job::Calibrate {
            config,
            wish,
            survivor,
        },
        Work::Neutral { .. } => unreachable!("neutral was prepared above"),
    })
}

fn source(given: &Given) -> Source {
    if given.built_in {
        Source::BuiltIn
    } else {
        Source::find(given.config.as_deref())
    }
}

fn check(given: &Given) -> ExitCode {
    let raw = RawConfig::read(&source(given), &given.sets, &Machine);
    match Config::from_raw(&raw, &Machine) {
        Ok(_) => print(&config::show::effective(&raw)),
        Err(report) => refuse_configuration(&report),
    }
}

fn import(file: &Path, car: Option<&str>) -> ExitCode {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return refuse(&format!("{}: cannot be read: {error}", file.display())),
    };
    match config::import::import(&file.display().to_string(), &text, car) {
        Ok(toml) => print(&toml),
        Err(report) => refuse(&format!("the file to import has {report}")),
    }
}

fn replay(file: &Path) -> ExitCode {
    let mut told = Vec::new();
    let replayed = app::replay::replay(file, &mut told);
    print(&String::from_utf8_lossy(&told));
    match replayed {
        Ok(Replayed { steps, span_us }) => print(&format!(
            "{steps} steps over {}.{:03} s, all as recorded\n",
            span_us / 1_000_000,
            span_us / 1000 % 1000
        )),
        Err(err @ ReplayError::Differs { .. }) => {
            complain(&format!("{}: {err}", file.display()));
            Exit::Bug.into()
        }
        Err(err) => refuse(&format!("{}: {err}", file.display())),
    }
}

/// Writes data to stdout. Whoever reads it may stop at any time (`spidercar check | head`).
fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("cannot write to stdout: {error}"));
            Exit::Bug.into()
        }
        Ok(()) | Err(_) => Exit::Done.into(),
    }
}

/// Says what is wrong with usage or configuration.
fn refuse(what: &str) -> ExitCode {
    complain(what);
    Exit::BadConfig.into()
}

fn refuse_configuration(report: &Report) -> ExitCode {
    refuse(&format!(
        "the configuration has {report}\n  `spidercar check` without arguments prints every key and what is allowed"
    ))
}

fn complain(what: &str) {
    // If stderr is gone too, nobody is left to tell; the exit code still says it.
    let _ = writeln!(io::stderr(), "spidercar: {what}");
}

/// How lines of the log go out.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// At once: what ends by itself, in a terminal or from a script.
    Direct,
    /// By a queue that holds nobody: what serves others.
    Queued,
}

/// Starts logging: one line an event, of this program from `level` on, of libraries warnings and errors only.
fn log_to_stderr(level: LogLevel, way: Way) {
    let ours = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // The WebRTC stack warns of harmless things (a check before the answer), so those are for debugging.
    let theirs = if ours >= LevelFilter::DEBUG {
        LevelFilter::WARN
    } else {
        LevelFilter::ERROR
    };
    let filter = Targets::new()
        .with_default(theirs)
        .with_target("spidercar", ours);
    let queue = match way {
        Way::Direct => None,
        // Without a thread for it the log is as everywhere else.
        Way::Queued => app::lines::to_stderr().ok(),
    };
    let out = queue.map_or_else(|| BoxMakeWriter::new(io::stderr), BoxMakeWriter::new);
    let lines = tracing_subscriber::fmt::layer()
        .compact()
        .with_writer(out)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        // It would say so with a macro that panics when stderr is gone; a car goes on without its log.
        .log_internal_errors(false);
    let registry = tracing_subscriber::registry().with(filter);
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        // The journal notes the time itself.
        registry.with(lines.without_time()).init();
    } else {
        registry.with(lines).init();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_with_the_exit_code_of_a_bug() {
        let code = guarded(|| panic!("on purpose"));
        assert_eq!(code, ExitCode::from(1));
    }
}
