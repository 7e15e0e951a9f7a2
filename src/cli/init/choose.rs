//! Which camera: named, the only one there is, or asked for where somebody can answer.

use std::fs;
use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use oodwatch::config::{CameraConfig, Config};
use oodwatch::decode::DecodeConfig;
use oodwatch::source::cameras::{self, Camera};
use oodwatch::source::{SourceConfig, V4l2Config, config_for_path};
use oodwatch::view::ViewConfig;

use super::Arguments;
use crate::cli::exit::CliError;
use crate::cli::lines;

/// Name of a camera that nobody gave one.
const UNNAMED: &str = "camera";

/// The camera to record, with paths that hold from anywhere.
pub(super) fn camera(arguments: &Arguments) -> anyhow::Result<CameraConfig> {
    let name = arguments.camera.as_deref();
    let mut camera = match &arguments.source {
        Some(path) if path.extension().is_some_and(|ending| ending == "toml") => of_config(path, name)?,
        Some(path) => {
            let mut source = config_for_path(path);
            if let SourceConfig::Images(images) = &mut source {
                images.frames_per_second = arguments.frames_per_second;
            }
            CameraConfig {
                name: name.unwrap_or(UNNAMED).into(),
                calibration: None,
                source,
                view: ViewConfig::default(),
                decode: DecodeConfig::default(),
            }
        }
        None => {
            let source = SourceConfig::V4l2(V4l2Config::new(&device(arguments.device.as_deref())?));
            CameraConfig {
                name: name.unwrap_or(UNNAMED).into(),
                calibration: None,
                source,
                view: ViewConfig::default(),
                decode: DecodeConfig::default(),
            }
        }
    };
    make_absolute(&mut camera.source)?;
    Ok(camera)
}

/// A camera of a config, without the calibration that is about to be made anew.
fn of_config(path: &Path, name: Option<&str>) -> anyhow::Result<CameraConfig> {
    let mut cameras = Config::load(path)?.camera;
    let names: Vec<String> = cameras.iter().map(|camera| camera.name.clone()).collect();
    let place = match (name, names.as_slice()) {
        (Some(wanted), _) => names.iter().position(|name| name == wanted),
        (None, [_]) => Some(0),
        (None, _) => None,
    };
    let Some(place) = place else {
        let problem = format!("{}: name one of its cameras by --camera: {}", path.display(), names.join(", "));
        return Err(CliError::Usage(problem).into());
    };
    Ok(CameraConfig { calibration: None, ..cameras.swap_remove(place) })
}

fn make_absolute(source: &mut SourceConfig) -> io::Result<()> {
    let path = match source {
        SourceConfig::Images(images) if images.path.as_os_str() == "-" => return Ok(()),
        SourceConfig::Images(images) => &mut images.path,
        SourceConfig::Video(video) => &mut video.path,
        SourceConfig::V4l2(camera) => &mut camera.device,
        // Which of its arguments are paths, only the command knows.
        SourceConfig::Pipe(pipe) if pipe.directory.as_os_str().is_empty() => {
            pipe.directory = std::env::current_dir()?;
            return Ok(());
        }
        SourceConfig::Pipe(pipe) => &mut pipe.directory,
        SourceConfig::Faults(faults) => return make_absolute(&mut faults.source),
    };
    *path = std::path::absolute(&*path)?;
    Ok(())
}

/// The device that was named, by a name that follows it.
fn device(wanted: Option<&str>) -> anyhow::Result<PathBuf> {
    let cameras: Vec<Camera> = cameras::list().into_iter().flatten().collect();
    if let Some(path) = wanted.filter(|wanted| wanted.contains('/')) {
        let device = fs::canonicalize(path).unwrap_or_else(|_| path.into());
        let known = cameras.iter().find(|camera| camera.path == device);
        let stays = path.starts_with("/dev/v4l/");
        return Ok(known.filter(|_| !stays).map_or_else(|| path.into(), stable_name));
    }
    match wanted_of(&cameras, wanted).as_slice() {
        [] => Err(nothing(&cameras, wanted).into()),
        [only] => {
            lines::note(&format!("camera: {}", describe(only)));
            Ok(stable_name(only))
        }
        several => ask(several).map(stable_name),
    }
}

/// Cameras that call themselves so, or all where none is wanted in particular.
fn wanted_of<'c>(cameras: &'c [Camera], wanted: Option<&str>) -> Vec<&'c Camera> {
    let Some(wanted) = wanted else { return cameras.iter().collect() };
    let wanted = wanted.to_lowercase();
    let is_it = |camera: &&Camera| camera.card.to_lowercase().contains(&wanted) || camera.path.ends_with(&wanted);
    cameras.iter().filter(is_it).collect()
}

fn nothing(cameras: &[Camera], wanted: Option<&str>) -> CliError {
    match wanted {
        Some(wanted) if !cameras.is_empty() => CliError::Usage(format!(
            "--device {wanted}: no camera is called that; there are:{}",
            listed(cameras.iter())
        )),
        _ => CliError::NoCamera,
    }
}

/// Asks on a terminal. Elsewhere nobody would answer.
fn ask<'c>(cameras: &[&'c Camera]) -> anyhow::Result<&'c Camera> {
    let list = listed(cameras.iter().copied());
    if !io::stdin().is_terminal() {
        let problem = format!("there are several cameras, and nobody to ask; name one by --device:{list}");
        return Err(CliError::Usage(problem).into());
    }
    lines::note(&format!("Which camera?{list}"));
    answered(cameras, io::stdin().lock())
}

/// The camera of the first answer that is one of their numbers.
fn answered<'c>(cameras: &[&'c Camera], answers: impl BufRead) -> anyhow::Result<&'c Camera> {
    let mut answers = answers.lines();
    loop {
        lines::note(&format!("a number from 1 to {}: ", cameras.len()));
        let Some(answer) = answers.next().transpose()? else {
            return Err(CliError::Usage("no camera was chosen; name one by --device".into()).into());
        };
        let number = answer.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        if let Some(chosen) = number.and_then(|place| cameras.get(place)) {
            return Ok(chosen);
        }
    }
}

fn listed<'c>(cameras: impl Iterator<Item = &'c Camera>) -> String {
    cameras.enumerate().map(|(place, camera)| format!("\n  {}  {}", place + 1, describe(camera))).collect()
}

fn describe(camera: &Camera) -> String {
    format!("{} ({}, {})", camera.card, stable_name(camera).display(), camera.bus)
}

/// A name that follows this very camera, or the place where it is plugged in; its number where it has neither.
fn stable_name(camera: &Camera) -> PathBuf {
    let by_id = camera.stable_names.iter().find(|name| name.starts_with("/dev/v4l/by-id"));
    by_id.or(camera.stable_names.first()).unwrap_or(&camera.path).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(number: u32, card: &str, names: &[&str]) -> Camera {
        Camera {
            path: format!("/dev/video{number}").into(),
            stable_names: names.iter().map(PathBuf::from).collect(),
            card: card.into(),
            driver: "uvcvideo".into(),
            bus: "usb-1".into(),
            formats: Vec::new(),
            controls: Vec::new(),
        }
    }

    #[test]
    fn a_name_that_follows_the_camera_is_better_than_its_place_and_that_than_its_number() {
        let (id, place) = ("/dev/v4l/by-id/usb-a", "/dev/v4l/by-path/pci-0");
        assert_eq!(stable_name(&camera(0, "a", &[id, place])), Path::new(id));
        assert_eq!(stable_name(&camera(0, "a", &[place])), Path::new(place));
        assert_eq!(stable_name(&camera(3, "a", &[])), Path::new("/dev/video3"));
    }

    #[test]
    fn a_camera_is_found_by_what_it_calls_itself_or_by_its_number() {
        let cameras = [camera(0, "HD Webcam", &[]), camera(10, "Loopback", &[]), camera(1, "USB Webcam", &[])];
        let found = |wanted| wanted_of(&cameras, wanted).iter().map(|camera| camera.path.clone()).collect::<Vec<_>>();
        assert_eq!(found(Some("hd web")), [Path::new("/dev/video0")]);
        assert_eq!(found(Some("webcam")).len(), 2);
        assert_eq!(found(Some("video1")), [Path::new("/dev/video1")]);
        assert_eq!(found(None).len(), 3);
        assert!(found(Some("thermal")).is_empty());
        assert!(nothing(&cameras, Some("thermal")).to_string().contains("2  Loopback (/dev/video10"));
    }

    #[test]
    fn an_answer_that_is_none_is_asked_for_again_and_the_end_of_them_is_the_end() {
        let cameras = [camera(0, "a", &[]), camera(1, "b", &[])];
        let cameras: Vec<&Camera> = cameras.iter().collect();
        let answered = |text: &'static str| answered(&cameras, text.as_bytes()).map(|camera| camera.card.clone());
        assert_eq!(answered("0\n3\nfront\n 2 \n1\n").unwrap(), "b");
        assert!(answered("7\n").unwrap_err().to_string().contains("no camera was chosen"));
    }
}
