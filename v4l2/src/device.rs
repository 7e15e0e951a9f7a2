//! A device node: what it is and what it offers.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use v4l::capability::Flags;

use crate::controls::{self, Control};
use crate::formats::{self, FormatDescription, FourCc, Interval, PixelFormat, SizeRange, Wanted};
use crate::sys;

/// Longest list that is read from a driver; one that never ends its list must not hold us up.
pub(crate) const LONGEST_LIST: u32 = 1024;

/// An open device node. It is closed when it and its stream are dropped, and not handed on to child processes.
#[derive(Debug)]
pub struct Device {
    fd: Arc<OwnedFd>,
}

/// What a device says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability {
    /// What it calls itself.
    pub card: String,
    /// Kernel driver.
    pub driver: String,
    /// Where it is plugged in.
    pub bus: String,
    /// Whether it delivers pictures whose planes lie in one buffer.
    pub capture: bool,
    /// Whether it delivers pictures whose planes lie in several buffers.
    pub multi_planar: bool,
    /// Whether it fills memory-mapped buffers.
    pub streaming: bool,
}

impl Device {
    /// Opens a device node; a link is followed to where it points now.
    ///
    /// # Errors
    /// The operating system's word: no such node, no permission, no device behind it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(Self { fd: Arc::new(rustix::fs::open(path, flags, Mode::empty())?) })
    }

    /// The descriptor, for a stream that may outlive this value.
    pub(crate) fn share(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.fd)
    }

    /// What the device is.
    ///
    /// # Errors
    /// ENOTTY where the node is no video device, ENODEV where it is gone.
    pub fn capability(&self) -> io::Result<Capability> {
        let about = sys::capability(self.as_fd())?;
        let all = Flags::from(about.capabilities);
        // A driver of several nodes says in device_caps what this one does.
        let own = if all.contains(Flags::DEVICE_CAPS) { Flags::from(about.device_caps) } else { all };
        Ok(Capability {
            card: text(&about.card),
            driver: text(&about.driver),
            bus: text(&about.bus_info),
            capture: own.contains(Flags::VIDEO_CAPTURE),
            multi_planar: own.contains(Flags::VIDEO_CAPTURE_MPLANE),
            streaming: own.contains(Flags::STREAMING),
        })
    }

    /// Every format, in the driver's order; empty where it tells none.
    pub fn formats(&self) -> Vec<FormatDescription> {
        let list = (0..LONGEST_LIST).map_while(|index| sys::format_description(self.as_fd(), index).ok());
        list.map(|description| FormatDescription::from_raw(&description)).collect()
    }

    /// Sizes of a format; empty where the driver tells none.
    pub fn sizes(&self, format: FourCc) -> Vec<SizeRange> {
        let list = (0..LONGEST_LIST).map_while(|index| sys::size(self.as_fd(), format.code(), index).ok());
        list.map(|[min_px, max_px]| SizeRange { min_px, max_px }).collect()
    }

    /// Times between frames at a format and size, each the shortest and longest of a range; empty where the driver tells none.
    pub fn intervals(&self, format: FourCc, size_px: (u32, u32)) -> Vec<[Interval; 2]> {
        let list = (0..LONGEST_LIST).map_while(|index| sys::interval(self.as_fd(), format.code(), size_px, index).ok());
        list.map(|range| range.map(Interval::from_raw)).collect()
    }

    /// The format that is set now.
    ///
    /// # Errors
    /// The driver's word.
    pub fn format(&self) -> io::Result<PixelFormat> {
        sys::format(self.as_fd()).map(|format| formats::pixel_format(&format))
    }

    /// Asks for a format and gives what the driver made of it, which may be another format, size and stride.
    ///
    /// # Errors
    /// The driver's word: EBUSY where somebody streams from it, EINVAL where it has no such kind of format at all.
    pub fn set_format(&self, wanted: Wanted) -> io::Result<PixelFormat> {
        self.change_format(sys::Mode::Set, wanted)
    }

    /// What [`Self::set_format`] would give, without changing anything.
    ///
    /// # Errors
    /// The driver's word.
    pub fn try_format(&self, wanted: Wanted) -> io::Result<PixelFormat> {
        self.change_format(sys::Mode::Try, wanted)
    }

    fn change_format(&self, mode: sys::Mode, wanted: Wanted) -> io::Result<PixelFormat> {
        let size_px = (wanted.width_px, wanted.height_px);
        let format = sys::change_format(self.as_fd(), mode, size_px, wanted.fourcc.code())?;
        Ok(formats::pixel_format(&format))
    }

    /// Time between frames; none where the driver does not know it.
    ///
    /// # Errors
    /// ENOTTY or EINVAL where the driver has no such setting.
    pub fn interval(&self) -> io::Result<Option<Interval>> {
        sys::frame_interval(self.as_fd(), None).map(|interval| Interval::from_raw(interval).known())
    }

    /// Asks for a time between frames and gives what the driver made of it.
    ///
    /// # Errors
    /// ENOTTY or EINVAL where the driver has no such setting.
    pub fn set_interval(&self, wanted: Interval) -> io::Result<Option<Interval>> {
        // Read back with a call of its own: some drivers answer the setting with the wish.
        sys::frame_interval(self.as_fd(), Some(wanted.to_raw()))?;
        self.interval()
    }

    /// Every control that is a number, a switch or a menu, in the order of their ids.
    pub fn controls(&self) -> Vec<Control> {
        controls::list(self.as_fd())
    }

    /// The value of a control.
    ///
    /// # Errors
    /// The driver's word: EACCES for one that can only be written.
    pub fn control(&self, control: &Control) -> io::Result<i64> {
        sys::control(self.as_fd(), control.id, control.is_wide())
    }

    /// Sets a control.
    ///
    /// # Errors
    /// The driver's word: ERANGE, EACCES for one that can only be read, EBUSY for one that others hold.
    pub fn set_control(&self, control: &Control, value: i64) -> io::Result<()> {
        sys::set_control(self.as_fd(), control.id, control.is_wide(), value)
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The text of a C array: up to its end or first zero. Drivers cut names within a character.
pub(crate) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_cut_within_a_character_is_still_a_name() {
        assert_eq!(text("Kamera für Räume".as_bytes().split_at(9).0), "Kamera f\u{fffd}");
        assert_eq!(text(b"vivid\0\0\0"), "vivid");
    }

    #[test]
    fn what_is_no_video_device_says_so() {
        let device = Device::open(Path::new("/dev/null")).unwrap();
        assert_eq!(device.capability().unwrap_err().raw_os_error(), Some(rustix::io::Errno::NOTTY.raw_os_error()));
        assert!(device.formats().is_empty() && device.controls().is_empty());
    }

    #[test]
    fn a_node_that_is_not_there_says_so() {
        assert_eq!(Device::open(Path::new("/dev/video-none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
