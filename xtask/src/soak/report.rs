//! What a run showed, in Markdown.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use oodwatch::source::faults::{FaultKind, Sign};

use super::plan::{Interrupts, Plan};
use super::process::Sample;
use super::watch::Watched;

/// Runs from this length on are long enough for memory to have settled.
const LONG: Duration = Duration::from_secs(600);
/// Most that memory may grow after warm-up, in a long run and in a short one.
const MOST_GROWTH: (f64, f64) = (0.01, 0.1);
/// Misses that are told one by one.
const MOST_TOLD: usize = 20;

/// What became of one fault.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) camera: String,
    pub(super) kind: FaultKind,
    pub(super) from_frame: u64,
    pub(super) told: Told,
    /// Whether a frame after it was safe before the next fault.
    pub(super) recovered: bool,
}

/// Whether a fault was told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told {
    InTime { sign: Sign, after: Duration, within: Duration },
    Missed { within: Duration },
    NotPromised,
}

/// Frames of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) captured: u64,
    pub(super) judged: u64,
    pub(super) dropped: u64,
    pub(super) bad: u64,
}

/// What the process held after warm-up, and at its end: medians over a tenth of the run each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Drift {
    first: Sample,
    last: Sample,
    most_growth: f64,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Report {
    seed: u64,
    lasts: Duration,
    verdicts: usize,
    interruptions: [usize; 2],
    pub(super) outcomes: Vec<Outcome>,
    pub(super) counts: Vec<(String, Counts)>,
    pub(super) drift: Option<Drift>,
    /// What went wrong besides faults that were missed.
    pub(super) misses: Vec<String>,
}

impl Drift {
    /// A fifth of the run is warm-up. None where there are too few samples.
    pub(super) fn of(samples: &[Sample], lasts: Duration) -> Option<Self> {
        let tenth = samples.len() / 10;
        let first = median(samples.get(2 * tenth..3 * tenth)?)?;
        let last = median(samples.get(samples.len() - tenth..)?)?;
        Some(Self { first, last, most_growth: if lasts >= LONG { MOST_GROWTH.0 } else { MOST_GROWTH.1 } })
    }

    /// Share by which a part of memory grew.
    fn growth(&self, kib: fn(&Sample) -> u64) -> f64 {
        kib(&self.last) as f64 / kib(&self.first).max(1) as f64 - 1.0
    }

    /// All of it, and the process's own. The own counts too because pages of files go where the machine is short of memory, and a
    /// leak would hide behind those.
    fn growths(&self) -> [(&'static str, f64); 2] {
        let (all, own) = (self.growth(|sample| sample.memory_kib), self.growth(|sample| sample.own_kib));
        [("memory", all), ("the process's own memory", own)]
    }

    pub(super) fn misses(&self) -> Vec<String> {
        let (first, last) = (self.first, self.last);
        let grew = |(what, growth)| (growth <= self.most_growth, format!("{what} grew by {:.2} %", 100.0 * growth));
        let same = [
            (first.threads == last.threads, format!("threads: {} became {}", first.threads, last.threads)),
            (
                first.open_files == last.open_files,
                format!("open files: {} became {}", first.open_files, last.open_files),
            ),
        ];
        self.growths().map(grew).into_iter().chain(same).filter(|(holds, _)| !holds).map(|(_, what)| what).collect()
    }
}

/// The median of each number by itself: a file that is being read is open for an instant.
fn median(samples: &[Sample]) -> Option<Sample> {
    let of = |number: fn(&Sample) -> u64| {
        let mut numbers: Vec<u64> = samples.iter().map(number).collect();
        numbers.sort_unstable();
        numbers.get(numbers.len() / 2).copied()
    };
    Some(Sample {
        at: samples.first()?.at,
        memory_kib: of(|sample| sample.memory_kib)?,
        own_kib: of(|sample| sample.own_kib)?,
        file_kib: of(|sample| sample.file_kib)?,
        threads: of(|sample| sample.threads)?,
        open_files: of(|sample| sample.open_files)?,
    })
}

impl Report {
    pub(super) fn new(plan: &Plan, watched: &Watched) -> Self {
        let of = |kind| watched.interrupted.iter().filter(|it| it.kind == kind).count();
        Self {
            seed: plan.seed,
            lasts: plan.lasts,
            verdicts: watched.verdicts.len(),
            interruptions: [of(Interrupts::Stopped), of(Interrupts::SlowReader)],
            outcomes: Vec::new(),
            counts: Vec::new(),
            drift: None,
            misses: Vec::new(),
        }
    }

    /// Every promise that was not held.
    pub(super) fn misses(&self) -> Vec<String> {
        let of = |outcome: &Outcome| {
            let Outcome { camera, kind, from_frame, .. } = outcome;
            let missed = match outcome.told {
                Told::Missed { within } => Some(format!("not told within {:.2} s", within.as_secs_f64())),
                _ if !outcome.recovered => Some("nothing safe after it".to_owned()),
                _ => None,
            };
            missed.map(|what| format!("{camera}: {} at frame {from_frame}: {what}", name(*kind)))
        };
        let mut misses: Vec<String> = self.outcomes.iter().filter_map(of).chain(self.misses.iter().cloned()).collect();
        match &self.drift {
            Some(drift) => misses.extend(drift.misses()),
            None => misses.push("too few looks at the process".into()),
        }
        misses
    }

    fn by_kind(&self) -> BTreeMap<String, Vec<&Outcome>> {
        let mut kinds: BTreeMap<String, Vec<&Outcome>> = BTreeMap::new();
        for outcome in &self.outcomes {
            kinds.entry(name(outcome.kind)).or_default().push(outcome);
        }
        kinds
    }
}

/// Its name in a config.
fn name(kind: FaultKind) -> String {
    serde_json::to_string(&kind).unwrap_or_default().trim_matches('"').to_owned()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [stops, slow] = self.interruptions;
        writeln!(
            f,
            "{} faults on {} cameras in {:.1} minutes (seed {}), {stops} stops of the process and {slow} slow readers; {} \
             verdicts.\n",
            self.outcomes.len(),
            self.counts.len(),
            self.lasts.as_secs_f64() / 60.0,
            self.seed,
            self.verdicts,
        )?;
        writeln!(
            f,
            "| fault | times | promised | told in time | safe again | median s | longest s | allowed s | told by |"
        )?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|---:|---:|---|")?;
        for (kind, outcomes) in self.by_kind() {
            writeln!(f, "| {kind} | {}", row(&outcomes))?;
        }
        writeln!(f)?;
        for (camera, Counts { captured, judged, dropped, bad }) in &self.counts {
            writeln!(f, "Camera {camera}: {captured} captured = {judged} judged + {dropped} dropped + {bad} bad.")?;
        }
        if let Some(drift) = &self.drift {
            let Drift { first, last, most_growth } = drift;
            let [(_, all), (_, own)] = drift.growths();
            let allowed = 100.0 * most_growth;
            writeln!(
                f,
                "\n| | after warm-up ({:.0} s) | at the end | |\n|---|---:|---:|---|\n\
                 | memory (VmRSS), KiB | {} | {} | {:+.2} %, allowed {allowed:.0} % |\n\
                 | of it the process's own (RssAnon) | {} | {} | {:+.2} %, allowed {allowed:.0} % |\n| of it pages of files (RssFile) | {} | {} | |\n\
                 | threads | {} | {} | |\n\
                 | open files | {} | {} | |",
                first.at.as_secs_f64(),
                first.memory_kib,
                last.memory_kib,
                100.0 * all,
                first.own_kib,
                last.own_kib,
                100.0 * own,
                first.file_kib,
                last.file_kib,
                first.threads,
                last.threads,
                first.open_files,
                last.open_files,
            )?;
        }
        let misses = self.misses();
        match misses.len() {
            0 => write!(f, "\nEvery promise was held."),
            count => {
                write!(f, "\n{count} promises were not held:")?;
                misses.iter().take(MOST_TOLD).try_for_each(|miss| write!(f, "\n- {miss}"))
            }
        }
    }
}

/// The cells of a kind of fault behind its name.
fn row(outcomes: &[&Outcome]) -> String {
    let (mut afters, mut signs, mut allowed) = (Vec::new(), BTreeMap::new(), Duration::ZERO);
    let mut promised = 0;
    for outcome in outcomes {
        match outcome.told {
            Told::InTime { sign, after, within } => {
                *signs.entry(serde_json::to_string(&sign).unwrap_or_default()).or_insert(0) += 1;
                afters.push(after);
                allowed = allowed.max(within);
                promised += 1;
            }
            Told::Missed { within } => {
                allowed = allowed.max(within);
                promised += 1;
            }
            Told::NotPromised => {}
        }
    }
    afters.sort_unstable();
    let recovered = outcomes.iter().filter(|outcome| outcome.recovered).count();
    let seconds =
        |time: Option<&Duration>| time.map_or_else(|| "-".to_owned(), |time| format!("{:.2}", time.as_secs_f64()));
    let signs: Vec<String> = signs.iter().map(|(sign, count)| format!("{} {count}", sign.replace('"', "`"))).collect();
    format!(
        "{} | {promised} | {} | {recovered} | {} | {} | {} | {} |",
        outcomes.len(),
        afters.len(),
        seconds(afters.get(afters.len() / 2)),
        seconds(afters.last()),
        seconds(Some(&allowed).filter(|_| promised > 0)),
        signs.join(", ")
    )
}
