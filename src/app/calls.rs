//! The calls that threads have under way in drivers, so that one that never returns is seen and named.
//!
//! A driver can hang its caller in the kernel for ever (state D); nothing in the process can end such a call, and its device
//! stays taken. So each thread that calls drivers notes its step here, and `run` looks at all of them twice a second.
//!
//! ```text
//!   camera, video, laps, sensors ─▶ Row: step, serial ──┐
//!                                                       ├─▶ Watch: the same serial at 60 looks ─▶ the process ends, at neutral
//!   run, every 500 ms ──────────────────────────────────┘          and says which call: /proc/self/task/TID/syscall
//! ```
//!
//! Looks are counted, not time: a process or a machine that stood still has not looked, and blames nobody.
//!
//! Invariants: nothing is allocated and nobody waits in [`Row::during`]; a panic ends the step like a return.
//! Sources: `proc_pid_syscall(5)`, `proc_pid_wchan(5)`; Linux `include/uapi/asm-generic/ioctl.h` (parts of a request code).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often [`Watch::look`] is to be called.
pub const LOOK: Duration = Duration::from_millis(500);

/// Looks at one and the same call after which it counts as one that never returns: 30 s.
/// choice: libcamera's slowest start and an encoder's own time-outs take some seconds; a flash card that is worn out, ten.
pub const LOOKS: u32 = 60;

/// Outside of any step.
const NOTHING: &str = "";

/// Whether the car is stopped while a part hangs, whatever the driver does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// Without it there is no picture, so the car stands.
    ToDrive,
    /// The car drives on without it, and is not stopped for it.
    ToInform,
}

/// One thread's calls.
#[derive(Debug)]
pub struct Row {
    part: &'static str,
    needed: Needed,
    /// The thread's number for the system; 0 before its first step.
    thread: AtomicI32,
    /// Counts beginnings and ends of steps.
    serial: AtomicU64,
    step: Mutex<&'static str>,
}

impl Row {
    /// Runs a step of the thread that calls this. Steps may be nested; the inner one counts.
    pub fn during<T>(&self, step: &'static str, run: impl FnOnce() -> T) -> T {
        let _under_way = self.enter(step);
        run()
    }

    /// Begins a step that ends when what is returned is dropped.
    #[must_use]
    pub fn enter(&self, step: &'static str) -> UnderWay<'_> {
        if self.thread.load(Ordering::Relaxed) == 0 {
            let own = rustix::thread::gettid().as_raw_nonzero().get();
            self.thread.store(own, Ordering::Relaxed);
        }
        let before = std::mem::replace(&mut *self.step(), step);
        self.serial.fetch_add(1, Ordering::Relaxed);
        UnderWay { row: self, before }
    }

    fn step(&self) -> MutexGuard<'_, &'static str> {
        self.step.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A step that is under way.
#[derive(Debug)]
pub struct UnderWay<'a> {
    row: &'a Row,
    before: &'static str,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        *self.row.step() = self.before;
        self.row.serial.fetch_add(1, Ordering::Relaxed);
    }
}

/// All threads that call drivers.
#[derive(Debug, Default)]
pub struct Calls {
    rows: Mutex<Vec<Arc<Row>>>,
}

impl Calls {
    /// A row for a thread that is about to start.
    #[must_use]
    pub fn row(&self, part: &'static str, needed: Needed) -> Arc<Row> {
        let row = Arc::new(Row {
            part,
            needed,
            thread: AtomicI32::new(0),
            serial: AtomicU64::new(0),
            step: Mutex::new(NOTHING),
        });
        self.rows().push(Arc::clone(&row));
        row
    }

    /// The steps that are under way now, in words.
    #[must_use]
    pub fn under_way(&self) -> Vec<String> {
        let rows = self.rows();
        rows.iter().filter_map(|row| told(row)).collect()
    }

    fn rows(&self) -> MutexGuard<'_, Vec<Arc<Row>>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that does not return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hung {
    /// Part, step and system call.
    pub what: String,
    /// What the part is needed for.
    pub needed: Needed,
}

/// Counts how often the same call was seen.
#[derive(Debug, Default)]
pub struct Watch {
    seen: BTreeMap<usize, (u64, u32)>,
}

impl Watch {
    /// Looks at all threads; a call that was seen [`LOOKS`] times. One that stops the car goes before others.
    pub fn look(&mut self, calls: &Calls) -> Option<Hung> {
        let rows = calls.rows();
        let mut hung: Option<Hung> = None;
        for (at, row) in rows.iter().enumerate() {
            let serial = row.serial.load(Ordering::Relaxed);
            let seen = self.seen.entry(at).or_insert((serial, 0));
            if seen.0 != serial || row.step().is_empty() {
                *seen = (serial, 0);
                continue;
            }
            seen.1 = seen.1.saturating_add(1);
            let goes_before = || {
                hung.as_ref()
                    .is_none_or(|hung| hung.needed == Needed::ToInform)
            };
            if seen.1 >= LOOKS
                && goes_before()
                && let Some(what) = told(row)
            {
                let needed = row.needed;
                hung = Some(Hung { what, needed });
            }
        }
        hung
    }
}

/// Part, step and what the thread is in, if it is in a step.
fn told(row: &Row) -> Option<String> {
    let (part, step) = (row.part, *row.step());
    if step.is_empty() {
        return None;
    }
    let thread = row.thread.load(Ordering::Relaxed);
    let system = system_call(thread).unwrap_or_else(|| "no system call is known".to_owned());
    Some(format!("{part}: {step} ({system})"))
}

/// What a thread of this process waits for in the kernel, as far as it can be read: `ioctl VIDIOC_STREAMOFF on
/// /dev/video0, thread 71 in state D, vb2_core_streamoff`.
fn system_call(thread: i32) -> Option<String> {
    let of = |file: &str| fs::read_to_string(format!("/proc/self/task/{thread}/{file}"));
    let stat = of("stat").ok()?;
    // spec: the state is the field behind the name, which ends with the last parenthesis.
    let state = stat.rsplit_once(") ")?.1.chars().next()?;
    let mut words = match of("syscall").ok().as_deref().map(str::trim) {
        Some("running") | None => "no system call".to_owned(),
        Some(text) => call_in_words(text, &|descriptor| {
            let path = fs::read_link(format!("/proc/self/fd/{descriptor}")).ok()?;
            Some(path.display().to_string())
        })?,
    };
    // Writing to a String cannot fail.
    let _ = write!(words, ", thread {thread} in state {state}");
    if let Some(place) = of("wchan").ok().filter(|place| place.len() > 1) {
        let _ = write!(words, ", {}", place.trim());
    }
    Some(words)
}

/// Calls that mostly hang, by their numbers on x86-64 and on all newer processors.
/// kernel: `arch/x86/entry/syscalls/syscall_64.tbl`, `include/uapi/asm-generic/unistd.h`.
const CALLS: [(i64, i64, &str); 7] = [
    (0, 63, "read"),
    (1, 64, "write"),
    (3, 57, "close"),
    (7, 73, "poll"),
    (257, 56, "open"),
    (271, 73, "poll"),
    (16, 29, IOCTL),
];

const IOCTL: &str = "ioctl";

/// Names of V4L2's calls, by their number. spec: `videodev2.h`.
const VIDIOC: [(u64, &str); 14] = [
    (0, "VIDIOC_QUERYCAP"),
    (2, "VIDIOC_ENUM_FMT"),
    (5, "VIDIOC_S_FMT"),
    (8, "VIDIOC_REQBUFS"),
    (9, "VIDIOC_QUERYBUF"),
    (15, "VIDIOC_QBUF"),
    (16, "VIDIOC_EXPBUF"),
    (17, "VIDIOC_DQBUF"),
    (18, "VIDIOC_STREAMON"),
    (19, "VIDIOC_STREAMOFF"),
    (22, "VIDIOC_S_PARM"),
    (28, "VIDIOC_S_CTRL"),
    (72, "VIDIOC_S_EXT_CTRLS"),
    (89, "VIDIOC_DQEVENT"),
];

/// A line of `/proc/PID/syscall`: number, six arguments, stack and program counter.
fn call_in_words(line: &str, path_of: &dyn Fn(u64) -> Option<String>) -> Option<String> {
    let mut fields = line.split_ascii_whitespace();
    let number: i64 = fields.next()?.parse().ok()?;
    let of_this = |(x86, newer, _): &&(i64, i64, &str)| {
        number
            == if cfg!(target_arch = "x86_64") {
                *x86
            } else {
                *newer
            }
    };
    let name = CALLS.iter().find(of_this).map(|(_, _, name)| *name);
    let mut argument = || {
        let field = fields.next()?;
        u64::from_str_radix(field.trim_start_matches("0x"), 16).ok()
    };
    if name != Some(IOCTL) {
        return Some(name.map_or_else(|| format!("system call {number}"), str::to_owned));
    }
    let (descriptor, request) = (argument()?, argument()?);
    // spec: number in the lowest byte, letter of the driver in the next.
    let (number, letter) = (request & 0xff, request >> 8 & 0xff);
    let known = VIDIOC.iter().find(|(known, _)| *known == number);
    let name = match known {
        Some((_, name)) if letter == u64::from(b'V') => (*name).to_owned(),
        Some(_) | None => format!("{request:#x}"),
    };
    let on = path_of(descriptor).unwrap_or_else(|| format!("descriptor {descriptor}"));
    Some(format!("ioctl {name} on {on}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    /// A thread in a step that ends when the sender is dropped.
    fn hanging(row: &Arc<Row>) -> (mpsc::Sender<()>, thread::JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel::<()>();
        let (ready, is_ready) = mpsc::channel();
        let row = Arc::clone(row);
        let thread = thread::spawn(move || {
            row.during("open it", || {
                ready.send(()).unwrap();
                receiver.recv().unwrap_err();
            });
        });
        is_ready.recv().unwrap();
        (sender, thread)
    }

    fn looks(watch: &mut Watch, calls: &Calls, count: u32) -> Option<Hung> {
        (0..count).fold(None, |_, _| watch.look(calls))
    }

    #[test]
    fn a_call_that_never_returns_is_named_and_one_that_returns_is_not() {
        let calls = Calls::default();
        let (busy, stuck) = (
            calls.row("encoder", Needed::ToDrive),
            calls.row("camera", Needed::ToDrive),
        );
        let mut watch = Watch::default();
        let (sender, thread) = hanging(&stuck);
        for _ in 0..LOOKS - 1 {
            busy.during("encode", || assert_eq!(watch.look(&calls), None));
        }
        let hung = watch.look(&calls).expect("it has been seen often enough");
        assert!(hung.what.starts_with("camera: open it ("), "{hung:?}");
        assert!(hung.what.contains(", thread "), "{hung:?}");
        drop(sender);
        thread.join().unwrap();
        assert_eq!(looks(&mut watch, &calls, 2 * LOOKS), None, "it returned");
        assert!(calls.under_way().is_empty());
    }

    #[test]
    fn what_stops_the_car_goes_before_what_does_not() {
        let calls = Calls::default();
        let rows = [
            calls.row("battery", Needed::ToInform),
            calls.row("camera", Needed::ToDrive),
        ];
        let held = rows.each_ref().map(hanging);
        let mut watch = Watch::default();
        let hung = looks(&mut watch, &calls, LOOKS).expect("both hang");
        assert_eq!(hung.needed, Needed::ToDrive);
        for (sender, thread) in held {
            drop(sender);
            thread.join().unwrap();
        }
    }

    #[test]
    fn a_panic_ends_its_step_and_an_inner_step_counts() {
        let calls = Calls::default();
        let row = calls.row("camera", Needed::ToDrive);
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            row.during("take a picture", || panic!("on purpose"))
        }));
        assert!(ran.is_err() && calls.under_way().is_empty());
        row.during("close it", || {
            row.during("open it", || {
                assert!(calls.under_way()[0].starts_with("camera: open it"));
            });
            assert!(calls.under_way()[0].starts_with("camera: close it"));
        });
    }

    #[test]
    fn the_ioctl_and_its_device_are_named() {
        let path = |descriptor| (descriptor == 13).then(|| "/dev/video0".to_owned());
        let number = |name| {
            let of = CALLS.iter().find(|(_, _, known)| *known == name).unwrap();
            if cfg!(target_arch = "x86_64") {
                of.0
            } else {
                of.1
            }
        };
        let ioctl = number("ioctl");
        let line = |request: &str| format!("{ioctl} 0xd {request} 0x7ffc 0x0 0x0 0x0 0x7ffd 0x7f");
        let words = |line: &str| call_in_words(line, &path);
        assert_eq!(
            words(&line("0x40045613")).unwrap(),
            "ioctl VIDIOC_STREAMOFF on /dev/video0"
        );
        assert_eq!(
            words(&line("0x707")).unwrap(),
            "ioctl 0x707 on /dev/video0",
            "I2C_RDWR is no call of V4L2"
        );
        let other = line("0xc0585611").replace("0xd", "0xe");
        assert_eq!(
            words(&other).unwrap(),
            "ioctl VIDIOC_DQBUF on descriptor 14"
        );
        assert_eq!(words(&format!("{} 0x0", number("open"))).unwrap(), "open");
        assert_eq!(words("999 0x0").unwrap(), "system call 999");
        assert_eq!(words("-1 0x7ffd 0x7f").unwrap(), "system call -1");
        for rubbish in ["", "rubbish", "x 0x1"] {
            assert_eq!(words(rubbish), None, "{rubbish:?}");
        }
    }
}
