//! The run as a service: what a manager is told and when, by the real program. No systemd is in it: the tests hold the
//! manager's end of the protocol.

use std::fs;
use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{self, Command, Stdio};
use std::time::{Duration, Instant};

use oodwatch::verdict::{Reason, State, Verdict};

use crate::support::running::{PATIENCE, Running};
use crate::support::{Bench, Ran, Tool, have, known, network, onnx};

const SILENT: &str = "fault (no_frame_within_deadline)";

/// The manager's end of the socket, and what it was told so far.
struct Manager {
    socket: UnixDatagram,
    told: Vec<String>,
}

impl Manager {
    fn new(socket: UnixDatagram) -> Self {
        socket.set_nonblocking(true).unwrap();
        Self { socket, told: Vec::new() }
    }

    fn in_folder(bench: &Bench) -> Self {
        Self::new(UnixDatagram::bind(bench.path("notify")).unwrap())
    }

    /// What was told since this was last asked.
    fn news(&mut self) -> Vec<String> {
        let mut datagram = [0; 4_096];
        let mut news = Vec::new();
        loop {
            match self.socket.recv(&mut datagram) {
                Ok(length) => news.push(String::from_utf8(datagram[..length].to_vec()).unwrap().trim_end().into()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        self.told.extend(news.iter().cloned());
        news
    }

    /// Waits until it is told something that holds `part`, and does `meanwhile` until then.
    fn await_word(&mut self, part: &str, mut meanwhile: impl FnMut()) {
        let since = Instant::now();
        while !self.news().iter().any(|word| word.contains(part)) {
            assert!(since.elapsed() < PATIENCE, "no {part:?} in {:?}", self.told);
            meanwhile();
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Where in all that it was told.
    fn place(&self, word: &str) -> Option<usize> {
        self.told.iter().position(|told| told == word)
    }
}

fn configure(bench: &Bench, camera: &str, rest: &str) {
    let sinks = "[sink.stdout]\n[sink.file]\npath = \"verdicts\"";
    bench.write("config.toml", &format!("{camera}\n[model]\n{rest}\n{sinks}\n"));
}

const LISTED: &str = "[[camera]]\nname = \"front\"\n[camera.source.images]\npath = \"-\"";
const FOLDER: &str = "[[camera]]\nname = \"front\"\n[camera.source.images]\npath = \"pictures\"";

/// The program as a manager starts it.
fn service(bench: &Bench) -> Command {
    let mut command = bench.program(&["run", "--config", "config.toml"]);
    command.env("NOTIFY_SOCKET", bench.path("notify"));
    command
}

fn delivered(bench: &Bench) -> Vec<Verdict> {
    let text = fs::read_to_string(bench.path("verdicts")).unwrap();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn it_is_ready_by_a_frame_that_was_judged_in_time_and_not_by_verdicts_on_silence() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 1, known);
    configure(&bench, LISTED, "package = \"package\"\n[decide]\ndeadline_ms = 1000\nstartup_ms = 0\nlatch = []");
    let mut manager = Manager::in_folder(&bench);
    let mut running = Running::start(service(&bench));
    manager.await_word(&format!("STATUS=front: {SILENT}"), || ());
    assert!(manager.told.iter().all(|word| word.starts_with("STATUS=")), "{:?}", manager.told);
    assert!(manager.told[0].starts_with("STATUS=starting"), "{:?}", manager.told);

    // On a busy machine the first ones may be judged too late.
    manager.await_word("READY=1", || running.show("pictures/0000.png"));
    let in_time = |verdict: &Verdict| verdict.frame.is_some() && verdict.state != State::Fault;
    assert!(delivered(&bench).iter().any(in_time));
    running.signal("TERM");
    manager.await_word("STOPPING=1", || ());
    running.end().expect(0, &["stopped by a signal"]);
    assert!(manager.place("WATCHDOG=1").is_none(), "nobody asked for it: {:?}", manager.told);
    assert_eq!(manager.told.iter().filter(|word| *word == "READY=1").count(), 1);
}

#[test]
fn signs_of_life_go_on_while_a_camera_is_silent_and_end_while_the_network_hangs() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    network::write_package_of(&bench.path("stuck"), &onnx::stuck_on_white());
    bench.pictures("pictures", 0, 1, known);
    bench.pictures("pictures", 1, 1, |_| image::RgbImage::from_pixel(8, 8, image::Rgb([255; 3])));
    configure(&bench, LISTED, "package = \"stuck\"\n[decide]\ndeadline_ms = 2000\nstartup_ms = 0\nlatch = []");
    let mut manager = Manager::in_folder(&bench);
    let mut command = service(&bench);
    command.env("WATCHDOG_USEC", "400000");
    let mut running = Running::start(command);
    running.await_verdict("on silence", |verdict| verdict.frame.is_none());
    assert!(!manager.news().contains(&"WATCHDOG=1".into()), "before it is ready");
    manager.await_word("READY=1", || running.show("pictures/0000.png"));

    let silent = |verdict: &Verdict| verdict.reasons == [Reason::NoFrameWithinDeadline];
    running.await_verdict("on silence", silent);
    manager.news();
    running.await_verdict("on silence", silent);
    manager.await_word("WATCHDOG=1", || ());

    running.show("pictures/0001.png");
    let stalled = |verdict: &Verdict| verdict.reasons.contains(&Reason::JudgingStalled);
    // By the second one the frame has been stuck for two deadlines.
    running.await_verdict("stalled", stalled);
    running.await_verdict("stalled", stalled);
    manager.news();
    running.await_verdict("stalled", stalled);
    running.await_verdict("stalled", stalled);
    let news = manager.news();
    assert!(!news.contains(&"WATCHDOG=1".into()), "{news:?}");
    assert!(manager.told.iter().any(|word| word.contains("judging_stalled")), "{:?}", manager.told);
    running.signal("TERM");
    manager.await_word("STOPPING=1", || ());
    running.end().expect(0, &["one frame is still being judged"]);
}

#[test]
fn one_camera_that_delivers_makes_it_ready_and_the_status_tells_of_each() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 3, known);
    let cameras = format!("{FOLDER}\n{}", LISTED.replace("front", "rear"));
    configure(&bench, &cameras, "package = \"package\"\n[decide]\ndeadline_ms = 60000");
    let mut manager = Manager::in_folder(&bench);
    let running = Running::start(service(&bench));
    manager.await_word("STATUS=front: done; rear: starting", || ());
    assert!(manager.place("READY=1").is_some(), "{:?}", manager.told);
    running.signal("TERM");
    running.end();
}

#[test]
fn a_manager_in_the_abstract_namespace_is_told_of_a_run_that_ends_by_itself() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 3, known);
    configure(&bench, FOLDER, "package = \"package\"\n[decide]\ndeadline_ms = 60000");
    let name = format!("oodwatch-test-{}", process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let mut manager = Manager::new(UnixDatagram::bind_addr(&address).unwrap());
    let mut command = service(&bench);
    command.env("NOTIFY_SOCKET", format!("@{name}"));
    Ran::from(command.output().unwrap()).expect(0, &["3 frames captured = 3 judged"]);
    manager.news();
    let (ready, stopping) = (manager.place("READY=1"), manager.place("STOPPING=1"));
    assert!(ready.is_some() && ready < stopping, "{:?}", manager.told);
}

#[test]
fn a_manager_that_cannot_be_told_is_warned_of_once_and_costs_no_verdict() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 3, known);
    configure(&bench, FOLDER, "package = \"package\"\n[decide]\ndeadline_ms = 60000");
    let run = |name: &str| {
        let mut command = service(&bench);
        command.env("NOTIFY_SOCKET", name);
        let ran = Ran::from(command.output().unwrap()).expect(0, &[]);
        assert_eq!(ran.verdicts().len(), 3);
        let warnings: Vec<_> = ran.stderr.lines().filter(|line| line.contains("notify:")).collect();
        assert_eq!(warnings.len(), 1, "{}", ran.stderr);
        warnings[0].to_owned()
    };
    let nobody = bench.path("nobody").display().to_string();
    let warning = run(&nobody);
    assert!(warning.contains("WARN") && warning.contains(&nobody), "{warning}");
    assert!(run("vsock:2:1234").contains("NOTIFY_SOCKET is \"vsock:2:1234\", wanted"));
    // One that does not read.
    let deaf = UnixDatagram::bind(bench.path("deaf")).unwrap();
    fill(&bench);
    assert!(run(&bench.path("deaf").display().to_string()).contains("temporarily unavailable"));
    drop(deaf);
}

/// Leaves no room in the queue of the socket `deaf`.
fn fill(bench: &Bench) {
    // Each sender has a limit of its own, and the queue has one for all.
    loop {
        let sender = UnixDatagram::unbound().unwrap();
        sender.set_nonblocking(true).unwrap();
        let mut sent = 0;
        while sender.send_to(b"x", bench.path("deaf")).is_ok() {
            sent += 1;
        }
        if sent == 0 {
            return;
        }
    }
}

#[test]
fn without_a_manager_no_socket_is_opened() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 1, known);
    configure(&bench, LISTED, "package = \"package\"\n[decide]\ndeadline_ms = 60000");
    let mut running = Running::start(bench.program(&["run", "--config", "config.toml"]));
    running.show("pictures/0000.png");
    running.await_verdict("on a frame", |verdict| verdict.frame.is_some());
    let open = fs::read_dir(format!("/proc/{}/fd", running.child.id())).unwrap();
    let open: Vec<_> = open.filter_map(|file| fs::read_link(file.ok()?.path()).ok()).collect();
    assert!(!open.is_empty());
    assert!(!open.iter().any(|file| file.to_string_lossy().starts_with("socket:")), "{open:?}");
    running.signal("TERM");
    running.end().expect(0, &[]);
}

/// The value of a setting that stands once in the shipped unit.
fn setting(unit: &str, name: &str) -> String {
    let mut values = unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let value = values.next().unwrap_or_else(|| panic!("no {name}"));
    assert!(values.next().is_none(), "{name} stands there twice");
    value.into()
}

#[test]
fn the_shipped_unit_calls_the_program_as_it_wants_to_be_called() {
    let unit = include_str!("../../configs/systemd/oodwatch@.service");
    assert_eq!(setting(unit, "Type"), "notify");
    assert!(setting(unit, "WatchdogSec").parse::<u64>().unwrap() > 0);
    let call = setting(unit, "ExecStart");
    let (program, arguments) = call.split_once(' ').unwrap();
    assert!(program.ends_with("/oodwatch"), "{program}");
    let bench = Bench::new();
    let here = bench.path("").display().to_string();
    let arguments = arguments.replace("/etc/oodwatch/%i", &format!("{here}missing"));
    let arguments = arguments.replace("%t/oodwatch-%i/", &here);
    let arguments: Vec<_> = arguments.split_whitespace().collect();
    let ran = Ran::from(bench.program(&arguments).stdout(Stdio::null()).output().unwrap());
    // What it does not like is the missing file, not the way in which it was called.
    ran.expect(2, &["missing.toml: No such file"]);
}
