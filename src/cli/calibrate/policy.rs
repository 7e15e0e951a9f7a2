//! The part of `oodwatch calibrate` that is about alarms over time.

use std::path::PathBuf;

use oodwatch::calibrate::{
    Calibrated, CalibratedPolicy, Criterion, Footage, Goal, Order, WithoutPolicy, choose_policies, hours_without_alarm,
    short, time_of,
};
use oodwatch::decode::Decoder;
use oodwatch::package::{Calibration, Package};
use oodwatch::pipeline::Pipeline;

use super::collect::{self, Collected, progress_bar};
use super::{Arguments, usual_order};
use crate::cli::exit::CliError;
use crate::cli::lines;

#[derive(Debug, clap::Args)]
pub(super) struct PolicyArguments {
    /// Choose a policy over time that alarms falsely at most this often; frames are footage then
    #[arg(long, value_name = "R", value_parser = positive)]
    pub(super) max_false_alarms_per_hour: Option<f64>,
    /// Seconds within which the policy should notice 95 % of changes to the unknown
    #[arg(long, value_name = "S", value_parser = positive, requires = "max_false_alarms_per_hour")]
    pub(super) max_delay_s: Option<f64>,
    /// Footage of the unknown to measure the delay on [default: a model of it]
    #[arg(long, value_name = "PATH", requires = "max_false_alarms_per_hour")]
    pub(super) ood: Option<PathBuf>,
    /// Refuse where the footage does not show that the policy keeps what was asked for
    #[arg(long, requires = "max_false_alarms_per_hour")]
    pub(super) strict: bool,
    /// Frames per second that pictures stand for
    #[arg(long, value_name = "F", value_parser = positive, default_value = "30")]
    pub(super) frames_per_second: f64,
}

pub(in crate::cli) fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| *number > 0.0 && number.is_finite());
    number.ok_or_else(|| "wanted a positive number".into())
}

impl PolicyArguments {
    /// For a policy that keeps this rate, or none; nothing is refused that the footage does not show.
    pub(super) fn new(max_false_alarms_per_hour: Option<f64>) -> Self {
        Self { max_false_alarms_per_hour, max_delay_s: None, ood: None, strict: false, frames_per_second: 30.0 }
    }

    /// What a policy is to keep, if one is wanted.
    pub(super) fn goal(&self) -> Option<Goal> {
        let max_false_alarms_per_hour = self.max_false_alarms_per_hour?;
        Some(Goal { max_false_alarms_per_hour, max_delay_s: self.max_delay_s })
    }

    /// What the new package says of how it was made.
    pub(super) fn tell_origin(&self, origin: &mut toml::Table) {
        let Some(goal) = self.goal() else { return };
        origin.insert("max_false_alarms_per_hour".into(), goal.max_false_alarms_per_hour.into());
        origin.insert("frames_per_second".into(), self.frames_per_second.into());
        if let Some(max_delay_s) = goal.max_delay_s {
            origin.insert("max_delay_s".into(), max_delay_s.into());
        }
        if let Some(ood) = &self.ood {
            origin.insert("ood".into(), ood.display().to_string().into());
        }
    }
}

/// What the order of the frames means: footage where a policy is wanted.
pub(super) fn order(arguments: &Arguments) -> anyhow::Result<Order> {
    match (arguments.order, arguments.policy.goal()) {
        (Some(Order::Shuffled), Some(_)) => {
            let problem =
                "--max-false-alarms-per-hour is about time, and --order shuffled has none; leave one of them out";
            Err(CliError::Usage(problem.into()).into())
        }
        (None, Some(_)) => Ok(Order::Footage),
        (order, _) => Ok(order.unwrap_or_else(|| usual_order(&arguments.from))),
    }
}

/// Runs the footage of the unknown through the network, if there is any.
pub(super) fn unknown(
    arguments: &Arguments,
    package: &Package,
    decoder: &mut Decoder,
    pipeline: &mut Pipeline,
) -> anyhow::Result<Option<Collected>> {
    let Some(ood) = &arguments.policy.ood else { return Ok(None) };
    let frames_per_second = arguments.policy.frames_per_second;
    let request = collect::Request { from: ood, frames_per_second, max_frames: None, out: &arguments.out };
    collect::collect(&request, package, decoder, pipeline).map(Some)
}

/// Chooses the policies that were asked for.
pub(super) fn choose(
    arguments: &Arguments,
    package: &Package,
    known: &mut Collected,
    unknown: &mut Option<Collected>,
    calibrated: &mut Calibrated,
) -> anyhow::Result<WithoutPolicy> {
    let Some(goal) = arguments.policy.goal() else { return Ok(WithoutPolicy::new()) };
    let progress = progress_bar("watching");
    let (known_origin, ood) = (arguments.from.display().to_string(), arguments.policy.ood.clone().unwrap_or_default());
    let ood_origin = ood.display().to_string();
    let without = choose_policies(
        Footage { spool: &mut known.spool, times_s: &known.times_s, origin: &known_origin },
        unknown.as_mut().map(|unknown| Footage {
            spool: &mut unknown.spool,
            times_s: &unknown.times_s,
            origin: &ood_origin,
        }),
        &package.manifest,
        calibrated,
        &goal,
        &|| progress.inc(1),
    );
    progress.finish_and_clear();
    let without = without?;
    refuse(arguments, &calibrated.calibration, &without, &goal)?;
    Ok(without)
}

/// Without --strict a single policy is enough, and what the footage does not show is told.
fn refuse(
    arguments: &Arguments,
    calibration: &Calibration,
    without: &WithoutPolicy,
    goal: &Goal,
) -> anyhow::Result<()> {
    let policies = policies(calibration);
    if let Some((criterion, error)) = without.first_key_value()
        && (policies.is_empty() || arguments.policy.strict)
    {
        return Err(CliError::Usage(format!("{criterion}: {error}")).into());
    }
    let lacking =
        policies.iter().find_map(|(criterion, policy)| Some((criterion, policy.shortfalls(goal).into_iter().next()?)));
    match lacking {
        Some((criterion, shortfall)) if arguments.policy.strict => Err(CliError::Usage(format!(
            "{criterion}: {shortfall}; without --strict the package is written all the same"
        ))
        .into()),
        _ => Ok(()),
    }
}

fn policies(calibration: &Calibration) -> Vec<(Criterion, &CalibratedPolicy)> {
    let scores = calibration.scores.iter().map(|(name, score)| (Criterion::Score(*name), score));
    let fusions = calibration.fusions.iter().map(|(name, score)| (Criterion::Fusion(name.clone()), score));
    scores.chain(fusions).filter_map(|(criterion, score)| Some((criterion, score.policy.as_ref()?))).collect()
}

/// Every policy with its evidence.
pub(super) fn tell(arguments: &Arguments, calibration: &Calibration, without: &WithoutPolicy) -> anyhow::Result<()> {
    let Some(goal) = arguments.policy.goal() else { return Ok(()) };
    lines::text(&format!(
        "policies for at most {} false alarms per hour, which takes {} without an alarm to show:",
        goal.max_false_alarms_per_hour,
        time_of(hours_without_alarm(goal.max_false_alarms_per_hour))
    ))?;
    for (criterion, policy) in policies(calibration) {
        lines::text(&format!("{criterion}  {}", policy.policy))?;
        lines::text(&format!("    chosen on {}", policy.chosen_on))?;
        lines::text(&format!("    tested on {}", policy.tested_on))?;
        lines::text(&format!("    frame by frame it would be {}", policy.frame_by_frame))?;
        lines::text(&format!(
            "    alarms within {} s counted once; {} frames/s; {}: {}",
            short(policy.block_s),
            short(policy.frames_per_second),
            policy.unknown,
            policy.delay
        ))?;
        for shortfall in policy.shortfalls(&goal) {
            log::warn!("calibrate: {criterion}: {shortfall}");
        }
    }
    for (criterion, error) in without {
        lines::text(&format!("{criterion}  no policy: {error}"))?;
    }
    Ok(())
}
