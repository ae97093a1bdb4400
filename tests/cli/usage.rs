//! Mistakes in what is typed: each is a line of a table.

use super::Folder;

#[test]
fn usage_mistakes_name_the_nearest_thing_that_is_right() {
    let folder = Folder::new(&[]);
    let table: &[(&[&str], &str)] = &[
        (&[], "spidercar: which command?\n\n"),
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
    misused(&folder, table);
}

#[test]
fn what_other_programs_have_as_flags_or_commands_is_named() {
    let table: &[(&[&str], &str)] = &[
        (
            &["run", "--port", "9000"],
            "spidercar: run: no flag --port; did you mean --set local.port=VALUE?\n",
        ),
        (
            &["run", "--fps=60"],
            "spidercar: run: no flag --fps; did you mean --set camera.fps=VALUE?\n",
        ),
        (
            &["check", "--tls-port", "1"],
            "spidercar: check: no flag --tls-port; did you mean --set local.tls_port=VALUE?\n",
        ),
        (
            &["drive"],
            "spidercar: no command \"drive\"; did you mean run?\n  commands: run, spider",
        ),
    ];
    misused(&Folder::new(&[]), table);
}

/// Each of these ends with 2, nothing on stdout, and a message that begins so.
fn misused(folder: &Folder, table: &[(&[&str], &str)]) {
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
