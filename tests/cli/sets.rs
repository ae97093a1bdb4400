//! Keys on the command line, and many mistakes at once.

use super::problems;

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
        "car.toml:7: spider.url: there is no value behind the =; it must be \"local\", wss://HOST:PORT or ws://HOST:PORT",
        "car.toml:8: spider.channel = \"short\": must have 20 characters, has 5",
        "--set: camera.height = 1: must be an even number, 120 to 1080 pixels",
    ];
    assert_eq!(problems(config, &["--set", "camera.height=1"]), expected);
}
