//! Runs the real `oodwatch` as a user would, and reads its verdict lines.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use oodwatch::verdict::{Kind, Verdict};
use serde::Serialize;

use super::Places;
use super::judge::Report;
use super::stream::{Stream, write_list};

/// The capture rate that the demo's streams claim, frames per second.
pub(super) const FRAMES_PER_SECOND: f64 = 25.0;

/// The program under demonstration.
#[derive(Debug)]
pub(super) struct Monitor {
    /// The `oodwatch` binary.
    pub(super) program: PathBuf,
    /// The repository's root, where it is run.
    pub(super) root: PathBuf,
}

/// The false-alarm rate that packages are calibrated to.
pub(super) const RATE: f64 = 0.05;

/// A stream to be watched, and what thresholds are set on before.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    stream: &'a Stream,
    /// Lists of pictures.
    calibration: PathBuf,
    list: PathBuf,
}

impl<'a> Scene<'a> {
    /// Writes both lists, `NAME-calibration.txt` and `NAME-stream.txt`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn write(places: &Places, name: &str, calibration: &[PathBuf], stream: &'a Stream) -> Result<Scene<'a>> {
        let path = |list: &str| places.out.join(format!("{name}-{list}.txt"));
        let scene = Scene { stream, calibration: path("calibration"), list: path("stream") };
        write_list(&scene.calibration, calibration).with_context(|| scene.calibration.display().to_string())?;
        stream.write_list(&scene.list).with_context(|| scene.list.display().to_string())?;
        Ok(scene)
    }
}

/// What a run said.
#[derive(Debug)]
pub(super) struct Watched {
    /// One verdict per frame, in order.
    pub(super) verdicts: Vec<Verdict>,
    /// From start to exit, including opening the package.
    pub(super) wall_seconds: f64,
}

impl Monitor {
    /// Calibrates a shipped package for a scene and lets it watch.
    ///
    /// # Errors
    /// As [`Monitor::calibrate`] and [`Monitor::run`].
    pub(super) fn watch(&self, places: &Places, package: &str, scene: &Scene<'_>) -> Result<(Watched, Report)> {
        eprintln!("calibrating {package}, then watching {} frames with it", scene.stream.len());
        let calibrated = places.out.join(format!("{package}-calibrated"));
        self.calibrate(&places.models.join(package), &scene.calibration, RATE, &calibrated)?;
        let watched = self.run(package, &calibrated, &scene.list, scene.stream.len(), &places.out)?;
        let report = Report::new(scene.stream, &watched)?;
        Ok((watched, report))
    }

    /// `oodwatch calibrate` for the score that the demo runs; it needs no fit, so all frames set its threshold.
    ///
    /// # Errors
    /// When it cannot be started or refuses; its own words are part of the error.
    fn calibrate(&self, package: &Path, from: &Path, rate: f64, out: &Path) -> Result<()> {
        if out.exists() {
            std::fs::remove_dir_all(out).with_context(|| out.display().to_string())?;
        }
        let mut command = self.command("calibrate");
        command.arg("--model").arg(package).arg("--from").arg(from);
        command.args(["--score", "energy", "--false-alarm-rate", &rate.to_string()]).arg("--out").arg(out);
        let output = command.stdin(Stdio::null()).output().with_context(|| self.program.display().to_string())?;
        if output.status.success() {
            return Ok(());
        }
        bail!("oodwatch calibrate ended with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim())
    }

    /// `oodwatch run` over a list of pictures. Writes `NAME.toml`, `NAME.jsonl` and `NAME.log` into `folder`.
    ///
    /// # Errors
    /// When it cannot be started, fails, or does not judge each of the `frames`.
    fn run(&self, name: &str, package: &Path, list: &Path, frames: usize, folder: &Path) -> Result<Watched> {
        let file = |ending: &str| folder.join(format!("{name}.{ending}"));
        let config = toml::to_string(&config(name, package, list))?;
        std::fs::write(file("toml"), config).with_context(|| file("toml").display().to_string())?;
        let create = |path: PathBuf| File::create(&path).with_context(|| path.display().to_string());
        let started = Instant::now();
        let status = self
            .command("run")
            .arg("--config")
            .arg(file("toml"))
            .stdin(Stdio::null())
            .stdout(create(file("jsonl"))?)
            .stderr(create(file("log"))?)
            .status()
            .with_context(|| self.program.display().to_string())?;
        let wall_seconds = started.elapsed().as_secs_f64();
        if !status.success() {
            let log = std::fs::read_to_string(file("log")).unwrap_or_default();
            bail!("oodwatch run ended with {status}:\n{}", log.trim());
        }
        let text = std::fs::read_to_string(file("jsonl")).with_context(|| file("jsonl").display().to_string())?;
        let verdicts = parse(&text).with_context(|| file("jsonl").display().to_string())?;
        if verdicts.len() != frames {
            bail!("{}: {} frames were judged, wanted {frames}", file("jsonl").display(), verdicts.len());
        }
        Ok(Watched { verdicts, wall_seconds })
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.root).arg(verb);
        // Cargo sets this for what it runs; somebody may have started this program without it.
        if std::env::var_os("ORT_DYLIB_PATH").is_none() {
            command.env("ORT_DYLIB_PATH", self.root.join(".deps/onnxruntime/libonnxruntime.so"));
        }
        command
    }
}

/// The verdicts on frames; those about the absence of one (a start, a stop) are left out.
fn parse(text: &str) -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let verdict: Verdict = serde_json::from_str(line).with_context(|| format!("line {}", index + 1))?;
        if verdict.kind == Kind::Verdict && verdict.frame.is_some() && verdict.score.is_some() {
            verdicts.push(verdict);
        }
    }
    Ok(verdicts)
}

#[derive(Serialize)]
struct Config<'a> {
    camera: [Camera<'a>; 1],
    model: Model<'a>,
    decide: Decide,
}

#[derive(Serialize)]
struct Camera<'a> {
    name: &'a str,
    source: Source<'a>,
}

#[derive(Serialize)]
struct Source<'a> {
    images: Images<'a>,
}

#[derive(Serialize)]
struct Images<'a> {
    path: &'a Path,
    frames_per_second: f64,
}

#[derive(Serialize)]
struct Model<'a> {
    package: &'a Path,
}

/// A recording waits: on a machine that is busy otherwise no frame of it is late.
#[derive(Serialize)]
struct Decide {
    deadline_ms: u64,
}

/// The smallest config that runs a package over a list of pictures.
fn config<'a>(name: &'a str, package: &'a Path, list: &'a Path) -> Config<'a> {
    let images = Images { path: list, frames_per_second: FRAMES_PER_SECOND };
    let decide = Decide { deadline_ms: 60_000 };
    Config { camera: [Camera { name, source: Source { images } }], model: Model { package }, decide }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_is_what_a_user_would_write() {
        let text = toml::to_string(&config("demo", Path::new("pkg"), Path::new("list.txt"))).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(
            lines,
            [
                "[[camera]]",
                "name = \"demo\"",
                "[camera.source.images]",
                "path = \"list.txt\"",
                "frames_per_second = 25.0",
                "[model]",
                "package = \"pkg\"",
                "[decide]",
                "deadline_ms = 60000",
            ]
        );
    }

    #[test]
    fn a_line_that_is_no_verdict_is_told_by_its_number() {
        assert!(parse("").unwrap().is_empty());
        let error = format!("{:#}", parse("{\"type\":\"verdict\"}").unwrap_err());
        assert!(error.starts_with("line 1: missing field"), "{error}");
    }
}
