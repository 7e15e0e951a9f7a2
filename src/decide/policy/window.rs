//! The last frames of a k-of-n rule, one bit each.

use super::Rule;

/// Longest window of a k-of-n rule, in frames.
pub const LONGEST_WINDOW: u32 = u128::BITS;

/// Which of the last frames were strange.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// The latest frame is the lowest bit.
    bits: u128,
    mask: u128,
    length: u32,
    filled: u32,
}

impl Window {
    /// An empty one of the rule's length; other rules have none.
    pub(super) fn new(rule: &Rule) -> Self {
        let length = match rule {
            Rule::KOfN { window, .. } => (*window).clamp(1, LONGEST_WINDOW),
            Rule::Cusum { .. } | Rule::Martingale { .. } => 1,
        };
        Self { bits: 0, mask: u128::MAX >> (LONGEST_WINDOW - length), length, filled: 0 }
    }

    /// Adds a frame; the oldest falls out of a full window.
    pub(super) fn push(&mut self, strange: bool) {
        self.bits = ((self.bits << 1) | u128::from(strange)) & self.mask;
        self.filled = self.length.min(self.filled + 1);
    }

    /// How many of its frames were strange.
    pub(super) fn strange(&self) -> u32 {
        self.bits.count_ones()
    }

    /// Whether as many frames as fit were seen.
    pub(super) fn is_full(&self) -> bool {
        self.filled == self.length
    }

    /// Forgets all frames.
    pub(super) fn clear(&mut self) {
        (self.bits, self.filled) = (0, 0);
    }
}
