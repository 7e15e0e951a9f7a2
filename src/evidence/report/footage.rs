//! Known and unknown footage.

use super::{decimals, heading, percent, row};
use crate::calibrate::short;
use crate::evidence::page::Block;
use crate::evidence::{Footage, Known, Overlap, Results, Unknown, plots};

/// Flags and alarms, all of them false.
pub(super) fn known(known: &Known) -> Vec<Block> {
    let (footage, flags) = (&known.footage, &known.flags);
    let mut rows = footage_rows(footage);
    rows.extend([
        row("flagged, all of them falsely", format!("{} of {}", flags.flagged, footage.frames)),
        row("share, if all frames were independent", percent(flags.rate)),
        row("share, for as many as they are worth", percent(flags.rate_of_effective)),
    ]);
    if let Some((low, high)) = known.expected_flags {
        rows.push(row(
            "flags to expect, 95 %",
            format!("{low} to {high} among {:.0} independent frames", footage.effective_frames.floor()),
        ));
    }
    rows.extend([
        row("alarms are raised by", known.policy.clone()),
        row("alarms, all of them false", known.alarms.to_string()),
        row("alarms that count once", format!("those within {} s", short(known.block_s))),
        row(
            "was it part of the calibration?",
            match known.overlap {
                Overlap::Compared { found, by_chance } => format!(
                    "not found to be: {} % of its scores are among the calibration's, {} % would be by chance",
                    short(100.0 * found),
                    short(100.0 * by_chance)
                ),
                Overlap::CannotTell { why } => format!("cannot be told: {why}"),
            },
        ),
    ]);
    vec![heading(2, "Known footage"), Block::Table(vec!["", ""], rows), Block::Figure(plots::p_values(known))]
}

fn footage_rows(footage: &Footage) -> Vec<Vec<String>> {
    let [(width, height), (most_wide, most_high)] = footage.size_px;
    vec![
        row("footage", footage.path.display().to_string()),
        row("sha256 of its pictures", footage.sha256.clone()),
        row("frames", format!("{}, and {} that could not be read", footage.frames, footage.bad)),
        row("frames per second", short(footage.frames_per_second)),
        row("pixels", format!("{width}x{height} to {most_wide}x{most_high}")),
        row("worth independent frames", short(footage.effective_frames)),
    ]
}

/// How well, and how soon, each piece is told from the known.
pub(super) fn unknown(results: &Results) -> Vec<Block> {
    let mut all = vec![heading(2, "Unknown footage")];
    if results.unknown.is_empty() {
        all.push(Block::Paragraph("None was given.".into()));
        return all;
    }
    let names = vec![
        "footage",
        "frames",
        "flagged (95 %)",
        "AUROC (95 %)",
        "FPR95 (95 %)",
        "noticed",
        "delay: half, 95 % within",
    ];
    all.push(Block::Table(names, results.unknown.iter().map(unknown_row).collect()));
    all.push(Block::Paragraph(
        "Flagged: for as many independent frames as they are worth (Clopper-Pearson). AUROC: chance that an unknown frame scores \
         higher than a known one. FPR95: share of the unknown that is accepted where 95 % of the known is. Both with a block \
         bootstrap; an interval without width says that all frames agree, not that there is no doubt. Delay: from the first \
         unknown frame after a cut to the alarm, in seconds of the footage."
            .into(),
    ));
    all.push(Block::Figure(plots::roc(results)));
    for (place, unknown) in results.unknown.iter().enumerate() {
        all.push(heading(3, &format!("Unknown footage {}", place + 1)));
        all.push(Block::Table(vec!["", ""], footage_rows(&unknown.footage)));
        all.push(Block::Figure(plots::scores(results, place)));
    }
    all
}

fn unknown_row(unknown: &Unknown) -> Vec<String> {
    let seconds = |time: Option<f64>| time.map_or_else(|| "not".into(), |time| format!("{} s", short(time)));
    let delay = &unknown.delay;
    vec![
        unknown.footage.path.display().to_string(),
        unknown.footage.frames.to_string(),
        percent(unknown.flags.rate_of_effective),
        decimals(unknown.auroc),
        percent(unknown.fpr95_id),
        format!("{} of {} cuts", delay.cuts - delay.missed, delay.cuts),
        format!("{}, {}", seconds(unknown.median_delay_s), seconds(delay.most_s)),
    ]
}
