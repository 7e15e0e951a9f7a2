//! What is fetched, from where, and what it must be: `pins.toml`, read and typed.

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::camera_lab;

/// Why a pin cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PinError {
    /// The file of pins does not parse.
    #[error("pins.toml: {0}")]
    Parse(#[from] toml::de::Error),
    /// No such dependency.
    #[error("nothing is called {name:?}; there are: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The registries have nothing for this machine.
    #[error("{package} {version} exists for {found}, this machine is {machine}")]
    Machine {
        /// The package.
        package: String,
        /// Its version.
        version: String,
        /// The machines that it exists for.
        found: String,
        /// This machine.
        machine: String,
    },
    /// A keep rule does not parse.
    #[error("pins.toml: keep rule {0:?}, wanted \"FROM\" or \"FROM => TO\"")]
    Keep(String),
}

/// All pins.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pins {
    dep: Vec<Dep>,
}

/// One folder under `.deps/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dep {
    /// The folder's name.
    pub(crate) name: String,
    /// What it is for, as told to somebody who cannot get it.
    pub(crate) purpose: String,
    /// Whether it only serves to fetch the others.
    #[serde(default)]
    pub(crate) tool: bool,
    /// The variable by which a user names an own copy.
    pub(crate) set_by_user: Option<String>,
    /// What is done with the unpacked files.
    pub(crate) convert: Option<Conversion>,
    /// The packages that it is taken from.
    #[serde(rename = "part")]
    pub(crate) parts: Vec<Part>,
    /// sha256 (hexadecimal) of the files that the conversion makes.
    #[serde(default)]
    pub(crate) made: BTreeMap<String, String>,
}

/// What can be done with unpacked files.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Conversion {
    /// PNG sheets into CIFAR's binary layout.
    Cifar10,
    /// Kernel sources into the camera lab.
    #[serde(rename = "camera-lab")]
    CameraLab,
}

/// One package of a registry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// Where it comes from.
    pub(crate) registry: Registry,
    /// Its name there.
    pub(crate) package: String,
    /// Its exact version.
    pub(crate) version: String,
    /// Where a mirror of Debian keeps it, from the mirror's root on.
    #[serde(default)]
    pub(crate) path: String,
    /// The CPython that a wheel is for, such as "3.12".
    #[serde(default = "default_python")]
    pub(crate) python: String,
    /// The machine that a wheel is for, where that is another one than it is fetched on.
    pub(crate) machine: Option<String>,
    keep: Vec<String>,
    #[serde(default)]
    leave: Vec<String>,
    any: Option<Pin>,
    x86_64: Option<Pin>,
    aarch64: Option<Pin>,
}

/// A package registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Registry {
    /// Wheels (zip archives).
    Pypi,
    /// Packages of npm (gzipped tar archives).
    Npm,
    /// Packages of Debian (.deb), from the mirror that apt is set up for.
    Debian,
}

fn default_python() -> String {
    "3.12".to_owned()
}

/// What a downloaded file has to be.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pin {
    /// Its length.
    pub(crate) bytes: u64,
    /// Its sha256, hexadecimal.
    pub(crate) sha256: String,
}

impl Pins {
    /// Reads the pins that were built into this program.
    ///
    /// # Errors
    /// When the file does not parse; a test sees to it that it does.
    pub(crate) fn read() -> Result<Pins, PinError> {
        Ok(toml::from_str(include_str!("pins.toml"))?)
    }

    /// The dependency of this name.
    ///
    /// # Errors
    /// When there is none; the text names those that there are.
    pub(crate) fn get(&self, name: &str) -> Result<&Dep, PinError> {
        self.dep.iter().find(|dep| dep.name == name).ok_or_else(|| PinError::Unknown {
            name: name.to_owned(),
            known: self.dep.iter().map(|dep| dep.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }
}

impl Dep {
    /// The name of its folder in the cache: changes whenever anything changes that decides what lies in it.
    pub(crate) fn key(&self, machine: &str) -> String {
        let mut hash = Sha256::new();
        for part in &self.parts {
            hash.update(format!("{:?} {:?} {:?} {:?}\n", part.pin(machine).ok(), part.keep, part.leave, self.made));
        }
        if let Some(Conversion::CameraLab) = self.convert {
            camera_lab::recipe().for_each(|part| hash.update(part));
        }
        format!("{}-{}", self.name, &hex(&hash.finalize())[..12])
    }

    /// How much is downloaded for it, in bytes.
    pub(crate) fn bytes(&self, machine: &str) -> u64 {
        self.parts.iter().filter_map(|part| part.pin(machine).ok()).map(|pin| pin.bytes).sum()
    }
}

impl Part {
    /// What this machine's file has to be.
    ///
    /// # Errors
    /// When the registry has none for this machine.
    pub(crate) fn pin(&self, machine: &str) -> Result<&Pin, PinError> {
        let own = match machine {
            "x86_64" => self.x86_64.as_ref(),
            "aarch64" => self.aarch64.as_ref(),
            _ => None,
        };
        own.or(self.any.as_ref()).ok_or_else(|| PinError::Machine {
            package: self.package.clone(),
            version: self.version.clone(),
            found: self.machines().join(" and "),
            machine: machine.to_owned(),
        })
    }

    /// The machines that have a file of their own.
    fn machines(&self) -> Vec<&'static str> {
        let own = [("x86_64", &self.x86_64), ("aarch64", &self.aarch64)];
        own.into_iter().filter(|(_, pin)| pin.is_some()).map(|(machine, _)| machine).collect()
    }

    /// Where a file of the archive goes, relative to the dependency's folder; none when it is left out.
    ///
    /// # Errors
    /// When a rule does not parse.
    pub(crate) fn place(&self, file: &str) -> Result<Option<String>, PinError> {
        if self.leave.iter().any(|left| left == file) {
            return Ok(None);
        }
        for rule in &self.keep {
            if let Some(place) = apply(rule, file)? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

/// Applies one keep rule to one file.
fn apply(rule: &str, file: &str) -> Result<Option<String>, PinError> {
    let words: Vec<&str> = rule.split(" => ").collect();
    let (from, to) = match words[..] {
        [from] => (from, from),
        [from, to] => (from, to),
        _ => return Err(PinError::Keep(rule.to_owned())),
    };
    if from.ends_with('/') {
        return Ok(file.strip_prefix(from).filter(|rest| !rest.is_empty()).map(|rest| format!("{to}{rest}")));
    }
    let matches = match from.strip_suffix('*') {
        Some(beginning) => file.starts_with(beginning),
        None => file == from,
    };
    Ok(matches.then(|| to.to_owned()))
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pin_parses_and_names_a_sha256() {
        let pins = Pins::read().unwrap();
        for dep in &pins.dep {
            // The lab's kernel exists as a process of x86_64 alone, counts are compared there alone; aarch64 is reached from x86_64, never the other way.
            let of_x86_64 = ["camera-lab", "rust-cross", "qemu", "valgrind"].contains(&dep.name.as_str());
            let machines: &[&str] = if of_x86_64 { &["x86_64"] } else { &["x86_64", "aarch64"] };
            for (machine, part) in machines.iter().flat_map(|machine| dep.parts.iter().map(move |part| (machine, part)))
            {
                let pin = part.pin(machine).unwrap();
                assert_eq!(pin.sha256.len(), 64, "{}", part.package);
                assert!(pin.bytes > 0);
                assert_eq!(part.place("no/such/file").unwrap(), None);
                assert_eq!(part.registry == Registry::Debian, part.path.ends_with(".deb"), "{}", part.package);
            }
            assert!(dep.made.values().all(|sha256| sha256.len() == 64), "{}", dep.name);
        }
    }

    fn check(rule: &str, file: &str, expected: Option<&str>) {
        assert_eq!(apply(rule, file).unwrap(), expected.map(str::to_owned), "{rule} on {file}");
    }

    #[test]
    fn a_keep_rule_moves_a_file_a_folder_or_the_file_that_begins_so() {
        check("a/b.so", "a/b.so", Some("a/b.so"));
        check("a/b.so", "a/b.so.1", None);
        check("a/b.so* => b.so", "a/b.so.1.2", Some("b.so"));
        check("a/ => c/", "a/d/e", Some("c/d/e"));
        check("a/", "a/", None);
        assert!(apply("a => b => c", "a").is_err());
    }

    #[test]
    fn another_machine_is_told_what_exists() {
        let pins = Pins::read().unwrap();
        let error = pins.get("onnxruntime").unwrap().parts[0].pin("riscv64").unwrap_err();
        assert_eq!(error.to_string(), "onnxruntime 1.23.2 exists for x86_64 and aarch64, this machine is riscv64");
        let error = pins.get("camera-lab").unwrap().parts[0].pin("aarch64").unwrap_err();
        assert_eq!(error.to_string(), "linux-source-6.1 6.1.176-1 exists for x86_64, this machine is aarch64");
    }
}
