//! Trains image classifiers whose features stay quiet on what they do not know, and writes them as
//! model packages for the `oodwatch` runtime.
//!
//! The way of a network: [`config`] names the pictures, [`data`] reads them and cuts batches,
//! [`plan`] says what a network is made of and [`model`] runs it on a [`device`], filled with [`weights`] of others or fresh ones, [`loss`] and [`optim`]
//! move its weights, [`train`] does so over epochs and leaves a [`checkpoint`]. A [`trained`] network
//! is measured by [`evaluate`] on [`pictures`] and written as a [`package`] whose network [`onnx`]
//! describes. [`ablate`] trains and measures a grid of them and compares each with its control, [`tune`]
//! chooses one of them without an out-of-distribution picture; [`plot`] draws. What a robot computes (preprocessing, scores, thresholds) comes from the `oodwatch`
//! library itself, so that what was measured is what runs.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod ablate;
pub mod checkpoint;
pub mod compare;
pub mod config;
pub mod data;
pub mod device;
pub mod evaluate;
mod files;
mod fitting;
pub mod loss;
mod markdown;
pub mod model;
pub mod onnx;
pub mod optim;
pub mod package;
pub mod pictures;
pub mod plan;
pub mod plot;
mod progress;
pub mod quantize;
pub mod train;
pub mod trained;
pub mod tune;
pub mod weights;
