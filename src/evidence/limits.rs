//! What a page does not show, in sentences: some hold for every page, others follow from its numbers.

use super::{Outcome, Overlap, Results};
use crate::calibrate::{hours_without_alarm, short, time_of};
use crate::source::faults::Expectation;

/// For every page.
const ALWAYS: [&str; 6] = [
    "Thresholds and false-alarm rates rest on two assumptions that no computation can check: the calibration's frames and those \
     of the robot's life are exchangeable, and the footage is representative of where the robot will work. Another \
     site, season, light or lens is another footage.",
    "Only the unknown that is listed was tried. Nothing is known of other unknown things, and one that looks known is not told.",
    "Faults were played back by software, one at a time, on a few frames of the known footage. A real camera, its cable and its \
     driver may fail in other ways, and two faults at once hide each other.",
    "A network that hangs, a panic and a killed process were not tried here; they are part of the program's own tests.",
    "Nobody attacked the network: pictures that are made to deceive it are not covered.",
    "What the robot does with a verdict is not examined. It has to stop on every verdict that is not safe, and on none that comes.",
];

/// What this page does not show.
pub(super) fn limits(results: Option<&Results>) -> Vec<String> {
    let mut all: Vec<String> = ALWAYS.map(str::to_string).into();
    if std::env::consts::ARCH != "aarch64" {
        all.push(format!(
            "This was measured on {}. On a Jetson or another machine of the robot every time is another, and the self-test \
             has to be repeated there: run this command on the robot.",
            std::env::consts::ARCH
        ));
    }
    match results {
        None => all.push("The self-test failed, so that nothing else was examined.".into()),
        Some(results) => all.extend(of_results(results)),
    }
    all
}

fn of_results(results: &Results) -> Vec<String> {
    let mut all = vec![of_samples(results), of_time(results)];
    all.push(match &results.known.overlap {
        Overlap::Compared { .. } => {
            "The package keeps no pictures of its calibration. That the known footage is not among them was compared by scores, \
             which misses pictures that were scored on another machine."
                .into()
        }
        Overlap::CannotTell { why } => {
            format!("It cannot be told whether the known footage was part of the calibration: {why}.")
        }
    });
    if results.unknown.is_empty() {
        all.push("No unknown footage was given: detection is not shown at all.".into());
    }
    let not_tried = results.health.trials.iter().filter_map(|trial| match trial.outcome {
        Outcome::NotApplicable { why } => {
            Some(format!("The health check {} was not tried: {why}.", super::report::kind(trial.kind)))
        }
        _ => None,
    });
    let unpromised = results.faults.iter().filter_map(|run| match run.expectation {
        Expectation::NotPromised { why } => Some(format!("Nothing is promised of the fault {}: {why}.", run.title())),
        Expectation::Told { .. } => None,
    });
    all.extend(not_tried.chain(unpromised));
    all
}

/// The rule of three (Hanley & Lippman-Hand, JAMA 1983): what is never seen in n frames still has a chance of up to 3 / n.
fn of_samples(results: &Results) -> String {
    let footage = &results.known.footage;
    format!(
        "{} known frames are worth {} independent ones here. What was never seen among them may still happen in up to 3 / {} = \
         {} of all frames.",
        footage.frames,
        short(footage.effective_frames),
        short(footage.effective_frames),
        short((3.0 / footage.effective_frames).min(1.0))
    )
}

fn of_time(results: &Results) -> String {
    let hours = results.known.alarms.hours + results.known.alarms.hours_in_alarm;
    let wanted = results.calibration.policy.as_ref().map_or(1.0, |policy| policy.max_false_alarms_per_hour);
    format!(
        "{} of known footage cannot show a rate below {} alarms per hour, even without a single one; {} per hour takes {}. \
         Frames of single pictures have no time of their own, and a rate of theirs means little.",
        time_of(hours),
        short(hours_without_alarm(1.0) / hours.max(1e-9)),
        short(wanted),
        time_of(hours_without_alarm(wanted))
    )
}
