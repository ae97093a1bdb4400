//! Whether a JPEG picture is whole: whether its coded data reach the last block, not how its last bytes look.
//!
//! A USB bus that loses packets cuts pictures, and decoders fill what is missing with grey. Cameras differ in how they end a
//! picture (no end mark, bytes behind it, fill bytes before it), so the end mark says little. The code words are counted
//! instead: their lengths are enough, no sample is computed.
//!
//! ```text
//!   markers: DHT, SOF0/1, DRI ─▶ SOS ─▶ code words of each block ─▶ restart mark, in order ─▶ ... ─▶ last block: whole
//!                                          └ a mark, the end, no such code word before that ─▶ cut
//! ```
//!
//! Coded in one scan of all components, with Huffman codes (baseline): that is what cameras send. Anything else is left to
//! the decoder.
//!
//! Invariants: reads inside the file only; one pass; allocates nothing.
//! Sources: ITU-T T.81 B.1.1 (markers, fill bytes), B.2 (segments), F.2.2 (decoding), K.3 (usual tables).

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The data reach the last block.
    Whole,
    /// They end before.
    Cut,
    /// It is coded otherwise, or its header makes no sense: for the decoder to judge.
    Unknown,
}

/// spec: T.81 B.1.1.3.
const DHT: u8 = 0xC4;
const SOF0: u8 = 0xC0;
const SOF1: u8 = 0xC1;
const DRI: u8 = 0xDD;
const SOS: u8 = 0xDA;
const RST0: u8 = 0xD0;

/// Bits that are looked up at once. choice: nearly all code words of real pictures are shorter.
const FAST: u32 = 9;

/// Lengths of a Huffman table's code words, and what they stand for.
#[derive(Clone)]
struct Table {
    /// Length and value by the next [`FAST`] bits; length 0 for longer words.
    fast: [(u8, u8); 1 << FAST],
    /// First code of each length, and where its values begin. spec: T.81 F.2.2.3 (MINCODE, VALPTR), MAXCODE by the count.
    first: [(u32, u32, u32); 17],
    values: [u8; 256],
}

impl Table {
    const NONE: Self = Self {
        fast: [(0, 0); 1 << FAST],
        first: [(0, 0, 0); 17],
        values: [0; 256],
    };

    /// Of how many words each length has, from 1 to 16, and their values in order.
    fn of(counts: &[u8], values: &[u8]) -> Option<Self> {
        let mut table = Self::NONE;
        table
            .values
            .get_mut(..values.len())?
            .copy_from_slice(values);
        let (mut code, mut at) = (0_u32, 0_u32);
        for (length, count) in (1_u32..).zip(counts.iter().take(16)) {
            let count = u32::from(*count);
            let of_length = table.first.get_mut(usize::try_from(length).ok()?)?;
            *of_length = (code, count, at);
            if code + count > 1 << length {
                return None;
            }
            for word in 0..count {
                let value = *values.get(usize::try_from(at + word).ok()?)?;
                if length <= FAST {
                    let shift = FAST - length;
                    let begin = usize::try_from((code + word) << shift).ok()?;
                    let all = table.fast.get_mut(begin..begin + (1 << shift))?;
                    all.fill((u8::try_from(length).ok()?, value));
                }
            }
            code = (code + count) << 1;
            at += count;
        }
        Some(table)
    }
}

/// The four usual tables: how many words of each length, and the values. spec: T.81 K.3.3.
const DC_COUNTS: [[u8; 16]; 2] = [
    [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
    [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
];
const DC_VALUES: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const AC_COUNTS: [[u8; 16]; 2] = [
    [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125],
    [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119],
];
const AC_VALUES: [&[u8]; 2] = [
    b"\x01\x02\x03\x00\x04\x11\x05\x12\x21\x31\x41\x06\x13\x51\x61\x07\x22\x71\x14\x32\x81\x91\xA1\x08\x23\x42\xB1\xC1\
      \x15\x52\xD1\xF0\x24\x33\x62\x72\x82\x09\x0A\x16\x17\x18\x19\x1A\x25\x26\x27\x28\x29\x2A\x34\x35\x36\x37\x38\x39\
      \x3A\x43\x44\x45\x46\x47\x48\x49\x4A\x53\x54\x55\x56\x57\x58\x59\x5A\x63\x64\x65\x66\x67\x68\x69\x6A\x73\x74\x75\
      \x76\x77\x78\x79\x7A\x83\x84\x85\x86\x87\x88\x89\x8A\x92\x93\x94\x95\x96\x97\x98\x99\x9A\xA2\xA3\xA4\xA5\xA6\xA7\
      \xA8\xA9\xAA\xB2\xB3\xB4\xB5\xB6\xB7\xB8\xB9\xBA\xC2\xC3\xC4\xC5\xC6\xC7\xC8\xC9\xCA\xD2\xD3\xD4\xD5\xD6\xD7\xD8\
      \xD9\xDA\xE1\xE2\xE3\xE4\xE5\xE6\xE7\xE8\xE9\xEA\xF1\xF2\xF3\xF4\xF5\xF6\xF7\xF8\xF9\xFA",
    b"\x00\x01\x02\x03\x11\x04\x05\x21\x31\x06\x12\x41\x51\x07\x61\x71\x13\x22\x32\x81\x08\x14\x42\x91\xA1\xB1\xC1\x09\
      \x23\x33\x52\xF0\x15\x62\x72\xD1\x0A\x16\x24\x34\xE1\x25\xF1\x17\x18\x19\x1A\x26\x27\x28\x29\x2A\x35\x36\x37\x38\
      \x39\x3A\x43\x44\x45\x46\x47\x48\x49\x4A\x53\x54\x55\x56\x57\x58\x59\x5A\x63\x64\x65\x66\x67\x68\x69\x6A\x73\x74\
      \x75\x76\x77\x78\x79\x7A\x82\x83\x84\x85\x86\x87\x88\x89\x8A\x92\x93\x94\x95\x96\x97\x98\x99\x9A\xA2\xA3\xA4\xA5\
      \xA6\xA7\xA8\xA9\xAA\xB2\xB3\xB4\xB5\xB6\xB7\xB8\xB9\xBA\xC2\xC3\xC4\xC5\xC6\xC7\xC8\xC9\xCA\xD2\xD3\xD4\xD5\xD6\
      \xD7\xD8\xD9\xDA\xE2\xE3\xE4\xE5\xE6\xE7\xE8\xE9\xEA\xF2\xF3\xF4\xF5\xF6\xF7\xF8\xF9\xFA",
];

/// The tables of one picture; kept, for they are large.
pub(super) struct Scanner {
    dc: [Table; 4],
    ac: [Table; 4],
    usual: Option<[[Table; 2]; 2]>,
}

impl core::fmt::Debug for Scanner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Scanner")
    }
}

/// A component: how many blocks of it a part has, and its tables.
#[derive(Clone, Copy, Debug, Default)]
struct Component {
    id: u8,
    blocks: u32,
    dc: usize,
    ac: usize,
}

impl Scanner {
    pub(super) fn new() -> Self {
        let usual = |counts: &[[u8; 16]; 2], values: [&[u8]; 2]| {
            let ([luma, chroma], [of_luma, of_chroma]) = (counts, values);
            Some([Table::of(luma, of_luma)?, Table::of(chroma, of_chroma)?])
        };
        let dc = usual(&DC_COUNTS, [&DC_VALUES, &DC_VALUES]);
        let ac = usual(&AC_COUNTS, AC_VALUES);
        Self {
            dc: [const { Table::NONE }; 4],
            ac: [const { Table::NONE }; 4],
            usual: dc.zip(ac).map(|(dc, ac)| [dc, ac]),
        }
    }

    /// Looks at a file.
    pub(super) fn look(&mut self, file: &[u8]) -> Seen {
        self.walk(file).unwrap_or(Seen::Unknown)
    }

    fn walk(&mut self, file: &[u8]) -> Option<Seen> {
        if let Some([dc, ac]) = &self.usual {
            // spec: T.81 B.2.4.2 forgets none; a picture without its own means the usual ones.
            self.dc
                .iter_mut()
                .zip(dc)
                .for_each(|(to, from)| to.clone_from(from));
            self.ac
                .iter_mut()
                .zip(ac)
                .for_each(|(to, from)| to.clone_from(from));
        }
        let mut rest = file.strip_prefix(b"\xFF\xD8")?;
        let mut components = [Component::default(); 4];
        let (mut count, mut parts, mut restart) = (0, None, 0);
        loop {
            let kind = marker(&mut rest)?;
            let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
            let segment = rest.get(2..length)?;
            rest = rest.get(length..)?;
            match kind {
                DHT => self.tables(segment)?,
                SOF0 | SOF1 => (count, parts) = frame(segment, &mut components)?,
                // Progressive, lossless, arithmetic; DAC.
                0xC2..=0xCF => return None,
                DRI => {
                    restart = u32::from(u16::from_be_bytes([*segment.first()?, *segment.get(1)?]));
                }
                SOS => break scan_header(segment, components.get_mut(..count)?)?,
                _ => {}
            }
        }
        let is_whole = self.reaches(rest, components.get(..count)?, parts?, restart);
        Some(if is_whole { Seen::Whole } else { Seen::Cut })
    }

    fn tables(&mut self, mut segment: &[u8]) -> Option<()> {
        while let [which, after @ ..] = segment {
            let counts = after.get(..16)?;
            let total = counts
                .iter()
                .map(|count| usize::from(*count))
                .sum::<usize>();
            let values = after.get(16..16 + total)?;
            let class = if which >> 4 == 0 {
                &mut self.dc
            } else {
                &mut self.ac
            };
            *class.get_mut(usize::from(which & 15))? = Table::of(counts, values)?;
            segment = after.get(16 + total..)?;
        }
        Some(())
    }

    /// Whether the data have all parts.
    fn reaches(&self, data: &[u8], components: &[Component], parts: u32, restart: u32) -> bool {
        let mut bits = Bits::new(data);
        for part in 0..parts {
            if restart > 0 && part > 0 && part % restart == 0 {
                let number = u8::try_from((part / restart - 1) % 8).unwrap_or(0);
                if !bits.restart(RST0 + number) {
                    return false;
                }
            }
            for component in components {
                let tables = (self.dc.get(component.dc), self.ac.get(component.ac));
                let (Some(dc), Some(ac)) = tables else {
                    return false;
                };
                for _ in 0..component.blocks {
                    if block(&mut bits, dc, ac).is_none() {
                        return false;
                    }
                }
            }
        }
        true
    }
}

/// One block's code words. spec: T.81 F.2.2.1, F.2.2.2.
fn block(bits: &mut Bits<'_>, dc: &Table, ac: &Table) -> Option<()> {
    let size = bits.word(dc)?;
    bits.skip(size.into())?;
    let mut at = 1;
    while at < 64 {
        let value = bits.word(ac)?;
        let (zeros, size) = (value >> 4, value & 15);
        if size == 0 && zeros != 15 {
            break; // end of block
        }
        bits.skip(size.into())?;
        at += 1 + usize::from(zeros);
    }
    Some(())
}

/// The next marker, behind any fill bytes.
fn marker(rest: &mut &[u8]) -> Option<u8> {
    let begin = rest.iter().position(|byte| *byte == 0xFF)?;
    let after = rest.get(begin..)?;
    let fill = after.iter().position(|byte| *byte != 0xFF)?;
    *rest = after.get(fill + 1..)?;
    after.get(fill).copied()
}

/// Components and parts of a frame header. spec: T.81 B.2.2, A.2.3.
fn frame(segment: &[u8], components: &mut [Component; 4]) -> Option<(usize, Option<u32>)> {
    let [_, h1, h2, w1, w2, count, each @ ..] = segment else {
        return None;
    };
    let (height, width) = (
        u16::from_be_bytes([*h1, *h2]),
        u16::from_be_bytes([*w1, *w2]),
    );
    let count = usize::from(*count);
    let (mut most_h, mut most_v) = (1, 1);
    for (to, from) in components
        .get_mut(..count)?
        .iter_mut()
        .zip(each.chunks_exact(3))
    {
        let [id, sampling, _] = *from else {
            return None;
        };
        let (h, v) = (u32::from(sampling >> 4), u32::from(sampling & 15));
        (to.id, to.blocks) = (id, h * v);
        (most_h, most_v) = (h.max(most_h), v.max(most_v));
    }
    if count == 1 {
        // One component alone is not interleaved: a part is a block.
        (most_h, most_v) = (1, 1);
        components.first_mut()?.blocks = 1;
    }
    let across = u32::from(width).div_ceil(8 * most_h);
    let down = u32::from(height).div_ceil(8 * most_v);
    Some((count, Some(across * down)))
}

/// The tables that a scan of all components names. spec: T.81 B.2.3.
fn scan_header(segment: &[u8], components: &mut [Component]) -> Option<()> {
    let (count, each) = segment.split_first()?;
    if usize::from(*count) != components.len() || components.is_empty() {
        return None;
    }
    for (component, pair) in components.iter_mut().zip(each.chunks_exact(2)) {
        let [id, tables] = *pair else {
            return None;
        };
        if id != component.id {
            return None;
        }
        (component.dc, component.ac) = (usize::from(tables >> 4), usize::from(tables & 15));
    }
    Some(())
}

/// Coded data as bits, without the zeros behind each `FF`; they end at a marker or with the file.
struct Bits<'a> {
    data: &'a [u8],
    /// The next bits, from the top.
    word: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    const fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            word: 0,
            count: 0,
        }
    }

    fn fill(&mut self) {
        while self.count <= 56 {
            let (byte, used) = match self.data {
                [0xFF, 0, ..] => (0xFF, 2),
                [0xFF, ..] | [] => return,
                [byte, ..] => (*byte, 1),
            };
            self.word |= u64::from(byte) << (56 - self.count);
            self.count += 8;
            self.data = self.data.get(used..).unwrap_or_default();
        }
    }

    fn skip(&mut self, bits: u32) -> Option<()> {
        if self.count < bits {
            self.fill();
        }
        self.count = self.count.checked_sub(bits)?;
        self.word <<= bits;
        Some(())
    }

    /// The value of the next code word.
    fn word(&mut self, table: &Table) -> Option<u8> {
        if self.count < 16 {
            self.fill();
        }
        let fast = usize::try_from(self.word >> (64 - FAST)).ok()?;
        let (length, value) = *table.fast.get(fast)?;
        if length > 0 {
            self.skip(length.into())?;
            return Some(value);
        }
        for length in FAST + 1..=16 {
            let code = u32::try_from(self.word >> (64 - length)).ok()?;
            let (first, count, at) = *table.first.get(usize::try_from(length).ok()?)?;
            if let Some(word) = code.checked_sub(first).filter(|word| *word < count) {
                self.skip(length)?;
                return table.values.get(usize::try_from(at + word).ok()?).copied();
            }
        }
        None
    }

    /// Goes on behind this marker, if it is the next one.
    fn restart(&mut self, wanted: u8) -> bool {
        // What is left of the last byte is padding; whole bytes would be data that nobody coded.
        (self.word, self.count) = (0, 0);
        marker(&mut self.data) == Some(wanted)
    }
}
