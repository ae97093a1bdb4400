//! The table of configuration keys: the one place that lists them.
//!
//! Reading, error texts, `spidercar check`, `board/sim/spidercar.toml` and the tests all follow
//! this table, so a key cannot exist for one of them and not for another. To add a key, add a line
//! here, use its [`Id`] in `meaning.rs`, and write the boards anew with `scripts/boards.py`.
//!
//! ```text
//!  Id (for the code)   name in its table   kind: default, range, unit      one line for people
//!  CameraFps           "fps"               whole(30, 1, 60, "frames/s")    "Frames a second."
//! ```
//!
//! It is longer than other files because it is one table.
//!
//! Promises: paths are unique and lower case; keys of a table stand together, in the order in
//! which they are printed.
//! Knows nothing of: files, and what values mean together (`meaning.rs`).

use super::kind::{Kind, dial, flag, millis, or_zero, stepped, text, whole, word};
use super::words::{
    BatteryKind, CameraFormat, CameraSource, EncoderKind, EncoderLevel, EncoderProfile, IcePolicy,
    LapKind, LapRule, LogLevel, NeutralKind, Output, PwmKind, RearSource, RemoteCalibration,
    ReverseKind, SteeringKind,
};
use crate::logic::camera::Dial;
use crate::logic::failsafe::FailsafeConfig;
use crate::logic::units::PulseWidth;

/// One key: where it stands, what it may hold and what it does.
#[derive(Debug)]
pub struct Key {
    /// Its name in the code.
    pub id: Id,
    /// The table it stands in: `camera`, `drive.calibration`.
    pub table: &'static str,
    /// Its name in the table: `fps`.
    pub name: &'static str,
    /// Table and name: `camera.fps`.
    pub path: &'static str,
    /// What it may hold, and its default.
    pub kind: Kind,
    /// What it does.
    pub doc: &'static str,
}

/// A table of the file.
#[derive(Debug)]
pub struct Table {
    /// Its name: `camera`, `drive.calibration`.
    pub name: &'static str,
    /// What its keys are about.
    pub doc: &'static str,
}

macro_rules! keys {
    ($( $table:literal, $about:literal; { $( $id:ident $name:literal $kind:expr, $doc:literal; )* } )*) => {
        /// The name of a key in the code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Id { $( $( #[doc = $doc] $id, )* )* }

        impl Id {
            /// Its line in the table.
            #[must_use]
            pub const fn key(self) -> &'static Key {
                match self { $( $( Self::$id => &const { Key {
                    id: Self::$id,
                    table: $table,
                    name: $name,
                    path: concat!($table, ".", $name),
                    kind: $kind,
                    doc: $doc,
                } }, )* )* }
            }
        }

        /// Every key, in the order in which they are printed.
        pub const KEYS: &[Id] = &[ $( $( Id::$id, )* )* ];

        /// Every table, in the order in which they are printed.
        pub const TABLES: &[Table] = &[ $( Table { name: $table, doc: $about }, )* ];
    };
}

/// The keys of one entry of `ice.servers`, with what they hold.
pub const SERVER_KEYS: &[(&str, &str)] = &[
    (
        "urls",
        "one address or a list: stun:HOST:PORT, turn:HOST:PORT?transport=udp (or tcp)",
    ),
    ("username", "the user name a TURN server wants"),
    (
        "credential_file",
        "path of a file that holds the TURN password, and nothing else",
    ),
    (
        "credential_env",
        "name of an environment variable that holds the TURN password",
    ),
];

/// The range of every pulse, from the type that holds one.
const PULSE_MIN: i64 = PulseWidth::MIN.get() as i64;
const PULSE_MAX: i64 = PulseWidth::MAX.get() as i64;

/// GPIO numbers of the 40-pin header. 0 and 1 belong to the identification chip of add-on boards, and stand for "none".
const PIN: &str = "(BCM number)";
const PIN_MIN: i64 = 2;
const PIN_MAX: i64 = 27;

const PATH: &str = "the path of a file, or \"\" for none";

// choice: the ranges are the widest that make sense, not the widest that can be stored.
keys! {
    "spider", "The relay that the car publishes to."; {
        SpiderUrl "url"
            text("local", "\"local\", wss://HOST:PORT or ws://HOST:PORT"),
            "\"local\" starts a Spider inside this process; wss:// publishes to another one, ws:// without encryption.";
        SpiderChannel "channel"
            text("c9abcdefghijklmnopq0", "20 characters of 0-9 and a-v, the last one 0 or g"),
            "The channel that the car publishes on and drivers subscribe to.";
        SpiderBitrateKbps "bitrate_kbps"
            whole(2500, 100, 20_000, "kbit/s"),
            "Video bitrate to aim for; also sent to the Spider as brate=.";
        SpiderKtime "ktime"
            text("100", "letters, digits, '-', '_' and '.', or \"\" to leave it out"),
            "Key-frame period, sent to the Spider as ktime= just as it stands here (its unit is not documented).";
        SpiderVcodec "vcodec"
            text("h264", "letters, digits, '-', '_' and '.', or \"\" to leave it out"),
            "Video codec to ask for, sent to the Spider as vcodec= just as it stands here.";
        SpiderCaFile "ca_file"
            text("", PATH),
            "Trust only the certificate authorities in this PEM file, not those of the system.";
        SpiderPinSha256 "pin_sha256"
            text("", "64 hexadecimal digits (colons between them are fine), or \"\" for none"),
            "Trust only the certificate with this fingerprint, as `openssl x509 -noout -fingerprint -sha256` prints it.";
        SpiderInsecure "insecure"
            flag(false),
            "Trust any certificate, and so anyone on the way. For old servers, and for nothing else.";
        SpiderSealKeyFile "seal_key_file"
            text("", PATH),
            "File that holds a key which the car and its drivers have, and the Spider has not (`spidercar key FILE` makes one). \
             With it, only commands that are sealed with it are obeyed, and no old app.";
        SpiderCalibrateSealKeyFile "calibrate_seal_key_file"
            text("", PATH),
            "The same for who may calibrate, too. With none, `seal_key_file` is for that.";
    }
    "local", "The Spider inside this process (spider.url = \"local\"), and `spidercar spider`."; {
        LocalListen "listen"
            text("127.0.0.1", "an IP address: 127.0.0.1 for this machine alone, 0.0.0.0 for everyone"),
            "Address to listen on. Any but a loopback address also needs `driver_key_file`.";
        LocalPort "port"
            whole(8266, 0, 65_535, "(TCP)"),
            "Port of the viewer page and of ws://. 0 takes any free one.";
        LocalTlsPort "tls_port"
            whole(8267, 0, 65_535, "(TCP)"),
            "Port of the same over TLS (https:// and wss://). 0 takes any free one.";
        LocalCertFile "cert_file"
            text("", PATH),
            "PEM certificate (chain) to show. With none, the Spider makes one for itself.";
        LocalKeyFile "key_file"
            text("", PATH),
            "PEM private key of `cert_file`.";
        LocalIdentityFile "identity_file"
            text("", PATH),
            "Where the Spider keeps the certificate that it makes for itself, so that a pin of it lasts. With none, it is new at each \
             start.";
        LocalDriverKeyFile "driver_key_file"
            text("", PATH),
            "File that holds the driver key: who has it may watch and drive, and do whatever has no key of its own below.";
        LocalWatchKeyFile "watch_key_file"
            text("", PATH),
            "File that holds a key for who may watch, and no more.";
        LocalCalibrateKeyFile "calibrate_key_file"
            text("", PATH),
            "File that holds a key for who may watch, drive and calibrate. With none, the driver key is for that, too.";
        LocalPublishKeyFile "publish_key_file"
            text("", PATH),
            "File that holds a key for who may publish: a car at a Spider that is not its own shows it. With none, the driver key is \
             for that, too; a car's own Spider with a driver key takes nobody's video but the car's.";
    }
    "ice", "Finding a way through the network to the Spider."; {
        IceServers "servers"
            Kind::Servers,
            "STUN and TURN servers, in the order to try them.";
        IcePolicy "policy"
            word(IcePolicy::All.word(), IcePolicy::WORDS),
            "\"relay\" sends everything through a TURN server.";
        IceGatherMs "gather_ms"
            whole(3000, 100, 10_000, "ms"),
            "Longest wait for candidates; then the car offers what it has.";
    }
    "camera", "What the car sees."; {
        CameraSource "source"
            word(CameraSource::Sim.word(), CameraSource::WORDS),
            "\"libcamera\" is a CSI camera, \"v4l\" a USB one, \"sim\" a moving test picture.";
        CameraWidth "width"
            stepped(1280, 160, 1920, 2, "pixels"),
            "Picture width. H.264 wants it even.";
        CameraHeight "height"
            stepped(720, 120, 1080, 2, "pixels"),
            "Picture height. H.264 wants it even.";
        CameraFps "fps"
            whole(30, 1, 60, "frames/s"),
            "Frames a second.";
        CameraRotation "rotation"
            stepped(0, 0, 270, 90, "degrees"),
            "Turn the picture clockwise, for a camera that is mounted sideways or upside down.";
        CameraFlipHorizontal "flip_horizontal"
            flag(false),
            "Exchange left and right, as in a mirror.";
        CameraFlipVertical "flip_vertical"
            flag(false),
            "Exchange up and down.";
        CameraIndex "index"
            whole(0, 0, 15, "(camera)"),
            "Which CSI camera, if there are several: its place in the list of `spidercar doctor`.";
        CameraId "id"
            text("", "libcamera's name of a camera, or a part of it that no other has, or \"\" to go by `index`"),
            "Which CSI camera, by name: names stay when another camera is plugged in.";
        CameraDevice "device"
            text("auto", "a path, as /dev/video0 or one of /dev/v4l/by-id, or \"auto\""),
            "Which USB camera; \"auto\" takes the first, and looks for the same one when it was unplugged.";
        CameraFormat "format"
            word(CameraFormat::Auto.word(), CameraFormat::WORDS),
            "How a USB camera's pictures come; \"auto\" takes what costs least at this size and rate.";
    }
    "camera.rear", "A second camera that looks back. Both are one video: it is shown while the car drives backwards."; {
        RearSource "source"
            word(RearSource::None.word(), RearSource::WORDS),
            "\"none\" if there is none; \"libcamera\" is a CSI camera, \"sim\" the view behind the simulated car.";
        RearIndex "index"
            whole(1, 0, 15, "(camera)"),
            "Which CSI camera: its place in the list of `spidercar doctor`.";
        RearId "id"
            text("", "libcamera's name of a camera, or a part of it that no other has, or \"\" to go by `index`"),
            "Which CSI camera, by name.";
        RearRotation "rotation"
            stepped(0, 0, 270, 90, "degrees"),
            "Turn its picture clockwise.";
        RearFlipHorizontal "flip_horizontal"
            flag(false),
            "Exchange left and right, as a mirror does: some drivers steer better by it.";
        RearFlipVertical "flip_vertical"
            flag(false),
            "Exchange up and down.";
        RearStandby "standby"
            flag(true),
            "Keep the camera open that is not shown. Without, a change takes as long as a camera needs to start, up to a \
             second, and the car stops if that is longer than ten pictures; a computer with one camera port needs it so.";
        RearDwellMs "dwell_ms"
            whole(700, 0, 10_000, "ms"),
            "How long it is still shown when the car no longer drives backwards: a stick that passes through neutral must \
             not make the picture flicker.";
    }
    "camera.controls", "Where the dials of CSI cameras stand at first. At its default the camera decides; a driver can move them."; {
        ControlsExposureUs "exposure_us"
            dial(Dial::ExposureUs, "us"),
            "Exposure time. Short ones keep a fast car's picture sharp, and dark. 0: automatic.";
        ControlsGainPermille "gain_permille"
            dial(Dial::GainPermille, "permille"),
            "Amplification of the sensor; 1000 is none, more is brighter and noisier. 0: automatic.";
        ControlsColourKelvin "colour_kelvin"
            dial(Dial::ColourKelvin, "K"),
            "Colour temperature of the light: 2800 for bulbs, 5600 for the sun. 0: automatic white balance.";
        ControlsRedPermille "red_permille"
            dial(Dial::RedPermille, "permille"),
            "Amplification of red, for a white balance by hand, with `blue_permille`. 0: automatic.";
        ControlsBluePermille "blue_permille"
            dial(Dial::BluePermille, "permille"),
            "Amplification of blue, with `red_permille`. 0: automatic.";
        ControlsFocusMillidioptre "focus_millidioptre"
            dial(Dial::FocusMilli, "thousandths of a dioptre"),
            "Where the lens focuses: 0 far away, 1000 at 1 m, 10000 at 10 cm. -1: continuous autofocus, if there is any.";
        ControlsZoomPermille "zoom_permille"
            dial(Dial::ZoomPermille, "permille"),
            "Enlargement: 2000 shows half of the width and height.";
        ControlsZoomXPermille "zoom_x_permille"
            dial(Dial::ZoomX, "permille"),
            "Which part is enlarged: -1000 at the left edge, 1000 at the right one.";
        ControlsZoomYPermille "zoom_y_permille"
            dial(Dial::ZoomY, "permille"),
            "Which part is enlarged: -1000 at the upper edge, 1000 at the lower one.";
        ControlsLeastFps "least_fps"
            dial(Dial::LeastFps, "frames/s"),
            "How few frames a second automatic exposure may take in the dark. 0: always `camera.fps`.";
    }
    "encoder", "Frames to H.264."; {
        EncoderKind "kind"
            word(EncoderKind::Auto.word(), EncoderKind::WORDS),
            "\"auto\" takes the hardware encoder where there is one, else the `openh264` library.";
        EncoderDevice "device"
            text("", "/dev/video11, or \"\""),
            "Which hardware encoder; empty takes the first that codes H.264.";
        EncoderProfile "profile"
            word(EncoderProfile::Baseline.word(), EncoderProfile::WORDS),
            "Profile of the hardware encoder's stream. Every viewer decodes \"baseline\"; \"main\" is smaller.";
        EncoderLevel "level"
            word(EncoderLevel::Auto.word(), EncoderLevel::WORDS),
            "Level of the hardware encoder's stream; \"auto\" follows size and rate. The Pi's encoder keeps up to 4.0.";
    }
    "drive", "From a command to motor and servo."; {
        DriveOutput "output"
            word(Output::Sim.word(), Output::WORDS),
            "What is driven: pulses on PWM pins, a PCA9685 board, an H-bridge, or the simulated car.";
        DriveTickHz "tick_hz"
            whole(200, 50, 1000, "Hz"),
            "How often the control thread decides and writes.";
        DriveMaxForwardPermille "max_forward_permille"
            whole(1000, 0, 1000, "permille"),
            "Most throttle forward; more is cut off. Lower it for a learner.";
        DriveMaxReversePermille "max_reverse_permille"
            whole(1000, 0, 1000, "permille"),
            "Most throttle in reverse; more is cut off.";
        DriveMaxSteeringPermille "max_steering_permille"
            whole(1000, 0, 1000, "permille"),
            "Most steering to either side; more is cut off.";
        DriveThrottleSlewPermillePerS "throttle_slew_permille_per_s"
            whole(4000, 0, 100_000, "permille/s"),
            "How fast throttle may leave neutral; it returns at once. 0 is without limit.";
        DriveSteeringSlewPermillePerS "steering_slew_permille_per_s"
            whole(0, 0, 100_000, "permille/s"),
            "How fast steering may leave the centre; it returns at once. 0 is without limit.";
        DriveThrottleStep "throttle_step"
            whole(20, 1, 1000, "steps"),
            "Full scale of the old app's throttle slider (`UI.THROTTLE_STEP`).";
        DriveSteeringStep "steering_step"
            whole(20, 1, 1000, "steps"),
            "Full scale of the old app's steering slider (`UI.STEERING_STEP`).";
        DriveSteeringReversed "steering_reversed"
            flag(false),
            "Whether the steering servo is mounted the other way round, so that a shorter pulse turns the wheels left.";
        DriveReverse "reverse"
            word(ReverseKind::Esc.word(), ReverseKind::WORDS),
            "\"esc\" brakes, rests in neutral and only then reverses, as RC car ESCs want; \"direct\" reverses at once.";
        DriveBrakeMs "brake_ms"
            whole(150, 0, 2000, "ms"),
            "How long the ESC gets the brake pulse before neutral.";
        DriveBrakeNeutralMs "brake_neutral_ms"
            whole(100, 0, 2000, "ms"),
            "How long the ESC then gets neutral before reverse.";
        DriveEscArmingMs "esc_arming_ms"
            whole(0, 0, 10_000, "ms"),
            "How long an ESC must see neutral after power-on, or after outputs that failed, before it listens; the car cannot be armed before.";
        DriveCalibrated "calibrated"
            flag(true),
            "Whether the pulses below were measured on this car. While false, the car cannot be armed until a calibration was saved.";
        DriveStateFile "state_file"
            text("", PATH),
            "Keeps what is learned while driving: a saved calibration and the old app's maxSpeed. It wins over this file.";
        DriveRemoteCalibration "remote_calibration"
            word(RemoteCalibration::Sim.word(), RemoteCalibration::WORDS),
            "Who may calibrate over the network: \"sim\" the driver of a simulated car, \"on\" any driver, who may not see that the \
             wheels are up; \"off\" nobody. `spidercar calibrate` is for whoever stands at the car.";
    }
    "drive.calibration", "Pulse widths of this very car. Wheels off the ground while you find them!"; {
        CalibrationThrottleMinUs "throttle_min_us"
            whole(1000, PULSE_MIN, PULSE_MAX, "us"),
            "Full reverse.";
        CalibrationThrottleZeroUs "throttle_zero_us"
            whole(1500, PULSE_MIN, PULSE_MAX, "us"),
            "Standing still.";
        CalibrationForwardZeroUs "forward_zero_us"
            whole(1540, PULSE_MIN, PULSE_MAX, "us"),
            "The first pulse that moves the car forward.";
        CalibrationThrottleMaxUs "throttle_max_us"
            whole(2000, PULSE_MIN, PULSE_MAX, "us"),
            "Full forward.";
        CalibrationBrakeUs "brake_us"
            whole(1300, PULSE_MIN, PULSE_MAX, "us"),
            "The pulse that makes the ESC brake, from `throttle_min_us` to `throttle_zero_us`.";
        CalibrationSteeringMinUs "steering_min_us"
            whole(1000, PULSE_MIN, PULSE_MAX, "us"),
            "The short end of the steering: full right, or full left with `steering_reversed`.";
        CalibrationSteeringZeroUs "steering_zero_us"
            whole(1500, PULSE_MIN, PULSE_MAX, "us"),
            "Straight ahead.";
        CalibrationSteeringMaxUs "steering_max_us"
            whole(2000, PULSE_MIN, PULSE_MAX, "us"),
            "The long end of the steering: full left, or full right with `steering_reversed`.";
    }
    "pwm", "Pulses on two pins of the board (drive.output = \"pwm\")."; {
        PwmKind "kind"
            word(PwmKind::Hardware.word(), PwmKind::WORDS),
            "\"hardware\" wants pins 12, 13, 18 or 19 and the pwm-2chan overlay; \"software\" takes any pin, and its pulses jitter.";
        PwmThrottlePin "throttle_pin"
            whole(18, PIN_MIN, PIN_MAX, PIN),
            "The pin of the ESC's signal wire.";
        PwmSteeringPin "steering_pin"
            whole(19, PIN_MIN, PIN_MAX, PIN),
            "The pin of the steering servo's signal wire.";
        PwmFrequencyHz "frequency_hz"
            whole(50, 40, 333, "Hz"),
            "Pulses a second. 50 is what every ESC and servo takes.";
    }
    "pca9685", "Pulses from a PCA9685 board, as in the original car (drive.output = \"pca9685\")."; {
        PcaBus "bus"
            whole(1, 0, 255, "(/dev/i2c-N)"),
            "The I2C bus it is on.";
        PcaAddress "address"
            whole(0x40, 0x40, 0x77, "(decimal, or 0x40)"),
            "Its I2C address. 0x40 is a board without solder bridges; 0x70 is the call to all boards and cannot be used.";
        PcaThrottleChannel "throttle_channel"
            whole(0, 0, 15, "(output)"),
            "The output of the ESC.";
        PcaSteeringChannel "steering_channel"
            whole(1, 0, 15, "(output)"),
            "The output of the steering servo. It stands beside `throttle_channel`, so that both change in one transaction.";
        PcaFrequencyHz "frequency_hz"
            whole(60, 40, 333, "Hz"),
            "Pulses a second; the chip takes the nearest that it can.";
        PcaOscillatorHz "oscillator_hz"
            whole(25_000_000, 23_000_000, 27_000_000, "Hz"),
            "The real rate of the chip's oscillator, if it was measured: pulses are that much more exact.";
        PcaEnablePin "enable_pin"
            or_zero(whole(0, PIN_MIN, PIN_MAX, PIN)),
            "The pin that is wired to the chip's OE input: high, and all its outputs are off, until pulses are in it and whenever \
             it does not answer. 0: there is none.";
    }
    "hbridge", "A DC motor behind an H-bridge (drive.output = \"hbridge\"). 1500 us is standing still, 500 us more or less full speed."; {
        HbridgeForwardPin "forward_pin"
            whole(23, PIN_MIN, PIN_MAX, PIN),
            "High to drive forward; with `steering = \"skid\"` the left motor.";
        HbridgeReversePin "reverse_pin"
            whole(24, PIN_MIN, PIN_MAX, PIN),
            "High to drive in reverse; with `steering = \"skid\"` the left motor.";
        HbridgeSpeedPin "speed_pin"
            whole(18, PIN_MIN, PIN_MAX, PIN),
            "The bridge's PWM input: how hard; with `steering = \"skid\"` the left motor.";
        HbridgeEnablePin "enable_pin"
            or_zero(whole(0, PIN_MIN, PIN_MAX, PIN)),
            "High while the car may move (standby or enable input of the bridge). 0: there is none.";
        HbridgeSteering "steering"
            word(SteeringKind::Servo.word(), SteeringKind::WORDS),
            "\"servo\" steers with a servo, \"skid\" with a second motor on the right side.";
        HbridgeServoPin "servo_pin"
            whole(19, PIN_MIN, PIN_MAX, PIN),
            "The pin of the steering servo's signal wire (`steering = \"servo\"`).";
        HbridgeRightForwardPin "right_forward_pin"
            whole(5, PIN_MIN, PIN_MAX, PIN),
            "High to turn the right motor forward (`steering = \"skid\"`).";
        HbridgeRightReversePin "right_reverse_pin"
            whole(6, PIN_MIN, PIN_MAX, PIN),
            "High to turn the right motor in reverse (`steering = \"skid\"`).";
        HbridgeRightSpeedPin "right_speed_pin"
            whole(13, PIN_MIN, PIN_MAX, PIN),
            "The PWM input of the right motor (`steering = \"skid\"`).";
        HbridgeNeutral "neutral"
            word(NeutralKind::Coast.word(), NeutralKind::WORDS),
            "What the motor does at neutral: \"coast\" lets it roll (both inputs low), \"brake\" shorts it (both high).";
        HbridgeDeadTimeUs "dead_time_us"
            whole(2000, 0, 100_000, "us"),
            "How long both inputs are low between two directions, so that the bridge never shorts the battery.";
        HbridgePwm "pwm"
            word(PwmKind::Hardware.word(), PwmKind::WORDS),
            "Where speed and servo pulses come from, as `pwm.kind`.";
        HbridgeSpeedHz "speed_hz"
            whole(1000, 50, 25_000, "Hz"),
            "Frequency of the motor's PWM. Above 16000 it is not heard; software PWM manages 200.";
    }
    "lap", "A sensor that sees the car pass the start line."; {
        LapKind "kind"
            word(LapKind::None.word(), LapKind::WORDS),
            "\"magnetic\" is a reed or Hall module (low over the magnet), \"infrared\" a line sensor (high over black).";
        LapPin "pin"
            whole(4, PIN_MIN, PIN_MAX, PIN),
            "The pin of the sensor, or of the left one of two.";
        LapSecondPin "second_pin"
            or_zero(whole(17, PIN_MIN, PIN_MAX, PIN)),
            "The pin of the second sensor. 0: there is only one.";
        LapRule "rule"
            word(LapRule::Any.word(), LapRule::WORDS),
            "With two sensors: whether \"any\" of them or \"all\" at once make a pass. Infra-red cars of old wanted both.";
        LapDebounceUs "debounce_us"
            whole(2000, 0, 100_000, "us"),
            "A level counts when it has held for this long.";
        LapMinimumMs "minimum_ms"
            whole(1000, 0, 600_000, "ms"),
            "The shortest lap there is; a pass that comes sooner after the last one is not told.";
        LapChip "chip"
            text("", "a GPIO chip: /dev/gpiochip0, or \"\" for the one of the board's header"),
            "The GPIO chip that the pins belong to.";
    }
    "battery", "A battery monitor on the I2C bus."; {
        BatteryKind "kind"
            word(BatteryKind::None.word(), BatteryKind::WORDS),
            "Which chip measures the battery.";
        BatteryBus "bus"
            whole(1, 0, 255, "(/dev/i2c-N)"),
            "The I2C bus it is on.";
        BatteryAddress "address"
            whole(0x41, 0x40, 0x4F, "(decimal, or 0x41)"),
            "Its I2C address: 0x40 to 0x4f by two pins. 0x40, the usual one, is also that of a PCA9685.";
        BatteryShuntMicroohm "shunt_microohm"
            whole(100_000, 100, 1_000_000, "microohm"),
            "The resistor that the current flows through: 100000 for the usual 0.1 ohm (R100).";
        BatteryLowMv "low_mv"
            whole(7000, 1000, 30_000, "mV"),
            "Below this the driver is warned: turn back. 7000 suits two lithium cells.";
        BatteryCriticalMv "critical_mv"
            whole(6600, 1000, 30_000, "mV"),
            "Below this the car cannot be armed. Less than `low_mv`.";
    }
    "board", "The computer itself."; {
        BoardHotCelsius "hot_celsius"
            whole(80, 40, 100, "degrees Celsius"),
            "From this temperature on the car cannot be armed, until it is 5 degrees cooler.";
    }
    "failsafe", "When the car stops by itself. The limits are in the code and cannot be configured away."; {
        FailsafeHoldMs "hold_ms"
            millis(100, &FailsafeConfig::HOLD),
            "Silence of the driver after which the throttle is let go.";
        FailsafeNeutralMs "neutral_ms"
            millis(200, &FailsafeConfig::NEUTRAL),
            "Silence after which the car is stopped, wheels straight. More than `hold_ms`.";
        FailsafeRecoveryMs "recovery_ms"
            millis(300, &FailsafeConfig::RECOVERY),
            "How long the link must be good without a gap before the car may be armed again.";
        FailsafeLegacyAgeMs "legacy_age_ms"
            or_zero(millis(1500, &FailsafeConfig::LEGACY_AGE)),
            "Silence after which a command of the old app ends. 0: not before the link dies.";
        FailsafeCommandAgeMs "command_age_ms"
            millis(150, &FailsafeConfig::COMMAND_AGE),
            "A command that was this much longer on its way than the fastest is dropped.";
        FailsafeBlindMs "blind_ms"
            millis(500, &FailsafeConfig::BLIND),
            "Age of the picture, as the driver reports it, at which the car is stopped. A driver that never reports is not judged by it.";
        FailsafeLegacy "legacy"
            flag(true),
            "Whether the old app, which knows no lease, may drive while nobody else does.";
        FailsafeLinkSilenceMs "link_silence_ms"
            or_zero(whole(2000, 500, 10_000, "ms")),
            "Silence of the network, of any kind, after which the link counts as lost. 0: when ICE says so, after 5 s.";
        FailsafeSlowFromMs "slow_from_ms"
            whole(300, 0, 10_000, "ms"),
            "Round trip or age of the driver's picture, whichever is worse, at which the car begins to slow down.";
        FailsafeSlowToMs "slow_to_ms"
            whole(1000, 1, 20_000, "ms"),
            "The same, at which it is as slow as `slow_permille` says. More than `slow_from_ms`.";
        FailsafeSlowPermille "slow_permille"
            whole(300, 0, 1000, "permille"),
            "Most throttle with such a view. 1000: never slower.";
        FailsafeWatchdogDevice "watchdog_device"
            text("", PATH),
            "Board watchdog to feed, /dev/watchdog: it restarts a board whose control thread stands still.";
        FailsafeBlackBox "black_box"
            text("", "the path of a folder, or \"\" for none"),
            "Write the last minute before each stop to a file in this folder; the newest 20 are kept.";
    }
    "telemetry", "What the car reports to its driver."; {
        TelemetryRateHz "rate_hz"
            whole(5, 1, 20, "Hz"),
            "Reports a second while nothing changes; a change of state is reported at once.";
        TelemetryBytesPerS "bytes_per_s"
            whole(8000, 4000, 100_000, "bytes/s"),
            "Most that all reports together may take of the uplink; the video needs the rest.";
    }
    "sim", "The simulated car."; {
        SimActuatorLog "actuator_log"
            text("", PATH),
            "Write each change of the outputs to this file, as one JSON object a line.";
        SimFaults "faults"
            text("", "KIND@MILLISECONDS, several between commas"),
            "Parts that fail on purpose, and when after the start: video-panic, camera-error, camera-stall, link-panic, \
             metrics-panic, runtime-stall, control-panic, control-stall, output-error, stack-overflow, memory-leak.";
    }
    "log", "What goes to stderr, and so to the journal."; {
        LogLevel "level"
            word(LogLevel::Info.word(), LogLevel::WORDS),
            "The least severe message that is logged.";
    }
}

/// The key with this dotted path.
#[must_use]
pub fn find(path: &str) -> Option<Id> {
    KEYS.iter().copied().find(|id| id.key().path == path)
}

/// Whether a table has this name.
#[must_use]
pub fn is_table(name: &str) -> bool {
    TABLES.iter().any(|table| table.name == name)
}

/// The dotted path of every key.
pub fn paths() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|id| id.key().path)
}

/// The names of the keys in one table.
pub fn names_in(table: &str) -> impl Iterator<Item = &'static str> {
    KEYS.iter()
        .map(|id| id.key())
        .filter(move |key| key.table == table)
        .map(|key| key.name)
}

#[cfg(test)]
mod tests {
    use super::super::kind::Value;
    use super::*;

    #[test]
    fn every_path_finds_its_own_key_and_no_other() {
        for id in KEYS {
            assert_eq!(find(id.key().path), Some(*id));
            assert_eq!(id.key().id, *id);
            assert!(is_table(id.key().table));
        }
        assert_eq!(find("camera"), None);
        assert_eq!(find("camera.FPS"), None);
    }

    #[test]
    fn every_default_is_allowed() {
        for id in KEYS {
            let key = id.key();
            let allowed = match (&key.kind, key.kind.default_value()) {
                (Kind::Whole { .. }, Value::Whole(number)) => key.kind.allows_number(number),
                (Kind::Word { words, .. }, Value::Text(word)) => words.contains(&word.as_str()),
                (Kind::Text { .. }, Value::Text(_))
                | (Kind::Flag { .. }, Value::Flag(_))
                | (Kind::Servers, Value::Servers(_)) => true,
                (kind, value) => panic!("{}: {kind:?} has a default {value:?}", key.path),
            };
            assert!(
                allowed,
                "{}: default {}",
                key.path,
                key.kind.default_value()
            );
        }
    }

    #[test]
    fn every_name_is_plain_so_that_it_needs_no_quotes() {
        for id in KEYS {
            let plain = id
                .key()
                .path
                .chars()
                .all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '.'));
            assert!(plain, "{}", id.key().path);
        }
    }

    #[test]
    fn a_unit_at_the_end_of_a_name_is_the_unit_of_the_key() {
        let suffixes = [
            ("_ms", "ms"),
            ("_us", "us"),
            ("_hz", "Hz"),
            ("_kbps", "kbit/s"),
            ("_permille", "permille"),
            ("_permille_per_s", "permille/s"),
        ];
        for id in KEYS {
            let Kind::Whole { unit, .. } = id.key().kind else {
                continue;
            };
            let by_name = suffixes
                .iter()
                .find(|(suffix, _)| id.key().name.ends_with(suffix));
            if let Some((_, expected)) = by_name {
                assert_eq!(unit, *expected, "{}", id.key().path);
            }
        }
    }
}
