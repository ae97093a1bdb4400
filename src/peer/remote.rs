//! What the other side says of itself: descriptions and candidates, so many and so large.
//!
//! Each candidate is a path that this computer checks, with packets to an address of the other side's choice: 3,500 of them
//! in an offer of a few hundred kilobytes keep the stack busy for seconds, and make it a source of packets for others. So a
//! peer takes the first ones and leaves the rest.
//!
//! ```text
//!   description ─▶ not too long, not too many sections ─▶ its first candidates ─┐
//!   candidates, trickled ────────────────────────────────────────────────────────┴─▶ 16 in all until the next description
//! ```
//!
//! Promises: what is left out is left out without a word to the other side, as a path that leads nowhere.
//! Knows nothing of: signalling. Sources: RFC 8839 5.1 (candidate lines), RFC 8445 7.1 (checks).

use std::sync::atomic::{AtomicUsize, Ordering};

use webrtc::error::{Error, Result};
use webrtc::peer_connection::{RTCIceCandidateInit, RTCSessionDescription};

use super::sdp::in_modern_dialect;
use super::{Peer, Reach};

/// Candidates that are used. choice: browsers send about ten, a computer with many networks more, the best of them first.
pub const MAX_CANDIDATES: usize = 16;

/// The longest description, in bytes. choice: four times that of a browser with all it can.
pub const MAX_DESCRIPTION: usize = 32 * 1024;

/// Sections of a description. choice: a car has two, a browser with sound three.
const MAX_SECTIONS: usize = 8;

/// Descriptions in a peer's life. choice: one, and some for a way through the network that changed.
const MAX_DESCRIPTIONS: usize = 16;

/// How much the other side of a peer has said.
#[derive(Debug, Default)]
pub(super) struct Remote {
    reach: Reach,
    descriptions: AtomicUsize,
    candidates: AtomicUsize,
}

impl Remote {
    /// Nothing yet, from somebody who is there.
    pub(super) fn new(reach: Reach) -> Self {
        Self {
            reach,
            ..Self::default()
        }
    }

    /// Counts one more, if there is room.
    fn takes(count: &AtomicUsize, limit: usize) -> bool {
        let more = |now: usize| (now < limit).then_some(now + 1);
        count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }

    /// The description as the stack gets it: in today's dialect, with its first candidates.
    fn admitted(&self, sdp: &str) -> Result<String> {
        let sections = sdp.lines().filter(|line| line.starts_with("m=")).count();
        if sdp.len() > MAX_DESCRIPTION || sections > MAX_SECTIONS {
            return Err(Error::Other(format!(
                "a description of {} bytes with {sections} sections; at most {MAX_DESCRIPTION} and {MAX_SECTIONS} are taken",
                sdp.len()
            )));
        }
        if !Self::takes(&self.descriptions, MAX_DESCRIPTIONS) {
            return Err(Error::Other(format!(
                "more than {MAX_DESCRIPTIONS} descriptions"
            )));
        }
        let (sdp, candidates) = with_few_candidates(&in_modern_dialect(sdp), self.reach);
        self.candidates.store(candidates, Ordering::Relaxed);
        Ok(sdp)
    }
}

impl Peer {
    /// Takes an offer of the other side.
    ///
    /// # Errors
    /// It is too large, one too many, or the stack does not take it.
    pub async fn take_offer(&self, sdp: &str) -> Result<()> {
        let sdp = self.remote.admitted(sdp)?;
        let offer = RTCSessionDescription::offer(sdp)?;
        self.pc.set_remote_description(offer).await
    }

    /// Takes an answer of the other side.
    ///
    /// # Errors
    /// As of [`Self::take_offer`].
    pub async fn take_answer(&self, sdp: &str) -> Result<()> {
        let sdp = self.remote.admitted(sdp)?;
        let answer = RTCSessionDescription::answer(sdp)?;
        self.pc.set_remote_description(answer).await
    }

    /// Takes a candidate of the other side, or leaves it, if there were enough.
    ///
    /// # Errors
    /// The stack does not take it.
    pub async fn take_candidate(&self, candidate: RTCIceCandidateInit) -> Result<()> {
        let line = candidate.candidate.trim_start_matches("candidate:");
        if self.remote.reach.allows(line) && Remote::takes(&self.remote.candidates, MAX_CANDIDATES)
        {
            self.pc.add_ice_candidate(candidate).await
        } else {
            Ok(())
        }
    }
}

/// The same description with the first candidates that may be tried and no others, and how many those are: sections in a bundle repeat them.
fn with_few_candidates(sdp: &str, reach: Reach) -> (String, usize) {
    let mut kept: Vec<&str> = Vec::with_capacity(MAX_CANDIDATES);
    let mut out = String::with_capacity(sdp.len());
    for line in sdp.lines() {
        if let Some(candidate) = line.strip_prefix("a=candidate:")
            && !kept.contains(&candidate)
        {
            if kept.len() == MAX_CANDIDATES || !reach.allows(candidate) {
                continue;
            }
            kept.push(candidate);
        }
        out.push_str(line);
        out.push_str("\r\n");
    }
    (out, kept.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(count: usize) -> String {
        (0..count).fold(String::new(), |all, n| {
            all + &format!(
                "a=candidate:{n} 1 udp 1 192.0.2.1 {} typ host\r\n",
                1000 + n
            )
        })
    }

    #[test]
    fn the_first_candidates_are_kept_in_each_section_that_repeats_them() {
        let section = |count| {
            format!(
                "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n{}",
                candidates(count)
            )
        };
        let few = section(MAX_CANDIDATES).repeat(2);
        assert_eq!(
            with_few_candidates(&few, Reach::Outside),
            (few.clone(), MAX_CANDIDATES),
            "nothing is changed"
        );
        assert_eq!(
            with_few_candidates(&section(3500).repeat(2), Reach::Outside),
            (few.clone(), MAX_CANDIDATES)
        );
        let none = ("v=0\r\n".to_owned(), 0);
        assert_eq!(with_few_candidates("v=0\r\n", Reach::Outside), none);
        let inside = few.replace("192.0.2.1", "10.0.0.1");
        let (left, count) = with_few_candidates(&inside, Reach::Outside);
        assert_eq!((left.contains("candidate"), count), (false, 0));
        assert_eq!(
            with_few_candidates(&inside, Reach::Inside),
            (inside, MAX_CANDIDATES)
        );
    }

    #[test]
    fn a_description_has_so_many_bytes_and_sections_and_a_peer_so_many_of_them() {
        let remote = Remote::default();
        let line = "a=x\r\n";
        assert!(
            remote
                .admitted(&line.repeat(MAX_DESCRIPTION / line.len()))
                .is_ok()
        );
        assert!(
            remote
                .admitted(&line.repeat(MAX_DESCRIPTION / line.len() + 1))
                .is_err()
        );
        assert!(remote.admitted(&"m=video\r\n".repeat(MAX_SECTIONS)).is_ok());
        assert!(
            remote
                .admitted(&"m=video\r\n".repeat(MAX_SECTIONS + 1))
                .is_err()
        );
        for _ in 2..MAX_DESCRIPTIONS {
            assert!(remote.admitted("m=video\r\n").is_ok());
        }
        assert!(
            remote.admitted("m=video\r\n").is_err(),
            "what was refused did not count"
        );
    }

    #[test]
    fn candidates_that_come_by_themselves_count_with_those_of_the_description() {
        let remote = Remote::default();
        remote.admitted(&candidates(MAX_CANDIDATES - 2)).unwrap();
        let taken = (0..100)
            .filter(|_| Remote::takes(&remote.candidates, MAX_CANDIDATES))
            .count();
        assert_eq!(taken, 2);
        remote.admitted(&candidates(1)).unwrap();
        let taken = (0..100)
            .filter(|_| Remote::takes(&remote.candidates, MAX_CANDIDATES))
            .count();
        assert_eq!(
            taken,
            MAX_CANDIDATES - 1,
            "a new description is a new beginning"
        );
    }
}
