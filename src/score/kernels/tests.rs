use super::*;

#[test]
fn exponentials_agree_with_the_standard_library() {
    for step in -70_000..7_000 {
        let x = f64::from(step) * 0.009_97;
        let (got, want) = (exp_inline(x), x.exp());
        assert!((got - want).abs() <= 4.5e-16 * want, "exp({x}) is {got}, wanted {want}");
    }
    assert_eq!(exp_inline(0.0), 1.0);
    assert_eq!(exp_inline(-1e9), 0.0);
    assert!(exp_inline(f64::NAN).is_nan());
}

#[test]
fn the_maximum_of_anything_with_a_nan_is_nan_wherever_it_stands() {
    let mut values = vec![1.0_f32; 37];
    assert_eq!(maximum(&values), 1.0);
    for place in 0..values.len() {
        values[place] = f32::NAN;
        assert!(maximum(&values).is_nan(), "place {place}");
        values[place] = 1.0;
    }
    values[36] = f32::INFINITY;
    assert_eq!(maximum(&values), f64::INFINITY);
}

#[test]
fn huge_logits_do_not_overflow() {
    assert!((log_sum_exp(&[3e4, 3e4]) - (3e4 + 2.0_f64.ln())).abs() < 1e-9);
    assert_eq!(log_sum_exp(&[f32::NEG_INFINITY, 0.0]), 0.0);
}

#[test]
fn chosen_rows_add_up_as_in_a_plain_loop() {
    for (count, columns) in [(0, 5), (1, 16), (7, 1), (8, 33), (21, 50)] {
        let matrix: Vec<f32> = (0..40 * columns).map(|i| (i as f32 * 0.37).sin()).collect();
        let picked: Vec<(u32, f64)> = (0..count).map(|i| ((i * 13) % 40, f64::from(i) - 3.5)).collect();
        let (mut got, mut want) = (vec![1.0; columns], vec![1.0; columns]);
        add_rows(&matrix, &picked, &mut got);
        for (row, weight) in &picked {
            for (column, want) in want.iter_mut().enumerate() {
                *want += weight * f64::from(matrix[*row as usize * columns + column]);
            }
        }
        assert!(got.iter().zip(&want).all(|(got, want)| (got - want).abs() <= 1e-15 * 250.0), "{count} rows");
    }
}

#[test]
fn sums_agree_with_a_plain_loop_and_a_nan_is_found_wherever_it_stands() {
    let mut values: Vec<f32> = (0..37).map(|i| i as f32 * 0.5).collect();
    assert_eq!(sum(&values), 0.5 * 36.0 * 37.0 / 2.0);
    assert!(!has_nan(&values));
    for place in 0..values.len() {
        let kept = std::mem::replace(&mut values[place], f32::NAN);
        assert!(has_nan(&values) && sum(&values).is_nan(), "place {place}");
        values[place] = kept;
    }
}

#[test]
fn logits_are_taken_relative_to_the_largest() {
    for count in [1, 2, 16, 33] {
        let logits: Vec<f64> = (0..count).map(|i| f64::from(i % 7) - 1e6).collect();
        let mut relative = vec![0.0; logits.len()];
        let max = relative_to_largest(&logits, &mut relative);
        assert_eq!(max, f64::from((count - 1).min(6)) - 1e6);
        assert!(relative.iter().zip(&logits).all(|(relative, logit)| f64::from(*relative) == logit - max));
    }
}
