//! The ffmpeg child process: found, started, listened to, and never left behind.
//!
//! ffmpeg decodes into PPM pictures on its stdout: raw rgb24 with the size in front of every frame, so that
//! rotation and size changes need no second program to probe them. Its `showinfo` filter tells each frame's own
//! time on stderr; the rest of stderr goes to the log.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::SourceError;

/// The environment variable that names the program.
pub const FFMPEG_VARIABLE: &str = "OODWATCH_FFMPEG";
/// Where the project's own set-up links a fetched one.
const FETCHED: &str = ".deps/ffmpeg/ffmpeg";
/// How long a child that has closed its output may take to end.
const EXIT_PATIENCE: Duration = Duration::from_secs(5);

/// A running ffmpeg; killed when dropped.
pub(super) struct Ffmpeg {
    child: Child,
    listener: Option<JoinHandle<()>>,
    /// Presentation times in seconds, one per frame, sent before the frame itself.
    pub(super) times: Receiver<Option<f64>>,
    last_error: Arc<Mutex<String>>,
}

/// The program: the config's word, the environment's, the fetched one, or whatever PATH has.
pub fn find(configured: &Path) -> PathBuf {
    if !configured.as_os_str().is_empty() {
        return configured.into();
    }
    match env::var_os(FFMPEG_VARIABLE).filter(|value| !value.is_empty()) {
        Some(path) => path.into(),
        None if Path::new(FETCHED).exists() => FETCHED.into(),
        None => "ffmpeg".into(),
    }
}

impl Ffmpeg {
    /// Starts decoding `video` and gives the pipe that the pictures come through.
    pub(super) fn start(program: &Path, video: &Path) -> Result<(Self, ChildStdout), SourceError> {
        let missing = |source| SourceError::FfmpegMissing { program: program.into(), source };
        let mut child = command(program, video, every_frame_option(program)?).spawn().map_err(missing)?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(missing(std::io::Error::other("its output is not connected")));
        };
        let (sender, times) = mpsc::channel();
        let last_error = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&last_error);
        let listener = thread::Builder::new()
            .name("ffmpeg-log".into())
            .spawn(move || listen(stderr, &sender, &heard))
            .map_err(missing)?;
        Ok((Self { child, listener: Some(listener), times, last_error }, stdout))
    }

    /// Waits for the end of a child that has closed its output, and checks how it ended.
    pub(super) fn finish(&mut self, video: &Path) -> Result<(), SourceError> {
        let since = Instant::now();
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status.to_string(),
                Ok(None) if since.elapsed() < EXIT_PATIENCE => thread::sleep(Duration::from_millis(5)),
                Ok(None) => break "no exit at all".into(),
                Err(error) => break error.to_string(),
            }
        };
        self.end();
        let message = self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match status.as_str() {
            "exit status: 0" => Ok(()),
            _ => Err(SourceError::FfmpegFailed { path: video.into(), status, message }),
        }
    }

    fn end(&mut self) {
        // Both fail only where the child is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(listener) = self.listener.take()
            && listener.join().is_err()
        {
            log::error!("source: the thread that reads ffmpeg's log panicked");
        }
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        self.end();
    }
}

fn command(program: &Path, video: &Path, every_frame: [&str; 2]) -> Command {
    let mut command = Command::new(program);
    command
        .args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info", "-i"])
        .arg(input_name(video))
        .args(["-map", "0:v:0", "-vf", "showinfo"])
        .args(every_frame)
        .args(["-pix_fmt", "rgb24", "-c:v", "ppm", "-f", "image2pipe", "pipe:1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A file on disk is never taken for a protocol, whatever its name.
fn input_name(video: &Path) -> std::ffi::OsString {
    let mut name = std::ffi::OsString::from("file:");
    name.push(video);
    name
}

/// The option against dropping or doubling frames: its name changed with ffmpeg 5.1.
fn every_frame_option(program: &Path) -> Result<[&'static str; 2], SourceError> {
    let answer = Command::new(program)
        .arg("-version")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| SourceError::FfmpegMissing { program: program.into(), source })?;
    Ok(match version(&String::from_utf8_lossy(&answer.stdout)) {
        Some(old) if old < (5, 1) => ["-vsync", "passthrough"],
        _ => ["-fps_mode", "passthrough"],
    })
}

/// Major and minor of "ffmpeg version 4.4.2-0ubuntu0 ..."; none for development builds, which are newer.
fn version(text: &str) -> Option<(u32, u32)> {
    let number = text.strip_prefix("ffmpeg version ")?.split_whitespace().next()?;
    let mut parts = number.trim_start_matches('n').split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn listen(stderr: ChildStderr, times: &Sender<Option<f64>>, last_error: &Mutex<String>) {
    for line in BufReader::new(stderr).split(b'\n') {
        let Ok(line) = line else { return };
        let line = String::from_utf8_lossy(&line);
        if let Some(time) = frame_time(&line) {
            // Nobody listens any more once the source is dropped.
            let _ = times.send(time);
        } else if line.contains("[error]") || line.contains("[fatal]") {
            log::warn!("ffmpeg: {line}");
            *last_error.lock().unwrap_or_else(PoisonError::into_inner) = line.into_owned();
        } else {
            log::debug!("ffmpeg: {line}");
        }
    }
}

/// `Some` for a line of showinfo about a frame; the inner `None` is a frame without a time of its own.
fn frame_time(line: &str) -> Option<Option<f64>> {
    let (head, rest) = line.split_once(" pts_time:")?;
    if !head.contains("[Parsed_showinfo") || !head.contains("] n:") {
        return None;
    }
    Some(rest.split_whitespace().next().and_then(|seconds| seconds.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_times_are_read_from_showinfo_lines_and_nothing_else() {
        let line = "[Parsed_showinfo_0 @ 0x7f42] [info] n:   1 pts:   1 pts_time:0.1   duration: 1 fmt:rgb24";
        assert_eq!(frame_time(line), Some(Some(0.1)));
        assert_eq!(frame_time(&line.replace("0.1", "NOPTS")), Some(None));
        assert_eq!(frame_time("[info]   Duration: N/A, start: 0.000000, bitrate: N/A"), None);
    }

    #[test]
    fn versions_are_read_from_releases_and_distributions() {
        assert_eq!(version("ffmpeg version 7.0.2-static https://"), Some((7, 0)));
        assert_eq!(version("ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright"), Some((4, 4)));
        assert_eq!(version("ffmpeg version n5.1 Copyright"), Some((5, 1)));
        assert_eq!(version("ffmpeg version N-110000-gabc Copyright"), None);
    }
}
