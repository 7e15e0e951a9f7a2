//! The configuration of a monitor: one TOML table per stage, each defined beside its stage's code.
//!
//! A config is a user interface. Unknown keys are refused with line and caret, and [`Config::load`] finds
//! everything that can be wrong without touching a camera or a network.

mod camera;
mod model;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::board::BoardConfig;
use crate::calibrate::Criterion;
use crate::decide::DecideConfig;
use crate::drift::DriftConfig;
use crate::health::HealthConfig;
use crate::schedule::ScheduleConfig;
use crate::self_test::SelfTestConfig;
use crate::sink::SinkConfig;
pub use camera::CameraConfig;
pub use model::ModelConfig;

/// A whole config file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[[camera]]`.
    pub camera: Vec<CameraConfig>,
    /// `[model]`.
    pub model: ModelConfig,
    /// `[score]`.
    #[serde(default)]
    pub score: ScoreConfig,
    /// `[health]`.
    #[serde(default)]
    pub health: HealthConfig,
    /// `[decide]`.
    #[serde(default)]
    pub decide: DecideConfig,
    /// `[self_test]`.
    #[serde(default)]
    pub self_test: SelfTestConfig,
    /// `[drift]`.
    #[serde(default)]
    pub drift: DriftConfig,
    /// `[board]`.
    #[serde(default)]
    pub board: BoardConfig,
    /// `[schedule]`.
    #[serde(default)]
    pub schedule: ScheduleConfig,
    /// `[sink.*]`.
    #[serde(default)]
    pub sink: SinkConfig,
}

/// `[score]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScoreConfig {
    /// The score that decides, or a fusion of several: `fisher(energy,knn)`.
    pub name: Criterion,
}

/// Why a config is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's word on it.
        source: io::Error,
    },
    /// The file is no TOML, or has a key or value that does not exist; the text shows line and caret.
    #[error("{}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value is out of range.
    #[error("{}: {key} is {found}, wanted {wanted}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What it holds.
        found: String,
        /// What it may hold.
        wanted: &'static str,
    },
}

impl Config {
    /// Reads and checks a config file.
    ///
    /// # Errors
    /// An unreadable file, an unknown key, a value out of range.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.into(), source })?;
        Self::parse(path, &text)
    }

    /// Reads and checks the text of a config; `path` is what errors call it.
    ///
    /// # Errors
    /// An unknown key, a value out of range.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let config: Self =
            toml::from_str(text).map_err(|error| ConfigError::Parse { path: path.into(), source: Box::new(error) })?;
        config.check(path)?;
        Ok(config)
    }

    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let wrong = |key: &str, found: String, wanted| {
            Err(ConfigError::Value { path: path.into(), key: key.into(), found, wanted })
        };
        if let Some((key, found, wanted)) = camera::wrong_value(&self.camera) {
            return wrong(&key, found, wanted);
        }
        if let Some((key, found, wanted)) = self.model.wrong_value() {
            return wrong(&format!("model.{key}"), found, wanted);
        }
        if let Some((key, found, wanted)) = self.health.wrong_value() {
            return wrong(&format!("health.{key}"), found, wanted);
        }
        if let Some((key, found, wanted)) = self.decide.wrong_value() {
            return wrong(&format!("decide.{key}"), found, wanted);
        }
        if let Some((key, found, wanted)) = self.self_test.wrong_value() {
            return wrong(&format!("self_test.{key}"), found, wanted);
        }
        if let Some((key, found, wanted)) = self.drift.wrong_value() {
            return wrong(&format!("drift.{key}"), found, wanted);
        }
        if let Some((key, found, wanted)) = self.board.wrong_value() {
            return wrong(&format!("board.{key}"), found, wanted);
        }
        if let Some((key, found, wanted)) = self.schedule.wrong_value() {
            return wrong(&format!("schedule.{key}"), found, wanted);
        }
        if self.sink.stdout.is_none() && self.sink.file.is_none() {
            return wrong("sink", "empty".into(), "[sink.stdout], [sink.file], or no [sink] at all");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::DecodeConfig;
    use crate::source::{FaultsConfig, ImagesConfig, PipeConfig, SourceConfig, V4l2Config, VideoConfig};
    use crate::view::ViewConfig;

    const REFERENCE: &str = include_str!("../configs/reference.toml");

    pub(super) fn error_of(text: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        fs::write(&path, text).unwrap();
        Config::load(&path).unwrap_err().to_string()
    }

    #[test]
    fn the_reference_holds_the_defaults_of_the_code() {
        let reference: Config = toml::from_str(REFERENCE).unwrap();
        let sources: Vec<_> = reference.camera.iter().map(|camera| camera.source.clone()).collect();
        let [
            SourceConfig::Images(images),
            SourceConfig::Video(video),
            SourceConfig::V4l2(v4l2),
            SourceConfig::Pipe(pipe),
            SourceConfig::Faults(faults),
        ] = sources.as_slice()
        else {
            panic!("the reference should show images, video, v4l2, pipe, faults: {sources:?}");
        };
        assert_eq!(*images, ImagesConfig::new(&images.path));
        assert_eq!(*video, VideoConfig::new(&video.path));
        assert_eq!(*v4l2, V4l2Config::new(&v4l2.device));
        let command: Vec<&str> = pipe.command.iter().map(String::as_str).collect();
        assert_eq!(*pipe, PipeConfig::new(&command, pipe.format, (pipe.width, pipe.height)));
        assert_eq!(*faults, FaultsConfig { seed: 0, ..faults.clone() });
        assert_eq!(faults.wrong_value(), None);
        assert!(reference.camera.iter().all(|camera| camera.name == camera::default_name()));
        assert!(reference.camera.iter().all(|camera| camera.view == ViewConfig::default()));
        assert!(reference.camera.iter().all(|camera| camera.decode == DecodeConfig::default()));
        assert_eq!(reference.model, ModelConfig::new(&reference.model.package));
        assert_eq!(reference.score, ScoreConfig::default());
        assert_eq!(reference.health, HealthConfig::default());
        assert_eq!(reference.decide, DecideConfig::default());
        assert_eq!((reference.self_test, reference.drift), (SelfTestConfig::default(), DriftConfig::default()));
        assert_eq!((reference.board, reference.schedule), (BoardConfig::default(), ScheduleConfig::default()));
        assert_eq!(reference.sink.stdout, SinkConfig::default().stdout);
    }

    /// Serialising the parsed reference gives every key of the code; each must stand in the text, outside comments.
    #[test]
    fn the_reference_lists_every_key_of_the_code() {
        let reference: Config = toml::from_str(REFERENCE).unwrap();
        assert!(reference.sink.file.is_some(), "[sink.file] is missing from the reference");
        let calibrated = reference.camera.iter().any(|camera| camera.calibration.is_some());
        assert!(calibrated, "camera.calibration is missing from the reference");
        let written: toml::Table = toml::from_str(REFERENCE).unwrap();
        let serialised = toml::Table::try_from(&reference).unwrap();
        assert_eq!(keys(&toml::Value::Table(serialised)), keys(&toml::Value::Table(written)));
    }

    /// A default with its unit: every key's line, or the comment above it, says what it counts in.
    #[test]
    fn every_key_of_the_reference_is_explained() {
        let lines: Vec<&str> = REFERENCE.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            if line.contains(" = ") && !line.starts_with('#') {
                assert!(number > 0 && lines[number - 1].starts_with('#'), "no comment above {line:?}");
            }
        }
    }

    fn keys(value: &toml::Value) -> Vec<String> {
        let mut all = match value {
            toml::Value::Table(table) => table
                .iter()
                .flat_map(|(key, value)| {
                    let below = keys(value).into_iter().map(|below| format!("{key}.{below}"));
                    below.chain([key.clone()]).collect::<Vec<_>>()
                })
                .collect(),
            toml::Value::Array(values) => values.iter().flat_map(keys).collect(),
            _ => Vec::new(),
        };
        // Cameras that lack an optional table get its defaults.
        all.sort();
        all.dedup();
        all
    }

    #[test]
    fn a_typo_is_answered_with_line_caret_and_the_names_there_are() {
        let error = error_of("[[camera]]\n[camera.source.images]\npath = \"a\"\n[model]\npakage = \"b\"\n");
        for part in ["line 5, column 1", "^^^^^^", "unknown field `pakage`", "`package`"] {
            assert!(error.contains(part), "{part:?} is missing from:\n{error}");
        }
    }

    #[test]
    fn an_unknown_source_is_answered_with_the_sources_there_are() {
        let error = error_of("[[camera]]\n[camera.source.v5l2]\npath = \"a\"\n[model]\npackage = \"b\"\n");
        assert!(error.contains("line 2") && error.contains("`images`, `video`, `v4l2`, `pipe`"), "{error}");
    }

    #[test]
    fn a_table_of_a_provider_is_checked_as_every_other() {
        let error = |table: &str| {
            error_of(&format!(
                "[[camera]]\n[camera.source.images]\npath = \"a\"\n[model]\npackage = \"b\"\n[model.{table}\n"
            ))
        };
        assert!(error("tensorrt]\nprecision = \"fp8\"").contains("`fp32`, `fp16`, `int8`"));
        assert!(error("cuda]\ndevise = 1").contains("unknown field `devise`"));
        assert!(
            error("tensorrt]\ndla_core = 99").ends_with("model.tensorrt.dla_core is 99, wanted -1 (the GPU) to 15")
        );
    }

    #[test]
    fn a_deadline_of_nothing_is_refused_by_name() {
        let text = "[[camera]]\n[camera.source.images]\npath = \"a\"\n[model]\npackage = \"b\"\n\
                    [decide]\ndeadline_ms = 0\n";
        assert!(error_of(text).ends_with("decide.deadline_ms is 0, wanted 1 to 3600000"));
    }
}
