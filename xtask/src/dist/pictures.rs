//! Pictures for a comparison of machines: known and unknown ones, lossless and JPEG, small and large, so that every stage
//! has something to do.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use image::RgbImage;

use crate::cifar;
use crate::fetch::Fetcher;

/// CIFAR-10 test pictures, which the network knows; every third one as JPEG.
const KNOWN: usize = 48;
/// Textures, which it does not know, of 512x512 pixels.
const TEXTURES: [&str; 3] = ["brick", "grass", "gravel"];

/// Fetches and writes the pictures into `folder`, and returns how many there are.
///
/// # Errors
/// When they cannot be had or written.
pub(super) fn write(fetcher: &Fetcher, folder: &Path) -> Result<usize> {
    fetcher.ensure_all(&["cifar10", "footage"])?;
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let known = cifar::read_pictures(&fetcher.paths.dep("cifar10").join("test_batch.bin"))?;
    let mut paths = Vec::new();
    for (index, (label, picture)) in known.iter().take(KNOWN).enumerate() {
        let ending = if index % 3 == 0 { "jpg" } else { "png" };
        paths.push(save(picture, folder.join(format!("{index:02}-{}.{ending}", cifar::class(*label))))?);
    }
    for name in TEXTURES {
        let path = fetcher.paths.dep("footage").join(format!("{name}.png"));
        let texture = image::open(&path).with_context(|| path.display().to_string())?.to_rgb8();
        paths.push(save(&texture, folder.join(format!("{name}.png")))?);
        paths.push(save(&texture, folder.join(format!("{name}.jpg")))?);
    }
    Ok(paths.len())
}

fn save(picture: &RgbImage, path: PathBuf) -> Result<PathBuf> {
    picture.save(&path).with_context(|| path.display().to_string())?;
    Ok(path)
}
