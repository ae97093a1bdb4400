//! What the camera's settings and the failsafe's have to do with each other.

use super::*;

#[test]
fn a_rate_at_which_each_picture_is_too_old_before_the_next_is_refused() {
    for (text, key) in [
        ("camera.fps = 2", "camera.fps = 2"),
        ("camera.fps = 6\nfailsafe.blind_ms = 250", "camera.fps = 6"),
        ("camera.fps = 1\nfailsafe.blind_ms = 1000", "camera.fps = 1"),
        (
            "camera.controls.least_fps = 2",
            "camera.controls.least_fps = 2",
        ),
    ] {
        let report = read(text).unwrap_err().to_string();
        for wanted in [key, "too old to drive by", "failsafe.blind_ms"] {
            assert!(report.contains(wanted), "{text}: {report}");
        }
    }
    for text in [
        "camera.fps = 3",
        "camera.fps = 2\nfailsafe.blind_ms = 600",
        "camera.fps = 7\nfailsafe.blind_ms = 250",
        "camera.controls.least_fps = 0",
        "camera.controls.least_fps = 3",
        // Never slower than the rate itself.
        "camera.fps = 3\ncamera.controls.least_fps = 60",
    ] {
        assert!(read(text).is_ok(), "{text}: {:?}", read(text).err());
    }
}

#[test]
fn neutral_goes_on_without_it() {
    let (raw, shelf) = raw("camera.fps = 2");
    Outputs::from_raw(&raw, &shelf).unwrap();
}
