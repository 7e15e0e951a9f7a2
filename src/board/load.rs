//! How busy the GPU is, how much memory is left, and what the board draws.

use std::fmt;

use super::Root;

/// The chip that measures voltages and currents on Jetsons, and how many rails each has.
const POWER_CHIP: &str = "ina3221";
const RAILS: u32 = 3;
/// Rate of the memory's clock, in Hz, which only root may read.
const MEMORY_CLOCK: &str = "/sys/kernel/debug/bpmp/debug/clk/emc/rate";

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
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Memory {
    /// All of it, in KiB.
    pub total_kib: u64,
    /// What a program could get without swapping, in KiB.
    pub available_kib: u64,
    /// Its clock (EMC), in MHz; none where it cannot be read.
    pub clock_mhz: Option<f32>,
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} MiB memory available", self.available_kib >> 10, self.total_kib >> 10)?;
        self.clock_mhz.map_or(Ok(()), |clock| write!(f, ", its clock at {clock:.0} MHz"))
    }
}

/// A supply whose power is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Rail {
    /// What the board calls it: `VDD_IN` is all of it.
    pub name: String,
    /// What is drawn, in watts.
    pub power_w: f32,
}

impl fmt::Display for Rail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:.1} W", self.name, self.power_w)
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
    let clock_mhz = root.number::<f32>(MEMORY_CLOCK).map(|hertz| hertz / 1e6);
    Some(Memory { total_kib: kib("MemTotal:")?, available_kib: kib("MemAvailable:")?, clock_mhz })
}

/// The rails of all chips that measure some, in their order.
pub(super) fn rails(root: &Root) -> Vec<Rail> {
    root.chips(POWER_CHIP)
        .flat_map(|folder| (1..=RAILS).filter_map(move |number| rail(root, &folder, number)))
        .collect()
}

/// None of a rail that is switched off, or goes nowhere.
fn rail(root: &Root, folder: &str, number: u32) -> Option<Rail> {
    let name = root.text(&format!("{folder}/in{number}_label"))?;
    let millivolts: f32 = root.number(&format!("{folder}/in{number}_input"))?;
    let milliamperes: f32 = root.number(&format!("{folder}/curr{number}_input"))?;
    (name != "NC").then_some(Rail { name, power_w: millivolts * milliamperes / 1e6 })
}
