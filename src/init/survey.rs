//! Looks at footage as it is recorded, for what makes a calibration on it worth less than its number of frames says.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use image::RgbImage;
use jiff::Timestamp;

use super::Concern;
use super::thumbnail::Thumbnail;
use crate::calibrate::effective_count;
use crate::health::{Health, HealthConfig, Kind, Meta, View};
use crate::view::ViewConfig;

/// A scene that lasts for so long, in seconds, stood still.
const STILL_S: f64 = 2.0;
/// Share of frames from which on duplicates, and bad pictures, are worth a word.
const SOME: f64 = 0.01;
/// Share of frames from which on standing still is.
const MUCH: f64 = 0.2;
/// Scenes among which an autocorrelation is looked for: the time that takes grows with their square.
const MOST_SCENES: usize = 10_000;

/// What was seen so far. Takes 8 bytes for a frame and 16 for a scene.
#[derive(Debug)]
pub struct Survey {
    health: Health,
    frames: u64,
    unreadable: u64,
    /// Frames by what is wrong with them.
    unhealthy: [u64; Kind::ALL.len()],
    contents: HashSet<u64>,
    duplicates: u64,
    scene: Option<Scene>,
    still: u64,
    /// Of the first frame of every scene.
    projections: Vec<[f32; 4]>,
}

/// Frames that show the same, one after the other.
#[derive(Debug)]
struct Scene {
    first: Thumbnail,
    began: Timestamp,
    last: Timestamp,
    frames: u64,
}

impl Scene {
    /// How many of its frames say nothing new: none of a scene that passed by.
    fn still(&self) -> u64 {
        let lasted = self.last.duration_since(self.began).as_secs_f64();
        if lasted >= STILL_S { self.frames - 1 } else { 0 }
    }
}

impl Survey {
    /// Of footage that is still to come, whose pictures are looked at as `[health]` says, and past what the camera's view masks.
    pub fn new(health: &HealthConfig, view: &ViewConfig) -> Self {
        Self {
            health: Health::new(health).with_view(view),
            frames: 0,
            unreadable: 0,
            unhealthy: [0; Kind::ALL.len()],
            contents: HashSet::new(),
            duplicates: 0,
            scene: None,
            still: 0,
            projections: Vec::new(),
        }
    }

    /// Looks at the next picture.
    pub fn look(&mut self, image: &RgbImage, meta: Meta) {
        self.frames += 1;
        for finding in &self.health.look(&View::of(image), meta).list {
            self.unhealthy[finding.kind as usize] += 1;
        }
        self.duplicates += u64::from(!self.contents.insert(content(image)));
        let thumbnail = Thumbnail::of(image);
        match &mut self.scene {
            Some(scene) if scene.first.resembles(&thumbnail) => {
                scene.frames += 1;
                scene.last = meta.captured_at;
            }
            scene => {
                self.still += scene.as_ref().map_or(0, Scene::still);
                self.projections.push(thumbnail.projections());
                let at = meta.captured_at;
                *scene = Some(Scene { first: thumbnail, began: at, last: at, frames: 1 });
            }
        }
    }

    /// Hears of a frame that was no picture.
    pub fn on_unreadable(&mut self) {
        self.unreadable += 1;
    }

    /// Pictures that were looked at.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// How many independent frames these are worth: as many as there were scenes, less what those have in common with the ones
    /// before them. What a score makes of them is another question, which `calibrate` answers.
    pub fn worth(&self) -> f64 {
        let step = self.projections.len().div_ceil(MOST_SCENES).max(1);
        let of = |which: usize| {
            let values: Vec<f32> = self.projections.iter().step_by(step).map(|all| all[which]).collect();
            effective_count(&values)
        };
        (0..4).map(of).fold(f64::INFINITY, f64::min)
    }

    /// What is wrong with the footage, for a calibration that takes `wanted` independent frames.
    pub fn concerns(&self, wanted: usize) -> Vec<Concern> {
        let frames = self.frames;
        let share = |found: u64| found as f64 / frames.max(1) as f64;
        let still = self.still + self.scene.as_ref().map_or(0, Scene::still);
        let worth = self.worth();
        let unreadable = Concern::Unreadable { found: self.unreadable, frames: frames + self.unreadable };
        let general = [
            (self.unreadable > 0, unreadable),
            (share(self.duplicates) >= SOME, Concern::Duplicates { found: self.duplicates, frames }),
            (share(still) >= MUCH, Concern::StoodStill { found: still, frames }),
            (worth < wanted as f64, Concern::LittleVariety { worth, wanted, frames }),
        ];
        let unhealthy = Kind::ALL.iter().zip(self.unhealthy).filter(|(kind, found)| {
            // How fast frames come while pictures are being written says nothing about the camera.
            !matches!(kind, Kind::Late | Kind::RateDrop) && share(*found) >= SOME
        });
        let unhealthy = unhealthy.map(|(kind, found)| Concern::Unhealthy { kind: *kind, found, frames });
        general.into_iter().filter_map(|(holds, concern)| holds.then_some(concern)).chain(unhealthy).collect()
    }
}

fn content(image: &RgbImage) -> u64 {
    let mut hasher = DefaultHasher::new();
    image.dimensions().hash(&mut hasher);
    image.as_raw().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;
    use std::time::Duration;

    /// Looks at pictures that come at 10 frames/s.
    fn surveyed(pictures: impl IntoIterator<Item = RgbImage>) -> Survey {
        let mut survey = Survey::new(&HealthConfig::default(), &ViewConfig::default());
        for (index, picture) in pictures.into_iter().enumerate() {
            let captured_at = Timestamp::from_millisecond(100 * index as i64).unwrap();
            survey.look(&picture, Meta { index: index as u64, captured_at, age: Duration::ZERO });
        }
        survey
    }

    /// A lively scene of its own for each seed, with noise that is never the same.
    fn scene(seed: u64, noise: &mut fastrand::Rng) -> RgbImage {
        let mut blocks = fastrand::Rng::with_seed(seed);
        let values: Vec<u8> = (0..64).map(|_| blocks.u8(40..200)).collect();
        RgbImage::from_fn(64, 64, |x, y| {
            let value = values[(x / 8 * 8 + y / 8) as usize];
            Rgb([0, 20, 40].map(|tint| value + tint / 2 + noise.u8(0..6)))
        })
    }

    fn scenes(seeds: impl IntoIterator<Item = u64>) -> Survey {
        let mut noise = fastrand::Rng::with_seed(99);
        surveyed(seeds.into_iter().map(|seed| scene(seed, &mut noise)))
    }

    #[test]
    fn footage_of_ever_new_scenes_is_worth_its_frames_and_raises_no_concern() {
        let survey = scenes(0..300);
        assert_eq!(survey.concerns(99), []);
        assert!(survey.worth() > 150.0, "{}", survey.worth());
    }

    #[test]
    fn standing_still_is_counted_in_frames_and_a_scene_that_passes_by_is_not() {
        // 14 s of the same, in two stretches; each other scene lasts for half a second.
        let still = std::iter::repeat_n(1000, 71).chain((0..160).map(|frame| frame / 5)).chain([2000; 71]);
        let survey = scenes(still);
        let found: Vec<_> =
            survey.concerns(20).into_iter().filter(|concern| matches!(concern, Concern::StoodStill { .. })).collect();
        assert_eq!(found, [Concern::StoodStill { found: 140, frames: 302 }]);
        assert!(found[0].to_string().starts_with("stood still for 140 of 302 frames"));
        let passing = scenes((0..300).map(|frame| frame / 5));
        assert!(!passing.concerns(20).iter().any(|concern| matches!(concern, Concern::StoodStill { .. })));
        assert!(passing.worth() <= 60.0);
    }

    #[test]
    fn the_same_picture_again_is_a_duplicate_and_as_such_also_frozen() {
        let mut noise = fastrand::Rng::with_seed(99);
        let frozen = scene(5, &mut noise);
        let fresh: Vec<_> = (10..100).map(|seed| scene(seed, &mut noise)).collect();
        let concerns = surveyed(std::iter::repeat_n(frozen, 11).chain(fresh)).concerns(1);
        assert!(concerns.contains(&Concern::Duplicates { found: 10, frames: 101 }), "{concerns:?}");
        let frozen = |concern: &Concern| matches!(concern, Concern::Unhealthy { kind: Kind::Frozen, .. });
        assert!(concerns.iter().any(frozen), "{concerns:?}");
    }

    #[test]
    fn dark_pictures_and_frames_that_are_none_are_told() {
        let mut noise = fastrand::Rng::with_seed(3);
        let dark = (0..50).map(|_| RgbImage::from_fn(64, 64, |_, _| Rgb([noise.u8(0..4); 3]))).collect::<Vec<_>>();
        let mut survey = surveyed(dark);
        survey.on_unreadable();
        let concerns = survey.concerns(1);
        let told: Vec<String> = concerns.iter().map(Concern::to_string).collect();
        assert!(told.iter().any(|told| told.starts_with("dark in 48 of 50 frames: switch on the light")), "{told:?}");
        assert!(told.iter().any(|told| told.starts_with("1 of 51 frames could not be read")), "{told:?}");
    }

    #[test]
    fn no_footage_is_worth_nothing() {
        let survey = surveyed([]);
        assert_eq!(survey.worth(), 0.0);
        assert_eq!(survey.concerns(1).len(), 1);
    }
}
