//! `[decide]`: deadlines, and which policy raises the alarm.

use serde::{Deserialize, Serialize};

use super::{Latchable, Policy};
use crate::calibrate::{CalibratedPolicy, ScoreCalibration};

/// `[decide]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecideConfig {
    /// Longest time without a verdict on a fresh frame, in milliseconds; after it the state is fault.
    pub deadline_ms: u64,
    /// Time that the first frame may take, in milliseconds, before the absence of one is a fault.
    pub startup_ms: u64,
    /// Faults that stay until `oodwatch reset`.
    pub latch: Vec<Latchable>,
    /// Faults within an hour that are not yet `repeated_faults`.
    pub faults_per_hour: u32,
    /// What raises the alarm.
    pub policy: PolicyChoice,
    /// False alarms per hour that the package's policy must have been calibrated for, or fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_false_alarms_per_hour: Option<f64>,
    /// Seconds within which the package's policy must have detected 95 % of the changes it was tried on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_delay_s: Option<f64>,
}

/// What raises the alarm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyChoice {
    /// The policy over time that the package was calibrated with for this score; without one, each frame for itself.
    #[default]
    Calibrated,
    /// Each frame for itself: every flagged frame is an alarm.
    Frame,
}

/// Why a package cannot be run under this `[decide]`.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecideError {
    /// The package has no policy for the score.
    #[error(
        "decide.{key} is {wanted}, but the package has no policy over time for this score; run `oodwatch calibrate` \
         with --max-false-alarms-per-hour and footage"
    )]
    NoPolicy {
        /// The key that asks for one.
        key: &'static str,
        /// Its value.
        wanted: f64,
    },
    /// The package's policy was calibrated for more false alarms.
    #[error(
        "decide.max_false_alarms_per_hour is {wanted}, but the package's policy was calibrated for {found}; run \
         `oodwatch calibrate --max-false-alarms-per-hour {wanted}` with at least {hours:.1} hours of footage for the \
         proof, which is the last third of it"
    )]
    MoreAlarms {
        /// What the config allows.
        wanted: f64,
        /// What the package was calibrated for.
        found: f64,
        /// Footage that could show it, without a single alarm, in hours.
        hours: f64,
    },
    /// The package's policy takes longer.
    #[error(
        "decide.max_delay_s is {wanted}, but the package's policy {found}; run `oodwatch calibrate` with that \
         --max-delay-s, a better score, or more false alarms per hour"
    )]
    Slower {
        /// What the config allows.
        wanted: f64,
        /// What was measured.
        found: String,
    },
}

impl Default for DecideConfig {
    fn default() -> Self {
        Self {
            deadline_ms: 1_000,
            startup_ms: 10_000,
            latch: Latchable::DEFAULT.into(),
            faults_per_hour: 10,
            policy: PolicyChoice::default(),
            max_false_alarms_per_hour: None,
            max_delay_s: None,
        }
    }
}

impl DecideConfig {
    /// The first key whose value is out of range: the key, what it holds, what it may hold.
    pub fn wrong_value(&self) -> Option<(&'static str, String, &'static str)> {
        if !(1..=3_600_000).contains(&self.deadline_ms) {
            return Some(("deadline_ms", self.deadline_ms.to_string(), "1 to 3600000"));
        }
        if self.faults_per_hour > 10_000 {
            return Some(("faults_per_hour", self.faults_per_hour.to_string(), "0 to 10000"));
        }
        let demands =
            [("max_false_alarms_per_hour", self.max_false_alarms_per_hour), ("max_delay_s", self.max_delay_s)];
        for (key, value) in demands.into_iter().filter_map(|(key, value)| Some((key, value?))) {
            if !(value > 0.0 && value.is_finite()) {
                return Some((key, value.to_string(), "a positive number"));
            }
            if self.policy == PolicyChoice::Frame {
                return Some(("policy", "\"frame\"".into(), "\"calibrated\", for the demands that stand beside it"));
            }
        }
        None
    }

    /// The policy to run with this calibration; none where each frame stands for itself.
    ///
    /// # Errors
    /// The config demands what the package was not calibrated for.
    pub fn policy_of(&self, calibration: &ScoreCalibration) -> Result<Option<Policy>, DecideError> {
        if self.policy == PolicyChoice::Frame {
            return Ok(None);
        }
        let Some(calibrated) = &calibration.policy else {
            let demands =
                [("max_false_alarms_per_hour", self.max_false_alarms_per_hour), ("max_delay_s", self.max_delay_s)];
            let demand = demands.into_iter().find_map(|(key, value)| Some((key, value?)));
            return demand.map_or(Ok(None), |(key, wanted)| Err(DecideError::NoPolicy { key, wanted }));
        };
        self.check_demands(calibrated)?;
        Ok(Some(calibrated.policy))
    }

    /// A rate that the footage was too short to show is no reason to refuse, but one to tell.
    fn check_demands(&self, calibrated: &CalibratedPolicy) -> Result<(), DecideError> {
        if let Some(wanted) = self.max_false_alarms_per_hour
            && wanted < calibrated.max_false_alarms_per_hour
        {
            let hours = crate::calibrate::hours_without_alarm(wanted);
            return Err(DecideError::MoreAlarms { wanted, found: calibrated.max_false_alarms_per_hour, hours });
        }
        if let Some(wanted) = self.max_delay_s
            && !calibrated.delay.within(wanted)
        {
            return Err(DecideError::Slower { wanted, found: calibrated.delay.to_string() });
        }
        let wanted = self.max_false_alarms_per_hour.unwrap_or(calibrated.max_false_alarms_per_hour);
        if calibrated.tested_on.at_most_per_hour() > wanted {
            log::warn!(
                "decide: {wanted} false alarms per hour are wanted; the policy was tested on {}",
                calibrated.tested_on
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::{Delay, FalseAlarms, Target};

    fn calibration(policy: Option<CalibratedPolicy>) -> ScoreCalibration {
        ScoreCalibration { policy, ..ScoreCalibration::new(vec![0.0, 1.0, 2.0], Target::rate(0.5)).unwrap() }
    }

    /// For one alarm in two hours, nearly always noticed within 3 s.
    fn calibrated() -> CalibratedPolicy {
        CalibratedPolicy {
            policy: Policy::frame(0.01, 1.0),
            max_false_alarms_per_hour: 0.5,
            chosen_on: FalseAlarms::default(),
            tested_on: FalseAlarms::default(),
            frame_by_frame: FalseAlarms::default(),
            block_s: 1.0,
            frames_per_second: 30.0,
            delay: Delay { cuts: 20, most_s: Some(3.0), ..Delay::default() },
            unknown: "pictures".into(),
        }
    }

    fn demanding(alarms: Option<f64>, delay_s: Option<f64>) -> DecideConfig {
        DecideConfig { max_false_alarms_per_hour: alarms, max_delay_s: delay_s, ..DecideConfig::default() }
    }

    #[test]
    fn the_packages_policy_is_used_where_there_is_one_and_frames_stand_for_themselves_where_not() {
        let (with, without) = (calibration(Some(calibrated())), calibration(None));
        let config = DecideConfig::default();
        assert_eq!(config.policy_of(&with), Ok(Some(calibrated().policy)));
        assert_eq!(config.policy_of(&without), Ok(None));
        let frame = DecideConfig { policy: PolicyChoice::Frame, ..config };
        assert_eq!(frame.policy_of(&with), Ok(None));
    }

    #[test]
    fn demands_that_the_package_does_not_meet_are_refused_with_both_numbers() {
        let with = calibration(Some(calibrated()));
        assert!(demanding(Some(0.5), Some(3.0)).policy_of(&with).is_ok());
        let error = |config: DecideConfig, calibration| config.policy_of(calibration).unwrap_err().to_string();
        let text = error(demanding(Some(0.25), None), &with);
        assert!(text.contains("is 0.25") && text.contains("for 0.5") && text.contains("12.0 hours"), "{text}");
        let text = error(demanding(None, Some(2.5)), &with);
        assert!(text.contains("is 2.5") && text.contains("within 3.0 s"), "{text}");
        let text = error(demanding(Some(1.0), None), &calibration(None));
        assert!(text.contains("no policy over time") && text.contains("oodwatch calibrate"), "{text}");
    }

    #[test]
    fn demands_are_positive_and_need_a_policy() {
        assert_eq!(demanding(Some(1.0), Some(0.1)).wrong_value(), None);
        assert!(demanding(Some(0.0), None).wrong_value().is_some());
        assert!(demanding(None, Some(f64::NAN)).wrong_value().is_some());
        let frame = DecideConfig { policy: PolicyChoice::Frame, ..demanding(Some(1.0), None) };
        assert_eq!(frame.wrong_value().unwrap().0, "policy");
    }
}
