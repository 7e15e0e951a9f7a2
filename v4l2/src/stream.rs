//! Frames out of a camera: buffers that the driver fills, copied out one by one.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use v4l::buffer::Flags;
use v4l::v4l_sys as raw;

use crate::device::Device;
use crate::sys::{self, Mapping};

/// Pause before asking again a driver that says "ready" and then has nothing.
const FALSE_ALARM_PAUSE: Duration = Duration::from_millis(5);

/// A running camera. Dropping it stops the camera and frees its buffers, and never fails.
pub struct Stream {
    fd: Arc<OwnedFd>,
    buffers: Vec<Mapping>,
    /// Buffers that the driver did not take back yet.
    idle: Vec<u32>,
}

/// What the driver says about a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer {
    /// Bytes that the frame has.
    pub bytes_used: u32,
    /// The driver's running number; a gap is frames that nobody took. It passes through `u32::MAX` to 0.
    pub sequence: u32,
    /// When the frame was captured, on [`Self::clock`].
    pub timestamp: Duration,
    /// The clock of the timestamp.
    pub clock: Clock,
    /// Whether the driver knows that the data are damaged.
    pub damaged: bool,
}

/// The clock that a timestamp is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// CLOCK_MONOTONIC, as nearly all drivers use.
    Monotonic,
    /// The driver does not say, or copied it from whoever fed it.
    Unknown,
}

impl Stream {
    /// Starts a camera with this many buffers. The driver may use more or fewer.
    ///
    /// # Errors
    /// The driver's word: EBUSY where somebody else streams from it.
    pub fn start(device: &Device, buffers: u32) -> io::Result<Self> {
        let fd = device.share();
        let count = sys::request_buffers(fd.as_fd(), buffers)?;
        // From here on dropping gives back whatever has been set up.
        let mut stream = Self { fd, buffers: Vec::new(), idle: Vec::new() };
        for index in 0..count {
            stream.buffers.push(Mapping::new(stream.fd.as_fd(), index)?);
            sys::queue(stream.fd.as_fd(), index)?;
        }
        if stream.buffers.is_empty() {
            return Err(Errno::NOMEM.into());
        }
        sys::switch_stream(stream.fd.as_fd(), true)?;
        Ok(stream)
    }

    /// Number of buffers.
    pub fn buffers(&self) -> usize {
        self.buffers.len()
    }

    /// Waits for a frame, at most `patience` long, and copies it over what `into` held. None where none came.
    ///
    /// # Errors
    /// The driver's word: ENODEV where the camera is gone, EIO where it has broken down.
    pub fn next(&mut self, patience: Duration, into: &mut Vec<u8>) -> io::Result<Option<Buffer>> {
        self.give_back()?;
        if !self.wait(patience)? {
            return Ok(None);
        }
        let Some(filled) = sys::dequeue(self.fd.as_fd())? else {
            thread::sleep(patience.min(FALSE_ALARM_PAUSE));
            return Ok(None);
        };
        if let Some(buffer) = self.buffers.get(filled.index as usize) {
            buffer.copy_to(filled.bytesused as usize, into);
        }
        self.idle.push(filled.index);
        Ok(Some(describe(&filled)))
    }

    /// Buffers that were emptied go back to the driver. One that it refuses is offered again with the next frame, as long as
    /// it has others to fill.
    fn give_back(&mut self) -> io::Result<()> {
        let mut refusal = None;
        self.idle.retain(|index| match sys::queue(self.fd.as_fd(), *index) {
            Ok(()) => false,
            Err(error) => {
                refusal = Some(error);
                true
            }
        });
        match refusal {
            Some(error) if self.idle.len() == self.buffers.len() => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether the device has something to say within this time; a signal does not end the waiting.
    fn wait(&self, patience: Duration) -> io::Result<bool> {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
            match poll(&mut [PollFd::new(&self.fd, PollFlags::IN)], Some(&left)) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // A camera that is gone answers ENODEV to both; a broken one may answer anything. Closing frees all the same.
        let _ = sys::switch_stream(self.fd.as_fd(), false);
        self.buffers.clear();
        let _ = sys::request_buffers(self.fd.as_fd(), 0);
    }
}

fn describe(filled: &raw::v4l2_buffer) -> Buffer {
    let flags = Flags::from(filled.flags);
    let clock = match flags & Flags::TIMESTAMP_MASK {
        kind if kind == Flags::TIMESTAMP_MONOTONIC => Clock::Monotonic,
        _ => Clock::Unknown,
    };
    let seconds = u64::try_from(filled.timestamp.tv_sec).unwrap_or_default();
    let micros = u64::try_from(filled.timestamp.tv_usec).unwrap_or_default();
    Buffer {
        bytes_used: filled.bytesused,
        sequence: filled.sequence,
        timestamp: Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros)),
        clock,
        damaged: flags.contains(Flags::ERROR),
    }
}
