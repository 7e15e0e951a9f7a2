//! Boards that are files: tests/golden/boards.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::*;
use crate::health::{Finding, Kind, Level};

/// A board's files, below a folder of their own.
struct Fake(tempfile::TempDir);

impl Fake {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/boards/{name}.toml"));
        let files: BTreeMap<String, String> = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let fake = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|(path, text)| fake.write(path, text));
        fake
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn root(&self) -> Root {
        Root::new(self.0.path())
    }

    fn cooling(&self, number: usize, state: u32) {
        self.write(&format!("/sys/class/thermal/cooling_device{number}/cur_state"), &format!("{state}\n"));
    }
}

#[test]
fn an_orin_says_what_it_is_and_how() {
    let board = Board::read(&Fake::new("orin-nano-jetpack6").root());
    assert!(board.is_jetson());
    assert_eq!(
        board.setting(),
        "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super, JetPack 6 (L4T R36.4.3), power mode 2 \
         MAXN_SUPER, clocks follow the load"
    );
    assert_eq!(
        board.condition(),
        "GPU 44 % at 612 MHz, 3072 of 7620 MiB memory available, its clock at 3199 MHz, VDD_IN 7.6 W, VDD_CPU_GPU_CV 2.1 W, \
         hottest 53.1 C (tj-thermal), not throttled, slowed down \
         by its supply 7 times since its start"
    );
}

#[test]
fn a_hot_xavier_says_so_and_its_constant_sensor_is_not_believed() {
    let board = Board::read(&Fake::new("xavier-nx-jetpack5").root());
    // Without a status of its own it is in the mode that it starts with.
    assert_eq!(
        board.setting(),
        "NVIDIA Jetson Xavier NX Developer Kit, JetPack 5 (L4T R35.4.1), power mode 2 MODE_15W_6CORE, clocks held \
         (jetson_clocks)"
    );
    assert_eq!(
        board.condition(),
        "GPU 100 % at 1109 MHz, 2048 of 6824 MiB memory available, hottest 91.5 C (CPU-therm, off at 96.0 C), throttled by \
         thermal-cpufreq-0, cpu-throttle-alert"
    );
    let (zone, left) = board.thermal.nearest_to_the_end().unwrap();
    assert_eq!((zone.name.as_str(), left), ("CPU-therm", 4.5));
}

#[test]
fn a_machine_that_says_nothing_is_a_board_of_nothing() {
    let nothing = tempfile::tempdir().unwrap();
    let board = Board::read(&Root::new(nothing.path()));
    assert_eq!((board.setting().as_str(), board.condition().as_str()), ("", ""));
    assert!(!board.is_jetson());
}

#[test]
fn files_of_nonsense_are_no_files() {
    let fake = Fake::new("orin-nano-jetpack6");
    for path in [
        "/etc/nv_tegra_release",
        "/etc/nvpmodel.conf",
        "/var/lib/nvpmodel/status",
        "/proc/meminfo",
        "/sys/class/thermal/thermal_zone0/temp",
        "/sys/class/thermal/cooling_device3/cur_state",
        "/sys/class/hwmon/hwmon3/oc2_event_cnt",
        "/sys/class/devfreq/17000000.gpu/device/load",
    ] {
        fake.write(path, "n\u{fffd}nsense: < POWER_MODEL > -1");
    }
    let board = Board::read(&fake.root());
    assert_eq!((board.l4t.clone(), board.power_mode.clone(), board.memory), (None, None, None));
    assert_eq!(board.thermal.over_currents, Some(5));
    assert!(board.condition().contains("not throttled"));
}

/// Looks at a board second by second.
struct Watching {
    fake: Fake,
    look: Look,
    start: Instant,
}

impl Watching {
    fn new(config: &BoardConfig) -> Self {
        Self { fake: Fake::new("orin-nano-jetpack6"), look: Look::new(config), start: Instant::now() }
    }

    /// What is wrong in this second, and what of it is news.
    fn at(&mut self, second: u64) -> (Vec<Finding>, Vec<Notice>) {
        self.look.at(&Thermal::read(&self.fake.root()), self.start + Duration::from_secs(second))
    }

    #[track_caller]
    fn check(&mut self, second: u64, kinds: &[Kind], news: &[&str]) {
        let (findings, notices) = self.at(second);
        assert_eq!(findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(), kinds, "second {second}");
        assert_eq!(notices.len(), news.len(), "second {second}: {notices:?}");
        for (notice, wanted) in notices.iter().zip(news) {
            assert!(notice.text.contains(wanted), "{} lacks {wanted}", notice.text);
        }
    }
}

#[test]
fn throttling_is_told_when_it_begins_and_when_it_has_ended_and_not_in_between() {
    let mut watching = Watching::new(&BoardConfig::default());
    watching.check(0, &[], &[]);
    watching.fake.cooling(2, 4);
    watching.check(5, &[], &[]);
    watching.fake.cooling(4, 1);
    watching.check(
        10,
        &[Kind::BoardThrottled],
        &["throttled by gpu-throttle-alert; hottest 53.1 C (tj-thermal); frames"],
    );
    watching.fake.cooling(4, 2);
    watching.check(15, &[Kind::BoardThrottled], &[]);
    // Another cause is news, its going is not, and neither is its coming back.
    watching.fake.cooling(0, 9);
    watching.check(20, &[Kind::BoardThrottled], &["throttled by cpufreq-cpu0, gpu-throttle-alert"]);
    watching.fake.cooling(0, 0);
    watching.check(25, &[Kind::BoardThrottled], &[]);
    watching.fake.cooling(0, 9);
    watching.check(30, &[Kind::BoardThrottled], &[]);
    watching.fake.cooling(0, 0);
    watching.fake.cooling(4, 0);
    watching.check(35, &[], &["no longer throttled"]);
    watching.check(40, &[], &[]);
    watching.fake.cooling(4, 1);
    watching.check(45, &[Kind::BoardThrottled], &["throttled by gpu-throttle-alert"]);
}

#[test]
fn a_weak_supply_throttles_for_a_while_after_every_event_and_old_events_do_not_count() {
    let mut watching = Watching::new(&BoardConfig::default());
    watching.check(0, &[], &[]);
    let event = "/sys/class/hwmon/hwmon3/oc3_event_cnt";
    watching.fake.write(event, "6\n");
    watching.check(5, &[Kind::BoardThrottled], &["throttled by its supply"]);
    watching.check(30, &[Kind::BoardThrottled], &[]);
    watching.fake.write(event, "9\n");
    watching.check(60, &[Kind::BoardThrottled], &[]);
    watching.check(119, &[Kind::BoardThrottled], &[]);
    watching.check(121, &[], &["no longer throttled"]);
}

#[test]
fn a_board_that_is_about_to_switch_itself_off_is_told_with_its_degrees() {
    let mut watching = Watching::new(&BoardConfig { on_throttling: Throttling::Error, ..BoardConfig::default() });
    let temp = "/sys/class/thermal/thermal_zone0/temp";
    watching.fake.write(temp, "99400\n");
    watching.check(0, &[], &[]);
    watching.fake.write(temp, "99500\n");
    let (findings, notices) = watching.at(5);
    let wanted = Finding { kind: Kind::BoardHot, level: Level::Error, value: 99.5, threshold: 99.5 };
    assert_eq!(findings, [wanted]);
    assert_eq!(notices[0].text, "cpu-thermal is at 99.5 C, and the board switches itself off at 104.5 C");
    watching.check(10, &[Kind::BoardHot], &[]);
    // A little cooler is no news.
    watching.fake.write(temp, "98000\n");
    watching.check(12, &[Kind::BoardHot], &[]);
    watching.fake.write(temp, "80000\n");
    watching.check(15, &[], &["cpu-thermal is at 80.0 C again"]);
}

#[test]
fn a_watch_tells_whoever_asks_and_ends_with_its_owner() {
    let fake = Fake::new("xavier-nx-jetpack5");
    let config = BoardConfig { interval_s: 0.1, root: fake.0.path().into(), ..BoardConfig::default() };
    let watch = Watch::start(&config).unwrap();
    let (mut health, since) = (Vec::new(), Instant::now());
    while health.is_empty() && since.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
        watch.watched.add_to(&mut health);
    }
    let kinds: Vec<Kind> = health.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [Kind::BoardThrottled, Kind::BoardHot]);
    while watch.watched.tally().throttled.is_zero() && since.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let tally = watch.watched.tally();
    assert!(tally.is_known() && tally.throttled <= tally.watched);
    assert_eq!(tally.hottest.unwrap().name, "CPU-therm");
    drop(watch);
    let never = Watch::start(&BoardConfig { interval_s: 0.0, ..config }).unwrap();
    let mut nothing = Vec::new();
    never.watched.add_to(&mut nothing);
    assert!(nothing.is_empty());
}
