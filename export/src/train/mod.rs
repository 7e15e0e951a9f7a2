//! A training run: epochs over a data set, a checkpoint after each, and a log that survives a kill.
//!
//! Everything random in an epoch comes from (seed, epoch), and the optimiser's state is in the checkpoint:
//! a run that was killed and resumed ends with the weights of the run that was not.

mod bench;
mod curves;
mod epoch;
mod log;
mod run;
mod snapshot;

pub use bench::{Bench, Ratio, Timed};
pub use curves::draw as draw_curves;
pub use epoch::{EpochError, accuracy};
pub use log::{EpochRow, LogError};
pub(crate) use run::MODEL;
pub use run::{TrainError, train};
pub use snapshot::write_start;
