//! What each score costs per frame at K=1000, C=1280, on synthetic outputs: `cargo bench --bench scores`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use oodwatch::score::synthetic::{Synthetic, SyntheticFrame};
use oodwatch::score::{Parameters, ScoreName, Scorers, TemperatureParameters};

const CLASSES: usize = 1000;
const FEATURES: usize = 1280;

fn scores(criterion: &mut Criterion) {
    let mut synthetic = Synthetic::new(CLASSES, FEATURES, 0);
    let parameters = Parameters { temperature: TemperatureParameters { t: Some(2.0) }, ..Parameters::default() };
    let fitted = synthetic.fit(ScoreName::PLAIN, parameters, 2 * FEATURES).expect("synthetic frames fit every score");
    let frames: Vec<SyntheticFrame> = (0..64).map(|_| synthetic.frame()).collect();
    let model = synthetic.model(&fitted);
    let without_knn: Vec<ScoreName> = ScoreName::PLAIN.iter().copied().filter(|name| *name != ScoreName::Knn).collect();
    let each = ScoreName::PLAIN.iter().map(|name| (name.to_string(), vec![*name]));

    let mut group = criterion.benchmark_group("scores");
    for (label, names) in each.chain([("all but knn".to_string(), without_knn)]) {
        let mut scorers = Scorers::new(&names, &model).expect("every score was fitted");
        let mut frames = frames.iter().cycle();
        group.bench_function(BenchmarkId::new("K=1000 C=1280", label), |bencher| {
            bencher.iter(|| black_box(scorers.score(&frames.next().expect("a cycle never ends").outputs()).len()));
        });
    }
    group.finish();
}

criterion_group!(benches, scores);
criterion_main!(benches);
