//! Integration tests of `oodwatch-export`; one binary.

#![allow(clippy::unwrap_used)]

mod resume;
mod seed;
