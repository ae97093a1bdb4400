//! The pure part of the car: every decision, and nothing that waits.
//!
//! Whatever decides if the car moves lives here, as functions from values to values, so that a test on any laptop can
//! run it against every input and any schedule. The shell around it (threads, sockets, pins) only carries bytes in and
//! pulses out.
//!
//! ```text
//!  bytes ─▶ json ─▶ wire ─▶ intent ─▶ vehicle ─▶ setpoint, events, status ─▶ telemetry ─▶ wire ─▶ bytes
//!                                        │
//!                        freshness ◀─────┼─────▶ failsafe
//!                        lease     ◀─────┼─────▶ drive
//!                                        └─────▶ pace
//!
//!  sensor edges ─▶ lap ─▶ passes      volts ─▶ battery ─▶ level      degrees ─▶ heat ─▶ hot?
//!  throttle, wishes ─▶ sight ─▶ which camera      wishes ─▶ camera ─▶ where its dials stand
//!  time a frame takes ─▶ ladder ─▶ size, rate
//!  message, its seal ─▶ seal ─▶ may it be obeyed?
//!  message ─▶ rights ─▶ which one it takes
//!  signalling words ─▶ session ─▶ action          attempt, random number ─▶ backoff ─▶ delay
//! ```
//!
//! Rules, each kept by the compiler or the gate where it can be:
//!
//! - Time is an argument: `now: Uptime` first. Nothing here reads a clock.
//! - No I/O, thread, lock, allocation or logging. `cargo check --lib --no-default-features` proves the `no_std` half.
//! - No float outside [`wire`]: a number is checked finite at the border and is an integer from there on.
//! - Every function that takes outside data is total: an answer or a named refusal, never a panic.

pub mod backoff;
pub mod battery;
pub mod camera;
pub mod drive;
pub mod esc;
pub mod failsafe;
pub mod heat;
pub mod intent;
pub mod ladder;
pub mod lap;
pub mod pace;
pub mod rights;
pub mod seal;
pub mod session;
pub mod sight;
pub mod spread;
pub mod telemetry;
pub mod units;
pub mod vehicle;
pub mod wire;

mod budget;
mod freshness;
mod json;
mod lease;
