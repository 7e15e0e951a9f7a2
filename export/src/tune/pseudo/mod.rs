//! Pictures that stand in for out-of-distribution ones, made of in-distribution pictures alone.
//!
//! They are made of the validation half of the ID pictures, on which no network was trained: a training picture scores
//! lower for having been learnt, and what is made of it is compared with pictures that were not. Each stands for a kind of
//! real OOD picture and was chosen for that reason, never for how well it does on one. Jigsaws and means of two pictures
//! are what the code of Outlier Exposure (Hendrycks et al., ICLR 2019) tunes on, too. Its blurred, inverted and
//! colour-shifted pictures are left out: they still show their class, and a network that knows it is right.

mod parts;
mod texture;

use std::fmt;

use image::RgbImage;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::TuneError;
use crate::config::{ConfigError, ensure};
use crate::evaluate::Group;
use crate::pictures::Pictures;

/// A way to spoil a picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pseudo {
    /// Cut into n x n tiles, none of which stays where it was. With 2, an object of known parts that is not a known
    /// thing (near); with 4 and more, clutter of known colours and edges without an object (far).
    Jigsaw(u32),
    /// One half of it, the other half of a picture of another class: things that are a bit of two classes (near).
    Halves,
    /// The mean of it and a picture of another class: several things, transparent or in front of each other (near).
    Blend,
    /// A corner of that share of the side, mirrored until it fills the picture: a scene without an object, and a texture
    /// at its own scale (far). That OOD pictures share such regions with ID ones is the method's premise.
    Background(f64),
    /// Its amplitude spectrum with random phases: natural colours and sharpness without any form (far).
    Phase,
    /// Patches of two of its colours: signs, characters, drawings (far).
    Blobs,
}

impl Pseudo {
    /// What is used where a config names nothing.
    pub const DEFAULT: [Self; 7] =
        [Self::Jigsaw(2), Self::Halves, Self::Blend, Self::Jigsaw(4), Self::Background(0.25), Self::Phase, Self::Blobs];

    /// The kind of real pictures that it stands for.
    pub fn group(self) -> Group {
        match self {
            Self::Jigsaw(2 | 3) | Self::Halves | Self::Blend => Group::Near,
            Self::Jigsaw(_) | Self::Background(_) | Self::Phase | Self::Blobs => Group::Far,
        }
    }

    /// Refuses a setting out of range.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match *self {
            Self::Jigsaw(n) => ensure((2..=8).contains(&n), "tune.sets.jigsaw", n, "from 2 to 8 tiles in a row"),
            Self::Background(share) => {
                let good = share > 0.0 && share <= 0.5;
                ensure(good, "tune.sets.background", share, "above 0, at most 0.5 of the side")
            }
            Self::Halves | Self::Blend | Self::Phase | Self::Blobs => Ok(()),
        }
    }

    /// The picture `own` spoilt; `other` is one of another class.
    fn spoil(self, own: &RgbImage, other: &RgbImage, rng: &mut impl Rng) -> RgbImage {
        match self {
            Self::Jigsaw(tiles) => parts::jigsaw(own, tiles, rng),
            Self::Halves => parts::halves(own, other, rng),
            Self::Blend => parts::blend(own, other),
            Self::Background(share) => texture::background(own, share, rng),
            Self::Phase => texture::phase(own, rng),
            Self::Blobs => texture::blobs(own, rng),
        }
    }
}

impl fmt::Display for Pseudo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jigsaw(tiles) => write!(f, "jigsaw {tiles}"),
            Self::Halves => f.write_str("halves"),
            Self::Blend => f.write_str("blend"),
            Self::Background(share) => write!(f, "background {share}"),
            Self::Phase => f.write_str("phase"),
            Self::Blobs => f.write_str("blobs"),
        }
    }
}

/// One spoilt picture for each of `indices`, the same for the same seed whatever the other sets are.
///
/// # Errors
/// Pictures that cannot be read, or that are all of one class.
pub(super) fn make(set: Pseudo, id: &Pictures, indices: &[usize], seed: u64) -> Result<Pictures, TuneError> {
    let by_class = ByClass::new(id, indices);
    let images = indices.iter().map(|&index| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index as u64);
        let other = by_class.other(id.label(index), &mut rng).ok_or(TuneError::OneClass)?;
        Ok(set.spoil(&id.read(index)?, &id.read(other)?, &mut rng))
    });
    Ok(Pictures::Made(images.collect::<Result<_, TuneError>>()?))
}

/// So many of `indices`, spread evenly; all of them without a number or with one that is larger.
pub(super) fn spread_evenly(indices: &[usize], count: Option<usize>) -> Vec<usize> {
    let count = count.unwrap_or(indices.len()).min(indices.len());
    (0..count).map(|nth| indices[nth * indices.len() / count]).collect()
}

/// Indices in the order of their classes.
struct ByClass(Vec<(Option<usize>, usize)>);

impl ByClass {
    fn new(id: &Pictures, indices: &[usize]) -> Self {
        let mut all: Vec<_> = indices.iter().map(|&index| (id.label(index), index)).collect();
        all.sort_unstable();
        Self(all)
    }

    /// Any picture of another class; none when there is no other class.
    fn other(&self, class: Option<usize>, rng: &mut impl Rng) -> Option<usize> {
        let from = self.0.partition_point(|(of, _)| *of < class);
        let to = self.0.partition_point(|(of, _)| *of <= class);
        let others = self.0.len() - (to - from);
        let nth = (others > 0).then(|| rng.random_range(0..others))?;
        Some(self.0[if nth < from { nth } else { nth + to - from }].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;

    /// 8x8 pictures of one grey level each; picture i has class `labels[i]`.
    fn greys(labels: &[u16]) -> Pictures {
        let images = (0..labels.len()).flat_map(|i| [i as u8 * 10; 3 * 64]).collect();
        Pictures::Labelled(Dataset { images, labels: labels.to_vec(), height: 8, width: 8, class_names: Vec::new() })
    }

    #[test]
    fn the_same_seed_makes_the_same_pictures_whatever_else_is_made() {
        let id = greys(&[0, 1, 2, 0, 1, 2]);
        let bytes = |set, indices: &[usize], seed| {
            let made = make(set, &id, indices, seed).unwrap();
            (0..made.len()).map(|i| made.read(i).unwrap().into_raw()).collect::<Vec<_>>()
        };
        for set in Pseudo::DEFAULT {
            let found = bytes(set, &[0, 2, 4], 7);
            assert_eq!(found.len(), 3);
            assert_eq!(found, bytes(set, &[0, 2, 4], 7), "{set}");
            assert!(found.iter().all(|picture| picture.len() == 3 * 64), "{set}");
        }
        assert_ne!(bytes(Pseudo::Blend, &[0, 1, 2, 3, 4, 5], 7), bytes(Pseudo::Blend, &[0, 1, 2, 3, 4, 5], 8));
    }

    #[test]
    fn the_other_picture_is_any_of_the_pictures_of_another_class() {
        let labels = [1, 0, 1, 2, 1, 0];
        let by_class = ByClass::new(&greys(&labels), &[0, 1, 2, 3, 4, 5]);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for class in 0..3u16 {
            let mut found: Vec<usize> = (0..200).filter_map(|_| by_class.other(Some(class.into()), &mut rng)).collect();
            found.sort_unstable();
            found.dedup();
            let wanted: Vec<usize> = (0..6).filter(|&i| labels[i] != class).collect();
            assert_eq!(found, wanted);
        }
        let error = make(Pseudo::Blend, &greys(&[3, 3]), &[0, 1], 1).unwrap_err().to_string();
        assert!(error.contains("one class"), "{error}");
    }

    #[test]
    fn fewer_pictures_are_spread_over_all() {
        assert_eq!(spread_evenly(&[0, 2, 4, 6, 8], Some(2)), [0, 4]);
        assert_eq!(spread_evenly(&[0, 2, 4], Some(9)), [0, 2, 4]);
        assert_eq!(spread_evenly(&[0, 2, 4], None), [0, 2, 4]);
    }
}
