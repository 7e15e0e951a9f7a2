//! Tries a command out: whether frames come, and at the rate that is expected.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::{Pipe, PipeConfig, PipeError};
use crate::decode::decode;
use crate::source::SourceError;

/// How long frames of a camera are counted.
const COUNTED: Duration = Duration::from_secs(1);
/// A rate that is off by more than this factor is worth a warning: frames of another size than the config says come at another
/// rate, and nothing else shows it.
const RATE_MARGIN: f64 = 1.25;

/// Runs the command for a moment, and says what it delivers.
///
/// # Errors
/// As [`Pipe::open`]; or a command whose first frame does not come in time, or is none.
pub fn check(config: &PipeConfig, camera: &str) -> Result<String, SourceError> {
    try_out(config, camera).map_err(|error| match error {
        Failed::Source(error) => error,
        Failed::Pipe(error) => SourceError::Pipe { camera: camera.into(), source: Box::new(error) },
    })
}

enum Failed {
    Source(SourceError),
    Pipe(PipeError),
}

fn try_out(config: &PipeConfig, camera: &str) -> Result<String, Failed> {
    let started = Instant::now();
    let mut pipe = Pipe::open(&PipeConfig { live: false, ..config.clone() }, camera).map_err(Failed::Source)?;
    let never = AtomicBool::new(false);
    let program = pipe.program.clone();
    let Some(first) = pipe.next_recorded(&never).map_err(Failed::Pipe)? else {
        let (ended, message) = ("ended without a frame".into(), String::new());
        return Err(Failed::Pipe(PipeError::Ended { program, ended, message }));
    };
    let came = first.taken;
    let none = |error| Failed::Pipe(PipeError::NoFrame { program: program.clone(), source: Box::new(error) });
    decode(first.content).map_err(none)?;
    let what = format!("{program} writes {}, the first after {} ms", pipe.layout, (came - started).as_millis());
    if !config.live {
        return Ok(what);
    }
    let rate = rate(&mut pipe, came).map_err(Failed::Pipe)?;
    let wanted = config.frames_per_second;
    if !(wanted / RATE_MARGIN..=wanted * RATE_MARGIN).contains(&rate) {
        log::warn!(
            "source: {camera}: {rate:.1} frames/s came, and frames_per_second is {wanted}: is this command's format, width, \
             height and stride what the config says?"
        );
    }
    Ok(format!("{what}, then {rate:.1} frames/s"))
}

/// Frames per second that come after the first; a command that ends or hangs meanwhile has had its last.
fn rate(pipe: &mut Pipe, first: Instant) -> Result<f64, PipeError> {
    let (mut frames, mut last) = (0u32, first);
    let never = AtomicBool::new(false);
    while last.duration_since(first) < COUNTED {
        let Some(frame) = pipe.next_recorded(&never)? else { break };
        (frames, last) = (frames + 1, frame.taken);
    }
    Ok(f64::from(frames) / last.duration_since(first).as_secs_f64().max(f64::EPSILON))
}
