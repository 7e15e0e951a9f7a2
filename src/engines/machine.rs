//! What a machine says of its GPU and its libraries.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The first line of a file, without the zero that ends texts of the device tree.
pub(super) fn first_line(path: &Path) -> Option<String> {
    let text = String::from_utf8_lossy(&fs::read(path).ok()?).into_owned();
    let line = text.lines().next()?.trim_end_matches('\0').trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Of a card what its driver says, of a Jetson the board's name.
pub(super) fn gpu(root: &Path) -> Option<String> {
    let cards = fs::read_dir(root.join("proc/driver/nvidia/gpus")).into_iter().flatten().filter_map(Result::ok);
    let model = |card: PathBuf| {
        let text = fs::read_to_string(card.join("information")).ok()?;
        text.lines().find_map(|line| line.strip_prefix("Model:")).map(|model| model.trim().to_owned())
    };
    let mut models: Vec<String> = cards.filter_map(|card| model(card.path())).collect();
    models.sort();
    if models.is_empty() { first_line(&root.join("proc/device-tree/model")) } else { Some(models.join(", ")) }
}

/// The library's file is called libnvinfer.so.MAJOR.MINOR.PATCH; shorter names are links to it.
pub(super) fn tensorrt(root: &Path) -> Option<String> {
    let beside = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let usual = ["usr/lib/aarch64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/local/lib", "usr/lib"];
    let folders = env::split_paths(&beside).chain(usual.iter().map(|folder| root.join(folder)));
    let versions = |folder: PathBuf| {
        let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut found: Vec<String> =
            names.filter_map(|name| name.strip_prefix("libnvinfer.so.").map(str::to_owned)).collect();
        found.sort_by_key(|version| (version.len(), version.clone()));
        found.pop()
    };
    folders.into_iter().find_map(versions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_read_as_its_files_say() {
        let root = tempfile::tempdir().unwrap();
        let file = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!((gpu(root.path()), first_line(&root.path().join("etc/nv_tegra_release"))), (None, None));
        file("proc/device-tree/model", "NVIDIA Jetson Orin Nano Developer Kit\0");
        file("etc/nv_tegra_release", "# R36 (release), REVISION: 4.3, GCID: 38968081\nmore\n");
        for name in ["libnvinfer.so", "libnvinfer.so.10", "libnvinfer.so.10.3.0", "libnvinfer_plugin.so.10.3.0"] {
            file(&format!("usr/lib/aarch64-linux-gnu/{name}"), "");
        }
        assert_eq!(gpu(root.path()).unwrap(), "NVIDIA Jetson Orin Nano Developer Kit");
        let release = first_line(&root.path().join("etc/nv_tegra_release"));
        assert_eq!(release.unwrap(), "# R36 (release), REVISION: 4.3, GCID: 38968081");
        assert_eq!(tensorrt(root.path()).unwrap(), "10.3.0");
        file("proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA H100\nIRQ: 1\n");
        assert_eq!(gpu(root.path()).unwrap(), "NVIDIA H100");
    }
}
