//! `oodwatch cameras`: what is plugged in, for people and for programs.

use oodwatch::source::cameras::{Camera, Format, Size, list};

use super::lines;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  oodwatch cameras --json")]
pub(crate) struct Arguments {
    /// Print a JSON list
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut cameras = Vec::new();
    for camera in list() {
        match camera {
            Ok(camera) => cameras.push(camera),
            Err(error) => log::warn!("{error}"),
        }
    }
    if arguments.json {
        return lines::json(&cameras);
    }
    if cameras.is_empty() {
        lines::note("no cameras: there is no V4L2 capture device under /dev/video*");
    }
    cameras.iter().try_for_each(|camera| lines::text(&describe(camera)))
}

fn describe(camera: &Camera) -> String {
    let mut text = format!("{}  {} ({}, {})", camera.path.display(), camera.card, camera.driver, camera.bus);
    for name in &camera.stable_names {
        text += &format!("\n  {}", name.display());
    }
    for Format { fourcc, description, sizes } in &camera.formats {
        text += &format!("\n  {fourcc}  {description}");
        for size in sizes {
            text += &format!("\n    {}", describe_size(size));
        }
    }
    text
}

fn describe_size(size: &Size) -> String {
    let Size { min_px, max_px, frames_per_second } = size;
    let pixels = if min_px == max_px {
        format!("{}x{}", max_px.0, max_px.1)
    } else {
        format!("{}x{} to {}x{}", min_px.0, min_px.1, max_px.0, max_px.1)
    };
    let rates: Vec<String> = frames_per_second.iter().map(|rate| format!("{rate:.3}")).collect();
    match rates.is_empty() {
        true => pixels,
        false => format!("{pixels} at {} frames/s", rates.join(", ")),
    }
}
