//! Mistakes in the names and the form of a configuration: each is a line of a table.

use super::told;

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
            "car.toml:3: spider.url = wss://a: text needs quotes: write \"wss://a\"; it must be \"local\", wss://HOST:PORT or ws://HOST:PORT",
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
