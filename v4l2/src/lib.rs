//! V4L2 cameras for oodwatch: asking them what they offer, setting them up, and taking frames out of them.
//!
//! It stands on the ioctl and mmap wrappers and the structures of the crate [`v4l`], but not on that crate's `Device` and
//! `Stream`: those give frames out only through `next()`, which cannot be called again after a time-out, lend memory
//! that the kernel may write to, and panic when a camera goes away at the wrong moment or has a name that is cut within a
//! character. Here
//!
//! - every wait has an end, and a signal does not cut it short;
//! - a frame is copied out before its buffer goes back to the kernel;
//! - stopping and dropping never fail: what is left of a camera that is gone is given back all the same;
//! - numbers from a driver stay numbers: an unknown colour space or type of control is passed on, not refused.
//!
//! ```no_run
//! use std::{path::Path, time::Duration};
//! use oodwatch_v4l2::{Device, FourCc, Stream, Wanted};
//!
//! # fn main() -> std::io::Result<()> {
//! let device = Device::open(Path::new("/dev/video0"))?;
//! let format = device.set_format(Wanted { fourcc: FourCc(*b"YUYV"), width_px: 640, height_px: 480 })?;
//! let mut stream = Stream::start(&device, 4)?;
//! let mut bytes = Vec::new();
//! if let Some(buffer) = stream.next(Duration::from_millis(50), &mut bytes)? {
//!     println!("frame {}: {} bytes of {}", buffer.sequence, bytes.len(), format.fourcc);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! `unsafe` is in one module, `sys`; each block says why it is sound.

#![cfg_attr(test, allow(clippy::unwrap_used))]
#![deny(unsafe_code)]

mod controls;
mod device;
mod formats;
mod stream;
#[allow(unsafe_code)]
mod sys;

pub use controls::{Control, ControlKind, MenuItem};
pub use device::{Capability, Device};
pub use formats::{FormatDescription, FourCc, Interval, PixelFormat, SizeRange, Wanted};
pub use stream::{Buffer, Clock, Stream};
