//! The tables, in Markdown.

use std::fmt::Write;

use super::goals::{self, Goal};
use super::numbers::median;
use super::plan::{Case, Peer};
use super::results::{Measured, Pass, Run, With};

/// A number of a run.
type Number = fn(&Run) -> f64;

const PEAK_MEMORY: (&str, Number) = ("peak memory, MiB", |run| run.peak_kib as f64 / 1024.0);
const START: (&str, Number) = ("start to first verdict, ms", |run| run.start_ms);

/// Everything that was measured with the same, as text.
pub(super) fn report(with: &With, kept: &[(Case, Measured)]) -> String {
    let mut text = format!("Measured on {} (build {}).\n\n", with.machine, with.build);
    // Writing to a String cannot fail.
    let _ = tables(&mut text, kept);
    text
}

fn tables(text: &mut String, kept: &[(Case, Measured)]) -> std::fmt::Result {
    writeln!(text, "## Goals\n\n| goal | wanted | worst case | measured | reached |\n|---|---:|---|---:|---|")?;
    for goal in goals::goals(kept) {
        row_of_goal(text, &goal)?;
    }
    writeln!(text, "\n## From a frame's bytes to the network's input, in memory\n")?;
    writeln!(
        text,
        "| case | oodwatch, us | INTER_LINEAR by ours | INTER_AREA by ours | reduced JPEG by ours | by a copy |"
    )?;
    writeln!(text, "|---|---:|---:|---:|---:|---:|")?;
    for (case, measured) in kept {
        row_of_frame_path(text, *case, measured)?;
    }
    writeln!(text, "\n## The same with JPEG pictures decoded smaller on our side\n")?;
    writeln!(
        text,
        "| case | oodwatch, us | ours whole by it | INTER_LINEAR by it | INTER_AREA by it | reduced JPEG by it | to the verdict, us | processor per frame from a pipe, us | that of INTER_LINEAR by it |"
    )?;
    writeln!(text, "|---|---:|---:|---:|---:|---:|---:|---:|---:|")?;
    for (case, measured) in kept.iter().filter(|(case, _)| !case.is_raw()) {
        row_of_smaller(text, *case, measured)?;
    }
    writeln!(text, "\n## From a frame's bytes to the verdict, in memory\n")?;
    writeln!(
        text,
        "| case | oodwatch, us | but for the network, us | by session.run | INTER_LINEAR by ours | INTER_AREA by ours |"
    )?;
    writeln!(text, "|---|---:|---:|---:|---:|---:|")?;
    for (case, measured) in kept {
        row_of_whole(text, *case, measured)?;
    }
    writeln!(text, "\n## The programs, frames through a pipe\n")?;
    writeln!(
        text,
        "| case | | oodwatch | INTER_LINEAR | INTER_AREA | ours by INTER_LINEAR's | ours by INTER_AREA's |"
    )?;
    writeln!(text, "|---|---|---:|---:|---:|---:|---:|")?;
    for (case, measured) in kept {
        rows_of_runs(text, *case, measured)?;
    }
    writeln!(text, "\n## The start of the programs, with a prepared network on our side\n")?;
    writeln!(
        text,
        "| case | | oodwatch | with a prepared network | INTER_LINEAR | that by ours | that by INTER_LINEAR's |"
    )?;
    writeln!(text, "|---|---|---:|---:|---:|---:|---:|")?;
    for (case, measured) in kept {
        rows_of_starts(text, *case, measured)?;
    }
    Ok(())
}

fn row_of_goal(text: &mut String, goal: &Goal) -> std::fmt::Result {
    let (case, value) = goal.worst.as_ref().map_or(("not measured", f64::NAN), |(case, value)| (case, *value));
    let reached = match goal.reached() {
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "",
    };
    writeln!(text, "| {} | {} | {case} | {value:.3} | {reached} |", goal.text, goal.limit)
}

/// Of one peer, a number of the median repeat.
fn of_pass(measured: &Measured, peer: Peer, number: impl Fn(&Pass) -> f64) -> f64 {
    median(&measured.in_memory.iter().map(|repeat| number(&repeat.passes[&peer])).collect::<Vec<_>>())
}

fn of_run(measured: &Measured, peer: Peer, number: impl Fn(&Run) -> f64) -> f64 {
    median(&measured.through_a_pipe.iter().map(|by| number(&by[&peer])).collect::<Vec<_>>())
}

fn row_of_frame_path(text: &mut String, case: Case, measured: &Measured) -> std::fmt::Result {
    let other = |peer| match case.in_memory().contains(&peer) {
        true => goals::frame_path(measured, peer).to_string(),
        false => String::new(),
    };
    // A compressed frame is not read at the speed of memory.
    let copies = match case.is_raw() {
        true => {
            goals::in_memory(measured, |repeat| (repeat.passes[&Peer::Ours].prepare_us, repeat.copy_us)).to_string()
        }
        false => String::new(),
    };
    let ours = of_pass(measured, Peer::Ours, |pass| pass.prepare_us);
    let [linear, area, reduced] = Peer::OTHERS.map(other);
    writeln!(text, "| {case} | {ours:.0} | {linear} | {area} | {reduced} | {copies} |")
}

fn row_of_smaller(text: &mut String, case: Case, measured: &Measured) -> std::fmt::Result {
    let scaled = |number: fn(&Pass) -> f64| of_pass(measured, Peer::Scaled, number);
    let (prepare_us, all_us) = (scaled(|pass| pass.prepare_us), scaled(|pass| pass.all_us));
    let [whole, linear, area, reduced] = [Peer::Ours, Peer::Linear, Peer::Area, Peer::Reduced]
        .map(|other| goals::frame_path_by(measured, other, Peer::Scaled));
    let processor_us = of_run(measured, Peer::Scaled, |run| run.processor_us);
    let processor = goals::by(measured, Peer::Linear, Peer::Scaled, |run| run.processor_us);
    writeln!(
        text,
        "| {case} | {prepare_us:.0} | {whole} | {linear} | {area} | {reduced} | {all_us:.0} | {processor_us:.0} | {processor} |"
    )
}

fn row_of_whole(text: &mut String, case: Case, measured: &Measured) -> std::fmt::Result {
    let ours = of_pass(measured, Peer::Ours, |pass| pass.all_us);
    let (overhead_us, overhead) = (goals::overhead_us(measured), goals::overhead(measured));
    let [linear, area] = [Peer::Linear, Peer::Area].map(|peer| goals::whole(measured, peer));
    writeln!(text, "| {case} | {ours:.0} | {overhead_us:.0} | {overhead} | {linear} | {area} |")
}

fn rows_of_runs(text: &mut String, case: Case, measured: &Measured) -> std::fmt::Result {
    let numbers: [(&str, Number); 6] = [
        ("frames/s", |run| run.frames_per_second),
        ("p50, ms", |run| run.latency_p50_ms),
        ("p99, ms", |run| run.latency_p99_ms),
        ("processor per frame, us", |run| run.processor_us),
        PEAK_MEMORY,
        START,
    ];
    for (name, number) in numbers {
        let [ours, linear, area] = [Peer::Ours, Peer::Linear, Peer::Area].map(|peer| of_run(measured, peer, number));
        let [by_linear, by_area] = [Peer::Linear, Peer::Area].map(|peer| goals::ours_by(measured, peer, number));
        writeln!(text, "| {case} | {name} | {ours:.1} | {linear:.1} | {area:.1} | {by_linear} | {by_area} |")?;
    }
    Ok(())
}

fn rows_of_starts(text: &mut String, case: Case, measured: &Measured) -> std::fmt::Result {
    for (name, number) in [PEAK_MEMORY, START] {
        let [ours, prepared, linear] =
            [Peer::Ours, Peer::Prepared, Peer::Linear].map(|peer| of_run(measured, peer, number));
        let [by_ours, by_linear] =
            [Peer::Ours, Peer::Linear].map(|peer| goals::by(measured, Peer::Prepared, peer, number));
        writeln!(text, "| {case} | {name} | {ours:.1} | {prepared:.1} | {linear:.1} | {by_ours} | {by_linear} |")?;
    }
    Ok(())
}
