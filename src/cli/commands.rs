//! The table of subcommands and their flags, with all that is to be said of them.
//!
//! Help is where most people learn the program, so each command says what it does, gives examples
//! that work as they stand, and lists the exit codes that scripts and the service unit rely on.
//!
//! Promises: a flag that is not in this table does not exist.
//! Knows nothing of: how arguments are read ([`super`]).

use super::Exit;

/// A subcommand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// The car.
    Run,
    /// A local Spider.
    Spider,
    /// A subscriber in a terminal.
    Watch,
    /// A look at a configuration.
    Check,
    /// A look at hardware and network.
    Doctor,
    /// Outputs to neutral.
    Neutral,
    /// The pulses of a car, measured or changed.
    Calibrate,
    /// A recorded stop, run again.
    Replay,
    /// A new key.
    Key,
}

impl Name {
    /// As it is typed.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Spider => "spider",
            Self::Watch => "watch",
            Self::Check => "check",
            Self::Doctor => "doctor",
            Self::Neutral => "neutral",
            Self::Calibrate => "calibrate",
            Self::Replay => "replay",
            Self::Key => "key",
        }
    }
}

/// A subcommand with all that is to be said of it.
#[derive(Debug)]
pub struct Command {
    /// Which one.
    pub name: Name,
    /// In half a line.
    pub summary: &'static str,
    /// In a few lines.
    pub about: &'static str,
    /// Values without a flag that must be given, in order.
    pub positional: &'static [Flag],
    /// Its flags.
    pub flags: &'static [Flag],
    /// What to type, and what it does.
    pub examples: &'static [(&'static str, &'static str)],
    /// How it may end.
    pub exits: &'static [Exit],
}

/// A flag, or a value that stands alone.
#[derive(Debug)]
pub struct Flag {
    /// As it is typed: `--config`.
    pub name: &'static str,
    /// What follows it: `FILE`; empty if nothing does.
    pub value: &'static str,
    /// Whether it must be given.
    pub needed: bool,
    /// Whether it may be given more than once.
    pub many: bool,
    /// The configuration key that it stands for.
    pub key: Option<&'static str>,
    /// What it does.
    pub doc: &'static str,
}

const fn one(name: &'static str, value: &'static str, doc: &'static str) -> Flag {
    Flag {
        name,
        value,
        needed: false,
        many: false,
        key: None,
        doc,
    }
}

const fn many(name: &'static str, value: &'static str, doc: &'static str) -> Flag {
    Flag {
        many: true,
        ..one(name, value, doc)
    }
}

const fn for_key(
    key: &'static str,
    name: &'static str,
    value: &'static str,
    doc: &'static str,
) -> Flag {
    Flag {
        key: Some(key),
        ..one(name, value, doc)
    }
}

const CONFIG: Flag = one(
    "--config",
    "FILE",
    "The configuration. Without it: /etc/spidercar/spidercar.toml if it is there, else the built-in simulated car.",
);

const SET: Flag = many(
    "--set",
    "KEY=VALUE",
    "Set one key, over the file; may be given again. VALUE is TOML, or plain text: --set camera.fps=25, \
     --set spider.url=wss://10.0.0.2:8267, --set 'ice.servers=[{urls=\"stun:10.0.0.2:3478\"}]'.",
);

/// The flag of `neutral` that makes it wait for the end of a car.
pub const WHEN_STDIN_ENDS: &str = "--when-stdin-ends";

const SET_ALONE: Flag = many(
    "--set",
    "KEY=VALUE",
    "Set any other key of the configuration, as for `run`; may be given again: --set log.level=debug.",
);

/// Every subcommand, in the order of the overview.
pub const COMMANDS: &[Command] = &[
    Command {
        name: Name::Run,
        summary: "be the car: video and telemetry out, commands in",
        about: "Runs the car until it is asked to stop (Ctrl-C, SIGTERM). With no configuration it is a simulated car with \
                a Spider of its own: open the address it prints in a browser, and drive.",
        positional: &[],
        flags: &[CONFIG, SET],
        examples: &[
            ("spidercar run", "the installed car, or a simulated one"),
            (
                "spidercar run --config car.toml",
                "the car that car.toml describes",
            ),
            (
                "spidercar run --set local.port=9000 --set log.level=debug",
                "the same with another port, saying more",
            ),
            (
                "spidercar run --set sim.actuator_log=/tmp/car.jsonl",
                "a simulated car that writes down what its motor gets",
            ),
        ],
        exits: &Exit::ALL,
    },
    Command {
        name: Name::Spider,
        summary: "a local Spider: signalling, relay and viewer page",
        about: "Runs a Spider by itself: cars publish to it, browsers watch and drive at its address. It listens on this \
                machine alone unless told otherwise.",
        positional: &[],
        flags: &[
            for_key(
                "local.listen",
                "--listen",
                "ADDR",
                "IP address to listen on [127.0.0.1]. Any but a loopback address needs --driver-key-file.",
            ),
            for_key(
                "local.port",
                "--port",
                "N",
                "Port of the page and of ws:// [8266]; 0 for any free one.",
            ),
            for_key(
                "local.tls_port",
                "--tls-port",
                "N",
                "Port of the same over TLS [8267]; 0 for any free one.",
            ),
            for_key(
                "local.cert_file",
                "--cert",
                "FILE",
                "PEM certificate to show; without one, it makes its own (local.identity_file).",
            ),
            for_key(
                "local.key_file",
                "--key",
                "FILE",
                "PEM private key of --cert.",
            ),
            for_key(
                "local.driver_key_file",
                "--driver-key-file",
                "FILE",
                "File that holds the driver key: who has it may watch and drive, and do what has no key of its own.",
            ),
            for_key(
                "local.watch_key_file",
                "--watch-key-file",
                "FILE",
                "File that holds a key for who may watch, and no more.",
            ),
            for_key(
                "local.calibrate_key_file",
                "--calibrate-key-file",
                "FILE",
                "File that holds a key for who may calibrate, too.",
            ),
            for_key(
                "local.publish_key_file",
                "--publish-key-file",
                "FILE",
                "File that holds a key for cars, so that no driver can pretend to be one.",
            ),
            SET_ALONE,
            many(
                "--fault",
                "NAME",
                "Misbehave, for tests; may be given again.",
            ),
        ],
        examples: &[
            (
                "spidercar spider",
                "for this machine, on ports 8266 and 8267",
            ),
            (
                "spidercar spider --listen 0.0.0.0 --driver-key-file key.txt",
                "for everyone who knows the key in key.txt",
            ),
            (
                "spidercar spider --port 0 --tls-port 0",
                "on two free ports, which it prints",
            ),
        ],
        exits: &[Exit::Done, Exit::Bug, Exit::BadConfig],
    },
    Command {
        name: Name::Watch,
        summary: "subscribe to a channel from a terminal",
        about: "Subscribes to a channel of a Spider. Metrics go to stdout and commands come from stdin, both one JSON \
                object a line; video goes to a file.",
        positional: &[for_key(
            "spider.url",
            "URL",
            "URL",
            "The Spider: wss://HOST:PORT or ws://HOST:PORT.",
        )],
        flags: &[
            Flag {
                needed: true,
                ..for_key("spider.channel", "--channel", "ID", "The channel to watch.")
            },
            one(
                "--record",
                "FILE",
                "Put the H.264 video there, as a plain byte stream.",
            ),
            for_key(
                "spider.ca_file",
                "--ca-file",
                "FILE",
                "Trust only the certificate authorities in this PEM file.",
            ),
            for_key(
                "spider.pin_sha256",
                "--pin-sha256",
                "HEX",
                "Trust only the certificate with this SHA-256 fingerprint.",
            ),
            for_key(
                "spider.insecure",
                "--insecure",
                "",
                "Trust any certificate, and so anyone on the way.",
            ),
            for_key(
                "local.driver_key_file",
                "--key-file",
                "FILE",
                "File that holds the driver key that the Spider asks for.",
            ),
            SET_ALONE,
        ],
        examples: &[
            (
                "spidercar watch ws://127.0.0.1:8266 --channel c9abcdefghijklmnopq0",
                "print the metrics of the simulated car",
            ),
            (
                "spidercar watch wss://10.0.0.2 --channel c9abcdefghijklmnopq0 --insecure --record drive.h264",
                "record what an old Spider relays",
            ),
            (
                "echo '{\"motion\":{\"key\":\"forward\",\"value\":0}}' | spidercar watch ws://127.0.0.1:8266 --channel c9abcdefghijklmnopq0",
                "send one command",
            ),
        ],
        exits: &[Exit::Done, Exit::Bug, Exit::BadConfig, Exit::LinkLost],
    },
    Command {
        name: Name::Check,
        summary: "validate a configuration and print all of it",
        about: "Reads a configuration and prints every key as commented TOML: what it does, what is allowed, its default, and \
                which line or flag set it. If anything is wrong, prints all of it to stderr and nothing to stdout.",
        positional: &[],
        flags: &[
            CONFIG,
            SET,
            one(
                "--import",
                "FILE",
                "Read an old car's calib_param.json instead, and print its values as TOML.",
            ),
            one("--car", "NAME", "With --import: which car of the file."),
        ],
        examples: &[
            (
                "spidercar check --config car.toml",
                "what does car.toml come to?",
            ),
            (
                "spidercar check > car.toml",
                "a complete file to begin with",
            ),
            (
                "spidercar check --import calib_param.json --car SpiderCar6 > car.toml",
                "take an old car along",
            ),
        ],
        exits: &[Exit::Done, Exit::Bug, Exit::BadConfig],
    },
    Command {
        name: Name::Doctor,
        summary: "probe camera, encoder, outputs and network; say what to do",
        about: "Looks at everything the configuration names and says what is missing and how to mend it. Nothing moves. With \
                --hands it asks somebody who stands at the car instead, in a terminal, with the wheels off the ground: which \
                way the wheels turn, whether the lap sensor sees the mark, what the battery does under load. With --video it \
                films: how long a picture takes from the sensor to the network, stage by stage.",
        positional: &[],
        flags: &[
            CONFIG,
            SET,
            one(
                "--hands",
                "",
                "Move one output at a time, a little, when a key is pressed, and ask what was seen. Stop the service first.",
            ),
            one(
                "--video",
                "SECONDS",
                "Film for so long, and time each stage of a picture's way: 1 to 3600. Nothing moves. Stop the service first.",
            ),
        ],
        examples: &[
            ("spidercar doctor", "is this car fit to drive?"),
            (
                "spidercar doctor --hands",
                "is left left, is forward forward?",
            ),
            (
                "spidercar doctor --video 5",
                "where does a picture's time go?",
            ),
        ],
        exits: &[
            Exit::Done,
            Exit::Bug,
            Exit::BadConfig,
            Exit::HardwareMissing,
        ],
    },
    Command {
        name: Name::Neutral,
        summary: "put motor and steering to neutral, and end",
        about: "Writes neutral to the outputs and ends. The service does this after every stop, so it needs only the [drive] \
                part of the configuration to be good, and goes on if the rest is not.",
        positional: &[],
        flags: &[
            CONFIG,
            SET,
            one(
                WHEN_STDIN_ENDS,
                "",
                "Wait first. `run` starts this beside itself, at the end of a pipe: it writes neutral if `run` is killed or crashes, \
                 or stands still.",
            ),
        ],
        examples: &[(
            "spidercar neutral",
            "what ExecStopPost= of the service runs",
        )],
        exits: &[
            Exit::Done,
            Exit::Bug,
            Exit::BadConfig,
            Exit::HardwareMissing,
        ],
    },
    Command {
        name: Name::Calibrate,
        summary: "find the pulses of a car, at the car",
        about: "Measures where a car's neutral, its ends and its first movement are, with the wheels off the ground: a pulse is \
                out while a key is held, and neutral when none is. Stop the service first. What is saved goes to \
                drive.state_file and wins over the configuration. The flags change or show it without moving anything.",
        positional: &[],
        flags: &[
            CONFIG,
            SET,
            one(
                "--show",
                "",
                "Show the pulses that count, as TOML, and end.",
            ),
            many(
                "--save",
                "NAME=US",
                "Save one pulse, by its name in [drive.calibration] and in microseconds; may be given again.",
            ),
            one(
                "--reset",
                "",
                "Give up what was saved: the configuration's pulses count again.",
            ),
        ],
        examples: &[
            ("spidercar calibrate", "measure the installed car"),
            (
                "spidercar calibrate --save throttle_zero_us=1510 --save brake_us=1320",
                "save what was measured another way",
            ),
            (
                "spidercar calibrate --show > pulses.toml",
                "take them along to another car",
            ),
        ],
        exits: &[
            Exit::Done,
            Exit::Bug,
            Exit::BadConfig,
            Exit::HardwareMissing,
        ],
    },
    Command {
        name: Name::Replay,
        summary: "run a recorded stop again, and say what led to it",
        about: "Runs what a black box recorded (failsafe.black_box) through the same decisions again: prints each change of \
                state with what led to it, and compares every output with the recorded one. Nothing moves by it.",
        positional: &[one(
            "FILE",
            "FILE",
            "A file that the black box wrote: stop-NUMBER-CAUSE.jsonl; the highest number is the newest.",
        )],
        flags: &[],
        examples: &[(
            "spidercar replay stop-000021-silence.jsonl",
            "why did it stop?",
        )],
        exits: &[Exit::Done, Exit::Bug, Exit::BadConfig],
    },
    Command {
        name: Name::Key,
        summary: "make a key, in a file that only you can read",
        about: "Writes a new key of 125 random bits into a new file. It can be the key of a Spider's drivers, watchers, calibrators \
                or publishers (local.driver_key_file, watch_key_file, calibrate_key_file, publish_key_file), or the one that a car \
                and its drivers have and no Spider (spider.seal_key_file). It is not printed; a file that is there is not touched.",
        positional: &[one("FILE", "FILE", "The file to make, with mode 0600.")],
        flags: &[],
        examples: &[
            (
                "spidercar key driver.key",
                "then: spidercar spider --listen 0.0.0.0 --driver-key-file driver.key",
            ),
            (
                "sudo -u spidercar spidercar key /var/lib/spidercar/seal.key",
                "then: spider.seal_key_file = \"/var/lib/spidercar/seal.key\"",
            ),
        ],
        exits: &[Exit::Done, Exit::Bug, Exit::BadConfig],
    },
];
