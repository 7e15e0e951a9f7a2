//! What was examined, and on what machine: enough to tell whether a robot runs the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::EvidenceError;
use crate::config::{CameraConfig, Config};
use crate::decode::DecodeConfig;
use crate::infer::{PreparedNetwork, own_precision, runtime};
use crate::open::{CalibratedPackage, OpenError};
use crate::package::{MANIFEST_FILE, Package, sha256_hex, sha256_of_file};
use crate::view::ViewConfig;

/// Program, package and config.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Identity {
    /// Version of this program.
    pub program: &'static str,
    /// sha256 of the program's file; none where it cannot be read.
    pub program_sha256: Option<String>,
    /// Folder of the package whose calibration judges.
    pub package: PathBuf,
    /// sha256 of its manifest, which is its id.
    pub package_id: String,
    /// sha256 of its files.
    pub package_files: BTreeMap<String, String>,
    /// What the network takes and where it comes from: `provenance` of the manifest.
    pub provenance: toml::Table,
    /// The config's file.
    pub config: PathBuf,
    /// Its sha256.
    pub config_sha256: String,
    /// Name of the camera that was examined.
    pub camera: String,
    /// How it hangs, and which part of its picture counts.
    pub view: ViewConfig,
    /// How its pictures are decoded.
    pub decode: DecodeConfig,
    /// The tables that verdicts depend on, with every default, as TOML.
    pub settings: String,
    /// Number format of the inference.
    pub precision: &'static str,
    /// The network that was prepared for this processor, and ran in the place of the package's; none where that one ran.
    pub prepared: Option<PreparedNetwork>,
    /// Execution provider of the network; none where it could not be opened.
    pub execution_provider: Option<String>,
    /// ONNX Runtime; none where it was not loaded.
    pub onnx_runtime: Option<OnnxRuntime>,
}

/// The library that runs the network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OnnxRuntime {
    /// Its file; a bare name where the system's loader found it.
    pub path: PathBuf,
    /// Its version, by which its symbols are marked; none where the file cannot be read.
    pub version: Option<String>,
    /// Its sha256.
    pub sha256: Option<String>,
    /// What it says of its build.
    pub build: String,
}

/// Where it ran.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Machine {
    /// Architecture.
    pub architecture: &'static str,
    /// Kernel release.
    pub kernel: String,
    /// Processor, as the kernel names it.
    pub processor: String,
    /// Processor cores that this process may use.
    pub cores: usize,
    /// Memory, as the kernel counts it.
    pub memory: String,
}

impl Identity {
    /// Of a package that is opened, or was refused.
    ///
    /// # Errors
    /// A config that cannot be read a second time.
    pub(super) fn of(
        config: &Config,
        config_path: &Path,
        camera: &CameraConfig,
        package: &Package,
        by: Option<&CalibratedPackage>,
    ) -> Result<Self, EvidenceError> {
        let read = fs::read(config_path);
        let config_bytes = read.map_err(|source| EvidenceError::Read { path: config_path.into(), source })?;
        let mut package_files = package.manifest.files.clone();
        package_files.insert(MANIFEST_FILE.into(), package.id.clone());
        let options = config.model.network_options(config.camera.len());
        let precision = match by {
            Some(by) => by.precision,
            None => {
                let onnx = package.model_onnx().map_err(OpenError::from)?;
                options.runs_in(own_precision(&onnx).map_err(OpenError::from)?)
            }
        };
        Ok(Self {
            program: env!("CARGO_PKG_VERSION"),
            program_sha256: sha256_of_file(Path::new("/proc/self/exe")).ok(),
            package: package.dir.clone(),
            package_id: package.id.clone(),
            package_files,
            provenance: package.manifest.provenance.clone(),
            config: config_path.into(),
            config_sha256: sha256_hex(&config_bytes),
            camera: camera.name.clone(),
            settings: settings(config),
            view: camera.view.clone(),
            decode: camera.decode,
            precision: precision.as_str(),
            prepared: None,
            execution_provider: by.map(|by| by.execution_provider.to_string()),
            onnx_runtime: OnnxRuntime::in_use(),
        })
    }
}

impl OnnxRuntime {
    fn in_use() -> Option<Self> {
        let runtime = runtime()?;
        let bytes = fs::read(&runtime.path).ok();
        Some(Self {
            version: bytes.as_deref().and_then(marked_version),
            sha256: bytes.as_deref().map(sha256_hex),
            path: runtime.path,
            build: runtime.build.into(),
        })
    }
}

/// The version in the name of the library's symbol versions, such as `VERS_1.22.0`: its build names none when it was made from a
/// tag.
fn marked_version(library: &[u8]) -> Option<String> {
    const MARK: &[u8] = b"\0VERS_";
    let start = library.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    let rest = library[start..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.');
    String::from_utf8(rest.copied().collect()).ok().filter(|version| !version.is_empty())
}

/// The tables that verdicts depend on.
fn settings(config: &Config) -> String {
    let whole = toml::Table::try_from(config).unwrap_or_default();
    let wanted = ["model", "self_test", "score", "health", "drift", "decide"];
    let mut kept: toml::Table = whole.into_iter().filter(|(key, _)| wanted.contains(&key.as_str())).collect();
    kept.iter_mut().for_each(|(_, value)| as_typed(value));
    toml::to_string(&kept).unwrap_or_default()
}

/// Numbers of single precision as a user would type them: 0.9, not 0.8999999761581421.
fn as_typed(value: &mut toml::Value) {
    match value {
        toml::Value::Float(number) if f64::from(*number as f32) == *number => {
            *number = (*number as f32).to_string().parse().unwrap_or(*number);
        }
        toml::Value::Table(table) => table.iter_mut().for_each(|(_, value)| as_typed(value)),
        toml::Value::Array(values) => values.iter_mut().for_each(as_typed),
        _ => {}
    }
}

impl Machine {
    /// This one.
    pub(super) fn here() -> Self {
        let first_line = |path: &str| {
            let text = fs::read_to_string(path).unwrap_or_default();
            text.lines().next().unwrap_or("unknown").trim().to_string()
        };
        // On a Jetson the board is what one knows it by.
        let board = fs::read_to_string("/proc/device-tree/model").ok();
        let board = board.map(|board| board.trim_end_matches('\0').to_string());
        Self {
            architecture: std::env::consts::ARCH,
            kernel: first_line("/proc/sys/kernel/osrelease"),
            processor: board.or_else(|| entry("/proc/cpuinfo", "model name")).unwrap_or_else(|| "unknown".into()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: entry("/proc/meminfo", "MemTotal").unwrap_or_else(|| "unknown".into()),
        }
    }
}

/// The first value of a `key: value` file of the kernel.
fn entry(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_library_is_that_of_its_symbols() {
        assert_eq!(marked_version(b"elf VERS_9 \0OrtGetApiBase\0VERS_1.24.1\0libm"), Some("1.24.1".into()));
        assert_eq!(marked_version(b"nothing\0VERS_\0"), None);
    }

    /// Of the shipped package, told to run in no other number format than its own, in halves, and in eight bits.
    #[test]
    fn the_identity_is_that_of_the_cameras_package_its_files_and_its_number_format() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/cifar10-resnet20");
        let sha256_of = |name: &str| sha256_hex(&fs::read(dir.join(name)).unwrap());
        let package = Package::open(&dir).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("robot.toml");
        for (model, wanted) in [
            ("", "fp32"),
            ("execution_providers = [\"tensorrt\"]\ntensorrt = { precision = \"fp16\" }", "fp16"),
            ("execution_providers = [\"tensorrt\"]\ntensorrt = { precision = \"int8\" }", "int8"),
        ] {
            let cameras = ["front", "rear"]
                .map(|name| format!("[[camera]]\nname = \"{name}\"\n[camera.source.images]\npath = \"{name}\"\n"));
            // Another package than the camera's: a camera may have a calibration of its own.
            let text = format!("{}[model]\npackage = \"another\"\n{model}\n", cameras.concat());
            fs::write(&path, &text).unwrap();
            let config: Config = toml::from_str(&text).unwrap();
            let identity = Identity::of(&config, &path, &config.camera[1], &package, None).unwrap();
            assert_eq!((identity.package, identity.camera.as_str()), (dir.clone(), "rear"));
            assert_eq!(identity.package_id, sha256_of("manifest.toml"));
            let files = ["calibration.safetensors", "golden.safetensors", "manifest.toml", "model.onnx"];
            let files = files.map(|name| (name.to_string(), sha256_of(name)));
            assert_eq!(identity.package_files, BTreeMap::from(files));
            assert_eq!((identity.config, identity.config_sha256), (path.clone(), sha256_hex(text.as_bytes())));
            let program = fs::read(std::env::current_exe().unwrap()).unwrap();
            assert_eq!(identity.program_sha256, Some(sha256_hex(&program)));
            assert_eq!((identity.precision, identity.execution_provider), (wanted, None));
        }
    }

    #[test]
    fn settings_stand_as_they_would_be_typed_and_give_the_same_config_again() {
        let head = "[[camera]]\n[camera.source.images]\npath = \"a\"\n";
        let config: Config = toml::from_str(&format!("{head}[model]\npackage = \"b\"\n")).unwrap();
        let settings = settings(&config);
        assert!(settings.contains("covered_share = 0.9\n") && settings.contains("contrast"), "{settings}");
        assert_eq!(toml::from_str::<Config>(&format!("{head}{settings}")).unwrap(), config);
    }
}
