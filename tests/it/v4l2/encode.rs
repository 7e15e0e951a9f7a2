//! Pictures in the formats of cameras, one pixel at a time, from the definitions.
//!
//! Y'CbCr is BT.601 of limited range, as a driver that says nothing means it. Pictures are doubled first, so that every 2x2
//! pixels have one colour and formats with fewer colours than pixels lose nothing.

use std::fs;

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage, imageops};

use crate::support::cifar10;

/// Side of a real picture, doubled, in pixels.
pub(super) const SIDE: u32 = 64;

/// The first test pictures of CIFAR-10, doubled.
pub(super) fn real_pictures(count: usize) -> Vec<RgbImage> {
    const PLANE: usize = 32 * 32;
    let bytes = fs::read(cifar10()).unwrap();
    let picture = |record: &[u8]| {
        let channel = |plane: usize, x: u32, y: u32| record[1 + plane * PLANE + (y / 2 * 32 + x / 2) as usize];
        RgbImage::from_fn(SIDE, SIDE, |x, y| Rgb([0, 1, 2].map(|plane| channel(plane, x, y))))
    };
    bytes.chunks(1 + 3 * PLANE).take(count).map(picture).collect()
}

/// A picture as the bytes of a frame in this format.
pub(super) fn encode(fourcc: &str, picture: &RgbImage) -> Vec<u8> {
    let ycbcr: Vec<[u8; 3]> = picture.pixels().map(|pixel| ycbcr(*pixel)).collect();
    let plane = |channel: usize| ycbcr.iter().map(move |pixel| pixel[channel]);
    match fourcc {
        "RGB3" => picture.as_raw().clone(),
        "BGR3" => picture.pixels().flat_map(|Rgb([red, green, blue])| [*blue, *green, *red]).collect(),
        "GREY" => plane(0).collect(),
        "YUYV" => ycbcr.chunks(2).flat_map(|two| [two[0][0], two[0][1], two[1][0], two[0][2]]).collect(),
        "UYVY" => ycbcr.chunks(2).flat_map(|two| [two[0][1], two[0][0], two[0][2], two[1][0]]).collect(),
        "NV12" => plane(0).chain(quarter(picture, &ycbcr).flat_map(|[_, cb, cr]| [cb, cr])).collect(),
        "YU12" => {
            let chroma = |channel: usize| quarter(picture, &ycbcr).map(move |pixel| pixel[channel]);
            plane(0).chain(chroma(1)).chain(chroma(2)).collect()
        }
        "MJPG" => jpeg(picture),
        _ => panic!("no encoder for {fourcc}"),
    }
}

/// What is to be seen in a frame of this uncompressed format: red, green and blue from 0 to 255, rounded nowhere.
pub(super) fn seen(fourcc: &str, picture: &RgbImage) -> Vec<[f64; 3]> {
    let color = |pixel: &Rgb<u8>| match fourcc {
        "GREY" => [((f64::from(ycbcr(*pixel)[0]) - 16.0) / 219.0 * 255.0).clamp(0.0, 255.0); 3],
        "RGB3" | "BGR3" => pixel.0.map(f64::from),
        _ => rgb(ycbcr(*pixel)),
    };
    picture.pixels().map(color).collect()
}

/// What is to be seen in a frame of JPEG.
pub(super) fn seen_jpeg(picture: &RgbImage) -> RgbImage {
    image::load_from_memory(&jpeg(picture)).unwrap().into_rgb8()
}

/// Y', Cb and Cr of BT.601, limited range.
fn ycbcr(Rgb(rgb): Rgb<u8>) -> [u8; 3] {
    let [red, green, blue] = rgb.map(|value| f64::from(value) / 255.0);
    let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
    let (pb, pr) = ((blue - luma) / 1.772, (red - luma) / 1.402);
    [16.0 + 219.0 * luma, 128.0 + 224.0 * pb, 128.0 + 224.0 * pr].map(|value| value.round() as u8)
}

/// The way back.
fn rgb([luma, cb, cr]: [u8; 3]) -> [f64; 3] {
    let luma = (f64::from(luma) - 16.0) / 219.0;
    let [pb, pr] = [cb, cr].map(|value| (f64::from(value) - 128.0) / 224.0);
    let (red, blue) = (luma + 1.402 * pr, luma + 1.772 * pb);
    let green = (luma - 0.299 * red - 0.114 * blue) / 0.587;
    [red, green, blue].map(|value| value.clamp(0.0, 1.0) * 255.0)
}

/// One pixel of every 2x2.
fn quarter(picture: &RgbImage, pixels: &[[u8; 3]]) -> impl Iterator<Item = [u8; 3]> {
    let width = picture.width() as usize;
    pixels.chunks(2 * width).flat_map(move |rows| rows[..width].iter().step_by(2).copied())
}

/// A JPEG with the standard Huffman tables.
pub(super) fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 95)).unwrap();
    bytes
}

/// The same without them, as many cameras send it (the MJPEG payload of UVC 1.1 allows it).
pub(super) fn without_huffman_tables(jpeg: &[u8]) -> Vec<u8> {
    let mut kept = jpeg[..2].to_vec();
    let mut rest = &jpeg[2..];
    // Segments up to the start of scan: 0xFF, a marker, a length that counts itself.
    while rest[1] != 0xDA {
        let length = 2 + usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        if rest[1] != 0xC4 {
            kept.extend(&rest[..length]);
        }
        rest = &rest[length..];
    }
    kept.extend(rest);
    kept
}

/// The picture at another size.
pub(super) fn resized(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    imageops::resize(picture, width, height, imageops::FilterType::Nearest)
}
