//! `oodwatch-export quantize`: a package in 8-bit integers or half precision of one in f32.

use std::path::PathBuf;

use anyhow::bail;
use oodwatch::calibrate::Target;
use oodwatch::score::ScoreName;
use oodwatch_export::pictures::Half;
use oodwatch_export::quantize::{Format, Layout, QuantizeOptions, RangeRule, quantize};

use super::data_source;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    oodwatch-export quantize --model models/cifar10-resnet20 --precision int8 --for cpu \\\n      \
    --calibration .deps/cifar10/test_batch.bin --out resnet20-int8\n  \
    oodwatch-export quantize --model models/cifar10-resnet20 --precision fp16 \\\n      \
    --calibration .deps/cifar10/test_batch.bin --out resnet20-fp16\n  \
    oodwatch-export quantize --model my-package --precision int8 --for tensorrt --fit pictures/train \\\n      \
    --calibration pictures/held-out --half all --out my-int8-package\n\n\
    The head stays in f32, and so does what the scores read; scores are fitted and thresholds set anew. Give the pictures that the\n\
    package was calibrated on, or others of what it knows; docs/QUANTISATION.md says what came of it.")]
pub(crate) struct Quantize {
    /// Folder of the package in f32
    #[arg(long, value_name = "PKG")]
    model: PathBuf,
    /// What the network is to be computed in
    #[arg(long, value_enum)]
    precision: Precision,
    /// Who is to compute in 8-bit integers
    #[arg(long = "for", value_enum, value_name = "PROVIDER", required_if_eq("precision", "int8"))]
    layout: Option<Layout>,
    /// Folder of the new package
    #[arg(long, value_name = "PKG")]
    out: PathBuf,
    /// ID pictures that set the thresholds, never trained on: CIFAR files or one folder
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    calibration: Vec<PathBuf>,
    /// Which of the calibration pictures
    #[arg(long, value_enum, default_value_t = Half::Validation)]
    half: Half,
    /// ID pictures with their classes that ranges are taken from and scores are fitted on: CIFAR files, or one folder with a
    /// sub-folder per class [default: the training pictures that the package names]
    #[arg(long, value_name = "PATH", num_args = 1..)]
    fit: Vec<PathBuf>,
    /// Take ranges from so many of them, evenly spread
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..))]
    range_pictures: u32,
    /// How the range of a tensor follows from its values: beyond it they are clipped
    #[arg(long, value_enum, default_value_t = RangeRule::default())]
    ranges: RangeRule,
    /// A score to calibrate, may be given several times [default: those of the package]
    #[arg(long = "score", value_name = "NAME")]
    scores: Vec<ScoreName>,
    /// Share of ID frames that may be flagged, in (0, 1) [default: for each score that of the package]
    #[arg(long, value_name = "A")]
    false_alarm_rate: Option<f64>,
    /// Keep the realised rate at or below --false-alarm-rate with this probability, instead of on average
    #[arg(long, value_name = "C", requires = "false_alarm_rate")]
    confidence: Option<f64>,
    /// Replace a package that is already there
    #[arg(long)]
    force: bool,
}

/// Number formats that a package can be brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Precision {
    /// 8-bit integers
    Int8,
    /// Half precision
    Fp16,
}

impl Quantize {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let format = match (self.precision, self.layout) {
            (Precision::Int8, Some(layout)) => Format::Int8(layout),
            (Precision::Int8, None) => bail!("--for is missing: cpu or tensorrt"),
            (Precision::Fp16, None) => Format::Fp16,
            (Precision::Fp16, Some(_)) => {
                bail!("--for goes with --precision int8; halves are laid out one way for all")
            }
        };
        let confidence = self.confidence;
        let target = self.false_alarm_rate.map(|rate| Target { rate, confidence }.check()).transpose()?;
        let Some(calibration) = data_source(self.calibration) else { bail!("--calibration is missing") };
        let options = QuantizeOptions {
            format,
            calibration,
            half: self.half,
            fit: data_source(self.fit),
            range_pictures: self.range_pictures as usize,
            ranges: self.ranges,
            scores: self.scores,
            target,
            force: self.force,
        };
        let done = quantize(&self.model, &self.out, &options)?;
        let [before, after] = done.bytes;
        log::info!("quantize: package {} in {}", done.id, self.out.display());
        log::info!("quantize: {} layers; model.onnx has {after} bytes, {before} before", done.layers);
        if !done.left.is_empty() {
            log::warn!("quantize: weights that are no stored f32 stay as they are: {}", done.left.join(", "));
        }
        let difference = done.difference;
        log::info!(
            "quantize: on {} calibration pictures features differ by {:.2} %, logits by {:.2} % (root mean square), {:.2} % of the \
             pictures are in the same class",
            difference.pictures,
            100.0 * difference.features,
            100.0 * difference.logits,
            100.0 * difference.same_class
        );
        log::info!("quantize: golden outputs are held to {:.1e}", done.tolerance);
        if let Some(accuracy) = done.accuracy {
            log::info!("quantize: ID accuracy {:.2} %", 100.0 * accuracy);
        }
        Ok(())
    }
}
