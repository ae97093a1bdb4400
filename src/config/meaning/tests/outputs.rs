//! What real outputs refuse: faults on purpose, addresses that no chip of theirs can have.

use super::*;

#[test]
fn faults_on_purpose_are_for_simulated_outputs_only() {
    for output in ["pwm", "pca9685", "hbridge"] {
        let text = format!("drive.output = \"{output}\"\nsim.faults = \"control-stall@1\"");
        let report = read(&text).unwrap_err().to_string();
        for wanted in ["sim.faults", "simulated outputs only", "drive.output"] {
            assert!(report.contains(wanted), "{report}");
        }
        // Neutral goes on without it.
        let (raw, shelf) = raw(&text);
        Outputs::from_raw(&raw, &shelf).unwrap();
    }
    read("sim.faults = \"control-stall@1\"").unwrap();
    read("drive.output = \"pwm\"\nsim.faults = \"\"").unwrap();
}

#[test]
fn an_address_must_be_one_that_the_chip_can_have() {
    let pca = |address: &str| format!("drive.output = \"pca9685\"\npca9685.address = {address}");
    let battery = |address: &str| {
        format!("battery.kind = \"ina219\"\nbattery.bus = 3\nbattery.address = {address}")
    };
    // datasheet: PCA9685 rev. 4 7.1.1 (six pins below a 1; 0x70 is the call to all), I2C 3.1.12 (from 0x78 on reserved).
    for address in ["0x40", "0x41", "0x6f", "0x71", "0x77"] {
        read(&pca(address)).unwrap();
    }
    for address in ["0x00", "0x28", "0x3f", "0x70", "112", "0x78", "0x7f"] {
        let report = read(&pca(address)).unwrap_err().to_string();
        assert!(report.contains("pca9685.address"), "{address}: {report}");
    }
    // datasheet: INA219 SBOS448G table 8-1, INA226 SBOS547B table 6-2 (16 addresses by two pins).
    for address in ["0x40", "0x45", "0x4f"] {
        read(&battery(address)).unwrap();
    }
    for address in ["0x00", "0x28", "0x3f", "0x50", "0x70", "0x78"] {
        let report = read(&battery(address)).unwrap_err().to_string();
        assert!(report.contains("battery.address"), "{address}: {report}");
    }
}
