//! First part of the demo: a stream of the pictures that the network knows, into which clips and textures that it
//! does not know are cut. Two packages watch it: one tuned with the background loss, and its control.
//!
//! Nothing is tuned on what is judged: the thresholds come from the first half of the test pictures. Of the second half
//! only every other odd picture is shown, because the even ones served to choose the loss's settings in training.

use std::path::PathBuf;

use anyhow::Result;

use super::judge::{self, COVERAGE, Report};
use super::monitor::{Monitor, RATE, Scene};
use super::picture::{self, Panel};
use super::stream::{Kind, Stream};
use super::table::{Column, table};
use super::{Places, footage};

const BACKGROUND: &str = "cifar10-resnet20";
const CONTROL: &str = "cifar10-resnet20-control";

/// Runs the part, prints its table, draws its picture. Returns what did not hold, in plain sentences.
///
/// # Errors
/// When a step cannot be done at all.
pub(super) fn run(monitor: &Monitor, places: &Places) -> Result<Vec<String>> {
    let known = places.deps.join("cifar10/test_batch.bin");
    let calibration = footage::cifar(&known, &places.out.join("pictures/calibration"), |index| index < 5_000)?;
    let shown = footage::cifar(&known, &places.out.join("pictures/known"), |index| index >= 5_000 && index % 4 == 3)?;
    let stream = Stream::splice("CIFAR-10", &shown, unknown(places)?);
    let scene = Scene::write(places, "known-and-unknown", &calibration, &stream)?;
    let (background_watched, background) = monitor.watch(places, BACKGROUND, &scene)?;
    let (control_watched, control) = monitor.watch(places, CONTROL, &scene)?;
    let columns =
        [Column { name: "background loss", report: &background }, Column { name: "control", report: &control }];
    println!("{}", table(&columns));
    let allowed = judge::allowed_flags(calibration.len(), RATE, background.share(Kind::Known).frames)?;
    println!(
        "Calibrated on {} known pictures for {} % false alarms: {} to {} flags on the {} known frames are in order ({} %).",
        calibration.len(),
        100.0 * RATE,
        allowed.0,
        allowed.1,
        background.share(Kind::Known).frames,
        100.0 * COVERAGE
    );
    let flagged = |report: &Report| report.share(Kind::Unknown).flagged;
    println!(
        "Of {} unknown frames, {} were flagged with the background loss and {} by the control.",
        background.share(Kind::Unknown).frames,
        flagged(&background),
        flagged(&control)
    );
    println!(
        "The street clip shows cars among other things, which CIFAR-10 has as well; it is shown whole all the same."
    );
    let panels = [
        Panel { heading: heading("Background loss", &background), verdicts: &background_watched.verdicts },
        Panel {
            heading: heading("Control, the same training without it", &control),
            verdicts: &control_watched.verdicts,
        },
    ];
    let title = "Known pictures, with clips and textures cut in that the network never saw";
    picture::draw(&places.out.join("known-and-unknown.png"), title, &stream, &panels)?;
    Ok(judge::failures(allowed, &background, &control))
}

/// The unknown segments: whole clips, then textures.
fn unknown(places: &Places) -> Result<Vec<(String, Vec<PathBuf>)>> {
    let mut unknown = Vec::new();
    for (file, name) in [("bikes", "street"), ("bigbuckbunny", "cartoon"), ("carphone", "passenger")] {
        unknown.push((name.to_owned(), places.clip(file)?));
    }
    let textures = ["brick", "grass", "gravel"].map(|name| places.deps.join(format!("footage/{name}.png")));
    unknown.push(("textures".to_owned(), footage::tiles(&textures, &places.out.join("pictures/textures"))?));
    Ok(unknown)
}

fn heading(name: &str, report: &Report) -> String {
    let percent = |kind| report.share(kind).percent();
    format!(
        "{name}: {:.1} % of the known and {:.1} % of the unknown frames flagged",
        percent(Kind::Known),
        percent(Kind::Unknown)
    )
}
