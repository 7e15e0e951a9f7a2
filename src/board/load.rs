//! How busy the GPU is, and how much memory is left.

use std::fmt;

use super::Root;

/// Where devices with clocks of their own are listed.
const DEVFREQ: &str = "/sys/class/devfreq";
/// What the integrated GPUs are called: Xavier, TX2, Orin, and Orin and Thor from JetPack 6 on.
const GPUS: [&str; 5] = ["gv11b", "gp10b", "ga10b", "gpu-gpc-0", "gpu"];

/// The integrated GPU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gpu {
    /// How much of the last moment it was busy, as a share of 1; none where the driver does not say.
    pub load: Option<f32>,
    /// Its clock, in MHz.
    pub clock_mhz: Option<f32>,
}

impl fmt::Display for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GPU")?;
        if let Some(load) = self.load {
            write!(f, " {:.0} %", load * 100.0)?;
        }
        if let Some(clock) = self.clock_mhz {
            write!(f, " at {clock:.0} MHz")?;
        }
        Ok(())
    }
}

/// Main memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// All of it, in KiB.
    pub total_kib: u64,
    /// What a program could get without swapping, in KiB.
    pub available_kib: u64,
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} MiB memory available", self.available_kib >> 10, self.total_kib >> 10)
    }
}

/// The folder with the GPU's clocks: `17000000.gpu` and the like, or one whose device is called so.
pub(super) fn gpu_folder(root: &Root) -> Option<String> {
    let is_it = |name: &String| {
        let device = root.text(&format!("{DEVFREQ}/{name}/device/of_node/name"));
        is_gpu(name) || device.is_some_and(|device| is_gpu(&device))
    };
    root.names(DEVFREQ, "").into_iter().find(is_it).map(|name| format!("{DEVFREQ}/{name}"))
}

/// Whether a device is called so, with or without its address: `17000000.gpu`.
pub(super) fn is_gpu(device: &str) -> bool {
    GPUS.contains(&device.rsplit_once('.').map_or(device, |(_, name)| name))
}

pub(super) fn gpu(root: &Root) -> Option<Gpu> {
    let folder = gpu_folder(root)?;
    // nvgpu counts in thousandths.
    let load = root.number::<f32>(&format!("{folder}/device/load")).map(|thousandths| thousandths / 1000.0);
    let clock_mhz = root.number::<f32>(&format!("{folder}/cur_freq")).map(|hertz| hertz / 1e6);
    Some(Gpu { load, clock_mhz })
}

pub(super) fn memory(root: &Root) -> Option<Memory> {
    let text = root.text("/proc/meminfo")?;
    let kib = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key))?.trim_end_matches("kB").trim().parse::<u64>().ok()
    };
    Some(Memory { total_kib: kib("MemTotal:")?, available_kib: kib("MemAvailable:")? })
}
