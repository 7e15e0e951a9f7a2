//! The part of `oodwatch calibrate` that is about how the camera hangs and is decoded: its pictures are calibrated as the monitor sees them.

use std::path::PathBuf;

use oodwatch::config::{CameraConfig, Config};
use oodwatch::decode::DecodeConfig;
use oodwatch::package::Package;
use oodwatch::view::ViewConfig;

use crate::cli::exit::CliError;

#[derive(Debug, clap::Args)]
pub(super) struct ViewArguments {
    /// Config of the monitor, whose [camera.decode] and [camera.view] the footage goes through and whose [model] it runs on [default:
    /// those of the package, on the cpu]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which of its cameras, where there are several
    #[arg(long, value_name = "NAME", requires = "config")]
    camera: Option<String>,
    /// The view itself, as `oodwatch init` knows it.
    #[arg(skip)]
    known: Option<ViewConfig>,
}

impl ViewArguments {
    /// Of a view that is known already.
    pub(super) fn new(view: &ViewConfig) -> Self {
        Self { config: None, camera: None, known: Some(view.clone()) }
    }

    /// The monitor's config, if one was named.
    pub(super) fn config(&self) -> anyhow::Result<Option<Config>> {
        Ok(self.config.as_deref().map(Config::load).transpose()?)
    }

    /// What the pictures go through.
    pub(super) fn view(&self, package: &Package, config: Option<&Config>) -> anyhow::Result<ViewConfig> {
        let Some(config) = config else {
            return Ok(self.known.as_ref().unwrap_or(&package.manifest.view).clone());
        };
        Ok(self.of_camera(config)?.view.clone())
    }

    /// How JPEG pictures are decoded. What `oodwatch init` recorded is whole.
    pub(super) fn decode(&self, package: &Package, config: Option<&Config>) -> anyhow::Result<DecodeConfig> {
        match (config, &self.known) {
            (Some(config), _) => Ok(self.of_camera(config)?.decode),
            (None, Some(_)) => Ok(DecodeConfig::default()),
            (None, None) => Ok(package.manifest.decode),
        }
    }

    fn of_camera<'c>(&self, config: &'c Config) -> Result<&'c CameraConfig, CliError> {
        let found = match (&self.camera, config.camera.as_slice()) {
            (None, [camera]) => Some(camera),
            (None, _) => None,
            (Some(name), cameras) => cameras.iter().find(|camera| camera.name == *name),
        };
        found.ok_or_else(|| {
            let names: Vec<&str> = config.camera.iter().map(|camera| camera.name.as_str()).collect();
            let asked = self.camera.as_ref().map_or("none".into(), |name| format!("{name:?}"));
            CliError::Usage(format!("--camera is {asked}, wanted one of {}", names.join(", ")))
        })
    }
}
