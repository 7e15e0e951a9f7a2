//! Holds the container files against what `dist` makes. There is no Docker where this is tested: they are read, not built.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const FILES: [&str; 3] = ["Dockerfile.jetpack5", "Dockerfile.jetpack6", "Dockerfile.jetpack7"];
const INSTRUCTIONS: [&str; 9] = ["FROM", "ARG", "RUN", "COPY", "ADD", "ENV", "WORKDIR", "ENTRYPOINT", "CMD"];

/// An instruction and its words, its lines joined.
type Instruction = (String, Vec<String>);

fn instructions(file: &str) -> Vec<Instruction> {
    let text = fs::read_to_string(Path::new(ROOT).join("containers").join(file)).unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let instruction = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        words.next().map(|first| (first, words.collect()))
    };
    joined.lines().filter_map(instruction).collect()
}

/// A word in which arguments have their defaults.
fn filled_in(word: &str, arguments: &BTreeMap<String, String>) -> String {
    arguments.iter().fold(word.to_owned(), |word, (name, value)| {
        word.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value)
    })
}

fn arguments(instructions: &[Instruction]) -> BTreeMap<String, String> {
    let given = instructions.iter().filter(|(name, _)| name == "ARG").map(|(_, words)| words.join(" "));
    given
        .map(|argument| {
            let (name, value) = argument.split_once('=').unwrap_or_else(|| panic!("ARG {argument} has no default"));
            (name.to_owned(), value.trim_matches('"').to_owned())
        })
        .collect()
}

#[test]
fn every_instruction_is_one_and_every_stage_that_is_copied_from_is_there() {
    for file in FILES {
        let instructions = instructions(file);
        assert_eq!(instructions[0].0, "FROM", "{file}");
        let stages: Vec<&String> = instructions
            .iter()
            .filter(|(name, words)| name == "FROM" && words.len() == 3)
            .map(|(_, words)| &words[2])
            .collect();
        for (name, words) in &instructions {
            assert!(INSTRUCTIONS.contains(&name.as_str()), "{file}: {name}");
            assert!(!words.is_empty(), "{file}: {name}");
            let from = words.first().and_then(|word| word.strip_prefix("--from="));
            assert!(from.is_none_or(|from| stages.iter().any(|stage| *stage == from)), "{file}: {words:?}");
        }
    }
}

#[test]
fn what_is_copied_is_what_dist_makes_or_lies_in_the_repository() {
    for file in FILES {
        let instructions = instructions(file);
        let arguments = arguments(&instructions);
        let mut packages = 0;
        for (_, words) in instructions.iter().filter(|(name, words)| name == "COPY" && !words[0].starts_with("--from="))
        {
            let [from, _] = words.as_slice() else { panic!("{file}: COPY {words:?}") };
            let from = filled_in(from, &arguments);
            match from.strip_prefix("dist/") {
                Some(made) => {
                    assert_eq!(made, super::deb::file_name(super::Target::Aarch64), "{file}");
                    packages += 1;
                }
                None => assert!(Path::new(ROOT).join(&from).is_file(), "{file}: {from}"),
            }
        }
        assert_eq!(packages, 1, "{file}");
    }
}

#[test]
fn what_is_started_is_what_the_package_installs_and_the_library_is_where_it_was_put() {
    let manifest: toml::Table =
        toml::from_str(&fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).unwrap()).unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    let installed = |path: &str| {
        assets.iter().any(|asset| {
            let to = asset[1].as_str().unwrap();
            let from = Path::new(asset[0].as_str().unwrap()).file_name().unwrap().to_string_lossy().into_owned();
            format!("/{to}") == path || (to.ends_with('/') && format!("/{to}{from}") == path)
        })
    };
    for file in FILES {
        let instructions = instructions(file);
        let words = |wanted: &str| {
            let found = instructions.iter().rfind(|(name, _)| name == wanted);
            found.unwrap_or_else(|| panic!("{file} has no {wanted}")).1.join(" ")
        };
        let program: Vec<String> = serde_json::from_str(&words("ENTRYPOINT")).unwrap();
        assert!(installed(&program[0]), "{file}: {program:?}");
        let arguments: Vec<String> = serde_json::from_str(&words("CMD")).unwrap();
        assert!(installed(arguments.last().unwrap()), "{file}: {arguments:?}");
        let library = words("ENV");
        let library = library.strip_prefix("ORT_DYLIB_PATH=").unwrap();
        let folder = Path::new(library).parent().unwrap().to_str().unwrap();
        let copied =
            instructions.iter().any(|(name, words)| name == "COPY" && words.last().is_some_and(|to| to == folder));
        assert!(copied, "{file}: nothing is copied to {folder}");
    }
}

#[test]
fn the_shell_reads_the_script_and_every_run() {
    let reads = |script: &str| Command::new("sh").args(["-n", "-c", script]).status().unwrap().success();
    let script = fs::read_to_string(Path::new(ROOT).join("containers/build-onnxruntime.sh")).unwrap();
    assert!(reads(&script));
    for file in FILES {
        for (_, words) in instructions(file).iter().filter(|(name, _)| name == "RUN") {
            assert!(reads(&words.join(" ")), "{file}: {words:?}");
        }
    }
}
