//! Everything that an engine, or a prepared network, depends on.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::{library, machine, processor};
use crate::infer::{NetworkOptions, runtime};
use crate::package::{Manifest, sha256_hex};

/// Characters of a key's hash that name its folder.
const ID_LENGTH: usize = 16;
/// What stands for something that this machine does not tell.
const UNKNOWN: &str = "unknown";
/// The part by which engines of one network are known.
const MODEL_SHA256: &str = "model_sha256";

/// What an engine was built from, for and by. Two that are equal may use the same engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Names and values, those first that say most.
    parts: Vec<(&'static str, String)>,
}

impl Key {
    /// The key of an engine of TensorRT for a network on this machine; `root` is `/`, or what stands for it in a test. ONNX Runtime
    /// has to be loaded.
    pub fn of_tensorrt(root: &Path, manifest: &Manifest, options: &NetworkOptions) -> Self {
        let told = &options.provider_options.tensorrt;
        Self {
            parts: vec![
                (MODEL_SHA256, manifest.model_sha256().into()),
                ("onnx_runtime", known(runtime().map(|runtime| runtime.build.into()))),
                ("tensorrt", known(machine::tensorrt(root))),
                ("gpu", known(machine::gpu(root))),
                ("driver", known(machine::first_line(&root.join("proc/driver/nvidia/version")))),
                ("jetpack", known(machine::first_line(&root.join("etc/nv_tegra_release")))),
                ("precision", told.precision.to_string()),
                ("shapes", format!("{:?}, batches of 1 to {}", manifest.input.chw(), options.cameras)),
                (
                    "options",
                    format!("device {}, DLA {}, workspace {} MiB", told.device, told.dla_core, told.max_workspace_mb),
                ),
            ],
        }
    }

    /// The key of a network that ONNX Runtime prepares for this machine's processor; otherwise as [`Self::of_tensorrt`]. The number format is
    /// the network's own, and batches, threads and cameras change nothing.
    pub fn of_cpu(root: &Path, manifest: &Manifest) -> Self {
        let runtime = runtime();
        Self {
            parts: vec![
                (MODEL_SHA256, manifest.model_sha256().into()),
                ("onnx_runtime", known(runtime.as_ref().map(|runtime| runtime.build.into()))),
                ("library", known(runtime.and_then(|runtime| library::id(&runtime.path)))),
                ("processor", known(processor::name(root))),
                ("instructions", processor::instructions()),
                ("options", "every optimisation".into()),
            ],
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
        self.parts.iter().map(|(name, value)| format!("{name} = {}\n", toml::Value::from(value.as_str()))).collect()
    }
}

/// What this machine tells, or what stands for it.
fn known(part: Option<String>) -> String {
    part.unwrap_or_else(|| UNKNOWN.into())
}

/// A key as it was written beside an engine.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written(BTreeMap<String, String>);

impl Written {
    /// If it can be read.
    pub(super) fn read(path: &Path) -> Option<Self> {
        toml::from_str(&fs::read_to_string(path).ok()?).ok().map(Self)
    }

    /// Whether it is this one.
    pub(super) fn is(&self, key: &Key) -> bool {
        self.0.len() == key.parts.len() && self.differs_from(key).is_none()
    }

    /// Whether it is of the same network and kind as this one, built for something else.
    pub(super) fn is_another_of(&self, key: &Key) -> bool {
        let has = |name: &str| self.0.contains_key(name);
        let same_kind = self.0.len() == key.parts.len() && key.parts.iter().all(|(name, _)| has(name));
        let network = key.parts.iter().find(|(name, _)| *name == MODEL_SHA256);
        same_kind && network.is_some_and(|(name, value)| self.0.get(*name) == Some(value)) && !self.is(key)
    }

    /// The first part in which it differs from `now`, with both.
    pub(super) fn differs_from(&self, now: &Key) -> Option<String> {
        now.parts.iter().find_map(|(name, now)| {
            let then = self.0.get(*name).map_or(UNKNOWN, String::as_str);
            (then != now).then(|| format!("{name} ({then}, now {now})"))
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::infer::ExecutionProvider;
    use crate::package::Package;

    pub(in crate::engines) fn key() -> Key {
        let parts = [
            (MODEL_SHA256, "00ff"),
            ("onnx_runtime", "1.23.2"),
            ("tensorrt", "10.3.0"),
            ("gpu", "Orin"),
            ("driver", "36.4"),
            ("jetpack", "# R36"),
            ("precision", "fp16"),
            ("shapes", "[3, 224, 224], batches of 1 to 2"),
            ("options", "device 0, DLA -1, workspace 0 MiB"),
        ];
        Key { parts: parts.map(|(name, value)| (name, value.to_owned())).to_vec() }
    }

    impl Key {
        /// The same but for one part.
        pub(in crate::engines) fn with(mut self, name: &str, value: &str) -> Self {
            self.parts.iter_mut().filter(|(part, _)| *part == name).for_each(|(_, old)| *old = value.to_owned());
            self
        }

        fn names(&self) -> Vec<&'static str> {
            self.parts.iter().map(|(name, _)| *name).collect()
        }
    }

    fn written(text: &str) -> Option<Written> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Written::read(file.path())
    }

    #[test]
    fn every_part_of_a_key_makes_another_engine() {
        let names = key().names();
        let mut ids: Vec<String> = names.iter().map(|name| key().with(name, "x").id()).chain([key().id()]).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), names.len() + 1);
    }

    #[test]
    fn a_key_is_read_as_it_was_written_and_one_of_more_or_fewer_parts_is_another() {
        let text = key().to_text();
        assert!(written(&text).unwrap().is(&key()));
        assert!(!written(&format!("{text}more = \"x\"\n")).unwrap().is(&key()));
        let (fewer, _) = text.trim_end().rsplit_once('\n').unwrap();
        assert!(!written(fewer).unwrap().is(&key()));
        assert!(written("model_sha256 = 3").is_none());
    }

    #[test]
    fn what_was_made_for_a_processor_is_never_taken_for_an_engine_of_another_machine() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/cifar10-resnet20");
        let manifest = Package::begin(&root).unwrap().manifest;
        let nowhere = tempfile::tempdir().unwrap();
        let options =
            NetworkOptions { execution_providers: vec![ExecutionProvider::TensorRt], ..NetworkOptions::default() };
        let tensorrt = Key::of_tensorrt(nowhere.path(), &manifest, &options);
        let cpu = Key::of_cpu(nowhere.path(), &manifest);
        assert_eq!(tensorrt.names(), key().names());
        assert_eq!(cpu.names(), [MODEL_SHA256, "onnx_runtime", "library", "processor", "instructions", "options"]);
        let of = |key: &Key| written(&key.to_text()).unwrap();
        assert!(!of(&cpu).is_another_of(&tensorrt) && !of(&tensorrt).is_another_of(&cpu));
        let other_processor = cpu.clone().with("processor", "another");
        assert!(of(&other_processor).is_another_of(&cpu) && !of(&cpu).is_another_of(&cpu));
        assert!(!of(&other_processor.with(MODEL_SHA256, "another")).is_another_of(&cpu));
    }
}
