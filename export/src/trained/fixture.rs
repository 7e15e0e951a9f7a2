//! Networks and pictures that tests of several modules share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::checkpoint::Checkpoint;
use crate::data::DataSource;
use crate::model::{Net, Precision};

/// A checkpoint of ten classes whose batch norms are far from the identity, so that folding them matters.
pub(crate) fn write_checkpoint(folder: &Path, arch: &str) -> PathBuf {
    let net = Net::new(arch, 10, Precision::Fp32, 5).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut tensors = BTreeMap::new();
    for (name, shape, mut values) in net.params.export() {
        for value in &mut values {
            *value = match name.rsplit('.').next() {
                Some("running_mean") => rng.random_range(-0.2..0.2),
                Some("running_var") => rng.random_range(0.5..1.5),
                Some("bias") => rng.random_range(-0.3..0.3),
                Some("weight") if shape.len() == 1 => rng.random_range(0.3..0.9),
                _ => *value,
            };
        }
        tensors.insert(name, (shape, values));
    }
    let metadata = [
        ("arch", arch),
        ("classes", r#"["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]"#),
        ("normalise", r#"{"mean": [0.5, 0.4, 0.3], "std": [0.25, 0.2, 0.3]}"#),
        ("input", if net.plan.features == 64 { "[32, 32]" } else { "[64, 64]" }),
        ("provenance", r#"{"loss": {"lambda": 0.1}, "seed": 5, "start": null}"#),
    ];
    let metadata = metadata.map(|(key, text)| (key.to_owned(), text.to_owned())).into();
    let path = folder.join(format!("{arch}.safetensors"));
    Checkpoint { tensors, metadata }.write(&path).unwrap();
    path
}

/// A CIFAR file of random pictures; classes go round from 0 to 9.
pub(crate) fn write_pictures(folder: &Path, count: usize, seed: u64) -> DataSource {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let byte =
        |at: usize, rng: &mut ChaCha8Rng| if at.is_multiple_of(3073) { (at / 3073 % 10) as u8 } else { rng.random() };
    let bytes: Vec<u8> = (0..count * 3073).map(|at| byte(at, &mut rng)).collect();
    let path = folder.join(format!("pictures-{seed}.bin"));
    std::fs::write(&path, bytes).unwrap();
    DataSource::Cifar(vec![path])
}
