//! Runs what was packed for another machine under emulation, and holds every verdict and score against this machine's.
//!
//! The emulated Linux has JetPack 5's glibc (2.31) and the ONNX Runtime for aarch64, so that a program that starts there
//! starts on the oldest board; how fast it is on one, an emulator cannot say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use oodwatch::package::Package;
use oodwatch::verdict::Verdict;
use serde::Deserialize;

use super::{Target, pictures};
use crate::demo;
use crate::fetch::Fetcher;

/// The largest difference of two scores, in parts of 1 + |score|: another instruction set adds up in another order.
const TOLERANCE: f64 = 1e-4;
/// The processor that is emulated: that of an Orin is the automotive kind of a Cortex-A78, one generation on.
const PROCESSOR: &str = "cortex-a76";
/// One without the instructions that it has for products of bytes: that of a Jetson Nano is of this kind.
const OLD_PROCESSOR: &str = "cortex-a53";
/// In the archive.
const CONFIG: &str = "configs/images.toml";
const PACKAGE: &str = "models/cifar10-resnet20";
const PICTURES: &str = "pictures";
/// In the Debian package, from where the unit runs it.
const INSTALLED_CONFIG: &str = "../doc/oodwatch/examples/images.toml";
/// The config with a deadline that an emulator keeps: of the shipped one, slowness would be a fault.
const PATIENT_CONFIG: &str = "configs/images-patient.toml";
const PATIENCE: &str = "\n[decide]\ndeadline_ms = 600000\n";

/// Runs the program in `folder` (an unpacked archive) and this machine's on the same pictures. True when they agree.
///
/// # Errors
/// When something cannot be had or one of the two programs fails.
pub(super) fn run(fetcher: &Fetcher, folder: &Path, target: Target) -> Result<bool> {
    let count = pictures::write(fetcher, &folder.join(PICTURES))?;
    let here = Machine::here(fetcher)?;
    let there = Machine::of(fetcher, target, &folder.join("oodwatch"))?;
    println!("  check      {} with {}", folder.join("oodwatch").display(), there.launcher.join(" "));
    print!("{}", there.run(folder, &["check", "--config", CONFIG])?);
    let mut differences = Differences::default();
    write_patient_config(folder)?;
    let replay = ["run", "--config", PATIENT_CONFIG];
    let [ours, theirs] = [verdicts(&here.run(folder, &replay)?)?, verdicts(&there.run(folder, &replay)?)?];
    ensure!(ours.len() == count, "{} verdicts, wanted {count}", ours.len());
    differences.compare(&ours, &theirs)?;
    let score = score_arguments(&folder.join(PACKAGE))?;
    let [ours, theirs] = [scores(&here.run(folder, &score)?)?, scores(&there.run(folder, &score)?)?];
    differences.compare(&ours, &theirs)?;
    print!("{differences}");
    Ok(differences.found.is_empty())
}

/// Unpacks a Debian package as `dpkg` would, and has its program check a config and the package that came along.
///
/// # Errors
/// When it cannot be unpacked, or the program finds something wrong.
pub(super) fn check_package(fetcher: &Fetcher, package: &Path, target: Target) -> Result<()> {
    let root = tempfile::tempdir().context("a temporary folder")?;
    let unpacked =
        Command::new("dpkg-deb").arg("--extract").args([package, root.path()]).status().context("dpkg-deb")?;
    ensure!(unpacked.success(), "dpkg-deb does not take {}", package.display());
    // Where the unit runs it, and where its relative paths start.
    let folder = root.path().join("usr/share/oodwatch");
    pictures::write(fetcher, &folder.join(PICTURES))?;
    let there = Machine::of(fetcher, target, &root.path().join("usr/bin/oodwatch"))?;
    print!("{}", there.run(&folder, &["check", "--config", INSTALLED_CONFIG])?);
    Ok(())
}

/// Runs the tests of products of small integers, which are written for each processor, on a newer and on an older one.
///
/// # Errors
/// When one cannot be emulated, or a test fails.
pub(super) fn test_products(fetcher: &Fetcher, tests: &Path, target: Target) -> Result<()> {
    for processor in [PROCESSOR, OLD_PROCESSOR] {
        let output = Machine::like(fetcher, target, tests, processor)?.run(Path::new("."), &[] as &[&str])?;
        let result = output.lines().find(|line| line.starts_with("test result")).context("no tests ran")?;
        println!("  products   {processor}: {result}");
    }
    Ok(())
}

/// A second `[decide]`, should the shipped config get one, is refused by the program.
fn write_patient_config(folder: &Path) -> Result<()> {
    let shipped = fs::read_to_string(folder.join(CONFIG)).context(CONFIG)?;
    fs::write(folder.join(PATIENT_CONFIG), shipped + PATIENCE).context(PATIENT_CONFIG)
}

/// `oodwatch score` with every score that the package is calibrated for.
fn score_arguments(package: &Path) -> Result<Vec<String>> {
    let mut arguments = ["score", "--model", PACKAGE].map(str::to_owned).to_vec();
    for name in Package::open(package)?.calibration.scores.keys() {
        arguments.extend(["--score".to_owned(), name.to_string()]);
    }
    arguments.push(PICTURES.to_owned());
    Ok(arguments)
}

/// A way of running `oodwatch`.
struct Machine {
    /// The program and its arguments that come before those of `oodwatch`.
    launcher: Vec<String>,
    onnxruntime: PathBuf,
}

impl Machine {
    /// This one, with a program built for it.
    fn here(fetcher: &Fetcher) -> Result<Machine> {
        fetcher.ensure_all(&["onnxruntime"])?;
        let program = demo::build(&fetcher.paths.root)?;
        Ok(Machine { launcher: vec![program.display().to_string()], onnxruntime: own_onnxruntime(fetcher) })
    }

    /// The one that `program` is built for, emulated unless it is this one.
    fn of(fetcher: &Fetcher, target: Target, program: &Path) -> Result<Machine> {
        Self::like(fetcher, target, program, PROCESSOR)
    }

    /// The same, with another processor.
    fn like(fetcher: &Fetcher, target: Target, program: &Path, processor: &str) -> Result<Machine> {
        let program = program.display().to_string();
        if target == Target::own() {
            return Ok(Machine { launcher: vec![program], onnxruntime: own_onnxruntime(fetcher) });
        }
        ensure!(target == Target::Aarch64, "{} cannot be emulated here", target.triple());
        fetcher.ensure_all(&["qemu", "aarch64"])?;
        let root = fetcher.paths.dep("aarch64").canonicalize().context(".deps/aarch64")?;
        let qemu = fetcher.paths.dep("qemu").join("qemu-aarch64").display().to_string();
        let options = ["-cpu".to_owned(), processor.to_owned(), "-L".to_owned(), root.display().to_string()];
        let launcher = [qemu].into_iter().chain(options).chain([program]).collect();
        Ok(Machine { launcher, onnxruntime: root.join("libonnxruntime.so") })
    }

    /// What `oodwatch` with these arguments writes to standard output, run in `folder`.
    fn run(&self, folder: &Path, arguments: &[impl AsRef<std::ffi::OsStr>]) -> Result<String> {
        let (program, first) = self.launcher.split_first().context("nothing to run")?;
        let mut command = Command::new(program);
        command.args(first).args(arguments).current_dir(folder).env("ORT_DYLIB_PATH", &self.onnxruntime);
        // Cargo names this machine's libraries to what it runs.
        command.env_remove("LD_LIBRARY_PATH");
        let output = command.output().with_context(|| program.clone())?;
        if !output.status.success() {
            bail!(
                "{} ended with {}:\n{}",
                self.launcher.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        String::from_utf8(output.stdout).context("what oodwatch wrote is no text")
    }
}

/// The ONNX Runtime of this machine, or the one that the user names.
fn own_onnxruntime(fetcher: &Fetcher) -> PathBuf {
    std::env::var_os("ORT_DYLIB_PATH")
        .map_or_else(|| fetcher.paths.dep("onnxruntime").join("libonnxruntime.so"), PathBuf::from)
}

/// What was said of one picture.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    /// Picture and score.
    what: String,
    score: Option<f32>,
    flag: Option<bool>,
    class: Option<String>,
}

/// The verdicts on frames.
fn verdicts(text: &str) -> Result<Vec<Said>> {
    let mut said = Vec::new();
    for line in text.lines() {
        let Verdict { frame, score, flag, class, score_name, .. } =
            serde_json::from_str(line).with_context(|| line.to_owned())?;
        if let Some(frame) = frame {
            said.push(Said { what: format!("frame {frame}, {score_name}"), score, flag, class });
        }
    }
    Ok(said)
}

/// The lines of `oodwatch score`.
fn scores(text: &str) -> Result<Vec<Said>> {
    #[derive(Deserialize)]
    struct Line {
        path: String,
        score_name: String,
        score: Option<f32>,
        flag: bool,
        class: Option<String>,
    }
    let line = |line: &str| {
        let Line { path, score_name, score, flag, class } =
            serde_json::from_str(line).with_context(|| line.to_owned())?;
        Ok(Said { what: format!("{path}, {score_name}"), score, flag: Some(flag), class })
    };
    text.lines().map(line).collect()
}

/// How two machines differ.
#[derive(Debug, Default)]
struct Differences {
    compared: usize,
    flagged: usize,
    /// The largest difference of two scores, in parts of 1 + |score|, and where it was.
    largest: (f64, String),
    found: Vec<String>,
}

impl Differences {
    /// # Errors
    /// When the two did not judge the same pictures.
    fn compare(&mut self, ours: &[Said], theirs: &[Said]) -> Result<()> {
        ensure!(ours.len() == theirs.len(), "{} lines here, {} there", ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(theirs) {
            ensure!(ours.what == theirs.what, "{} here, {} there", ours.what, theirs.what);
            self.pair(ours, theirs);
        }
        Ok(())
    }

    fn pair(&mut self, ours: &Said, theirs: &Said) {
        self.compared += 1;
        self.flagged += usize::from(ours.flag == Some(true));
        let difference = match (ours.score, theirs.score) {
            (Some(ours), Some(theirs)) => f64::from((ours - theirs).abs()) / (1.0 + f64::from(ours.abs())),
            (None, None) => 0.0,
            _ => f64::INFINITY,
        };
        if difference > self.largest.0 {
            self.largest = (difference, ours.what.clone());
        }
        // Not `> TOLERANCE`: a NaN is a difference too.
        let close = difference <= TOLERANCE;
        if !close || ours.flag != theirs.flag || ours.class != theirs.class {
            self.found.push(format!("{ours:?} here, {theirs:?} there"));
        }
    }
}

impl std::fmt::Display for Differences {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 10;
        self.found.iter().take(SHOWN).try_for_each(|difference| writeln!(out, "  differs    {difference}"))?;
        writeln!(
            out,
            "  alike      {} of {} flags, classes and scores (within {TOLERANCE:.0e} of 1 + |score|); {} flagged; largest difference {:.1e} ({})",
            self.compared - self.found.len(),
            self.compared,
            self.flagged,
            self.largest.0,
            self.largest.1,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(score: Option<f32>, flag: bool, class: &str) -> Said {
        Said { what: "cat.png, energy".into(), score, flag: Some(flag), class: Some(class.into()) }
    }

    fn differences(theirs: Said) -> usize {
        let mut differences = Differences::default();
        differences.compare(&[said(Some(-3.0), false, "cat")], &[theirs]).unwrap();
        differences.found.len()
    }

    #[test]
    fn rounding_is_no_difference_and_everything_else_is() {
        assert_eq!(differences(said(Some(-3.0), false, "cat")), 0);
        // 1e-4 of 1 + |-3| is 4e-4.
        assert_eq!(differences(said(Some(-3.0003), false, "cat")), 0);
        assert_eq!(differences(said(Some(-3.0005), false, "cat")), 1);
        assert_eq!(differences(said(Some(f32::NAN), false, "cat")), 1);
        assert_eq!(differences(said(None, false, "cat")), 1);
        assert_eq!(differences(said(Some(-3.0), true, "cat")), 1);
        assert_eq!(differences(said(Some(-3.0), false, "dog")), 1);
    }

    #[test]
    fn machines_that_judged_other_pictures_are_not_compared() {
        let mut other = said(Some(-3.0), false, "cat");
        other.what = "dog.png, energy".into();
        let ours = [said(Some(-3.0), false, "cat")];
        assert!(Differences::default().compare(&ours, &[other]).is_err());
        assert!(Differences::default().compare(&ours, &[]).is_err());
    }

    #[test]
    fn a_line_of_score_is_read_with_its_picture_and_score() {
        let line = r#"{"path":"a.png","score_name":"msp","score":-0.5,"threshold":0,"p_value":0.1,"flag":false,"class":"cat","confidence":0.9}"#;
        let read = scores(line).unwrap();
        assert_eq!(
            read,
            [Said { what: "a.png, msp".into(), score: Some(-0.5), flag: Some(false), class: Some("cat".into()) }]
        );
    }
}
