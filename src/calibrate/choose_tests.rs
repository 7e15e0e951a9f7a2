//! Policies chosen on simulated streams whose true rate of false alarms is known, by simulating for a very long time.

use super::super::delay::modelled_cuts;
use super::*;
use crate::decide::policy::STRANGEST;

/// Streams on which limits are checked.
const STREAMS: u64 = 200;
/// Of these a limit of 95 % has to hold for at least so many: 93 %.
const COVERED: usize = 186;

/// p-values, a frame per second, of x[t + 1] = phi x[t] + noise with standard normal x.
fn autoregressive(seed: u64, phi: f64, frames: usize) -> Vec<Moment> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut normal = || {
        let (radius, angle) = ((-2.0 * (1.0 - random.f64()).ln()).sqrt(), std::f64::consts::TAU * random.f64());
        radius * angle.cos()
    };
    let spread = (1.0 - phi * phi).sqrt();
    let mut x = normal();
    let moment = |second: usize| {
        x = phi * x + spread * normal();
        Moment { time_s: second as f64, p: 0.5 * statrs::function::erf::erfc(x / std::f64::consts::SQRT_2) }
    };
    (0..frames).map(moment).collect()
}

/// Of every kind one, which alarms now and then; stretched frames take higher levels.
fn policies(height: f64) -> [Policy; 4] {
    let policy = |rule| Policy { rule, max_gap_s: 1.0 };
    let enter = height / 2.0;
    [
        policy(Rule::KOfN { level: 0.02, window: 8, enter: if height > 12.0 { 4 } else { 2 }, leave: 1 }),
        policy(Rule::Cusum { allowance: 1.0, enter: height, leave: height / 2.0 }),
        policy(Rule::Martingale { bet: 0.5, enter, leave: enter / 2.0 }),
        Policy::frame(0.002, 1.0),
    ]
}

/// 200 streams of a given phi, for every kind of policy. A block is twice the autocorrelation time.
#[test]
fn the_limit_covers_the_true_rate_on_at_least_93_percent_of_200_correlated_streams() {
    for (phi, frames, height) in [(0.0, 3_000, 7.0), (0.5, 4_000, 12.0), (0.8, 8_000, 18.0)] {
        let block_s = 2.0 * (1.0 + phi) / (1.0 - phi);
        let endless = autoregressive(1_000_000, phi, 1_000_000);
        let truths = policies(height).map(|policy| false_alarms(policy, &endless, block_s).per_hour());
        let mut covered = [0; 4];
        for seed in 0..STREAMS {
            let stream = autoregressive(seed, phi, frames);
            for ((covered, policy), truth) in covered.iter_mut().zip(policies(height)).zip(truths) {
                *covered += usize::from(false_alarms(policy, &stream, block_s).at_most_per_hour() >= truth);
            }
        }
        for ((covered, policy), truth) in covered.into_iter().zip(policies(height)).zip(truths) {
            let expected = truth * frames as f64 / 3600.0;
            println!("phi {phi}, {policy}: {covered} of {STREAMS}, {expected:.1} alarms per stream");
            assert!(covered >= COVERED, "phi {phi}, {policy}: {covered} of {STREAMS}, truth {truth} per hour");
            assert!(expected > 1.0, "phi {phi}, {policy}: {expected} alarms per stream put no limit to the test");
        }
    }
}

/// The whole way: choose on one stretch, test on a later one, compare with what the policy does for a very long time.
#[test]
fn the_limit_of_a_chosen_policy_covers_its_true_rate_on_at_least_93_percent_of_200_streams() {
    let phi = 0.5;
    let endless = autoregressive(2_000_000, phi, 200_000);
    let goal = Goal { max_false_alarms_per_hour: 60.0, max_delay_s: None };
    let (mut covered, mut alarms) = (0, 0);
    for seed in 0..STREAMS {
        let footage = autoregressive(3_000_000 + seed, phi, 4_000);
        let chosen = choose(&material(&footage, &[]), &goal).unwrap();
        let truth = false_alarms(chosen.policy, &endless, chosen.block_s).per_hour();
        covered += usize::from(chosen.tested_on.at_most_per_hour() >= truth);
        alarms += chosen.tested_on.alarms;
    }
    assert!(alarms > STREAMS, "{alarms} alarms put no limit to the test");
    println!("chosen policies: {covered} of {STREAMS}, {alarms} alarms");
    assert!(covered >= COVERED, "{covered} of {STREAMS}");
}

/// The first half to choose on, the second to test on.
fn material<'a>(footage: &'a [Moment], unknown: &[Moment]) -> Material<'a> {
    let (choice, rest) = footage.split_at(footage.len() / 2);
    let test = &rest[10..];
    let cuts = |known: &[Moment]| match unknown {
        [] => modelled_cuts(known, 999).into_iter().take(4).collect(),
        unknown => super::super::delay::measured_cuts(known, unknown),
    };
    Material {
        choice,
        test,
        choice_cuts: cuts(choice),
        test_cuts: cuts(test),
        unknown: "simulated".into(),
        level: 0.01,
        scores: 999,
    }
}

fn unknown(frames: usize, p: f64) -> Vec<Moment> {
    (0..frames).map(|second| Moment { time_s: second as f64, p }).collect()
}

fn goal(max_false_alarms_per_hour: f64) -> Goal {
    Goal { max_false_alarms_per_hour, max_delay_s: Some(10.0) }
}

#[test]
fn a_policy_keeps_the_rate_where_frames_alone_do_not_and_notices_the_unknown() {
    // 6 h, of which the second half shows a rate of 1 per hour if there is no alarm.
    let footage = autoregressive(5, 0.8, 22_000);
    let chosen = choose(&material(&footage, &unknown(200, 0.001)), &goal(1.0)).unwrap();
    assert!(chosen.frame_by_frame.per_hour() > 10.0, "{}", chosen.frame_by_frame);
    assert!(chosen.chosen_on.at_most_per_hour() <= 1.0, "{}", chosen.chosen_on);
    assert!(chosen.tested_on.per_hour() <= 1.0, "{}", chosen.tested_on);
    assert!(chosen.delay.within(10.0), "{}", chosen.delay);
    assert_eq!(chosen.shortfalls(&goal(1.0)), []);
    assert_eq!(choose(&material(&footage, &unknown(200, 0.001)), &goal(1.0)).unwrap(), chosen);
}

#[test]
fn no_policy_is_raised_by_a_single_frame_not_even_on_footage_that_never_showed_one() {
    let mut footage = autoregressive(4, 0.0, 600);
    footage.iter_mut().for_each(|moment| moment.p = moment.p.max(0.2));
    let chosen = choose(&material(&footage, &[]), &goal(3600.0)).unwrap();
    let mut watch = crate::decide::policy::Watch::new(chosen.policy);
    assert!(!watch.see(0.0, 0.001), "{}", chosen.policy);
}

#[test]
fn a_stricter_rate_takes_a_policy_that_is_no_quicker() {
    let footage = autoregressive(6, 0.5, 30_000);
    let delays =
        [100.0, 10.0, 1.0, 0.1].map(|rate| choose(&material(&footage, &[]), &goal(rate)).unwrap().delay.mean_s);
    assert!(delays[0] < delays[2] && delays[0] < delays[3], "{delays:?}");
}

#[test]
fn little_footage_gives_a_policy_with_room_above_what_it_saw_and_says_how_much_it_takes() {
    let footage = autoregressive(7, 0.5, 1_000);
    let chosen = choose(&material(&footage, &[]), &goal(1.0)).unwrap();
    assert_eq!(chosen.chosen_on.alarms, 0);
    let shortfalls = chosen.shortfalls(&Goal { max_delay_s: None, ..goal(1.0) });
    let [Shortfall::Footage { found, needed }] = shortfalls.as_slice() else { panic!("{shortfalls:?}") };
    assert!(*found < 0.2 && (*needed - 2.9957).abs() < 1e-3, "{found} of {needed}");
    // What was extrapolated holds on a stream that is a hundred times as long: at most a few per hour, not hundreds.
    let later = false_alarms(chosen.policy, &autoregressive(8, 0.5, 100_000), chosen.block_s);
    assert!(later.per_hour() < 5.0, "{later}");
}

#[test]
fn an_unknown_that_looks_known_is_missed_and_that_is_said() {
    let footage = autoregressive(9, 0.5, 10_000);
    let error = choose(&material(&footage, &unknown(200, 0.6)), &goal(1.0)).unwrap_err().to_string();
    assert!(error.ends_with("and none of them ever notices simulated"), "{error}");
    // Something that is noticed, but not as soon as was asked for.
    let tight = Goal { max_delay_s: Some(0.5), ..goal(1.0) };
    let chosen = choose(&material(&footage, &unknown(200, 0.02)), &tight).unwrap();
    let shortfalls = chosen.shortfalls(&tight);
    assert!(shortfalls.iter().any(|shortfall| matches!(shortfall, Shortfall::Delay { .. })), "{shortfalls:?}");
}

#[test]
fn footage_that_is_all_alarm_gives_no_policy_and_the_calmest_is_named() {
    let footage: Vec<Moment> = unknown(2_000, STRANGEST);
    let error = choose(&material(&footage, &unknown(200, 0.001)), &goal(1.0)).unwrap_err().to_string();
    assert!(error.contains("policies keeps 1 false alarms per hour") && error.contains("the calmest, "), "{error}");
}

#[test]
fn too_few_frames_are_refused_with_their_number() {
    let footage = autoregressive(1, 0.0, 60);
    let error = choose(&material(&footage, &[]), &goal(1.0)).unwrap_err();
    assert_eq!(error, ChooseError::TooFew { found: 30, tested: 20, wanted: 50 });
}
