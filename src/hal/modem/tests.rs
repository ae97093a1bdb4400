//! Answers, and commands that answer, fail, hang and flood.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use super::*;

/// A script in place of `mmcli`, and its folder, which goes with the test.
struct Script(PathBuf);

impl Script {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("spidercar-mmcli-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("mmcli");
        // Written under another name: a script must not be open for writing when it is run.
        let part = folder.join("part");
        fs::write(&part, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&part, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(part, path).unwrap();
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.join("mmcli")
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // a leftover in the temporary folder is no harm
    }
}

const ANSWER: &str = r#"{"modem":{"generic":{"signal-quality":{"recent":"yes","value":"63"}}}}"#;

fn at_ms(ms: u64) -> Uptime {
    Uptime::from_micros(ms * 1000)
}

/// Polls at this time until the question is over, for as long as a script may really take.
fn until_over(modem: &mut Modem, ms: u64) -> Option<u8> {
    let started = Instant::now();
    loop {
        let percent = modem.poll(at_ms(ms));
        if modem.question.is_none() {
            return percent;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "still running");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_signal_is_read_out_of_the_answer() {
    let quality =
        |inner: &str| format!(r#"{{"modem":{{"generic":{{"signal-quality":{inner}}}}}}}"#);
    for (inner, wanted) in [
        (r#"{"recent":"yes","value":"63"}"#, Some(63)),
        (r#"{"recent":"no","value":"40"}"#, Some(40)),
        (r#"{"recent":"yes","value":"0"}"#, Some(0)),
        (r#"{"recent":"no","value":"0"}"#, None),
        (r#"{"recent":"yes","value":100}"#, Some(100)),
        (r#"{"recent":"yes","value":"101"}"#, None),
        (r#"{"recent":"yes","value":"-1"}"#, None),
        (r#"{"recent":"yes","value":"--"}"#, None),
        (r#"{"recent":"yes"}"#, None),
        ("null", None),
        ("[]", None),
    ] {
        assert_eq!(signal(quality(inner).as_bytes()), wanted, "{inner}");
    }
    for text in [
        "",
        "error: couldn't find modem",
        "{}",
        "[1,2]",
        "{\"modem\":7}",
    ] {
        assert_eq!(signal(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn a_modem_is_asked_every_ten_seconds() {
    let script = Script::new(
        "answer",
        &format!("echo \"$@\" >>\"$0.args\"; echo '{ANSWER}'"),
    );
    let asked = || {
        let args = fs::read_to_string(script.path().with_extension("args")).unwrap_or_default();
        args.lines().count()
    };
    let mut modem = Modem::new(script.path());
    assert_eq!(until_over(&mut modem, 0), Some(63));
    assert_eq!(modem.poll(at_ms(9_999)), Some(63), "kept between times");
    assert_eq!(asked(), 1);
    assert_eq!(until_over(&mut modem, 10_000), Some(63));
    assert_eq!(asked(), 2);
    let args = fs::read_to_string(script.path().with_extension("args")).unwrap();
    assert_eq!(args.lines().next(), Some("--modem any --output-json"));
}

#[test]
fn a_modem_that_is_gone_has_no_signal() {
    let script = Script::new(
        "gone",
        &format!("test -e \"$0.gone\" && exit 1; echo '{ANSWER}'"),
    );
    let mut modem = Modem::new(script.path());
    assert_eq!(until_over(&mut modem, 0), Some(63));
    fs::write(script.path().with_extension("gone"), "").unwrap();
    assert_eq!(until_over(&mut modem, 10_000), None);
}

#[test]
fn without_mmcli_there_is_no_signal_and_no_error() {
    let mut modem = Modem::new("/nowhere/mmcli");
    for ms in [0, 1_000, 10_000, 20_000] {
        assert_eq!(modem.poll(at_ms(ms)), None);
        assert!(modem.question.is_none());
    }
}

#[test]
fn one_that_hangs_is_killed_and_nobody_waits_for_it() {
    // It leaves a child behind that keeps the pipe open, as bad ones do.
    let script = Script::new("hang", "sleep 600 & echo $! >\"$0.pid\"; exec sleep 600");
    let mut modem = Modem::new(script.path());
    let started = Instant::now();
    assert_eq!(modem.poll(at_ms(0)), None);
    assert_eq!(modem.poll(at_ms(2_999)), None);
    let child = modem.question.as_ref().unwrap().child.id();
    assert!(Path::new(&format!("/proc/{child}")).exists());
    // Let it get as far as its child.
    let pid = loop {
        match fs::read_to_string(script.path().with_extension("pid")) {
            Ok(pid) if pid.ends_with('\n') => break pid,
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
        assert!(started.elapsed() < Duration::from_secs(20), "no child");
    };
    let polled = Instant::now();
    assert_eq!(modem.poll(at_ms(3_000)), None);
    assert!(modem.question.is_none(), "killed");
    assert!(polled.elapsed() < Duration::from_secs(2), "waited");
    assert!(!Path::new(&format!("/proc/{child}")).exists(), "and reaped");
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL); // ours, by its id
}

#[test]
fn one_that_floods_is_killed() {
    let script = Script::new("flood", "exec cat /dev/zero");
    let mut modem = Modem::new(script.path());
    assert_eq!(until_over(&mut modem, 0), None);
}

#[test]
fn an_answer_longer_than_a_pipe_is_read() {
    let script = Script::new(
        "long",
        &format!("head -c 60000 /dev/zero | tr '\\0' ' '; echo '{ANSWER}'"),
    );
    let mut modem = Modem::new(script.path());
    assert_eq!(until_over(&mut modem, 0), Some(63));
}
