//! Raw bindings to Linux' `<linux/videodev2.h>`: the crate v4l2-sys-mit 0.3.0, with the output of bindgen
//! checked in, so that building it needs neither libclang nor kernel headers. README.md tells how it was made.

#![allow(clippy::all)]
#![allow(missing_docs)]
#![allow(non_camel_case_types)]
#![allow(non_snake_case)]
#![allow(non_upper_case_globals)]

// The structures hold C `long`s and pointers; bindings.rs asserts their sizes and offsets as they are on 64-bit Linux,
// which are the same on x86-64 and aarch64.
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!("the bindings in vendor/v4l2-sys-mit were generated for 64-bit Linux; README.md tells how to make others");

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
include!("bindings.rs");
