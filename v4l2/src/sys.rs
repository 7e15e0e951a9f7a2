//! The system calls, and all the unsafe code there is: each function takes and gives plain values.
//!
//! Only single-planar capture and memory-mapped buffers are asked for here, so that the kernel never gets an address of
//! this process to write to, except for the argument of the call itself and the one control value beside it.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};

use rustix::io::Errno;
use v4l::v4l_sys as raw;
use v4l::v4l2::vidioc;

/// V4L2_BUF_TYPE_VIDEO_CAPTURE.
const CAPTURE: u32 = 1;
/// V4L2_MEMORY_MMAP.
const MEMORY_MAPPED: u32 = 1;
/// PROT_READ and MAP_SHARED of <sys/mman.h>, as they are on every Linux.
const READABLE: i32 = 1;
const SHARED: i32 = 1;

/// Whether to change a setting, or only to ask what would come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Set,
    Try,
}

/// One system call; a signal only makes it start again.
///
/// # Safety
/// `request` has to be the code whose argument is a `T`, and whatever `T` points at has to be valid for it.
unsafe fn ioctl<T>(fd: BorrowedFd<'_>, request: vidioc::_IOC_TYPE, argument: &mut T) -> io::Result<()> {
    loop {
        // SAFETY: the caller's promise; the argument is borrowed for longer than the call takes.
        let outcome = unsafe { v4l::v4l2::ioctl(fd.as_raw_fd(), request, ptr::from_mut(argument).cast()) };
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// A structure of `videodev2.h` with every field zero, as their documentation wants them prepared.
fn zeroed<T: Copy + Plain>() -> T {
    // SAFETY: `Plain` is implemented below for C structures of integers, arrays, unions and raw pointers alone.
    unsafe { mem::zeroed() }
}

/// Types for which all bytes zero is a value.
pub(crate) trait Plain {}
impl Plain for raw::v4l2_capability {}
impl Plain for raw::v4l2_fmtdesc {}
impl Plain for raw::v4l2_frmsizeenum {}
impl Plain for raw::v4l2_frmivalenum {}
impl Plain for raw::v4l2_format {}
impl Plain for raw::v4l2_pix_format {}
impl Plain for raw::v4l2_streamparm {}
impl Plain for raw::v4l2_requestbuffers {}
impl Plain for raw::v4l2_buffer {}
impl Plain for raw::v4l2_query_ext_ctrl {}
impl Plain for raw::v4l2_querymenu {}
impl Plain for raw::v4l2_ext_control {}
impl Plain for raw::v4l2_ext_controls {}

pub(crate) fn capability(fd: BorrowedFd<'_>) -> io::Result<raw::v4l2_capability> {
    let mut about: raw::v4l2_capability = zeroed();
    // SAFETY: the argument of VIDIOC_QUERYCAP, without pointers.
    unsafe { ioctl(fd, vidioc::VIDIOC_QUERYCAP, &mut about) }?;
    Ok(about)
}

/// The format of this number.
pub(crate) fn format_description(fd: BorrowedFd<'_>, index: u32) -> io::Result<raw::v4l2_fmtdesc> {
    let mut description = raw::v4l2_fmtdesc { index, type_: CAPTURE, ..zeroed() };
    // SAFETY: the argument of VIDIOC_ENUM_FMT, without pointers.
    unsafe { ioctl(fd, vidioc::VIDIOC_ENUM_FMT, &mut description) }?;
    Ok(description)
}

/// Smallest and largest width and height of this number.
pub(crate) fn size(fd: BorrowedFd<'_>, pixel_format: u32, index: u32) -> io::Result<[(u32, u32); 2]> {
    let mut size = raw::v4l2_frmsizeenum { index, pixel_format, ..zeroed() };
    // SAFETY: the argument of VIDIOC_ENUM_FRAMESIZES, without pointers.
    unsafe { ioctl(fd, vidioc::VIDIOC_ENUM_FRAMESIZES, &mut size) }?;
    if size.type_ == raw::v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE {
        // SAFETY: both members of the union are integers; any bytes are valid.
        let one = unsafe { size.__bindgen_anon_1.discrete };
        return Ok([(one.width, one.height); 2]);
    }
    // SAFETY: as above.
    let range = unsafe { size.__bindgen_anon_1.stepwise };
    Ok([(range.min_width, range.min_height), (range.max_width, range.max_height)])
}

/// Shortest and longest time between frames of this number, as fractions of a second.
pub(crate) fn interval(
    fd: BorrowedFd<'_>,
    pixel_format: u32,
    (width, height): (u32, u32),
    index: u32,
) -> io::Result<[raw::v4l2_fract; 2]> {
    let mut interval = raw::v4l2_frmivalenum { index, pixel_format, width, height, ..zeroed() };
    // SAFETY: the argument of VIDIOC_ENUM_FRAMEINTERVALS, without pointers.
    unsafe { ioctl(fd, vidioc::VIDIOC_ENUM_FRAMEINTERVALS, &mut interval) }?;
    if interval.type_ == raw::v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE {
        // SAFETY: both members of the union are integers; any bytes are valid.
        return Ok([unsafe { interval.__bindgen_anon_1.discrete }; 2]);
    }
    // SAFETY: as above.
    let range = unsafe { interval.__bindgen_anon_1.stepwise };
    Ok([range.min, range.max])
}

/// The format that is set.
pub(crate) fn format(fd: BorrowedFd<'_>) -> io::Result<raw::v4l2_pix_format> {
    let mut format = raw::v4l2_format { type_: CAPTURE, ..zeroed() };
    // SAFETY: the argument of VIDIOC_G_FMT; for this type it is a v4l2_pix_format, which has no pointers.
    unsafe { ioctl(fd, vidioc::VIDIOC_G_FMT, &mut format) }?;
    // SAFETY: the member that belongs to this type; all its fields are integers.
    Ok(unsafe { format.fmt.pix })
}

/// Asks for a format and gives what came of it; stride and size of the buffer are left to the driver.
pub(crate) fn change_format(
    fd: BorrowedFd<'_>,
    mode: Mode,
    (width, height): (u32, u32),
    pixelformat: u32,
) -> io::Result<raw::v4l2_pix_format> {
    let field = raw::v4l2_field_V4L2_FIELD_NONE;
    let pix = raw::v4l2_pix_format { width, height, pixelformat, field, ..zeroed() };
    let mut format = raw::v4l2_format { type_: CAPTURE, fmt: raw::v4l2_format__bindgen_ty_1 { pix } };
    let request = match mode {
        Mode::Set => vidioc::VIDIOC_S_FMT,
        Mode::Try => vidioc::VIDIOC_TRY_FMT,
    };
    // SAFETY: the argument of both requests; for this type it is a v4l2_pix_format, which has no pointers.
    unsafe { ioctl(fd, request, &mut format) }?;
    // SAFETY: the member that belongs to this type; all its fields are integers.
    Ok(unsafe { format.fmt.pix })
}

/// The encoding of colours in a format: one of the names of the same number.
pub(crate) fn ycbcr_encoding(format: &raw::v4l2_pix_format) -> u32 {
    // SAFETY: both members of the union are the same integer type.
    unsafe { format.__bindgen_anon_1.ycbcr_enc }
}

/// Time between frames, as a fraction of a second; sets it first where one is given.
pub(crate) fn frame_interval(fd: BorrowedFd<'_>, wanted: Option<raw::v4l2_fract>) -> io::Result<raw::v4l2_fract> {
    let mut parameters = raw::v4l2_streamparm { type_: CAPTURE, ..zeroed() };
    let request = match wanted {
        Some(timeperframe) => {
            parameters.parm.capture = raw::v4l2_captureparm { timeperframe, ..capture_parameters(&parameters) };
            vidioc::VIDIOC_S_PARM
        }
        None => vidioc::VIDIOC_G_PARM,
    };
    // SAFETY: the argument of both requests, without pointers.
    unsafe { ioctl(fd, request, &mut parameters) }?;
    Ok(capture_parameters(&parameters).timeperframe)
}

fn capture_parameters(parameters: &raw::v4l2_streamparm) -> raw::v4l2_captureparm {
    // SAFETY: every member of the union is made of integers, and it was filled with zeroes or by the kernel.
    unsafe { parameters.parm.capture }
}

/// The first control after this id that a driver has; compound ones are left out.
pub(crate) fn control_after(fd: BorrowedFd<'_>, id: u32) -> io::Result<raw::v4l2_query_ext_ctrl> {
    let mut control = raw::v4l2_query_ext_ctrl { id: id | raw::V4L2_CTRL_FLAG_NEXT_CTRL, ..zeroed() };
    // SAFETY: the argument of VIDIOC_QUERY_EXT_CTRL, without pointers.
    unsafe { ioctl(fd, vidioc::VIDIOC_QUERY_EXT_CTRL, &mut control) }?;
    Ok(control)
}

/// The name of an entry of a menu.
pub(crate) fn menu_name(fd: BorrowedFd<'_>, id: u32, index: u32) -> io::Result<[u8; 32]> {
    // SAFETY: the member is bytes; any are valid.
    menu_entry(fd, id, index).map(|menu| unsafe { menu.__bindgen_anon_1.name })
}

/// The number of an entry of a menu of numbers.
pub(crate) fn menu_number(fd: BorrowedFd<'_>, id: u32, index: u32) -> io::Result<i64> {
    // SAFETY: the member is an integer; any bytes are valid.
    menu_entry(fd, id, index).map(|menu| unsafe { menu.__bindgen_anon_1.value })
}

fn menu_entry(fd: BorrowedFd<'_>, id: u32, index: u32) -> io::Result<raw::v4l2_querymenu> {
    let mut menu = raw::v4l2_querymenu { id, index, ..zeroed() };
    // SAFETY: the argument of VIDIOC_QUERYMENU, without pointers.
    unsafe { ioctl(fd, vidioc::VIDIOC_QUERYMENU, &mut menu) }?;
    Ok(menu)
}

/// The value of a control; `wide` for one of 64 bits.
pub(crate) fn control(fd: BorrowedFd<'_>, id: u32, wide: bool) -> io::Result<i64> {
    let mut control = raw::v4l2_ext_control { id, ..zeroed() };
    exchange_control(fd, vidioc::VIDIOC_G_EXT_CTRLS, &mut control)?;
    // SAFETY: the union was zeroed and then filled by the kernel; both members are integers.
    Ok(unsafe {
        match wide {
            true => control.__bindgen_anon_1.value64,
            false => i64::from(control.__bindgen_anon_1.value),
        }
    })
}

/// Sets a control; `wide` for one of 64 bits.
pub(crate) fn set_control(fd: BorrowedFd<'_>, id: u32, wide: bool, value: i64) -> io::Result<()> {
    let out_of_range = |_| io::Error::new(io::ErrorKind::InvalidInput, "the value does not fit into 32 bits");
    let mut control = raw::v4l2_ext_control { id, ..zeroed() };
    match wide {
        true => control.__bindgen_anon_1.value64 = value,
        false => control.__bindgen_anon_1.value = i32::try_from(value).map_err(out_of_range)?,
    }
    exchange_control(fd, vidioc::VIDIOC_S_EXT_CTRLS, &mut control)
}

/// `request` is one of VIDIOC_G_EXT_CTRLS and VIDIOC_S_EXT_CTRLS.
fn exchange_control(
    fd: BorrowedFd<'_>,
    request: vidioc::_IOC_TYPE,
    control: &mut raw::v4l2_ext_control,
) -> io::Result<()> {
    let mut controls = raw::v4l2_ext_controls { count: 1, controls: ptr::from_mut(control), ..zeroed() };
    // SAFETY: the argument of both requests. It points at one control, as its count says, which is borrowed for longer than
    // the call takes. That control's size is 0, so the kernel refuses types whose value would be behind a pointer.
    unsafe { ioctl(fd, request, &mut controls) }
}

/// Asks for memory-mapped buffers and gives how many there are now; 0 frees them.
pub(crate) fn request_buffers(fd: BorrowedFd<'_>, count: u32) -> io::Result<u32> {
    let mut request = raw::v4l2_requestbuffers { count, type_: CAPTURE, memory: MEMORY_MAPPED, ..zeroed() };
    // SAFETY: the argument of VIDIOC_REQBUFS, without pointers.
    unsafe { ioctl(fd, vidioc::VIDIOC_REQBUFS, &mut request) }?;
    Ok(request.count)
}

fn buffer(index: u32) -> raw::v4l2_buffer {
    raw::v4l2_buffer { index, type_: CAPTURE, memory: MEMORY_MAPPED, ..zeroed() }
}

/// Gives a buffer to the driver.
pub(crate) fn queue(fd: BorrowedFd<'_>, index: u32) -> io::Result<()> {
    // SAFETY: the argument of VIDIOC_QBUF; with MEMORY_MAPPED the kernel writes to its own memory, known by the index.
    unsafe { ioctl(fd, vidioc::VIDIOC_QBUF, &mut buffer(index)) }
}

/// Takes a filled buffer from the driver; none where none is ready (the descriptor does not block).
pub(crate) fn dequeue(fd: BorrowedFd<'_>) -> io::Result<Option<raw::v4l2_buffer>> {
    let mut filled = buffer(0);
    // SAFETY: the argument of VIDIOC_DQBUF; single-planar, so no pointer in it is followed.
    match unsafe { ioctl(fd, vidioc::VIDIOC_DQBUF, &mut filled) } {
        Ok(()) => Ok(Some(filled)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Starts or stops the flow of frames.
pub(crate) fn switch_stream(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let request = if on { vidioc::VIDIOC_STREAMON } else { vidioc::VIDIOC_STREAMOFF };
    let mut kind = CAPTURE as std::os::raw::c_int;
    // SAFETY: the argument of both requests is an int.
    unsafe { ioctl(fd, request, &mut kind) }
}

/// A driver's buffer in this process's memory. It is copied from, never lent.
pub(crate) struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread, and is only read through `copy_to`.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps the buffer of this number.
    pub(crate) fn new(fd: BorrowedFd<'_>, index: u32) -> io::Result<Self> {
        let mut about = buffer(index);
        // SAFETY: the argument of VIDIOC_QUERYBUF; single-planar, so no pointer in it is followed.
        unsafe { ioctl(fd, vidioc::VIDIOC_QUERYBUF, &mut about) }?;
        let length = about.length as usize;
        // SAFETY: the member that belongs to MEMORY_MAPPED, an integer.
        let offset = i64::from(unsafe { about.m.offset });
        // SAFETY: the kernel chooses the address, so nothing that is mapped already is touched.
        let start = unsafe { v4l::v4l2::mmap(ptr::null_mut(), length, READABLE, SHARED, fd.as_raw_fd(), offset) }?;
        let start = NonNull::new(start.cast()).ok_or(Errno::FAULT)?;
        Ok(Self { start, length })
    }

    /// Copies the first `used` bytes, or all where there are fewer, in the place of what `into` held.
    pub(crate) fn copy_to(&self, used: usize, into: &mut Vec<u8>) {
        let used = used.min(self.length);
        into.clear();
        into.reserve(used);
        // SAFETY: the source is mapped for `length` >= `used` bytes and readable while `self` lives; the target has just
        // been given room for `used` bytes and is memory of its own. Bytes have no invalid values.
        unsafe {
            ptr::copy_nonoverlapping(self.start.as_ptr(), into.as_mut_ptr(), used);
            into.set_len(used);
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly what `new` mapped, once. Nothing refers to it: copies were made. An error could only say that
        // the range is none, which would leave nothing to unmap.
        let _ = unsafe { v4l::v4l2::munmap(self.start.as_ptr().cast(), self.length) };
    }
}
