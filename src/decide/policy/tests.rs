//! Every rule by streams worked out by hand, and what holds for all of them.

use proptest::prelude::*;

use super::*;

const KNOWN: f64 = 0.5;
const STRANGE: f64 = 0.001;

fn policy(rule: Rule) -> Policy {
    let policy = Policy { rule, max_gap_s: 1.0 };
    policy.check().unwrap();
    policy
}

/// Three of five raise it, none of five clears it.
fn three_of_five() -> Policy {
    policy(Rule::KOfN { level: 0.01, window: 5, enter: 3, leave: 1 })
}

/// ln(0.9 / 0.1) = 2.197: a frame of p = 0.1 adds 1.197, one of p = 0.5 takes 1 off.
fn cusum() -> Policy {
    policy(Rule::Cusum { allowance: 1.0, enter: 3.0, leave: 1.0 })
}

fn martingale() -> Policy {
    policy(Rule::Martingale { bet: 0.5, enter: 4.0, leave: 1.0 })
}

/// The alarm after each frame, one frame every 0.1 s.
fn alarms(watch: &mut Watch, from_s: f64, p_values: &[f64]) -> Vec<bool> {
    p_values.iter().enumerate().map(|(index, p)| watch.see(from_s + index as f64 * 0.1, *p)).collect()
}

/// `x` is strange, `.` is known; `!` says that the alarm is up after that frame.
fn check(policy: Policy, stream: &str, expected: &str) {
    let p_values: Vec<f64> = stream.chars().map(|c| if c == 'x' { STRANGE } else { KNOWN }).collect();
    let found = alarms(&mut Watch::new(policy), 0.0, &p_values);
    let found: String = found.into_iter().map(|alarm| if alarm { '!' } else { '.' }).collect();
    assert_eq!(found, expected, "{policy} on {stream}");
}

#[test]
fn k_of_n_is_raised_by_k_and_held_until_fewer_than_j_are_left() {
    check(three_of_five(), "x.x.x.......", "....!!!!!...");
    check(three_of_five(), "xx..xx....", "....!!!!!!");
    check(three_of_five(), "xx...xx...", "..........");
    // It takes a full window to clear, even where the window was never full before.
    check(three_of_five(), "xxx.......", "..!!!!!...");
    check(policy(Rule::KOfN { level: 0.01, window: 5, enter: 3, leave: 3 }), "xxx....", "..!!!..");
    check(Policy::frame(0.01, 1.0), ".x..xx.", ".!..!!.");
}

#[test]
fn a_level_is_met_by_a_p_value_that_equals_it() {
    let mut watch = Watch::new(Policy::frame(0.01, 1.0));
    assert!(watch.see(0.0, 0.01) && !watch.see(0.1, 0.010001));
}

#[test]
fn cusum_sums_log_odds_less_the_allowance_and_never_falls_below_nothing() {
    let mut watch = Watch::new(cusum());
    let step = 9.0_f64.ln() - 1.0;
    let expected = [0.0, step, 2.0 * step, 2.0 * step - 1.0, 3.0 * step - 1.0, 3.0];
    for (index, (p, expected)) in [0.5, 0.1, 0.1, 0.5, 0.1, 0.1].into_iter().zip(expected).enumerate() {
        assert_eq!(watch.see(index as f64 * 0.1, p), index == 5);
        assert!((watch.statistic() - expected).abs() < 1e-12, "frame {index}: {}", watch.statistic());
    }
}

#[test]
fn cusum_is_cleared_at_its_lower_level_however_long_the_alarm_lasted() {
    // From 3: 2, then 1, which clears it.
    check(cusum(), "x..", "!!.");
    check(cusum(), "xxxxxxxxxxxxxxxx..", "!!!!!!!!!!!!!!!!!.");
    // What is left of the sum goes on counting: 1 + 1.197 twice.
    let mut watch = Watch::new(cusum());
    assert_eq!(alarms(&mut watch, 0.0, &[STRANGE, KNOWN, KNOWN, 0.1, 0.1]), [true, true, false, false, true]);
}

#[test]
fn the_martingale_starts_anew_after_an_alarm_and_when_its_stake_is_lost() {
    // g(0.001) = 0.5 * 31.6 / 0.984 is 16.07 = exp(2.777), g(0.5) = 0.718 = exp(-0.331).
    let mut watch = Watch::new(martingale());
    assert_eq!(alarms(&mut watch, 0.0, &[KNOWN, STRANGE, STRANGE]), [false, false, true]);
    let mut frames = 0;
    while watch.see(0.3 + f64::from(frames) * 0.1, KNOWN) {
        frames += 1;
    }
    // From 4 down to at most 1 takes ten frames, the last of which clears it.
    assert_eq!((frames, watch.statistic()), (9, 0.0));
    assert_eq!(alarms(&mut watch, 2.0, &[STRANGE, STRANGE]), [false, true]);
}

#[test]
fn a_gap_forgets_the_evidence_and_keeps_the_alarm() {
    for policy in [three_of_five(), cusum(), martingale()] {
        let mut watch = Watch::new(policy);
        let p = if policy.name() == "cusum" { 0.1 } else { STRANGE };
        // Just before the alarm.
        while watch.statistic() < policy.threshold() / 2.0 {
            watch.see(0.0, p);
        }
        assert!(!watch.see(1.5, KNOWN), "{policy}");
        assert_eq!(watch.statistic(), 0.0, "{policy}: a gap leaves nothing");
        alarms(&mut watch, 1.6, &[STRANGE; 4]);
        assert!(watch.alarm() && watch.see(100.0, KNOWN), "{policy}: a gap clears no alarm");
        assert!(alarms(&mut watch, 100.1, &[KNOWN; 20]).iter().any(|alarm| !alarm), "{policy}: known frames do");
    }
}

#[test]
fn time_that_runs_backwards_is_a_gap_and_a_gap_of_the_very_length_is_none() {
    for (second, expected) in [(1.0, 2.0), (1.001, 1.0), (-0.001, 1.0), (0.0, 2.0)] {
        let mut watch = Watch::new(three_of_five());
        watch.see(0.0, STRANGE);
        watch.see(second, STRANGE);
        assert_eq!(watch.statistic(), expected, "{second}");
    }
}

#[test]
fn a_score_that_is_no_number_is_as_strange_as_can_be() {
    for p in [STRANGEST, f64::NAN] {
        let mut watch = Watch::new(cusum());
        assert!(watch.see(0.0, p));
        assert!(Watch::new(Policy::frame(1e-6, 1.0)).see(0.0, p));
    }
}

/// The allowance is what keeps a sum of fair coins down.
#[test]
fn cusum_without_an_allowance_alarms_by_itself_on_uniform_p_values_and_with_one_does_not() {
    let longest = |allowance: f64| {
        let mut watch = Watch::new(Policy { rule: Rule::Cusum { allowance, enter: 60.0, leave: 0.0 }, max_gap_s: 1.0 });
        let mut random = fastrand::Rng::with_seed(5);
        (0..100_000).position(|frame| watch.see(f64::from(frame) * 0.1, random.f64()))
    };
    // Steps of variance pi^2 / 3: a reflected walk is at 60 after some 60^2 / 3.3 = 1100 frames.
    assert!(longest(0.0).is_some_and(|frame| frame < 20_000));
    assert_eq!(longest(1.0), None);
}

#[test]
fn looking_at_a_frame_allocates_nothing() {
    for policy in [three_of_five(), cusum(), martingale()] {
        let mut watch = Watch::new(policy);
        let counted = allocation_counter::measure(|| {
            for frame in 0..1000 {
                watch.see(f64::from(frame) * 0.1, f64::from(frame % 7) / 7.0);
            }
        });
        assert_eq!(counted.count_total, 0, "{policy}");
    }
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    let k_of_n = |window, enter, leave| Rule::KOfN { level: 0.01, window, enter, leave };
    let cusum = |allowance, enter, leave| Rule::Cusum { allowance, enter, leave };
    let martingale = |bet, enter, leave| Rule::Martingale { bet, enter, leave };
    let rules = [
        k_of_n(129, 2, 1),
        k_of_n(4, 5, 1),
        k_of_n(4, 2, 3),
        k_of_n(4, 2, 0),
        k_of_n(0, 0, 0),
        Rule::KOfN { level: 1.0, window: 2, enter: 2, leave: 1 },
        Rule::KOfN { level: f64::NAN, window: 2, enter: 2, leave: 1 },
        cusum(0.0, 2.0, 1.0),
        cusum(1.0, 2.0, 2.0),
        cusum(1.0, f64::INFINITY, 1.0),
        cusum(1.0, f64::NAN, 1.0),
        cusum(1.0, 2.0, -1.0),
        martingale(1.0, 2.0, 1.0),
        martingale(0.0, 2.0, 1.0),
        martingale(0.5, 0.0, 0.0),
    ];
    for rule in rules {
        assert!(Policy { rule, max_gap_s: 1.0 }.check().is_err(), "{rule:?}");
    }
    for max_gap_s in [0.0, f64::NAN, f64::INFINITY] {
        assert!(Policy { max_gap_s, ..three_of_five() }.check().is_err());
    }
}

#[test]
fn a_policy_survives_the_way_through_json() {
    for policy in [three_of_five(), cusum(), martingale()] {
        let text = serde_json::to_string(&policy).unwrap();
        assert!(text.contains(&format!("\"{}\"", policy.name())), "{text}");
        assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy);
    }
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let heights = || (1_u32..100, 0.0..1.0).prop_map(|(enter, share)| (f64::from(enter) / 4.0, share));
    let k_of_n = (0.001..0.5, 1_u32..=LONGEST_WINDOW, 0.0..1.0, 0.0..1.0).prop_map(|(level, window, k, j)| {
        let enter = 1 + (k * f64::from(window - 1)) as u32;
        Rule::KOfN { level, window, enter, leave: 1 + (j * f64::from(enter - 1)) as u32 }
    });
    let cusum = (0.01..4.0, heights()).prop_map(|(allowance, (enter, share))| Rule::Cusum {
        allowance,
        enter,
        leave: enter * share,
    });
    let martingale =
        (0.01..0.99, heights()).prop_map(|(bet, (enter, share))| Rule::Martingale { bet, enter, leave: enter * share });
    prop_oneof![k_of_n, cusum, martingale].prop_map(|rule| Policy { rule, max_gap_s: 1.0 })
}

/// Steps in time, some of them gaps or backwards, and p-values.
fn any_stream() -> impl Strategy<Value = Vec<(f64, f64)>> {
    let step = prop_oneof![9 => 0.0..0.5, 1 => -2.0..4.0];
    let p = prop_oneof![5 => 0.0..=1.0, 2 => 0.0..0.01, 1 => Just(STRANGEST)];
    proptest::collection::vec((step, p), 0..400)
}

fn seen(policy: Policy, stream: &[(f64, f64)]) -> Vec<(bool, f64)> {
    let (mut watch, mut time_s) = (Watch::new(policy), 0.0);
    let see = |(step, p): &(f64, f64)| {
        time_s += step;
        (watch.see(time_s, *p), watch.statistic())
    };
    stream.iter().map(see).collect()
}

proptest! {
    #[test]
    fn a_replay_raises_the_same_alarms(policy in any_policy(), stream in any_stream()) {
        prop_assert_eq!(seen(policy, &stream), seen(policy, &stream));
    }

    #[test]
    fn every_drawn_policy_is_sound_and_its_statistic_stays_in_range(policy in any_policy(), stream in any_stream()) {
        policy.check().unwrap();
        let highest = match policy.rule {
            Rule::KOfN { window, .. } => f64::from(window),
            _ => policy.threshold(),
        };
        for (alarm, statistic) in seen(policy, &stream) {
            prop_assert!((0.0..=highest).contains(&statistic));
            prop_assert!(alarm || statistic < policy.threshold());
        }
    }

    /// Stranger frames can only raise a statistic, whatever came before; the martingale's restart is the exception.
    #[test]
    fn stranger_frames_never_lower_the_evidence(policy in any_policy(), stream in any_stream(), factor in 0.0..1.0) {
        if policy.name() == "martingale" {
            return Ok(());
        }
        let stranger: Vec<_> = stream.iter().map(|(step, p)| (*step, p * factor)).collect();
        for ((alarm, statistic), (stranger_alarm, stranger_statistic)) in
            seen(policy, &stream).into_iter().zip(seen(policy, &stranger))
        {
            prop_assert!(stranger_statistic >= statistic - 1e-9);
            prop_assert!(stranger_alarm || !alarm);
        }
    }

    #[test]
    fn an_alarm_ends_after_bounded_many_known_frames(policy in any_policy(), stream in any_stream()) {
        let (mut watch, mut time_s) = (Watch::new(policy), 0.0);
        for (step, p) in &stream {
            time_s += step;
            watch.see(time_s, *p);
        }
        // p = 1 takes at least 0.01 off any sum of at most 25, and fills any window.
        for _ in 0..4000 {
            time_s += 0.1;
            watch.see(time_s, 1.0);
        }
        prop_assert!(!watch.alarm());
    }
}
