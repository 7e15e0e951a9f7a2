//! The manifest of a package from a checkpoint's own description.

use oodwatch::package::{Manifest, SCHEMA};
use serde_json::Value as Json;
use toml::{Table, Value};

use super::parity::Parity;
use crate::trained::Trained;

/// The manifest, but for what only comes with the finished files.
pub(super) fn manifest(trained: &Trained) -> Manifest {
    Manifest {
        schema: SCHEMA,
        classes: trained.classes.clone(),
        input: trained.input.clone(),
        output: trained.output.clone(),
        provenance: provenance(trained),
        view: Default::default(),
        decode: Default::default(),
        files: Default::default(),
    }
}

/// Adds what the export measured to the provenance.
///
/// `metrics` is what `evaluate` or a training run wrote about this network, taken over as it is.
pub(super) fn add_measurements(
    manifest: &mut Manifest,
    parity: &Parity,
    accuracy: Option<f64>,
    metrics: Option<&Json>,
) {
    let (output, difference) = parity.worst();
    let measured = serde_json::json!({
        "pictures": parity.pictures,
        "largest_difference": rounded(difference),
        "output": output,
    });
    let entries = [
        ("parity_with_libtorch", toml_value(&measured)),
        ("calibration_accuracy", accuracy.map(Value::Float)),
        ("metrics", metrics.and_then(toml_value)),
    ];
    let present = entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    manifest.provenance.extend(present);
}

fn provenance(trained: &Trained) -> Table {
    let mut table = match toml_value(&trained.provenance) {
        Some(Value::Table(table)) => table,
        Some(other) => Table::from_iter([("training".to_owned(), other)]),
        None => Table::new(),
    };
    table.insert("arch".into(), Value::String(trained.net.plan.arch.to_owned()));
    let program = concat!("oodwatch-export ", env!("CARGO_PKG_VERSION"));
    table.insert("exported_by".into(), Value::String(program.into()));
    table
}

/// Three digits are enough to judge by.
fn rounded(value: f32) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(f64::from(value))
}

/// JSON as TOML; null, which TOML lacks, is left out wherever it stands.
fn toml_value(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => return None,
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => Value::Float(number.as_f64()?),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().filter_map(toml_value).collect()),
        Json::Object(entries) => {
            Value::Table(entries.iter().filter_map(|(key, value)| Some((key.clone(), toml_value(value)?))).collect())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_becomes_toml_without_its_nulls() {
        let json = serde_json::json!({"a": null, "b": [1, null, 2.5], "c": {"d": true, "e": null}, "f": "x"});
        let text = toml::to_string(&toml_value(&json).unwrap()).unwrap();
        assert_eq!(text, "b = [1, 2.5]\nf = \"x\"\n\n[c]\nd = true\n");
    }
}
