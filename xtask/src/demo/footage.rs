//! The demo's pictures as files, which is how a user would have them: CIFAR-10 as PNG, clips frame by frame, textures
//! in tiles, and the two that are made: black, and one picture over and over.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use image::{GenericImageView, RgbImage};

use crate::cifar;

/// Frames wider than this are scaled down to it, as a camera set to a smaller size would; it saves disk, not effort.
const WIDEST_FRAME_PX: u32 = 640;
/// Textures are cut into this many tiles per side.
const TILES_PER_SIDE: u32 = 4;

/// Writes the pictures of a CIFAR-10 file whose index is wanted, named by index and class.
///
/// # Errors
/// When the file cannot be read or the pictures cannot be written.
pub(super) fn cifar(file: &Path, folder: &Path, wanted: impl Fn(usize) -> bool) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let pictures = cifar::read_pictures(file)?;
    let mut paths = Vec::new();
    for (index, (label, picture)) in pictures.iter().enumerate().filter(|(index, _)| wanted(*index)) {
        let path = folder.join(format!("{index:05}-{}.png", cifar::class(*label)));
        save(picture, &path)?;
        paths.push(path);
    }
    Ok(paths)
}

/// Writes every frame of a clip.
///
/// # Errors
/// When ffmpeg cannot be started or cannot read the clip.
pub(super) fn clip(ffmpeg: &Path, clip: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let output = Command::new(ffmpeg)
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-i"])
        .arg(clip)
        .args(["-vf", &format!("scale='min({WIDEST_FRAME_PX},iw)':-2"), "-vsync", "0"])
        // Else a processor's vector instructions decide the last bits of a pixel, and a close result hangs on them.
        .args(["-sws_flags", "bicubic+accurate_rnd+bitexact+full_chroma_int"])
        .arg(folder.join("%05d.png"))
        .output()
        .with_context(|| format!("{} cannot be started", ffmpeg.display()))?;
    if !output.status.success() {
        bail!("ffmpeg cannot read {}: {}", clip.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    sorted_files(folder)
}

/// Cuts textures into tiles.
///
/// # Errors
/// When one cannot be read or written.
pub(super) fn tiles(textures: &[PathBuf], folder: &Path) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut paths = Vec::new();
    for texture in textures {
        let picture = image::open(texture).with_context(|| texture.display().to_string())?.to_rgb8();
        let name = texture.file_stem().unwrap_or_default().to_string_lossy();
        let (width, height) = (picture.width() / TILES_PER_SIDE, picture.height() / TILES_PER_SIDE);
        for (row, column) in (0..TILES_PER_SIDE).flat_map(|row| (0..TILES_PER_SIDE).map(move |column| (row, column))) {
            let path = folder.join(format!("{name}-{row}{column}.png"));
            save(&picture.view(column * width, row * height, width, height).to_image(), &path)?;
            paths.push(path);
        }
    }
    Ok(paths)
}

/// Writes one black picture of another picture's size and returns it as often as wanted.
///
/// # Errors
/// When the other picture cannot be read or this one not be written.
pub(super) fn black(like: &Path, path: &Path, frames: usize) -> Result<Vec<PathBuf>> {
    let (width, height) = image::image_dimensions(like).with_context(|| like.display().to_string())?;
    save(&RgbImage::new(width, height), path)?;
    Ok(vec![path.to_path_buf(); frames])
}

fn save(picture: &RgbImage, path: &Path) -> Result<()> {
    picture.save(path).with_context(|| path.display().to_string())
}

fn sorted_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_texture_becomes_sixteen_tiles_in_reading_order() {
        let folder = tempfile::tempdir().unwrap();
        let texture = folder.path().join("brick.png");
        RgbImage::from_fn(8, 8, |x, y| image::Rgb([x as u8, y as u8, 0])).save(&texture).unwrap();
        let tiles = tiles(&[texture], &folder.path().join("tiles")).unwrap();
        assert_eq!(tiles.len(), 16);
        assert!(tiles[1].ends_with("brick-01.png"));
        let second = image::open(&tiles[1]).unwrap().to_rgb8();
        assert_eq!((second.dimensions(), second.get_pixel(0, 0)), ((2, 2), &image::Rgb([2, 0, 0])));
    }

    #[test]
    fn black_frames_have_the_size_of_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other.png");
        RgbImage::from_pixel(7, 5, image::Rgb([9, 9, 9])).save(&other).unwrap();
        let frames = black(&other, &folder.path().join("black.png"), 3).unwrap();
        assert_eq!(frames.len(), 3);
        assert_eq!(image::open(&frames[0]).unwrap().to_rgb8(), RgbImage::new(7, 5));
    }
}
