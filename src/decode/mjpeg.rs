//! JPEG pictures as cameras send them: often without Huffman tables, sometimes cut short, and followed by filling.
//!
//! What comes is checked before it is decoded: its size has to be the one that was negotiated, so that a broken frame
//! cannot ask for memory, and it has to have an end, since decoders fill up what is missing with grey.

use image::RgbImage;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::scaled::Scaled;
use super::{DecodeError, RawLayout};

/// Most scans of a progressive picture; libjpeg's own encoder uses 10.
const MAX_SCANS: usize = 64;

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DHT: u8 = 0xc4;

/// Room for a frame whose tables had to be added; reused.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    completed: Vec<u8>,
}

/// What the segments before the picture data say.
#[derive(Debug, PartialEq, Eq)]
struct Headers {
    width_px: u32,
    height_px: u32,
    has_huffman_tables: bool,
    /// Where the picture data's own header starts.
    scan_at: usize,
}

impl Scratch {
    /// Decodes a frame into a picture that has its size already.
    pub(super) fn decode(&mut self, bytes: &[u8], layout: &RawLayout, image: &mut RgbImage) -> Result<(), DecodeError> {
        let jpeg = self.checked(bytes, layout).map_err(|problem| damaged(bytes, layout, problem))?;
        decode_whole(jpeg, image).map_err(|problem| damaged(bytes, layout, problem))
    }

    /// The same to a smaller picture, which `scaled` has then; false where there is none ([`Scaled::decode`]).
    pub(super) fn decode_scaled(
        &mut self,
        bytes: &[u8],
        layout: &RawLayout,
        scaled: &mut Scaled,
    ) -> Result<bool, DecodeError> {
        let jpeg = self.checked(bytes, layout).map_err(|problem| damaged(bytes, layout, problem))?;
        scaled.decode(jpeg).map_err(|problem| damaged(bytes, layout, problem))
    }

    /// A frame that is of the right size and has an end, with all its tables.
    fn checked<'b>(&'b mut self, bytes: &'b [u8], layout: &RawLayout) -> Result<&'b [u8], String> {
        let headers = Headers::read(bytes)?;
        let (width_px, height_px) = (headers.width_px, headers.height_px);
        if (width_px, height_px) != (layout.width_px(), layout.height_px()) {
            return Err(format!("it is {width_px}x{height_px} pixels"));
        }
        let whole = up_to_end(bytes, headers.scan_at).ok_or("it has no end")?;
        Ok(if headers.has_huffman_tables { whole } else { self.with_tables(whole, headers.scan_at) })
    }

    /// UVC allows frames without Huffman tables; they mean those of the standard (MJPEG payload specification 1.1, 3.3).
    fn with_tables(&mut self, bytes: &[u8], scan_at: usize) -> &[u8] {
        self.completed.clear();
        self.completed.extend_from_slice(&bytes[..scan_at]);
        for (class_and_number, lengths, values) in STANDARD_TABLES {
            let length = 2 + 1 + lengths.len() + values.len();
            self.completed.extend_from_slice(&[0xff, DHT, (length >> 8) as u8, length as u8, class_and_number]);
            self.completed.extend_from_slice(lengths);
            self.completed.extend_from_slice(values);
        }
        self.completed.extend_from_slice(&bytes[scan_at..]);
        &self.completed
    }
}

fn damaged(bytes: &[u8], layout: &RawLayout, problem: String) -> DecodeError {
    DecodeError::Mjpeg { bytes: bytes.len(), layout: *layout, problem }
}

/// Strict: a decoder that makes the best of a broken frame would show the network a picture that nobody took.
fn decode_whole(bytes: &[u8], image: &mut RgbImage) -> Result<(), String> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(image.width() as usize)
        .set_max_height(image.height() as usize)
        .jpeg_set_max_scans(MAX_SCANS)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| error.to_string())?;
    if decoder.output_buffer_size() != Some(image.len()) {
        return Err("its colours are neither grey nor YCbCr".into());
    }
    decoder.decode_into(image).map_err(|error| error.to_string())
}

/// The picture up to its end marker, which cannot occur within picture data; what follows is filling.
fn up_to_end(bytes: &[u8], scan_at: usize) -> Option<&[u8]> {
    let data = bytes.get(scan_at..)?;
    let end = data.windows(2).rposition(|pair| pair == [0xff, EOI])?;
    Some(&bytes[..scan_at + end + 2])
}

impl Headers {
    /// Goes from segment to segment (ITU-T T.81, B.1.1.4) up to the first scan.
    fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.get(..2) != Some(&[0xff, SOI]) {
            let start = &bytes[..bytes.len().min(4)];
            return Err(format!("it starts with {start:02x?}, wanted [ff, d8]"));
        }
        let (mut at, mut size_px, mut has_huffman_tables) = (2, None, false);
        while let Some(segment) = Segment::at(bytes, at) {
            match segment.marker {
                SOS => {
                    let (width_px, height_px) = size_px.ok_or("it has no size")?;
                    return Ok(Self { width_px, height_px, has_huffman_tables, scan_at: segment.at });
                }
                DHT => has_huffman_tables = true,
                // SOF0 to SOF15; C8 and CC are something else.
                0xc0..=0xcf if !matches!(segment.marker, 0xc8 | 0xcc) => size_px = size_in(segment.content),
                _ => {}
            }
            at = segment.end;
        }
        Err("it has no picture data".into())
    }
}

/// Width and height in a frame header: precision, height, width, ...
fn size_in(content: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(u32::from(u16::from_be_bytes([*content.get(at)?, *content.get(at + 1)?])));
    Some((number(3)?, number(1)?))
}

/// A marker with what belongs to it.
pub(super) struct Segment<'b> {
    pub(super) marker: u8,
    at: usize,
    pub(super) content: &'b [u8],
    pub(super) end: usize,
}

impl<'b> Segment<'b> {
    /// The segment that starts here, after any number of fill bytes.
    pub(super) fn at(bytes: &'b [u8], mut at: usize) -> Option<Self> {
        while bytes.get(at..at + 2)? == [0xff, 0xff] {
            at += 1;
        }
        let [0xff, marker, high, low] = *bytes.get(at..at + 4)? else { return None };
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
        let content = bytes.get(at + 4..end)?;
        Some(Self { marker, at, content, end })
    }
}

/// ITU-T T.81, tables K.3 to K.6: class and number, codes of each length, their values.
const STANDARD_TABLES: [(u8, &[u8; 16], &[u8]); 4] = [
    (0x00, &[0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], &DC_VALUES),
    (0x01, &[0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], &DC_VALUES),
    (0x10, &[0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125], &LUMA_AC_VALUES),
    (0x11, &[0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119], &CHROMA_AC_VALUES),
];

const DC_VALUES: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

#[rustfmt::skip]
const LUMA_AC_VALUES: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71,
    0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72,
    0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37,
    0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
    0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83,
    0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3,
    0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
    0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
];

#[rustfmt::skip]
const CHROMA_AC_VALUES: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22,
    0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1,
    0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36,
    0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58,
    0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a,
    0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a,
    0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba,
    0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
    0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
];

#[cfg(test)]
#[path = "mjpeg_reference.rs"]
pub(super) mod reference;
#[cfg(test)]
#[path = "mjpeg_tests.rs"]
mod tests;
