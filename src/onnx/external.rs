//! Finds weights that lie outside the file, wherever in the graph their tensors stand.
//!
//! Such a tensor names a path; whoever opened it would read files that the user never named.

use super::OnnxError;
use super::model::{name_of, within};
use super::wire::{Value, fields};

/// Graphs inside graphs (branches of `If`, bodies of `Loop`) that are looked into.
const MAX_DEPTH: usize = 16;

/// The name of a tensor whose weights lie in another file; also inside branches and loops.
pub(super) fn external_tensor(graph: &[u8], depth: usize) -> Result<Option<&str>, OnnxError> {
    if depth > MAX_DEPTH {
        return Err(OnnxError::malformed("graph", format!("graphs inside graphs, more than {MAX_DEPTH} deep")));
    }
    for field in fields(graph) {
        let found = match within("graph", field)? {
            (1, Value::Bytes(node)) => external_in_node(node, depth)?,
            (5, Value::Bytes(tensor)) => external(tensor)?,
            _ => None,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn external_in_node(node: &[u8], depth: usize) -> Result<Option<&str>, OnnxError> {
    for field in fields(node) {
        let (5, Value::Bytes(attribute)) = within("node", field)? else { continue };
        for field in fields(attribute) {
            let found = match within("attribute", field)? {
                (5 | 10, Value::Bytes(tensor)) => external(tensor)?,
                (6 | 11, Value::Bytes(graph)) => external_tensor(graph, depth + 1)?,
                _ => None,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    Ok(None)
}

/// The tensor's name if its data lies elsewhere: `data_location` is EXTERNAL, or there is an `external_data` entry.
fn external(tensor: &[u8]) -> Result<Option<&str>, OnnxError> {
    let mut elsewhere = false;
    for field in fields(tensor) {
        elsewhere |= matches!(within("tensor", field)?, (13, Value::Bytes(_)) | (14, Value::Varint(1)));
    }
    if elsewhere { name_of("tensor", tensor, 8).map(Some) } else { Ok(None) }
}
