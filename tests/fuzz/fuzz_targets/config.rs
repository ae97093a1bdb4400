//! Any text as a configuration file, and as a calibration file of the old program: a configuration, or problems that say so.
#![no_main]

use std::io;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use spidercar::config::import::import;
use spidercar::config::outside::Unreadable;
use spidercar::config::{Config, Outside, RawConfig, Source};

/// A machine on which the configuration is the only file.
struct OneFile<'a>(&'a [u8]);

impl Outside for OneFile<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, Unreadable> {
        if path == Path::new("car.toml") {
            Ok(self.0.to_vec())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn variable(&self, _name: &str) -> Option<String> {
        None
    }
}

fuzz_target!(|bytes: &[u8]| {
    let machine = OneFile(bytes);
    let raw = RawConfig::read(&Source::File("car.toml".into()), &[], &machine);
    match Config::from_raw(&raw, &machine) {
        Ok(config) => {
            let fields = config.drive.config.calibration.fields();
            assert!(fields.throttle_min < fields.throttle_zero && fields.throttle_zero < fields.throttle_max);
            assert!(raw.problems().is_empty());
        }
        Err(report) => assert!(!report.to_string().trim().is_empty()),
    }
    let text = String::from_utf8_lossy(bytes);
    for car in [None, Some("car1")] {
        if let Err(report) = import("calib_param.json", &text, car) {
            assert!(report.to_string().contains("calib_param.json"), "{report}");
        }
    }
});
