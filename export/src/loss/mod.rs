//! What training minimises: cross-entropy, or LogitNorm in its place, and any number of terms beside it.
//!
//! Each term has its own file with its formula and source: [`background_loss`], [`logit_norm_loss`],
//! [`attention_transfer_loss`], [`VirtualOutliers`]. [`Objective`] adds up those that a config asks for.

mod attention;
mod background;
mod config;
mod logit_norm;
mod norm;
mod objective;
#[cfg(test)]
mod testing;
mod virtual_outliers;

pub use attention::{AttentionTransferConfig, attention_maps, attention_transfer_loss};
pub use background::{Background, BackgroundConfig, BackgroundRule, background_loss};
pub use config::LossConfig;
pub use logit_norm::{LogitNormConfig, logit_norm_loss};
pub use objective::{LossError, Moment, Objective, Parts};
pub use virtual_outliers::{VirtualOutliers, VirtualOutliersConfig};
