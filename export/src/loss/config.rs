//! The table `[loss]` of a training config, one sub-table per term.

use serde::{Deserialize, Serialize};

use super::{AttentionTransferConfig, BackgroundConfig, BackgroundRule, LogitNormConfig, VirtualOutliersConfig};
use crate::config::{ConfigError, ensure};

/// The table `[loss]`; terms add up in any combination.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossConfig {
    /// The local background feature loss; without any table, plain cross-entropy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<BackgroundConfig>,
    /// LogitNorm in the place of the cross-entropy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logit_norm: Option<LogitNormConfig>,
    /// Virtual outliers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_outliers: Option<VirtualOutliersConfig>,
    /// Attention transfer from a frozen network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention_transfer: Option<AttentionTransferConfig>,
}

impl LossConfig {
    /// Whether training minimises the cross-entropy alone.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses what no term can work with; `epochs` is the length of the run.
    ///
    /// # Errors
    /// A value out of range, by its key.
    pub(crate) fn check(&self, epochs: usize) -> Result<(), ConfigError> {
        self.background.as_ref().map_or(Ok(()), check_background)?;
        if let Some(config) = &self.logit_norm {
            let tau = config.temperature;
            ensure(tau.is_finite() && tau > 0.0, "loss.logit_norm.temperature", tau, "a number above 0")?;
        }
        if let Some(config) = &self.attention_transfer {
            ensure(is_weight(config.weight), "loss.attention_transfer.weight", config.weight, "0 or more")?;
        }
        self.virtual_outliers.as_ref().map_or(Ok(()), |config| check_virtual_outliers(config, epochs))
    }
}

fn check_background(config: &BackgroundConfig) -> Result<(), ConfigError> {
    let BackgroundConfig { lambda, warmup, relative, floor, rule } = *config;
    ensure(is_weight(lambda), "loss.background.lambda", lambda, "0 or more")?;
    ensure((0.0..=1.0).contains(&warmup), "loss.background.warmup", warmup, "a share of the steps, from 0 to 1")?;
    ensure(is_weight(floor), "loss.background.floor", floor, "0 or more")?;
    let has_foreground = !(relative && rule == BackgroundRule::All);
    ensure(
        has_foreground,
        "loss.background.relative",
        relative,
        "false with rule \"all\", which leaves no foreground",
    )?;
    let unit = |x: f64| x > 0.0 && x <= 1.0;
    match rule {
        BackgroundRule::Rank(top) => ensure(top >= 1, "loss.background.rule.rank", top, "at least 1"),
        BackgroundRule::Confidence(p) => ensure(unit(p), "loss.background.rule.confidence", p, "above 0, up to 1"),
        BackgroundRule::Lowest(q) => ensure(unit(q), "loss.background.rule.lowest", q, "above 0, up to 1"),
        BackgroundRule::All => Ok(()),
    }
}

fn check_virtual_outliers(config: &VirtualOutliersConfig, epochs: usize) -> Result<(), ConfigError> {
    let VirtualOutliersConfig { weight, queue, samples, select, start_epoch } = *config;
    ensure(is_weight(weight), "loss.virtual_outliers.weight", weight, "0 or more")?;
    // Checkpoints keep positions in the queue as FP32.
    let length = (2..=1 << 24).contains(&queue);
    ensure(length, "loss.virtual_outliers.queue", queue, "from 2 to 2^24")?;
    ensure(samples >= 1, "loss.virtual_outliers.samples", samples, "at least 1")?;
    let selected = (1..=samples).contains(&select);
    ensure(selected, "loss.virtual_outliers.select", select, "from 1 to loss.virtual_outliers.samples")?;
    let begins = (1..=epochs).contains(&start_epoch);
    ensure(begins, "loss.virtual_outliers.start_epoch", start_epoch, "from 1 to schedule.epochs")
}

fn is_weight(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(toml: &str) -> String {
        toml::from_str::<LossConfig>(toml).unwrap().check(3).unwrap_err().to_string()
    }

    #[test]
    fn terms_combine_and_defaults_are_the_papers() {
        let text = "[background]\nlambda = 0.1\nrule = { lowest = 0.3 }\n[virtual_outliers]\n[logit_norm]\n\
                    [attention_transfer]\nweight = 1.0\n";
        let config: LossConfig = toml::from_str(text).unwrap();
        config.check(1).unwrap();
        assert_eq!(config.logit_norm.unwrap().temperature, 0.04);
        assert_eq!((config.virtual_outliers.unwrap().queue, config.virtual_outliers.unwrap().samples), (1000, 10_000));
        assert!(!config.is_plain() && LossConfig::default().is_plain());
        assert!(toml::from_str::<LossConfig>("[backgruond]\n").unwrap_err().to_string().contains("backgruond"));
    }

    #[test]
    fn a_value_out_of_range_is_named_with_its_key_and_range() {
        for (text, key) in [
            ("background = { lambda = -1.0, rule = \"all\" }", "loss.background.lambda = -1"),
            ("background = { lambda = 1.0, warmup = 1.5, rule = \"all\" }", "loss.background.warmup = 1.5"),
            ("background = { lambda = 1.0, floor = -0.1, rule = \"all\" }", "loss.background.floor = -0.1"),
            ("background = { lambda = 1.0, relative = true, rule = \"all\" }", "leaves no foreground"),
            ("background = { lambda = 1.0, rule = { lowest = 0.0 } }", "loss.background.rule.lowest = 0"),
            ("logit_norm = { temperature = 0.0 }", "loss.logit_norm.temperature = 0"),
            ("attention_transfer = { weight = inf }", "loss.attention_transfer.weight = inf"),
            ("virtual_outliers = { queue = 1 }", "loss.virtual_outliers.queue = 1"),
            ("virtual_outliers = { samples = 5, select = 6 }", "loss.virtual_outliers.select = 6"),
            ("virtual_outliers = { start_epoch = 4 }", "loss.virtual_outliers.start_epoch = 4: from 1 to"),
        ] {
            let found = refusal(text);
            assert!(found.contains(key), "{text}: {found}");
        }
    }
}
