//! Every form of weight file gives the same numbers. The files lie in `tests/weights/` beside the
//! script that made them.

use super::*;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/weights").join(name)
}

fn wanted() -> Vec<(String, Vec<usize>)> {
    let shapes: [(&str, &[usize]); 7] = [
        ("conv1.weight", &[2, 3, 3, 3]),
        ("bn1.weight", &[2]),
        ("bn1.bias", &[2]),
        ("bn1.running_mean", &[2]),
        ("bn1.running_var", &[2]),
        ("linear.weight", &[3, 2]),
        ("linear.bias", &[3]),
    ];
    shapes.map(|(name, shape)| (name.to_owned(), shape.to_vec())).to_vec()
}

/// The numbers that `make.py` puts into every file.
fn expected() -> Tensors {
    let mut tensors = Tensors::default();
    for (index, (name, shape)) in wanted().into_iter().enumerate() {
        let count = shape.iter().product::<usize>();
        let values = (0..count).map(|i| (i % 17 + index) as f32 / 8.0 - 1.0).collect();
        tensors.insert(&name, Array::new(shape, values).unwrap());
    }
    tensors
}

fn refusal(name: &str, wanted: &[(String, Vec<usize>)]) -> String {
    load(&file(name), wanted).unwrap_err().to_string()
}

#[test]
fn every_common_form_gives_the_same_weights() {
    let forms = [
        "bare.pth",
        "plain_dict.pt",
        "bare_legacy.pth",
        "half.pth",
        "bfloat16.pth",
        "double_legacy.pth",
        "data_parallel.pth",
        "state_dict_module_legacy.th",
        "model_with_optimizer.pth",
        "strided_view.pth",
        "whole_module.pth",
        "half.safetensors",
    ];
    for form in forms {
        let found = load(&file(form), &wanted()).unwrap_or_else(|error| panic!("{form}: {error}"));
        assert_eq!(found, expected(), "{form}");
    }
}

#[test]
fn the_weights_themselves_are_taken_rather_than_their_moving_average() {
    assert_eq!(load(&file("model_with_ema.pth"), &wanted()).unwrap(), expected());
}

#[test]
fn two_equally_good_sets_of_weights_are_refused_by_name() {
    let text = refusal("two_nets.pth", &wanted());
    assert!(text.contains(r#"["student.", "teacher."]"#), "{text}");
}

#[test]
fn missing_unexpected_and_misshaped_names_are_all_listed() {
    let mut other = wanted();
    other[6].1 = vec![10];
    other[5].0 = "fc.weight".to_owned();
    let text = refusal("state_dict_module_legacy.th", &other);
    for part in [
        r#"start with "state_dict.module.""#,
        "missing (1):\n    fc.weight",
        "unexpected (1):\n    linear.weight",
        "of another shape (1):\n    linear.bias [3], wanted [10]",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn a_long_list_of_names_is_cut_short() {
    let many: Vec<_> = (0..20).map(|i| (format!("layer{i}.weight"), vec![1])).collect();
    let text = refusal("bare.pth", &many);
    assert!(text.contains("missing (20)") && text.contains("and 8 more"), "{text}");
}

#[test]
fn weights_that_are_not_finite_floats_are_refused_by_name() {
    let text = refusal("nan.pth", &wanted());
    assert!(text.contains(r#""linear.bias": 1 of 3 values are NaN"#), "{text}");
    let text = refusal("integer_bias.pth", &wanted());
    assert!(text.contains(r#""linear.bias" holds I64"#), "{text}");
}

#[test]
fn a_file_that_is_no_weight_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.pth");
    std::fs::write(&text, "these are not the weights you are looking for").unwrap();
    let error = load(&text, &wanted()).unwrap_err().to_string();
    assert!(error.contains("notes.pth: neither a safetensors file nor"), "{error}");

    let missing = load(&folder.path().join("absent.pth"), &wanted()).unwrap_err();
    assert!(matches!(missing, WeightsError::Read { .. }), "{missing}");
}

#[test]
fn a_truncated_file_is_refused_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["bare.pth", "bare_legacy.pth", "half.safetensors"] {
        let bytes = std::fs::read(file(name)).unwrap();
        let cut = folder.path().join(name);
        std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
        assert!(load(&cut, &wanted()).is_err(), "{name}");
    }
}
