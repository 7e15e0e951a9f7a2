//! A seed gives the same network. Here and not beside the code, because libtorch's generator is one per
//! process and the unit tests draw from it in parallel.

use oodwatch_export::model::{Net, Precision};

#[test]
fn the_seed_decides_the_weights() {
    let weights = |seed| Net::new("resnet20", 10, Precision::Fp32, seed).unwrap().params.export();
    assert!(weights(3) == weights(3));
    assert!(weights(3) != weights(4));
}
