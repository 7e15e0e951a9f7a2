//! Configs that must be refused, and the shipped ones that must not.

use oodwatch::config::Config;
use std::path::Path;

use crate::support::Bench;

#[test]
fn a_typo_is_code_2_with_line_caret_and_the_names_there_are() {
    let bench = Bench::new();
    bench.config("[camera.source.images]\npath = \"pictures\"\nframes_per_secnd = 5");
    for command in ["run", "check"] {
        let ran = bench.run(&[command, "--config", "config.toml"]);
        ran.expect(
            2,
            &["config.toml", "line 4, column 1", "^^^", "unknown field `frames_per_secnd`", "`frames_per_second`"],
        );
    }
}

#[test]
fn a_wrong_type_is_code_2_with_its_line() {
    let bench = Bench::new();
    bench.config("[camera.source.images]\npath = 5");
    bench.run(&["check", "--config", "config.toml"]).expect(2, &["line 3", "invalid type: integer"]);
}

#[test]
fn a_missing_file_is_code_2() {
    Bench::new().run(&["run", "--config", "nowhere.toml"]).expect(2, &["nowhere.toml: No such file"]);
}

#[test]
fn cameras_of_the_same_name_are_refused() {
    let bench = Bench::new();
    bench.config("[camera.source.images]\npath = \"a\"\n[[camera]]\n[camera.source.images]\npath = \"b\"");
    let said = "camera.name is \"camera\" in [[camera]] number 1 and number 2, wanted a name";
    bench.run(&["run", "--config", "config.toml"]).expect(2, &[said]);
}

#[test]
fn the_shipped_configs_are_sound() {
    for name in ["images", "video", "v4l2", "pipe", "cameras", "faults"] {
        Config::load(Path::new(&format!("configs/{name}.toml"))).unwrap();
    }
}
