//! Controls of a camera: exposure, gain and so on, by name.

use std::os::fd::BorrowedFd;

use v4l::v4l_sys as raw;

use crate::device::{LONGEST_LIST, text};
use crate::sys;

/// A control that is a number, a switch or a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// V4L2_CID_*.
    pub id: u32,
    /// The driver's words for it.
    pub name: String,
    /// What kind of value it takes.
    pub kind: ControlKind,
    /// Smallest value.
    pub minimum: i64,
    /// Largest value.
    pub maximum: i64,
    /// Distance between values.
    pub step: u64,
    /// Value after the driver was loaded.
    pub default: i64,
    /// Whether it can be set at all.
    pub writable: bool,
    /// Whether it can be read.
    pub readable: bool,
    /// Whether another control's value keeps it without effect for now.
    pub inactive: bool,
}

/// What kind of value a control takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlKind {
    /// A number.
    Integer,
    /// A number of 64 bits.
    Integer64,
    /// 0 or 1.
    Switch,
    /// One of these values.
    Menu(Vec<MenuItem>),
    /// A set of bits.
    Bitmask,
    /// Something that happens when it is written.
    Button,
}

/// An entry of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MenuItem {
    /// The control's value that stands for it.
    pub value: i64,
    /// What it says.
    pub name: String,
}

impl Control {
    /// Its name in the form that configs use: lower case, words joined by `_`, as `v4l2-ctl` prints them.
    pub fn key(&self) -> String {
        let mut key = String::new();
        for character in self.name.chars() {
            if character.is_alphanumeric() {
                key.extend(character.to_lowercase());
            } else if !key.is_empty() && !key.ends_with('_') {
                key.push('_');
            }
        }
        key.trim_end_matches('_').to_string()
    }

    pub(crate) fn is_wide(&self) -> bool {
        self.kind == ControlKind::Integer64
    }
}

/// All controls that a number can set.
pub(crate) fn list(fd: BorrowedFd<'_>) -> Vec<Control> {
    let mut controls = Vec::new();
    let mut id = 0;
    for _ in 0..LONGEST_LIST {
        let Ok(control) = sys::control_after(fd, id) else { break };
        // A driver that does not move on would be asked for ever.
        if control.id <= id {
            break;
        }
        id = control.id;
        controls.extend(describe(fd, &control));
    }
    controls
}

fn describe(fd: BorrowedFd<'_>, control: &raw::v4l2_query_ext_ctrl) -> Option<Control> {
    let has = |flag: u32| control.flags & flag != 0;
    if has(raw::V4L2_CTRL_FLAG_DISABLED) || control.nr_of_dims > 0 {
        return None;
    }
    Some(Control {
        id: control.id,
        name: text(&control.name.map(|byte| byte as u8)),
        kind: kind(fd, control)?,
        minimum: control.minimum,
        maximum: control.maximum,
        step: control.step,
        default: control.default_value,
        writable: !has(raw::V4L2_CTRL_FLAG_READ_ONLY),
        readable: !has(raw::V4L2_CTRL_FLAG_WRITE_ONLY),
        inactive: has(raw::V4L2_CTRL_FLAG_INACTIVE),
    })
}

/// None for headings, texts, and kinds that this program does not know.
fn kind(fd: BorrowedFd<'_>, control: &raw::v4l2_query_ext_ctrl) -> Option<ControlKind> {
    Some(match control.type_ {
        raw::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER => ControlKind::Integer,
        raw::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER64 => ControlKind::Integer64,
        raw::v4l2_ctrl_type_V4L2_CTRL_TYPE_BOOLEAN => ControlKind::Switch,
        raw::v4l2_ctrl_type_V4L2_CTRL_TYPE_MENU => {
            ControlKind::Menu(menu(control, |index| sys::menu_name(fd, control.id, index).ok().map(|name| text(&name))))
        }
        raw::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER_MENU => {
            let name = |index| sys::menu_number(fd, control.id, index).ok().map(|number| number.to_string());
            ControlKind::Menu(menu(control, name))
        }
        raw::v4l2_ctrl_type_V4L2_CTRL_TYPE_BITMASK => ControlKind::Bitmask,
        raw::v4l2_ctrl_type_V4L2_CTRL_TYPE_BUTTON => ControlKind::Button,
        _ => return None,
    })
}

/// The entries between minimum and maximum that the driver has: it may leave some out.
fn menu(control: &raw::v4l2_query_ext_ctrl, name: impl Fn(u32) -> Option<String>) -> Vec<MenuItem> {
    let first = control.minimum.max(0);
    let last = control.maximum.min(first + i64::from(LONGEST_LIST));
    let entry = |value: i64| Some(MenuItem { value, name: name(u32::try_from(value).ok()?)? });
    (first..=last).filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> String {
        let kind = ControlKind::Integer;
        let (minimum, maximum, step, default) = (0, 1, 1, 0);
        let (writable, readable, inactive) = (true, true, false);
        Control { id: 1, name: name.into(), kind, minimum, maximum, step, default, writable, readable, inactive }.key()
    }

    #[test]
    fn a_key_is_the_name_as_v4l2_ctl_prints_it() {
        assert_eq!(named("Exposure Time, Absolute"), "exposure_time_absolute");
        assert_eq!(named("White Balance, Auto & Preset"), "white_balance_auto_preset");
        assert_eq!(named("  Gain!"), "gain");
    }
}
