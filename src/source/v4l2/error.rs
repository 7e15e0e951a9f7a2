//! Why a camera cannot be used.

use std::io;

use crate::decode::LayoutError;

/// Why a camera cannot be used. It follows the camera's path.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The node cannot be opened.
    #[error("cannot be opened: {0}")]
    Open(#[source] io::Error),
    /// The node does not answer.
    #[error("is no video device, or does not answer: {0}")]
    Ask(#[source] io::Error),
    /// The device does something else.
    #[error("{card:?} does not deliver pictures{hint}")]
    NotACamera {
        /// What it calls itself.
        card: String,
        /// What it does instead, where that is known.
        hint: &'static str,
    },
    /// No format that is wanted and understood.
    #[error("none of the wanted formats ({wanted}); it has {present}")]
    NoFormat {
        /// The config's list.
        wanted: String,
        /// The camera's.
        present: String,
    },
    /// The driver refuses every format.
    #[error("refuses {wanted}: {source}")]
    Format {
        /// What was asked for.
        wanted: String,
        /// The operating system's word on it.
        source: io::Error,
    },
    /// The driver changed something, and the config says that it must not.
    #[error("does not do exactly what is asked ({0}), and the config says exact = true")]
    NotExact(String),
    /// The driver's geometry cannot be.
    #[error("offers what cannot be: {0}")]
    Layout(#[from] LayoutError),
    /// Half pictures.
    #[error("delivers half pictures (V4L2 field order {field}), wanted whole ones")]
    Interlaced {
        /// V4L2_FIELD_*.
        field: u32,
    },
    /// A colour encoding that is not understood.
    #[error("encodes colours in a way that is not understood (V4L2_YCBCR_ENC {encoding}); name one in color_matrix")]
    Encoding {
        /// V4L2_YCBCR_ENC_*.
        encoding: u32,
    },
    /// A control that the camera does not have.
    #[error("has no control {name:?}; it has {present}")]
    NoControl {
        /// The config's name.
        name: String,
        /// The camera's names.
        present: String,
    },
    /// A value that the control cannot take.
    #[error("control {name} cannot be {found}, wanted {wanted}")]
    ControlValue {
        /// The config's name.
        name: String,
        /// The config's value.
        found: String,
        /// What it can be.
        wanted: String,
    },
    /// The driver refuses to set a control.
    #[error("control {name} cannot be set to {value}: {source}")]
    SetControl {
        /// The config's name.
        name: String,
        /// The config's value.
        value: String,
        /// The operating system's word on it.
        source: io::Error,
    },
    /// The frames do not start to flow.
    #[error("does not start: {0}")]
    Start(#[source] io::Error),
}
