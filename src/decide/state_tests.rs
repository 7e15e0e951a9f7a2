//! The table in `docs/STATES.md`, done cell by cell; and what holds for every sequence of events.

use super::*;
use crate::decide::Latchable;
use crate::health::{Finding, Kind, Level};
use proptest::prelude::*;

const TABLE: &str = include_str!("../../docs/STATES.md");

const DEADLINE: Duration = Duration::from_secs(1);
const STARTUP: Duration = Duration::from_secs(10);
const KNOWN: Judgement = Judgement { score: Some(0.0), threshold: 1.0, p_value: Some(0.5), flag: false };
const STRANGE: Judgement = Judgement { score: Some(9.0), threshold: 1.0, p_value: Some(0.01), flag: true };
const NO_NUMBER: Judgement = Judgement { score: None, threshold: 1.0, p_value: None, flag: true };

#[derive(Debug, Clone, Copy, PartialEq)]
enum Event {
    Judged(Judgement, Duration),
    Unhealthy,
    Bad,
    Deadline { stalled: bool },
    Trouble(Condition),
    Failed,
    SelfTestFailed,
    End(LastWord),
    Reset,
}

const FRESH: Event = Event::Judged(KNOWN, Duration::ZERO);
const LATE: Event = Event::Judged(KNOWN, Duration::from_millis(1_001));

fn machine(faults_per_hour: u32) -> (Machine, Instant) {
    let config = DecideConfig { faults_per_hour, ..DecideConfig::default() };
    assert_eq!((config.deadline_ms, config.startup_ms), (1_000, 10_000));
    let now = Instant::now();
    (Machine::new(Decider::new(&config, now), &config), now)
}

fn happen(machine: &mut Machine, event: Event, now: Instant) -> Option<Decision> {
    match event {
        Event::Judged(judgement, age) => Some(machine.on_judged(&judgement, &[], Timestamp::UNIX_EPOCH, age, now)),
        Event::Unhealthy => {
            let finding = Finding { kind: Kind::Frozen, level: Level::Error, value: 1.0, threshold: 0.5 };
            Some(machine.on_judged(&KNOWN, &[finding], Timestamp::UNIX_EPOCH, Duration::ZERO, now))
        }
        Event::Bad => {
            machine.on_bad_frame();
            None
        }
        Event::Deadline { stalled } => Some(machine.on_silence(now, Condition::Streaming, stalled)),
        Event::Trouble(condition) => machine.on_condition(now, condition),
        Event::Failed => Some(machine.on_failure(now)),
        Event::SelfTestFailed => Some(machine.on_self_test_failed(now)),
        Event::End(last_word) => Some(machine.on_end(last_word)),
        Event::Reset => {
            machine.reset();
            None
        }
    }
}

/// A machine in the state of that column, at the start of its life.
fn in_state(column: &str, faults_per_hour: u32) -> (Machine, Instant) {
    let (mut machine, now) = machine(faults_per_hour);
    let events: &[Event] = match column {
        "starting" => &[],
        "nominal" => &[FRESH],
        "ood" => &[Event::Judged(STRANGE, Duration::ZERO)],
        "degraded" => &[Event::Judged(NO_NUMBER, Duration::ZERO)],
        "fault" => &[LATE],
        "latched" => &[FRESH, Event::Deadline { stalled: true }],
        _ => panic!("no state {column:?}"),
    };
    for event in events {
        happen(&mut machine, *event, now);
    }
    (machine, now)
}

fn column_of(machine: &Machine) -> &'static str {
    match (machine.state(), machine.latched()) {
        (State::Fault, [_, ..]) => "latched",
        (State::Fault, []) => "fault",
        (State::Starting, []) => "starting",
        (State::Nominal, []) => "nominal",
        (State::Ood, []) => "ood",
        (State::Degraded, []) => "degraded",
        (state, latched) => panic!("{state:?} with {latched:?}"),
    }
}

/// What a row does, and how long after the start.
fn row(what: &str) -> (Vec<Event>, Duration) {
    let late = if what.contains("after the start time") { STARTUP } else { Duration::ZERO };
    let events = match what.split(", within").next().and_then(|what| what.split(", after").next()).unwrap() {
        "a fresh frame is judged, and is known" => vec![FRESH],
        "a fresh frame is judged, and is strange" => vec![Event::Judged(STRANGE, DEADLINE)],
        "a fresh frame is judged, and its score is no number" => vec![Event::Judged(NO_NUMBER, DEADLINE)],
        "a fresh frame is judged, and its picture is unhealthy" => vec![Event::Unhealthy],
        "a fresh frame is judged, and one before it was bad" => vec![Event::Bad, FRESH],
        "a frame is judged, and is older than the deadline" => vec![LATE],
        "a frame cannot be judged" => vec![Event::Bad],
        "the deadline passes" => vec![Event::Deadline { stalled: false }],
        "the deadline passes while a frame is stuck" => vec![Event::Deadline { stalled: true }],
        "the camera falls silent, freezes or is lost" => vec![Event::Trouble(Condition::Frozen)],
        "the camera's source fails for good, beside other cameras" => vec![Event::Failed],
        "the network fails its self-test" => vec![Event::SelfTestFailed],
        "a fault begins, one more in an hour than allowed" => vec![LATE],
        "the monitor is told to stop" => vec![Event::End(LastWord::Stopped)],
        "the network fails" => vec![Event::End(LastWord::JudgingFailed)],
        "the judging thread panics" => vec![Event::End(LastWord::Panicked)],
        "`oodwatch reset`" => vec![Event::Reset],
        _ => panic!("the test does not know how to bring about {what:?}"),
    };
    (events, late)
}

/// The table's lines, split into cells.
fn table() -> Vec<Vec<&'static str>> {
    let lines = TABLE.lines().skip_while(|line| !line.starts_with("| what happens | starting"));
    let rows = lines.take_while(|line| line.starts_with('|'));
    rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[test]
fn every_cell_of_the_documented_table_is_what_the_machine_does() {
    let table = table();
    let (head, rows) = (&table[0], &table[2..]);
    assert_eq!(head[1..], ["starting", "nominal", "ood", "degraded", "fault", "latched"]);
    assert_eq!(rows.len(), 20);
    for cells in rows {
        let (events, after) = row(cells[0]);
        let allowed = if cells[0].contains("one more in an hour") { 0 } else { 10 };
        for (from, wanted) in head.iter().zip(cells).skip(1).filter(|(_, wanted)| **wanted != "never") {
            let (mut machine, start) = in_state(from, allowed);
            assert_eq!(column_of(&machine), *from);
            let told = events.iter().filter_map(|event| happen(&mut machine, *event, start + after)).last();
            let place = format!("{}, from {from}", cells[0]);
            match *wanted {
                "stays" => assert_eq!((column_of(&machine), &told), (*from, &None), "{place}"),
                wanted => assert_eq!(column_of(&machine), wanted, "{place}"),
            }
            if let Some(told) = told {
                assert_eq!(told.state, machine.state(), "{place}");
                assert_eq!(told.reasons.is_empty(), told.is_safe(), "{place}: {told:?}");
            }
        }
    }
}

#[test]
fn every_reason_is_explained_in_the_document() {
    let (_, reasons) = TABLE.split_once("## Reasons").unwrap();
    assert_eq!(Reason::ALL.len(), Reason::Stopped as usize + 1, "Stopped is the last, and none is missing");
    for reason in Reason::ALL {
        assert!(reasons.contains(&format!("`{reason}`")), "{reason}");
    }
}

#[test]
fn a_latched_fault_tells_first_that_it_is_then_what_latched_then_what_else_is_wrong() {
    let (mut machine, now) = in_state("latched", 10);
    let latched = [Reason::Latched, Reason::JudgingStalled];
    assert_eq!(machine.on_judged(&KNOWN, &[], Timestamp::UNIX_EPOCH, Duration::ZERO, now).reasons, latched);
    let strange = machine.on_judged(&STRANGE, &[], Timestamp::UNIX_EPOCH, Duration::ZERO, now).reasons;
    assert_eq!(strange, [latched[0], latched[1], Reason::ScoreAboveThreshold]);
    assert_eq!(machine.reset(), [Reason::JudgingStalled]);
    // Still stuck: it latches again.
    let again = machine.on_silence(now, Condition::Streaming, true).reasons;
    assert_eq!(again, [latched[0], latched[1], Reason::NoFrameWithinDeadline]);
}

#[test]
fn a_fault_that_goes_on_is_one_fault_however_often_it_is_told() {
    let (mut machine, now) = in_state("nominal", 1);
    for _ in 0..5 {
        assert_eq!(machine.on_silence(now, Condition::Lost, false).reasons.len(), 2);
    }
    happen(&mut machine, FRESH, now);
    assert_eq!(machine.on_end(LastWord::Stopped).reasons, [Reason::Stopped], "an end is no fault that is counted");
}

fn event() -> impl Strategy<Value = Event> {
    let judgement = prop_oneof![4 => Just(KNOWN), 1 => Just(STRANGE), 1 => Just(NO_NUMBER)];
    let condition = prop_oneof![
        Just(Condition::Streaming),
        Just(Condition::Silent),
        Just(Condition::Frozen),
        Just(Condition::Lost)
    ];
    prop_oneof![
        8 => (judgement, 0..1_100u64).prop_map(|(judgement, ms)| Event::Judged(judgement, Duration::from_millis(ms))),
        1 => Just(Event::Unhealthy),
        2 => Just(Event::Bad),
        2 => any::<bool>().prop_map(|stalled| Event::Deadline { stalled }),
        2 => condition.prop_map(Event::Trouble),
        1 => Just(Event::Failed),
        1 => Just(Event::SelfTestFailed),
        2 => Just(Event::Reset),
    ]
}

proptest! {
    #[test]
    fn safe_is_said_only_of_a_fresh_known_frame_with_nothing_against_it_and_a_latch_ends_by_reset_alone(
        events in proptest::collection::vec((event(), 0..5_000u64), 0..200),
        faults_per_hour in 0..20u32,
        latch in proptest::sample::subsequence(
            vec![
                Latchable::JudgingStalled,
                Latchable::RepeatedFaults,
                Latchable::NoFrameWithinDeadline,
                Latchable::FrameTooOld,
                Latchable::SelfTestFailed,
            ],
            0..=5,
        ),
    ) {
        let config = DecideConfig { faults_per_hour, latch, ..DecideConfig::default() };
        let start = Instant::now();
        let mut now = start;
        let mut machine = Machine::new(Decider::new(&config, now), &config);
        let mut bad = false;
        for (event, ms) in events {
            now += Duration::from_millis(ms);
            let (before, latched_before) = (machine.state(), machine.latched().to_vec());
            let told = happen(&mut machine, event, now);

            let good = matches!(event, Event::Judged(judgement, age) if judgement == KNOWN && age <= DEADLINE) && !bad;
            match event {
                Event::Judged(..) | Event::Unhealthy => bad = false,
                Event::Bad => bad = true,
                _ => {}
            }
            if event == Event::Reset {
                prop_assert!(machine.latched().is_empty());
                prop_assert_eq!(machine.state(), before, "a reset alone changes no state");
            } else {
                prop_assert!(machine.latched().starts_with(&latched_before), "a latch was lost");
            }
            if let Some(told) = told {
                prop_assert_eq!(told.state, machine.state());
                prop_assert_eq!(told.is_safe(), good && machine.latched().is_empty(), "{:?} made {:?}", event, told);
                prop_assert_eq!(told.is_safe(), told.reasons.is_empty());
                prop_assert_eq!(told.reasons.contains(&Reason::Latched), !machine.latched().is_empty());
                let judged = matches!(event, Event::Judged(..) | Event::Unhealthy);
                prop_assert!(judged || before != State::Fault || told.state == State::Fault, "a fault ended without a frame");
                let starting = told.state == State::Starting;
                prop_assert!(!starting || (before == State::Starting && now < start + STARTUP));
            } else {
                prop_assert_eq!(machine.state(), before, "the state changed in silence");
            }
        }
    }
}
