//! Runs footage through the network once and keeps what it says, on disk, with the time of every frame.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use oodwatch::calibrate::Spool;
use oodwatch::decode::{Decoder, Picture};
use oodwatch::package::Package;
use oodwatch::pipeline::Pipeline;
use oodwatch::source::{self, SourceConfig};

use crate::cli::exit::CliError;

/// The network's outputs on all frames.
pub(super) struct Collected {
    pub(super) spool: Spool,
    /// Per frame of the spool: seconds since the first frame of the footage.
    pub(super) times_s: Vec<f64>,
    /// Frames that could not be read.
    pub(super) bad: u64,
    /// Frames that were decoded to a smaller size.
    smaller: u64,
}

impl Collected {
    /// Whether the frames were decoded to a smaller size, all of them.
    pub(super) fn is_scaled(&self) -> bool {
        self.smaller == self.spool.len() as u64
    }

    fn frames(&self) -> u64 {
        self.spool.len() as u64 + self.bad
    }
}

/// Which frames to collect, and where to keep the outputs meanwhile.
pub(super) struct Request<'a> {
    pub(super) from: &'a Path,
    /// Of pictures, which have no times of their own.
    pub(super) frames_per_second: f64,
    pub(super) max_frames: Option<u64>,
    /// The package to be written; the outputs are kept beside it.
    pub(super) out: &'a Path,
}

pub(super) fn collect(
    request: &Request<'_>,
    package: &Package,
    decoder: &mut Decoder,
    pipeline: &mut Pipeline,
) -> anyhow::Result<Collected> {
    let mut config = source::config_for_path(request.from);
    if let SourceConfig::Images(images) = &mut config {
        images.frames_per_second = request.frames_per_second;
    }
    let (mut source, never) = (source::open(&config)?, AtomicBool::new(false));
    let progress = progress_bar("frames");
    let output = &package.manifest.output;
    let local_norms = output.local.map_or(0, |local| local.height * local.width);
    let beside = request.out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let spool = Spool::new(beside, package.manifest.class_count(), output.features, local_norms)?;
    let mut collected = Collected { spool, times_s: Vec::new(), bad: 0, smaller: 0 };
    let mut first: Option<Timestamp> = None;
    while request.max_frames.is_none_or(|max| collected.frames() < max) {
        let Some(frame) = source.next_frame(&never)? else { break };
        let first = *first.get_or_insert(frame.captured_at);
        match decoder.picture(frame.content) {
            Ok(picture) => {
                collected.smaller += u64::from(matches!(picture, Picture::Raw(_)));
                for outputs in pipeline.infer(picture)?.images() {
                    collected.spool.push(&outputs)?;
                    collected.times_s.push(frame.captured_at.duration_since(first).as_secs_f64());
                }
            }
            Err(error) => {
                log::error!("decode: frame {}: {}: {error}", frame.index, frame.path.display());
                collected.bad += 1;
            }
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    if collected.spool.is_empty() {
        return Err(CliError::NothingRead(collected.bad).into());
    }
    Ok(collected)
}

/// How many frames of footage there are is only known at its end.
pub(super) fn progress_bar(of: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {pos} {msg}, {per_sec}, {elapsed}");
    ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner())).with_message(of)
}
