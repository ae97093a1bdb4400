//! Coded pictures of the fake encoder: real NAL units, whose slices say in plain letters what was read of the frame.
//!
//! ```text
//!   00 00 00 01 67 profile constraints level … | 00 00 00 01 68 … | 00 00 01 65 head, then "Y=10 EB U=80 V=80"
//! ```
//!
//! Promises: a slice has no false start codes; writing one costs no allocation.
//! Knows nothing of: where the samples come from. Sources: ITU-T H.264 7.3.

/// Samples that a slice tells of: the first and last of each plane.
pub type Samples = [u8; 6];

/// What a coded picture is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// An IDR picture.
    pub is_idr: bool,
    /// A B slice, which must not be.
    pub is_b: bool,
    /// Parameter sets in front.
    pub has_headers: bool,
    /// `profile_idc` of the SPS.
    pub profile: u8,
    /// `level_idc` of the SPS.
    pub level: u8,
}

/// Bytes of the longest unit.
pub const LONGEST: usize = 64;

/// Writes a unit and says how long it is.
#[must_use]
pub fn write(kind: Kind, samples: Samples) -> ([u8; LONGEST], usize) {
    let mut unit = [0; LONGEST];
    let mut length = 0;
    let mut put = |bytes: &[u8]| {
        if let Some(room) = unit.get_mut(length..length + bytes.len()) {
            room.copy_from_slice(bytes);
            length += bytes.len();
        }
    };
    if kind.has_headers {
        put(&[0, 0, 0, 1, 0x67, kind.profile, 0xC0, kind.level, 0x8C, 0x8D]);
        put(&[0, 0, 0, 1, 0x68, 0xCE, 0x3C, 0x80]);
    }
    // first_mb_in_slice 0 is `1`; slice_type 7 (I) is `0001000`, 5 (P) is `00110`, 6 (B) is `00111`.
    let (nal, head) = match (kind.is_idr, kind.is_b) {
        (true, _) => (0x65, 0b1000_1000),
        (false, false) => (0x41, 0b1001_1010),
        (false, true) => (0x01, 0b1001_1110),
    };
    put(&[0, 0, 0, 1, nal, head]);
    for sample in samples {
        put(&[letter(sample >> 4), letter(sample & 15)]);
    }
    (unit, length)
}

/// The samples that the last slice of a unit tells of.
#[must_use]
pub fn samples(unit: &[u8]) -> Option<Samples> {
    let letters = unit.get(unit.len().checked_sub(12)?..)?;
    let mut samples = [0; 6];
    for (sample, pair) in samples.iter_mut().zip(letters.chunks(2)) {
        let [high, low] = pair else { return None };
        *sample = high.checked_sub(b'A')? << 4 | low.checked_sub(b'A')?;
    }
    Some(samples)
}

const fn letter(nibble: u8) -> u8 {
    b'A' + nibble
}
