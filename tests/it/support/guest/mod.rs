//! What runs inside the camera lab: starts the program under test, feeds cameras, breaks them, and waits for what the
//! program makes of it. Everything is waited for in the program's own words, nothing by the clock.
//!
//! The test binary itself runs in there: it is built anyway, and runs unchanged in the guest. [`super::lab`] starts this
//! file's one test with orders, a line each, which are carried out one after the other:
//!
//! | order                               | what it does                                                              |
//! |-------------------------------------|---------------------------------------------------------------------------|
//! | `run NAME CONFIG ARGUMENTS...`      | starts `oodwatch run`; NAME.jsonl, NAME.log and NAME.status are what it leaves |
//! | `await N NAME TEXT`                 | waits for N more verdicts of NAME that hold TEXT, as JSON has it; or `TEXT & TEXT` |
//! | `measure NAME`                      | notes memory, threads and open files of a running program in NAME.measured    |
//! | `end NAME`                          | sends SIGTERM and waits for the end                                           |
//! | `finish NAME`                       | waits for the end                                                             |
//! | `feed DEVICE FOURCC WxH FPS FOLDER` | starts to write the folder's files into v4l2loopback, a frame each, round and round |
//! | `write-frames ...`                  | does that itself, for ever; it is what `feed` starts as a process of its own    |
//! | `starve DEVICE`                     | kills the writer                                                              |
//! | `set DEVICE NAME = VALUE`           | sets a control by its name; a button takes any value                          |
//! | `write FILE WORD`                   | writes a word to a file of sysfs                                              |
//! | `link TARGET NAME`                  | makes, or changes, a symbolic link, as udev does                              |

mod camera;
mod program;

use std::collections::HashMap;
use std::path::Path;
use std::{env, fs};

use camera::Feeder;
use program::Program;

/// The variable that hands the orders over.
pub(crate) const ORDERS: &str = "OODWATCH_GUEST_ORDERS";
/// The full name of the test that carries them out.
pub(crate) const TEST: &str = "support::guest::in_the_camera_lab_orders_are_carried_out";

#[test]
#[ignore = "the part of other tests that runs inside the camera lab"]
fn in_the_camera_lab_orders_are_carried_out() {
    let mut guest = Guest::default();
    for order in env::var(ORDERS).unwrap_or_default().lines() {
        eprintln!("guest: {order}");
        guest.carry_out(order);
    }
}

/// What is going on in the guest, by name or device.
#[derive(Default)]
struct Guest {
    programs: HashMap<String, Program>,
    feeders: HashMap<String, Feeder>,
}

impl Guest {
    fn carry_out(&mut self, order: &str) {
        let rest = |words: usize| order.splitn(words + 1, ' ').nth(words).unwrap();
        match *order.split(' ').collect::<Vec<_>>() {
            ["run", name, config, ref arguments @ ..] => {
                self.programs.insert(name.into(), Program::start(name, config, arguments));
            }
            ["await", count, name, ..] => self.program(name).wait_for(count.parse().unwrap(), rest(3)),
            ["measure", name] => self.program(name).measure(),
            ["end", name] => self.programs.remove(name).unwrap().end(),
            ["finish", name] => self.programs.remove(name).unwrap().finish(),
            ["feed", device, ..] => {
                self.feeders.insert(device.into(), Feeder::start(rest(1)));
            }
            ["write-frames", device, fourcc, size, fps, folder] => {
                camera::write_frames(device, fourcc, size, fps.parse().unwrap(), folder);
            }
            ["starve", device] => self.feeders.remove(device).unwrap().kill(),
            ["set", device, ..] => {
                let (name, value) = rest(2).split_once(" = ").unwrap();
                camera::set(device, name, value.parse().unwrap());
            }
            ["write", file, word] => fs::write(file, word).unwrap_or_else(|error| panic!("{order}: {error}")),
            ["link", target, name] => link(Path::new(target), Path::new(name)),
            _ => panic!("no such order: {order:?}"),
        }
    }

    fn program(&mut self, name: &str) -> &mut Program {
        self.programs.get_mut(name).unwrap()
    }
}

fn link(target: &Path, name: &Path) {
    fs::create_dir_all(name.parent().unwrap()).unwrap();
    let new = name.with_extension("new");
    std::os::unix::fs::symlink(target, &new).unwrap();
    fs::rename(new, name).unwrap();
}
