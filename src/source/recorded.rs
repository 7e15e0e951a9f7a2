//! Names of recorded pictures. A name holds the number and the capture time of its picture, so that a folder of them is footage
//! with times and needs no index beside it: every picture in it is whole, and so is the folder, whenever a recording ended.

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// UTC, to a microsecond.
const TIME: &str = "%Y%m%dT%H%M%S%.6fZ";

/// What the name of a recorded picture says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// Its number within the recording, from 0.
    pub number: u64,
    /// When it was taken.
    pub captured_at: Timestamp,
}

impl Recorded {
    /// Its file name: `00000042-20261124T025132.123456Z.png`. Sorted names are sorted numbers.
    pub fn file_name(&self) -> String {
        format!("{:08}-{}.png", self.number, self.captured_at.strftime(TIME))
    }

    /// Reads a file name; nothing of a file that is called otherwise.
    pub fn of(path: &Path) -> Option<Self> {
        let (number, time) = path.file_name()?.to_str()?.strip_suffix(".png")?.split_once('-')?;
        let time = DateTime::strptime(TIME, time).ok()?.to_zoned(TimeZone::UTC).ok()?;
        Some(Self { number: number.parse().ok()?, captured_at: time.timestamp() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_back_number_and_time_to_a_microsecond() {
        let recorded = Recorded { number: 42, captured_at: "2026-11-24T02:51:32.123456Z".parse().unwrap() };
        assert_eq!(recorded.file_name(), "00000042-20261124T025132.123456Z.png");
        assert_eq!(Recorded::of(Path::new("footage/00000042-20261124T025132.123456Z.png")), Some(recorded));
        let whole = Recorded { number: 7, captured_at: "2026-11-24T02:51:32Z".parse().unwrap() };
        assert_eq!(Recorded::of(Path::new(&whole.file_name())), Some(whole));
    }

    #[test]
    fn other_pictures_are_no_recorded_ones() {
        for other in
            ["0001.png", "a-b.png", "00000042-20261124T025132.123456Z.jpg", "1-20261324T025132.123456Z.png", ""]
        {
            assert_eq!(Recorded::of(Path::new(other)), None, "{other}");
        }
    }
}
