//! The hands and nerves of a Raspberry Pi: what its header, its buses and its kernel offer.
//!
//! Everything here builds and is tested on any Linux: chips are reached through the kernel's devices and through
//! `embedded-hal` traits, which tests put a bus of their own behind.
//!
//! ```text
//!   /dev/gpiochip* ─ gpiocdev ─▶ lap        /dev/i2c-* ─ rppal ─▶ embedded-hal I2c ─ ina219, ina226 ─▶ battery
//! ```
//!
//! Promises: as for `hal`. Knows nothing of: which board this is, but for the label of its GPIO chip.

pub mod battery;
pub mod lap;
