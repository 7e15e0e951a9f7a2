//! Broken pictures and broken cameras: health checks and faults.

use super::{heading, percent};
use crate::evidence::page::Block;
use crate::evidence::{Checks, FaultRun, Outcome, Trial, faults, plots};
use crate::health::{Kind, Level};
use crate::source::faults::{Expectation, Sign};
use crate::verdict;

/// What each health check says of pictures that are spoilt for it, and of those that are not.
pub(super) fn checks(checks: &Checks, frames: usize) -> Vec<Block> {
    let rows = checks.trials.iter().map(trial_row).collect();
    let mut all = vec![
        heading(2, "Health checks"),
        Block::Paragraph(format!(
            "Each check on {} pictures of the known footage that were spoilt for it, after good ones. XX an error makes it unsafe, a warning does not.",
            checks.pictures
        )),
        Block::Table(vec!["check", "pictures are", "told", "first with frame", "then in"], rows),
        Block::Paragraph(format!(
            "On the known footage as it is, {} of {frames} frames were called unhealthy.",
            percent(checks.unhealthy)
        )),
    ];
    if !checks.on_known.is_empty() {
        let rows = checks.on_known.iter();
        let rows = rows.map(|one| vec![kind(one.kind), one.warnings.to_string(), one.errors.to_string()]).collect();
        all.push(Block::Table(vec!["found on known footage", "frames with a warning", "frames with an error"], rows));
    }
    all
}

fn trial_row(trial: &Trial) -> Vec<String> {
    let (told, first, then) = match trial.outcome {
        Outcome::Told { level, with_frame, share } => {
            let level = if level == Level::Error { "error" } else { "warning" };
            (level.to_string(), with_frame.to_string(), format!("{:.0} %", 100.0 * share))
        }
        Outcome::NotTold => ("NOT TOLD".into(), String::new(), String::new()),
        Outcome::NotApplicable { why } => (format!("not tried: {why}"), String::new(), String::new()),
    };
    vec![kind(trial.kind), trial.spoilt.into(), told, first, then]
}

/// What the monitor said of each fault.
pub(super) fn fault_runs(runs: &[FaultRun]) -> Vec<Block> {
    vec![
        heading(2, "Fault injection"),
        Block::Paragraph(
            "Each fault on known footage through the monitor as it is run, in real time, from a good start. Times count from the \
             first frame with the fault. What is promised, and by when, follows from [health] and [decide]; the first unsafe verdict \
             may come earlier and for another reason."
                .into(),
        ),
        Block::Table(
            vec!["fault", "promised", "within", "told by", "after", "held", "first unsafe verdict"],
            runs.iter().map(fault_row).collect(),
        ),
        Block::Figure(plots::timeline(runs)),
    ]
}

fn fault_row(run: &FaultRun) -> Vec<String> {
    let seconds = |time: Option<f64>| time.map(|time| format!("{time:.2} s")).unwrap_or_default();
    let measured = &run.measured;
    let (promised, within) = match &run.expectation {
        Expectation::Told { by, within } => {
            (by.iter().map(|of| sign(*of)).collect::<Vec<_>>().join(" or "), format!("{:.2} s", within.as_secs_f64()))
        }
        Expectation::NotPromised { why } => (format!("nothing: {why}"), String::new()),
    };
    let held = match run.held {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "",
    };
    let first_unsafe = match measured.unsafe_after_s {
        Some(after_s) => format!("{}, {after_s:.2} s", verdict::list(&measured.unsafe_by)),
        None => "none".into(),
    };
    vec![
        run.title(),
        promised,
        within,
        measured.told_by.map(sign).unwrap_or_default(),
        seconds(measured.told_after_s),
        held.into(),
        first_unsafe,
    ]
}

impl FaultRun {
    /// Kind and parameters, in a few words.
    pub(in crate::evidence) fn title(&self) -> String {
        let name = faults::name(self.kind);
        if self.parameters.is_empty() { name } else { format!("{name} ({})", self.parameters) }
    }

    /// Kind and what tells it from others of its kind.
    pub(in crate::evidence) fn short_title(&self) -> String {
        let own = self.parameters.split(", ").find(|parameter| !parameter.starts_with("for_frames"));
        let own = own.map(|parameter| parameter.replace("milliseconds = ", ""));
        [faults::name(self.kind), own.unwrap_or_default()].join(" ").trim_end().to_string()
    }
}

fn sign(sign: Sign) -> String {
    match sign {
        Sign::Reason(reason) => reason.to_string(),
        Sign::Finding(of) => kind(of),
    }
}

/// The name of a check, as in a verdict.
pub(in crate::evidence) fn kind(kind: Kind) -> String {
    toml::Value::try_from(kind).ok().and_then(|name| name.as_str().map(str::to_string)).unwrap_or_default()
}
