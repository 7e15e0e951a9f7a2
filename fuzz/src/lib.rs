//! What is fuzzed: everything of oodwatch that reads bytes which somebody else made.

pub mod targets;
