//! `[health]`: the threshold of every check. docs/HEALTH.md says where each default comes from.

use serde::{Deserialize, Serialize};

/// From when on a reading is a finding.
///
/// Most readings must not be above their limits; those of which less is worse must not be below them. A limit that can never be
/// reached (`inf`, or 0 for the latter) switches a check off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Beyond this it is a warning.
    pub warn: f32,
    /// Beyond this it is an error.
    pub error: f32,
}

const fn limits(warn: f32, error: f32) -> Limits {
    Limits { warn, error }
}

/// `[health]`. Brightness is luma from 0 to 255; blocks are the 5x5 that a picture is divided into.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthConfig {
    /// Whether pictures are looked at.
    pub enabled: bool,
    /// Frames in a row for which something has to hold before it is told.
    pub consecutive_frames: u32,
    /// Seconds for which nothing in the picture changed.
    pub frozen_s: Limits,
    /// Milliseconds between a frame's capture and the look at it.
    pub late_ms: Limits,
    /// Frames per second that the camera should deliver; 0: those of its first frames.
    pub expected_rate: f64,
    /// Share of that rate that is delivered. Less is worse.
    pub rate_share: Limits,
    /// Mean brightness below which a block is dark.
    pub dark_below: f32,
    /// Dark blocks.
    pub dark_blocks: Limits,
    /// Mean brightness above which a block is over-exposed.
    pub bright_above: f32,
    /// Over-exposed blocks.
    pub bright_blocks: Limits,
    /// Mean brightness below which a block lies in shadow.
    pub shadow_below: f32,
    /// Blocks in shadow, and as many over-exposed ones: the camera looks into light.
    pub backlit_blocks: Limits,
    /// Share of a block's pixels that have to be darker than `dark_below` for it to count as covered.
    pub covered_share: f32,
    /// Covered blocks in a picture whose other blocks are lit.
    pub covered_blocks: Limits,
    /// Brightness between the darkest and the brightest hundredth of the picture, as a share of 255. Less is worse.
    pub contrast: Limits,
    /// Strength of the finest detail where there is most of it: root mean square of the Laplacian. Less is worse.
    pub sharpness: Limits,
    /// Standard deviation of the noise where the picture is smoothest.
    pub noise: Limits,
    /// Range of the colour channel that varies least, in a picture that has contrast. Less is worse.
    pub channel_range: Limits,
    /// Mean difference between the strongest and the weakest channel, of a camera that showed colours before. Less is worse.
    pub colorfulness: Limits,
    /// Difference between green and both other channels from which on a block is green or magenta.
    pub cast_from: f32,
    /// Green blocks, or magenta ones.
    pub cast_blocks: Limits,
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            consecutive_frames: 3,
            frozen_s: limits(0.25, 0.5),
            late_ms: limits(200.0, 1_000.0),
            expected_rate: 0.0,
            rate_share: limits(0.9, 0.5),
            dark_below: 10.0,
            dark_blocks: limits(10.0, 20.0),
            bright_above: 230.0,
            bright_blocks: limits(15.0, 20.0),
            shadow_below: 30.0,
            backlit_blocks: limits(4.0, 8.0),
            covered_share: 0.9,
            covered_blocks: limits(5.0, 8.0),
            contrast: limits(0.1, 0.05),
            sharpness: limits(4.0, 2.0),
            noise: limits(15.0, 25.0),
            channel_range: limits(4.0, 2.0),
            colorfulness: limits(0.5, 0.0),
            cast_from: 120.0,
            cast_blocks: limits(4.0, 8.0),
        }
    }
}

impl HealthConfig {
    /// The first key whose value cannot be meant, with what it holds and what it may hold.
    pub fn wrong_value(&self) -> Option<(&'static str, String, &'static str)> {
        let least_first = |limits: &Limits| limits.warn >= 0.0 && limits.warn <= limits.error;
        let most_first = |limits: &Limits| limits.error >= 0.0 && limits.error <= limits.warn;
        let rising = [
            ("frozen_s", &self.frozen_s),
            ("late_ms", &self.late_ms),
            ("dark_blocks", &self.dark_blocks),
            ("bright_blocks", &self.bright_blocks),
            ("backlit_blocks", &self.backlit_blocks),
            ("covered_blocks", &self.covered_blocks),
            ("noise", &self.noise),
            ("cast_blocks", &self.cast_blocks),
        ];
        let falling = [
            ("rate_share", &self.rate_share),
            ("contrast", &self.contrast),
            ("sharpness", &self.sharpness),
            ("channel_range", &self.channel_range),
            ("colorfulness", &self.colorfulness),
        ];
        let brightness = [
            ("dark_below", self.dark_below),
            ("bright_above", self.bright_above),
            ("shadow_below", self.shadow_below),
            ("cast_from", self.cast_from),
        ];
        let told = |limits: &Limits| format!("warn {}, error {}", limits.warn, limits.error);
        let rising = rising.into_iter().filter(|(_, limits)| !least_first(limits));
        let falling = falling.into_iter().filter(|(_, limits)| !most_first(limits));
        let brightness = brightness.into_iter().filter(|(_, value)| !(0.0..=255.0).contains(value));
        let single = [
            (self.consecutive_frames == 0, "consecutive_frames", "0".to_string(), "1 or more"),
            (
                !(0.0..=10_000.0).contains(&self.expected_rate),
                "expected_rate",
                self.expected_rate.to_string(),
                "0 to 10000",
            ),
            (!(0.0..=1.0).contains(&self.covered_share), "covered_share", self.covered_share.to_string(), "0 to 1"),
        ];
        let single =
            single.into_iter().filter(|(wrong, ..)| *wrong).map(|(_, key, found, wanted)| (key, found, wanted));
        single
            .chain(rising.map(|(key, limits)| (key, told(limits), "0 <= warn <= error")))
            .chain(falling.map(|(key, limits)| (key, told(limits), "warn >= error >= 0")))
            .chain(brightness.map(|(key, value)| (key, value.to_string(), "0 to 255")))
            .next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound_and_what_cannot_be_meant_is_named() {
        assert_eq!(HealthConfig::default().wrong_value(), None);
        let wrong = |text: &str| toml::from_str::<HealthConfig>(text).unwrap().wrong_value().unwrap();
        let found = wrong("noise = { warn = 9, error = 8 }");
        assert_eq!(found, ("noise", "warn 9, error 8".into(), "0 <= warn <= error"));
        assert_eq!(wrong("contrast = { warn = 0.1, error = nan }").0, "contrast");
        assert_eq!(wrong("consecutive_frames = 0").0, "consecutive_frames");
        assert_eq!(wrong("dark_below = 256").2, "0 to 255");
        let never: HealthConfig = toml::from_str("noise = { warn = inf, error = inf }").unwrap();
        assert_eq!(never.wrong_value(), None);
    }
}
