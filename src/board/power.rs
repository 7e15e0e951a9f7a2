//! How much the board may take, and whether its clocks are held.

use std::fmt;

use super::Root;
use super::load::gpu_folder;

/// What `nvpmodel` has set: which cores are on, and how fast everything may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PowerMode {
    /// Its number, as `nvpmodel -m` takes it.
    pub id: u32,
    /// Its name on this board, such as `15W`.
    pub name: Option<String>,
}

impl fmt::Display for PowerMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{} {name}", self.id),
            None => write!(f, "{}", self.id),
        }
    }
}

/// `/var/lib/nvpmodel/status` holds `pmode:0002` once a mode has been set; before, the default of `/etc/nvpmodel.conf` holds.
pub(super) fn mode(root: &Root) -> Option<PowerMode> {
    let known = root.text("/etc/nvpmodel.conf").unwrap_or_default();
    let set = root.text("/var/lib/nvpmodel/status");
    let id = match set.as_deref().and_then(|text| text.strip_prefix("pmode:")) {
        Some(digits) => digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()?,
        None => known.lines().find_map(|line| value(line, "PM_CONFIG", "DEFAULT="))?.parse().ok()?,
    };
    let is_it = |line: &&str| value(line, "POWER_MODEL", "ID=").and_then(|found| found.parse().ok()) == Some(id);
    let name = known.lines().find(is_it).and_then(|line| value(line, "POWER_MODEL", "NAME="));
    Some(PowerMode { id, name: name.map(Into::into) })
}

/// Of `< POWER_MODEL ID=2 NAME=MAXN_SUPER >`, a value.
fn value<'l>(line: &'l str, section: &str, key: &str) -> Option<&'l str> {
    let inside = line.trim().strip_prefix('<')?.trim().strip_suffix('>')?.trim().strip_prefix(section)?;
    inside.split_whitespace().find_map(|word| word.strip_prefix(key))
}

/// Whether the clocks of processors and GPU may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clocks {
    /// Least and greatest are the same, everywhere: what `jetson_clocks` does.
    Held,
    /// Some follow the load.
    Free,
}

impl fmt::Display for Clocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Held => "clocks held (jetson_clocks)",
            Self::Free => "clocks follow the load",
        })
    }
}

/// Memory's clock is left out: it is only to be read by root.
pub(super) fn clocks(root: &Root) -> Option<Clocks> {
    const CPUS: &str = "/sys/devices/system/cpu/cpufreq";
    let cpus = root.names(CPUS, "policy").into_iter().map(|name| format!("{CPUS}/{name}/scaling_"));
    let gpu = gpu_folder(root).map(|folder| format!("{folder}/"));
    let range = |prefix: String| {
        let ends = ["min_freq", "max_freq"].map(|end| root.number::<u64>(&format!("{prefix}{end}")));
        Some((ends[0]?, ends[1]?))
    };
    let ranges: Vec<_> = cpus.chain(gpu).filter_map(range).collect();
    let held = ranges.iter().all(|(least, greatest)| least == greatest);
    (!ranges.is_empty()).then_some(if held { Clocks::Held } else { Clocks::Free })
}
