//! The boundary to the hardware: what this source asks of a camera. The kernel's cameras are one implementation, the
//! scripted ones of the tests the other.

use std::io;
use std::path::Path;
use std::time::Duration;

use oodwatch_v4l2::{Buffer, Capability, Control, Device, FourCc, Interval, PixelFormat, Stream, Wanted};

/// An open camera. Dropping it stops and closes it.
pub(crate) trait Capture: Send {
    fn capability(&self) -> io::Result<Capability>;
    fn formats(&self) -> Vec<FourCc>;
    fn set_format(&self, wanted: Wanted) -> io::Result<PixelFormat>;
    /// What `set_format` would give, without changing anything.
    fn try_format(&self, wanted: Wanted) -> io::Result<PixelFormat>;
    /// Times between frames that the camera lists, each the shortest and longest of a range.
    fn intervals(&self, fourcc: FourCc, size_px: (u32, u32)) -> Vec<[Interval; 2]>;
    fn set_interval(&self, wanted: Interval) -> io::Result<Option<Interval>>;
    fn interval(&self) -> io::Result<Option<Interval>>;
    fn controls(&self) -> Vec<Control>;
    fn control(&self, control: &Control) -> io::Result<i64>;
    fn set_control(&self, control: &Control, value: i64) -> io::Result<()>;
    fn start(&mut self, buffers: u32) -> io::Result<()>;
    /// Waits for a frame, at most `patience` long, and copies it over what `into` held.
    fn next(&mut self, patience: Duration, into: &mut Vec<u8>) -> io::Result<Option<Buffer>>;
}

/// Opens a camera by its path.
pub(crate) type Opener = Box<dyn FnMut(&Path) -> io::Result<Box<dyn Capture>> + Send>;

/// A camera of the kernel.
pub(super) struct Kernel {
    device: Device,
    stream: Option<Stream>,
}

impl Kernel {
    pub(super) fn open(path: &Path) -> io::Result<Box<dyn Capture>> {
        Ok(Box::new(Self { device: Device::open(path)?, stream: None }))
    }
}

impl Capture for Kernel {
    fn capability(&self) -> io::Result<Capability> {
        self.device.capability()
    }

    fn formats(&self) -> Vec<FourCc> {
        self.device.formats().into_iter().map(|format| format.fourcc).collect()
    }

    fn set_format(&self, wanted: Wanted) -> io::Result<PixelFormat> {
        self.device.set_format(wanted)
    }

    fn try_format(&self, wanted: Wanted) -> io::Result<PixelFormat> {
        self.device.try_format(wanted)
    }

    fn intervals(&self, fourcc: FourCc, size_px: (u32, u32)) -> Vec<[Interval; 2]> {
        self.device.intervals(fourcc, size_px)
    }

    fn set_interval(&self, wanted: Interval) -> io::Result<Option<Interval>> {
        self.device.set_interval(wanted)
    }

    fn interval(&self) -> io::Result<Option<Interval>> {
        self.device.interval()
    }

    fn controls(&self) -> Vec<Control> {
        self.device.controls()
    }

    fn control(&self, control: &Control) -> io::Result<i64> {
        self.device.control(control)
    }

    fn set_control(&self, control: &Control, value: i64) -> io::Result<()> {
        self.device.set_control(control, value)
    }

    fn start(&mut self, buffers: u32) -> io::Result<()> {
        self.stream = Some(Stream::start(&self.device, buffers)?);
        Ok(())
    }

    fn next(&mut self, patience: Duration, into: &mut Vec<u8>) -> io::Result<Option<Buffer>> {
        match &mut self.stream {
            Some(stream) => stream.next(patience, into),
            None => Err(io::Error::other("the camera was not started")),
        }
    }
}
