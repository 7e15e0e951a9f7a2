//! Tells a robot, in real time, that its camera sees something its network was never trained for.
//!
//! This page is the way of a frame. Each step is a module, and the module, its TOML table, its errors and its
//! timings share one word.
//!
//! ```text
//!  source ──► decode ──► preprocess ──► infer ──► score ──► decide ──► sink
//!  (a thread     └────────── the judging thread, one for all cameras ─────┘
//!   per camera)
//! ```
//!
//! 1. A [`source`] reads frames (pictures on disk, a video through ffmpeg, a camera by V4L2, or what a command writes) and
//!    stamps each with the time it was taken. It runs in a thread of its own and hands frames over through a queue of bounded length; of a
//!    camera the newest frame wins.
//! 2. [`decode`] turns a frame's bytes into an RGB picture, or counts it as bad. A camera's raw frame only has its length
//!    checked: making colours of all its pixels would be most of the work. JPEG pictures may be decoded to a smaller size.
//! 3. [`preprocess`] resizes and normalises the picture into the network's input, the same way as in training; of a raw frame it
//!    reads the camera's bytes as they are.
//! 4. [`infer`] runs the network in ONNX Runtime: logits, the pooled feature, and the local outputs.
//! 5. [`score`] makes numbers of them, by scores that [`fit`] fitted. HIGHER MEANS MORE OUT-OF-DISTRIBUTION, for
//!    every score.
//! 6. A judge ([`calibrate`]) holds one score, or several combined, against its conformal threshold; [`decide`] weighs
//!    frames over time ([`decide::policy`]), names a state, and latches faults that somebody has to look at. Only `nominal` is
//!    safe; silence beyond the deadline is a fault.
//! 7. A [`sink`] delivers the [`verdict`]: one JSON line, also when no frame came.
//!
//! [`health`] looks at each picture on its way: whether it is worth judging at all. [`drift`] looks at the p-values of many: whether
//! it is time to calibrate again. [`board`] looks at the machine: whether heat or its supply slows it down; [`schedule`] says on which of its cores all of this runs, and before whom. [`init`] records what a new robot is to know; [`notify`] tells systemd how a run is.
//!
//! [`monitor`] is the loop around these steps, in which the cameras take turns, and the thread that speaks when it hangs;
//! [`pipeline`] is the judging part of it (preprocess, infer, score), which `run`, `score`, `calibrate` and `bench` share.
//! What a network needs to be used this way lies in a [`package`]: a folder with the ONNX file, a manifest, the
//! calibration and golden vectors. [`open`] puts one to work, or several calibrations of one network, after the
//! [`self_test`] has shown that this machine computes what the package's maker computed. [`config`] reads the TOML file
//! that describes a monitor. [`evaluation`] holds the metrics by which scores are compared, and [`evidence`] writes the
//! page that a safety case can refer to. [`engines`] keeps what TensorRT builds of a network, and what ONNX Runtime prepares of one. [`adopt`] makes a package of a network that somebody else trained, working on
//! [`onnx`] files.
//!
//! ```no_run
//! use std::path::Path;
//! use oodwatch::{calibrate::Criterion, config::ModelConfig, open, package::Package};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = ModelConfig::new(Path::new("models/cifar10-resnet20"));
//! let package = Package::open(&model.package)?;
//! let criterion: Criterion = "energy".parse()?;
//! let mut pipeline = open::open(&package, &model, criterion.scores())?.pipeline;
//! let mut judge = open::judge(&package, &pipeline, &criterion)?;
//!
//! let picture = image::open("picture.png")?.into_rgb8();
//! let judged = pipeline.judge(&picture)?;
//! let judgement = judge.judge(&judged.scores, judged.top_class.map(|(class, _)| class));
//! println!("strange: {}, p = {:?}", judgement.flag, judgement.p_value);
//! # Ok(())
//! # }
//! ```
//!
//! Invariants, things deliberately absent: no network access; no `unsafe` (system calls to cameras are made by the
//! crate `oodwatch-v4l2`, products of small integers by `oodwatch-dot`); no score that needs gradients; no step down to another execution provider unless the
//! config allows it; no frame that was taken from its source is judged twice or lost uncounted.

#![cfg_attr(test, allow(clippy::unwrap_used))]
#![forbid(unsafe_code)]

pub mod adopt;
pub mod board;
pub mod calibrate;
pub mod config;
pub mod decide;
pub mod decode;
pub mod drift;
pub mod engines;
pub mod evaluation;
pub mod evidence;
pub mod fit;
pub mod health;
pub mod infer;
pub mod init;
pub mod monitor;
pub mod notify;
pub mod onnx;
pub mod open;
pub mod package;
pub mod pipeline;
pub mod preprocess;
pub mod schedule;
pub mod score;
pub mod self_test;
mod simd;
pub mod sink;
pub mod source;
pub mod synthetic;
pub mod verdict;
pub mod view;
