//! A camera that does what a script says, for tests of everything that can go wrong with one.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oodwatch_v4l2::{Buffer, Capability, Clock, Control, ControlKind, FourCc, Interval, MenuItem, PixelFormat, Wanted};
use rustix::io::Errno;

use super::capture::{Capture, Opener};
use super::clock::Now;

/// Size of the pictures, small enough for thousands of them.
pub(crate) const SIZE_PX: (u32, u32) = (4, 2);
/// Length of a YUYV frame of that size.
pub(crate) const FRAME_BYTES: usize = 16;

/// Number and content of the frame that every opening begins with.
const LEFTOVER: u32 = 222;

/// What happens next.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A buffer with this sequence number, filled with this value, captured now.
    Frame(u32, u8),
    /// The same, but with these bytes.
    Bytes(u32, Vec<u8>),
    /// The same, but flagged as damaged.
    Damaged(u32),
    /// The same, but captured long ago.
    Old(u32),
    /// The buffer before, stamps and all.
    Again,
    /// An error.
    Fail(Errno),
}

/// What can be learned about the camera afterwards, and what may be changed meanwhile.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// Scripts of the openings to come, each after a frame that is left over. Where there is none left, the camera opens and is silent.
    pub(crate) openings: VecDeque<Result<Vec<Event>, Errno>>,
    /// Where the name led at each opening.
    pub(crate) opened: Vec<PathBuf>,
    /// Openings that have not been closed.
    pub(crate) open_now: usize,
    /// Formats that the driver lists, the first of which takes the place of those that it has not.
    pub(crate) formats: Vec<FourCc>,
    /// Fastest rate that the driver grants, in frames per second.
    pub(crate) max_rate: f64,
    /// Fewest buffers that the driver works with.
    pub(crate) min_buffers: u32,
    /// What the driver adds to the format that it gives.
    pub(crate) padding_bytes: u32,
    /// V4L2_FIELD_*.
    pub(crate) field: u32,
    /// Controls as they were set, in order.
    pub(crate) set: Vec<(u32, i64)>,
    /// What the device is not.
    pub(crate) not_a_camera: bool,
}

/// The end of the world that tests hold.
pub(crate) type Shared = Arc<Mutex<World>>;

/// A world with a YUYV camera that goes through these scripts, one for each opening.
pub(crate) fn world(openings: Vec<Result<Vec<Event>, Errno>>) -> Shared {
    Arc::new(Mutex::new(World {
        openings: openings.into(),
        formats: vec![FourCc(*b"YUYV")],
        max_rate: 30.0,
        field: 1,
        ..World::default()
    }))
}

/// Opens the world's camera.
pub(crate) fn opener(world: &Shared) -> Opener {
    let world = Arc::clone(world);
    Box::new(move |path: &Path| {
        let mut now = world.lock().unwrap();
        now.opened.push(path.canonicalize().unwrap_or_else(|_| path.into()));
        let mut script = VecDeque::from(now.openings.pop_front().unwrap_or(Ok(Vec::new()))?);
        // What lay in the driver before; nobody may get to see it.
        script.push_front(Event::Frame(LEFTOVER, LEFTOVER as u8));
        now.open_now += 1;
        Ok(Box::new(Fake { world: Arc::clone(&world), script, last: None }))
    })
}

struct Fake {
    world: Shared,
    script: VecDeque<Event>,
    last: Option<(Buffer, Vec<u8>)>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.world.lock().unwrap().open_now -= 1;
    }
}

impl Fake {
    fn deliver(&mut self, sequence: u32, bytes: Vec<u8>, into: &mut Vec<u8>) -> Buffer {
        let bytes_used = bytes.len() as u32;
        let timestamp = Now::read().monotonic;
        let buffer = Buffer { bytes_used, sequence, timestamp, clock: Clock::Monotonic, damaged: false };
        into.clone_from(&bytes);
        self.last = Some((buffer, bytes));
        buffer
    }
}

impl Capture for Fake {
    fn capability(&self) -> io::Result<Capability> {
        let camera = !self.world.lock().unwrap().not_a_camera;
        let (card, driver, bus) = ("Scripted".to_string(), "fake".to_string(), "here".to_string());
        Ok(Capability { card, driver, bus, capture: camera, multi_planar: !camera, streaming: true })
    }

    fn formats(&self) -> Vec<FourCc> {
        self.world.lock().unwrap().formats.clone()
    }

    fn set_format(&self, wanted: Wanted) -> io::Result<PixelFormat> {
        let world = self.world.lock().unwrap();
        let first = *world.formats.first().ok_or(Errno::INVAL)?;
        let fourcc = if world.formats.contains(&wanted.fourcc) { wanted.fourcc } else { first };
        let (width_px, height_px) = SIZE_PX;
        let (stride_bytes, size_bytes) = (2 * width_px + world.padding_bytes, 64);
        let (colorspace, ycbcr_encoding, quantization) = (8, 0, 0);
        Ok(PixelFormat {
            fourcc,
            width_px,
            height_px,
            stride_bytes,
            size_bytes,
            field: world.field,
            colorspace,
            ycbcr_encoding,
            quantization,
        })
    }

    fn try_format(&self, wanted: Wanted) -> io::Result<PixelFormat> {
        self.set_format(wanted)
    }

    fn intervals(&self, _fourcc: FourCc, _size_px: (u32, u32)) -> Vec<[Interval; 2]> {
        let fastest = self.world.lock().unwrap().max_rate;
        vec![[Interval::from_rate(fastest), Interval::from_rate(1.0)]]
    }

    fn set_interval(&self, wanted: Interval) -> io::Result<Option<Interval>> {
        let fastest = self.world.lock().unwrap().max_rate;
        Ok(Some(Interval::from_rate(wanted.rate().unwrap().min(fastest))))
    }

    fn interval(&self) -> io::Result<Option<Interval>> {
        Ok(None)
    }

    fn controls(&self) -> Vec<Control> {
        let control = |id, name: &str, kind, maximum| {
            let (minimum, step, default, writable, readable, inactive) = (0, 1, 0, true, true, false);
            let name = name.to_string();
            Control { id, name, kind, minimum, maximum, step, default, writable, readable, inactive }
        };
        let entry = |value, name: &str| MenuItem { value, name: name.into() };
        let modes = vec![entry(0, "Auto Mode"), entry(1, "Manual Mode")];
        vec![
            control(0x009a_0902, "Exposure Time, Absolute", ControlKind::Integer, 5000),
            control(0x009a_0901, "Auto Exposure", ControlKind::Menu(modes), 1),
            control(0x0098_090c, "White Balance, Automatic", ControlKind::Switch, 1),
        ]
    }

    fn control(&self, control: &Control) -> io::Result<i64> {
        let world = self.world.lock().unwrap();
        Ok(world.set.iter().rev().find(|(id, _)| *id == control.id).map_or(0, |(_, value)| *value))
    }

    fn set_control(&self, control: &Control, value: i64) -> io::Result<()> {
        // Like many cameras it knows exposure in steps only.
        self.world.lock().unwrap().set.push((control.id, if value > 100 { value / 10 * 10 } else { value }));
        Ok(())
    }

    fn start(&mut self, buffers: u32) -> io::Result<u32> {
        Ok(buffers.max(self.world.lock().unwrap().min_buffers))
    }

    fn next(&mut self, _patience: Duration, into: &mut Vec<u8>) -> io::Result<Option<Buffer>> {
        match self.script.pop_front() {
            Some(Event::Frame(sequence, value)) => Ok(Some(self.deliver(sequence, vec![value; FRAME_BYTES], into))),
            Some(Event::Bytes(sequence, bytes)) => Ok(Some(self.deliver(sequence, bytes, into))),
            Some(Event::Damaged(sequence)) => {
                let buffer = self.deliver(sequence, vec![0; FRAME_BYTES], into);
                Ok(Some(Buffer { damaged: true, ..buffer }))
            }
            Some(Event::Old(sequence)) => {
                let buffer = self.deliver(sequence, vec![0; FRAME_BYTES], into);
                Ok(Some(Buffer { timestamp: Duration::from_millis(1), ..buffer }))
            }
            Some(Event::Again) => {
                let (buffer, bytes) = self.last.clone().unwrap();
                *into = bytes;
                Ok(Some(buffer))
            }
            Some(Event::Fail(errno)) => Err(errno.into()),
            None => {
                std::thread::sleep(Duration::from_millis(1));
                Ok(None)
            }
        }
    }
}
