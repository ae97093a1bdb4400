//! The choices a configuration key offers, each word beside the variant it stands for.
//!
//! One macro writes the enum, the list of its words (for errors and documentation) and the way
//! from one to the other, so that a choice cannot be accepted and not documented, or the reverse.
//!
//! Promises: `from_word(x.word()) == Some(x)` for every variant; `WORDS` lists each once, in the
//! order of the variants.
//! Knows nothing of: which key offers which choice (`schema.rs`).

macro_rules! words {
    ($(#[$of_enum:meta])* $name:ident { $( $(#[$of_variant:meta])* $variant:ident = $word:literal, )+ }) => {
        $(#[$of_enum])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $( $(#[$of_variant])* $variant, )+ }

        impl $name {
            /// The words a configuration may say, in order.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word for this choice.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }

            /// The choice a word stands for.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $( $word => Some(Self::$variant), )+ _ => None }
            }
        }
    };
}

words! {
    /// Where frames come from.
    CameraSource {
        /// The simulated camera: a moving test picture with a burned-in stamp.
        Sim = "sim",
        /// A CSI camera through libcamera.
        Libcamera = "libcamera",
        /// A USB camera through V4L2.
        V4l = "v4l",
    }
}

words! {
    /// Where frames of the camera that looks back come from.
    RearSource {
        /// There is none.
        None = "none",
        /// The simulated camera, at the other end of the simulated car.
        Sim = "sim",
        /// A CSI camera through libcamera.
        Libcamera = "libcamera",
    }
}

words! {
    /// How the pictures of a USB camera come.
    CameraFormat {
        /// The cheapest that has the size and the rate.
        Auto = "auto",
        /// 4:2:0, blue and red difference in turn: nothing is to be done with it.
        Nv12 = "nv12",
        /// 4:2:0, a plane each: nothing is to be done with it.
        Yu12 = "yu12",
        /// 4:2:2, which is halved.
        Yuyv = "yuyv",
        /// A JPEG each, which is decoded.
        Mjpeg = "mjpeg",
    }
}

words! {
    /// What turns frames into H.264.
    EncoderKind {
        /// The hardware encoder where there is one, else the software one.
        Auto = "auto",
        /// The hardware encoder behind V4L2, and nothing else.
        V4l2M2m = "v4l2m2m",
        /// The `openh264` library, in software.
        OpenH264 = "openh264",
    }
}

words! {
    /// Profile of a hardware encoder's stream.
    EncoderProfile {
        /// Constrained baseline, which every viewer decodes.
        Baseline = "baseline",
        /// Main, still without B pictures: some tenths smaller.
        Main = "main",
    }
}

words! {
    /// Level of a hardware encoder's stream.
    EncoderLevel {
        /// The least that holds the picture size and rate.
        Auto = "auto",
        /// Up to 1280x720 at 30 a second.
        L31 = "3.1",
        /// Up to 1280x720 at 60 a second.
        L32 = "3.2",
        /// Up to 1920x1080 at 30 a second.
        L40 = "4.0",
        /// Up to 1920x1080 at 60 a second.
        L42 = "4.2",
    }
}

words! {
    /// What the setpoint is written to.
    Output {
        /// The simulated car and its actuator log.
        Sim = "sim",
        /// Hardware PWM pins: one for the ESC, one for the servo.
        Pwm = "pwm",
        /// A PCA9685 board on I2C, as in the original car.
        Pca9685 = "pca9685",
        /// A DC motor behind an H-bridge, with a steering servo.
        Hbridge = "hbridge",
    }
}

words! {
    /// What makes pulses.
    PwmKind {
        /// The board's PWM block: exact, on four pins only.
        Hardware = "hardware",
        /// A thread that switches a pin: any pin, with jitter.
        Software = "software",
    }
}

words! {
    /// How an H-bridge car steers.
    SteeringKind {
        /// With a servo.
        Servo = "servo",
        /// With a second motor: left and right side turn at different speeds.
        Skid = "skid",
    }
}

words! {
    /// What a motor behind an H-bridge does at neutral.
    NeutralKind {
        /// It rolls.
        Coast = "coast",
        /// It is shorted, and brakes.
        Brake = "brake",
    }
}

words! {
    /// What sees the start line.
    LapKind {
        /// Nothing.
        None = "none",
        /// A reed or Hall module: low over the magnet.
        Magnetic = "magnetic",
        /// A line sensor: high over black.
        Infrared = "infrared",
    }
}

words! {
    /// How two lap sensors make one pass.
    LapRule {
        /// Either of them.
        Any = "any",
        /// Both at once.
        All = "all",
    }
}

words! {
    /// Which chip measures the battery.
    BatteryKind {
        /// None.
        None = "none",
        /// A TI INA219: 12 bits, 26 V.
        Ina219 = "ina219",
        /// A TI INA226: 16 bits, 36 V.
        Ina226 = "ina226",
    }
}

words! {
    /// How the motor controller goes from forward to reverse.
    ReverseKind {
        /// An RC car ESC: brake, then neutral, then reverse.
        Esc = "esc",
        /// Reverse follows forward at once.
        Direct = "direct",
    }
}

words! {
    /// Whose car may be calibrated over the network.
    RemoteCalibration {
        /// A simulated one.
        Sim = "sim",
        /// Any, by its driver.
        On = "on",
        /// None.
        Off = "off",
    }
}

words! {
    /// Which ICE candidates may carry the media.
    IcePolicy {
        /// Every candidate.
        All = "all",
        /// Only candidates of a TURN relay.
        Relay = "relay",
    }
}

words! {
    /// A part of the simulated car that fails on purpose, and how.
    FaultKind {
        /// The video thread panics.
        VideoPanic = "video-panic",
        /// The camera gives an error.
        CameraError = "camera-error",
        /// The camera gives nothing for three seconds.
        CameraStall = "camera-stall",
        /// The task that keeps the link panics.
        LinkPanic = "link-panic",
        /// The task that sends telemetry panics.
        MetricsPanic = "metrics-panic",
        /// A stack that overflows, which ends the process where it stands.
        StackOverflow = "stack-overflow",
        /// Memory that is taken and never given back, 256 MB of it.
        MemoryLeak = "memory-leak",
        /// Every thread of the runtime is busy for two seconds.
        RuntimeStall = "runtime-stall",
        /// The control thread panics.
        ControlPanic = "control-panic",
        /// The control thread stands still for half a second.
        ControlStall = "control-stall",
        /// The outputs cannot be written for half a second.
        OutputError = "output-error",
    }
}

words! {
    /// The least severe message that is logged.
    LogLevel {
        /// A person must act.
        Error = "error",
        /// Degraded, healing itself.
        Warn = "warn",
        /// A state changed.
        Info = "info",
        /// One line a message.
        Debug = "debug",
        /// One line a frame.
        Trace = "trace",
    }
}

/// How far the picture is turned, clockwise, before it is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Not at all.
    Upright,
    /// A quarter turn: 90 degrees clockwise.
    Quarter,
    /// Upside down: 180 degrees.
    Half,
    /// Three quarter turns: 270 degrees clockwise.
    ThreeQuarters,
}

impl Rotation {
    /// The rotation of so many degrees clockwise, if it is a whole number of quarter turns below a full one.
    #[must_use]
    pub const fn from_degrees(degrees: u16) -> Option<Self> {
        match degrees {
            0 => Some(Self::Upright),
            90 => Some(Self::Quarter),
            180 => Some(Self::Half),
            270 => Some(Self::ThreeQuarters),
            _ => None,
        }
    }

    /// Degrees clockwise.
    #[must_use]
    pub const fn degrees(self) -> u16 {
        match self {
            Self::Upright => 0,
            Self::Quarter => 90,
            Self::Half => 180,
            Self::ThreeQuarters => 270,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_leads_to_its_choice_and_back() {
        for word in Output::WORDS {
            assert_eq!(Output::from_word(word).map(Output::word), Some(*word));
        }
        for word in LogLevel::WORDS {
            assert_eq!(LogLevel::from_word(word).map(LogLevel::word), Some(*word));
        }
        assert_eq!(Output::from_word("PWM"), None);
        assert_eq!(EncoderKind::WORDS, ["auto", "v4l2m2m", "openh264"]);
    }

    #[test]
    fn only_quarter_turns_are_rotations() {
        let turns: Vec<u16> = (0..=720)
            .filter_map(Rotation::from_degrees)
            .map(Rotation::degrees)
            .collect();
        assert_eq!(turns, [0, 90, 180, 270]);
    }
}
