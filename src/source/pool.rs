//! Memory for camera frames, used again and again: a frame's bytes come home when it has been judged or dropped.

use std::fmt;
use std::mem;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// Most buffers that are kept: one is being filled, one waits, one is being judged.
const MAX_SPARE: usize = 3;

/// Where buffers wait for their next frame.
#[derive(Debug, Default)]
pub struct Pool {
    spare: Mutex<Vec<Vec<u8>>>,
}

impl Pool {
    /// A buffer to fill: one that was used before, or an empty one.
    pub fn take(&self) -> Vec<u8> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Keeps a buffer for later.
    pub fn put(&self, bytes: Vec<u8>) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MAX_SPARE {
            spare.push(bytes);
        }
    }

    /// Sends a filled buffer on its way, from which it will come back.
    pub fn send(self: &Arc<Self>, bytes: Vec<u8>) -> FrameBytes {
        FrameBytes { bytes, home: Some(Arc::clone(self)) }
    }
}

/// The bytes of a frame.
pub struct FrameBytes {
    bytes: Vec<u8>,
    home: Option<Arc<Pool>>,
}

impl From<Vec<u8>> for FrameBytes {
    /// Bytes that are freed when they are no longer needed.
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, home: None }
    }
}

impl FrameBytes {
    /// To be filled anew.
    pub(crate) fn as_vec(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl Deref for FrameBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for FrameBytes {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            home.put(mem::take(&mut self.bytes));
        }
    }
}

impl fmt::Debug for FrameBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_home_and_is_filled_again() {
        let pool = Arc::new(Pool::default());
        let sent = pool.send(vec![7; 1000]);
        let place = sent.as_ptr();
        assert_eq!(&sent[..3], [7; 3]);
        drop(sent);
        let taken = pool.take();
        assert_eq!(taken.as_ptr(), place);
        assert_eq!(pool.take().capacity(), 0);
    }

    #[test]
    fn only_so_many_are_kept() {
        let pool = Arc::new(Pool::default());
        let sent: Vec<_> = (0..10).map(|_| pool.send(vec![0; 10])).collect();
        drop(sent);
        assert_eq!(pool.spare.lock().unwrap().len(), MAX_SPARE);
    }
}
