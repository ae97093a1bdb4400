//! The few facts we read from, or repair in, a session description.
//!
//! Old publishers put a different ICE user name and password on each media section and then replaced
//! text over the whole document. Here only the `a=ice-ufrag:` and `a=ice-pwd:` lines are touched, so
//! a four-letter user name cannot corrupt a candidate. Parsing proper is the stack's business.
//!
//! Data sections have two dialects, `DTLS/SCTP 5000` with `a=sctpmap` (stacks of 2021) and today's; the stack knows
//! today's, so a description is translated where it comes in, and an answer to an old offer where it goes out.
//!
//! Promises: works on any text, keeps line ends. Knows nothing of: peers, sockets.
//! Sources: RFC 8839 5.4 (ufrag, pwd), RFC 8843 7.1.3 (one transport in a bundle), RFC 8841 and its
//! draft 05 (the two dialects).

use super::Codec;

/// Why a description cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdpError {
    /// Media sections carry different ICE credentials; bundle them or send one pair.
    ConflictingCredentials,
    /// There is no media section at all.
    Empty,
}

impl core::fmt::Display for SdpError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::ConflictingCredentials => {
                "the offer has several ice-ufrag / ice-pwd values; use one pair for all sections"
            }
            Self::Empty => "the description has no media section",
        })
    }
}

impl std::error::Error for SdpError {}

/// Checks that every section has the same ICE credentials, as Spider demands of an offer.
///
/// # Errors
/// [`SdpError::ConflictingCredentials`] or [`SdpError::Empty`].
pub fn has_one_ufrag(sdp: &str) -> Result<(), SdpError> {
    if !sdp.lines().any(|line| line.starts_with("m=")) {
        return Err(SdpError::Empty);
    }
    for key in ["a=ice-ufrag:", "a=ice-pwd:"] {
        let mut values = sdp.lines().filter_map(|line| line.strip_prefix(key));
        if let Some(first) = values.next()
            && values.any(|other| other != first)
        {
            return Err(SdpError::ConflictingCredentials);
        }
    }
    Ok(())
}

/// The same description with the first ICE credentials on every section.
#[must_use]
pub fn unify_credentials(sdp: &str) -> String {
    let first = |key: &str| {
        sdp.lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap_or_default()
    };
    let (ufrag, pwd) = (first("a=ice-ufrag:"), first("a=ice-pwd:"));
    let mut out = String::with_capacity(sdp.len());
    for line in sdp.lines() {
        match line {
            _ if line.starts_with("a=ice-ufrag:") => out.extend(["a=ice-ufrag:", ufrag]),
            _ if line.starts_with("a=ice-pwd:") => out.extend(["a=ice-pwd:", pwd]),
            _ => out.push_str(line),
        }
        out.push_str("\r\n");
    }
    out
}

/// The video codecs that a description names, in its order, each once.
#[must_use]
pub fn offered_codecs(sdp: &str) -> Vec<Codec> {
    let mut codecs = Vec::new();
    for line in sdp.lines() {
        let name = line
            .strip_prefix("a=rtpmap:")
            .and_then(|rest| rest.split_once(' '))
            .and_then(|(_, codec)| codec.split('/').next());
        if let Some(codec) = name.and_then(Codec::from_name)
            && !codecs.contains(&codec)
        {
            codecs.push(codec);
        }
    }
    codecs
}

/// Whether the data section is written as stacks of 2021 did.
#[must_use]
pub fn is_in_legacy_dialect(sdp: &str) -> bool {
    sdp.lines().any(|line| line.starts_with("a=sctpmap:"))
}

/// The description with its data section in today's dialect, which is the only one that the stack reads.
///
/// It takes the `5000` of `m=application 9 DTLS/SCTP 5000` for a payload type.
#[must_use]
pub fn in_modern_dialect(sdp: &str) -> String {
    let mut out = String::with_capacity(sdp.len() + 32);
    for line in sdp.lines() {
        if let Some(port) = line
            .strip_prefix("m=application ")
            .and_then(|rest| rest.split_once(' '))
            .and_then(|(port, rest)| rest.starts_with("DTLS/SCTP ").then_some(port))
        {
            out.extend(["m=application ", port, " UDP/DTLS/SCTP webrtc-datachannel"]);
        } else if let Some(map) = line.strip_prefix("a=sctpmap:") {
            let port = map.split(' ').next().unwrap_or_default();
            out.extend(["a=sctp-port:", port]);
        } else {
            out.push_str(line);
        }
        out.push_str("\r\n");
    }
    out
}

/// The answer with its data section in the legacy dialect, for an offer that spoke it.
///
/// Stacks of 2021 offer `DTLS/SCTP 5000` with `a=sctpmap` and read only that.
#[must_use]
pub fn answer_in_kind(offer: &str, answer: &str) -> String {
    if !is_in_legacy_dialect(offer) {
        return answer.to_owned();
    }
    let mut out = String::with_capacity(answer.len());
    for line in answer.lines() {
        if let Some(rest) = line.strip_prefix("m=application ")
            && let Some(port) = rest.split(' ').next()
        {
            out.extend(["m=application ", port, " DTLS/SCTP 5000"]);
        } else if line.starts_with("a=sctp-port:") {
            out.push_str("a=sctpmap:5000 webrtc-datachannel 65535");
        } else {
            out.push_str(line);
        }
        out.push_str("\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 97 101\r\na=ice-ufrag:abcd\r\na=ice-pwd:first\r\n\
        a=rtpmap:97 VP8/90000\r\na=rtpmap:98 rtx/90000\r\na=rtpmap:101 H264/90000\r\n\
        a=candidate:1 1 udp 1 192.0.2.1 5 typ host ufrag wxyz\r\n\
        m=application 9 DTLS/SCTP 5000\r\na=ice-ufrag:wxyz\r\na=ice-pwd:second\r\n";

    #[test]
    fn different_credentials_are_refused() {
        assert_eq!(has_one_ufrag(TWO), Err(SdpError::ConflictingCredentials));
    }

    #[test]
    fn unified_credentials_pass_and_other_lines_stay() {
        let unified = unify_credentials(TWO);
        assert_eq!(has_one_ufrag(&unified), Ok(()));
        assert_eq!(unified.matches("abcd").count(), 2, "{unified}");
        assert!(
            unified.contains("typ host ufrag wxyz"),
            "candidate text was touched: {unified}"
        );
    }

    #[test]
    fn codecs_come_in_the_order_of_the_offer() {
        assert_eq!(offered_codecs(TWO), [Codec::Vp8, Codec::H264]);
    }

    #[test]
    fn a_legacy_offer_gets_a_legacy_answer_and_a_modern_one_does_not() {
        let answer =
            "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=sctp-port:5000\r\n";
        assert_eq!(
            answer_in_kind("a=sctpmap:5000 webrtc-datachannel 1024\r\n", answer),
            "v=0\r\nm=application 9 DTLS/SCTP 5000\r\na=sctpmap:5000 webrtc-datachannel 65535\r\n"
        );
        assert_eq!(answer_in_kind("a=sctp-port:5000\r\n", answer), answer);
    }

    #[test]
    fn a_legacy_data_section_is_translated_and_nothing_else() {
        let other = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 97\r\na=rtpmap:97 VP8/90000\r\n";
        let old = "m=application 35237 DTLS/SCTP 5000\r\na=mid:1\r\na=sctpmap:5000 webrtc-datachannel 65535\r\n";
        let new = "m=application 35237 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\na=sctp-port:5000\r\n";
        assert_eq!(
            in_modern_dialect(&format!("{other}{old}")),
            format!("{other}{new}")
        );
        assert_eq!(in_modern_dialect(new), new);
    }

    #[test]
    fn text_without_media_is_empty() {
        assert_eq!(has_one_ufrag("hello"), Err(SdpError::Empty));
    }
}
