//! Runs the real program from the outside: what a user types, what comes back, and with which exit code.
//!
//! The network is a tiny one, written byte by byte by the tests themselves ([`support::onnx`]); no test needs a
//! camera, a GPU or the internet.

#![allow(clippy::unwrap_used)]

mod adopt;
mod calibrate;
mod commands;
mod config;
mod package;
mod run;
mod score;
mod support;
mod video;
