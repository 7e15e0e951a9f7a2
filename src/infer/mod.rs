//! Runs the network through ONNX Runtime.
//!
//! Opening a network compares its inputs and outputs with its manifest, once; [`Network::run`] and [`Network::run_one`] then trust them.
//! The first takes any number of pictures and gives what it owns; the second takes one, in memory that is used again for the next.

mod library;
mod options;
mod outputs;
mod placement;
mod prepared;
mod probe;
mod provider;
mod single;

use std::path::{Path, PathBuf};

use ndarray::ArrayView4;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{TensorElementType, TensorRef, ValueType};

use crate::onnx::proto::DataType;
use crate::onnx::{Model, OnnxError};
use crate::package::{InputSpec, MODEL_FILE, Manifest, OutputSpec, Package, PackageError};

pub use library::{LIBRARY_VARIABLE, Runtime, runtime};
use options::Shapes;
pub use options::{CpuConfig, CudaConfig, Precision, ProviderOptions, TensorRtConfig, XnnpackConfig};
pub use outputs::NetworkOutputs;
pub(crate) use outputs::row;
pub use placement::{Placement, placement};
pub use prepared::PreparedNetwork;
use prepared::{Verified, unusable};
pub use probe::Probe;
pub use provider::{ExecutionProvider, UnknownProvider};
pub use single::OneImage;
use single::Single;

/// Why a network could not be opened or run.
#[derive(Debug, thiserror::Error)]
pub enum InferError {
    /// ONNX Runtime is not there, or is too old.
    #[error(
        "ONNX Runtime cannot be loaded from {}: {problem}\nget it with `cargo xtask fetch onnxruntime`, as \
         .deps/onnxruntime/libonnxruntime.so, or from the PyPI wheel \
         `onnxruntime` (capi/libonnxruntime.so.*), version 1.17 or newer; then put it beside the program as \
         libonnxruntime.so or name it in ORT_DYLIB_PATH", path.display()
    )]
    Library {
        /// Where it was looked for.
        path: PathBuf,
        /// What the loader said.
        problem: String,
    },
    /// The execution provider is not part of this ONNX Runtime.
    #[error("execution provider {provider} is not in this ONNX Runtime; use a build that has it, or ask for cpu")]
    ProviderMissing {
        /// The one asked for.
        provider: ExecutionProvider,
    },
    /// The execution provider is there but does not start.
    #[error("execution provider {provider} does not start: {source}")]
    ProviderFailed {
        /// The one asked for.
        provider: ExecutionProvider,
        /// ONNX Runtime's word on it.
        source: ort::Error,
    },
    /// The execution providers that were asked for cannot do all of the network.
    #[error(
        "execution providers {providers} cannot do all of the network, and cpu is not among them; add \"cpu\" to \
         [model] execution_providers to let the processor do the rest (`oodwatch check` then says how much that is); \
         ONNX Runtime says: {source}"
    )]
    Partial {
        /// Those asked for.
        providers: String,
        /// ONNX Runtime's word on it.
        source: ort::Error,
    },
    /// Integers were asked for, and the network has none.
    #[error(
        "model.tensorrt.precision is int8, and model.onnx has no QuantizeLinear and DequantizeLinear nodes; only a \
         network that was quantised (QDQ) runs in int8, as `oodwatch-export quantize` makes them"
    )]
    NotQuantised,
    /// What ONNX Runtime wrote down about a run cannot be read.
    #[error("ONNX Runtime's profile of a run: {0}")]
    Profile(String),
    /// More threads than any processor core could serve.
    #[error("{found} threads are too many: this machine has {cores} processor cores")]
    Threads {
        /// Threads asked for.
        found: usize,
        /// Cores there are.
        cores: usize,
    },
    /// No execution provider was named.
    #[error("no execution provider is named; wanted at least one of cpu, xnnpack, cuda, tensorrt")]
    NoProvider,
    /// ONNX Runtime cannot read the network.
    #[error("model.onnx: ONNX Runtime cannot open it: {0}")]
    Model(ort::Error),
    /// ONNX Runtime cannot write what it made of the network.
    #[error(
        "{}: ONNX Runtime cannot write its optimised network (which may have 2 GiB at most, as every file of its form): {source}",
        path.display()
    )]
    NotWritten {
        /// Where it was to go.
        path: PathBuf,
        /// ONNX Runtime's word on it.
        source: ort::Error,
    },
    /// A prepared network is not what was written, or cannot be opened.
    #[error("prepared network {}: {problem}; `oodwatch build-engine` with the same config and package makes it anew", path.display())]
    Prepared {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An input or output of the network is missing.
    #[error("model.onnx: {kind} {name:?} missing; it has {present}")]
    Missing {
        /// `input` or `output`.
        kind: &'static str,
        /// The missing name.
        name: String,
        /// The names there are.
        present: String,
    },
    /// An input or output of the network has another shape than the manifest says.
    #[error("model.onnx: {kind} {name:?} is {found}, manifest.toml wants {wanted}")]
    Shape {
        /// `input` or `output`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Its type and shape.
        found: String,
        /// The type and shape of the manifest; N is a free axis.
        wanted: String,
    },
    /// A batch that does not fit the network.
    #[error("batch is {found:?}, the network takes [N, {}, {}, {}]", wanted[0], wanted[1], wanted[2])]
    Batch {
        /// Shape of the batch.
        found: Vec<usize>,
        /// Channels, height, width of the network's input.
        wanted: [usize; 3],
    },
    /// The package's file of the network cannot be used.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The network's weights lie in files that the package does not know.
    #[error("{MODEL_FILE}: {0}")]
    Onnx(#[from] OnnxError),
    /// ONNX Runtime failed while working.
    #[error("ONNX Runtime: {0}")]
    Runtime(ort::Error),
}

impl InferError {
    /// Whether the package is to blame, rather than this machine or its ONNX Runtime.
    pub fn blames_package(&self) -> bool {
        matches!(self, Self::Package(_) | Self::Onnx(_) | Self::Model(_) | Self::Missing { .. } | Self::Shape { .. })
    }
}

/// How a network is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkOptions {
    /// Wanted first; each must start. ONNX Runtime gives a later one what an earlier one cannot do; the processor gets nothing
    /// unless it is among them.
    pub execution_providers: Vec<ExecutionProvider>,
    /// What each of them is told.
    pub provider_options: ProviderOptions,
    /// Threads inside one inference; 0 leaves one processor core free.
    pub threads: usize,
    /// Cameras that share the network: a TensorRT engine is built for batches of one picture to one of each.
    pub cameras: usize,
    /// Folder in which TensorRT finds its engines and leaves new ones; none keeps nothing.
    pub engines: Option<PathBuf>,
    /// A network that was prepared for this processor; [`Network::open`] opens that instead of the package's, as it is.
    pub prepared: Option<PreparedNetwork>,
    /// Runs every node just as the file has it, without the rewriting by which ONNX Runtime fuses nodes and makes integer kernels of
    /// quantised ones. Slow; shows what another implementation may compute.
    pub as_written: bool,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self {
            execution_providers: vec![ExecutionProvider::Cpu],
            provider_options: ProviderOptions::default(),
            threads: 0,
            cameras: 1,
            engines: None,
            prepared: None,
            as_written: false,
        }
    }
}

impl NetworkOptions {
    /// Number format that the provider wanted first is told to run in.
    pub fn precision(&self) -> Precision {
        match self.execution_providers.first() {
            Some(ExecutionProvider::TensorRt) => self.provider_options.tensorrt.precision,
            _ => Precision::Fp32,
        }
    }

    /// Number format that a network runs in whose file is written in `own`: as [`Network::precision`] of one that is open.
    pub fn runs_in(&self, own: Precision) -> Precision {
        match self.precision() {
            Precision::Fp32 => own,
            told => told,
        }
    }

    /// Most pictures in one batch; none where any number is as good.
    fn largest_batch(&self) -> Option<usize> {
        self.execution_providers.contains(&ExecutionProvider::TensorRt).then_some(self.cameras.max(1))
    }

    fn allows(&self, provider: ExecutionProvider) -> bool {
        self.execution_providers.contains(&provider)
    }

    fn names(&self) -> String {
        self.execution_providers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// An opened network whose shapes are those of its manifest.
pub struct Network {
    session: Session,
    single: Single,
    input: InputSpec,
    output: OutputSpec,
    classes: usize,
    execution_provider: ExecutionProvider,
    precision: Precision,
    options: NetworkOptions,
}

impl Network {
    /// Opens a package's network, which ONNX Runtime reads from its file: its bytes in memory beside what ONNX Runtime makes of
    /// them would be a third of what the program ever needs.
    ///
    /// # Errors
    /// ONNX Runtime or a provider is missing, the file is not the package's, a prepared network not the one that was written, or the
    /// network's shapes disagree with the manifest.
    pub fn open(package: &Package, options: &NetworkOptions) -> Result<Self, InferError> {
        let verified = Verified::of(package, options)?;
        let network = Self::new(verified.onnx(), verified.own, &package.manifest, options)?;
        verified.check_unchanged()?;
        Ok(network)
    }

    /// Opens a network from the bytes of an ONNX file; `manifest` says what it has to look like.
    ///
    /// # Errors
    /// As [`Network::open`].
    pub fn from_onnx(onnx: &[u8], manifest: &Manifest, options: &NetworkOptions) -> Result<Self, InferError> {
        Self::new(Onnx::Bytes(onnx), own_precision(onnx)?, manifest, options)
    }

    fn new(onnx: Onnx<'_>, own: Precision, manifest: &Manifest, options: &NetworkOptions) -> Result<Self, InferError> {
        let execution_provider = *options.execution_providers.first().ok_or(InferError::NoProvider)?;
        let network = Self {
            session: open_session(onnx, own, options, shapes(&manifest.input, options))?,
            single: Single::new(&manifest.input, &manifest.output, manifest.class_count())?,
            input: manifest.input.clone(),
            output: manifest.output.clone(),
            classes: manifest.class_count(),
            execution_provider,
            precision: options.runs_in(own),
            options: options.clone(),
        };
        network.check_inputs()?;
        network.check_outputs()?;
        Ok(network)
    }

    /// The execution provider that was asked for first, and that started.
    pub fn execution_provider(&self) -> ExecutionProvider {
        self.execution_provider
    }

    /// Number format that it runs in: the one that its provider was told, or where that is `fp32`, the file's own.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// How it was asked to run.
    pub fn options(&self) -> &NetworkOptions {
        &self.options
    }

    /// Runs a batch [N, 3, H, W] of preprocessed pictures; N is free.
    ///
    /// # Errors
    /// A batch of another shape, or a failure inside ONNX Runtime.
    pub fn run(&mut self, batch: ArrayView4<'_, f32>) -> Result<NetworkOutputs, InferError> {
        let [channels, height, width] = self.input.chw();
        let count = batch.shape()[0];
        if batch.shape() != [count, channels, height, width] || count == 0 {
            return Err(InferError::Batch { found: batch.shape().to_vec(), wanted: self.input.chw() });
        }
        let contiguous = batch.as_standard_layout();
        let tensor = TensorRef::from_array_view(contiguous.view()).map_err(InferError::Runtime)?;
        let results =
            self.session.run(ort::inputs![self.input.name.as_str() => tensor]).map_err(InferError::Runtime)?;
        outputs::extract(&results, count, self.classes, &self.output)
    }

    /// The input [1, 3, H, W] of [`Self::run_one`], row by row, to be written before it.
    pub fn input_mut(&mut self) -> &mut [f32] {
        self.single.input_mut()
    }

    /// Runs the one preprocessed picture that was written to [`Self::input_mut`]. Takes no memory, ONNX Runtime's own aside.
    ///
    /// # Errors
    /// A failure inside ONNX Runtime.
    pub fn run_one(&mut self) -> Result<OneImage<'_>, InferError> {
        self.single.run(&mut self.session)
    }

    fn check_inputs(&self) -> Result<(), InferError> {
        let [channels, height, width] = self.input.chw().map(|axis| axis as i64);
        check_outlet("input", self.session.inputs(), &self.input.name, &[-1, channels, height, width])
    }

    fn check_outputs(&self) -> Result<(), InferError> {
        let outlets = self.session.outputs();
        let classes = self.classes as i64;
        check_outlet("output", outlets, "logits", &[-1, classes])?;
        check_outlet("output", outlets, "features", &[-1, self.output.features as i64])?;
        if let Some(local) = self.output.local {
            let (height, width) = (local.height as i64, local.width as i64);
            check_outlet("output", outlets, "local_norms", &[-1, height, width])?;
            check_outlet("output", outlets, "local_logits", &[-1, classes, height, width])?;
        }
        Ok(())
    }
}

/// What an engine is built for.
fn shapes<'a>(input: &'a InputSpec, options: &NetworkOptions) -> Shapes<'a> {
    Shapes { input: &input.name, chw: input.chw(), largest_batch: options.largest_batch().unwrap_or(1) }
}

/// Where a network is read from.
#[derive(Clone, Copy)]
enum Onnx<'a> {
    File(&'a Path),
    /// One that ONNX Runtime has optimised before.
    Prepared(&'a Path),
    Bytes(&'a [u8]),
}

fn open_session(
    onnx: Onnx<'_>,
    own: Precision,
    options: &NetworkOptions,
    shapes: Shapes<'_>,
) -> Result<Session, InferError> {
    commit(builder(own, options, shapes)?, onnx, options)
}

/// A session that is set up but has no network yet; `own` is the number format of the one that it gets.
fn builder(own: Precision, options: &NetworkOptions, shapes: Shapes<'_>) -> Result<SessionBuilder, InferError> {
    let threads = threads(options.threads)?;
    if options.precision() == Precision::Int8 && own != Precision::Int8 {
        return Err(InferError::NotQuantised);
    }
    let environment = library::environment()?;
    let runtime = |error: ort::Error<SessionBuilder>| InferError::Runtime(forget_builder(error));
    let mut builder = Session::builder(&environment).map_err(InferError::Runtime)?;
    for provider in &options.execution_providers {
        let dispatch = provider.dispatch(options, threads, shapes, options.engines.as_deref())?;
        builder = builder
            .with_execution_providers([dispatch])
            .map_err(|error| InferError::ProviderFailed { provider: *provider, source: forget_builder(error) })?;
    }
    if !options.allows(ExecutionProvider::Cpu) {
        // Without this, ONNX Runtime gives the processor what no other provider can do, and says nothing.
        builder = builder.with_disable_cpu_fallback().map_err(runtime)?;
    }
    if options.execution_providers == [ExecutionProvider::Cpu] {
        // After the first run, ONNX Runtime would plan one block for all that a run takes, and ask for that beside what its arena has by then:
        // 2 MiB of EfficientNet-Lite0. A run is no faster for it, since the arena gives each piece where the last run had it.
        builder = builder.with_memory_pattern(false).map_err(runtime)?;
    }
    if options.as_written {
        builder = builder.with_optimization_level(GraphOptimizationLevel::Disable).map_err(runtime)?;
    }
    // Spinning threads would take the robot's other programs their processor for microseconds of gain.
    builder.with_intra_threads(threads).map_err(runtime)?.with_intra_op_spinning(false).map_err(runtime)
}

fn commit(mut builder: SessionBuilder, onnx: Onnx<'_>, options: &NetworkOptions) -> Result<Session, InferError> {
    let session = match onnx {
        Onnx::File(path) => builder.commit_from_file(path),
        Onnx::Prepared(path) => {
            let mut as_it_is = builder
                .with_optimization_level(GraphOptimizationLevel::Disable)
                .map_err(|error| InferError::Runtime(forget_builder(error)))?;
            return as_it_is
                .commit_from_file(path)
                .map_err(|source| unusable(path, &format!("ONNX Runtime cannot open it: {source}")));
        }
        Onnx::Bytes(bytes) => builder.commit_from_memory(bytes),
    };
    session.map_err(|source| match options.execution_providers.first() {
        // session_state.cc, since 1.15: "This session contains graph nodes that are assigned to the default CPU EP, but fallback
        // to CPU EP has been explicitly disabled by the user."
        _ if source.message().contains("fallback to CPU EP") => {
            InferError::Partial { providers: options.names(), source }
        }
        Some(provider) if *provider != ExecutionProvider::Cpu => {
            InferError::ProviderFailed { provider: *provider, source }
        }
        _ => InferError::Model(source),
    })
}

/// The number format that a file is written in: integers where it says so by QuantizeLinear and DequantizeLinear, halves where its
/// weights are some, and f32 otherwise. What else may be wrong with the file, ONNX Runtime says better.
///
/// # Errors
/// Weights that lie in other files: ONNX Runtime would read whatever these are.
pub fn own_precision(onnx: &[u8]) -> Result<Precision, InferError> {
    let graph = match Model::parse(onnx) {
        Ok(Model { graph, .. }) => graph,
        Err(error @ OnnxError::ExternalData { .. }) => return Err(error.into()),
        Err(_) => return Ok(Precision::Fp32),
    };
    let has = |op: &str| graph.nodes.iter().any(|node| node.op == op);
    if has("QuantizeLinear") && has("DequantizeLinear") {
        return Ok(Precision::Int8);
    }
    let layers = graph.nodes.iter().filter(|node| matches!(node.op, "Conv" | "Gemm" | "MatMul"));
    let mut weights = layers.filter_map(|node| graph.constant_type(node.inputs.get(1)?).ok().flatten());
    let halves = weights.any(|weight| weight == DataType::Float16 as u64);
    Ok(if halves { Precision::Fp16 } else { Precision::Fp32 })
}

/// An ort error without the session builder that it would hand back.
fn forget_builder<R>(error: ort::Error<R>) -> ort::Error {
    ort::Error::new_with_code(error.code(), error.message())
}

/// 0 leaves one core free. More threads than cores only wait for each other, thousands of them for ever.
fn threads(wanted: usize) -> Result<usize, InferError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    match wanted {
        0 => Ok(cores.saturating_sub(1).max(1)),
        found if found > cores => Err(InferError::Threads { found, cores }),
        wanted => Ok(wanted),
    }
}

/// Axes in words, as ONNX Runtime prints them: the free one is N.
fn axes(shape: &[i64]) -> Vec<String> {
    shape.iter().map(|axis| if *axis == -1 { "N".into() } else { axis.to_string() }).collect()
}

/// Holds one input or output against the manifest; -1 in the network's shape is a free axis and always fits.
fn check_outlet(
    kind: &'static str,
    outlets: &[ort::value::Outlet],
    name: &str,
    wanted: &[i64],
) -> Result<(), InferError> {
    let Some(outlet) = outlets.iter().find(|outlet| outlet.name() == name) else {
        let present: Vec<String> = outlets.iter().map(|outlet| format!("{:?}", outlet.name())).collect();
        return Err(InferError::Missing { kind, name: name.into(), present: present.join(", ") });
    };
    let fits = match outlet.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => {
            shape.len() == wanted.len() && shape.iter().zip(wanted).all(|(have, want)| *have == -1 || have == want)
        }
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(InferError::Shape {
        kind,
        name: name.into(),
        found: outlet.dtype().to_string(),
        wanted: format!("Tensor<f32>({})", axes(wanted).join(", ")),
    })
}

#[cfg(test)]
mod tests;
