//! Just enough of H.264's syntax to check what an encoder wrote.
//!
//! Promises: a panic with a reason for a stream that breaks off; it is for tests only.
//! Sources: ITU-T H.264 7.3.1 (NAL), 7.3.2.1.1 (SPS), 7.3.3 (slice header).

/// The NAL units of an Annex B stream, without start codes.
pub(crate) fn nals(stream: &[u8]) -> Vec<&[u8]> {
    let mut starts = Vec::new();
    let mut at = 0;
    while at + 3 <= stream.len() {
        if stream[at..at + 3] == [0, 0, 1] {
            starts.push(at);
            at += 3;
        } else {
            at += 1;
        }
    }
    let mut units = Vec::new();
    for (n, start) in starts.iter().enumerate() {
        let end = starts.get(n + 1).copied().unwrap_or(stream.len());
        let unit = &stream[start + 3..end];
        let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
        units.push(&unit[..unit.len() - zeros]);
    }
    units
}

/// The types of the NAL units of an access unit.
pub(crate) fn types(stream: &[u8]) -> Vec<u8> {
    nals(stream).iter().map(|nal| nal[0] & 31).collect()
}

/// `slice_type` modulo 5 of each slice: 0 = P, 1 = B, 2 = I.
pub(crate) fn slice_types(stream: &[u8]) -> Vec<u32> {
    let slices = nals(stream)
        .into_iter()
        .filter(|nal| matches!(nal[0] & 31, 1 | 5));
    slices
        .map(|nal| {
            let mut bits = Bits::new(&nal[1..]);
            let _first_mb_in_slice = bits.unsigned();
            bits.unsigned() % 5
        })
        .collect()
}

/// Sequence parameters that matter to us.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sps {
    pub(crate) profile: u8,
    /// `constraint_set0_flag` is the most significant bit.
    pub(crate) constraints: u8,
    pub(crate) level: u8,
    pub(crate) reference_frames: u32,
    pub(crate) size: (u32, u32),
}

/// The first SPS of the stream.
pub(crate) fn sps(stream: &[u8]) -> Sps {
    let nal = nals(stream).into_iter().find(|nal| nal[0] & 31 == 7);
    let nal = nal.unwrap();
    let mut bits = Bits::new(&nal[4..]);
    let _id = bits.unsigned();
    let _frame_num_bits = bits.unsigned();
    match bits.unsigned() {
        0 => {
            bits.unsigned();
        }
        2 => {}
        other => panic!("picture order count type {other} is not expected"),
    }
    let reference_frames = bits.unsigned();
    let _gaps = bits.bit();
    let width = (bits.unsigned() + 1) * 16;
    let height = (bits.unsigned() + 1) * 16;
    assert_eq!(bits.bit(), 1, "frames, not fields");
    let _direct_8x8 = bits.bit();
    let mut size = (width, height);
    if bits.bit() == 1 {
        let [left, right, top, bottom] = [0; 4].map(|_: u32| 2 * bits.unsigned());
        size = (width - left - right, height - top - bottom);
    }
    Sps {
        profile: nal[1],
        constraints: nal[2],
        level: nal[3],
        reference_frames,
        size,
    }
}

/// Reads bits of an RBSP, skipping emulation prevention bytes.
struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    fn new(payload: &[u8]) -> Self {
        let mut bytes: Vec<u8> = Vec::new();
        let mut zeros = 0;
        for byte in payload {
            if *byte == 3 && zeros >= 2 {
                zeros = 0;
                continue;
            }
            zeros = if *byte == 0 { zeros + 1 } else { 0 };
            bytes.push(*byte);
        }
        Self { bytes, at: 0 }
    }

    fn bit(&mut self) -> u32 {
        let byte = self.bytes[self.at / 8];
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        bit.into()
    }

    /// `ue(v)`.
    fn unsigned(&mut self) -> u32 {
        let mut zeros = 0;
        while self.bit() == 0 {
            zeros += 1;
        }
        let mut value = 1;
        for _ in 0..zeros {
            value = value << 1 | self.bit();
        }
        value - 1
    }
}
