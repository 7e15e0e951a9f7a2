//! What the peers run with: programs, packages, frames, the scripts' settings, and who sits on which core.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use oodwatch::calibrate::Criterion;
use oodwatch::package::{Package, sha256_hex};
use serde::Serialize;
use serde_json::json;

use super::footage;
use super::plan::{Camera, Case, Network, Peer};
use super::results::With;
use crate::demo;
use crate::fetch::Fetcher;
use crate::test::python_tag;

/// The score that both sides compute.
const SCORE: &str = "energy";
const SCRIPTS: [&str; 3] = ["peer.py", "in_memory.py", "loop.py"];
/// Where the camera and this program run.
const CAMERA_CORE: usize = 0;

/// Where everything is.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) root: PathBuf,
    pub(super) out: PathBuf,
    /// The runtime.
    program: PathBuf,
    /// `examples/peer.rs`.
    pub(super) example: PathBuf,
    /// Folders of the Python packages, as PYTHONPATH has them.
    python_path: String,
}

/// What `benches/peers/peer.py` is told.
#[derive(Debug, Serialize)]
struct Settings {
    onnx: PathBuf,
    input: String,
    side_px: u32,
    scale: f32,
    mean: [f32; 3],
    std: [f32; 3],
    threshold: f32,
    classes: Vec<String>,
    way: String,
    format: String,
    size_px: (u32, u32),
    frames: PathBuf,
    camera: Vec<String>,
}

impl Bench {
    /// Fetches, builds, and makes the frames of these cases and the packages.
    ///
    /// # Errors
    /// When something is missing or a step cannot be done.
    pub(super) fn prepare(fetcher: &Fetcher, out: PathBuf, cases: &[Case]) -> Result<Self> {
        let tag = python_tag()?;
        let (peers, onnx) = (format!("peers-{tag}"), format!("onnx-{tag}"));
        fetcher.ensure_all(&["onnxruntime", "ffmpeg", "footage", &peers, &onnx])?;
        let program = demo::build_to_measure(&fetcher.paths.root, "peer")?;
        let folder = |name: &str| fetcher.paths.dep(name).display().to_string();
        let bench = Self {
            root: fetcher.paths.root.clone(),
            out,
            example: program.with_file_name("examples").join("peer"),
            program,
            python_path: [folder(&peers), folder(&onnx)].join(":"),
        };
        let (ffmpeg, clip) = (bench.root.join(".deps/ffmpeg/ffmpeg"), bench.root.join(".deps/footage/bikes.mp4"));
        for case in cases {
            footage::frames(&ffmpeg, &clip, case.camera, &bench.out)?;
        }
        bench.make_lite0(&footage::pictures(&ffmpeg, &clip, &bench.out)?)?;
        Ok(bench)
    }

    /// The package with the architecture of EfficientNet-Lite0, calibrated on the footage's own pictures; made once.
    fn make_lite0(&self, pictures: &Path) -> Result<()> {
        let package = self.package(Network::Lite0);
        if package.exists() {
            return Ok(());
        }
        let (onnx, adopted) = (self.out.join("lite0.onnx"), self.out.join("lite0-adopted"));
        let mut script = Command::new("python3");
        script.env("PYTHONPATH", &self.python_path).arg(self.script("lite0.py")).arg(&onnx);
        finish(&mut script)?;
        let classes = self.out.join("classes.txt");
        let names: String = (0..1000).map(|class| format!("{class}\n")).collect();
        std::fs::write(&classes, names).with_context(|| classes.display().to_string())?;
        let mut adopt =
            self.oodwatch(&["adopt", "--force", "--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225"]);
        finish(adopt.arg("--onnx").arg(&onnx).arg("--classes").arg(&classes).arg("--out").arg(&adopted))?;
        let mut calibrate = self.oodwatch(&["calibrate", "--false-alarm-rate", "0.05", "--score", SCORE]);
        finish(calibrate.arg("--model").arg(&adopted).arg("--from").arg(pictures).arg("--out").arg(&package))
    }

    fn script(&self, name: &str) -> PathBuf {
        self.root.join("benches/peers").join(name)
    }

    fn oodwatch(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.root).args(arguments);
        command
    }

    /// The model package of a network.
    pub(super) fn package(&self, network: Network) -> PathBuf {
        match network {
            Network::ResNet20 => self.root.join("models/cifar10-resnet20"),
            Network::Lite0 => self.out.join("lite0"),
        }
    }

    /// The folder of a camera's frames.
    pub(super) fn frames(&self, camera: Camera) -> PathBuf {
        self.out.join("frames").join(camera.to_string())
    }

    /// The named pipe by which frames are ordered.
    pub(super) fn orders(&self) -> PathBuf {
        self.out.join("orders")
    }

    /// A program, on the core of whoever is measured.
    pub(super) fn pinned(&self, program: &Path) -> Command {
        let mut command = pinned(program);
        command.current_dir(&self.root);
        command
    }

    /// A script of the Python side, pinned.
    ///
    /// # Errors
    /// When its settings cannot be written.
    pub(super) fn python(&self, script: &str, case: Case, peer: Peer) -> Result<Command> {
        let file = self.out.join(format!("{case}-{peer}.json"));
        let text = serde_json::to_string_pretty(&self.settings(case, peer)?)?;
        std::fs::write(&file, text).with_context(|| file.display().to_string())?;
        let mut command = self.pinned(Path::new("python3"));
        command.env("PYTHONPATH", &self.python_path).arg(self.script(script)).arg(file);
        Ok(command)
    }

    fn settings(&self, case: Case, peer: Peer) -> Result<Settings> {
        let folder = self.package(case.network);
        let Package { manifest, calibration, .. } = Package::open(&folder)?;
        let criterion: Criterion = SCORE.parse()?;
        let threshold = criterion.calibration(&calibration).context("the package is calibrated for the score")?;
        Ok(Settings {
            onnx: folder.join("model.onnx"),
            threshold: threshold.reference(None).threshold(),
            classes: manifest.classes,
            input: manifest.input.name,
            side_px: manifest.input.width,
            scale: manifest.input.scale,
            mean: manifest.input.mean,
            std: manifest.input.std,
            way: peer.to_string(),
            format: case.camera.format.to_string(),
            size_px: case.camera.size_px,
            frames: self.frames(case.camera),
            camera: self.camera(case.camera),
        })
    }

    /// The command of the camera, beside whoever is measured.
    fn camera(&self, camera: Camera) -> Vec<String> {
        // Not where this process came from: a build may have put another file there.
        let paths = [self.program.with_file_name("xtask"), self.frames(camera), self.orders()]
            .map(|path| path.display().to_string());
        let [own, frames, orders] = paths;
        let core = CAMERA_CORE.to_string();
        ["taskset", "--cpu-list", &core, &own, "peers-camera", &frames, &orders].map(str::to_owned).to_vec()
    }

    /// The monitor on a camera, pinned, in the form of one of our peers. A network that it wants prepared is.
    ///
    /// # Errors
    /// When its config cannot be written, or its network not be prepared.
    pub(super) fn monitor(&self, case: Case, peer: Peer) -> Result<Command> {
        let (width, height) = case.camera.size_px;
        let pipe = json!({
            "command": self.camera(case.camera),
            "format": case.camera.format,
            "width": width,
            "height": height,
            // A camera's frames would give way to newer ones, and each has to be judged.
            "live": false,
        });
        let config = json!({
            "camera": [{ "name": "camera", "decode": { "scaled": peer == Peer::Scaled }, "source": { "pipe": pipe } }],
            "model": {
                "package": self.package(case.network),
                "threads": 1,
                "cpu": { "prepared": peer == Peer::Prepared, "prepared_cache": self.out.join("prepared") },
            },
            "score": { "name": SCORE },
        });
        let file = self.out.join(format!("{case}-{peer}.toml"));
        std::fs::write(&file, toml::to_string(&config)?).with_context(|| file.display().to_string())?;
        if peer == Peer::Prepared {
            finish(self.oodwatch(&["build-engine", "--config"]).arg(&file))?;
        }
        let mut command = self.pinned(&self.program);
        command.args(["run", "--config"]).arg(file);
        Ok(command)
    }

    /// What is measured with: this machine, and our programs and the scripts.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(super) fn with(&self) -> Result<With> {
        let scripts = SCRIPTS.map(|name| self.script(name));
        let mut sums = String::new();
        for file in [&self.program, &self.example].into_iter().chain(&scripts) {
            sums += &sha256_hex(&std::fs::read(file).with_context(|| file.display().to_string())?);
        }
        Ok(With { machine: machine(), build: sha256_hex(sums.as_bytes())[..12].to_owned() })
    }
}

/// A program on the last core, which is that of whoever is measured.
pub(super) fn pinned(program: &Path) -> Command {
    let core = std::thread::available_parallelism().map_or(1, usize::from) - 1;
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &core.to_string()]).arg(program);
    command
}

/// The processor's name and the cores that this process may use.
pub(super) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    format!("{}, {cores} cores", name.map_or(std::env::consts::ARCH, |(_, name)| name))
}

/// Runs a step to its end.
fn finish(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{:?}", command.get_program()))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} ended with {}:\n{}", output.status, complaint.trim());
    }
    Ok(())
}
