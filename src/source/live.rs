//! What a live source tells besides its frames: whether they flow, and how many never came out of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Shared between a live source and the monitor. Newer words replace older ones.
#[derive(Debug, Default)]
pub struct Live {
    condition: AtomicU8,
    dropped: AtomicU64,
    /// What the source tells that this one wraps.
    beneath: Option<Arc<Live>>,
}

/// How a live source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Condition {
    /// Frames flow.
    #[default]
    Streaming,
    /// No frame for longer than the rate explains.
    Silent,
    /// Buffers come, but it is the same frame again and again.
    Frozen,
    /// The camera is gone or broken down, and is being opened anew.
    Lost,
}

impl Condition {
    const ALL: [Self; 4] = [Self::Streaming, Self::Silent, Self::Frozen, Self::Lost];
}

impl Live {
    /// Of a source that wraps another: what that one says holds wherever this one has nothing to add.
    pub fn above(beneath: Option<Arc<Self>>) -> Self {
        Self { beneath, ..Self::default() }
    }

    /// How the source is now.
    pub fn condition(&self) -> Condition {
        let place = usize::from(self.condition.load(Ordering::Relaxed));
        match (Condition::ALL.get(place).copied().unwrap_or(Condition::Lost), &self.beneath) {
            (Condition::Streaming, Some(beneath)) => beneath.condition(),
            (condition, _) => condition,
        }
    }

    /// Says how the source is from now on.
    pub fn set_condition(&self, condition: Condition) {
        self.condition.store(condition as u8, Ordering::Relaxed);
    }

    /// Frames that were captured but did not come out of the source.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed) + self.beneath.as_ref().map_or(0, |beneath| beneath.dropped())
    }

    /// Counts frames that do not come out of the source.
    pub fn add_dropped(&self, frames: u64) {
        self.dropped.fetch_add(frames, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_condition_holds() {
        let live = Live::default();
        assert_eq!(live.condition(), Condition::Streaming);
        for condition in Condition::ALL {
            live.set_condition(condition);
            assert_eq!(live.condition(), condition);
        }
    }

    #[test]
    fn what_a_wrapped_source_tells_shines_through() {
        let beneath = Arc::new(Live::default());
        let live = Live::above(Some(Arc::clone(&beneath)));
        beneath.set_condition(Condition::Silent);
        beneath.add_dropped(2);
        live.add_dropped(1);
        assert_eq!((live.condition(), live.dropped()), (Condition::Silent, 3));
        live.set_condition(Condition::Lost);
        assert_eq!(live.condition(), Condition::Lost);
    }
}
