//! What is compared: sizes, formats and networks, and the ways that a Python loop may take.

use std::fmt;

use oodwatch::decode::PixelFormat;
use serde::{Deserialize, Serialize};

/// Names and sizes in pixels.
const SIZES: [(&str, (u32, u32)); 3] = [("480p", (640, 480)), ("720p", (1280, 720)), ("1080p", (1920, 1080))];
const FORMATS: [PixelFormat; 3] = [PixelFormat::Yuyv, PixelFormat::Nv12, PixelFormat::Mjpg];

/// A network that both sides run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    /// The shipped CIFAR-10 one, 32x32.
    ResNet20,
    /// The architecture of EfficientNet-Lite0, 224x224.
    Lite0,
}

impl Network {
    pub(super) const ALL: [Self; 2] = [Self::ResNet20, Self::Lite0];
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::ResNet20 => "resnet20",
            Self::Lite0 => "lite0",
        })
    }
}

/// Frames of one size and format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Camera {
    pub(super) size: &'static str,
    pub(super) size_px: (u32, u32),
    pub(super) format: PixelFormat,
}

impl fmt::Display for Camera {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.size, self.format.to_string().to_lowercase())
    }
}

/// A camera and a network, such as `1080p-yuyv-resnet20`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) camera: Camera,
    pub(super) network: Network,
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.camera, self.network)
    }
}

impl Case {
    /// All cases.
    pub(super) fn all() -> Vec<Self> {
        let cameras = SIZES
            .into_iter()
            .flat_map(|(size, size_px)| FORMATS.into_iter().map(move |format| Camera { size, size_px, format }));
        cameras.flat_map(|camera| Network::ALL.map(|network| Self { camera, network })).collect()
    }

    /// Those whose name contains one of these words, or all when there is none.
    pub(super) fn chosen(words: &[String]) -> Vec<Self> {
        let wanted =
            |case: &Self| words.is_empty() || words.iter().any(|word| case.to_string().contains(word.as_str()));
        Self::all().into_iter().filter(wanted).collect()
    }

    /// Whether the camera sends pixels as they are.
    pub(super) fn is_raw(self) -> bool {
        self.camera.format != PixelFormat::Mjpg
    }

    /// Who takes part where frames lie in memory.
    pub(super) fn in_memory(self) -> &'static [Peer] {
        if self.is_raw() { &[Peer::Ours, Peer::Linear, Peer::Area] } else { &Peer::OF_JPEG }
    }

    /// Who takes part where frames come through a pipe: beside those, oodwatch with a prepared network, which changes its start alone.
    pub(super) fn through_a_pipe(self) -> Vec<Peer> {
        [&[Peer::Ours, Peer::Prepared], &self.in_memory()[1..]].concat()
    }
}

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Peer {
    /// oodwatch.
    Ours,
    /// oodwatch with `[camera.decode] scaled`.
    Scaled,
    /// oodwatch with `[model.cpu] prepared`.
    Prepared,
    /// The Python loop with INTER_LINEAR, as users write it.
    Linear,
    /// The Python loop with INTER_AREA, which makes a picture as good as ours.
    Area,
    /// The Python loop of somebody who has the JPEG decoder make a smaller picture, and resizes that by INTER_AREA.
    Reduced,
}

impl Peer {
    /// Those of JPEG pictures in memory.
    const OF_JPEG: [Self; 5] = [Self::Ours, Self::Scaled, Self::Linear, Self::Area, Self::Reduced];
    /// The Python loops.
    pub(super) const OTHERS: [Self; 3] = [Self::Linear, Self::Area, Self::Reduced];
}

impl fmt::Display for Peer {
    /// The name that `examples/peer.rs` or `benches/peers/peer.py` has for the way.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ours => "whole",
            Self::Scaled => "scaled",
            Self::Prepared => "prepared",
            Self::Linear => "linear",
            Self::Area => "area",
            Self::Reduced => "reduced",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_chosen_by_any_part_of_their_name() {
        let names = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            Case::chosen(&words).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names(&[]).len(), 18);
        assert_eq!(names(&["1080p-yuyv"]), ["1080p-yuyv-resnet20", "1080p-yuyv-lite0"]);
        assert_eq!(names(&["nothing"]), [""; 0]);
    }

    #[test]
    fn a_prepared_network_is_measured_where_programs_start() {
        let peers = |name: &str| {
            let case = Case::chosen(&[name.to_owned()])[0];
            let names = |peers: &[Peer]| peers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            (names(case.in_memory()), names(&case.through_a_pipe()))
        };
        let wanted = |memory: &str, pipe: &str| (memory.to_owned(), pipe.to_owned());
        assert_eq!(peers("480p-nv12-lite0"), wanted("whole linear area", "whole prepared linear area"));
        let jpeg = wanted("whole scaled linear area reduced", "whole prepared scaled linear area reduced");
        assert_eq!(peers("480p-mjpg-lite0"), jpeg);
    }
}
