//! The board and its chip, by the device tree.
//!
//! rppal knows models by name, and so none that came after it. The chip is enough for PWM and for the pins' channels, and
//! each device tree names it. rppal is asked only where the tree does not.
//!
//! *Source:* kernel Documentation/devicetree/bindings/arm/bcm/bcm2835.yaml (`compatible`: board, then chip).

use std::fmt;
use std::fs;
use std::path::Path;

use rppal::system::{DeviceInfo, SoC};

use super::OpenError;

/// Where the kernel shows the device tree.
const TREE: &str = "/sys/firmware/devicetree/base";

/// A chip that a Raspberry Pi is built around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chip {
    /// Pi 1, Zero, Zero W, Compute Module 1.
    Bcm2835,
    /// Pi 2.
    Bcm2836,
    /// Pi 3, Zero 2 W, Compute Module 3.
    Bcm2837,
    /// Pi 4, 400, Compute Module 4.
    Bcm2711,
    /// Pi 5, 500, Compute Module 5; the header is the RP1's.
    Bcm2712,
}

impl Chip {
    const ALL: [Self; 5] = [
        Self::Bcm2835,
        Self::Bcm2836,
        Self::Bcm2837,
        Self::Bcm2711,
        Self::Bcm2712,
    ];

    /// Its name, as in the device tree after `brcm,`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bcm2835 => "bcm2835",
            Self::Bcm2836 => "bcm2836",
            Self::Bcm2837 => "bcm2837",
            Self::Bcm2711 => "bcm2711",
            Self::Bcm2712 => "bcm2712",
        }
    }

    const fn of_rppal(soc: SoC) -> Option<Self> {
        Some(match soc {
            SoC::Bcm2835 => Self::Bcm2835,
            SoC::Bcm2836 => Self::Bcm2836,
            SoC::Bcm2837A1 | SoC::Bcm2837B0 => Self::Bcm2837,
            SoC::Bcm2711 => Self::Bcm2711,
            SoC::Bcm2712 => Self::Bcm2712,
            _ => return None,
        })
    }
}

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name().to_uppercase())
    }
}

/// A board of the Raspberry Pi family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    /// As the device tree says it.
    pub model: String,
    /// Its chip.
    pub chip: Chip,
}

/// The board that this program runs on.
///
/// # Errors
/// It is no Raspberry Pi, or one with a chip that is not known here.
pub fn board() -> Result<Board, OpenError> {
    let text = |file: &str| fs::read_to_string(Path::new(TREE).join(file)).unwrap_or_default();
    let rppal = || {
        let info = DeviceInfo::new().ok()?;
        Some((info.model().to_string(), Chip::of_rppal(info.soc())?))
    };
    of(&text("model"), &text("compatible"), rppal)
}

/// The same for these texts of a device tree, whose strings end with a NUL.
fn of(
    model: &str,
    compatible: &str,
    rppal: impl FnOnce() -> Option<(String, Chip)>,
) -> Result<Board, OpenError> {
    let model = model.trim_end_matches('\0').trim().to_owned();
    let names = || compatible.split('\0').filter(|name| !name.is_empty());
    let is_pi =
        model.starts_with("Raspberry Pi") || names().any(|name| name.starts_with("raspberrypi,"));
    let chip = names()
        .filter_map(|name| name.strip_prefix("brcm,"))
        .find_map(|name| Chip::ALL.into_iter().find(|chip| chip.name() == name));
    if let Some(chip) = chip.filter(|_| is_pi) {
        return Ok(Board { model, chip });
    }
    if let Some((model, chip)) = rppal() {
        return Ok(Board { model, chip });
    }
    let what = if is_pi {
        let names: Vec<&str> = names().collect();
        format!(
            "this board is {model:?} ({}), and this program does not know its chip; drive.output = \"pca9685\" works on any \
             board with I2C, for pins take a newer spidercar",
            names.join(", ")
        )
    } else if model.is_empty() {
        "this is no Raspberry Pi (neither /proc/cpuinfo nor /sys/firmware/devicetree names one); use drive.output = \"sim\" \
         here"
            .to_owned()
    } else {
        format!(
            "this is no Raspberry Pi but {model:?}; drive.output = \"pca9685\" works on any board with I2C, \"sim\" anywhere"
        )
    };
    Err(OpenError::NoPi(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(model: &str, compatible: &str) -> Result<Board, String> {
        of(model, compatible, || None).map_err(|err| err.to_string())
    }

    #[test]
    fn a_model_that_came_later_is_known_by_its_chip() {
        let board = tree(
            "Raspberry Pi 500+ Rev 1.0\0",
            "raspberrypi,500-plus\0brcm,bcm2712\0",
        )
        .unwrap();
        assert_eq!(board.chip, Chip::Bcm2712);
        assert_eq!(board.model, "Raspberry Pi 500+ Rev 1.0");
        let old = of("", "", || {
            Some(("Raspberry Pi 3 B".to_owned(), Chip::Bcm2837))
        })
        .unwrap();
        assert_eq!(old.chip, Chip::Bcm2837);
    }

    #[test]
    fn an_unknown_board_is_told_by_its_name() {
        let said = tree(
            "Raspberry Pi 6 Model B Rev 1.0\0",
            "raspberrypi,6-model-b\0brcm,bcm2799\0",
        )
        .unwrap_err();
        assert!(
            said.contains("\"Raspberry Pi 6 Model B Rev 1.0\""),
            "{said}"
        );
        assert!(
            said.contains("brcm,bcm2799") && said.contains("pca9685"),
            "{said}"
        );
        assert!(!said.contains("no Raspberry Pi"), "{said}");
        let said = tree("Radxa ZERO 3\0", "radxa,zero3\0rockchip,rk3566\0").unwrap_err();
        assert!(
            said.contains("no Raspberry Pi but \"Radxa ZERO 3\""),
            "{said}"
        );
        // A set-top box with a Pi's chip has no Pi's header.
        assert!(tree("Box\0", "maker,box\0brcm,bcm2711\0").is_err());
        assert!(
            tree("", "")
                .unwrap_err()
                .contains("this is no Raspberry Pi (")
        );
    }
}
