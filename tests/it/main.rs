//! Runs the real program from the outside: what a user types, what comes back, and with which exit code.
//!
//! The network is a tiny one, written byte by byte by the tests themselves ([`support::onnx`]); no test needs a
//! camera, a GPU or the internet. Cameras are those of a real kernel that runs as a process ([`support::lab`]).

#![allow(clippy::unwrap_used)]

mod adopt;
mod bench;
mod board;
mod calibrate;
mod camera;
mod cameras;
mod commands;
mod config;
mod decide;
mod drift;
mod evidence;
mod expected;
mod faults;
mod fuzz;
mod health;
mod init;
mod lanes;
mod package;
mod pipe;
mod prepared;
mod rates;
mod reference;
mod reset;
mod run;
mod scaled;
mod schedule;
mod score;
mod self_test;
mod support;
mod systemd;
mod v4l2;
mod video;
mod view;
mod watchdog;
