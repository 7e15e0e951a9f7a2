//! What the board is, and which system it runs.

use std::fmt;

use super::Root;

/// NVIDIA's Linux for Tegra: `R36.4.3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct L4t {
    /// 36.
    pub release: u32,
    /// 4.3.
    pub revision: String,
}

impl L4t {
    /// The JetPack that it belongs to: NVIDIA's archive has R34 and R35 as 5, R36 as 6, R38 and R39 as 7
    /// (<https://developer.nvidia.com/embedded/jetpack-archive>).
    pub fn jetpack(&self) -> Option<u32> {
        match self.release {
            32 => Some(4),
            34 | 35 => Some(5),
            36 => Some(6),
            38 | 39 => Some(7),
            _ => None,
        }
    }

    /// From `# R36 (release), REVISION: 4.3, GCID: ..., BOARD: generic, EABI: aarch64, DATE: ...`.
    fn parse(text: &str) -> Option<Self> {
        let (release, rest) = text.strip_prefix("# R")?.split_once(' ')?;
        let revision = rest.split_once("REVISION: ")?.1.split(',').next()?.trim();
        Some(Self { release: release.parse().ok()?, revision: revision.into() })
    }
}

impl fmt::Display for L4t {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { release, revision } = self;
        match self.jetpack() {
            Some(jetpack) => write!(f, "JetPack {jetpack} (L4T R{release}.{revision})"),
            None => write!(f, "L4T R{release}.{revision}"),
        }
    }
}

pub(super) fn l4t(root: &Root) -> Option<L4t> {
    L4t::parse(&root.text("/etc/nv_tegra_release")?)
}

/// From the device tree; of a PC, its processor.
pub(super) fn model(root: &Root) -> Option<String> {
    root.text("/proc/device-tree/model").or_else(|| {
        let processor = root.text("/proc/cpuinfo")?;
        let name = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'))?.1.trim();
        Some(name.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_told_with_its_jetpack() {
        for (text, wanted) in [
            (
                "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64",
                "JetPack 5 (L4T R35.4.1)",
            ),
            ("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic", "JetPack 6 (L4T R36.4.3)"),
            ("# R39 (release), REVISION: 2.0, GCID: 1", "JetPack 7 (L4T R39.2.0)"),
            ("# R99 (release), REVISION: 1.0", "L4T R99.1.0"),
        ] {
            assert_eq!(L4t::parse(text).unwrap().to_string(), wanted);
        }
        for broken in ["", "# R", "R36 (release), REVISION: 4.3", "# R36 (release)", "# Rx (release), REVISION: 4.3"] {
            assert_eq!(L4t::parse(broken), None, "{broken:?}");
        }
    }
}
