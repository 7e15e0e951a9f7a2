//! Runs shell commands and the program under test in the camera lab: a real kernel with cameras in it, as an ordinary
//! process. `cargo xtask camera-lab` builds it; `xtask/camera-lab/README.md` says what it is.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, fs};

use oodwatch::verdict::Verdict;

use super::guest::{ORDERS, TEST};
use super::{Bench, Ran};

/// Where the lab lies, if this machine has one. Without it, says so; under CI ends the test instead. The lab is a process
/// of x86_64, made from Debian's packages: other machines pass its tests over.
fn find() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join(".deps/camera-lab");
        let folder = env::var_os("OODWATCH_CAMERA_LAB").map_or(ours, PathBuf::from);
        folder.join("run").is_file().then_some(folder)
    });
    if found.is_none() {
        let loud = env::var_os("CI").is_some() && cfg!(target_arch = "x86_64");
        assert!(!loud, "this machine has no camera lab: `cargo xtask camera-lab` builds it");
        eprintln!("passed over: this machine has no camera lab; `cargo xtask camera-lab` builds it on x86_64");
    }
    found.as_deref()
}

/// A lab that is not started yet.
pub(crate) struct Lab {
    folder: &'static Path,
    modules: Vec<String>,
    share: tempfile::TempDir,
}

impl Lab {
    /// A lab without cameras, if this machine has it.
    pub(crate) fn new() -> Option<Self> {
        find().map(|folder| Self { folder, modules: Vec::new(), share: tempfile::tempdir().unwrap() })
    }

    /// With the kernel's own test cameras, /dev/video0 and following. They do nothing but capture.
    pub(crate) fn vivid(mut self, cameras: usize) -> Self {
        let capture_only = vec!["0x1"; cameras].join(",");
        self.modules.push(format!("vivid n_devs={cameras} node_types={capture_only}"));
        self
    }

    /// With /dev/video10, which shows what is written into it, and /dev/video11, which does not even claim to be a camera
    /// before somebody writes into it. The former is for writers that come back: of version 0.12 the latter takes no
    /// second writer that only writes.
    pub(crate) fn loopback(mut self) -> Self {
        self.modules.push("v4l2loopback video_nr=10,11 exclusive_caps=0,1 max_buffers=4".into());
        self
    }

    /// Runs a shell command inside, in the folder `here`.
    pub(crate) fn run(&self, here: &Path, command: &str) -> Ran {
        let mut run = Command::new(self.folder.join("run"));
        run.arg(command).current_dir(here).stdin(Stdio::null());
        run.env("OUT", self.share.path()).env("MODULES", self.modules.join("\n")).env("LIMIT_S", "300");
        run.env("OODWATCH", env!("CARGO_BIN_EXE_oodwatch")).env_remove("RUST_LOG");
        Ran::from(run.output().unwrap())
    }

    /// Has orders carried out inside, in the bench's folder; [`super::guest`] lists them. Ends the test where one fails.
    #[track_caller]
    pub(crate) fn carry_out(&self, bench: &Bench, orders: &[&str]) {
        let binary = env::current_exe().unwrap();
        let binary = binary.display();
        let test = format!("export {ORDERS}=\"$(cat $SHARE/orders)\"; '{binary}' --exact {TEST} --ignored --nocapture");
        fs::write(self.share.path().join("orders"), orders.join("\n")).unwrap();
        let ran = self.run(&bench.path(""), &test);
        assert_eq!(ran.code, Some(0), "{}\n{}\n{}", ran.stdout, ran.stderr, self.logs());
    }

    /// What a program that was started as `name` left behind.
    pub(crate) fn watched(&self, name: &str) -> Watched {
        let read = |ending| fs::read_to_string(self.share.path().join(format!("{name}.{ending}"))).unwrap_or_default();
        let ran = Ran { code: read("status").parse().ok(), stdout: read("jsonl"), stderr: read("log") };
        let measured = read("measured").lines().map(measurement).collect();
        Watched { verdicts: ran.verdicts(), counts: Counts::from_log(&ran.stderr), ran, measured }
    }

    /// The end of every program's log, for a test that has failed.
    fn logs(&self) -> String {
        let files = fs::read_dir(self.share.path()).unwrap().map(|entry| entry.unwrap().path());
        let logs = files.filter(|path| path.extension().is_some_and(|ending| ending == "log"));
        let end = |path: PathBuf| {
            let log = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            format!("{}:\n{}\n", path.display(), lines[lines.len().saturating_sub(20)..].join("\n"))
        };
        logs.map(end).collect()
    }
}

/// What `oodwatch run` left behind.
pub(crate) struct Watched {
    pub(crate) ran: Ran,
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) counts: Counts,
    pub(crate) measured: Vec<Measurement>,
}

/// One look at a running program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measurement {
    pub(crate) memory_kb: u64,
    pub(crate) threads: u64,
    pub(crate) files: u64,
}

fn measurement(line: &str) -> Measurement {
    let numbers: Vec<u64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
    Measurement { memory_kb: numbers[0], threads: numbers[1], files: numbers[2] }
}

/// The last line of a run's log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) captured: u64,
    pub(crate) judged: u64,
    pub(crate) dropped: u64,
    pub(crate) bad: u64,
}

impl Counts {
    /// From "... 20 frames captured = 18 judged + 2 dropped + 0 bad; ...", which has to add up.
    fn from_log(log: &str) -> Self {
        let line = log.lines().find(|line| line.contains(" frames captured = ")).unwrap_or_else(|| panic!("{log}"));
        let count = |what: &str| -> u64 {
            let before = &line[..line.find(what).unwrap()];
            before.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
        };
        let [captured, judged, dropped, bad] = [" frames captured", " judged", " dropped", " bad"].map(count);
        assert_eq!(captured, judged + dropped + bad, "{line}");
        Self { captured, judged, dropped, bad }
    }
}

#[test]
fn a_command_in_the_lab_hands_back_its_output_and_its_status() {
    let Some(lab) = Lab::new() else { return };
    let ran =
        lab.vivid(2).loopback().run(Path::new("/usr"), "pwd; ls /dev/video*; echo low >&2; exit 7").expect(7, &["low"]);
    assert_eq!(ran.stdout, "/usr\n/dev/video0\n/dev/video1\n/dev/video10\n/dev/video11\n");
}

#[test]
fn the_root_of_the_lab_is_read_only_and_it_has_no_sockets() {
    let Some(lab) = Lab::new() else { return };
    let ran = lab.run(Path::new("/"), "touch /it-was-me; ls /proc/net");
    assert_ne!(ran.code, Some(0));
    assert!(ran.stderr.contains("Read-only file system") && ran.stdout.is_empty(), "{}{}", ran.stdout, ran.stderr);
}
