//! Which processor this is, as far as ONNX Runtime writes other numbers for another one.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// What names a processor in the kernel's list: of x86-64 its name and numbers, of aarch64 its numbers.
const NAMED_BY: [&str; 9] = [
    "model name",
    "cpu family",
    "model",
    "stepping",
    "CPU implementer",
    "CPU architecture",
    "CPU variant",
    "CPU part",
    "CPU revision",
];

/// The first processor of the list, in the kernel's words.
pub(super) fn name(root: &Path) -> Option<String> {
    // Only its beginning: of many cores the kernel takes its time to write it.
    let lines = BufReader::new(File::open(root.join("proc/cpuinfo")).ok()?).lines().map_while(Result::ok);
    let first: Vec<String> = lines.take_while(|line| !line.trim().is_empty()).collect();
    let entries = first.iter().filter_map(|line| line.split_once(':')).map(|(key, value)| (key.trim(), value.trim()));
    let parts: Vec<String> =
        entries.filter(|(key, _)| NAMED_BY.contains(key)).map(|(key, value)| format!("{key} {value}")).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Vector instructions that the processor has and the kernel lets programs use. ONNX Runtime lays weights out for them.
pub(super) fn instructions() -> String {
    let found: Vec<&str> = features().into_iter().filter_map(|(name, found)| found.then_some(name)).collect();
    found.join(" ")
}

#[cfg(target_arch = "x86_64")]
fn features() -> [(&'static str, bool); 13] {
    use std::arch::is_x86_feature_detected as has;
    [
        ("sse4.1", has!("sse4.1")),
        ("avx", has!("avx")),
        ("f16c", has!("f16c")),
        ("fma", has!("fma")),
        ("avx2", has!("avx2")),
        ("avxvnni", has!("avxvnni")),
        ("avx512f", has!("avx512f")),
        ("avx512bw", has!("avx512bw")),
        ("avx512dq", has!("avx512dq")),
        ("avx512vl", has!("avx512vl")),
        ("avx512vnni", has!("avx512vnni")),
        ("avx512bf16", has!("avx512bf16")),
        ("avx512fp16", has!("avx512fp16")),
    ]
}

#[cfg(target_arch = "aarch64")]
fn features() -> [(&'static str, bool); 6] {
    use std::arch::is_aarch64_feature_detected as has;
    [
        ("neon", has!("neon")),
        ("fp16", has!("fp16")),
        ("dotprod", has!("dotprod")),
        ("bf16", has!("bf16")),
        ("i8mm", has!("i8mm")),
        ("sve", has!("sve")),
    ]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> [(&'static str, bool); 0] {
    []
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn named(cpuinfo: &str) -> Option<String> {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("proc")).unwrap();
        fs::write(root.path().join("proc/cpuinfo"), cpuinfo).unwrap();
        name(root.path())
    }

    #[test]
    fn a_processor_is_named_by_what_does_not_change_while_it_works() {
        let x86 = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n\
                   stepping\t: 1\ncpu MHz\t\t: 2596.146\n\nprocessor\t: 1\nmodel name\t: another\n";
        assert_eq!(named(x86).unwrap(), "cpu family 25, model 17, model name AMD EPYC, stepping 1");
        let arm = "processor\t: 0\nBogoMIPS\t: 62.50\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n\
                   CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd42\nCPU revision\t: 1\n\n";
        let wanted = "CPU implementer 0x41, CPU architecture 8, CPU variant 0x0, CPU part 0xd42, CPU revision 1";
        assert_eq!(named(arm).unwrap(), wanted);
        assert_eq!((named("nothing\n"), name(Path::new("/nonexistent"))), (None, None));
    }

    #[test]
    fn instructions_are_told_and_the_same_each_time() {
        assert_eq!(instructions(), instructions());
        let usual = if cfg!(target_arch = "x86_64") { "sse4.1" } else { "neon" };
        assert!(instructions().split(' ').any(|name| name == usual), "{}", instructions());
    }
}
