//! Builds the camera lab: a Linux kernel that is an ordinary process, with the drivers `vivid` and `v4l2loopback`, so
//! that tests can meet real cameras' ioctls and faults without a camera, root or a virtual machine.
//!
//! `pins.toml` names the packages of Debian that it is built from; what is the project's own lies in
//! `xtask/camera-lab/`. The only things taken from the machine are gcc, tar and dpkg.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use indicatif::{ProgressBar, ProgressStyle};

/// Why the lab could not be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LabError {
    /// A program that is needed could not be started.
    #[error("camera-lab: {program} cannot be started: {source}")]
    Program {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A step of the build failed.
    #[error("camera-lab: {step} failed:\n{log}")]
    Step {
        /// The step.
        step: String,
        /// The last lines of its output.
        log: String,
    },
    /// A file or folder could not be changed.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The project's own files of the lab. A script is run, so it is installed as a program.
const CONFIG: &str = include_str!("../camera-lab/config");
const PATCH: &str = include_str!("../camera-lab/xsave.patch");
const SCRIPTS: [(&str, &str); 2] =
    [("init", include_str!("../camera-lab/init")), ("run", include_str!("../camera-lab/run"))];

/// Files of the kernel's source that this configuration never compiles: two thirds of it.
const LEFT_OUT: [&str; 6] =
    ["*/drivers/gpu/*.[ch]", "*/drivers/net/*.[ch]", "*/sound/*.[ch]", "*/tools/*", "*.dts*", "*.rst"];
/// Lines that the kernel's build prints, about; for the progress bar.
const BUILD_LINES: u64 = 1000;

/// What decides, besides the packages, what is built. The order of things in it is part of it.
pub(crate) fn recipe() -> impl Iterator<Item = &'static str> {
    [CONFIG, PATCH].into_iter().chain(SCRIPTS.map(|(_, text)| text)).chain(LEFT_OUT)
}

/// Turns the unpacked packages in `folder` into the lab: `linux`, `modules/`, `busybox`, `init`, `run`, `COPYING`.
///
/// # Errors
/// When gcc, tar or the disk fails; the text ends with the last lines of the step's output.
pub(crate) fn build(folder: &Path) -> Result<(), LabError> {
    let build = Build { folder: folder.to_path_buf() };
    build.lend_busybox()?;
    build.unpack_source()?;
    build.configure()?;
    build.compile()?;
    build.install()?;
    build.tidy()
}

/// A build in the folder that becomes the lab.
struct Build {
    folder: PathBuf,
}

impl Build {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// busybox stands in for tools that the machine may lack.
    fn lend_busybox(&self) -> Result<(), LabError> {
        for tool in ["bc", "patch", "xz"] {
            let link = self.at("tools/bin").join(tool);
            symlink("../../busybox", &link).map_err(|source| LabError::File { path: link, source })?;
        }
        Ok(())
    }

    fn unpack_source(&self) -> Result<(), LabError> {
        let source = self.at("source");
        fs::create_dir_all(&source).map_err(|error| LabError::File { path: source.clone(), source: error })?;
        let mut tar = self.command("tar");
        tar.args(["--extract", "--xz", "--strip-components=1", "--file"]).arg(self.at("source.tar.xz"));
        tar.args(LEFT_OUT.map(|pattern| format!("--exclude={pattern}"))).arg("--directory").arg(&source);
        run("unpacking the kernel's source", tar, 0)?;
        let mut patch = self.command("patch");
        patch.current_dir(&source).args(["-p1", "-i"]).arg(self.write("xsave.patch", PATCH)?);
        run("patching it", patch, 0)
    }

    fn configure(&self) -> Result<(), LabError> {
        let mut make = self.make();
        make.env("KCONFIG_ALLCONFIG", self.write("config", CONFIG)?).arg("allnoconfig");
        run("configuring it", make, 0)
    }

    fn compile(&self) -> Result<(), LabError> {
        let mut make = self.make();
        make.args(["linux", "modules"]);
        run("compiling it", make, BUILD_LINES)?;
        let mut make = self.make();
        make.arg(assignment("M", &self.at("v4l2loopback"))).arg("modules");
        run("compiling v4l2loopback", make, 0)
    }

    /// `make` for User-Mode Linux, on all cores, as politely as can be.
    fn make(&self) -> Command {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let mut command = self.command("nice");
        command.args(["make", "ARCH=um", &format!("-j{jobs}"), "-C"]).arg(self.at("source"));
        command.arg(assignment("O", &self.at("objects")));
        command
    }

    /// A program, found among the unpacked tools first, with nothing of the user's settings for compilers.
    fn command(&self, program: &str) -> Command {
        let mut path = self.at("tools/bin").into_os_string();
        if let Some(own) = std::env::var_os("PATH") {
            path.push(":");
            path.push(own);
        }
        let mut command = Command::new(program);
        command.env_clear().env("PATH", path).env("LC_ALL", "C").env("LD_LIBRARY_PATH", self.at("tools/lib"));
        command.env("M4", self.at("tools/bin/m4")).env("BISON_PKGDATADIR", self.at("tools/bison"));
        command.envs(["KBUILD_BUILD_USER", "KBUILD_BUILD_HOST"].map(|name| (name, "camera-lab")));
        command
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, LabError> {
        let path = self.at(name);
        fs::write(&path, text).map_err(|source| LabError::File { path: path.clone(), source })?;
        Ok(path)
    }

    /// Copies what stays to its place.
    fn install(&self) -> Result<(), LabError> {
        let copy = |from: &Path, to: PathBuf| {
            fs::copy(from, &to).map(drop).map_err(|source| LabError::File { path: from.to_path_buf(), source })
        };
        copy(&self.at("objects/linux"), self.at("linux"))?;
        copy(&self.at("source/COPYING"), self.at("COPYING"))?;
        let modules = self.at("modules");
        fs::create_dir_all(&modules).map_err(|source| LabError::File { path: modules.clone(), source })?;
        for module in find_modules(&[self.at("objects"), self.at("v4l2loopback")])? {
            copy(&module, modules.join(module.file_name().unwrap_or_default()))?;
        }
        for (name, text) in SCRIPTS {
            let path = self.write(name, text)?;
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(&path, mode).map_err(|source| LabError::File { path, source })?;
        }
        Ok(())
    }

    /// Drops what was only needed for the build: a gigabyte.
    fn tidy(&self) -> Result<(), LabError> {
        for name in ["source", "objects", "tools", "v4l2loopback"] {
            let path = self.at(name);
            fs::remove_dir_all(&path).map_err(|source| LabError::File { path, source })?;
        }
        for name in ["source.tar.xz", "xsave.patch"] {
            let path = self.at(name);
            fs::remove_file(&path).map_err(|source| LabError::File { path, source })?;
        }
        Ok(())
    }
}

/// A variable as make takes it on its command line.
fn assignment(name: &str, path: &Path) -> OsString {
    let mut text = OsString::from(format!("{name}="));
    text.push(path);
    text
}

/// Every kernel module below these folders.
fn find_modules(folders: &[PathBuf]) -> Result<Vec<PathBuf>, LabError> {
    let mut folders = folders.to_vec();
    let mut modules = Vec::new();
    while let Some(folder) = folders.pop() {
        let failed = |source| LabError::File { path: folder.clone(), source };
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "ko") {
                modules.push(path);
            }
        }
    }
    Ok(modules)
}

/// Runs one step of the build, with a bar if it is known how many lines it prints.
fn run(step: &str, mut command: Command, lines: u64) -> Result<(), LabError> {
    eprintln!("  {step}");
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |source| LabError::Program { program: program.clone(), source };
    let (output, writer) = std::io::pipe().map_err(failed)?;
    command.stdin(Stdio::null()).stdout(writer.try_clone().map_err(failed)?).stderr(writer);
    let mut child = command.spawn().map_err(failed)?;
    // It holds the end that is written to: the output would never end.
    drop(command);
    let log = follow(output, lines);
    if child.wait().map_err(failed)?.success() { Ok(()) } else { Err(LabError::Step { step: step.to_owned(), log }) }
}

/// Reads a step's output to its end, a bar's step for every line, and returns the last lines.
fn follow(output: impl std::io::Read, lines: u64) -> String {
    const KEPT: usize = 20;
    let bar = if lines == 0 { ProgressBar::hidden() } else { ProgressBar::new(lines) };
    if let Ok(style) = ProgressStyle::with_template("  [{bar:40}] {percent}% {elapsed}") {
        bar.set_style(style.progress_chars("=> "));
    }
    let mut tail = std::collections::VecDeque::new();
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        bar.inc(1);
        tail.push_back(line);
        if tail.len() > KEPT {
            tail.pop_front();
        }
    }
    bar.finish_and_clear();
    Vec::from(tail).join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failed_step_tells_its_name_and_the_last_lines_of_both_outputs() {
        let error = run("compiling it", shell("seq 100; echo broken >&2; exit 2"), 100).unwrap_err().to_string();
        assert!(error.starts_with("camera-lab: compiling it failed:\n82\n83\n"), "{error}");
        assert!(error.ends_with("100\nbroken"), "{error}");
        run("nothing", shell("echo fine"), 0).unwrap();
    }

    #[test]
    fn a_program_that_is_missing_is_told_by_name() {
        let error = run("patching it", Command::new("no-such-program"), 0).unwrap_err().to_string();
        assert!(error.starts_with("camera-lab: no-such-program cannot be started: "), "{error}");
    }

    #[test]
    fn kernel_modules_are_found_in_every_folder_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let [deep, flat] = ["a/b/vivid.ko", "v4l2loopback.ko"].map(|name| folder.path().join(name));
        fs::create_dir_all(deep.parent().unwrap()).unwrap();
        for path in [&deep, &flat, &folder.path().join("a/vivid.o")] {
            fs::write(path, "").unwrap();
        }
        let mut found = find_modules(&[folder.path().to_path_buf()]).unwrap();
        found.sort();
        assert_eq!(found, [deep, flat]);
    }

    #[test]
    fn the_patch_changes_one_line_of_the_file_that_it_names() {
        let changed = |sign: char| PATCH.lines().filter(|line| line.starts_with(sign)).count();
        // With the lines that name the file.
        assert_eq!((changed('-'), changed('+')), (2, 2));
        assert!(CONFIG.contains("CONFIG_KERNEL_STACK_ORDER=5"), "the larger area needs a larger stack");
    }
}
