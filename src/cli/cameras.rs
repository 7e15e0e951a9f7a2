//! `oodwatch cameras`: what is plugged in, for people and for programs.

use oodwatch::source::cameras::{Camera, Control, Format, Size, list};

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
    for Format { fourcc, description, understood, sizes } in &camera.formats {
        let remark = if *understood { "" } else { " (not understood by oodwatch)" };
        text += &format!("\n  {fourcc}  {description}{remark}");
        for size in sizes {
            text += &format!("\n    {}", describe_size(size));
        }
    }
    if !camera.formats.is_empty() && camera.formats.iter().all(|format| !format.understood) {
        text += "\n  none of them is a picture yet: a CSI camera is read through its ISP, by [camera.source.pipe] (docs/JETSON.md)";
    }
    for control in &camera.controls {
        text += &format!("\n  {}", describe_control(control));
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

fn describe_control(control: &Control) -> String {
    let Control { name, kind, minimum, maximum, step, default, menu, .. } = control;
    let range = match *kind {
        "integer" => format!("{minimum} to {maximum} in steps of {step}"),
        "menu" => menu.iter().map(|(value, name)| format!("{value} {name:?}")).collect::<Vec<_>>().join(", "),
        kind => kind.to_string(),
    };
    let value = control.value.map_or("unknown".into(), |value| value.to_string());
    let remarks = [(!control.writable, ", read only"), (control.inactive, ", without effect now")];
    let remarks: String = remarks.iter().filter(|(holds, _)| *holds).map(|(_, remark)| *remark).collect();
    format!("{name} = {value} (default {default}; {range}{remarks})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(formats: &[(&str, bool)]) -> Camera {
        let format = |&(fourcc, understood): &(&str, bool)| Format {
            fourcc: fourcc.into(),
            description: "as it is".into(),
            understood,
            sizes: Vec::new(),
        };
        Camera {
            path: "/dev/video0".into(),
            stable_names: Vec::new(),
            card: "vi-output, imx219 9-0010".into(),
            driver: "tegra-video".into(),
            bus: "platform:tegra-capture-vi:1".into(),
            formats: formats.iter().map(format).collect(),
            controls: Vec::new(),
        }
    }

    #[test]
    fn a_camera_of_raw_sensor_data_is_shown_the_way_through_its_isp() {
        assert!(describe(&camera(&[("RG10", false)])).contains("[camera.source.pipe]"));
        assert!(!describe(&camera(&[("RG10", false), ("YUYV", true)])).contains("[camera.source.pipe]"));
        assert!(!describe(&camera(&[])).contains("[camera.source.pipe]"));
    }
}
