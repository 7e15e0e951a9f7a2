//! Which cameras this machine has: V4L2 capture devices with what they offer.
//!
//! Nothing is streamed here. A device that answers badly is listed with what it did answer.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use v4l::Device;
use v4l::capability::Flags;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::video::Capture;

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
}

/// A pixel format of a camera.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Format {
    /// Four-character code, such as `YUYV`.
    pub fourcc: String,
    /// The driver's words for it.
    pub description: String,
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
    let device = Device::with_path(&path).map_err(failed)?;
    let about = device.query_caps().map_err(failed)?;
    if !about.capabilities.contains(Flags::VIDEO_CAPTURE) {
        return Ok(None);
    }
    let formats = device.enum_formats().unwrap_or_default();
    Ok(Some(Camera {
        stable_names: stable_names(&path),
        card: about.card,
        driver: about.driver,
        bus: about.bus,
        formats: formats.into_iter().map(|format| describe_format(&device, format)).collect(),
        path,
    }))
}

fn describe_format(device: &Device, format: v4l::format::Description) -> Format {
    let sizes = device.enum_framesizes(format.fourcc).unwrap_or_default();
    Format {
        sizes: sizes.into_iter().map(|size| describe_size(device, format.fourcc, &size.size)).collect(),
        fourcc: String::from_utf8_lossy(&format.fourcc.repr).trim_end().to_string(),
        description: format.description,
    }
}

fn describe_size(device: &Device, fourcc: v4l::FourCC, size: &FrameSizeEnum) -> Size {
    let (min_px, max_px) = match size {
        FrameSizeEnum::Discrete(size) => ((size.width, size.height), (size.width, size.height)),
        FrameSizeEnum::Stepwise(range) => ((range.min_width, range.min_height), (range.max_width, range.max_height)),
    };
    let intervals = device.enum_frameintervals(fourcc, max_px.0, max_px.1).unwrap_or_default();
    let mut rates: Vec<f64> = intervals.iter().flat_map(|interval| rates_of(&interval.interval)).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    Size { min_px, max_px, frames_per_second: rates }
}

fn rates_of(interval: &FrameIntervalEnum) -> Vec<f64> {
    let rate = |interval: &v4l::Fraction| match interval.numerator {
        0 => None,
        seconds => Some(f64::from(interval.denominator) / f64::from(seconds)),
    };
    match interval {
        FrameIntervalEnum::Discrete(interval) => rate(interval).into_iter().collect(),
        FrameIntervalEnum::Stepwise(range) => [&range.max, &range.min].into_iter().filter_map(rate).collect(),
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
