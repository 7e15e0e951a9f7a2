//! Everything that an engine of TensorRT depends on.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::infer::{NetworkOptions, runtime};
use crate::package::{Manifest, sha256_hex};

/// Characters of a key's hash that name its folder.
const ID_LENGTH: usize = 16;
/// What stands for something that this machine does not tell.
const UNKNOWN: &str = "unknown";

/// What an engine was built from, for and by. Two that are equal may use the same engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// sha256 of `model.onnx`.
    pub model_sha256: String,
    /// What ONNX Runtime says of its build.
    pub onnx_runtime: String,
    /// Version of TensorRT, as its library file is called.
    pub tensorrt: String,
    /// The GPU, or the board that it is part of.
    pub gpu: String,
    /// The NVIDIA driver.
    pub driver: String,
    /// L4T release, on a Jetson.
    pub jetpack: String,
    /// Number format.
    pub precision: String,
    /// Input and largest batch.
    pub shapes: String,
    /// Everything else that the provider is told.
    pub options: String,
}

impl Key {
    /// The key of a network on this machine; `root` is `/`, or what stands for it in a test. ONNX Runtime has to be loaded.
    pub fn here(root: &Path, manifest: &Manifest, options: &NetworkOptions) -> Self {
        let told = &options.provider_options.tensorrt;
        Self {
            model_sha256: manifest.model_sha256().into(),
            onnx_runtime: runtime().map_or_else(|| UNKNOWN.into(), |runtime| runtime.build.into()),
            tensorrt: tensorrt(root).unwrap_or_else(|| UNKNOWN.into()),
            gpu: gpu(root).unwrap_or_else(|| UNKNOWN.into()),
            driver: first_line(&root.join("proc/driver/nvidia/version")).unwrap_or_else(|| UNKNOWN.into()),
            jetpack: first_line(&root.join("etc/nv_tegra_release")).unwrap_or_else(|| UNKNOWN.into()),
            precision: told.precision.to_string(),
            shapes: format!("{:?}, batches of 1 to {}", manifest.input.chw(), options.cameras),
            options: format!("device {}, DLA {}, workspace {} MiB", told.device, told.dla_core, told.max_workspace_mb),
        }
    }

    /// Name of its folder.
    pub fn id(&self) -> String {
        let mut hash = sha256_hex(self.to_text().as_bytes());
        hash.truncate(ID_LENGTH);
        hash
    }

    /// As it is written beside the engine.
    pub(super) fn to_text(&self) -> String {
        self.parts().iter().map(|(name, value)| format!("{name} = {}\n", toml::Value::from(value.as_str()))).collect()
    }

    /// One that was written, if it can be read.
    pub(super) fn read(path: &Path) -> Option<Self> {
        toml::from_str(&fs::read_to_string(path).ok()?).ok()
    }

    /// The first part in which it differs from `now`, with both.
    pub(super) fn differs_from(&self, now: &Self) -> Option<String> {
        let (then, now) = (self.parts(), now.parts());
        let differs = then.iter().zip(&now).find(|(then, now)| then != now);
        differs.map(|((name, then), (_, now))| format!("{name} ({then}, now {now})"))
    }

    fn parts(&self) -> [(&'static str, String); 9] {
        let part = |name, value: &String| (name, value.clone());
        [
            part("model_sha256", &self.model_sha256),
            part("onnx_runtime", &self.onnx_runtime),
            part("tensorrt", &self.tensorrt),
            part("gpu", &self.gpu),
            part("driver", &self.driver),
            part("jetpack", &self.jetpack),
            part("precision", &self.precision),
            part("shapes", &self.shapes),
            part("options", &self.options),
        ]
    }
}

/// The first line of a file, without the zero that ends texts of the device tree.
fn first_line(path: &Path) -> Option<String> {
    let text = String::from_utf8_lossy(&fs::read(path).ok()?).into_owned();
    let line = text.lines().next()?.trim_end_matches('\0').trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Of a card what its driver says, of a Jetson the board's name.
fn gpu(root: &Path) -> Option<String> {
    let cards = fs::read_dir(root.join("proc/driver/nvidia/gpus")).into_iter().flatten().filter_map(Result::ok);
    let model = |card: PathBuf| {
        let text = fs::read_to_string(card.join("information")).ok()?;
        text.lines().find_map(|line| line.strip_prefix("Model:")).map(|model| model.trim().to_owned())
    };
    let mut models: Vec<String> = cards.filter_map(|card| model(card.path())).collect();
    models.sort();
    if models.is_empty() { first_line(&root.join("proc/device-tree/model")) } else { Some(models.join(", ")) }
}

/// The library's file is called libnvinfer.so.MAJOR.MINOR.PATCH; shorter names are links to it.
fn tensorrt(root: &Path) -> Option<String> {
    let beside = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let usual = ["usr/lib/aarch64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/local/lib", "usr/lib"];
    let folders = env::split_paths(&beside).chain(usual.iter().map(|folder| root.join(folder)));
    let versions = |folder: PathBuf| {
        let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut found: Vec<String> =
            names.filter_map(|name| name.strip_prefix("libnvinfer.so.").map(str::to_owned)).collect();
        found.sort_by_key(|version| (version.len(), version.clone()));
        found.pop()
    };
    folders.into_iter().find_map(versions)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::engines) fn key() -> Key {
        let text = |text: &str| text.to_owned();
        Key {
            model_sha256: text("00ff"),
            onnx_runtime: text("1.23.2"),
            tensorrt: text("10.3.0"),
            gpu: text("Orin"),
            driver: text("36.4"),
            jetpack: text("# R36"),
            precision: text("fp16"),
            shapes: text("[3, 224, 224], batches of 1 to 2"),
            options: text("device 0, DLA -1, workspace 0 MiB"),
        }
    }

    #[test]
    fn every_part_of_a_key_makes_another_engine() {
        let changed = [
            Key { model_sha256: "x".into(), ..key() },
            Key { onnx_runtime: "x".into(), ..key() },
            Key { tensorrt: "x".into(), ..key() },
            Key { gpu: "x".into(), ..key() },
            Key { driver: "x".into(), ..key() },
            Key { jetpack: "x".into(), ..key() },
            Key { precision: "x".into(), ..key() },
            Key { shapes: "x".into(), ..key() },
            Key { options: "x".into(), ..key() },
        ];
        let mut ids: Vec<String> = changed.iter().chain([&key()]).map(Key::id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), changed.len() + 1);
        assert_eq!(toml::from_str::<Key>(&key().to_text()).unwrap(), key());
    }

    #[test]
    fn a_board_is_read_as_its_files_say() {
        let root = tempfile::tempdir().unwrap();
        let file = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!((gpu(root.path()), first_line(&root.path().join("etc/nv_tegra_release"))), (None, None));
        file("proc/device-tree/model", "NVIDIA Jetson Orin Nano Developer Kit\0");
        file("etc/nv_tegra_release", "# R36 (release), REVISION: 4.3, GCID: 38968081\nmore\n");
        for name in ["libnvinfer.so", "libnvinfer.so.10", "libnvinfer.so.10.3.0", "libnvinfer_plugin.so.10.3.0"] {
            file(&format!("usr/lib/aarch64-linux-gnu/{name}"), "");
        }
        assert_eq!(gpu(root.path()).unwrap(), "NVIDIA Jetson Orin Nano Developer Kit");
        let release = first_line(&root.path().join("etc/nv_tegra_release"));
        assert_eq!(release.unwrap(), "# R36 (release), REVISION: 4.3, GCID: 38968081");
        assert_eq!(tensorrt(root.path()).unwrap(), "10.3.0");
        file("proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA H100\nIRQ: 1\n");
        assert_eq!(gpu(root.path()).unwrap(), "NVIDIA H100");
    }
}
