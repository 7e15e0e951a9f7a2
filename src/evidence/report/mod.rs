//! The page: everything of an [`Evidence`], in the order in which a reader asks.

mod broken;
mod footage;

use super::page::Block;
use super::{CalibrationFacts, Evidence, Interval, OnnxRuntime, Outcome};
use crate::calibrate::short;
pub(super) use broken::kind;
use broken::{checks, fault_runs};
use footage::{known, unknown};

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
    rows.extend(identity.prepared.iter().map(|network| {
        row("prepared network, run for model.onnx", format!("{}, sha256 {}", network.file.display(), network.sha256))
    }));
    rows.extend([
        row("config", identity.config.display().to_string()),
        row("sha256 of the config", identity.config_sha256.clone()),
        row("camera", identity.camera.clone()),
        row("its view", identity.view.to_string()),
        row("decodes", identity.decode.to_string()),
        row("ONNX Runtime", identity.onnx_runtime.as_ref().map_or_else(unknown, onnx_runtime)),
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

fn onnx_runtime(runtime: &OnnxRuntime) -> String {
    let unknown = || "unknown".to_string();
    let (version, sha256) = (runtime.version.clone(), runtime.sha256.clone());
    let (version, sha256) = (version.unwrap_or_else(unknown), sha256.unwrap_or_else(unknown));
    format!("{version}, {}, sha256 {sha256}; {}", runtime.path.display(), runtime.build)
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

fn percent(interval: Interval) -> String {
    let of = |share: f64| short(100.0 * share);
    format!("{} % ({} to {} %)", of(interval.value), of(interval.low), of(interval.high))
}

fn decimals(interval: Interval) -> String {
    format!("{:.4} ({:.4} to {:.4})", interval.value, interval.low, interval.high)
}
