//! Integration tests of `oodwatch-export`; one binary.

#![allow(clippy::unwrap_used)]

mod ablate;
mod resume;
mod seed;
mod support;
mod tune;
