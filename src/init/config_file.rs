//! The config of a monitor that has just been calibrated, in words: every table says what it is for and what to change.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::InitError;
use crate::calibrate::Criterion;
use crate::config::CameraConfig;
use crate::infer::ExecutionProvider;

/// What the config joins.
#[derive(Debug)]
pub struct Wiring<'a> {
    /// The camera that was recorded, without a calibration of its own.
    pub camera: &'a CameraConfig,
    /// Folder of the package that was calibrated on it.
    pub package: &'a Path,
    /// What it was calibrated on.
    pub execution_provider: ExecutionProvider,
    /// What decides.
    pub criterion: &'a Criterion,
    /// False alarms per hour that its policy over time was calibrated for; none where it has no policy.
    pub max_false_alarms_per_hour: Option<f64>,
}

#[derive(Serialize)]
struct Cameras<'a> {
    camera: [&'a CameraConfig; 1],
}

impl Wiring<'_> {
    /// The text of the config.
    ///
    /// # Errors
    /// A path that is no UTF-8.
    pub fn text(&self) -> Result<String, InitError> {
        let camera = toml::to_string(&Cameras { camera: [self.camera] })?;
        let package = toml::Value::try_from(self.package)?;
        let (provider, criterion) = (self.execution_provider, self.criterion);
        let mut text = format!(
            "# Made by `oodwatch init`, which calibrated the package below on footage of this camera. Paths are absolute, so\n\
             # that it runs from anywhere; every other key and its default: configs/reference.toml.\n\
             #\n\
             #     oodwatch check --config FILE\n\
             #     oodwatch run --config FILE\n\n\
             # The camera as it was recorded. Other settings give other pictures: calibrate again after a change.\n\
             {camera}\n\
             # The package that was calibrated on the footage beside this file. Moved, it needs its new path here.\n\
             [model]\npackage = {package}\nexecution_providers = [\"{provider}\"]\n\n\
             # The score that decides; the package is calibrated for this one.\n\
             [score]\nname = \"{criterion}\"\n\n"
        );
        // Writing to a String does not fail.
        let _ = match self.max_false_alarms_per_hour {
            Some(rate) => write!(
                text,
                "# Alarms over time: what the package's policy was calibrated for. What the footage proves of it is told by\n\
                 # `oodwatch check`.\n\
                 [decide]\nmax_false_alarms_per_hour = {rate:?}\n\n"
            ),
            None => write!(
                text,
                "# The footage was too short for a policy over time: every flagged frame is an alarm. Record more by\n\
                 # `oodwatch init --resume`.\n\
                 [decide]\npolicy = \"frame\"\n\n"
            ),
        };
        text.push_str("# Verdicts as JSON lines on stdout.\n[sink.stdout]\n");
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::decide::PolicyChoice;
    use crate::decode::DecodeConfig;
    use crate::source::{SourceConfig, V4l2Config};
    use crate::view::{Rotation, ViewConfig};

    #[test]
    fn what_was_worded_is_read_back_as_what_was_meant() {
        let source = SourceConfig::V4l2(V4l2Config::new(Path::new("/dev/v4l/by-id/usb-a \"cam\"-video-index0")));
        let turned = ViewConfig { rotate: Rotation::Half, ..ViewConfig::default() };
        let camera = CameraConfig {
            name: "front \\ left".into(),
            calibration: None,
            source,
            view: turned,
            decode: DecodeConfig::default(),
        };
        let criterion: Criterion = "fisher(energy,knn)".parse().unwrap();
        let mut wiring = Wiring {
            camera: &camera,
            package: Path::new("/robot/a \"b\"/package"),
            execution_provider: ExecutionProvider::Cpu,
            criterion: &criterion,
            max_false_alarms_per_hour: Some(1.0),
        };
        let read = |wiring: &Wiring<'_>| toml::from_str::<Config>(&wiring.text().unwrap()).unwrap();
        let config = read(&wiring);
        assert_eq!(config.camera.as_slice(), std::slice::from_ref(&camera));
        assert_eq!((config.model.package.as_path(), &config.score.name), (wiring.package, &criterion));
        assert_eq!(config.decide.max_false_alarms_per_hour, Some(1.0));
        wiring.max_false_alarms_per_hour = None;
        assert_eq!(read(&wiring).decide.policy, PolicyChoice::Frame);
    }
}
