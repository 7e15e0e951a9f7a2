//! What the tests share: running the program, tiny packages, pictures, and asking what this machine has.

pub(crate) mod breaking;
pub(crate) mod foreign;
pub(crate) mod guest;
pub(crate) mod lab;
pub(crate) mod network;
pub(crate) mod onnx;
pub(crate) mod running;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::{Rgb, RgbImage};
use oodwatch::infer::{InferError, Network, NetworkOptions};
use oodwatch::source::find_ffmpeg;
use oodwatch::verdict::Verdict;

/// Things that a test may need and a machine may lack.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tool {
    OnnxRuntime,
    Ffmpeg,
    /// Real pictures, of 32x32 pixels.
    Cifar10,
}

/// Whether this machine has what a test needs. If not, the test passes itself over and says so; with
/// OODWATCH_REQUIRE_ALL=1, as `cargo xtask test` sets it, it fails instead.
pub(crate) fn have(tools: &[Tool]) -> bool {
    let missing: Vec<_> = tools.iter().filter(|tool| !has(**tool)).collect();
    if missing.is_empty() {
        return true;
    }
    assert_ne!(std::env::var("OODWATCH_REQUIRE_ALL").as_deref(), Ok("1"), "this machine lacks {missing:?}");
    eprintln!("passed over: this machine lacks {missing:?}; `cargo xtask test` fetches it");
    false
}

fn has(tool: Tool) -> bool {
    match tool {
        Tool::OnnxRuntime => {
            let opened = Network::from_onnx(&onnx::tiny(), &network::manifest(), &NetworkOptions::default());
            !matches!(opened, Err(InferError::Library { .. }))
        }
        Tool::Cifar10 => cifar10().is_file(),
        Tool::Ffmpeg => Command::new(find_ffmpeg(Path::new(""))).arg("-version").output().is_ok(),
    }
}

/// The test pictures of CIFAR-10: for each a byte with its class, then its red, green and blue planes.
pub(crate) fn cifar10() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".deps/cifar10/test_batch.bin")
}

/// A folder of a test's own, with a tiny package in it.
pub(crate) struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    /// With a good package at `package`.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        network::write_package(&dir.path().join("package"));
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program, run in this folder.
    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oodwatch"));
        command.args(arguments).current_dir(self.dir.path()).stdin(Stdio::null()).env_remove("RUST_LOG");
        // Whoever runs the tests may be a service itself.
        command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
        // The set-up's ffmpeg is found relative to the repository, where this program does not run.
        let ffmpeg = find_ffmpeg(Path::new(""));
        command.env("OODWATCH_FFMPEG", fs::canonicalize(&ffmpeg).unwrap_or(ffmpeg));
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.program(arguments).output().unwrap())
    }

    /// Runs the program to its end with something on stdin.
    pub(crate) fn run_with_stdin(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = self
            .program(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Ran::from(child.wait_with_output().unwrap())
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Writes `count` pictures into a folder, numbered from `first`.
    pub(crate) fn pictures(&self, folder: &str, first: u32, count: u32, look: fn(u32) -> RgbImage) {
        fs::create_dir_all(self.path(folder)).unwrap();
        for number in first..first + count {
            look(number).save(self.path(&format!("{folder}/{number:04}.png"))).unwrap();
        }
    }

    /// A config that judges `source` (a TOML table) with the package, and that a busy machine cannot make late.
    pub(crate) fn config(&self, source: &str) -> PathBuf {
        let rest = "[model]\npackage = \"package\"\n[decide]\ndeadline_ms = 60000\n";
        self.write("config.toml", &format!("[[camera]]\n{source}\n{rest}"))
    }
}

/// A picture as the tiny network knows them: bright and reddish, each a little different.
pub(crate) fn known(number: u32) -> RgbImage {
    RgbImage::from_fn(8, 8, |x, y| {
        let noise = (number * 31 + x * 17 + y * 29 + x * y * number) % 40;
        Rgb([215 + noise as u8, 90 + (noise / 2) as u8, 60])
    })
}

/// A picture as the tiny network does not: nearly black.
pub(crate) fn strange(number: u32) -> RgbImage {
    RgbImage::from_fn(8, 8, |x, _| Rgb([(x + number) as u8 % 10, 4, 6]))
}

/// What a program run left behind.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// Ends the test unless the program ended with this code and said all of these on stderr.
    #[track_caller]
    pub(crate) fn expect(self, code: i32, said: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        for part in said {
            assert!(self.stderr.contains(part), "{part:?} is missing from:\n{}", self.stderr);
        }
        self
    }

    /// Ends the test unless the program ended with this code.
    #[track_caller]
    pub(crate) fn expect_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
    }

    /// Every line of stdout as a verdict.
    pub(crate) fn verdicts(&self) -> Vec<Verdict> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Every line of stdout as JSON.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
