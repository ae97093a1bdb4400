//! A look at an H.264 access unit: what is in it, and whether it is what was asked for.
//!
//! An encoder in a driver is told what to do and may do otherwise. So each unit is looked at before it is sent: a B slice
//! would make a viewer wait, an IDR without its parameter sets could not be decoded, and a driver's key-frame flag is a
//! claim. A look costs a pass over the bytes, which is some microseconds.
//!
//! ```text
//!   00 00 00 01 67 SPS | 00 00 00 01 68 PPS | 00 00 00 01 65 IDR slice | … 65 slice
//!   └────────────── headers ───────────────┘
//! ```
//!
//! Promises: never reads past the unit; allocates nothing.
//! Knows nothing of: who coded it.
//! Sources: ITU-T H.264 7.3.1 (NAL units), 7.3.2.1.1 (SPS), 7.3.3 (slice header), Annex B (start codes).

/// What was seen in an access unit.
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are what was seen, in any combination"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// It has a slice of an IDR picture.
    pub(crate) is_idr: bool,
    /// It has a slice of any kind.
    pub(crate) has_slice: bool,
    /// A slice refers to pictures that come later.
    pub(crate) has_b_slice: bool,
    /// Profile of its SPS, if it has one: 66 is baseline, 77 main, 100 high.
    pub(crate) profile: Option<u8>,
    /// It has a PPS.
    pub(crate) has_pps: bool,
    /// Bytes in front of the first slice.
    pub(crate) headers: usize,
}

impl Look {
    /// Whether parameter sets stand in front.
    pub(crate) const fn has_parameter_sets(&self) -> bool {
        self.profile.is_some() && self.has_pps
    }
}

/// spec: H.264 Table 7-1.
const SLICE: u8 = 1;
const IDR_SLICE: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
/// spec: H.264 Table 7-6, modulo 5.
const B_SLICE: u32 = 1;

/// Looks at all NAL units.
pub(crate) fn look(unit: &[u8]) -> Look {
    let mut seen = Look::default();
    let mut next = start_code(unit, 0);
    while let Some(at) = next {
        let nal = unit.get(at + 3..).unwrap_or_default();
        let payload = nal.get(1..).unwrap_or_default();
        match nal.first().map(|first| first & 31) {
            Some(kind @ (SLICE | IDR_SLICE)) => {
                if !seen.has_slice {
                    // A start code of four bytes has one more zero in front.
                    let zero = at.checked_sub(1).and_then(|before| unit.get(before)) == Some(&0);
                    seen.headers = at - usize::from(zero);
                }
                seen.has_slice = true;
                seen.is_idr |= kind == IDR_SLICE;
                seen.has_b_slice |= slice_type(payload) == Some(B_SLICE);
            }
            Some(SPS) => seen.profile = seen.profile.or_else(|| payload.first().copied()),
            Some(PPS) => seen.has_pps = true,
            Some(_) | None => {}
        }
        next = start_code(unit, at + 3);
    }
    seen
}

/// Where the next `00 00 01` is.
fn start_code(unit: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match unit.get(at..at + 3)? {
            [0, 0, 1] => return Some(at),
            // No start code can begin before a byte that is in none of them.
            [_, _, last] if *last > 1 => at += 3,
            [_, middle, _] if *middle > 0 => at += 2,
            _ => at += 1,
        }
    }
}

/// `slice_type` modulo 5: 0 is P, 1 is B, 2 is I.
fn slice_type(payload: &[u8]) -> Option<u32> {
    // Two numbers below 2^13, so at most 54 bits, in which no byte is inserted against false start codes: that takes
    // sixteen zeros in a row.
    let mut bits = 0_u64;
    for index in 0..8 {
        bits = bits << 8 | u64::from(payload.get(index).copied().unwrap_or(0xFF));
    }
    let _first_macroblock = unsigned(&mut bits)?;
    Some(unsigned(&mut bits)? % 5)
}

/// `ue(v)` from the top of a word.
fn unsigned(bits: &mut u64) -> Option<u32> {
    let zeros = bits.leading_zeros();
    if zeros > 15 {
        return None;
    }
    let length = 2 * zeros + 1;
    let value = *bits >> (64 - length);
    *bits <<= length;
    u32::try_from(value - 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: [u8; 16] = [
        0, 0, 0, 1, 0x67, 66, 0xC0, 31, 0, 0, 0, 1, 0x68, 0xCE, 0x38, 0x80,
    ];

    fn unit(slices: &[[u8; 2]]) -> Vec<u8> {
        let mut unit = HEADERS.to_vec();
        for slice in slices {
            unit.extend([0, 0, 1]);
            unit.extend(slice);
            unit.extend([0x80, 0, 0, 3, 1]);
        }
        unit
    }

    #[test]
    fn an_idr_is_seen_with_its_headers() {
        // first_mb_in_slice 0 is `1`, slice_type 7 (all I) is `0001000`.
        let seen = look(&unit(&[[0x65, 0b1000_1000], [0x65, 0b1000_1000]]));
        assert!(seen.is_idr && seen.has_slice && !seen.has_b_slice);
        assert_eq!(seen.profile, Some(66));
        assert!(seen.has_parameter_sets());
        assert_eq!(seen.headers, HEADERS.len());
    }

    #[test]
    fn slice_types_are_told_apart() {
        // P is `1`, B is `010`, I is `011`; 5, 6 and 7 are `00110`, `00111` and `0001000`.
        for (bits, is_b) in [
            (0b1100_0000, false),
            (0b1010_0000, true),
            (0b1011_0000, false),
            (0b1001_1000, false),
            (0b1001_1100, true),
        ] {
            let seen = look(&[0, 0, 0, 1, 0x41, bits, 0x55]);
            assert_eq!(seen.has_b_slice, is_b, "{bits:b}");
            assert!(!seen.is_idr && seen.has_slice && !seen.has_parameter_sets());
            assert_eq!(seen.headers, 0);
        }
    }

    #[test]
    fn a_b_slice_behind_others_is_found() {
        assert!(look(&unit(&[[0x65, 0x88], [0x41, 0xC0], [0x01, 0b1010_0000]])).has_b_slice);
    }

    #[test]
    fn nothing_and_rubbish_are_nothing() {
        for rubbish in [
            &[][..],
            &[0],
            &[0, 0, 1],
            &[0, 0, 0, 1],
            &[1, 2, 3, 4, 5],
            &[0; 100],
        ] {
            assert!(!look(rubbish).has_slice, "{rubbish:?}");
        }
        assert!(look(&[0, 0, 1, 0x65]).is_idr, "a slice that breaks off");
    }

    #[test]
    fn start_codes_are_found_wherever_they_stand() {
        for lead in 0..12 {
            let mut bytes = vec![0xAB; lead];
            bytes.extend([0, 0, 1, 0x65, 0x88]);
            assert!(look(&bytes).is_idr, "{lead}");
            let mut bytes = vec![0; lead];
            bytes.extend([0, 0, 1, 0x65, 0x88]);
            assert!(look(&bytes).is_idr, "{lead} zeros");
            let mut bytes = vec![1; lead];
            bytes.extend([0, 0, 1, 0x65, 0x88]);
            assert!(look(&bytes).is_idr, "{lead} ones");
        }
    }
}
