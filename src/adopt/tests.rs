//! What is found in a graph without running it, and that no damaged graph makes a panic of it.

use proptest::prelude::*;

use super::*;
use crate::onnx::Graph;
use crate::onnx::tests::sample;

fn found(graph: &Graph<'_>) -> (String, String) {
    let logits = find::logits(graph, None).unwrap();
    let features = find::features(graph, &logits.tensor, None).unwrap();
    (logits.tensor, features.tensor)
}

#[test]
fn the_logits_are_what_softmax_is_made_of_and_the_features_what_gemm_is_made_of() {
    let bytes = sample();
    let graph = Model::parse(&bytes).unwrap().graph;
    assert_eq!(found(&graph), ("logits".into(), "flat".into()));
    assert_eq!(find::pooled_map(&graph, "flat"), Some("image"));
    let linear = find::linear(&graph, "logits").unwrap();
    let head = head::read(&graph, &linear).unwrap().unwrap();
    assert_eq!((head.weight.dim(), head.bias.len()), ((4, 3), 4));
}

#[test]
fn a_tensor_with_a_reserved_name_is_renamed_and_the_output_gets_it() {
    let bytes = sample();
    let model = Model::parse(&bytes).unwrap();
    let surgery = Surgery::new(&bytes, &model, &Preprocessing::default()).unwrap();
    let outputs = Outputs { logits: "logits", classes: 4, features: "flat", channels: 3, pool: false, local: None };
    let finished = surgery.finish(&outputs).unwrap();
    let graph = Model::parse(&finished).unwrap().graph;
    assert_eq!(graph.outputs, ["logits", "features"]);
    assert_eq!(graph.producer("logits.original").unwrap().op, "Gemm");
    assert_eq!(graph.producer("logits").unwrap().op, "Flatten");
}

#[test]
fn large_pictures_are_fewer_but_never_one_alone() {
    let bytes = sample();
    let model = Model::parse(&bytes).unwrap();
    let mut spec = Surgery::new(&bytes, &model, &Preprocessing::default()).unwrap().input.spec;
    assert_eq!(pictures(&spec).unwrap().shape(), [8, 3, 8, 8]);
    (spec.width, spec.height) = (1024, 1024);
    assert_eq!(pictures(&spec).unwrap().shape()[0], 2);
}

/// All that is done to a file before and after it is run.
fn without_running(bytes: &[u8]) -> Result<(), AdoptError> {
    let model = Model::parse(bytes)?;
    let mut surgery = Surgery::new(bytes, &model, &Preprocessing::default())?;
    let logits = find::logits(&model.graph, None)?.tensor;
    let features = find::features(&model.graph, &logits, None)?.tensor;
    let head = find::linear(&model.graph, &logits).map(|linear| head::read(&model.graph, &linear)).transpose()?;
    surgery.exposing(&[&logits, &features])?;
    let head = head.flatten();
    let local = head.as_ref().zip(find::pooled_map(&model.graph, &features)).map(|(head, map)| {
        let size = LocalSpec { height: 1, width: 1 };
        Local { map, size, head, norm_scale: 1.0 }
    });
    let outputs = Outputs { logits: &logits, classes: 4, features: &features, channels: 3, pool: false, local };
    surgery.finish(&outputs)?;
    Ok(())
}

proptest! {
    #[test]
    fn damaged_networks_are_adopted_or_refused_but_never_a_panic(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        keep in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = sample();
        for (place, value) in flips {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Some(keep) = keep {
            bytes.truncate(keep.index(bytes.len()));
        }
        let _ = without_running(&bytes);
    }
}
