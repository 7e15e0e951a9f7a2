//! Times preprocessing of raw frames for `benches/peers/preprocess.py`: for each line `FILE FORMAT WIDTH HEIGHT SIDE RUNS` on stdin, prints
//! how many microseconds one run takes, of so many in a row.

use std::hint::black_box;
use std::io::{self, Write};
use std::time::Instant;

use anyhow::{Context, bail};
use oodwatch::decode::{Encoding, Matrix, PixelFormat, Range, RawFrame, RawLayout};
use oodwatch::package::{Color, DType, InputSpec, Layout, Resize};
use oodwatch::preprocess::Preprocessor;

const ENCODING: Encoding = Encoding { matrix: Matrix::Bt601, range: Range::Limited };

fn main() -> anyhow::Result<()> {
    for line in io::stdin().lines() {
        println!("{:.3}", microseconds(&line?)?);
        io::stdout().flush()?;
    }
    Ok(())
}

fn microseconds(line: &str) -> anyhow::Result<f64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [file, format, width, height, side, runs] = words[..] else { bail!("{line:?}, wanted six words") };
    let code = format.as_bytes().try_into().context("wanted a code of four letters")?;
    let format = PixelFormat::from_fourcc(code).with_context(|| format!("{format} is not known"))?;
    let layout = RawLayout::new(format, (width.parse()?, height.parse()?), 0, ENCODING)?;
    let frame = RawFrame { layout, bytes: std::fs::read(file)?.into() };
    let mut preprocessor = Preprocessor::new(&spec(side.parse()?))?;
    preprocessor.run_raw(&frame)?;
    let (started, runs) = (Instant::now(), runs.parse::<u32>()?);
    for _ in 0..runs {
        black_box(preprocessor.run_raw(black_box(&frame))?);
    }
    Ok(started.elapsed().as_secs_f64() * 1e6 / f64::from(runs))
}

fn spec(side: u32) -> InputSpec {
    InputSpec {
        name: "input".into(),
        dtype: DType::Float32,
        layout: Layout::Nchw,
        width: side,
        height: side,
        resize: Resize::Stretch,
        color: Color::Rgb,
        scale: 1.0 / 255.0,
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
    }
}
