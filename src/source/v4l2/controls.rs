//! Sets a camera's controls by name: first the switches and menus, which decide whether the numbers have any effect.

use oodwatch_v4l2::{Control, ControlKind};

use super::capture::Capture;
use super::{ControlValue, OpenError, V4l2Config};

/// Short names for controls that drivers name differently: V4L2_CID_* in order of preference.
const ALIASES: &[(&str, &[u32])] = &[
    ("exposure", &[0x009a_0902, 0x0098_0911]),
    ("auto_exposure", &[0x009a_0901]),
    ("gain", &[0x0098_0913, 0x009e_0903]),
    ("auto_gain", &[0x0098_0912]),
    ("white_balance", &[0x0098_091a]),
    ("auto_white_balance", &[0x0098_090c]),
    ("power_line_frequency", &[0x0098_0918]),
];

/// A control with the value that it is to have.
pub(super) struct Setting<'c> {
    name: &'c str,
    control: Control,
    value: i64,
}

/// What the config wants, checked against what the camera has, in the order in which to set it.
pub(super) fn plan<'c>(camera: &dyn Capture, config: &'c V4l2Config) -> Result<Vec<Setting<'c>>, OpenError> {
    if config.controls.is_empty() {
        return Ok(Vec::new());
    }
    let present = camera.controls();
    let mut settings = Vec::new();
    for (name, wanted) in &config.controls {
        let control = find(&present, name).ok_or_else(|| OpenError::NoControl {
            name: name.clone(),
            present: present.iter().map(Control::key).collect::<Vec<_>>().join(", "),
        })?;
        let value = value_of(wanted, control).ok_or_else(|| OpenError::ControlValue {
            name: name.clone(),
            found: wanted.to_string(),
            wanted: allowed(control),
        })?;
        settings.push(Setting { name, control: control.clone(), value });
    }
    settings.sort_by_key(|setting| !matches!(setting.control.kind, ControlKind::Switch | ControlKind::Menu(_)));
    Ok(settings)
}

/// Sets them, and tells what came out otherwise.
pub(super) fn set(camera: &dyn Capture, settings: &[Setting<'_>]) -> Result<Vec<String>, OpenError> {
    let mut differences = Vec::new();
    for Setting { name, control, value } in settings {
        camera.set_control(control, *value).map_err(|source| OpenError::SetControl {
            name: (*name).into(),
            value: value.to_string(),
            source,
        })?;
        if !control.readable {
            continue;
        }
        match camera.control(control) {
            Ok(found) if found == *value => {}
            Ok(found) => differences.push(format!("control {name} is {found}, asked for {value}")),
            Err(error) => differences.push(format!("control {name} cannot be read back: {error}")),
        }
    }
    Ok(differences)
}

fn find<'p>(present: &'p [Control], name: &str) -> Option<&'p Control> {
    let by_key = present.iter().find(|control| control.key() == name);
    let ids = ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, ids)| *ids).unwrap_or_default();
    by_key.or_else(|| ids.iter().find_map(|id| present.iter().find(|control| control.id == *id)))
}

/// The number that a config's value stands for; none where the control cannot take it.
fn value_of(wanted: &ControlValue, control: &Control) -> Option<i64> {
    let value = match (wanted, &control.kind) {
        (ControlValue::Switch(on), ControlKind::Switch) => i64::from(*on),
        (ControlValue::Number(number), ControlKind::Menu(items)) => {
            items.iter().find(|item| item.value == *number)?.value
        }
        (ControlValue::Name(name), ControlKind::Menu(items)) => {
            items.iter().find(|item| item.name.eq_ignore_ascii_case(name))?.value
        }
        (ControlValue::Number(number), _) => *number,
        _ => return None,
    };
    // Bit masks have no order; the driver refuses bits that it does not have.
    let in_range = control.kind == ControlKind::Bitmask || (control.minimum..=control.maximum).contains(&value);
    (in_range && control.writable).then_some(value)
}

/// What a control can be, in words.
fn allowed(control: &Control) -> String {
    if !control.writable {
        return "nothing: it can only be read".into();
    }
    match &control.kind {
        ControlKind::Switch => "true or false".into(),
        ControlKind::Menu(items) => {
            let items: Vec<String> = items.iter().map(|item| format!("{} ({:?})", item.value, item.name)).collect();
            items.join(", ")
        }
        ControlKind::Bitmask => "a number whose bits are set".into(),
        ControlKind::Button => "a number, to press it".into(),
        ControlKind::Integer | ControlKind::Integer64 => {
            format!("{} to {} in steps of {}", control.minimum, control.maximum, control.step)
        }
    }
}
