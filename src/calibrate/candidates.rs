//! The policies that are tried: a fixed grid, the same for everybody.
//!
//! | rule       | shapes                                                             | raised at                     | cleared at       |
//! |------------|--------------------------------------------------------------------|-------------------------------|------------------|
//! | k_of_n     | n of 3, 5, 8, 16, 32, 64, 128; level of 0.05, 0.02, 0.01, 0.005    | k of 2, n/4, n/2, 3n/4, n     | below half of it |
//! |            | and the frame's own                                                |                               |                  |
//! | cusum      | allowance of 0.5, 1, 1.5, 2, 3, 4                                  | 2 times powers of 1.5 to 1313 | half of it       |
//! | martingale | bet of 0.3, 0.5, 0.7                                               | the same                      | half of it       |
//!
//! Policies of one shape differ in where they raise the alarm alone: the lower, the sooner and the more often.

use crate::decide::policy::{Policy, Rule};

const WINDOWS: [u32; 7] = [3, 5, 8, 16, 32, 64, 128];
const LEVELS: [f64; 4] = [0.05, 0.02, 0.01, 0.005];
const ALLOWANCES: [f64; 6] = [0.5, 1.0, 1.5, 2.0, 3.0, 4.0];
const BETS: [f64; 3] = [0.3, 0.5, 0.7];
/// Heights of sums.
const STEPS: i32 = 17;

/// Policies that count the same and raise their alarm at different counts.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// One that counts on and never raises an alarm by its sum.
    pub(super) open: Policy,
    /// The policies, the lowest first.
    pub(super) policies: Vec<Policy>,
}

/// The grid. `level` is that of the criterion's own threshold.
pub(super) fn shapes(level: f64, max_gap_s: f64) -> Vec<Shape> {
    let mut levels = LEVELS.to_vec();
    if !levels.contains(&level) {
        levels.push(level);
    }
    let k_of_n = levels.iter().flat_map(|level| WINDOWS.map(|window| windows(*level, window)));
    let cusum = ALLOWANCES.map(|allowance| sums(&|enter| Rule::Cusum { allowance, enter, leave: enter / 2.0 }));
    let martingale = BETS.map(|bet| sums(&|enter| Rule::Martingale { bet, enter, leave: enter / 2.0 }));
    let rules = k_of_n.chain(cusum).chain(martingale);
    let policy = |rule: Rule| Policy { rule, max_gap_s };
    rules.map(|(open, rules)| Shape { open: policy(open), policies: rules.into_iter().map(policy).collect() }).collect()
}

fn windows(level: f64, window: u32) -> (Rule, Vec<Rule>) {
    let rule = |enter: u32| Rule::KOfN { level, window, enter, leave: enter.div_ceil(2) };
    let mut enters = vec![2, window / 4, window / 2, window * 3 / 4, window];
    enters.retain(|enter| *enter >= 2);
    enters.sort_unstable();
    enters.dedup();
    (rule(window), enters.into_iter().map(rule).collect())
}

fn sums(rule: &dyn Fn(f64) -> Rule) -> (Rule, Vec<Rule>) {
    (rule(f64::INFINITY), (0..STEPS).map(|step| rule(2.0 * 1.5_f64.powi(step))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_candidate_is_a_policy_that_a_package_may_hold_and_shapes_rise() {
        let shapes = shapes(0.013, 1.0);
        for policy in shapes.iter().flat_map(|shape| &shape.policies) {
            policy.check().unwrap();
        }
        for shape in &shapes {
            assert!(shape.policies.is_sorted_by(|low, high| low.threshold() < high.threshold()), "{shape:?}");
        }
        assert_eq!(shapes.len(), 5 * 7 + 6 + 3);
    }
}
