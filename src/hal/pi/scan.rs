//! Which addresses answer on an I2C bus, and what usually lives there.
//!
//! Promises: one byte is read from each address and nothing is written. A read can move a chip's register pointer, and
//! that is all it does to the chips that this program knows. Knows nothing of: what is expected.
//! Sources: `i2cdetect(8)` (quick write or read; reading is the safe one for the chips here), I2C specification 3.1.12
//! (reserved addresses).

use core::ops::RangeInclusive;

use embedded_hal::i2c::I2c;

/// Addresses that a chip may have. spec: I2C 3.1.12; below and above are reserved.
const ADDRESSES: RangeInclusive<u8> = 0x08..=0x77;

/// Chips that a car may carry, by address. datasheets: the address tables of each.
const KNOWN: [(RangeInclusive<u8>, &str); 6] = [
    (0x40..=0x40, "PCA9685, INA219 or INA226"),
    (0x41..=0x4F, "INA219, INA226 or ADS1115"),
    (0x36..=0x36, "MAX17048 battery gauge"),
    (0x68..=0x69, "MPU-6050 or a clock"),
    (0x70..=0x70, "the call to all PCA9685"),
    (0x3C..=0x3D, "OLED display"),
];

/// The addresses that answer, in order.
pub fn answering(bus: &mut impl I2c) -> Vec<u8> {
    ADDRESSES
        .filter(|address| bus.read(*address, &mut [0]).is_ok())
        .collect()
}

/// What usually lives at an address.
#[must_use]
pub fn lives_at(address: u8) -> &'static str {
    KNOWN
        .iter()
        .find(|(addresses, _)| addresses.contains(&address))
        .map_or("unknown", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    use super::*;

    #[test]
    fn who_acknowledges_is_found_and_nothing_is_written() {
        let nobody = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        let reads: Vec<_> = ADDRESSES
            .map(|address| {
                let read = Transaction::read(address, vec![0]);
                if [0x40, 0x70].contains(&address) {
                    read
                } else {
                    read.with_error(nobody)
                }
            })
            .collect();
        let mut bus = Mock::new(&reads);
        assert_eq!(answering(&mut bus), [0x40, 0x70]);
        bus.done();
    }

    #[test]
    fn chips_have_names() {
        assert_eq!(lives_at(0x45), "INA219, INA226 or ADS1115");
        assert_eq!(lives_at(0x20), "unknown");
    }
}
