//! What training minimises: cross-entropy, and the local background feature loss beside it.

mod background;

pub use background::{Background, BackgroundConfig, BackgroundRule, background_loss};
