//! The network's outputs on footage, on disk: how long a video is shows only at its end, and its parts are wanted
//! after that. One run of the network serves fitting and thresholds, in bounded memory.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::score::Outputs;

/// Why outputs cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("calibrate: the temporary file for {frames} frames in {}: {source}", dir.display())]
pub struct SpoolError {
    /// The folder it is in.
    dir: PathBuf,
    /// Frames it holds.
    frames: usize,
    /// The operating system's word on it.
    source: io::Error,
}

/// Rows of logits, features and local norms in a nameless temporary file.
pub struct Spool {
    dir: PathBuf,
    file: BufWriter<File>,
    /// Numbers of logits, features and local norms per frame.
    widths: [usize; 3],
    frames: usize,
    row: Vec<f32>,
    bytes: Vec<u8>,
}

impl Spool {
    /// An empty one in the folder `dir`, for frames with this many logits, features and local norms (0 where the
    /// network has none).
    ///
    /// # Errors
    /// No temporary file can be made there.
    pub fn new(dir: &Path, logits: usize, features: usize, local_norms: usize) -> Result<Self, SpoolError> {
        let width = logits + features + local_norms;
        let failed = |source| SpoolError { dir: dir.into(), frames: 0, source };
        let file = std::fs::create_dir_all(dir).and_then(|()| tempfile::tempfile_in(dir)).map_err(failed)?;
        Ok(Self {
            dir: dir.into(),
            file: BufWriter::with_capacity(1 << 20, file),
            widths: [logits, features, local_norms],
            frames: 0,
            row: vec![0.0; width],
            bytes: vec![0; width * size_of::<f32>()],
        })
    }

    /// How many frames it holds.
    pub fn len(&self) -> usize {
        self.frames
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// Adds a frame's outputs.
    ///
    /// # Errors
    /// The disk is full, or the outputs do not have the widths that this was made for.
    pub fn push(&mut self, outputs: &Outputs<'_>) -> Result<(), SpoolError> {
        let found = [outputs.logits.len(), outputs.features.len(), outputs.local_norms.map_or(0, <[f32]>::len)];
        if found != self.widths {
            let problem = format!("outputs of widths {found:?}, wanted {:?}", self.widths);
            return Err(self.failed(io::Error::new(io::ErrorKind::InvalidInput, problem)));
        }
        let values = outputs.logits.iter().chain(outputs.features).chain(outputs.local_norms.unwrap_or(&[]));
        for (place, value) in self.bytes.chunks_exact_mut(size_of::<f32>()).zip(values) {
            place.copy_from_slice(&value.to_le_bytes());
        }
        self.file.write_all(&self.bytes).map_err(|source| self.failed(source))?;
        self.frames += 1;
        Ok(())
    }

    /// Lends the outputs of the frame of this number.
    ///
    /// # Errors
    /// The file cannot be read, or holds no such frame.
    pub fn read(&mut self, frame: usize) -> Result<Outputs<'_>, SpoolError> {
        self.file.flush().map_err(|source| self.failed(source))?;
        let start = (frame * self.bytes.len()) as u64;
        let file = self.file.get_ref();
        file.read_exact_at(&mut self.bytes, start).map_err(|source| self.failed(source))?;
        for (value, bytes) in self.row.iter_mut().zip(self.bytes.as_chunks::<4>().0) {
            *value = f32::from_le_bytes(*bytes);
        }
        let [logits, features, _] = self.widths;
        let (logits, rest) = self.row.split_at(logits);
        let (features, local_norms) = rest.split_at(features);
        let local_norms = (!local_norms.is_empty()).then_some(local_norms);
        Ok(Outputs { logits, features, local_norms, local_logits: None })
    }

    fn failed(&self, source: io::Error) -> SpoolError {
        SpoolError { dir: self.dir.clone(), frames: self.frames, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_as_they_went_in_and_in_any_order() {
        let mut spool = Spool::new(&std::env::temp_dir(), 2, 3, 1).unwrap();
        for i in 0..100 {
            let x = i as f32;
            let outputs = Outputs {
                logits: &[x, -x],
                features: &[x, x + 0.5, x * 2.0],
                local_norms: Some(&[x * 3.0]),
                local_logits: None,
            };
            spool.push(&outputs).unwrap();
        }
        for i in [99, 0, 57] {
            let outputs = spool.read(i).unwrap();
            assert_eq!((outputs.logits[1], outputs.features[1]), (-(i as f32), i as f32 + 0.5));
            assert_eq!(outputs.local_norms, Some(&[i as f32 * 3.0][..]));
        }
        assert!(spool.read(100).is_err());
    }
}
