//! From the car's dials to libcamera's controls.
//!
//! ```text
//!   exposure_us   0 ─▶ ExposureTimeMode auto           8000 ─▶ manual, ExposureTime 8000
//!   gain_permille 0 ─▶ AnalogueGainMode auto           2000 ─▶ manual, AnalogueGain 2.0
//!   colour_kelvin 0 ─▶ AwbEnable true                  5000 ─▶ false, ColourTemperature 5000 (or ColourGains, if said)
//!   focus        -1 ─▶ AfMode continuous               1000 ─▶ manual, LensPosition 1.0
//!   zoom      1000  ─▶ ScalerCrop: the whole           2000 ─▶ half as wide and high
//!   fps, least_fps  ─▶ FrameDurationLimits
//! ```
//!
//! Promises: only what differs from before is written; a control that the camera does not have is named, not written; a
//! value beyond the camera's own range is brought into it.
//! Knows nothing of: who wants it.
//! Sources: libcamera `control_ids_core.yaml`; `ColourTemperature` works by itself only while `AwbEnable` is false.

use libcamera::control::{Control, ControlInfoMap, ControlList};
use libcamera::control_value::ControlValue;
use libcamera::controls::{
    AeEnable, AfMode, AnalogueGain, AnalogueGainMode, AwbEnable, ColourGains, ColourTemperature,
    ExposureTime, ExposureTimeMode, FrameDurationLimits, LensPosition, ScalerCrop,
};
use libcamera::geometry::Rectangle;

use crate::hal::csi::zoom::{self, Part};
use crate::logic::camera::{Controls, Dial};

/// Microseconds in a second.
const SECOND_US: i64 = 1_000_000;

/// What has to be known of the camera to set it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Optics {
    /// Frames a second.
    pub(super) fps: u32,
    /// Size of the picture.
    pub(super) picture: (u32, u32),
    /// The part of the sensor that can be had at most, if it says so.
    pub(super) most: Option<Part>,
}

fn has<C: Control>(camera: &ControlInfoMap) -> bool {
    camera.find(C::ID).is_ok()
}

/// Writes what differs between two positions of the dials; the words of those that the camera does not have.
pub(super) fn write(
    list: &mut ControlList,
    camera: &ControlInfoMap,
    optics: Optics,
    before: Option<&Controls>,
    wanted: &Controls,
) -> Vec<&'static str> {
    let mut writer = Writer {
        list,
        camera,
        missing: Vec::new(),
    };
    // Nothing is written of a dial that nobody has touched yet: then the camera's own default holds.
    let untouched = Controls::default();
    let before_or_untouched = before.unwrap_or(&untouched);
    let differs = |dials: &[Dial]| {
        dials
            .iter()
            .any(|dial| before_or_untouched.get(*dial) != wanted.get(*dial))
    };
    if differs(&[Dial::ExposureUs]) {
        writer.exposure(wanted.chosen(Dial::ExposureUs));
    }
    if differs(&[Dial::GainPermille]) {
        writer.gain(wanted.chosen(Dial::GainPermille));
    }
    if differs(&[Dial::ColourKelvin, Dial::RedPermille, Dial::BluePermille]) {
        writer.colour(wanted);
    }
    if differs(&[Dial::FocusMilli]) {
        writer.focus(wanted.chosen(Dial::FocusMilli));
    }
    if differs(&[Dial::ZoomPermille, Dial::ZoomX, Dial::ZoomY]) {
        writer.zoom(optics, wanted);
    }
    if before.is_none() || differs(&[Dial::LeastFps]) {
        writer.rate(optics, wanted.chosen(Dial::LeastFps));
    }
    writer.missing
}

struct Writer<'a> {
    list: &'a mut ControlList,
    camera: &'a ControlInfoMap,
    missing: Vec<&'static str>,
}

impl Writer<'_> {
    fn exposure(&mut self, micros: Option<i32>) {
        let word = Dial::ExposureUs.word();
        match micros {
            None if has::<ExposureTimeMode>(self.camera) => {
                self.set(word, ExposureTimeMode::Auto);
            }
            None => self.set(word, AeEnable(true)),
            Some(micros) => {
                self.set_if_there(ExposureTimeMode::Manual);
                let micros = self.within::<ExposureTime>(f64::from(micros));
                self.set(word, ExposureTime(whole(micros)));
            }
        }
    }

    fn gain(&mut self, permille: Option<i32>) {
        let word = Dial::GainPermille.word();
        match permille {
            None if has::<AnalogueGainMode>(self.camera) => {
                self.set(word, AnalogueGainMode::Auto);
            }
            None => self.set(word, AeEnable(true)),
            Some(permille) => {
                self.set_if_there(AnalogueGainMode::Manual);
                let gain = self.within::<AnalogueGain>(f64::from(permille) / 1000.0);
                self.set(word, AnalogueGain(small(gain)));
            }
        }
    }

    fn colour(&mut self, wanted: &Controls) {
        let gains = [Dial::RedPermille, Dial::BluePermille].map(|dial| wanted.chosen(dial));
        let kelvin = wanted.chosen(Dial::ColourKelvin);
        match (gains, kelvin) {
            ([None, None], None) => self.set(Dial::ColourKelvin.word(), AwbEnable(true)),
            ([None, None], Some(kelvin)) => {
                self.set_if_there(AwbEnable(false));
                self.set(Dial::ColourKelvin.word(), ColourTemperature(kelvin));
            }
            ([red, blue], _) => {
                self.set_if_there(AwbEnable(false));
                let gain =
                    |permille: Option<i32>| small(f64::from(permille.unwrap_or(1000)) / 1000.0);
                let gains = ColourGains([gain(red), gain(blue)]);
                self.set(Dial::RedPermille.word(), gains);
            }
        }
    }

    fn focus(&mut self, milli: Option<i32>) {
        let word = Dial::FocusMilli.word();
        match milli {
            None => self.set(word, AfMode::Continuous),
            Some(milli) => {
                self.set_if_there(AfMode::Manual);
                let dioptres = self.within::<LensPosition>(f64::from(milli) / 1000.0);
                self.set(word, LensPosition(small(dioptres)));
            }
        }
    }

    fn zoom(&mut self, optics: Optics, wanted: &Controls) {
        let Some(most) = optics.most else {
            self.missing.push(Dial::ZoomPermille.word());
            return;
        };
        let [zoom, x, y] =
            [Dial::ZoomPermille, Dial::ZoomX, Dial::ZoomY].map(|dial| wanted.get(dial));
        let Part {
            x,
            y,
            width,
            height,
        } = zoom::part(most, optics.picture, zoom, x, y);
        let crop = ScalerCrop(Rectangle {
            x,
            y,
            width,
            height,
        });
        self.set(Dial::ZoomPermille.word(), crop);
    }

    fn rate(&mut self, optics: Optics, least: Option<i32>) {
        let shortest = SECOND_US / i64::from(optics.fps.max(1));
        let longest = least.map_or(shortest, |least| {
            (SECOND_US / i64::from(least.max(1))).max(shortest)
        });
        if has::<FrameDurationLimits>(self.camera) {
            self.set(
                Dial::LeastFps.word(),
                FrameDurationLimits([shortest, longest]),
            );
        } else if least.is_some() {
            self.missing.push(Dial::LeastFps.word());
        }
    }

    fn set_if_there<C: Control>(&mut self, control: C) {
        if has::<C>(self.camera) {
            self.set("", control);
        }
    }

    fn set<C: Control>(&mut self, word: &'static str, control: C) {
        // `set` of the crate never fails; a control that the camera does not have it would only log.
        if !has::<C>(self.camera) || self.list.set(control).is_err() {
            self.missing.push(word);
        }
    }

    /// A number brought into the camera's own range of a control.
    fn within<C: Control>(&self, number: f64) -> f64 {
        let Ok(info) = self.camera.find(C::ID) else {
            return number;
        };
        let (least, most) = (number_of(&info.min()), number_of(&info.max()));
        match (least, most) {
            (Some(least), Some(most)) if least <= most => number.clamp(least, most),
            (_, _) => number,
        }
    }
}

/// A control value that is one number.
fn number_of(value: &ControlValue) -> Option<f64> {
    let number = match value {
        ControlValue::Int32(values) => values.first().map(|value| f64::from(*value)),
        ControlValue::Float(values) => values.first().map(|value| f64::from(*value)),
        ControlValue::None
        | ControlValue::Bool(_)
        | ControlValue::Byte(_)
        | ControlValue::Uint16(_)
        | ControlValue::Uint32(_)
        | ControlValue::Int64(_)
        | ControlValue::String(_)
        | ControlValue::Rectangle(_)
        | ControlValue::Size(_)
        | ControlValue::Point(_) => None,
    };
    number.filter(|number| number.is_finite())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float to an integer saturates, and dials are far smaller"
)]
fn whole(number: f64) -> i32 {
    number as i32
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "libcamera takes single precision; seven digits are more than a dial has"
)]
fn small(number: f64) -> f32 {
    number as f32
}
