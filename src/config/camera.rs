//! `[[camera]]`: one table per camera, and what several of them must not have in common.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::decode::DecodeConfig;
use crate::source::{SourceConfig, WrongValue};
use crate::view::ViewConfig;

/// More cameras than any robot has; each costs a thread.
const MAX_CAMERAS: usize = 64;

/// `[[camera]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraConfig {
    /// Name in the verdicts; no two cameras share one.
    #[serde(default = "default_name")]
    pub name: String,
    /// Folder of another package of the same network, whose calibration judges this camera's frames. Without it that of
    /// `[model] package` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<PathBuf>,
    /// `[camera.view]`: how the camera hangs, and which part of its picture counts.
    #[serde(default)]
    pub view: ViewConfig,
    /// `[camera.decode]`: how its pictures are decoded.
    #[serde(default)]
    pub decode: DecodeConfig,
    /// `[camera.source.*]`.
    pub source: SourceConfig,
}

pub(super) fn default_name() -> String {
    "camera".into()
}

/// Key, what it holds, and what it may hold.
type Wrong = (String, String, &'static str);

/// The first value of the camera tables that no run could work with. With several cameras, keys name theirs.
pub(super) fn wrong_value(cameras: &[CameraConfig]) -> Option<Wrong> {
    if !(1..=MAX_CAMERAS).contains(&cameras.len()) {
        return Some(("camera".into(), format!("{} tables", cameras.len()), "1 to 64 tables [[camera]]"));
    }
    let table_of = |camera: &CameraConfig| {
        if cameras.len() == 1 { "camera".into() } else { format!("camera.{}", camera.name) }
    };
    let in_source = |camera: &CameraConfig| {
        let WrongValue { key, found, wanted } = camera.source.wrong_value()?;
        Some((format!("{}.source.{key}", table_of(camera)), found, wanted))
    };
    let in_view = |camera: &CameraConfig| {
        let (key, found, wanted) = camera.view.wrong_value()?;
        Some((format!("{}.view.{key}", table_of(camera)), found, wanted))
    };
    let in_tables = |camera| in_source(camera).or_else(|| in_view(camera));
    shared_name(cameras).or_else(|| cameras.iter().find_map(in_tables)).or_else(|| shared_source(cameras))
}

fn shared_name(cameras: &[CameraConfig]) -> Option<Wrong> {
    let (first, second) = twins(cameras, |camera| Some(&camera.name))?;
    let found = format!("{:?} in [[camera]] number {} and number {}", cameras[first].name, first + 1, second + 1);
    Some(("camera.name".into(), found, "a name = \"...\" of its own in each [[camera]]"))
}

/// A device streams to one reader, and of two readers of stdin each would get some of the lines.
fn shared_source(cameras: &[CameraConfig]) -> Option<Wrong> {
    let sources: Vec<_> = cameras.iter().map(|camera| exclusive(&camera.source)).collect();
    let path_of = |source: &'_ Option<(String, PathBuf)>| source.as_ref().map(|(_, path)| path.clone());
    let (first, second) = twins(&sources, path_of)?;
    let (key, path) = sources[second].as_ref()?;
    let found = format!("{path:?}, as that of camera {}", cameras[first].name);
    Some((format!("camera.{}.source.{key}", cameras[second].name), found, "a source of its own for each camera"))
}

/// Key and path of what cannot be shared, also inside a source that is made to fail.
fn exclusive(source: &SourceConfig) -> Option<(String, PathBuf)> {
    match source {
        SourceConfig::Images(images) if images.path.as_os_str() == "-" => {
            Some(("images.path".into(), images.path.clone()))
        }
        SourceConfig::V4l2(v4l2) => Some(("v4l2.device".into(), v4l2.device.clone())),
        SourceConfig::Faults(faults) => {
            exclusive(&faults.source).map(|(key, path)| (format!("faults.source.{key}"), path))
        }
        // What a command reads is its own business.
        SourceConfig::Images(_) | SourceConfig::Video(_) | SourceConfig::Pipe(_) => None,
    }
}

/// The places of the first two of `all` that have the same of something.
fn twins<'a, A, T: PartialEq + 'a>(all: &'a [A], of: impl Fn(&'a A) -> Option<T>) -> Option<(usize, usize)> {
    let all: Vec<_> = all.iter().map(of).collect();
    let earlier = |second: usize| all[..second].iter().position(|first| first.is_some() && *first == all[second]);
    (0..all.len()).find_map(|second| earlier(second).map(|first| (first, second)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::error_of;

    fn check(cameras: &str, wanted: &str) {
        let error = error_of(&format!("{cameras}\n[model]\npackage = \"p\"\n"));
        assert!(error.ends_with(wanted), "{error}\nwanted: {wanted}");
    }

    #[test]
    fn cameras_without_names_are_told_to_have_some() {
        check(
            "[[camera]]\n[camera.source.images]\npath = \"a\"\n[[camera]]\n[camera.source.images]\npath = \"b\"",
            "camera.name is \"camera\" in [[camera]] number 1 and number 2, wanted a name = \"...\" of its own in each \
             [[camera]]",
        );
    }

    #[test]
    fn a_wrong_value_of_one_of_several_cameras_is_told_by_its_name() {
        check(
            "[[camera]]\nname = \"front\"\n[camera.source.images]\npath = \"a\"\n\
             [[camera]]\nname = \"rear\"\n[camera.source.v4l2]\ndevice = \"/dev/video0\"\nbuffers = 1",
            "camera.rear.source.v4l2.buffers is 1, wanted 2 to 32",
        );
    }

    #[test]
    fn two_cameras_on_one_device_are_refused() {
        check(
            "[[camera]]\nname = \"front\"\n[camera.source.v4l2]\ndevice = \"/dev/video0\"\n\
             [[camera]]\nname = \"rear\"\n[camera.source.v4l2]\ndevice = \"/dev/video0\"",
            "camera.rear.source.v4l2.device is \"/dev/video0\", as that of camera front, wanted a source of its own for \
             each camera",
        );
    }

    #[test]
    fn two_lists_on_one_stdin_are_refused() {
        check(
            "[[camera]]\nname = \"front\"\n[camera.source.images]\npath = \"-\"\n\
             [[camera]]\nname = \"rear\"\n[camera.source.images]\npath = \"-\"",
            "camera.rear.source.images.path is \"-\", as that of camera front, wanted a source of its own for each camera",
        );
    }

    #[test]
    fn no_camera_and_more_than_64_are_refused() {
        check("camera = []", "camera is 0 tables, wanted 1 to 64 tables [[camera]]");
        let many: String = (0..65)
            .map(|number| format!("[[camera]]\nname = \"{number}\"\n[camera.source.images]\npath = \"a\"\n"))
            .collect();
        check(&many, "camera is 65 tables, wanted 1 to 64 tables [[camera]]");
    }
}
