//! Which of the two processes the kernel kills when memory runs out: the one that parses the network.
//!
//! ```text
//!   unit: OOMScoreAdjust=-900 ─▶ car: -800     survivor: -900 again
//!   by hand: 0                ─▶ car:  100     survivor:    0
//! ```
//!
//! Invariants: both of a unit's stay below what has no such figure at all; a refusal changes nothing, for the larger
//! process goes first anyway.
//! Source: `proc_pid_oom_score_adj(5)`: anybody may raise his own, and lower it again to where somebody with the right to had
//! put it.

use std::fs;

const PLACE: &str = "/proc/self/oom_score_adj";

/// The kernel's upper end.
const MOST: i32 = 1000;

/// How far the two are apart. choice: a tenth of all memory, so ten times what a car was ever seen to use.
const APART: i32 = 100;

/// Makes this process the first of the two. Call it before the survivor is started, which inherits it.
pub(super) fn first() {
    change(APART);
}

/// Makes this process the last of the two.
pub(super) fn last() {
    change(-APART);
}

fn change(by: i32) {
    let changed = fs::read_to_string(PLACE)
        .ok()
        .and_then(|now| changed(&now, by));
    if let Some(text) = changed {
        let _ = fs::write(PLACE, text); // see the header
    }
}

fn changed(now: &str, by: i32) -> Option<String> {
    let now: i32 = now.trim().parse().ok()?;
    Some((now + by).clamp(-MOST, MOST).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_stays_within_the_kernels_bounds() {
        for (now, by, wanted) in [
            ("0\n", APART, Some("100")),
            ("-900\n", APART, Some("-800")),
            ("-800\n", -APART, Some("-900")),
            ("950", APART, Some("1000")),
            ("-1000", -APART, Some("-1000")),
            ("", APART, None),
        ] {
            assert_eq!(changed(now, by).as_deref(), wanted, "{now:?}");
        }
    }
}
