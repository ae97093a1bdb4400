//! What a person sees who types something wrong: the real program, its exit code, its words.
//!
//! Each case is a line of a table: what is typed, what the file says, how the program must end and
//! what must stand in stderr. Cases name their file `car.toml`; the program runs in a folder of its
//! own, so messages can be compared letter by letter. The file is long because the tables are.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "spidercar-cli-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder for the test");
        for (name, content) in files {
            fs::write(path.join(name), content).expect("a file for the test");
        }
        Self(path)
    }

    fn spidercar(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spidercar"));
        command
            .args(args)
            .current_dir(&self.0)
            .env_clear()
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Ended {
        Ended::of(&self.spidercar(args).output().expect("the program starts"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind in /tmp harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How a run ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// What `spidercar check` says of a file: every line of stderr but the first and the last.
fn problems(config: &str, args: &[&str]) -> Vec<String> {
    let folder = Folder::new(&[("car.toml", config)]);
    let ended = folder.run(&[&["check", "--config", "car.toml"], args].concat());
    assert_eq!(ended.code, Some(2), "{config}: {ended:?}");
    assert_eq!(
        ended.stdout, "",
        "{config}: bad configurations are not printed"
    );
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let [head, problems @ .., tail] = lines.as_slice() else {
        panic!("{config}: {ended:?}");
    };
    let plural = if problems.len() == 1 { "" } else { "s" };
    assert_eq!(
        *head,
        format!(
            "spidercar: the configuration has {} problem{plural}",
            problems.len()
        )
    );
    assert_eq!(
        *tail,
        "  `spidercar check` without arguments prints every key and what is allowed"
    );
    problems
        .iter()
        .map(|line| line.trim_start().to_owned())
        .collect()
}

/// Each file has a mistake that is answered with these words.
fn told(cases: &[(&str, &str)]) {
    for (config, expected) in cases {
        let problems = problems(config, &[]);
        assert!(
            problems.iter().any(|problem| problem.starts_with(expected)),
            "{config}\nexpected {expected}\ngot {problems:#?}"
        );
    }
}

#[test]
fn what_is_not_toml_is_named_by_line() {
    told(&[
        (
            "[spider\n",
            "car.toml:1: not TOML: unclosed table, expected `]`",
        ),
        (
            "camera.fps = 1\ncamera.fps = 2\n",
            "car.toml:2: not TOML: duplicate key \"fps\"",
        ),
        (
            "\n\nspider.url = wss://a\n",
            "car.toml:3: not TOML: string values must be quoted, expected literal string",
        ),
    ]);
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    told(&[
        (
            "fsp = 1",
            "car.toml:1: fsp: no such key; each stands in one of the tables spider, local, ice, camera, camera.rear, camera.controls, encoder, drive, drive.calibration, pwm, pca9685, hbridge, lap, battery, board, failsafe, telemetry, sim, log",
        ),
        (
            "fps = 1",
            "car.toml:1: fps: no such key; did you mean camera.fps?",
        ),
        (
            "[camera]\nwidht = 1",
            "car.toml:2: camera.widht: no such key; did you mean camera.width?",
        ),
        (
            "[camera]\nzoom = 1",
            "car.toml:2: camera.zoom: no such key; did you mean camera.controls.zoom_permille?",
        ),
        (
            "[failsafe]\nhold = 100",
            "car.toml:2: failsafe.hold: no such key; did you mean failsafe.hold_ms?",
        ),
        (
            "[drive]\nbrake_us = 1300",
            "car.toml:2: drive.brake_us: no such key; did you mean drive.calibration.brake_us?",
        ),
        (
            "[encoder]\nwheels = 1",
            "car.toml:2: encoder.wheels: no such key; [encoder] has kind",
        ),
        (
            "\n[camra]\nfps = 1",
            "car.toml:2: camra: no such table; did you mean [camera]?",
        ),
        (
            "[dirve.calibration]\nbrake_us = 1",
            "car.toml:1: dirve.calibration: no such table; did you mean [drive.calibration]?",
        ),
        (
            "[wheels]\ncount = 4",
            "car.toml:1: wheels: no such table; there are spider, local, ice, camera, camera.rear, camera.controls, encoder, drive, drive.calibration, pwm, pca9685, hbridge, lap, battery, board, failsafe, telemetry, sim, log",
        ),
        (
            "camera = 5",
            "car.toml:1: camera: is a table: write [camera] on a line of its own and its keys below",
        ),
    ]);
}

#[test]
fn secrets_are_sent_elsewhere() {
    told(&[
        (
            "[spider]\npassword = 'x'",
            "car.toml:2: spider.password: secrets are never in the configuration: it names a file that holds them",
        ),
        (
            "[local]\ndriver_key = 'x'",
            "car.toml:2: local.driver_key: secrets are never in the configuration: it names a file that holds them; did you mean local.driver_key_file?",
        ),
        (
            "ice.servers = [{ urls = 'turn:a', username = 'u', credential = 'x' }]",
            "car.toml:1: ice.servers[0].credential: secrets are never in the configuration: put it in a file and name that with credential_file = \"PATH\", or in an environment variable and name that with credential_env = \"NAME\"",
        ),
    ]);
}

#[test]
fn values_of_the_wrong_kind_are_told_the_right_one() {
    told(&[
        (
            "[spider]\nktime = 100",
            "car.toml:2: spider.ktime = 100: must be a text: write \"100\"",
        ),
        (
            "[spider]\nurl = true",
            "car.toml:2: spider.url = true: must be \"local\", wss://HOST:PORT or ws://HOST:PORT, not true or false",
        ),
        (
            "[spider]\ninsecure = 'yes'",
            "car.toml:2: spider.insecure = \"yes\": must be true or false, not a text",
        ),
        (
            "[camera]\nfps = 29.97",
            "car.toml:2: camera.fps = 29.97: must be a whole number, 1 to 60 frames/s, not a number with a point",
        ),
        (
            "[camera]\nfps = '30'",
            "car.toml:2: camera.fps = \"30\": must be a whole number, 1 to 60 frames/s, not a text",
        ),
        ("[camera.fps]\nx = 1", "car.toml:1: camera.fps"),
        (
            "ice.servers = 'stun:a'",
            "car.toml:1: ice.servers: must be a list of { urls = \"turn:HOST:3478\", username = \"…\", credential_file = \"…\" }, not a text",
        ),
        (
            "ice.servers = [\n'stun:a',\n]",
            "car.toml:2: ice.servers[0]: must be a table such as { urls = \"stun:HOST:3478\" }, not a text",
        ),
        (
            "[[ice.servers]]\nurls = 5",
            "car.toml:2: ice.servers[0].urls: must be one address or a list: stun:HOST:PORT, turn:HOST:PORT?transport=udp (or tcp), not a whole number",
        ),
        (
            "[[ice.servers]]\nurls = 'stun:a'\n[[ice.servers]]\nurl = 'stun:a'",
            "car.toml:4: ice.servers[1].url: no such key; did you mean urls?",
        ),
    ]);
}

#[test]
fn values_out_of_range_are_told_the_range() {
    told(&[
        (
            "[camera]\nfps = 61",
            "car.toml:2: camera.fps = 61: must be a whole number, 1 to 60 frames/s",
        ),
        (
            "[camera]\nwidth = 641",
            "car.toml:2: camera.width = 641: must be an even number, 160 to 1920 pixels",
        ),
        (
            "[camera]\nrotation = 45",
            "car.toml:2: camera.rotation = 45: must be 0, 90, 180 or 270 degrees",
        ),
        (
            "[failsafe]\nhold_ms = 501",
            "car.toml:2: failsafe.hold_ms = 501: must be a whole number, 50 to 500 ms",
        ),
        (
            "[failsafe]\nlegacy_age_ms = 1",
            "car.toml:2: failsafe.legacy_age_ms = 1: must be 0, or a whole number, 200 to 10000 ms",
        ),
        (
            "[spider]\nbitrate_kbps = 99999999999999999999",
            "car.toml:2: spider.bitrate_kbps = 99999999999999999999: must be a whole number, 100 to 20000 kbit/s",
        ),
        (
            "[encoder]\nkind = 'v4l2m2n'",
            "car.toml:2: encoder.kind = \"v4l2m2n\": must be \"auto\", \"v4l2m2m\" or \"openh264\"; did you mean \"v4l2m2m\"?",
        ),
        (
            "[log]\nlevel = 'loud'",
            "car.toml:2: log.level = \"loud\": must be \"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
        ),
    ]);
}

#[test]
fn texts_that_make_no_sense_are_told_why() {
    let pin = "ab".repeat(31);
    told(&[
        (
            "[spider]\nurl = 'https://a'",
            "car.toml:2: spider.url = \"https://a\": the scheme must be wss:// (or ws://), not https://",
        ),
        (
            "[spider]\nurl = 'wss://a/live/ws/pub'",
            "car.toml:2: spider.url = \"wss://a/live/ws/pub\": give scheme, host and port alone: the path /live/ws/… and the query are added",
        ),
        (
            "[spider]\nchannel = 'MarsRacing-01'",
            "car.toml:2: spider.channel = \"MarsRacing-01\": must have 20 characters, has 13",
        ),
        (
            "[spider]\nchannel = 'c9abcdefghijklmnopq1'",
            "car.toml:2: spider.channel = \"c9abcdefghijklmnopq1\": must end in 0 or g; is the id copied whole?",
        ),
        (
            &format!("[spider]\nurl = 'wss://a'\npin_sha256 = '{pin}'"),
            &format!(
                "car.toml:3: spider.pin_sha256 = \"{}…: must be 64 hexadecimal digits (SHA-256), has 62",
                pin.get(..59).unwrap_or_default()
            ),
        ),
        (
            "[spider]\nvcodec = 'h 264'",
            "car.toml:2: spider.vcodec = \"h 264\": must have letters, digits, '-', '_' and '.' only, has ' '",
        ),
        (
            "[local]\nlisten = '0.0.0.0:80'",
            "car.toml:2: local.listen = \"0.0.0.0:80\": must be an IP address, without a port: 127.0.0.1 for this machine alone, 0.0.0.0 for everyone",
        ),
        (
            "[[ice.servers]]\nurls = ['turn:a']",
            "car.toml:1: ice.servers[0].username: is missing: a TURN server wants one",
        ),
        (
            "[[ice.servers]]\nurls = ['turn://a']\nusername = 'u'\ncredential_env = 'NOT_SET'",
            "car.toml:1: ice.servers[0].credential_env: the environment variable NOT_SET is not set",
        ),
    ]);
}

#[test]
fn keys_that_do_not_go_together_are_both_named() {
    told(&[
        (
            "[spider]\ninsecure = true",
            "car.toml:2: spider.insecure = true: has a meaning only for a wss:// address (spider.url = \"local\", default)",
        ),
        (
            "[spider]\nurl = 'wss://a'\nca_file = 'ca.pem'",
            "car.toml:3: spider.ca_file = \"ca.pem\": cannot be read: No such file or directory (os error 2)",
        ),
        (
            "[local]\nlisten = '0.0.0.0'",
            "car.toml:2: local.listen = \"0.0.0.0\": others can reach this address, so a driver key is needed: name a file that holds one, or listen on 127.0.0.1 (local.driver_key_file = \"\", default)",
        ),
        (
            "[local]\nport = 8267",
            "car.toml:2: local.port = 8267: two servers cannot share a port (local.tls_port = 8267, default)",
        ),
        (
            "[local]\ncert_file = 'car.toml'",
            "car.toml:2: local.cert_file = \"car.toml\": must be a PEM file, with a line -----BEGIN CERTIFICATE-----",
        ),
        (
            "[ice]\npolicy = 'relay'",
            "car.toml:2: ice.policy = \"relay\": needs a turn: server to relay through",
        ),
        (
            "[failsafe]\nhold_ms = 300\nneutral_ms = 200",
            "car.toml:2: failsafe.hold_ms = 300: neutral_ms must be at least 20 ms more than hold_ms (failsafe.neutral_ms = 200, car.toml:3)",
        ),
        (
            "[drive.calibration]\nsteering_zero_us = 2000",
            "car.toml:2: drive.calibration.steering_zero_us = 2000: straight ahead must be shorter than the long end; drive.steering_reversed turns the servo round (drive.calibration.steering_max_us = 2000, default)",
        ),
    ]);
}

#[test]
fn every_mistake_in_a_set_names_the_flag() {
    let table: &[(&str, &str)] = &[
        (
            "camera.fps=0",
            "--set: camera.fps = 0: must be a whole number, 1 to 60 frames/s",
        ),
        (
            "camera.fps=fast",
            "--set: camera.fps = \"fast\": must be a whole number, 1 to 60 frames/s, not a text",
        ),
        (
            "camera.source=vl4",
            "--set: camera.source = \"vl4\": must be \"sim\", \"libcamera\" or \"v4l\"; did you mean \"v4l\"?",
        ),
        (
            "camera.fsp=5",
            "--set: camera.fsp: no such key; did you mean camera.fps?",
        ),
        (
            "camera=5",
            "--set: camera: is a table: set one of its keys, camera.source, camera.width, camera.height, camera.fps, camera.rotation, camera.flip_horizontal, camera.flip_vertical, camera.index, camera.id, camera.device or camera.format",
        ),
        (
            "spider.url=htps://a",
            "--set: spider.url = \"htps://a\": the scheme must be wss:// or ws://",
        ),
        (
            "spider.password=x",
            "--set: spider.password: secrets are never in the configuration: it names a file that holds them",
        ),
        (
            "ice.servers=[",
            "--set: ice.servers: not TOML: unclosed array, expected `]`; must be a list of",
        ),
        (
            "ice.servers=[{urls='turn:a',credential='x'}]",
            "--set: ice.servers[0].credential: secrets are never in the configuration",
        ),
    ];
    for (set, expected) in table {
        let problems = problems("", &["--set", set]);
        assert!(
            problems.iter().any(|problem| problem.starts_with(expected)),
            "{set}\nexpected {expected}\ngot {problems:#?}"
        );
    }
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_file() {
    let config = "\
[camera]
fps = 99
widht = 640
[failsafe]
hold_ms = 190
[spider]
url =
channel = 'short'
";
    let expected = [
        "car.toml:2: camera.fps = 99: must be a whole number, 1 to 60 frames/s",
        "car.toml:3: camera.widht: no such key; did you mean camera.width?",
        "car.toml:5: failsafe.hold_ms = 190: neutral_ms must be at least 20 ms more than hold_ms (failsafe.neutral_ms = 200, default)",
        "car.toml:7: not TOML: string values must be quoted, expected literal string",
        "car.toml:8: spider.channel = \"short\": must have 20 characters, has 5",
        "--set: camera.height = 1: must be an even number, 120 to 1080 pixels",
    ];
    assert_eq!(problems(config, &["--set", "camera.height=1"]), expected);
}

#[test]
fn usage_mistakes_name_the_nearest_thing_that_is_right() {
    let folder = Folder::new(&[]);
    let table: &[(&[&str], &str)] = &[
        (
            &[],
            "spidercar: which command?\n  commands: run, spider, watch, check, doctor, neutral, calibrate, replay\n",
        ),
        (
            &["rnu"],
            "spidercar: no command \"rnu\"; did you mean run?\n  commands: run, spider",
        ),
        (
            &["helicopter"],
            "spidercar: no command \"helicopter\"\n  commands: run, spider",
        ),
        (
            &["help", "docter"],
            "spidercar: no command \"docter\"; did you mean doctor?\n",
        ),
        (
            &["--verison"],
            "spidercar: no flag --verison before the command; did you mean --version?\n",
        ),
        (
            &["--config", "a"],
            "spidercar: no flag --config before the command\n",
        ),
        (
            &["run", "--confg", "a"],
            "spidercar: run: no flag --confg; did you mean --config?\n  usage: spidercar run [--config FILE] [--set KEY=VALUE]...\n  `spidercar run --help` says more\n",
        ),
        (&["run", "-x"], "spidercar: run: no flag -x\n"),
        (
            &["run", "car.toml"],
            "spidercar: run: unexpected \"car.toml\"; did you mean --config car.toml?\n",
        ),
        (
            &["run", "camera.fps=5"],
            "spidercar: run: unexpected \"camera.fps=5\"; did you mean --set camera.fps=5?\n",
        ),
        (&["run", "now"], "spidercar: run: unexpected \"now\"\n"),
        (
            &["run", "--config"],
            "spidercar: run: --config needs a value: --config FILE\n",
        ),
        (
            &["run", "--config", "a", "--config", "b"],
            "spidercar: run: --config is given twice\n",
        ),
        (
            &["run", "--set", "camera.fps"],
            "spidercar: run: --set camera.fps: write it as KEY=VALUE, for example --set camera.fps=25\n",
        ),
        (
            &["spider", "--tls-prot", "1"],
            "spidercar: spider: no flag --tls-prot; did you mean --tls-port?\n",
        ),
        (&["watch"], "spidercar: watch: URL is missing\n"),
        (
            &["watch", "ws://a"],
            "spidercar: watch: --channel ID is missing\n",
        ),
        (
            &["watch", "ws://a", "ws://b", "--channel", "c"],
            "spidercar: watch: unexpected \"ws://b\"\n",
        ),
        (
            &["watch", "local", "--channel", "c"],
            "spidercar: watch: URL must be wss://HOST:PORT or ws://HOST:PORT: another process is watched\n",
        ),
        (
            &["watch", "ws://a", "--insecure=yes", "--channel", "c"],
            "spidercar: watch: --insecure takes no value\n",
        ),
        (
            &["check", "--car", "a"],
            "spidercar: check: --car is for --import: give --import FILE too\n",
        ),
        (
            &["check", "--import", "a", "--set", "camera.fps=1"],
            "spidercar: check: --import prints a file of its own: leave --config and --set out\n",
        ),
    ];
    for (args, expected) in table {
        let ended = folder.run(args);
        assert_eq!(ended.code, Some(2), "{args:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{args:?}");
        assert!(
            ended.stderr.starts_with(expected),
            "{args:?}\nexpected {expected}\ngot {}",
            ended.stderr
        );
    }
}

#[test]
fn flags_that_stand_for_keys_are_checked_like_keys_and_named_as_flags() {
    let folder = Folder::new(&[("short", "1234567"), ("empty", "\n")]);
    let channel = "c9abcdefghijklmnopq0";
    let table: &[(&[&str], &str)] = &[
        (
            &["spider", "--port", "99999"],
            "--port: local.port = 99999: must be a whole number, 0 to 65535 (TCP)",
        ),
        (
            &["spider", "--listen", "here"],
            "--listen: local.listen = \"here\": must be an IP address",
        ),
        (
            &["spider", "--listen", "0.0.0.0"],
            "--listen: local.listen = \"0.0.0.0\": others can reach this address, so a driver key is needed",
        ),
        (
            &["spider", "--driver-key-file", "short"],
            "--driver-key-file: local.driver_key_file = \"short\": the key in it is shorter than 8 characters",
        ),
        (
            &["spider", "--driver-key-file", "empty"],
            "--driver-key-file: local.driver_key_file = \"empty\": empty is empty",
        ),
        (
            &["spider", "--cert", "gone.pem"],
            "--cert: local.cert_file = \"gone.pem\": cannot be read: No such file or directory",
        ),
        (
            &["watch", "htp://a", "--channel", channel],
            "URL: spider.url = \"htp://a\": the scheme must be wss:// or ws://",
        ),
        (
            &["watch", "wss://a", "--channel", "x"],
            "--channel: spider.channel = \"x\": must have 20 characters, has 1",
        ),
        (
            &["watch", "ws://a", "--channel", channel, "--insecure"],
            "--insecure: spider.insecure = true: has a meaning only for a wss:// address (spider.url = \"ws://a\", URL)",
        ),
        (
            &[
                "watch",
                "wss://a",
                "--channel",
                channel,
                "--pin-sha256",
                "ab",
            ],
            "--pin-sha256: spider.pin_sha256 = \"ab\": must be 64 hexadecimal digits (SHA-256), has 2",
        ),
        (
            &["run", "--config", "gone.toml"],
            "gone.toml: cannot be read: No such file or directory (os error 2)",
        ),
        (
            &["doctor", "--config", "."],
            ".: cannot be read: Is a directory (os error 21)",
        ),
        (
            &["neutral", "--set", "drive.output=pmw"],
            "--set: drive.output = \"pmw\": must be \"sim\", \"pwm\", \"pca9685\" or \"hbridge\"; did you mean \"pwm\"?",
        ),
    ];
    for (args, expected) in table {
        let ended = folder.run(args);
        assert_eq!(ended.code, Some(2), "{args:?}: {ended:?}");
        assert!(
            ended.stderr.contains(&format!("\n  {expected}")),
            "{args:?}\nexpected {expected}\ngot {}",
            ended.stderr
        );
    }
}

const FLEET: &str = r#"{"SpiderCar6":{"CAR_NAME":"SpiderCar6","ChannelID":"c9abcdefghijklmnopq0",
 "Calibration":{"THROTTLE_ZERO":375,"FORWARD_ZERO":399,"STEERING_ZERO":399,"THROTTLE_MIN":300,
  "THROTTLE_MAX":440,"STEERING_MIN":319,"STEERING_MAX":479},
 "UI":{"THROTTLE_STEP":20,"STEERING_STEP":20}},
 "SpiderCar7":{"ChannelID":"c9abcdefghijklmnopq0",
 "Calibration":{"THROTTLE_ZERO":375,"FORWARD_ZERO":399,"STEERING_ZERO":399,"THROTTLE_MIN":376,
  "THROTTLE_MAX":440,"STEERING_MIN":319},
 "UI":{"THROTTLE_STEP":20,"STEERING_STEP":20}}}"#;

#[test]
fn an_old_car_is_imported_and_its_file_runs_as_it_is() {
    let folder = Folder::new(&[("calib.json", FLEET)]);
    let ended = folder.run(&["check", "--import", "calib.json", "--car", "SpiderCar6"]);
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
    fs::write(folder.0.join("car.toml"), &ended.stdout).expect("it can be written");

    let ended = folder.run(&["check", "--config", "car.toml"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for line in [
        "channel = \"c9abcdefghijklmnopq0\"",
        "throttle_min_us = 1221",
        "throttle_zero_us = 1526",
        "forward_zero_us = 1624",
        "throttle_max_us = 1790",
        "brake_us = 1322",
        "steering_min_us = 1298",
        "steering_zero_us = 1624",
        "steering_max_us = 1949",
    ] {
        assert!(
            ended.stdout.contains(&format!("\n{line}\n")),
            "{line} in {}",
            ended.stdout
        );
    }
}

#[test]
fn an_import_that_fails_says_what_the_file_lacks() {
    let folder = Folder::new(&[
        ("calib.json", FLEET),
        ("broken.json", "{\n \"a\": {,}\n}"),
        ("list.json", "[]"),
    ]);
    let table: &[(&[&str], &str)] = &[
        (
            &["--import", "gone.json", "--car", "a"],
            "spidercar: gone.json: cannot be read: No such file or directory (os error 2)\n",
        ),
        (
            &["--import", "calib.json"],
            "spidercar: the file to import has 1 problem\n  calib.json: which car? it has SpiderCar6, SpiderCar7; say --car NAME\n",
        ),
        (
            &["--import", "calib.json", "--car", "Spidercar"],
            "spidercar: the file to import has 1 problem\n  calib.json: no car \"Spidercar\": it has SpiderCar6, SpiderCar7; did you mean SpiderCar6?\n",
        ),
        (
            &["--import", "broken.json", "--car", "a"],
            "spidercar: the file to import has 1 problem\n  broken.json:2: not JSON: key must be a string (column 8)\n",
        ),
        (
            &["--import", "list.json", "--car", "a"],
            "spidercar: the file to import has 1 problem\n  list.json: must be a JSON object with the name of a car before each entry\n",
        ),
        (
            &["--import", "calib.json", "--car", "SpiderCar7"],
            "spidercar: the file to import has 2 problems\n  calib.json: SpiderCar7.Calibration: THROTTLE_MIN must be below THROTTLE_ZERO (THROTTLE_MIN = 376, THROTTLE_ZERO = 375)\n  calib.json: SpiderCar7.Calibration.STEERING_MAX: is missing\n",
        ),
    ];
    for (args, expected) in table {
        let ended = folder.run(&[&["check"], *args].concat());
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(2), ""),
            "{args:?}: {ended:?}"
        );
        assert_eq!(ended.stderr, *expected, "{args:?}");
    }
}

#[test]
fn check_prints_what_it_was_given_and_its_output_checks_out() {
    let folder = Folder::new(&[("car.toml", "[camera]\nfps = 25\n")]);
    let args = [
        "check",
        "--config",
        "car.toml",
        "--set",
        "spider.url=wss://127.0.0.1:8267",
    ];
    let first = folder.run(&args);
    assert_eq!(
        (first.code, first.stderr.as_str()),
        (Some(0), ""),
        "{first:?}"
    );
    assert!(
        first
            .stdout
            .contains("Default: 30. Set by car.toml:2\nfps = 25\n"),
        "{}",
        first.stdout
    );
    assert!(
        first
            .stdout
            .contains("Default: \"local\". Set by --set\nurl = \"wss://127.0.0.1:8267\"\n"),
        "{}",
        first.stdout
    );

    fs::write(folder.0.join("again.toml"), &first.stdout).expect("it can be written");
    let again = folder.run(&["check", "--config", "again.toml"]);
    let values = |text: &str| -> Vec<String> {
        let is_value = |line: &&str| !line.starts_with('#');
        text.lines().filter(is_value).map(str::to_owned).collect()
    };
    assert_eq!(values(&first.stdout), values(&again.stdout));
}

#[test]
fn a_turn_password_comes_from_a_file_or_a_variable_and_is_never_printed() {
    let config = "\
[[ice.servers]]
urls = ['turn:a:3478?transport=udp']
username = 'u'
credential_file = 'turn.secret'
[[ice.servers]]
urls = 'turn:a:3478?transport=tcp'
username = 'u'
credential_env = 'TURN_PASS'
";
    let folder = Folder::new(&[("car.toml", config), ("turn.secret", "hunter2\n")]);
    let mut command = folder.spidercar(&["check", "--config", "car.toml"]);
    let ended = Ended::of(
        &command
            .env("TURN_PASS", "hunter3")
            .output()
            .expect("it starts"),
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.stdout.contains("credential_file = \"turn.secret\""),
        "{}",
        ended.stdout
    );
    assert!(!ended.stdout.contains("hunter"), "{}", ended.stdout);
}

#[test]
fn help_and_version_go_to_stdout() {
    let folder = Folder::new(&[]);
    for command in [
        "run",
        "spider",
        "watch",
        "check",
        "doctor",
        "neutral",
        "calibrate",
    ] {
        let ended = folder.run(&[command, "--help"]);
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(0), ""),
            "{command}: {ended:?}"
        );
        for part in [
            &format!("Usage: spidercar {command}"),
            "Examples:\n",
            "Exit codes:\n",
        ] {
            assert!(ended.stdout.contains(part), "{part} in {}", ended.stdout);
        }
        assert_eq!(ended.stdout, folder.run(&["help", command]).stdout);
    }
    let version = folder.run(&["--version"]);
    assert_eq!(
        version.stdout,
        concat!("spidercar ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert_eq!(folder.run(&["--help"]).code, Some(0));
}

#[test]
fn a_reader_that_stops_reading_ends_the_program_quietly() {
    let folder = Folder::new(&[("car.toml", "")]);
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    let mut command = folder.spidercar(&["check", "--config", "car.toml"]);
    let ended = Ended::of(&command.stdout(writer).output().expect("it starts"));
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
}

#[test]
fn a_stdout_that_cannot_take_the_data_is_an_error() {
    let folder = Folder::new(&[("car.toml", "")]);
    let full = fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let mut command = folder.spidercar(&["check", "--config", "car.toml"]);
    let ended = Ended::of(&command.stdout(full).output().expect("it starts"));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended
            .stderr
            .starts_with("spidercar: cannot write to stdout: No space left"),
        "{ended:?}"
    );
}

#[test]
fn the_exit_code_is_right_even_if_stderr_is_gone() {
    let folder = Folder::new(&[]);
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    let ended = Ended::of(
        &folder
            .spidercar(&["rnu"])
            .stderr(writer)
            .output()
            .expect("it starts"),
    );
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

#[test]
fn neutral_goes_on_without_the_rest_of_the_configuration_and_says_so() {
    let folder = Folder::new(&[(
        "car.toml",
        "[camera]\nfps = 99\n[spider]\npassword = 'hunter2'\n",
    )]);
    let mut command = folder.spidercar(&["neutral", "--config", "car.toml"]);
    let ended = Ended::of(
        &command
            .env("JOURNAL_STREAM", "1:2")
            .output()
            .expect("it starts"),
    );
    assert_ne!(ended.code, Some(2), "{ended:?}");
    // Under journald a line begins with its level: the journal has the time.
    let expected = " WARN spidercar: neutral goes on without this part of the configuration problem=car.toml:2: camera.fps = 99";
    assert!(ended.stderr.starts_with(expected), "{}", ended.stderr);
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
}
