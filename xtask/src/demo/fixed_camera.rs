//! Second part of the demo: a camera that stands still. The monitor is calibrated on the first half of one uncut clip
//! and watches the second, into which foreign frames, black frames and a frozen picture are cut.
//!
//! Nothing is asserted here; what is flagged and what is not is printed as it is. Neighbouring frames of a clip are
//! alike, so the calibration's guarantee does not hold for them. A frozen picture of a known scene looks known: no score flags it,
//! and it is the health of the picture that makes its verdicts unsafe.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Result};
use oodwatch::health::Level;
use oodwatch::verdict::Verdict;

use super::judge::Report;
use super::monitor::Monitor;
use super::picture::{self, Panel};
use super::stream::{Kind, Stream, write_list};
use super::table::{Column, table};
use super::{Places, footage};

/// The false-alarm rate that the package is calibrated to.
const RATE: f64 = 0.05;
const PACKAGE: &str = "cifar10-resnet20";
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

    let calibration_list = places.out.join("fixed-camera-calibration.txt");
    write_list(&calibration_list, calibration).with_context(|| calibration_list.display().to_string())?;
    let list = places.out.join("fixed-camera-stream.txt");
    stream.write_list(&list).with_context(|| list.display().to_string())?;
    eprintln!("calibrating on {} frames of one clip, then watching {} frames", calibration.len(), stream.len());
    let calibrated = places.out.join("fixed-camera-calibrated");
    monitor.calibrate(&places.models.join(PACKAGE), &calibration_list, RATE, &calibrated)?;
    let watched = monitor.run("fixed-camera", &calibrated, &list, stream.len(), &places.out)?;
    let report = Report::new(&stream, &watched)?;
    println!("{}", table(&[Column { name: "background loss", report: &report }]));
    for segment in report.segments.iter().filter(|segment| segment.kind == Kind::Unknown) {
        let verdicts = watched.verdicts.get(segment.frames.clone()).unwrap_or_default();
        println!("{}", in_words(&segment.name, segment.flagged, verdicts));
    }
    let title = "A fixed camera, calibrated on the first half of its clip";
    let panel = Panel { heading: "Second half, with disturbances cut in".to_owned(), verdicts: &watched.verdicts };
    picture::draw(&places.out.join("fixed-camera.png"), title, &stream, &[panel])
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
