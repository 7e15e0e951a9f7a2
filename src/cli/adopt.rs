//! `oodwatch adopt`: a package of a network that somebody else trained, from its ONNX file.

use std::path::{Path, PathBuf};

use oodwatch::adopt::{self, AdoptError, Adopted, Axes, Preprocessing, Request};
use oodwatch::onnx;
use oodwatch::package::{self, Color, InputSpec, Resize};

use super::exit::CliError;
use super::lines;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  oodwatch adopt --onnx resnet18.onnx --list\n  \
    oodwatch adopt --onnx resnet18.onnx --classes imagenet.txt --resize center_crop \\\n    \
    --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --out my-network\n  \
    oodwatch calibrate --model my-network --from PICTURES --false-alarm-rate 0.01 --out my-package\n\n\
    A wrong --scale, --mean, --std or --color breaks nothing visibly and spoils everything: take them from the code \
    that trained the network. They stand in the order of the network's own colours.")]
pub(crate) struct Arguments {
    /// The network: a classifier, in one ONNX file
    #[arg(long, value_name = "FILE")]
    onnx: PathBuf,
    /// List the network's tensors with operator, name and shape, and what would be taken for logits and features
    #[arg(long, conflicts_with_all = ["out", "classes", "features", "logits"])]
    list: bool,
    /// Tensor with the features, [N, C], or a map [N, C, H, W] [default: the input of the last layer before the logits]
    #[arg(long, value_name = "TENSOR")]
    features: Option<String>,
    /// Tensor with the logits, [N, K] [default: the network's output, or what its Softmax is made of]
    #[arg(long, value_name = "TENSOR")]
    logits: Option<String>,
    /// Class names in the order of the logits: a file with one per line, or a,b,c
    #[arg(long, value_name = "FILE|A,B,C", required_unless_present = "list")]
    classes: Option<String>,
    #[command(flatten)]
    preprocessing: Flags,
    /// Folder of the new package
    #[arg(long, value_name = "PKG", required_unless_present = "list")]
    out: Option<PathBuf>,
    /// Replace the package at --out
    #[arg(long)]
    force: bool,
}

/// From a picture to the network's input.
#[derive(Debug, clap::Args)]
struct Flags {
    /// TOML file with the keys width, height, resize, color, layout, scale, mean, std; flags win over it
    #[arg(long, value_name = "FILE")]
    preprocess: Option<PathBuf>,
    /// Width of the input in pixels [default: as the network says]
    #[arg(long, value_name = "PIXELS")]
    width: Option<u32>,
    /// Height of the input in pixels [default: as the network says]
    #[arg(long, value_name = "PIXELS")]
    height: Option<u32>,
    /// What happens to a picture of another size: stretch or center_crop [default: stretch]
    #[arg(long, value_name = "HOW", value_parser = named::<Resize>)]
    resize: Option<Resize>,
    /// Order of the network's colours: rgb or bgr [default: rgb]
    #[arg(long, value_name = "ORDER", value_parser = named::<Color>)]
    color: Option<Color>,
    /// Order of the input's axes: nchw or nhwc [default: by where its 3 channels are]
    #[arg(long, value_name = "ORDER", value_parser = named::<Axes>)]
    layout: Option<Axes>,
    /// Multiplies every 8-bit value: a number, or a fraction as 1/255 [default: 1/255]
    #[arg(long, value_name = "X", value_parser = fraction, allow_hyphen_values = true)]
    scale: Option<f32>,
    /// Subtracted after scaling: one number, or one per channel [default: 0]
    #[arg(long, value_name = "A,B,C", value_parser = per_channel, allow_hyphen_values = true)]
    mean: Option<PerChannel>,
    /// Divided by last: one number, or one per channel [default: 1]
    #[arg(long, value_name = "A,B,C", value_parser = per_channel)]
    std: Option<PerChannel>,
}

/// One number for each of the three channels.
#[derive(Debug, Clone, Copy)]
struct PerChannel([f32; 3]);

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let preprocessing = arguments.preprocessing.read()?;
    if let (false, Some(out)) = (arguments.list, &arguments.out) {
        package::check_place(out, arguments.force)?;
        return make(arguments, preprocessing, out);
    }
    let bytes = onnx::read(&arguments.onnx).map_err(AdoptError::from)?;
    for tensor in adopt::list(&bytes, &preprocessing)? {
        let role = tensor.role.map(|role| format!("  <- {role}")).unwrap_or_default();
        lines::text(&format!("{:<20} {:<40} {}{role}", tensor.op, tensor.kind, tensor.name))?;
    }
    Ok(())
}

fn make(arguments: &Arguments, preprocessing: Preprocessing, out: &Path) -> anyhow::Result<()> {
    let request = Request {
        file: arguments.onnx.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        logits: arguments.logits.clone(),
        features: arguments.features.clone(),
        classes: classes(arguments.classes.as_deref().unwrap_or_default())?,
        preprocessing,
    };
    let bytes = onnx::read(&arguments.onnx).map_err(AdoptError::from)?;
    let adopted = adopt::adopt(&bytes, &request)?;
    let save = if arguments.force { package::replace } else { package::write };
    let Adopted { model_onnx, manifest, calibration, golden, .. } = &adopted;
    let id = save(out, model_onnx, manifest.clone(), calibration, golden)?;
    tell(&adopted, out, &id)
}

/// What was found, so that the user can see whether it is what he meant.
fn tell(adopted: &Adopted, out: &Path, id: &str) -> anyhow::Result<()> {
    let Adopted { manifest, golden, logits, features, .. } = adopted;
    lines::text(&format!("input     {}", input_words(&manifest.input)))?;
    let (classes, channels) = (manifest.class_count(), manifest.output.features);
    lines::text(&format!("logits    [N, {classes}] {:?}: {}", logits.tensor, logits.reason))?;
    lines::text(&format!("features  [N, {channels}] {:?}: {}", features.tensor, features.reason))?;
    lines::text(&match adopted.head_difference {
        Some(difference) => {
            format!(
                "head      [{classes}, {channels}], largest |W z + b - logits| {difference:.1e} on the golden pictures"
            )
        }
        None => {
            "head      none: the logits are not W z + b of these features with stored f32 weights; scores that need \
                 the head will be refused"
                .into()
        }
    })?;
    lines::text(&match (&adopted.map, manifest.output.local) {
        (Some(map), Some(local)) => {
            format!(
                "local     {}x{} norms and logits of the map {map:?}, whose mean the features are",
                local.height, local.width
            )
        }
        _ => "local     none: it takes a head, and features that are the mean of a map".into(),
    })?;
    lines::text(&format!("classes   {}", shortened(&manifest.classes)))?;
    lines::text(&format!("golden    {} synthetic pictures", golden.count()))?;
    lines::text(&format!("package   {} {id}", out.display()))?;
    lines::text(&format!(
        "next      oodwatch calibrate --model {} --from YOUR-PICTURES --false-alarm-rate 0.01 --out CALIBRATED-PKG",
        out.display()
    ))
}

fn input_words(input: &InputSpec) -> String {
    let InputSpec { name, width, height, resize, color, scale, mean, std, .. } = input;
    format!(
        "{name:?} {width}x{height} pixels, {resize:?}, {color:?}, (x * {scale} - {mean:?}) / {std:?}; check that \
         against the training code"
    )
}

fn shortened(classes: &[String]) -> String {
    match classes {
        [first, second, .., last] if classes.len() > 8 => {
            format!("{} of them: {first}, {second}, ..., {last}", classes.len())
        }
        all => all.join(", "),
    }
}

/// The names in a file, one per line, or between commas.
fn classes(text: &str) -> Result<Vec<String>, CliError> {
    let path = Path::new(text);
    let names = if path.is_file() {
        std::fs::read_to_string(path).map_err(|error| CliError::Usage(format!("{text}: cannot be read: {error}")))?
    } else if text.contains(',') {
        text.replace(',', "\n")
    } else {
        let problem = format!("--classes {text:?} is no file, and no names between commas");
        return Err(CliError::Usage(problem));
    };
    let names: Vec<String> = names.lines().map(|name| name.trim().to_owned()).collect();
    match names.iter().position(String::is_empty) {
        Some(index) => Err(CliError::Usage(format!("--classes {text:?}: name {} is empty", index + 1))),
        None => Ok(names),
    }
}

impl Flags {
    fn read(&self) -> Result<Preprocessing, CliError> {
        let flags = Preprocessing {
            width: self.width,
            height: self.height,
            resize: self.resize,
            color: self.color,
            layout: self.layout,
            scale: self.scale,
            mean: self.mean.map(|mean| mean.0),
            std: self.std.map(|std| std.0),
        };
        let Some(path) = &self.preprocess else { return Ok(flags) };
        let wrong = |problem: &dyn std::fmt::Display| CliError::Usage(format!("{}: {problem}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        Ok(flags.or(toml::from_str(&text).map_err(|error| wrong(&error))?))
    }
}

/// A value by the name that it has in TOML.
fn named<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    T::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text))
        .map_err(|error| error.to_string())
}

fn fraction(text: &str) -> Result<f32, String> {
    let number = |text: &str| text.trim().parse::<f32>().map_err(|_| format!("{text:?} is no number"));
    match text.split_once('/') {
        Some((above, below)) => Ok(number(above)? / number(below)?),
        None => number(text),
    }
}

fn per_channel(text: &str) -> Result<PerChannel, String> {
    let numbers: Vec<f32> = text.split(',').map(fraction).collect::<Result<_, _>>()?;
    match numbers[..] {
        [all] => Ok(PerChannel([all; 3])),
        [a, b, c] => Ok(PerChannel([a, b, c])),
        _ => Err(format!("{} numbers, wanted 1 or 3", numbers.len())),
    }
}
