//! Temperatures, and whether the board holds itself back because of them or of its supply.

use std::fmt;

use super::load::is_gpu;
use super::{Celsius, Root};

const FOLDER: &str = "/sys/class/thermal";
/// What counts over-currents and too low voltages.
const OVER_CURRENT: &str = "soctherm_oc";

/// A place whose temperature is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// `cpu-thermal`, `tj-thermal` and the like.
    pub name: String,
    /// How warm it is.
    pub temperature: Celsius,
    /// Where the board switches itself off, by the kernel's table.
    pub shuts_down_at: Option<Celsius>,
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hottest {} ({}", self.temperature, self.name)?;
        match self.shuts_down_at {
            Some(limit) => write!(f, ", off at {limit})"),
            None => f.write_str(")"),
        }
    }
}

/// Something that can hold the board back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cooling {
    /// `gpu-throttle-alert`, `cpufreq-cpu0` and the like.
    pub name: String,
    /// How much it does at the moment; 0 for not at all.
    pub state: u32,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Thermal {
    /// Zones that answer.
    pub zones: Vec<Zone>,
    /// What can hold the board back; fans are none of it.
    pub cooling: Vec<Cooling>,
    /// Times that the supply has made the board slow down since it was started.
    pub over_currents: Option<u64>,
}

impl Thermal {
    pub(super) fn read(root: &Root) -> Self {
        let zones = root.names(FOLDER, "thermal_zone").iter().filter_map(|name| zone(root, name)).collect();
        let cooling = root.names(FOLDER, "cooling_device").iter().filter_map(|name| cooling(root, name)).collect();
        Self { zones, cooling, over_currents: over_currents(root) }
    }

    /// The zone that is warmest.
    pub fn hottest(&self) -> Option<&Zone> {
        self.zones.iter().max_by(|a, b| a.temperature.0.total_cmp(&b.temperature.0))
    }

    /// The zone that is nearest to where the board switches itself off, with the degrees that are left.
    pub fn nearest_to_the_end(&self) -> Option<(&Zone, f32)> {
        let left = |zone: &Zone| zone.shuts_down_at.map(|limit| limit.0 - zone.temperature.0);
        let zones = self.zones.iter().filter_map(|zone| Some((zone, left(zone)?)));
        zones.min_by(|(_, a), (_, b)| a.total_cmp(b))
    }

    /// What holds the board back now.
    pub fn active(&self) -> impl Iterator<Item = &Cooling> {
        self.cooling.iter().filter(|cooling| cooling.state > 0)
    }

    /// In words, where it is known at all.
    pub(super) fn told(&self) -> Option<String> {
        let active: Vec<&str> = self.active().map(|cooling| cooling.name.as_str()).collect();
        let throttled = match active.as_slice() {
            [] if self.cooling.is_empty() => None,
            [] => Some("not throttled".into()),
            active => Some(format!("throttled by {}", active.join(", "))),
        };
        let currents =
            self.over_currents.map(|count| format!("slowed down by its supply {count} times since its start"));
        let parts: Vec<String> = throttled.into_iter().chain(currents).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

fn zone(root: &Root, folder: &str) -> Option<Zone> {
    let file = |name: &str| format!("{FOLDER}/{folder}/{name}");
    let name = root.text(&file("type"))?;
    // The chip that supplies Xavier and older boards answers with a constant.
    if name.starts_with("PMIC") {
        return None;
    }
    let temperature = Celsius::of_milli(root.number(&file("temp"))?);
    let critical = |number: usize| root.text(&file(&format!("trip_point_{number}_type")));
    let trips = (0..).map_while(|number| critical(number).map(|kind| (number, kind)));
    let limits = trips.filter(|(_, kind)| kind == "critical");
    let limits = limits.filter_map(|(number, _)| root.number(&file(&format!("trip_point_{number}_temp"))));
    // Trips that a driver has switched off are at or below zero.
    let shuts_down_at = limits.filter(|milli: &i64| *milli > 0).min().map(Celsius::of_milli);
    Some(Zone { name, temperature, shuts_down_at })
}

/// Of what is listed as cooling, what slows down: alerts of the firmware, and caps on clocks.
fn cooling(root: &Root, folder: &str) -> Option<Cooling> {
    let name = root.text(&format!("{FOLDER}/{folder}/type"))?;
    let slows = name.ends_with("-alert")
        || is_gpu(&name)
        || ["cpufreq-", "devfreq-", "thermal-cpufreq-", "thermal-devfreq-"].iter().any(|cap| name.starts_with(cap));
    let state = root.number(&format!("{FOLDER}/{folder}/cur_state"))?;
    slows.then_some(Cooling { name, state })
}

/// Orin counts too low voltage (1), too much current on average (2) and for a moment (3).
fn over_currents(root: &Root) -> Option<u64> {
    let folder = root.chips(OVER_CURRENT).next()?;
    let count = |event: u32| root.number::<u64>(&format!("{folder}/oc{event}_event_cnt"));
    let counts: Vec<u64> = (1..=3).filter_map(count).collect();
    (!counts.is_empty()).then(|| counts.iter().sum())
}
