//! Limits a publisher whose path to the relay is far too thin for what it sends.
//!
//! Repair cannot help where the path has no room: of a stream of 2.5 Mb/s a path of 1 Mb/s loses three packets of five,
//! and no picture is ever whole. What does arrive says how much the path carries, so the publisher is told to send less
//! than that (REMB). This is an emergency brake, not rate control: it knows loss alone and acts on heavy loss only.
//!
//! ```text
//!   lost in two looks running   over 20 % ──▶ limit: seven eighths of what arrives
//!   with a limit                 5 to 20 % ──▶ limit falls by a twentieth        under 2 % ──▶ limit rises by a fiftieth
//! ```
//!
//! *Invariants:* no clock; a path without heavy loss never gets a limit.
//! *Source:* draft-alvestrand-rmcat-remb-03.

use std::time::Duration;

use crate::peer::Arrivals;

/// Time between two looks. choice: 15 frames, so that one lost key frame is not taken for a thin path.
pub(super) const PERIOD: Duration = Duration::from_millis(500);
/// Looks in a second.
const PER_SECOND: u64 = 2;
/// Loss in percent from which the path is too thin. choice: radio loss that repair can mend stays below.
const HEAVY: u32 = 20;
/// Loss in percent from which a limit falls. choice: as GCC's loss controller, at half its loss.
const SOME: u32 = 5;
/// Loss in percent below which a limit rises. choice: as there.
const LITTLE: u32 = 2;
/// Fewer packets say nothing. choice: a third of a second of the smallest frames.
const LEAST_PACKETS: u32 = 10;
/// Lowest limit, in kbit/s. choice: a picture of 320 by 240 at 10 frames a second is readable with it.
const FLOOR_KBPS: u32 = 150;
/// A limit above this is none, in kbit/s. choice: twice the highest bitrate that a car can be configured to.
const NO_LIMIT_KBPS: u32 = 20_000;

/// The limit of one publisher.
#[derive(Debug, Default)]
pub(super) struct Ceiling {
    kbps: Option<u32>,
    was_heavy: bool,
}

impl Ceiling {
    /// Takes what arrived in one [`PERIOD`]; returns the limit to tell, if there is one.
    pub(super) fn look(&mut self, arrivals: Arrivals) -> Option<u32> {
        let Arrivals {
            packets,
            bytes,
            lost,
        } = arrivals;
        let sent = packets.saturating_add(lost);
        if sent < LEAST_PACKETS {
            return self.kbps;
        }
        let percent = u64::from(lost) * 100 / u64::from(sent);
        let is_heavy = percent >= u64::from(HEAVY);
        if is_heavy && self.was_heavy {
            let arrived = u32::try_from(bytes * 8 * PER_SECOND / 1000).unwrap_or(u32::MAX);
            let limit = (arrived / 8).saturating_mul(7).max(FLOOR_KBPS);
            self.kbps = Some(self.kbps.map_or(limit, |kbps| kbps.min(limit)));
        } else if let Some(kbps) = self.kbps {
            let next = if percent >= u64::from(SOME) {
                (kbps - kbps / 20).max(FLOOR_KBPS)
            } else if percent < u64::from(LITTLE) {
                kbps + kbps / 50
            } else {
                kbps
            };
            self.kbps = (next < NO_LIMIT_KBPS).then_some(next);
        }
        self.was_heavy = is_heavy;
        self.kbps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half a second of a stream of so many kbit/s through a path that carries so many.
    fn half_second(sent_kbps: u32, path_kbps: u32) -> Arrivals {
        let packets = |kbps: u32| kbps * 1000 / 8 / 2 / 1200;
        let arrived = packets(sent_kbps.min(path_kbps));
        Arrivals {
            packets: arrived,
            bytes: u64::from(arrived) * 1200,
            lost: packets(sent_kbps).saturating_sub(arrived),
        }
    }

    #[test]
    fn a_path_too_thin_gets_a_limit_below_what_it_carries_and_stays_near_it() {
        let mut ceiling = Ceiling::default();
        assert_eq!(
            ceiling.look(half_second(2_500, 1_000)),
            None,
            "one look is no proof"
        );
        let first = ceiling.look(half_second(2_500, 1_000)).expect("a limit");
        assert!((800..950).contains(&first), "{first}");
        let mut limits = Vec::new();
        for _ in 0..240 {
            let limit = ceiling.kbps.unwrap_or(2_500).min(2_500);
            limits.extend(ceiling.look(half_second(limit, 1_000)));
        }
        let (least, most) = (limits.iter().min(), limits.iter().max());
        assert!(least >= Some(&800) && most <= Some(&1_200), "{limits:?}");
    }

    #[test]
    fn loss_that_repair_can_mend_never_limits() {
        let mut ceiling = Ceiling::default();
        for lost in [0, 5, 10, 19, 25, 10] {
            let arrivals = Arrivals {
                packets: 100 - lost,
                bytes: 100_000,
                lost,
            };
            assert_eq!(ceiling.look(arrivals), None, "{lost} percent");
        }
    }

    #[test]
    fn a_limit_goes_when_the_path_is_wide_again() {
        let mut ceiling = Ceiling::default();
        for _ in 0..4 {
            ceiling.look(half_second(2_500, 300));
        }
        assert!(ceiling.kbps.is_some_and(|kbps| kbps < 400));
        let looks = (0..1_000)
            .take_while(|_| ceiling.look(half_second(2_500, 9_000)).is_some())
            .count();
        assert!(looks < 300, "{looks}");
        assert_eq!(ceiling.look(Arrivals::default()), None);
    }
}
