//! Cores and scheduling class, of every thread of the real program.

use std::fs;
use std::path::Path;

use crate::support::running::Running;
use crate::support::{Bench, Tool, have, known};

/// Name, allowed cores, policy (1 is SCHED_FIFO) and real-time priority of each thread of a process.
fn threads(pid: u32) -> Vec<(String, String, u32, u32)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks.map(|task| thread(&task.unwrap().path())).collect()
}

fn thread(task: &Path) -> (String, String, u32, u32) {
    let read = |file: &str| fs::read_to_string(task.join(file)).unwrap();
    let status = read("status");
    let of = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim().to_string();
    // proc(5), fields 40 and 41; the name in parentheses is the second.
    let stat = read("stat");
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let number = |field: usize| fields[field - 3].parse().unwrap();
    (of("Name:"), of("Cpus_allowed_list:"), number(41), number(40))
}

/// The first core that this process may run on.
fn first_core() -> String {
    let cores = thread(Path::new("/proc/self")).1;
    cores.split([',', '-']).next().unwrap().to_string()
}

#[test]
fn every_thread_of_a_run_has_the_cores_and_the_class_of_the_config_or_the_run_does_not_start() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let (bench, core) = (Bench::new(), first_core());
    let table = format!("[schedule]\ncores = [{core}]\nfifo_priority = 3\n");
    let config = bench.config(&format!("[camera.source.images]\npath = \"-\"\n{table}")).display().to_string();
    let checked = bench.run(&["check", "--config", &config]);
    if checked.stderr.contains("refuses SCHED_FIFO") {
        checked.expect(2, &["schedule.fifo_priority is 3", "wanted 4 or more", "lacks CAP_SYS_NICE"]);
        return;
    }
    let checked = checked.expect(0, &[]);
    let said = format!("ok  schedule cores {core}; SCHED_FIFO 3, the supervising thread 4\n");
    assert!(checked.stdout.contains(&said), "{}", checked.stdout);
    bench.pictures("pictures", 0, 1, known);
    let mut running = Running::start(bench.program(&["run", "--config", &config, "--log-level", "off"]));
    running.show("pictures/0000.png");
    running.await_verdict("on a frame", |verdict| verdict.frame.is_some());
    let threads = threads(running.child.id());
    running.signal("TERM");
    running.end().expect(0, &[]);
    for name in ["source", "judging", "supervising"] {
        assert!(threads.iter().any(|thread| thread.0 == name), "{name} is missing from {threads:?}");
    }
    for (name, cores, policy, priority) in &threads {
        let wanted = if name == "supervising" { 4 } else { 3 };
        assert_eq!((cores, *policy, *priority), (&core, 1, wanted), "{name} of {threads:?}");
    }
}

#[test]
fn a_core_that_is_not_there_is_code_2_and_named_with_those_that_are() {
    let bench = Bench::new();
    bench.config("[camera.source.images]\npath = \"pictures\"\n[schedule]\ncores = [1023]");
    for command in ["run", "check"] {
        let said = ["schedule.cores names 1023; this process may run on "];
        bench.run(&[command, "--config", "config.toml"]).expect(2, &said);
    }
    bench.config("[camera.source.images]\npath = \"pictures\"\n[schedule]\nfifo_priority = 99");
    let said = ["schedule.fifo_priority is 99, wanted 0 (the class that it was given) to 98"];
    bench.run(&["run", "--config", "config.toml"]).expect(2, &said);
}
