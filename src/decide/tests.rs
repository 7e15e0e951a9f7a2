//! Every row of the table of states.

use super::*;
use crate::health::Kind;

const FRESH: Duration = Duration::ZERO;
const KNOWN: Judgement = Judgement { score: Some(0.0), threshold: 1.0, p_value: Some(0.5), flag: false };
const STRANGE: Judgement = Judgement { score: Some(9.0), threshold: 1.0, p_value: Some(0.01), flag: true };
const BROKEN: Judgement = Judgement { score: None, threshold: 1.0, p_value: None, flag: true };

fn decider() -> Decider {
    Decider::new(&DecideConfig::default(), Instant::now())
}

/// What is said of a healthy picture.
fn judged(decider: &mut Decider, judgement: &Judgement, age: Duration) -> Decision {
    decider.on_judged(judgement, &[], Timestamp::UNIX_EPOCH, age)
}

fn check(decision: Decision, state: State, reasons: &[Reason]) {
    assert_eq!((decision.state, decision.reasons.as_slice()), (state, reasons));
    assert_eq!(decision.is_safe(), state == State::Nominal);
}

#[test]
fn a_known_frame_is_nominal_and_a_strange_one_is_not() {
    let mut decider = decider();
    check(judged(&mut decider, &KNOWN, FRESH), State::Nominal, &[]);
    check(judged(&mut decider, &STRANGE, FRESH), State::Ood, &[Reason::ScoreAboveThreshold]);
    check(judged(&mut decider, &KNOWN, FRESH), State::Nominal, &[]);
}

#[test]
fn a_score_that_is_no_number_is_never_safe() {
    check(judged(&mut decider(), &BROKEN, FRESH), State::Degraded, &[Reason::ScoreNotFinite]);
}

#[test]
fn a_picture_in_error_is_degraded_a_warning_is_only_told_and_a_strange_one_stays_strange() {
    let of = |level| [Finding { kind: Kind::Dark, level, value: 25.0, threshold: 20.0 }];
    let mut decider = decider();
    let mut look = |judgement, level| decider.on_judged(judgement, &of(level), Timestamp::UNIX_EPOCH, FRESH);
    check(look(&KNOWN, Level::Error), State::Degraded, &[Reason::Unhealthy]);
    check(look(&KNOWN, Level::Warn), State::Nominal, &[]);
    check(look(&STRANGE, Level::Error), State::Ood, &[Reason::ScoreAboveThreshold, Reason::Unhealthy]);
}

#[test]
fn a_bad_frame_degrades_the_next_verdict_and_only_that() {
    let mut decider = decider();
    decider.on_bad_frame();
    check(judged(&mut decider, &KNOWN, FRESH), State::Degraded, &[Reason::BadFrame]);
    check(judged(&mut decider, &KNOWN, FRESH), State::Nominal, &[]);
}

#[test]
fn the_gravest_condition_names_the_state_and_all_are_told() {
    let mut decider = decider();
    decider.on_bad_frame();
    let old = decider.deadline() + Duration::from_millis(1);
    check(
        judged(&mut decider, &STRANGE, old),
        State::Fault,
        &[Reason::FrameTooOld, Reason::ScoreAboveThreshold, Reason::BadFrame],
    );
}

#[test]
fn silence_is_starting_at_first_and_a_fault_later() {
    let start = Instant::now();
    let mut decider = Decider::new(&DecideConfig::default(), start);
    check(decider.on_silence(start, Condition::Streaming), State::Starting, &[Reason::NoFrameYet]);
    let late = start + Duration::from_secs(10);
    check(decider.on_silence(late, Condition::Streaming), State::Fault, &[Reason::NoFrameWithinDeadline]);
    judged(&mut decider, &KNOWN, FRESH);
    check(decider.on_silence(start, Condition::Streaming), State::Fault, &[Reason::NoFrameWithinDeadline]);
}

#[test]
fn a_camera_in_trouble_is_degraded_then_a_fault_until_the_next_frame() {
    let (mut decider, now) = (decider(), Instant::now());
    judged(&mut decider, &KNOWN, FRESH);
    assert_eq!(decider.on_condition(now, Condition::Streaming), None);
    check(decider.on_condition(now, Condition::Silent).unwrap(), State::Degraded, &[Reason::CameraSilent]);
    check(decider.on_condition(now, Condition::Lost).unwrap(), State::Degraded, &[Reason::CameraLost]);
    let fault = [Reason::NoFrameWithinDeadline, Reason::CameraLost];
    check(decider.on_silence(now, Condition::Lost), State::Fault, &fault);
    assert_eq!(decider.on_condition(now, Condition::Frozen), None);
    check(judged(&mut decider, &KNOWN, FRESH), State::Nominal, &[]);
    check(decider.on_condition(now, Condition::Frozen).unwrap(), State::Degraded, &[Reason::CameraFrozen]);
}

/// Two of three strange frames raise it, none of three clears it.
fn watchful() -> Decider {
    let rule = policy::Rule::KOfN { level: 0.05, window: 3, enter: 2, leave: 1 };
    decider().with_policy(Some(Policy { rule, max_gap_s: 1.0 }))
}

/// Judges a frame that was taken `ms` milliseconds after the first.
fn judge(decider: &mut Decider, ms: i64, judgement: &Judgement) -> Decision {
    decider.on_judged(judgement, &[], Timestamp::from_millisecond(ms).unwrap(), FRESH)
}

#[test]
fn under_a_policy_a_single_flagged_frame_is_nominal_and_the_alarm_is_held() {
    let mut decider = watchful();
    check(judge(&mut decider, 0, &STRANGE), State::Nominal, &[]);
    check(judge(&mut decider, 100, &STRANGE), State::Ood, &[Reason::Alarm]);
    assert_eq!(decider.reading(), Some(Reading { statistic: 2.0, threshold: 2.0 }));
    for ms in [200, 300] {
        check(judge(&mut decider, ms, &KNOWN), State::Ood, &[Reason::Alarm]);
    }
    check(judge(&mut decider, 400, &KNOWN), State::Nominal, &[]);
}

#[test]
fn under_a_policy_broken_scores_degrade_and_raise_the_alarm_as_strange_frames_do() {
    let mut decider = watchful();
    check(judge(&mut decider, 0, &BROKEN), State::Degraded, &[Reason::ScoreNotFinite]);
    check(judge(&mut decider, 100, &BROKEN), State::Ood, &[Reason::Alarm, Reason::ScoreNotFinite]);
}

#[test]
fn silence_and_bad_frames_do_not_clear_an_alarm_and_a_late_frame_is_a_fault_all_the_same() {
    let mut decider = watchful();
    judge(&mut decider, 0, &STRANGE);
    judge(&mut decider, 100, &STRANGE);
    let fault = [Reason::NoFrameWithinDeadline, Reason::CameraLost];
    check(decider.on_silence(Instant::now(), Condition::Lost), State::Fault, &fault);
    decider.on_bad_frame();
    check(judge(&mut decider, 60_000, &KNOWN), State::Ood, &[Reason::Alarm, Reason::BadFrame]);
    let old = decider.deadline() + Duration::from_millis(1);
    let late = decider.on_judged(&KNOWN, &[], Timestamp::from_millisecond(60_100).unwrap(), old);
    check(late, State::Fault, &[Reason::FrameTooOld, Reason::Alarm]);
}

#[test]
fn without_a_policy_there_is_nothing_to_read() {
    assert_eq!(decider().reading(), None);
}

#[test]
fn frames_too_far_apart_for_a_policy_are_judged_one_by_one() {
    let mut decider = watchful();
    check(judge(&mut decider, 0, &STRANGE), State::Nominal, &[]);
    check(judge(&mut decider, 2_000, &STRANGE), State::Ood, &[Reason::ScoreAboveThreshold]);
    check(judge(&mut decider, 4_000, &KNOWN), State::Nominal, &[]);
    check(judge(&mut decider, 6_000, &STRANGE), State::Ood, &[Reason::ScoreAboveThreshold]);
    // Neighbours again: the policy decides, also after a single gap.
    for (ms, judgement) in [(6_100, &KNOWN), (6_200, &KNOWN), (9_000, &STRANGE), (9_100, &KNOWN)] {
        check(judge(&mut decider, ms, judgement), State::Nominal, &[]);
    }
}
