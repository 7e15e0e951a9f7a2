//! Pictures of known coefficients, held against the averages of their samples, and what is left to a full decoder.

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use proptest::prelude::*;

use super::*;
use crate::decode::mjpeg::reference::{Coded, Coefficients, unclamped};
use crate::decode::{Content, DecodeConfig, DecodeError, Decoder, Picture};
use crate::view::ViewConfig;

/// Most that an average may be off, in steps of 8 bits: it is rounded once, from sums in f32.
const TOLERANCE: f64 = 0.51;

/// A picture of so many units, each with as many blocks of luma as chroma is shared by, by 2x2 at most.
#[derive(Debug, Clone)]
struct Sketch {
    sampling: Sampling,
    size_px: (u32, u32),
    units_across: usize,
    units: Vec<Vec<(usize, Coefficients)>>,
    restart_interval: u16,
}

/// Blocks of each component, side by side and one upon the other, in a unit.
type Sampling = &'static [(u8, u8)];

const GREY: Sampling = &[(1, 1)];
const PAIRS: Sampling = &[(2, 1), (1, 1), (1, 1)];
const TALL_PAIRS: Sampling = &[(2, 2), (1, 2), (1, 2)];
const SQUARES: Sampling = &[(2, 2), (1, 1), (1, 1)];
const ALL: [Sampling; 4] = [GREY, PAIRS, TALL_PAIRS, SQUARES];

/// The component of each block of a unit.
fn blocks_of(sampling: Sampling) -> Vec<usize> {
    let blocks = |(component, (across, down)): (usize, &(u8, u8))| vec![component; usize::from(across * down)];
    sampling.iter().enumerate().flat_map(blocks).collect()
}

impl Sketch {
    fn jpeg(&self) -> Vec<u8> {
        let size_px = (self.size_px.0 as u16, self.size_px.1 as u16);
        let Self { sampling, units, restart_interval, .. } = self;
        Coded { size_px, sampling, units, restart_interval: *restart_interval }.encode()
    }

    /// The average of a component's samples in a group of `divisor` by `divisor`.
    fn average(&self, component: usize, (x, y): (usize, usize), divisor: usize) -> f64 {
        let (across, down) = self.sampling[component];
        let (across, down) = (usize::from(across), usize::from(down));
        let before: usize = self.sampling[..component].iter().map(|(across, down)| usize::from(across * down)).sum();
        let (x, y) = (x * divisor, y * divisor);
        let unit = y / (8 * down) * self.units_across + x / (8 * across);
        let block = before + y / 8 % down * across + x / 8 % across;
        let coefficients = &self.units[unit][block].1;
        let places = (0..divisor * divisor).map(|at| (x % 8 + at % divisor, y % 8 + at / divisor));
        let sum: f64 = places.map(|(x, y)| unclamped(coefficients, x, y)).sum();
        (sum / (divisor * divisor) as f64).clamp(0.0, 255.0)
    }
}

fn coefficients() -> impl Strategy<Value = Coefficients> {
    let waves = proptest::collection::vec((0..8usize, 0..8usize, -200..200i32), 0..12);
    // Small ones everywhere: short codes up to the last coefficient.
    let noise = prop_oneof![Just([[0; 8]; 8]), any::<[[bool; 8]; 8]>().prop_map(|all| all.map(|row| row.map(signed)))];
    (-900..900i32, waves, noise).prop_map(|(mean, waves, mut coefficients)| {
        for (row, column, value) in waves {
            coefficients[row][column] = value;
        }
        coefficients[0][0] = mean;
        coefficients
    })
}

fn signed(positive: bool) -> i32 {
    if positive { 1 } else { -1 }
}

fn sketch(divisor: u32) -> impl Strategy<Value = Sketch> {
    let sampling = proptest::sample::select(&ALL[..]);
    let blocks = proptest::collection::vec(coefficients(), 4 * 8);
    // Sides that end within a block, but not within a group or a pair of groups.
    (sampling, blocks, (1..3u32, 1..3u32), (0..8u32, 0..16u32), 0..5u16).prop_map(
        move |(sampling, blocks, (across, down), (less_across, less_down), restart_interval)| {
            let (pair, rows) = (u32::from(sampling[0].0), u32::from(sampling[0].1));
            let unit_px = (8 * pair, 8 * rows);
            let components = blocks_of(sampling);
            let units = blocks.chunks(components.len()).take((across * down) as usize);
            let units = units.map(|blocks| components.iter().copied().zip(blocks.iter().copied()).collect()).collect();
            let less = |side: u32, less: u32, step: u32| side - (less * step).min(side - step);
            let size_px = (
                unit_px.0 * (across - 1) + less(unit_px.0, less_across, pair * divisor),
                unit_px.1 * (down - 1) + less(unit_px.1, less_down, divisor),
            );
            Sketch { sampling, size_px, units_across: across as usize, units, restart_interval }
        },
    )
}

fn check(sketch: &Sketch, divisor: u32) {
    let least_px = (sketch.size_px.0 / divisor, sketch.size_px.1 / divisor);
    let mut decoder = of_network(least_px);
    let content = frame(sketch.size_px, sketch.jpeg());
    let Picture::Raw(smaller) = decoder.picture(content).unwrap() else { panic!("it was decoded whole") };
    let layout = &smaller.layout;
    assert_eq!((layout.width_px(), layout.height_px()), least_px);
    for component in 0..sketch.sampling.len() {
        let place = place(layout, component);
        let columns = if component == 0 { least_px.0 } else { least_px.0 / 2 };
        for (x, y) in (0..place.rows).flat_map(|y| (0..columns as usize).map(move |x| (x, y))) {
            let found = smaller.bytes[place.start + y * place.stride + x * place.step];
            let wanted = sketch.average(component, (x, y), divisor as usize);
            let off = (f64::from(found) - wanted).abs();
            assert!(off <= TOLERANCE, "{layout}: component {component} ({x}, {y}) is {found}, wanted {wanted:.2}");
        }
    }
}

fn of_network(input_px: (u32, u32)) -> Decoder {
    Decoder::new(DecodeConfig { scaled: true }, input_px, &ViewConfig::default())
}

fn frame(size_px: (u32, u32), jpeg: Vec<u8>) -> Content {
    let layout = RawLayout::new(PixelFormat::Mjpg, size_px, 0, Encoding::JPEG).unwrap();
    Content::Raw(RawFrame { layout, bytes: jpeg.into() })
}

/// A picture whose units are each of another brightness.
fn flat(sampling: Sampling, size_px: (u32, u32), restart_interval: u16) -> Sketch {
    let units_across = size_px.0.div_ceil(8 * u32::from(sampling[0].0));
    let units = units_across * size_px.1.div_ceil(8 * u32::from(sampling[0].1));
    let unit = |number: u32| {
        let block = |component| (component, [[10 * (number % 20) as i32 - 100, 7, 0, 0, 0, 0, 0, 0]; 8]);
        blocks_of(sampling).into_iter().map(block).collect()
    };
    let units = (0..units).map(unit).collect();
    Sketch { sampling, size_px, units_across: units_across as usize, units, restart_interval }
}

/// The bytes of a picture that was made smaller.
fn smaller(decoder: &mut Decoder, content: Content) -> Option<(RawLayout, Vec<u8>)> {
    match decoder.picture(content).unwrap() {
        Picture::Raw(smaller) => Some((smaller.layout, smaller.bytes.to_vec())),
        Picture::Rgb(_) => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_smaller_picture_is_the_whole_one_averaged(
        (divisor, sketch) in proptest::sample::select(vec![2, 4, 8]).prop_flat_map(|divisor| (Just(divisor), sketch(divisor))),
    ) {
        check(&sketch, divisor);
    }

    #[test]
    fn whatever_is_overwritten_there_is_no_panic_and_nothing_shows_in_the_next_frame(
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..20),
        sampling in proptest::sample::select(&ALL[..]),
        restart_interval in 0..3u16,
    ) {
        let sketch = flat(sampling, (32, 32), restart_interval);
        let mut decoder = of_network((4, 4));
        let before = smaller(&mut decoder, frame((32, 32), sketch.jpeg()));
        let mut bytes = sketch.jpeg();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = of_network((4, 4)).picture(Content::Encoded(bytes.clone()));
        let _ = decoder.picture(frame((32, 32), bytes));
        prop_assert!(before.is_some());
        prop_assert_eq!(smaller(&mut decoder, frame((32, 32), sketch.jpeg())), before);
    }
}

#[test]
fn the_smallest_size_is_taken_that_is_enough_and_made_of_whole_groups() {
    let size_of = |size_px: (u32, u32), input_px| match of_network(input_px)
        .picture(frame(size_px, flat(PAIRS, size_px, 0).jpeg()))
        .unwrap()
    {
        Picture::Raw(smaller) => (smaller.layout.width_px(), smaller.layout.height_px()),
        Picture::Rgb(image) => image.dimensions(),
    };
    assert_eq!(size_of((64, 32), (8, 4)), (8, 4));
    assert_eq!(size_of((64, 32), (8, 5)), (16, 8));
    assert_eq!(size_of((64, 32), (17, 4)), (32, 16));
    assert_eq!(size_of((64, 32), (33, 4)), (64, 32));
    // 40 pixels are no pairs of groups of 8, 36 none of 4 either, and 33 rows no groups at all.
    assert_eq!(size_of((40, 32), (1, 1)), (10, 8));
    assert_eq!(size_of((36, 32), (1, 1)), (18, 16));
    assert_eq!(size_of((64, 33), (1, 1)), (64, 33));
}

#[test]
fn what_looks_like_a_blocks_end_behind_its_last_coefficient_belongs_to_the_next_block() {
    let mut full = [[0; 8]; 8];
    // The last two as they are written.
    (full[7][6], full[7][7]) = (3, -1);
    for difference in -200..200 {
        let mut next = [[0; 8]; 8];
        next[0][0] = difference;
        let units = vec![vec![(0, full)], vec![(0, next)]];
        let sketch = Sketch { sampling: GREY, size_px: (16, 8), units_across: 2, units, restart_interval: 0 };
        for divisor in [2, 4, 8] {
            check(&sketch, divisor);
        }
    }
}

#[test]
fn what_is_not_known_here_is_decoded_whole_as_ever() {
    let image = RgbImage::from_fn(64, 48, |x, y| Rgb([3 * x as u8, 5 * y as u8, 90]));
    let mut unshared = Vec::new();
    JpegEncoder::new_with_quality(&mut unshared, 90).encode_image(&image).unwrap();
    let mut adobe = flat(PAIRS, (64, 48), 0).jpeg();
    adobe.splice(2..2, *b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0");
    let unusual: [Sampling; 7] = [
        &[(1, 2), (1, 1), (1, 1)],
        &[(4, 1), (1, 1), (1, 1)],
        &[(1, 1), (2, 1), (2, 1)],
        &[(2, 2), (2, 1), (2, 1)],
        &[(2, 2), (2, 1), (1, 1)],
        &[(2, 1), (2, 1), (2, 1)],
        &[(2, 1), (1, 1)],
    ];
    let unusual = unusual.map(|sampling| flat(sampling, (64, 48), 0).jpeg());
    for jpeg in [unshared, adobe].into_iter().chain(unusual) {
        let whole = Decoder::default().decode(frame((64, 48), jpeg.clone())).cloned();
        match (of_network((8, 8)).picture(frame((64, 48), jpeg)), whole) {
            (Ok(Picture::Rgb(found)), Ok(wanted)) => assert_eq!(*found, wanted),
            (Err(found), Err(wanted)) => assert_eq!(found.to_string(), wanted.to_string()),
            (found, wanted) => panic!("found {found:?}, wanted {wanted:?}"),
        }
    }
}

#[test]
fn a_file_is_made_smaller_as_a_frame_is_and_another_format_is_left_as_it_is() {
    let sketch = flat(SQUARES, (64, 48), 3);
    let mut decoder = of_network((16, 12));
    let wanted = smaller(&mut decoder, frame((64, 48), sketch.jpeg()));
    assert!(wanted.is_some());
    // A file needs its tables; cameras may leave them out.
    assert_eq!(smaller(&mut decoder, Content::Rgb(RgbImage::new(64, 48))), None);
    let mut file = sketch.jpeg();
    let scan_at = file.windows(2).position(|marker| marker == [0xff, 0xda]).unwrap();
    file.splice(scan_at..scan_at, standard_tables());
    assert_eq!(smaller(&mut decoder, Content::Encoded(file)), wanted);
}

#[test]
fn what_is_no_picture_file_is_none_here_either() {
    let jpeg = flat(SQUARES, (64, 48), 0).jpeg();
    let mut file = jpeg.clone();
    let scan_at = file.windows(2).position(|marker| marker == [0xff, 0xda]).unwrap();
    file.splice(scan_at..scan_at, standard_tables());
    assert!(smaller(&mut of_network((8, 6)), Content::Encoded(file.clone())).is_some());
    // Without its start, and with a side that no picture may have.
    let mut other = file.clone();
    other[..2].copy_from_slice(b"BM");
    let mut wide = flat(PAIRS, (16_400, 8), 0).jpeg();
    let scan_at = wide.windows(2).position(|marker| marker == [0xff, 0xda]).unwrap();
    wide.splice(scan_at..scan_at, standard_tables());
    for broken in [other, wide] {
        let wanted = Decoder::default().decode(Content::Encoded(broken.clone())).unwrap_err().to_string();
        let found = of_network((1, 1)).picture(Content::Encoded(broken)).map(|_| ()).unwrap_err().to_string();
        assert_eq!(found, wanted);
    }
}

#[test]
fn headers_that_say_what_the_standard_does_not_have_are_judged_by_a_full_decoder() {
    let good = flat(SQUARES, (64, 48), 0).jpeg();
    let at = |marker: u8| good.windows(2).position(|pair| pair == [0xff, marker]).unwrap();
    let mut broken = Vec::new();
    // Numbers of 24 bits, a table that is neither of first nor of other coefficients, and bytes behind the last component.
    broken.push(good.clone());
    broken[0][at(0xdb) + 4] = 0x20;
    broken[0][at(0xdb) + 3] = 3 + 128;
    broken[0].splice(at(0xdb) + 5..at(0xdb) + 5, [1; 64]);
    broken.push(good.clone());
    let mut tables = standard_tables();
    tables[4] = 0x20;
    broken[1].splice(at(0xda)..at(0xda), [standard_tables(), tables].concat());
    broken.push(good.clone());
    broken[2][at(0xc0) + 3] += 1;
    broken[2].insert(at(0xc0) + 19, 0);
    for broken in broken {
        let wanted = Decoder::default().decode(frame((64, 48), broken.clone())).unwrap_err().to_string();
        let found = of_network((8, 6)).picture(frame((64, 48), broken)).map(|_| ()).unwrap_err().to_string();
        assert_eq!(found, wanted);
    }
}

#[test]
fn fill_bytes_before_markers_and_quantisers_of_16_bits_change_nothing() {
    let sketch = flat(PAIRS, (64, 32), 3);
    let jpeg = sketch.jpeg();
    let mut decoder = of_network((8, 4));
    let wanted = smaller(&mut decoder, frame((64, 32), jpeg.clone()));
    assert!(wanted.is_some());
    let mut filled = Vec::new();
    for (at, byte) in jpeg.iter().enumerate() {
        // Every marker but the one that has to be the first two bytes.
        if at > 1 && *byte == 0xff && jpeg[at + 1] != 0 {
            filled.extend([0xff; 3]);
        }
        filled.push(*byte);
    }
    assert_eq!(smaller(&mut decoder, frame((64, 32), filled)), wanted);
    let mut wide = jpeg.clone();
    let quantisers_at = jpeg.windows(2).position(|pair| pair == [0xff, 0xdb]).unwrap();
    wide.splice(quantisers_at + 3..quantisers_at + 69, [[3 + 128, 0x10].as_slice(), &[0, 1].repeat(64)].concat());
    assert_eq!(smaller(&mut decoder, frame((64, 32), wide)), wanted);
}

/// The segments of the standard's tables, as a file has them.
fn standard_tables() -> Vec<u8> {
    let mut jpeg = Vec::new();
    JpegEncoder::new(&mut jpeg).encode_image(&RgbImage::new(8, 8)).unwrap();
    let (mut tables, mut at) = (Vec::new(), 2);
    while let Some(segment) = crate::decode::mjpeg::Segment::at(&jpeg, at) {
        if segment.marker == 0xc4 {
            tables.extend_from_slice(&jpeg[at..segment.end]);
        }
        at = segment.end;
    }
    tables
}

#[test]
fn a_frame_that_was_cut_short_is_damaged_wherever_it_was_cut() {
    let sketch = flat(PAIRS, (64, 32), 0);
    let whole = sketch.jpeg();
    let scan_at = whole.windows(2).position(|marker| marker == [0xff, 0xda]).unwrap();
    let mut decoder = of_network((8, 4));
    for length in 0..whole.len() - 2 {
        assert!(decoder.picture(frame((64, 32), whole[..length].to_vec())).is_err(), "{length}");
        // Also with an end.
        if length > scan_at + 14 && length + 3 < whole.len() {
            let cut = [&whole[..length], &[0xff, 0xd9]].concat();
            let problem = match decoder.picture(frame((64, 32), cut)) {
                Err(DecodeError::Mjpeg { problem, .. }) => problem,
                other => panic!("{length} of {}: {other:?}", whole.len()),
            };
            assert!(problem.starts_with("its data"), "{problem}");
        }
    }
}

#[test]
fn restarts_that_are_missing_or_too_many_are_damage() {
    for restart_interval in [1, 3] {
        let mut found = flat(PAIRS, (64, 32), restart_interval).jpeg();
        let interval_at = found.windows(2).position(|marker| marker == [0xff, 0xdd]).unwrap() + 5;
        // Another interval than that of the data.
        found[interval_at] = 2;
        let error = of_network((8, 4)).picture(frame((64, 32), found)).unwrap_err();
        assert!(error.to_string().contains("restart marker"), "{error}");
    }
}

#[test]
fn frames_of_one_size_take_no_memory_after_the_first() {
    let sketch = flat(PAIRS, (64, 32), 0);
    let mut decoder = of_network((8, 4));
    let (first, second) = (frame((64, 32), sketch.jpeg()), frame((64, 32), sketch.jpeg()));
    decoder.picture(first).unwrap();
    let counted = allocation_counter::measure(|| {
        decoder.picture(second).unwrap();
    });
    assert_eq!(counted.count_total, 0);
}

#[test]
fn a_few_bytes_that_claim_to_be_a_large_picture_are_found_out_soon() {
    let mut sketch = flat(PAIRS, (64, 32), 0);
    sketch.size_px = (16_384, 16_384);
    let started = std::time::Instant::now();
    let error = of_network((8, 4)).picture(frame(sketch.size_px, sketch.jpeg())).unwrap_err();
    assert!(error.to_string().ends_with("its data is cut short"), "{error}");
    assert!(started.elapsed().as_secs() < 5);
}
