//! What can be set on a camera while it runs, as whole numbers, and who may set it.
//!
//! A camera's own controls are floats, arrays and rectangles, different for each maker. What a driver wants of them is a
//! handful of dials, each with one number and one place where "the camera decides" is said. The newest value of each dial
//! counts; nothing queues.
//!
//! ```text
//!   {"camera":{"lease":7,"key":"exposure_us","value":8000}} ─▶ CameraCommand ─▶ Controls ─▶ the camera's own controls
//!   {"camera":{"lease":7,"key":"view","value":2}}           ─▶ CameraCommand ─▶ which camera is shown (sight.rs)
//! ```
//!
//! Promises: `Copy`, fixed size; a dial holds nothing outside its range.
//! Knows nothing of: which dials a camera has.
//! Sources: libcamera `control_ids_core.yaml` (`ExposureTime`, `AnalogueGain`, `ColourGains`, `LensPosition`,
//! `ScalerCrop`, `FrameDurationLimits`).

use super::units::LeaseId;

macro_rules! dials {
    ($($(#[$doc:meta])* $name:ident = $word:literal $default:literal, $least:literal, $most:literal;)+) => {
        /// One thing that can be set.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Dial {
            $($(#[$doc])* $name,)+
        }

        impl Dial {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name on the wire and in the configuration.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// The dial of this name.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$name),)+ _ => None }
            }

            /// Where it stands if nobody touched it: the camera decides.
            #[must_use]
            pub const fn default_value(self) -> i32 {
                match self { $(Self::$name => $default,)+ }
            }

            /// Least and most that it can be set to, besides its default.
            #[must_use]
            pub const fn range(self) -> (i32, i32) {
                match self { $(Self::$name => ($least, $most),)+ }
            }
        }

        /// How many there are.
        const DIALS: usize = Dial::ALL.len();
    };
}

// choice: the ranges are wider than those of any camera at hand; the camera's own limits count further in.
dials! {
    /// Exposure time in microseconds; 0: automatic.
    ExposureUs = "exposure_us" 0, 10, 1_000_000;
    /// Amplification of the sensor, in permille of none; 0: automatic.
    GainPermille = "gain_permille" 0, 1000, 64_000;
    /// Colour temperature of the light in kelvin; 0: automatic white balance.
    ColourKelvin = "colour_kelvin" 0, 1000, 20_000;
    /// Amplification of red, in permille, for a white balance by hand together with blue; 0: automatic.
    RedPermille = "red_permille" 0, 100, 32_000;
    /// Amplification of blue, in permille.
    BluePermille = "blue_permille" 0, 100, 32_000;
    /// Where the lens focuses, in thousandths of a dioptre: 0 far away, 10000 at 10 cm; -1: continuous autofocus.
    FocusMilli = "focus_millidioptre" -1, 0, 32_000;
    /// Enlargement in permille; 1000: the whole picture.
    ZoomPermille = "zoom_permille" 1000, 1000, 8000;
    /// Where the enlarged part is: -1000 left edge, 1000 right edge.
    ZoomX = "zoom_x_permille" 0, -1000, 1000;
    /// Where the enlarged part is: -1000 upper edge, 1000 lower edge.
    ZoomY = "zoom_y_permille" 0, -1000, 1000;
    /// How few frames a second automatic exposure may take in the dark; 0: never fewer than `camera.fps`.
    LeastFps = "least_fps" 0, 1, 60;
}

impl Dial {
    /// Whether it can be set to this value.
    #[must_use]
    pub const fn allows(self, value: i32) -> bool {
        let (least, most) = self.range();
        value == self.default_value() || (least <= value && value <= most)
    }

    fn place(self) -> usize {
        Self::ALL
            .iter()
            .position(|dial| *dial == self)
            .unwrap_or_else(|| unreachable!("ALL has every dial"))
    }
}

/// Where every dial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Controls {
    values: [i32; DIALS],
}

impl Default for Controls {
    fn default() -> Self {
        let mut values = [0; DIALS];
        for (value, dial) in values.iter_mut().zip(Dial::ALL) {
            *value = dial.default_value();
        }
        Self { values }
    }
}

impl Controls {
    /// Where a dial stands.
    #[must_use]
    pub fn get(&self, dial: Dial) -> i32 {
        self.values
            .get(dial.place())
            .copied()
            .unwrap_or(dial.default_value())
    }

    /// Where a dial stands, if somebody set it to other than its default.
    #[must_use]
    pub fn chosen(&self, dial: Dial) -> Option<i32> {
        Some(self.get(dial)).filter(|value| *value != dial.default_value())
    }

    /// Sets a dial; whether it allows the value, for it stays where it was if not.
    pub fn set(&mut self, dial: Dial, value: i32) -> bool {
        match self.values.get_mut(dial.place()) {
            Some(place) if dial.allows(value) => {
                *place = value;
                true
            }
            Some(_) | None => false,
        }
    }
}

/// Which camera is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// The one that looks where the car drives.
    #[default]
    Automatic,
    /// The front one.
    Front,
    /// The rear one.
    Rear,
}

impl View {
    /// Number on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Automatic => 0,
            Self::Front => 1,
            Self::Rear => 2,
        }
    }

    /// The view with this number on the wire.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Automatic),
            1 => Some(Self::Front),
            2 => Some(Self::Rear),
            _ => None,
        }
    }
}

/// What is to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CameraWish {
    /// Show this camera.
    View(View),
    /// Set a dial to a value that it allows.
    Dial(Dial, i32),
}

/// A wish of the lease holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CameraCommand {
    /// Who.
    pub lease: LeaseId,
    /// What.
    pub wish: CameraWish,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dial_holds_its_range_and_its_default_and_nothing_else() {
        for dial in Dial::ALL {
            let (least, most) = dial.range();
            let mut controls = Controls::default();
            assert_eq!(controls.get(*dial), dial.default_value());
            assert_eq!(controls.chosen(*dial), None);
            assert!(!controls.set(*dial, most + 1), "{dial:?}");
            assert_eq!(controls, Controls::default());
            for value in [most, least] {
                assert!(controls.set(*dial, value), "{dial:?} {value}");
                assert_eq!(controls.get(*dial), value);
            }
            assert_eq!(
                controls.set(*dial, least - 1),
                least - 1 == dial.default_value(),
                "{dial:?}"
            );
            assert!(controls.set(*dial, dial.default_value()));
            assert_eq!(controls, Controls::default());
            assert_eq!(Dial::from_word(dial.word()), Some(*dial));
        }
        assert_eq!(Dial::from_word("view"), None);
    }

    #[test]
    fn a_view_is_its_code() {
        for code in 0..=3 {
            assert_eq!(
                View::from_code(code).map(View::code),
                (code < 3).then_some(code)
            );
        }
    }
}
