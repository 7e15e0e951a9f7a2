//! The frames that everybody gets: natural footage, brought to each size, with a little of a sensor's noise, in each format.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use oodwatch::decode::PixelFormat;

use super::plan::Camera;

/// Different frames of one camera, shown again and again; of 1080p YUYV more than the processor's caches hold.
pub(super) const FRAMES: usize = 12;
/// Every so many frames of the clip, one is taken: neighbours resemble each other.
const STEP: usize = 12;
/// Standard deviations of the noise are below this, where white is 255. Without it, JPEG would have little to do.
const NOISE: u8 = 8;
/// ffmpeg's quality of JPEG pictures: 1080p of about 300 kB, as USB cameras send them.
const JPEG_QUALITY: &str = "4";

/// Makes the frames of a camera, once, and gives their folder: one file per frame.
///
/// # Errors
/// When ffmpeg cannot be started or fails.
pub(super) fn frames(ffmpeg: &Path, clip: &Path, camera: Camera, out: &Path) -> Result<PathBuf> {
    let folder = out.join("frames").join(camera.to_string());
    if folder.exists() {
        return Ok(folder);
    }
    let (ending, codec) = match camera.format {
        PixelFormat::Yuyv => ("yuyv", ["-c:v", "rawvideo", "-pix_fmt", "yuyv422"].as_slice()),
        PixelFormat::Nv12 => ("nv12", ["-c:v", "rawvideo", "-pix_fmt", "nv12"].as_slice()),
        _ => ("jpg", ["-c:v", "mjpeg", "-pix_fmt", "yuvj422p", "-q:v", JPEG_QUALITY].as_slice()),
    };
    make(ffmpeg, clip, camera.size_px, codec, &folder, ending)?;
    Ok(folder)
}

/// The same pictures of the clip as PNG, to calibrate on.
///
/// # Errors
/// When ffmpeg cannot be started or fails.
pub(super) fn pictures(ffmpeg: &Path, clip: &Path, out: &Path) -> Result<PathBuf> {
    let folder = out.join("frames").join("pictures");
    if !folder.exists() {
        let filter = "crop=ih*4/3:ih,scale=320:240";
        run(ffmpeg, clip, filter, &["-c:v", "png"], &folder, "png")?;
    }
    Ok(folder)
}

fn make(
    ffmpeg: &Path,
    clip: &Path,
    (width, height): (u32, u32),
    codec: &[&str],
    folder: &Path,
    ending: &str,
) -> Result<()> {
    let filter = format!(
        "select='not(mod(n,{STEP}))',crop=ih*{width}/{height}:ih,scale={width}:{height}:flags=lanczos,noise=alls={NOISE}:allf=t:all_seed=1"
    );
    let frames = FRAMES.to_string();
    let codec = [codec, &["-frames:v", &frames]].concat();
    run(ffmpeg, clip, &filter, &codec, folder, ending)
}

/// Writes beside the final place, which is there whole or not at all.
fn run(ffmpeg: &Path, clip: &Path, filter: &str, codec: &[&str], folder: &Path, ending: &str) -> Result<()> {
    let unfinished = folder.with_extension("unfinished");
    crate::demo::empty(&unfinished)?;
    let output = Command::new(ffmpeg)
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-i"])
        .arg(clip)
        .args(["-vf", filter, "-vsync", "0", "-threads", "1"])
        .args(codec)
        .args(["-f", "image2"])
        .arg(unfinished.join(format!("%03d.{ending}")))
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} cannot be started", ffmpeg.display()))?;
    if !output.status.success() {
        bail!("ffmpeg cannot make {}: {}", folder.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    std::fs::rename(&unfinished, folder).with_context(|| folder.display().to_string())
}
