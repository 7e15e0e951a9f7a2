//! Second part of the demo: a camera that stands still, watched by EfficientNet-Lite0 at 224 pixels. The monitor is calibrated on
//! the first half of one uncut clip and watches the second, into which foreign frames, black frames and a frozen picture are cut.
//!
//! Nothing is asserted here; what is flagged and what is not is printed as it is. Neighbouring frames of a clip are
//! alike, so the calibration's guarantee does not hold for them. A frozen picture of a known scene looks known: no score flags it,
//! and it is the health of the picture that makes its verdicts unsafe.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;
use oodwatch::health::Level;
use oodwatch::verdict::Verdict;

use super::monitor::{Monitor, Scene};
use super::picture::{self, Panel};
use super::stream::{Kind, Stream};
use super::table::{Column, table};
use super::{Places, footage};

/// A network for a camera, and its control.
const PACKAGES: [&str; 2] = ["imagenette-lite0", "imagenette-lite0-control"];
/// Frames of each disturbance.
const CUT_FRAMES: usize = 20;

/// Runs the part, prints its table, draws its picture.
///
/// # Errors
/// When a step cannot be done at all.
pub(super) fn run(monitor: &Monitor, places: &Places) -> Result<()> {
    let own = places.clip("carphone")?;
    let foreign = places.clip("bigbuckbunny")?;
    let (calibration, rest) = own.split_at(own.len() / 2);
    let black = footage::black(&own[0], &places.out.join("pictures/black.png"), CUT_FRAMES)?;
    let stream = disturbed(rest, &foreign, black);

    let scene = Scene::write(places, "fixed-camera", calibration, &stream)?;
    let [background, control] = PACKAGES.map(|package| monitor.watch(places, package, &scene));
    let ((background_watched, background), (control_watched, control)) = (background?, control?);
    let columns =
        [Column { name: "background loss", report: &background }, Column { name: "control", report: &control }];
    println!("{}", table(&columns));
    println!("Calibrated on {} frames of the clip's first half. With the background loss:", calibration.len());
    for segment in background.segments.iter().filter(|segment| segment.kind == Kind::Unknown) {
        let verdicts = background_watched.verdicts.get(segment.frames.clone()).unwrap_or_default();
        println!("{}", in_words(&segment.name, segment.flagged, verdicts));
    }
    let title = "A fixed camera, calibrated on the first half of its clip";
    let panels =
        [("Background loss", &background_watched), ("Control, the same training without it", &control_watched)].map(
            |(name, watched)| Panel {
                heading: format!("{name}: the second half, with disturbances cut in"),
                verdicts: &watched.verdicts,
            },
        );
    picture::draw(&places.out.join("fixed-camera.png"), title, &stream, &panels)
}

/// What was said of a disturbance: by the score, and in all.
fn in_words(name: &str, flagged: usize, verdicts: &[Verdict]) -> String {
    let not_safe = verdicts.iter().filter(|verdict| !verdict.safe);
    let errors = not_safe.clone().flat_map(|verdict| &verdict.health).filter(|finding| finding.level == Level::Error);
    let kinds: BTreeSet<String> = errors.map(|finding| serde_json::json!(finding.kind).to_string()).collect();
    let health =
        if kinds.is_empty() { String::new() } else { format!(" (health: {})", Vec::from_iter(kinds).join(", ")) };
    let frames = verdicts.len();
    format!("{name}: {flagged} of {frames} frames were flagged, {} were not safe{health}.", not_safe.count())
}

/// The second half of the clip in four pieces, and a disturbance between each two. The picture that freezes is the
/// last one before.
fn disturbed(own: &[PathBuf], foreign: &[PathBuf], black: Vec<PathBuf>) -> Stream {
    let frozen_from = 3 * own.len() / 4;
    let frozen = own.get(frozen_from.saturating_sub(1)).cloned();
    let frozen = frozen.map_or_else(Vec::new, |picture| vec![picture; CUT_FRAMES]);
    let foreign = foreign.iter().take(CUT_FRAMES).cloned().collect();
    let disturbances =
        vec![("foreign".to_owned(), foreign), ("black".to_owned(), black), ("frozen".to_owned(), frozen)];
    Stream::splice("own scene", own, disturbances)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frozen_picture_is_the_last_one_before_it_froze() {
        let own: Vec<PathBuf> = (0..40).map(|frame| format!("own{frame}").into()).collect();
        let foreign: Vec<PathBuf> = (0..30).map(|frame| format!("foreign{frame}").into()).collect();
        let stream = disturbed(&own, &foreign, vec!["black".into(); CUT_FRAMES]);
        assert_eq!(stream.len(), 40 + 3 * CUT_FRAMES);
        let frozen = &stream.segments[5];
        assert_eq!(frozen.pictures[0], PathBuf::from("own29"));
        assert_eq!(stream.segments[6].pictures[0], PathBuf::from("own30"));
    }
}
