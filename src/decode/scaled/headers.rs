//! What a JPEG picture's headers say of it, as far as it is of the kind that is decoded here.

use super::super::mjpeg::Segment;
use super::huffman::Table;

const SOI: u8 = 0xd8;
const SOF0: u8 = 0xc0;
const SOF1: u8 = 0xc1;
const DHT: u8 = 0xc4;
const SOS: u8 = 0xda;
const DQT: u8 = 0xdb;
const DRI: u8 = 0xdd;
const APP14: u8 = 0xee;

/// Most components.
pub(super) const COMPONENTS: usize = 3;

/// How chroma is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// There is none.
    Grey,
    /// By two pixels of a row.
    Pairs,
    /// By two pixels of two rows.
    Squares,
}

/// One component of the scan: the numbers of its tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Component {
    id: u8,
    /// Blocks side by side and one upon the other in a unit of the scan.
    pub(super) across: usize,
    pub(super) down: usize,
    pub(super) quantisers: usize,
    pub(super) first_table: usize,
    pub(super) other_table: usize,
}

/// A picture that is decoded here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Headers {
    pub(super) size_px: (u32, u32),
    pub(super) sharing: Sharing,
    pub(super) components: [Component; COMPONENTS],
    /// Units of the scan between two restart markers; 0 where there are none.
    pub(super) restart_interval: usize,
    /// Where the entropy-coded data starts.
    pub(super) data_at: usize,
}

/// Tables of a picture, in memory that is reused.
#[derive(Debug)]
pub(super) struct Tables {
    /// In the order in which coefficients are written.
    pub(super) quantisers: [[u16; 64]; 4],
    pub(super) first: [Table; 4],
    pub(super) other: [Table; 4],
    /// Which of the above this picture has.
    has_quantisers: [bool; 4],
    has_first: [bool; 4],
    has_other: [bool; 4],
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            quantisers: [[0; 64]; 4],
            first: Default::default(),
            other: Default::default(),
            has_quantisers: [false; 4],
            has_first: [false; 4],
            has_other: [false; 4],
        }
    }
}

impl Headers {
    /// Reads the segments up to the first scan (ITU-T T.81, B.2) and fills `tables`; none for pictures of another kind, which may be
    /// good ones, and for headers that are no good, of which a full decoder knows what to say.
    pub(super) fn read(bytes: &[u8], tables: &mut Tables) -> Option<Self> {
        // Not all that comes is JPEG.
        if !bytes.starts_with(&[0xff, SOI]) {
            return None;
        }
        tables.forget();
        let (mut frame, mut restart_interval, mut at) = (None, 0, 2);
        loop {
            let segment = Segment::at(bytes, at)?;
            let content = segment.content;
            match segment.marker {
                SOF0 | SOF1 if frame.is_none() => frame = Some(Frame::read(content)?),
                // Progressive, lossless, arithmetic; a second frame; what is between a hierarchy's frames.
                0xc0..=0xcf if segment.marker != DHT => return None,
                DHT => tables.read_huffman(content)?,
                DQT => tables.read_quantisers(content)?,
                DRI => restart_interval = usize::from(u16::from_be_bytes([*content.first()?, *content.get(1)?])),
                // Adobe's: three components are red, green and blue unless the transform is 1.
                APP14 if content.starts_with(b"Adobe") && content.get(11) != Some(&1) => return None,
                SOS => {
                    let Frame { size_px, sharing, mut components } = frame?;
                    read_scan(content, &mut components[..sharing.components()])?;
                    let headers = Self { size_px, sharing, components, restart_interval, data_at: segment.end };
                    return headers.used().iter().all(|component| tables.has_all_of(component)).then_some(headers);
                }
                _ => {}
            }
            at = segment.end;
        }
    }

    /// The components that there are.
    pub(super) fn used(&self) -> &[Component] {
        &self.components[..self.sharing.components()]
    }
}

impl Sharing {
    fn components(self) -> usize {
        if self == Self::Grey { 1 } else { COMPONENTS }
    }
}

/// A frame header.
struct Frame {
    size_px: (u32, u32),
    sharing: Sharing,
    components: [Component; COMPONENTS],
}

impl Frame {
    /// T.81, B.2.2: precision, height, width, number of components, and each with its sampling and table.
    fn read(content: &[u8]) -> Option<Self> {
        let &[8, height_high, height_low, width_high, width_low, count, ref rest @ ..] = content else { return None };
        let mut components = [Component::default(); COMPONENTS];
        let (described, left_over) = rest.as_chunks::<3>();
        if usize::from(count) != described.len() || !left_over.is_empty() {
            return None;
        }
        for (component, &[id, sampling, quantisers]) in components.iter_mut().zip(described) {
            let (across, down) = (usize::from(sampling >> 4), usize::from(sampling & 15));
            *component = Component { id, across, down, quantisers: usize::from(quantisers), ..Component::default() };
        }
        let samplings = components.map(|component| (component.across, component.down));
        let sharing = match (count, samplings) {
            (1, _) => Sharing::Grey,
            // Some write 4:2:2 in units of two rows of blocks.
            (3, [(2, 1), (1, 1), (1, 1)] | [(2, 2), (1, 2), (1, 2)]) => Sharing::Pairs,
            (3, [(2, 2), (1, 1), (1, 1)]) => Sharing::Squares,
            _ => return None,
        };
        // The letters of colours that are no luma and chroma.
        if components.map(|component| component.id) == *b"RGB" {
            return None;
        }
        if sharing == Sharing::Grey {
            // A scan of one component goes block by block, whatever its sampling (A.2.2).
            (components[0].across, components[0].down) = (1, 1);
        }
        let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
        Some(Self { size_px: (side(width_high, width_low), side(height_high, height_low)), sharing, components })
    }
}

/// A scan header, B.2.3: all components in their order, all coefficients, whole. Gives each the numbers of its tables.
fn read_scan(content: &[u8], components: &mut [Component]) -> Option<()> {
    let (&count, rest) = content.split_first()?;
    let described = rest.get(..2 * components.len())?.as_chunks::<2>().0;
    if usize::from(count) != components.len() || rest.get(2 * components.len()..)? != [0, 63, 0] {
        return None;
    }
    for (component, &[id, numbers]) in components.iter_mut().zip(described) {
        if id != component.id {
            return None;
        }
        (component.first_table, component.other_table) = (usize::from(numbers >> 4), usize::from(numbers & 15));
    }
    Some(())
}

impl Tables {
    fn forget(&mut self) {
        (self.has_quantisers, self.has_first, self.has_other) = ([false; 4], [false; 4], [false; 4]);
    }

    fn has_all_of(&self, component: &Component) -> bool {
        let has = |there: &[bool; 4], number: usize| there.get(number) == Some(&true);
        has(&self.has_quantisers, component.quantisers)
            && has(&self.has_first, component.first_table)
            && has(&self.has_other, component.other_table)
    }

    /// T.81, B.2.4.1: precision and number, 64 numbers of 8 or 16 bits.
    fn read_quantisers(&mut self, mut content: &[u8]) -> Option<()> {
        while let Some((&precision_and_number, rest)) = content.split_first() {
            let number = usize::from(precision_and_number & 15);
            let table = self.quantisers.get_mut(number)?;
            let bytes = match precision_and_number >> 4 {
                0 => 1,
                1 => 2,
                _ => return None,
            };
            let (values, others) = rest.split_at_checked(64 * bytes)?;
            for (quantiser, value) in table.iter_mut().zip(values.chunks_exact(bytes)) {
                *quantiser = value.iter().fold(0, |value, byte| value << 8 | u16::from(*byte));
            }
            self.has_quantisers[number] = true;
            content = others;
        }
        Some(())
    }

    /// T.81, B.2.4.2: class and number, how many codes there are of each length, and their symbols.
    fn read_huffman(&mut self, mut content: &[u8]) -> Option<()> {
        while let Some((&class_and_number, rest)) = content.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let (symbols, others) = rest.split_at_checked(counts.iter().map(|count| usize::from(*count)).sum())?;
            let (class, number) = (class_and_number >> 4, usize::from(class_and_number & 15));
            let (tables, has) = match class {
                0 => (&mut self.first, &mut self.has_first),
                1 => (&mut self.other, &mut self.has_other),
                _ => return None,
            };
            tables.get_mut(number)?.fill(counts, symbols, class == 0)?;
            has[number] = true;
            content = others;
        }
        Some(())
    }
}
