//! Which cameras this machine has: V4L2 capture devices with what they offer.
//!
//! Nothing is streamed here. A device that answers badly is listed with what it did answer.

use std::fs;
use std::path::{Path, PathBuf};

use oodwatch_v4l2::{self as v4l2, ControlKind, Device, FormatDescription, FourCc, Interval, SizeRange};
use serde::Serialize;

use crate::decode::PixelFormat;

/// Folders of links that name a device by what it is or where it is plugged in, rather than by its turn.
const STABLE_NAMES: &[&str] = &["/dev/v4l/by-id", "/dev/v4l/by-path"];

/// A capture device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Camera {
    /// `/dev/videoN`.
    pub path: PathBuf,
    /// Links to it that survive replugging and reboots.
    pub stable_names: Vec<PathBuf>,
    /// What it calls itself.
    pub card: String,
    /// Kernel driver.
    pub driver: String,
    /// Where it is plugged in.
    pub bus: String,
    /// What it offers.
    pub formats: Vec<Format>,
    /// What can be set on it.
    pub controls: Vec<Control>,
}

/// A pixel format of a camera.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Format {
    /// Four-character code, such as `YUYV`.
    pub fourcc: String,
    /// The driver's words for it.
    pub description: String,
    /// Whether `[camera.source.v4l2]` can decode it.
    pub understood: bool,
    /// Sizes in this format.
    pub sizes: Vec<Size>,
}

/// A picture size of a format.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Size {
    /// Smallest width and height in pixels.
    pub min_px: (u32, u32),
    /// Largest width and height in pixels; equal to the smallest where the size is fixed.
    pub max_px: (u32, u32),
    /// Frames per second at the largest size; of a range, its two ends.
    pub frames_per_second: Vec<f64>,
}

/// Something that can be set on a camera, in `[camera.source.v4l2.controls]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Control {
    /// Its name in configs.
    pub name: String,
    /// `integer`, `switch`, `menu`, `bitmask` or `button`.
    pub kind: &'static str,
    /// Smallest value.
    pub minimum: i64,
    /// Largest value.
    pub maximum: i64,
    /// Distance between values.
    pub step: u64,
    /// Value after the driver was loaded.
    pub default: i64,
    /// Value now; null where it cannot be read.
    pub value: Option<i64>,
    /// Whether it can be set at all.
    pub writable: bool,
    /// Whether another control's value keeps it without effect for now.
    pub inactive: bool,
    /// Values and names of a menu.
    pub menu: Vec<(i64, String)>,
}

/// A device that could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct CameraError {
    /// The device.
    pub path: PathBuf,
    /// The operating system's word on it.
    pub source: std::io::Error,
}

/// Every capture device, by number. Nodes that are no capture devices are left out.
pub fn list() -> Vec<Result<Camera, CameraError>> {
    nodes().into_iter().filter_map(|path| describe(path).transpose()).collect()
}

/// `/dev/videoN`, by N.
fn nodes() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir("/dev") else { return Vec::new() };
    let mut numbered: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix("video")?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    numbered.sort();
    numbered.into_iter().map(|(_, path)| path).collect()
}

fn describe(path: PathBuf) -> Result<Option<Camera>, CameraError> {
    let failed = |source| CameraError { path: path.clone(), source };
    let device = Device::open(&path).map_err(failed)?;
    let about = device.capability().map_err(failed)?;
    if !about.capture {
        return Ok(None);
    }
    Ok(Some(Camera {
        stable_names: stable_names(&path),
        card: about.card,
        driver: about.driver,
        bus: about.bus,
        formats: device.formats().into_iter().map(|format| describe_format(&device, format)).collect(),
        controls: device.controls().iter().map(|control| describe_control(&device, control)).collect(),
        path,
    }))
}

fn describe_format(device: &Device, format: FormatDescription) -> Format {
    let sizes = device.sizes(format.fourcc);
    Format {
        sizes: sizes.into_iter().map(|size| describe_size(device, format.fourcc, size)).collect(),
        fourcc: format.fourcc.to_string(),
        description: format.description,
        understood: PixelFormat::from_fourcc(format.fourcc.0).is_some(),
    }
}

fn describe_size(device: &Device, fourcc: FourCc, SizeRange { min_px, max_px }: SizeRange) -> Size {
    let intervals = device.intervals(fourcc, max_px);
    let mut rates: Vec<f64> = intervals.into_iter().flatten().filter_map(Interval::rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    Size { min_px, max_px, frames_per_second: rates }
}

fn describe_control(device: &Device, control: &v4l2::Control) -> Control {
    let menu = match &control.kind {
        ControlKind::Menu(items) => items.iter().map(|item| (item.value, item.name.clone())).collect(),
        _ => Vec::new(),
    };
    let kind = match control.kind {
        ControlKind::Integer | ControlKind::Integer64 => "integer",
        ControlKind::Switch => "switch",
        ControlKind::Menu(_) => "menu",
        ControlKind::Bitmask => "bitmask",
        ControlKind::Button => "button",
    };
    Control {
        name: control.key(),
        kind,
        minimum: control.minimum,
        maximum: control.maximum,
        step: control.step,
        default: control.default,
        value: control.readable.then(|| device.control(control).ok()).flatten(),
        writable: control.writable,
        inactive: control.inactive,
        menu,
    }
}

fn stable_names(device: &Path) -> Vec<PathBuf> {
    let links = STABLE_NAMES.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let mut names: Vec<PathBuf> = links
        .map(|link| link.path())
        .filter(|link| fs::canonicalize(link).is_ok_and(|target| target == device))
        .collect();
    names.sort();
    names
}
