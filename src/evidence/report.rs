//! The page: everything of an [`Evidence`], in the order in which a reader asks.

use super::page::Block;
use super::{
    CalibrationFacts, Checks, Evidence, FaultRun, Interval, Known, Outcome, Overlap, Results, Trial, Unknown, faults,
    plots,
};
use crate::calibrate::short;
use crate::health::{Kind, Level};
use crate::source::faults::{Expectation, Sign};
use crate::verdict;

fn heading(level: u8, text: &str) -> Block {
    Block::Heading(level, text.into())
}

fn row(name: &str, value: impl Into<String>) -> Vec<String> {
    vec![name.into(), value.into()]
}

/// The whole page.
pub(super) fn blocks(evidence: &Evidence) -> Vec<Block> {
    let mut all =
        vec![heading(1, "Evidence on an out-of-distribution monitor"), Block::Notice(evidence.statement.into())];
    all.extend(summary(evidence));
    all.extend(identity(evidence));
    if let Some(results) = &evidence.results {
        all.extend(calibration(&results.calibration));
        all.extend(known(&results.known));
        all.extend(unknown(results));
        all.extend(checks(&results.health, results.known.footage.frames));
        all.extend(fault_runs(&results.faults));
    }
    all.extend([heading(2, "What is not shown"), Block::List(evidence.limits.clone())]);
    all.extend([heading(2, "Settings of this run"), Block::Verbatim(evidence.identity.settings.clone())]);
    all
}

fn summary(evidence: &Evidence) -> Vec<Block> {
    let outcome = match evidence.unmet.as_slice() {
        [] => Block::Paragraph("Everything that was promised held.".into()),
        unmet => Block::Notice(format!("{} of what was promised did not hold:", unmet.len())),
    };
    let mut all = vec![heading(2, "Result"), outcome];
    if !evidence.unmet.is_empty() {
        all.push(Block::List(evidence.unmet.clone()));
    }
    if let Some(results) = &evidence.results {
        let held = |held| results.faults.iter().filter(|run| run.held == held).count();
        let (kept, broken, unpromised) = (held(Some(true)), held(Some(false)), held(None));
        let told = results.health.trials.iter().filter(|trial| matches!(trial.outcome, Outcome::Told { .. })).count();
        all.push(Block::List(vec![
            format!("False flags on known footage: {}.", percent(results.known.flags.rate_of_effective)),
            format!(
                "False alarms per hour: {} counted, at most {} (95 %).",
                short(results.known.alarms.per_hour()),
                short(results.known.alarms_at_most_per_hour)
            ),
            format!("Health checks that told of spoilt pictures: {told} of {}.", results.health.trials.len()),
            format!("Faults told in time: {kept} of {}; of {unpromised} more nothing is promised.", kept + broken),
        ]));
    }
    all
}

fn identity(evidence: &Evidence) -> Vec<Block> {
    let (identity, machine, test) = (&evidence.identity, &evidence.machine, &evidence.self_test);
    let unknown = || "unknown".to_string();
    let mut rows = vec![
        row("written", evidence.created_at.clone()),
        row("program", format!("oodwatch {}", identity.program)),
        row("sha256 of the program", identity.program_sha256.clone().unwrap_or_else(unknown)),
        row("package", identity.package.display().to_string()),
        row("package id (sha256 of manifest.toml)", identity.package_id.clone()),
    ];
    rows.extend(identity.package_files.iter().map(|(name, sha256)| row(&format!("sha256 of {name}"), sha256.clone())));
    rows.extend([
        row("config", identity.config.display().to_string()),
        row("sha256 of the config", identity.config_sha256.clone()),
        row("camera", identity.camera.clone()),
        row("ONNX Runtime", identity.onnx_runtime.clone()),
        row(
            "inference",
            format!("{} on {}", identity.precision, identity.execution_provider.clone().unwrap_or_else(unknown)),
        ),
        row(
            "machine",
            format!("{}, {}, {} cores, {}", machine.processor, machine.architecture, machine.cores, machine.memory),
        ),
        row("kernel", machine.kernel.clone()),
        row(
            "self-test",
            match (&test.problem, test.largest_deviation, test.inputs) {
                (Some(problem), _, _) => format!("FAILED: {problem}"),
                (None, deviation, inputs) => format!(
                    "passed: {} golden inputs, largest deviation {:.1e}, tolerance {:.1e}",
                    inputs.unwrap_or_default(),
                    deviation.unwrap_or_default(),
                    test.tolerance
                ),
            },
        ),
    ]);
    vec![heading(2, "What was examined"), Block::Table(vec!["", ""], rows)]
}

fn calibration(facts: &CalibrationFacts) -> Vec<Block> {
    let threshold = if facts.per_class { "one per class".into() } else { facts.threshold.to_string() };
    let mut rows = vec![
        row("score", facts.score.clone()),
        row("threshold", threshold),
        row("wanted share of false flags", facts.target.to_string()),
        row("frames that set it", facts.frames.to_string()),
        row("where they came from", facts.origin.clone()),
    ];
    match (&facts.policy, facts.policy_at_most_per_hour) {
        (Some(policy), Some(at_most)) => rows.extend([
            row("policy over time", policy.policy.to_string()),
            row("calibrated for", format!("{} false alarms per hour", short(policy.max_false_alarms_per_hour))),
            row("tested on", policy.tested_on.to_string()),
            row("bound that this shows (95 %)", format!("{} false alarms per hour", short(at_most))),
            row("delay when calibrated", format!("{}; {}", policy.unknown, policy.delay)),
        ]),
        _ => rows.push(row("policy over time", "none: every flagged frame is an alarm")),
    }
    vec![
        heading(2, "What the thresholds rest on"),
        Block::Paragraph(
            "As stored in the package. A conformal threshold keeps its rate on frames that are exchangeable with those of the \
             calibration, on average over calibrations, or with the confidence that is stated; a policy over time promises \
             nothing beyond what was counted."
                .into(),
        ),
        Block::Table(vec!["", ""], rows),
    ]
}

fn known(known: &Known) -> Vec<Block> {
    let (footage, flags) = (&known.footage, &known.flags);
    let mut rows = footage_rows(footage);
    rows.extend([
        row("flagged, all of them falsely", format!("{} of {}", flags.flagged, footage.frames)),
        row("share, if all frames were independent", percent(flags.rate)),
        row("share, for as many as they are worth", percent(flags.rate_of_effective)),
    ]);
    if let Some((low, high)) = known.expected_flags {
        rows.push(row(
            "flags to expect, 95 %",
            format!("{low} to {high} among {:.0} independent frames", footage.effective_frames.floor()),
        ));
    }
    rows.extend([
        row("alarms are raised by", known.policy.clone()),
        row("alarms, all of them false", known.alarms.to_string()),
        row("alarms that count once", format!("those within {} s", short(known.block_s))),
        row(
            "was it part of the calibration?",
            match known.overlap {
                Overlap::Compared { found, by_chance } => format!(
                    "not found to be: {} % of its scores are among the calibration's, {} % would be by chance",
                    short(100.0 * found),
                    short(100.0 * by_chance)
                ),
                Overlap::CannotTell { why } => format!("cannot be told: {why}"),
            },
        ),
    ]);
    vec![heading(2, "Known footage"), Block::Table(vec!["", ""], rows), Block::Figure(plots::p_values(known))]
}

fn footage_rows(footage: &super::Footage) -> Vec<Vec<String>> {
    let [(width, height), (most_wide, most_high)] = footage.size_px;
    vec![
        row("footage", footage.path.display().to_string()),
        row("sha256 of its pictures", footage.sha256.clone()),
        row("frames", format!("{}, and {} that could not be read", footage.frames, footage.bad)),
        row("frames per second", short(footage.frames_per_second)),
        row("pixels", format!("{width}x{height} to {most_wide}x{most_high}")),
        row("worth independent frames", short(footage.effective_frames)),
    ]
}

fn unknown(results: &Results) -> Vec<Block> {
    let mut all = vec![heading(2, "Unknown footage")];
    if results.unknown.is_empty() {
        all.push(Block::Paragraph("None was given.".into()));
        return all;
    }
    let names = vec![
        "footage",
        "frames",
        "flagged (95 %)",
        "AUROC (95 %)",
        "FPR95 (95 %)",
        "noticed",
        "delay: half, 95 % within",
    ];
    all.push(Block::Table(names, results.unknown.iter().map(unknown_row).collect()));
    all.push(Block::Paragraph(
        "Flagged: for as many independent frames as they are worth (Clopper-Pearson). AUROC: chance that an unknown frame scores \
         higher than a known one. FPR95: share of the unknown that is accepted where 95 % of the known is. Both with a block \
         bootstrap; an interval without width says that all frames agree, not that there is no doubt. Delay: from the first \
         unknown frame after a cut to the alarm, in seconds of the footage."
            .into(),
    ));
    all.push(Block::Figure(plots::roc(results)));
    for (place, unknown) in results.unknown.iter().enumerate() {
        all.push(heading(3, &format!("Unknown footage {}", place + 1)));
        all.push(Block::Table(vec!["", ""], footage_rows(&unknown.footage)));
        all.push(Block::Figure(plots::scores(results, place)));
    }
    all
}

fn unknown_row(unknown: &Unknown) -> Vec<String> {
    let seconds = |time: Option<f64>| time.map_or_else(|| "not".into(), |time| format!("{} s", short(time)));
    let delay = &unknown.delay;
    vec![
        unknown.footage.path.display().to_string(),
        unknown.footage.frames.to_string(),
        percent(unknown.flags.rate_of_effective),
        decimals(unknown.auroc),
        percent(unknown.fpr95_id),
        format!("{} of {} cuts", delay.cuts - delay.missed, delay.cuts),
        format!("{}, {}", seconds(unknown.median_delay_s), seconds(delay.most_s)),
    ]
}

fn checks(checks: &Checks, frames: usize) -> Vec<Block> {
    let rows = checks.trials.iter().map(trial_row).collect();
    let mut all = vec![
        heading(2, "Health checks"),
        Block::Paragraph(format!(
            "Each check on {} pictures of the known footage that were spoilt for it, after good ones. Told means an entry in \
             `health` of the verdict; an error makes it unsafe, a warning does not.",
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

fn fault_runs(runs: &[FaultRun]) -> Vec<Block> {
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
    pub(super) fn title(&self) -> String {
        let name = faults::name(self.kind);
        if self.parameters.is_empty() { name } else { format!("{name} ({})", self.parameters) }
    }
}

fn sign(sign: Sign) -> String {
    match sign {
        Sign::Reason(reason) => reason.to_string(),
        Sign::Finding(of) => kind(of),
    }
}

/// The name of a check, as in a verdict.
pub(super) fn kind(kind: Kind) -> String {
    toml::Value::try_from(kind).ok().and_then(|name| name.as_str().map(str::to_string)).unwrap_or_default()
}

fn percent(interval: Interval) -> String {
    let of = |share: f64| short(100.0 * share);
    format!("{} % ({} to {} %)", of(interval.value), of(interval.low), of(interval.high))
}

fn decimals(interval: Interval) -> String {
    format!("{:.4} ({:.4} to {:.4})", interval.value, interval.low, interval.high)
}
