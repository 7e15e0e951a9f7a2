//! Graphs in half precision, node by node, and what is refused.

use half::f16;
use oodwatch::onnx::build;
use oodwatch::onnx::proto::{DataType, GraphProto};

use super::inner::Inner;
use super::tests::{declared, file, graph, nodes};
use super::*;

fn in_halves(graph: GraphProto) -> Result<Vec<u8>, QuantizeError> {
    let bytes = file(graph, 17);
    let model = Model::parse(&bytes).unwrap();
    let inner = Inner::of(&model.graph).unwrap();
    fp16::tensors(&model.graph, &inner)?;
    fp16::write(&bytes, &model, &inner, declared())
}

#[test]
fn halves_reach_from_a_cast_of_the_input_to_a_cast_of_the_last_inner_layer() {
    let bytes = in_halves(graph()).unwrap();
    let wanted = [
        "Cast input -> input.half",
        "Conv input.half a.weight.half a.bias.half -> a",
        "Relu a -> a.relu",
        "Conv a.relu b.weight.half b.bias.half -> b",
        "Add b a.relu -> sum",
        "Relu sum -> sum.relu",
        "Conv sum.relu c.weight.half c.bias.half -> c",
        "Cast c -> c.f32",
        "Relu c.f32 -> map",
        "GlobalAveragePool map -> pooled",
        "Flatten pooled -> features",
        "Gemm features head head.bias -> logits",
        "Conv map local.weight -> local_logits",
    ];
    assert_eq!(nodes(&bytes), wanted);
    let (model, original) = (Model::parse(&bytes).unwrap(), file(graph(), 17));
    let original = Model::parse(&original).unwrap();
    for name in ["a.weight", "a.bias", "c.weight"] {
        assert!(!model.graph.has(name), "{name} is still there");
        let stored = model.graph.constant(&format!("{name}.half")).unwrap().unwrap();
        assert_eq!(stored.data_type, Some(DataType::Float16.into()));
        let (_, values) = original.graph.constant(name).unwrap().unwrap().floats().unwrap();
        let raw = stored.raw_data.unwrap();
        let halves = raw.as_chunks::<2>().0.iter().map(|bytes| f16::from_le_bytes(*bytes));
        for (half, value) in halves.zip(values) {
            // Half of the last of 11 bits.
            assert!((half.to_f32() - value).abs() <= value.abs() * 2.0_f32.powi(-11), "{value} became {half}");
        }
    }
}

#[test]
fn what_does_not_fit_into_halves_is_refused_by_name() {
    let text = |graph| in_halves(graph).unwrap_err().to_string();
    let mut large = graph();
    large.initializer[2] = build::floats("b.weight", &[4, 4, 1, 1], (0..16).map(|at| at as f32 * 5000.0));
    assert!(text(large).contains(r#"tensor "b.weight" holds 70000, half precision ends at 65504"#));
    let mut resized = graph();
    resized.node[1].op_type = Some("Resize".into());
    assert!(text(resized).contains(r#"operator Resize (output "a.relu") is not known to take half precision"#));
}
