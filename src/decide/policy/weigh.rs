//! What one p-value adds to a sum of evidence.

use super::Rule;

/// Smallest and one minus largest p-value that log odds are taken of: 13.8 at most for one frame, so that no single frame
/// decides, not even one whose score is no number.
const ODDS_FLOOR: f64 = 1e-6;
/// Below this p-value the bet does not grow.
const BET_FLOOR: f64 = 1e-3;

/// A rule's increment with its constants worked out once.
#[derive(Debug, Clone)]
pub(super) enum Weigh {
    /// ln((1 - p) / p) - allowance.
    LogOdds { allowance: f64 },
    /// (e - 1) ln max(p, floor) + ln(e / Z).
    LogBet { exponent: f64, offset: f64 },
    /// The rule sums nothing.
    Nothing,
}

impl Weigh {
    pub(super) fn new(rule: &Rule) -> Self {
        match rule {
            Rule::KOfN { .. } => Self::Nothing,
            Rule::Cusum { allowance, .. } => Self::LogOdds { allowance: *allowance },
            // Z makes the mean of the bet over a uniform p one: e floor^(e-1) floor + (1 - floor^e) = 1 - (1 - e) floor^e.
            Rule::Martingale { bet, .. } => {
                let z = 1.0 - (1.0 - bet) * BET_FLOOR.powf(*bet);
                Self::LogBet { exponent: bet - 1.0, offset: (bet / z).ln() }
            }
        }
    }

    /// What a frame with this p-value adds.
    pub(super) fn of(&self, p: f64) -> f64 {
        match self {
            Self::LogOdds { allowance } => {
                let p = p.clamp(ODDS_FLOOR, 1.0 - ODDS_FLOOR);
                ((1.0 - p) / p).ln() - allowance
            }
            Self::LogBet { exponent, offset } => exponent * p.max(BET_FLOOR).ln() + offset,
            Self::Nothing => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bet_is_fair_on_uniform_p_values_and_bounded() {
        for bet in [0.1, 0.3, 0.5, 0.9] {
            let weigh = Weigh::new(&Rule::Martingale { bet, enter: 1.0, leave: 0.0 });
            let steps = 1_000_000;
            let mean = (0..steps).map(|i| weigh.of((f64::from(i) + 0.5) / f64::from(steps)).exp()).sum::<f64>()
                / f64::from(steps);
            assert!((mean - 1.0).abs() < 1e-4, "bet {bet}: mean {mean}");
            assert_eq!(weigh.of(0.0), weigh.of(BET_FLOOR));
            assert!(weigh.of(1.0) < 0.0 && weigh.of(0.0) > 0.0);
        }
    }

    #[test]
    fn log_odds_are_those_worked_out_by_hand_and_bounded() {
        let weigh = Weigh::LogOdds { allowance: 1.0 };
        assert!((weigh.of(0.1) - (9.0_f64.ln() - 1.0)).abs() < 1e-12);
        assert_eq!(weigh.of(0.5), -1.0);
        assert_eq!(weigh.of(0.0), weigh.of(1e-9));
        assert_eq!(weigh.of(1.0), weigh.of(1.0 - 1e-9));
    }
}
