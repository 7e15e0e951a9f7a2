//! Finds a network's state dict inside whatever was saved around it.
//!
//! Training scripts wrap names: `{"state_dict": ...}`, `{"model": ...}`, DataParallel's `module.`, or
//! several of them. Instead of a list of wrappings, every prefix in the file is tried, and the one
//! under which most of the wanted names are found wins.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use super::WeightsError;

/// First parts of a prefix, best first, where two are equally complete: a file may keep a moving
/// average (`ema`, `model_ema`) beside the weights themselves.
const PREFERRED: [&str; 6] = ["state_dict", "model_state_dict", "model", "net", "network", "module"];

/// Names listed per kind before a message says "and N more".
const LISTED: usize = 12;

/// What differs between a file and a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// What stands before the names in the file.
    pub prefix: String,
    /// Number of weights that the network has.
    pub wanted: usize,
    /// Weights that the file lacks.
    pub missing: Vec<String>,
    /// Tensors that the network does not have.
    pub unexpected: Vec<String>,
    /// Name, shape in the file, shape in the network.
    pub misshaped: Vec<(String, Vec<usize>, Vec<usize>)>,
}

/// What stands before every name of the state dict, which may hold those `beside` too.
pub(super) fn prefix(
    path: &Path,
    shapes: &BTreeMap<String, Vec<usize>>,
    wanted: &[(String, Vec<usize>)],
    beside: &[String],
) -> Result<String, WeightsError> {
    let prefix = most_complete(path, shapes, wanted)?;
    let mut mismatch = compare(&prefix, shapes, wanted);
    mismatch.unexpected.retain(|name| !beside.contains(name));
    if mismatch.is_empty() {
        Ok(prefix)
    } else {
        Err(WeightsError::Mismatch { path: path.into(), mismatch: Box::new(mismatch) })
    }
}

fn most_complete(
    path: &Path,
    shapes: &BTreeMap<String, Vec<usize>>,
    wanted: &[(String, Vec<usize>)],
) -> Result<String, WeightsError> {
    let names: BTreeSet<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for full in shapes.keys() {
        let starts = std::iter::once(0).chain(full.match_indices('.').map(|(dot, _)| dot + 1));
        for start in starts.filter(|&start| names.contains(&full[start..])) {
            *found.entry(&full[..start]).or_default() += 1;
        }
    }
    let count = found.values().copied().max().unwrap_or(0);
    let best: Vec<&str> = found.into_iter().filter(|&(_, n)| n == count).map(|(prefix, _)| prefix).collect();
    let preferred = PREFERRED.iter().find_map(|key| best.iter().find(|p| p.split('.').next() == Some(key)));
    match (best.as_slice(), preferred) {
        ([], _) => Ok(String::new()),
        ([only], _) => Ok((*only).to_owned()),
        (["", ..], _) => Ok(String::new()),
        (_, Some(preferred)) => Ok((*preferred).to_owned()),
        (several, None) => {
            let prefixes = several.iter().map(|p| (*p).to_owned()).collect();
            Err(WeightsError::Ambiguous { path: path.into(), count, prefixes })
        }
    }
}

fn compare(prefix: &str, shapes: &BTreeMap<String, Vec<usize>>, wanted: &[(String, Vec<usize>)]) -> Mismatch {
    let mut mismatch = Mismatch { prefix: prefix.to_owned(), wanted: wanted.len(), ..Mismatch::default() };
    for (name, shape) in wanted {
        match shapes.get(&format!("{prefix}{name}")) {
            None => mismatch.missing.push(name.clone()),
            Some(found) if found != shape => mismatch.misshaped.push((name.clone(), found.clone(), shape.clone())),
            Some(_) => {}
        }
    }
    let names: BTreeSet<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
    // A checkpoint of a running training keeps the optimiser's state beside bare names.
    let within = shapes.keys().filter(|full| !full.starts_with("optim")).filter_map(|full| full.strip_prefix(prefix));
    let unexpected = within.filter(|name| !names.contains(name) && !name.ends_with("num_batches_tracked"));
    mismatch.unexpected = unexpected.map(str::to_owned).collect();
    mismatch
}

impl Mismatch {
    /// True when nothing differs.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.misshaped.is_empty()
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prefix, wanted, missing, unexpected, misshaped } = self;
        write!(f, "does not fit the network's {wanted} weights")?;
        if !prefix.is_empty() {
            write!(f, " (names in the file start with {prefix:?})")?;
        }
        list(f, "missing", missing)?;
        list(f, "unexpected", unexpected)?;
        let shape =
            |(name, found, wanted): &(String, Vec<usize>, Vec<usize>)| format!("{name} {found:?}, wanted {wanted:?}");
        list(f, "of another shape", &misshaped.iter().map(shape).collect::<Vec<_>>())
    }
}

fn list(f: &mut fmt::Formatter<'_>, what: &str, items: &[String]) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    let shown = items.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join("\n    ");
    write!(f, "\n  {what} ({}):\n    {shown}", items.len())?;
    match items.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => write!(f, "\n    and {more} more"),
    }
}
