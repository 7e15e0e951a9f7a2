//! Networks that ONNX Runtime has prepared for this processor, in the store: the network, and what it was when it was written.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{EngineError, Key, Store};
use crate::infer::{Network, NetworkOptions, Precision, PreparedNetwork};
use crate::package::Package;
use crate::self_test;

/// The network, as ONNX Runtime writes it.
const NETWORK_FILE: &str = "network.onnx";
/// [`Record`].
const RECORD_FILE: &str = "network.toml";
/// What is there when it is whole.
pub(super) const FILES: [&str; 2] = [NETWORK_FILE, RECORD_FILE];

/// What has to be known of a prepared network before it is read.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    /// Of its file.
    sha256: String,
    /// Of the network that it was made of; the prepared one no longer tells.
    precision: Precision,
}

/// The prepared network for `key`. Its file is not looked at yet: whoever reads it does that.
///
/// # Errors
/// There is none, or none that is whole.
pub fn find_prepared(store: &Store, key: &Key) -> Result<PreparedNetwork, EngineError> {
    let folder = store.find(key)?;
    let unreadable = |problem: &str| EngineError::NotBuilt {
        kind: store.kind(),
        folder: folder.clone(),
        why: format!("{RECORD_FILE} cannot be read: {problem}"),
    };
    let text = fs::read_to_string(folder.join(RECORD_FILE)).map_err(|error| unreadable(&error.to_string()))?;
    let Record { sha256, precision } = toml::from_str(&text).map_err(|error| unreadable(error.message()))?;
    Ok(PreparedNetwork { file: folder.join(NETWORK_FILE), sha256, precision })
}

/// Has ONNX Runtime prepare a package's network, proves what it made by the golden vectors, and leaves it in `folder`.
///
/// # Errors
/// ONNX Runtime refuses, the disk is full, or what was made computes something else.
pub fn prepare(package: &Package, options: &NetworkOptions, folder: &Path) -> Result<(), EngineError> {
    let failed = |path: &Path| {
        let path: PathBuf = path.into();
        |source| EngineError::Write { path, source }
    };
    let file = folder.join(NETWORK_FILE);
    let prepared = PreparedNetwork::write(package, options, file)?;
    let record = Record { sha256: prepared.sha256.clone(), precision: prepared.precision };
    let mut network = Network::open(package, &NetworkOptions { prepared: Some(prepared), ..options.clone() })?;
    self_test::run(&mut network, &package.golden()?, &package.model(), Some(&[]))?;
    let path = folder.join(RECORD_FILE);
    let text = toml::to_string(&record).map_err(std::io::Error::other).map_err(failed(&path))?;
    fs::write(&path, text).map_err(failed(&path))
}
