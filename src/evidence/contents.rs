//! What a page holds, as it stands in its JSON.

use jiff::Timestamp;
use serde::Serialize;

use super::{Checks, EvidenceError, FaultRun, Identity, Known, Machine, Outcome, Unknown, limits, report};
use crate::calibrate::{CalibratedPolicy, Target};
use crate::config::Config;
use crate::open::CalibratedPackage;
use crate::package::Package;

/// Layout version of the JSON.
pub const SCHEMA: u32 = 1;
/// What stands first on the page.
const STATEMENT: &str = "This page supports a safety case and replaces none. It says what one program with one package and one \
                         config did on the footage named here, and nothing about other footage.";

/// Everything that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Evidence {
    /// [`SCHEMA`].
    pub schema: u32,
    /// When, RFC 3339.
    pub created_at: String,
    /// What this is and what it is not.
    pub statement: &'static str,
    /// What did not hold of what was promised; empty where everything did.
    pub unmet: Vec<String>,
    /// What was examined.
    pub identity: Identity,
    /// Where.
    pub machine: Machine,
    /// Whether this machine computes what the package's maker computed.
    pub self_test: SelfTestResult,
    /// The rest; none where the self-test failed.
    pub results: Option<Results>,
    /// What is not shown.
    pub limits: Vec<String>,
}

/// The self-test of the package on this machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SelfTestResult {
    /// Whether every output and score was within the tolerance.
    pub passed: bool,
    /// Golden inputs; none where it failed.
    pub inputs: Option<usize>,
    /// Largest deviation, relative to 1 + the wanted value; none where it failed.
    pub largest_deviation: Option<f32>,
    /// What a deviation may be.
    pub tolerance: f32,
    /// Why it failed.
    pub problem: Option<String>,
}

/// What a package that passed its self-test did.
#[derive(Debug, Clone, Serialize)]
pub struct Results {
    /// What the thresholds rest on.
    pub calibration: CalibrationFacts,
    /// On known footage.
    pub known: Known,
    /// On unknown footage, by piece.
    pub unknown: Vec<Unknown>,
    /// The health checks.
    pub health: Checks,
    /// Faults that were injected.
    pub faults: Vec<FaultRun>,
}

/// What the package says of its calibration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalibrationFacts {
    /// Where its frames came from, in words.
    pub origin: String,
    /// Frames that set the threshold of this score.
    pub frames: usize,
    /// The score or fusion.
    pub score: String,
    /// Its threshold over all classes.
    pub threshold: f32,
    /// Whether each class has its own instead.
    pub per_class: bool,
    /// Wanted rate and confidence.
    pub target: Target,
    /// The policy over time with its evidence, as stored; none where each flagged frame is an alarm.
    pub policy: Option<CalibratedPolicy>,
    /// Upper limit of its false alarms per hour, from `tested_on`.
    pub policy_at_most_per_hour: Option<f64>,
}

impl Evidence {
    /// Of these parts, now and here.
    pub(super) fn new(identity: Identity, self_test: SelfTestResult, results: Option<Results>) -> Self {
        let mut unmet = Vec::from_iter(self_test.problem.clone());
        unmet.extend(results.iter().flat_map(Results::unmet));
        Self {
            schema: SCHEMA,
            created_at: format!("{:.0}", Timestamp::now()),
            statement: STATEMENT,
            unmet,
            limits: limits::limits(results.as_ref()),
            identity,
            machine: Machine::here(),
            self_test,
            results,
        }
    }
}

impl Results {
    /// What did not hold of what was promised.
    fn unmet(&self) -> Vec<String> {
        let not_told = self.health.trials.iter().filter(|trial| trial.outcome == Outcome::NotTold);
        let checks = not_told.map(|trial| {
            format!("health: {} was not told of pictures that are {}", report::kind(trial.kind), trial.spoilt)
        });
        let broken = self.faults.iter().filter(|run| run.held == Some(false));
        let faults = broken.map(|run| match run.measured.told_after_s {
            Some(after_s) => format!("fault {}: told after {after_s:.2} s, which is too late", run.title()),
            None => format!("fault {}: not told", run.title()),
        });
        checks.chain(faults).collect()
    }
}

impl SelfTestResult {
    pub(super) fn passed(by: &CalibratedPackage) -> Self {
        Self {
            passed: true,
            inputs: Some(by.self_test.inputs),
            largest_deviation: Some(by.self_test.largest_deviation),
            tolerance: by.tolerance,
            problem: None,
        }
    }

    pub(super) fn failed(tolerance: f32, problem: String) -> Self {
        Self { passed: false, inputs: None, largest_deviation: None, tolerance, problem: Some(problem) }
    }
}

impl CalibrationFacts {
    pub(super) fn of(package: &Package, by: &CalibratedPackage, config: &Config) -> Result<Self, EvidenceError> {
        let calibration = by.judge.calibration();
        let in_use = config.decide.policy_of(calibration)?;
        let policy = calibration.policy.clone().filter(|_| in_use.is_some());
        Ok(Self {
            origin: package.calibration.origin.clone(),
            frames: calibration.all.scores().len(),
            score: by.judge.criterion().to_string(),
            threshold: calibration.all.threshold(),
            per_class: calibration.per_class.is_some(),
            target: calibration.target,
            policy_at_most_per_hour: policy.as_ref().map(|policy| policy.tested_on.at_most_per_hour()),
            policy,
        })
    }
}
