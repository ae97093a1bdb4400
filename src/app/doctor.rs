//! `spidercar doctor`: tries each part by itself, and says what to do about the one that fails.
//!
//! ```text
//!   board, pwm, i2c ─▶ outputs ─▶ camera ─▶ encoder ─▶ Wi-Fi ─▶ clock ─▶ way to the Spider ─▶ sensors     one line each
//! ```
//!
//! The parts are the ones that `run` would use, made the same way, so what works here works there. The
//! outputs are only opened and set to neutral, and not even that while another program has them. What only a person can
//! see, which way the wheels turn, is asked with `--hands` (`walk`); where a picture's time goes is told by `--video` (`film`).
//!
//! Promises: moves nothing without `--hands`; data on stdout; the exit code says whether hardware is missing.
//! Knows nothing of: what a driver would see. Boards bring their own checks as they are added.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::ending::with_patience;
use super::lasting::not_lasting;
use super::lock::Locks;
use super::state_file::StateFile;
use super::survivor::Program;
use super::{Fatal, chassis, clock, csi_program, parts};
use crate::cli::{DoctorWish, Exit};
use crate::config::Config;
use crate::config::hardware::Wiring;
use crate::hal::sim::SimView;
use crate::logic::failsafe::Cause;
use crate::logic::spread::Figures;
use crate::net::date::{self, Clock, HOW_TO_SET, day};

mod eyes;
mod film;
#[cfg(feature = "pi")]
mod hands;
mod load;
mod magnet;
mod mover;
mod person;
mod radio;
mod sensors;
mod steps;
mod walk;
mod way;

/// Without the feature `pi` there are no hands to look at.
#[cfg(not(feature = "pi"))]
mod hands {
    pub(super) fn checks(_: &crate::config::Config) -> Vec<(&'static str, super::Finding)> {
        Vec::new()
    }
}

/// How long pulses that software makes are watched. choice: a hundred of a servo's, so that p99 is one of them.
const WATCH_PULSES: Duration = Duration::from_secs(2);

/// How often neutral is written meanwhile. choice: often enough for pulses that end when nobody renews them.
const RENEW: Duration = Duration::from_millis(50);

/// Pulses that are so much too long in one case of a hundred are a fault. choice: a tenth of full throttle's 500 us.
const SHAKY_US: u32 = 50;

/// How a check ended: what was found, or what is wrong and what to do.
type Finding = Result<String, String>;

/// Lines by name; `None` is a step that was left out.
type Lines = Vec<(&'static str, Option<Finding>)>;

/// Does what is wished for, and prints a line for each thing that was looked at.
///
/// # Errors
/// A part that `run` needs does not work.
pub fn doctor(config: &Config, wish: DoctorWish, survivor: Program) -> Result<(), Fatal> {
    if csi_program::is_elsewhere(config) {
        csi_program::take_over();
    }
    match wish {
        DoctorWish::Look => look(config),
        DoctorWish::Hands => walk::walk(config, survivor),
        DoctorWish::Video(seconds) => {
            report(&film::film(config, Duration::from_secs(seconds.into()))?)
        }
    }
}

/// Each part by itself.
fn look(config: &Config) -> Result<(), Fatal> {
    let view = Arc::new(SimView::default());
    let mut checks = with_patience("board", || hands::checks(config));
    checks.extend([(
        "outputs",
        with_patience("outputs", || outputs(config, &view)),
    )]);
    checks.extend(with_patience("video", || eyes::checks(config, &view)));
    checks.extend(radio::checks());
    checks.extend(storage(config).map(|finding| ("storage", finding)));
    checks.extend([
        ("clock", wall_clock(date::now_s())),
        ("spider", way::spider(config)),
    ]);
    checks.extend(with_patience("sensors", || sensors::checks(config)));
    let lines = checks
        .into_iter()
        .map(|(name, finding)| (name, Some(finding)));
    report(&lines.collect())
}

/// Prints the lines, and counts what is broken.
fn report(lines: &Lines) -> Result<(), Fatal> {
    let mut text = String::new();
    let mut broken = 0;
    for (name, finding) in lines {
        let (mark, words) = match finding {
            Some(Ok(words)) => ("ok  ", words.as_str()),
            Some(Err(words)) => ("FAIL", words.as_str()),
            None => ("-   ", "left out"),
        };
        broken += usize::from(matches!(finding, Some(Err(_))));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{mark}  {name:<9} {words}");
    }
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush()); // closed stdout: nobody reads it
    match broken {
        0 => Ok(()),
        1 => Err(Fatal::new(
            Exit::HardwareMissing,
            "1 part does not work; see above",
        )),
        many => Err(Fatal::new(
            Exit::HardwareMissing,
            format!("{many} parts do not work; see above"),
        )),
    }
}

fn outputs(config: &Config, view: &Arc<SimView>) -> Finding {
    // A car that is driven is not put to neutral by somebody who looks at it.
    let _locks = Locks::take(&config.drive).map_err(|fatal| fatal.text)?;
    parts::pins_are_free(&config.drive.output).map_err(|fatal| fatal.to_string())?;
    let (_, found) = chassis::found(&config.drive);
    let drive = chassis::with_learned(&config.drive, &found);
    let mut actuators =
        parts::actuators(&drive, &config.sim, view).map_err(|fatal| fatal.to_string())?;
    let neutral = drive.config.calibration.neutral();
    let mut write = || {
        let written = actuators.write(clock::now(), neutral, Cause::Exit);
        written.map_err(|err| format!("{}; see drive.output", parts::chain(&err)))?;
        Ok::<_, String>(actuators.too_long())
    };
    let mut too_long = write()?;
    if too_long.is_some() {
        let watched_until = clock::now().after(WATCH_PULSES);
        while clock::now() < watched_until {
            thread::sleep(RENEW);
            too_long = write()?;
        }
    }
    let words = format!(
        "{}, neutral at {} and {} µs",
        config.drive.output.word(),
        neutral.throttle.get(),
        neutral.steering.get()
    );
    match too_long {
        None => Ok(words),
        Some(told) => pulses(told).map(|of| format!("{words}; {of}")),
    }
}

/// How good pulses are that software makes, and what that means.
fn pulses(told: Figures) -> Finding {
    let Figures {
        n,
        p50_us,
        p99_us,
        max_us,
    } = told;
    if n == 0 {
        return Ok("software PWM, which makes no pulse at neutral: the log tells how good they are when `run` ends".to_owned());
    }
    let words = format!(
        "software PWM: {n} pulses, too long by {p50_us} µs (p50), {p99_us} µs (p99), {max_us} µs (max)"
    );
    if p99_us > SHAKY_US {
        return Err(format!(
            "{words}: servo and motor will twitch, for 50 µs are a tenth of full throttle; give it real-time priority (as root, or with LimitRTPRIO as the service has it), or take pins with hardware PWM (pwm.kind = \"hardware\")"
        ));
    }
    Ok(format!(
        "{words}; 5 µs are a hundredth of full throttle, and a busy computer makes it worse"
    ))
}

/// Whether a real car keeps what it is told to keep; nothing is said of one that keeps nothing.
fn storage(config: &Config) -> Option<Finding> {
    let file = config.drive.state_file.as_deref().map(StateFile::new);
    let kept = [
        ("drive.state_file", file.as_ref().map(StateFile::folder)),
        ("failsafe.black_box", config.safety.black_box.as_deref()),
    ];
    let kept: Vec<_> = kept
        .into_iter()
        .filter_map(|(key, folder)| Some((key, folder?)))
        .collect();
    if kept.is_empty() || config.drive.output == Wiring::Sim {
        return None;
    }
    let lost: Vec<String> = kept
        .iter()
        .filter_map(|(key, folder)| Some(format!("{key}: {}", not_lasting(folder)?)))
        .collect();
    if !lost.is_empty() {
        return Some(Err(lost.join("; ")));
    }
    let keys: Vec<&str> = kept.iter().map(|(key, _)| *key).collect();
    Some(Ok(format!("{} outlive the power", keys.join(" and "))))
}

/// Whether certificates can be judged by the date here.
fn wall_clock(now_s: u64) -> Finding {
    let (today, built) = (day(now_s), day(date::built_s()));
    match date::judge(now_s) {
        Clock::Plausible => Ok(format!(
            "{today} (UTC), which is plausible: this program is from {built}"
        )),
        Clock::Behind => Err(format!(
            "the date here is {today}, but this program is from {built}: the clock is behind, so certificates look as if they \
             were not valid yet; {HOW_TO_SET}"
        )),
        Clock::Ahead => Err(format!(
            "the date here is {today}, far after {built}, the day this program is from: the clock is ahead, so certificates look \
             expired; {HOW_TO_SET}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_told_and_judged_by_the_day_this_program_is_from() {
        let text = wall_clock(1_767_225_599).unwrap_err(); // a second before 2026
        assert!(
            text.contains("2025-12-31") && text.contains("behind"),
            "{text}"
        );
        let text = wall_clock(date::built_s() - 1).unwrap_err();
        assert!(text.contains(&day(date::built_s())), "{text}");
        assert!(wall_clock(date::now_s()).is_ok());
        let text = wall_clock(9_000_000_000).unwrap_err();
        assert!(
            text.contains("2255-03-14") && text.contains("ahead"),
            "{text}"
        );
    }

    #[test]
    fn pulses_that_twitch_are_a_fault_and_good_ones_are_told_with_figures() {
        let told = |n, p99_us| {
            pulses(Figures {
                n,
                p50_us: 3,
                p99_us,
                max_us: 900,
            })
        };
        assert!(told(0, 0).is_ok_and(|words| words.contains("no pulse at neutral")));
        let good = "software PWM: 100 pulses, too long by 3 µs (p50), 50 µs (p99), 900 µs (max); 5 µs are a hundredth of \
                    full throttle, and a busy computer makes it worse";
        assert_eq!(told(100, 50), Ok(good.to_owned()));
        let shaky = told(100, 51).unwrap_err();
        assert!(
            shaky.contains("51 µs (p99)") && shaky.contains("LimitRTPRIO"),
            "{shaky}"
        );
    }
}
