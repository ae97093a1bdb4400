//! The bytes on the wire, worked out from the datasheets; and a bus that fails at every single transaction.

use embedded_hal::i2c::ErrorKind as BusErrorKind;
use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

use super::*;

const ADDRESS: u8 = 0x41;

fn settings(chip: Chip, shunt_microohm: u32) -> BatterySettings {
    BatterySettings {
        chip,
        bus: 1,
        address: ADDRESS,
        shunt_microohm,
    }
}

/// A register is read by writing its number and reading two bytes, the higher one first.
/// INA219: SBOS448G 8.5.6, in one transaction; INA226: SBOS547B 6.5.5.3, in two, as its driver does.
fn read219(register: u8, value: u16) -> Vec<Transaction> {
    let bytes = value.to_be_bytes().to_vec();
    vec![Transaction::write_read(ADDRESS, vec![register], bytes)]
}

fn read226(register: u8, value: u16) -> Vec<Transaction> {
    let bytes = value.to_be_bytes().to_vec();
    vec![
        Transaction::write(ADDRESS, vec![register]),
        Transaction::read(ADDRESS, bytes),
    ]
}

fn write(register: u8, value: u16) -> Vec<Transaction> {
    let [high, low] = value.to_be_bytes();
    vec![Transaction::write(ADDRESS, vec![register, high, low])]
}

/// INA219, SBOS448G table 2 (registers): 00 configuration, 01 shunt voltage, 02 bus voltage.
/// 8.6.2.1: BRNG 1 (32 V), PG 11 (320 mV), BADC 1111 and SADC 1111 (128 samples), MODE 111 (both, continuous).
const CONFIGURE_219: u16 = 0b0011_1111_1111_1111;

fn set_up_219() -> Vec<Transaction> {
    [write(0x00, CONFIGURE_219), read219(0x00, CONFIGURE_219)].concat()
}

/// INA226, SBOS547B table 7-1: 00 configuration, 01 shunt, 02 bus, 06 mask/enable, FE maker, FF die.
/// 7.1.1: bit 14 is 1, AVG 011 (64), VBUSCT 100 and VSHCT 100 (1.1 ms), MODE 111 (both, continuous).
const CONFIGURE_226: u16 = 0b0100_0111_0010_0111;

fn set_up_226() -> Vec<Transaction> {
    [
        read226(0xfe, 0x5449),
        read226(0xff, 0x2260),
        write(0x00, CONFIGURE_226),
    ]
    .concat()
}

/// SBOS448G 8.6.3.2: bits 15 to 3 in steps of 4 mV, bit 1 is "conversion ready", bit 0 "overflow".
fn bus219(millivolts: u16, flags: u16) -> u16 {
    (millivolts / 4) << 3 | flags
}
const READY: u16 = 0b10;
const OVERFLOW: u16 = 0b01;

fn measure_219(millivolts: u16, shunt_10uv: i16) -> Vec<Transaction> {
    let shunt = u16::from_be_bytes(shunt_10uv.to_be_bytes());
    [
        read219(0x02, bus219(millivolts, READY)),
        read219(0x01, shunt),
    ]
    .concat()
}

/// SBOS547B 7.1.7: bit 3 of mask/enable is "conversion ready".
const CVRF: u16 = 1 << 3;

fn measure_226(bus: u16, shunt: i16) -> Vec<Transaction> {
    let shunt = u16::from_be_bytes(shunt.to_be_bytes());
    [
        read226(0x06, CVRF),
        read226(0x02, bus),
        read226(0x01, shunt),
    ]
    .concat()
}

/// A chip behind a bus that expects exactly this.
fn chip(settings: BatterySettings, wire: &[Transaction]) -> (Ina<Mock>, Mock) {
    let mock = Mock::new(wire);
    (Ina::new(mock.clone(), settings).unwrap(), mock)
}

fn power(millivolts: u16, milliamperes: i32) -> Power {
    Power {
        millivolts,
        milliamperes,
    }
}

#[test]
fn an_ina219_is_set_up_and_read_as_its_datasheet_says() {
    let wire = [
        set_up_219(),
        // 7412 mV is step 1853; 8.3 mV over 0.1 ohm are 83 mA.
        measure_219(7_412, 830),
        // Charged: the shunt voltage is negative, two's complement (SBOS448G table 7: 8300h is -320 mV).
        measure_219(8_400, -32_000),
        // An overflow of the calculation does not concern us: nothing is calculated in the chip.
        [
            read219(0x02, bus219(7_400, READY | OVERFLOW)),
            read219(0x01, 0),
        ]
        .concat(),
    ]
    .concat();
    let (mut ina, mut mock) = chip(settings(Chip::Ina219, 100_000), &wire);
    assert_eq!(
        ina.read().unwrap(),
        None,
        "its first measurement is on its way"
    );
    assert_eq!(ina.read().unwrap(), Some(power(7_412, 83)));
    assert_eq!(ina.read().unwrap(), Some(power(8_400, -3_200)));
    assert_eq!(ina.read().unwrap(), Some(power(7_400, 0)));
    mock.done();
    assert_eq!(CONFIGURE_219, 0x3fff);
}

#[test]
fn an_ina226_is_set_up_and_read_as_its_datasheet_says() {
    let wire = [
        set_up_226(),
        // SBOS547B 7.1.3: 1.25 mV a step, 5930 steps are 7412.5 mV. 2.5 µV a step over 2 mohm: 4000 steps, 10 mV, 5 A.
        measure_226(5_930, 4_000),
        measure_226(5_930, -1),
        measure_226(0x7fff, i16::MIN),
    ]
    .concat();
    let (mut ina, mut mock) = chip(settings(Chip::Ina226, 2_000), &wire);
    assert_eq!(ina.read().unwrap(), None);
    assert_eq!(ina.read().unwrap(), Some(power(7_412, 5_000)));
    assert_eq!(
        ina.read().unwrap(),
        Some(power(7_412, -1)),
        "-2.5 µV are -1.25 mA"
    );
    assert_eq!(ina.read().unwrap(), Some(power(40_958, -40_960)));
    mock.done();
    assert_eq!(CONFIGURE_226, 0x4727);
}

#[test]
fn a_new_revision_of_the_ina226_is_one_too() {
    let wire = [
        read226(0xfe, 0x5449),
        read226(0xff, 0x226f),
        write(0x00, CONFIGURE_226),
    ]
    .concat();
    let (mut ina, mut mock) = chip(settings(Chip::Ina226, 2_000), &wire);
    assert_eq!(ina.read().unwrap(), None);
    mock.done();
}

#[test]
fn another_chip_at_the_address_is_told_by_what_it_says() {
    // A PCA9685 reads its mode registers, and an INA219 has no number.
    let wire = [write(0x00, CONFIGURE_219), read219(0x00, 0x1104)].concat();
    let (mut ina, mut mock) = chip(settings(Chip::Ina219, 100_000), &wire);
    let text = ina.read().unwrap_err().to_string();
    assert!(
        text.starts_with("battery: INA219 at 0x41 of /dev/i2c-1: answers, but"),
        "{text}"
    );
    assert!(text.contains("battery.address and battery.kind"), "{text}");
    mock.done();
    for (maker, die) in [(0x5449, 0x2270), (0x544a, 0x2260), (0xffff, 0xffff)] {
        let wire = [read226(0xfe, maker), read226(0xff, die)].concat();
        let (mut ina, mut mock) = chip(settings(Chip::Ina226, 2_000), &wire);
        let text = ina.read().unwrap_err().to_string();
        assert!(
            text.contains(&format!("0x{maker:04x} 0x{die:04x}")),
            "{text}"
        );
        mock.done();
    }
}

#[test]
fn a_chip_that_measures_nothing_is_set_up_anew() {
    let wire = [
        set_up_219(),
        [read219(0x02, bus219(7_412, 0)), read219(0x01, 0)].concat(),
        set_up_219(),
        measure_219(7_412, 0),
    ]
    .concat();
    let (mut ina, mut mock) = chip(settings(Chip::Ina219, 100_000), &wire);
    assert_eq!(ina.read().unwrap(), None);
    assert!(
        ina.read()
            .unwrap_err()
            .to_string()
            .contains("measures nothing")
    );
    assert_eq!(ina.read().unwrap(), None, "set up anew");
    assert_eq!(ina.read().unwrap(), Some(power(7_412, 0)));
    mock.done();
}

#[test]
fn what_no_chip_can_measure_is_no_reading() {
    let wire = [set_up_219(), read219(0x02, bus219(32_004, READY))].concat();
    let (mut ina, mut mock) = chip(settings(Chip::Ina219, 100_000), &wire);
    assert_eq!(ina.read().unwrap(), None);
    assert!(ina.read().unwrap_err().to_string().contains("32004 mV"));
    mock.done();
    let wire = [set_up_219(), measure_219(7_400, 32_001)].concat();
    let (mut ina, mut mock) = chip(settings(Chip::Ina219, 100_000), &wire);
    assert_eq!(ina.read().unwrap(), None);
    assert!(ina.read().unwrap_err().to_string().contains("320010 µV"));
    mock.done();
}

#[test]
fn an_address_that_the_chip_cannot_have_is_refused() {
    for (address, is_good) in [(0x3f, false), (0x40, true), (0x4f, true), (0x50, false)] {
        for chip in [Chip::Ina219, Chip::Ina226] {
            let mut mock = Mock::new(&[]);
            let settings = BatterySettings {
                address,
                ..settings(chip, 100_000)
            };
            assert_eq!(
                Ina::new(mock.clone(), settings).is_ok(),
                is_good,
                "0x{address:02x}"
            );
            mock.done();
        }
    }
}

#[test]
fn a_shunt_of_nothing_is_no_division_by_zero() {
    let wire = [set_up_226(), measure_226(0, i16::MAX)].concat();
    let (mut ina, mut mock) = chip(settings(Chip::Ina226, 0), &wire);
    assert_eq!(ina.read().unwrap(), None);
    assert!(ina.read().unwrap().is_some());
    mock.done();
}

/// A bus whose n-th transaction fails, for every n of three reads: an error that says what to do, and then all is well.
fn fails_at_every_transaction(chip_kind: Chip, set_up: &[Transaction], measure: &[Transaction]) {
    let reads = [set_up, measure, measure];
    let all: usize = reads.iter().map(|read| read.len()).sum();
    for n in 0..all {
        let mut wire = Vec::new();
        let mut left = n;
        let mut failed_in = None;
        for (place, read) in reads.iter().enumerate() {
            if failed_in.is_some() {
                break;
            }
            if left < read.len() {
                wire.extend_from_slice(&read[..left]);
                let error =
                    BusErrorKind::NoAcknowledge(embedded_hal::i2c::NoAcknowledgeSource::Unknown);
                wire.push(read[left].clone().with_error(error));
                failed_in = Some(place);
            } else {
                wire.extend_from_slice(read);
                left -= read.len();
            }
        }
        // It is set up anew and goes on.
        wire.extend_from_slice(set_up);
        wire.extend_from_slice(measure);
        let (mut ina, mut mock) = chip(settings(chip_kind, 100_000), &wire);
        for _ in 0..failed_in.unwrap() {
            ina.read().unwrap();
        }
        let err = ina.read().unwrap_err();
        let text = err.to_string();
        assert!(text.starts_with("battery: INA2"), "{n}: {text}");
        assert!(
            text.contains("failed; check its wires and power"),
            "{n}: {text}"
        );
        let source = std::error::Error::source(&err).unwrap().to_string();
        assert!(source.contains("NoAcknowledge"), "{n}: {source}");
        assert_eq!(ina.read().unwrap(), None, "{n}: set up anew");
        assert!(ina.read().unwrap().is_some(), "{n}: and measures");
        mock.done();
    }
}

#[test]
fn an_ina219_survives_a_bus_that_fails_at_any_transaction() {
    fails_at_every_transaction(Chip::Ina219, &set_up_219(), &measure_219(7_412, 830));
}

#[test]
fn an_ina226_survives_a_bus_that_fails_at_any_transaction() {
    fails_at_every_transaction(Chip::Ina226, &set_up_226(), &measure_226(5_930, 4_000));
}

#[test]
fn a_bus_that_is_not_there_says_what_to_do() {
    let said = |kind: ErrorKind| bus_error(1, rppal::i2c::Error::Io(kind.into())).to_string();
    assert_eq!(
        said(ErrorKind::NotFound),
        "battery: /dev/i2c-1: not found; add dtparam=i2c_arm=on to the boot configuration, or set battery.bus"
    );
    assert!(said(ErrorKind::PermissionDenied).contains("add the user to the group i2c"));
    assert!(said(ErrorKind::TimedOut).contains("open the bus: failed"));
    assert!(open(settings(Chip::Ina219, 1)).is_err(), "no such bus here");
}
