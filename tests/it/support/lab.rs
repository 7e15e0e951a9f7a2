//! Runs shell commands in the camera lab: a real kernel with cameras in it, as an ordinary process. `cargo xtask camera-lab`
//! builds it; `xtask/camera-lab/README.md` says what it is.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, fs};

use super::Ran;
use super::guest::ORDERS;

/// The guest is stopped after so many seconds, unless told otherwise.
const LIMIT_S: u32 = 120;

/// Where the lab lies, if this machine has one. Without it, says so; under CI, and where everything is required, ends
/// the test instead.
pub(crate) fn find() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join(".deps/camera-lab");
        let folder = env::var_os("OODWATCH_CAMERA_LAB").map_or(ours, PathBuf::from);
        folder.join("run").is_file().then_some(folder)
    });
    if found.is_none() {
        let wanted = env::var_os("CI").is_some() || env::var("OODWATCH_REQUIRE_ALL").as_deref() == Ok("1");
        assert!(
            !(wanted && cfg!(target_arch = "x86_64")),
            "no camera lab on this machine: `cargo xtask camera-lab` builds it"
        );
        eprintln!("passed over: no camera lab on this machine; `cargo xtask camera-lab` builds it (x86_64 only)");
    }
    found.as_deref()
}

/// A lab that has not been started yet.
pub(crate) struct Lab {
    folder: &'static Path,
    modules: Vec<String>,
    limit_s: u32,
    share: tempfile::TempDir,
}

impl Lab {
    /// A lab without cameras, if this machine has it.
    pub(crate) fn new() -> Option<Self> {
        let share = tempfile::tempdir().unwrap();
        find().map(|folder| Self { folder, modules: Vec::new(), limit_s: LIMIT_S, share })
    }

    /// With the kernel's own test cameras; `n_devs=1 node_types=0x1` is one camera and nothing else.
    pub(crate) fn vivid(mut self, options: &str) -> Self {
        self.modules.push(format!("vivid {options}"));
        self
    }

    /// With cameras that show what is written to them.
    pub(crate) fn loopback(mut self, options: &str) -> Self {
        self.modules.push(format!("v4l2loopback {options}"));
        self
    }

    /// With another limit than [`LIMIT_S`].
    pub(crate) fn limit_s(mut self, limit_s: u32) -> Self {
        self.limit_s = limit_s;
        self
    }

    /// A file or folder that is `$SHARE/NAME` inside.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.share.path().join(name)
    }

    /// Runs a shell command inside, in the folder `here`. `$OODWATCH` is the program, `$GUEST` carries out the orders that
    /// it is given (see [`super::guest`]).
    pub(crate) fn run(&self, here: &Path, command: &str) -> Ran {
        fs::write(self.path("guest.sh"), GUEST).unwrap();
        let mut run = Command::new(self.folder.join("run"));
        run.arg(command).current_dir(here).stdin(Stdio::null());
        run.env("OUT", self.share.path())
            .env("MODULES", self.modules.join("\n"))
            .env("LIMIT_S", self.limit_s.to_string());
        run.env("OODWATCH", env!("CARGO_BIN_EXE_oodwatch")).env("GUEST", "/run/share/guest.sh").env_remove("RUST_LOG");
        run.env("GUEST_BINARY", env::current_exe().unwrap());
        Ran::from(run.output().unwrap())
    }
}

/// Starts the test binary with its arguments as orders. What it says goes to stderr: stdout is the command's.
const GUEST: &str = r#"#!/bin/sh
for order; do orders="$orders$order
"; done
OODWATCH_GUEST_ORDERS=$orders exec "$GUEST_BINARY" --exact support::guest::in_the_camera_lab_orders_are_carried_out \
  --ignored --nocapture >&2
"#;

#[test]
fn the_guest_script_and_the_guest_agree_on_the_variable() {
    assert!(GUEST.contains(ORDERS));
}

#[test]
fn a_command_in_the_lab_hands_back_its_output_and_its_status() {
    let Some(lab) = Lab::new() else { return };
    let ran = lab.vivid("n_devs=2 node_types=0x1").run(Path::new("/"), "ls /dev/video*; pwd; echo low >&2; exit 7");
    ran.expect(7, &["low"]);
}
