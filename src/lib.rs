//! `spidercar`: the one program on the SD card of a camera car that is driven from a browser.
//!
//! It sends H.264 from its camera to a Spider relay over WebRTC, obeys drive commands from a data channel, reports
//! what it does, and stops when the link dies.
//!
//! ```text
//!  camera ──frame──▶ encoder ──access unit──▶ [newest] ──▶ RTP track ─┐
//!                                                                     │
//!  data channel ─bytes─▶ wire ─▶ intent ──▶ ┌─────────┐               ├── peer ⇄ operator
//!  link events ───────────────────────────▶ │ vehicle │─▶ setpoint    │
//!  clock (now) ───────────────────────────▶ └─────────┘      │        │
//!                                      drive + failsafe      ▼        │
//!                                                        actuators    │
//!  sensors ──reading──▶ telemetry ──bytes──▶ metric channel ──────────┘
//! ```
//!
//! Two sentences are kept true everywhere: *the car moves only if `vehicle` says so, this tick*; *`vehicle` is plain
//! arithmetic that a test can run for an hour in a millisecond*.
//!
//! # The map, in reading order
//!
//! - [`logic`]: what the car does and why. Pure: no clock, no thread, no socket, no allocation, and no `std`.
//! - `peer`: one WebRTC peer with our settings; `net`: the car's way to a Spider; `spider`: a Spider of our own.
//! - `app`: the wiring, and the threads that may wait.
//!
//! # Features
//!
//! Features only add. `std` is everything but [`logic`]; `sim` (default) is the simulated car, `pi` (default) the hands and
//! nerves of a Raspberry Pi, which builds on any Linux. Without `std` the crate is
//! `no_std` and holds [`logic`] alone; the gate builds it that way.

#![cfg_attr(not(any(feature = "std", test)), no_std)]

#[cfg(feature = "std")]
pub mod app;
#[cfg(feature = "std")]
pub mod cli;
#[cfg(feature = "std")]
pub mod config;
#[cfg(feature = "std")]
pub mod hal;
pub mod logic;
#[cfg(feature = "std")]
pub mod net;
#[cfg(feature = "std")]
pub mod peer;
#[cfg(feature = "std")]
pub mod spider;
