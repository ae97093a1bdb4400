//! Mistakes in the values of a configuration: each is a line of a table.

use super::told;

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
            "car.toml:2: spider.insecure = \"yes\": write true; it must be true or false",
        ),
        (
            "[camera]\nfps = 29.97",
            "car.toml:2: camera.fps = 29.97: must be a whole number, 1 to 60 frames/s, not a number with a point",
        ),
        (
            "[camera]\nfps = '30'",
            "car.toml:2: camera.fps = \"30\": a number has no quotes: write 30; it must be a whole number, 1 to 60 frames/s",
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
