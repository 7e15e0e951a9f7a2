//! What the cameras show: a striped thing that moves over a soft background, drawn anew, so that nothing has to be fetched.
//!
//! One camera is a list of pictures on stdin, the other a film through ffmpeg: neither takes memory that shrinks while the
//! run goes on, in which a leak could hide.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use image::{Rgb, RgbImage};

use super::plan::FRAMES_PER_SECOND;

/// Folder of the pictures.
pub(super) const FOLDER: &str = "pictures";
/// Height and width in pixels.
pub(super) const SIDES_PX: (u32, u32) = (96, 128);
/// Pictures that are there; a camera shows them again and again.
const PICTURES: u32 = 240;
/// How much longer than the run the film is.
const SPARE: Duration = Duration::from_secs(60);

/// Draws the pictures and gives their paths in order.
///
/// # Errors
/// When they cannot be written.
pub(super) fn pictures(out: &Path) -> Result<Vec<String>> {
    let folder = out.join(FOLDER);
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let draw = |number: u32| {
        let path = folder.join(format!("{number:03}.png"));
        picture(number).save(&path).with_context(|| path.display().to_string())?;
        Ok(path.display().to_string())
    };
    (0..PICTURES).map(draw).collect()
}

/// The pictures as a film that lasts longer than the run.
///
/// # Errors
/// When ffmpeg cannot be started, or fails.
pub(super) fn film(ffmpeg: &Path, out: &Path, lasts: Duration) -> Result<PathBuf> {
    let film = out.join("film.mkv");
    let output = Command::new(ffmpeg)
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-stream_loop", "-1"])
        .args(["-framerate", &FRAMES_PER_SECOND.to_string(), "-i"])
        .arg(out.join(FOLDER).join("%03d.png"))
        .args(["-t", &(lasts + SPARE).as_secs().to_string(), "-c:v", "mjpeg", "-q:v", "3", "-threads", "1"])
        .arg(&film)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} cannot be started", ffmpeg.display()))?;
    if !output.status.success() {
        bail!("ffmpeg cannot make {}: {}", film.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(film)
}

fn picture(number: u32) -> RgbImage {
    let (height, width) = SIDES_PX;
    let turn = number as f32 / PICTURES as f32 * std::f32::consts::TAU;
    let (x0, y0) = ((40.0 + 32.0 * turn.cos()) as u32, (24.0 + 20.0 * (2.0 * turn).sin()) as u32);
    RgbImage::from_fn(width, height, |x, y| {
        let within = (x0..x0 + 48).contains(&x) && (y0..y0 + 44).contains(&y);
        let stripe = ((x - x0.min(x)) / 6 + (y - y0.min(y)) / 11) % 2 == 0;
        match (within, stripe) {
            (false, _) => Rgb([40 + x as u8, 40 + y as u8, 150 - (number % 60) as u8]),
            (true, true) => Rgb([225, 205, 190]),
            (true, false) => Rgb([35, 45, 60]),
        }
    })
}
