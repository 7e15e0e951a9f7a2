//! The graph's input: what it takes, and what has to happen so that it takes what every package's network takes,
//! batches of f32 pictures [N, 3, H, W].
//!
//! A graph that wants its colours last, bytes, or half precision gets a Transpose and a Cast in front. A batch axis
//! that was fixed to one picture is set free; whether the network then still computes the same is found out by
//! running it.

use serde::Deserialize;

use super::AdoptError;
use crate::onnx::proto::{DataType, Extent, ValueInfoProto};
use crate::onnx::rewrite::Changes;
use crate::onnx::{Graph, Names, build};
use crate::package::{Color, DType, InputSpec, Layout, Resize};

/// How a picture becomes the network's input, as far as the caller says. What is left out comes from the graph
/// (size) or is the usual: stretch, RGB, scale 1/255, mean 0, std 1.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// Width of the input in pixels.
    pub width: Option<u32>,
    /// Height of the input in pixels.
    pub height: Option<u32>,
    /// What happens to a picture of another size.
    pub resize: Option<Resize>,
    /// Order of the network's colour channels.
    pub color: Option<Color>,
    /// Order of the axes of the network's input.
    pub layout: Option<Axes>,
    /// Multiplies every 8-bit value.
    pub scale: Option<f32>,
    /// Per-channel mean, subtracted after scaling.
    pub mean: Option<[f32; 3]>,
    /// Per-channel standard deviation, divided by last.
    pub std: Option<[f32; 3]>,
}

/// Order of the axes of somebody else's input. A package's own network always has [`Axes::Nchw`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axes {
    /// Image, channel, row, column.
    Nchw,
    /// Image, row, column, channel; what TensorFlow exports.
    Nhwc,
}

impl Preprocessing {
    /// What is said here, and for the rest what `other` says.
    pub fn or(self, other: Self) -> Self {
        Self {
            width: self.width.or(other.width),
            height: self.height.or(other.height),
            resize: self.resize.or(other.resize),
            color: self.color.or(other.color),
            layout: self.layout.or(other.layout),
            scale: self.scale.or(other.scale),
            mean: self.mean.or(other.mean),
            std: self.std.or(other.std),
        }
    }
}

/// What the graph's input is.
pub(super) struct Input {
    /// Its name in the file.
    name: String,
    element: DataType,
    axes: Axes,
    /// Whether the file fixes the number of pictures.
    pub(super) fixed_batch: bool,
    /// Whether the file already declares what a package declares.
    as_wanted: bool,
    /// The adopted network's input; its name is filled in by [`Input::change`].
    pub(super) spec: InputSpec,
}

/// Looks at the graph's input and holds the caller's words against it.
pub(super) fn find(graph: &Graph<'_>, wanted: &Preprocessing) -> Result<Input, AdoptError> {
    let [(name, body)] = graph.inputs[..] else {
        let names: Vec<&str> = graph.inputs.iter().map(|(name, _)| *name).collect();
        let problem = format!("the graph has {} inputs, wanted one that takes a picture", names.len());
        return Err(AdoptError::Input { name: names.join(", "), problem });
    };
    let wrong = |problem: String| AdoptError::Input { name: name.into(), problem };
    let (element, extents) = declared(&graph.input_type(body)?).map_err(wrong)?;
    let axes = axes(extents, wanted.layout).map_err(wrong)?;
    let [batch, rows, columns] = match axes {
        Axes::Nchw => [extents[0], extents[2], extents[3]],
        Axes::Nhwc => [extents[0], extents[1], extents[2]],
    };
    let height = size("--height", rows, wanted.height).map_err(wrong)?;
    let width = size("--width", columns, wanted.width).map_err(wrong)?;
    let as_wanted = element == DataType::Float && axes == Axes::Nchw;
    Ok(Input {
        name: name.into(),
        element,
        axes,
        fixed_batch: batch.is_some(),
        as_wanted: as_wanted && batch.is_none() && extents[1].is_some() && rows.is_some() && columns.is_some(),
        spec: spec(element, width, height, wanted)?,
    })
}

/// Element type and extents; an extent that the file leaves free is `None`.
fn declared(value: &ValueInfoProto) -> Result<(DataType, [Option<u64>; 4]), String> {
    let tensor = value.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let number = tensor.and_then(|tensor| tensor.elem_type).unwrap_or(0);
    let element = match DataType::try_from(number) {
        Ok(element @ (DataType::Float | DataType::Float16 | DataType::Uint8)) => element,
        _ => return Err(format!("its element type is number {number} of ONNX, wanted float32, float16 or uint8")),
    };
    let Some(shape) = tensor.and_then(|tensor| tensor.shape.as_ref()) else {
        return Ok((element, [None; 4]));
    };
    let extents: Vec<Option<u64>> = shape.dim.iter().map(|dim| fixed(dim.value.as_ref())).collect();
    let found = extents.len();
    extents.try_into().map(|extents| (element, extents)).map_err(|_| format!("it has {found} axes, wanted 4"))
}

/// Exporters write 0 or -1 where they mean a free extent.
fn fixed(extent: Option<&Extent>) -> Option<u64> {
    match extent {
        Some(Extent::Fixed(extent)) => u64::try_from(*extent).ok().filter(|extent| *extent > 0),
        _ => None,
    }
}

fn axes(extents: [Option<u64>; 4], wanted: Option<Axes>) -> Result<Axes, String> {
    let axes = wanted.unwrap_or(match extents {
        [_, Some(3), _, _] => Axes::Nchw,
        [_, _, _, Some(3)] => Axes::Nhwc,
        _ => Axes::Nchw,
    });
    let channels = match axes {
        Axes::Nchw => extents[1],
        Axes::Nhwc => extents[3],
    };
    match channels {
        Some(3) | None => Ok(axes),
        Some(channels) => Err(format!(
            "it takes {channels} channels, wanted 3: red, green and blue (say --layout nhwc if its channels come last)"
        )),
    }
}

fn size(flag: &str, declared: Option<u64>, wanted: Option<u32>) -> Result<u32, String> {
    let too_large = |extent: u64| u32::try_from(extent).map_err(|_| format!("{extent} pixels are too many"));
    match (declared, wanted) {
        (None, None) => Err(format!("it takes any size; say with {flag} which one")),
        (None, Some(wanted)) => Ok(wanted),
        (Some(declared), None) => too_large(declared),
        (Some(declared), Some(wanted)) if declared == u64::from(wanted) => Ok(wanted),
        (Some(declared), Some(wanted)) => Err(format!("{flag} is {wanted}, but it takes {declared}")),
    }
}

fn spec(element: DataType, width: u32, height: u32, wanted: &Preprocessing) -> Result<InputSpec, AdoptError> {
    let bytes = element == DataType::Uint8;
    let spec = InputSpec {
        name: String::new(),
        dtype: DType::Float32,
        layout: Layout::Nchw,
        width,
        height,
        resize: wanted.resize.unwrap_or(Resize::Stretch),
        color: wanted.color.unwrap_or(Color::Rgb),
        scale: wanted.scale.unwrap_or(if bytes { 1.0 } else { 1.0 / 255.0 }),
        mean: wanted.mean.unwrap_or([0.0; 3]),
        std: wanted.std.unwrap_or([1.0; 3]),
    };
    check(&spec, bytes)?;
    Ok(spec)
}

fn check(spec: &InputSpec, bytes: bool) -> Result<(), AdoptError> {
    let wrong = |flag, found: String, wanted| Err(AdoptError::Preprocessing { flag, found, wanted });
    if !(1..=8192).contains(&spec.width) || !(1..=8192).contains(&spec.height) {
        return wrong("the input's size", format!("{}x{}", spec.width, spec.height), "1x1 to 8192x8192");
    }
    if !(spec.scale.is_finite() && spec.scale != 0.0) {
        return wrong("--scale", spec.scale.to_string(), "a number other than 0");
    }
    if !spec.mean.iter().all(|mean| mean.is_finite()) {
        return wrong("--mean", format!("{:?}", spec.mean), "three numbers");
    }
    if !spec.std.iter().all(|std| std.is_finite() && *std > 0.0) {
        return wrong("--std", format!("{:?}", spec.std), "three positive numbers");
    }
    if bytes && (spec.scale, spec.mean, spec.std) != (1.0, [0.0; 3], [1.0; 3]) {
        return wrong("--scale, --mean or --std", "given".into(), "none: the network takes bytes (uint8) as they are");
    }
    Ok(())
}

impl Input {
    /// Adds what makes the network take f32 pictures [N, 3, H, W], and settles the input's name.
    pub(super) fn change(&mut self, names: &mut Names, changes: &mut Changes) {
        let inner = changes.name(&self.name).to_owned();
        let extents = self.spec.chw();
        changes.forget_shapes = self.fixed_batch;
        if self.as_wanted {
            self.spec.name = inner;
            return;
        }
        let mut steps = Vec::new();
        if self.axes == Axes::Nhwc {
            steps.push(("Transpose", build::integers("perm", &[0, 2, 3, 1])));
        }
        if self.element != DataType::Float {
            steps.push(("Cast", build::integer("to", i64::from(i32::from(self.element)))));
        }
        let outer = if steps.is_empty() { inner.clone() } else { names.fresh("oodwatch.input") };
        let mut from = outer.clone();
        let last = steps.len();
        for (index, (op, attribute)) in steps.into_iter().enumerate() {
            let to = if index + 1 == last { inner.clone() } else { names.fresh("oodwatch.turned") };
            changes.first.push(build::node(op, &[&from], &to, vec![attribute]));
            from = to;
        }
        changes.input = Some((self.name.clone(), build::batch_of(&outer, &extents)));
        self.spec.name = outer;
    }
}
