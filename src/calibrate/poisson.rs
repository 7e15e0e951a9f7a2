//! How often something can happen at most, given how often it did.

use statrs::distribution::{ContinuousCDF, Gamma};

/// The confidence of every upper limit here.
pub(super) const LIMIT_CONFIDENCE: f64 = 0.95;

/// The exact 95 % upper limit of a Poisson rate per hour after `events` in `hours` (Garwood, "Fiducial limits for the
/// Poisson distribution", Biometrika 1936): the 95 % quantile of Gamma(events + 1), over the hours. Without an event that
/// is 3.0 / hours. Infinite without hours.
pub fn upper_limit_per_hour(events: u64, hours: f64) -> f64 {
    if hours <= 0.0 {
        return f64::INFINITY;
    }
    let law = Gamma::new(events as f64 + 1.0, 1.0);
    law.map_or(f64::INFINITY, |law| law.inverse_cdf(LIMIT_CONFIDENCE) / hours)
}

/// Hours that must pass without a single event before the upper limit is `per_hour`: 3.0 / per_hour.
pub fn hours_without_alarm(per_hour: f64) -> f64 {
    -(1.0 - LIMIT_CONFIDENCE).ln() / per_hour
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_the_tables() {
        // Half the 95 % quantile of chi-square with 2 (events + 1) degrees of freedom.
        for (events, limit) in [(0, 2.9957), (1, 4.7439), (2, 6.2958), (3, 7.7537), (10, 16.9622), (100, 118.0786)] {
            let found = upper_limit_per_hour(events, 1.0);
            assert!((found - limit).abs() < 1e-3, "{events}: {found}, wanted {limit}");
            assert!((upper_limit_per_hour(events, 4.0) - found / 4.0).abs() < 1e-12);
        }
    }

    #[test]
    fn the_limit_is_where_so_few_events_have_a_chance_of_five_percent() {
        for events in [0_u64, 3, 20] {
            let mean = upper_limit_per_hour(events, 1.0);
            let mut term = (-mean).exp();
            let mut chance = 0.0;
            for i in 0..=events {
                chance += term;
                term *= mean / (i + 1) as f64;
            }
            assert!((chance - 0.05).abs() < 1e-4, "{events}: {chance}");
        }
    }

    #[test]
    fn silence_for_three_hours_shows_one_alarm_per_hour_at_most_and_no_time_shows_nothing() {
        assert!((upper_limit_per_hour(0, hours_without_alarm(2.0)) - 2.0).abs() < 1e-3);
        assert!((hours_without_alarm(1.0) - 2.9957).abs() < 1e-4);
        assert_eq!(upper_limit_per_hour(0, 0.0), f64::INFINITY);
    }
}
