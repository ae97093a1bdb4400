//! The GPIO chip of the header: which of the board's chips it is, and who has a line of it.
//!
//! ```text
//!   /dev/gpiochip* ─▶ label "pinctrl-bcm2835" | "-bcm2711" | "-rp1" ─▶ the header's ─▶ line 23 ─▶ used by "lg"
//! ```
//!
//! Outputs go through registers (rppal), which ask nobody; a line that another program or an overlay has taken at the
//! kernel would get two writers. So the kernel is asked before a car is driven, and not before neutral is written.
//!
//! *Invariants:* nothing is taken by looking. What cannot be found out, for there is no such chip or it may not be opened, is
//! no reason to stand.
//!
//! *Source:* kernel `gpio.h` (`GPIO_V2_LINE_FLAG_USED`, `consumer`); labels: pinctrl-bcm2835.c, pinctrl-rp1.c.

use std::path::{Path, PathBuf};

use gpiocdev::chip::Chip;

/// What the chip calls itself that the 40-pin header is wired to: Pi 0 to 3 and Zero 2 W, Pi 4, Pi 5. The firmware's
/// expander (`raspberrypi-exp-gpio`) has other lines.
const LABELS: [&str; 3] = ["pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"];

/// A chip by its path and label.
pub(super) type Labelled = (PathBuf, String);

/// The chips there are.
#[derive(Debug, Default)]
pub(super) struct Chips {
    /// Those that could be asked.
    pub(super) found: Vec<Labelled>,
    /// One that could not.
    pub(super) denied: Option<PathBuf>,
}

/// Looks for chips.
pub(super) fn chips() -> Chips {
    let mut chips = Chips::default();
    for path in gpiocdev::chip::chips().unwrap_or_default() {
        match Chip::from_path(&path).and_then(|chip| chip.info()) {
            Ok(info) => chips.found.push((path, info.label)),
            Err(_) => chips.denied = Some(path),
        }
    }
    chips
}

/// The chip of the header, among these.
pub(super) fn choose(chips: &[Labelled]) -> Option<&Path> {
    let is_header = |label: &str| LABELS.contains(&label);
    let (path, _) = chips.iter().find(|(_, label)| is_header(label))?;
    Some(path)
}

/// By what name somebody has a line of a chip, if anybody has; the kernel may have it without one.
fn consumer(chip: &Chip, offset: u32) -> Option<String> {
    let info = chip.line_info(offset).ok().filter(|info| info.used)?;
    Some(info.consumer)
}

/// Who has a line of a chip, if anybody.
pub(super) fn user(chip: &Chip, offset: u32) -> Option<String> {
    let name = consumer(chip, offset)?;
    Some(if name.is_empty() {
        "the kernel".to_owned()
    } else {
        format!("\"{name}\"")
    })
}

/// The first of these pins of the header that a program or driver has taken by name, and the name.
///
/// A line without a name is one that the kernel keeps from this interface, which says nothing of a writer.
#[must_use]
pub fn named_user(pins: &[u8]) -> Option<(u8, String)> {
    let chips = chips();
    let chip = Chip::from_path(choose(&chips.found)?).ok()?;
    pins.iter().find_map(|pin| {
        let name = consumer(&chip, (*pin).into())?;
        (!name.is_empty()).then_some((*pin, name))
    })
}

/// Chips with these labels, for tests.
#[cfg(test)]
pub(super) fn labelled(labels: &[&str]) -> Vec<Labelled> {
    (0..)
        .zip(labels)
        .map(|(n, label)| {
            (
                PathBuf::from(format!("/dev/gpiochip{n}")),
                (*label).to_owned(),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_chip_is_found_by_its_label() {
        for (labels, wanted) in [
            (vec!["pinctrl-bcm2835", "raspberrypi-exp-gpio"], Some(0)),
            (vec!["raspberrypi-exp-gpio", "pinctrl-bcm2711"], Some(1)),
            (
                vec![
                    "gpio-brcmstb@107d508500",
                    "gpio-brcmstb@107d517c00",
                    "pinctrl-rp1",
                ],
                Some(2),
            ),
            (vec!["raspberrypi-exp-gpio"], None),
            (vec!["pinctrl-rp1-like"], None),
            (vec![], None),
        ] {
            let wanted = wanted.map(|n| PathBuf::from(format!("/dev/gpiochip{n}")));
            assert_eq!(choose(&labelled(&labels)), wanted.as_deref(), "{labels:?}");
        }
    }
}
