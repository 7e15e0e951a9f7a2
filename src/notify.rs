//! Tells the service manager that started this process how it is, by systemd's protocol ([sd_notify(3)]): datagrams of
//! `NAME=value` lines to the socket that NOTIFY_SOCKET names. Without that variable nothing is opened and nothing sent.
//!
//! It is the thread that speaks of silence which tells the manager, so this never waits: what the manager does not take at once
//! has not been told, and whoever told it tells it again. That, and names in the abstract namespace, is why the protocol is
//! written out here: the crate sd-notify (0.5) waits, and takes `@name` for a file.
//!
//! [sd_notify(3)]: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::time::Duration;

/// The longest status line, in bytes: systemd ignores a datagram of more than 4,096 bytes.
const MAX_STATUS_BYTES: usize = 3_000;

/// Why the service manager cannot be told anything.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The socket's name is none that this build knows.
    #[error("notify: NOTIFY_SOCKET is {found:?}, wanted an absolute path, or @ and a name")]
    Address {
        /// The variable's value.
        found: OsString,
    },
    /// The manager's patience is no number.
    #[error("notify: {name} is {found:?}, wanted a whole number")]
    Number {
        /// The variable.
        name: &'static str,
        /// Its value.
        found: OsString,
    },
    /// There is no socket to send from.
    #[error("notify: no socket can be opened: {0}")]
    Socket(io::Error),
}

/// The way to the service manager.
#[derive(Debug)]
pub struct Notifier {
    socket: UnixDatagram,
    manager: SocketAddr,
    watchdog: Option<Duration>,
    warned: bool,
}

impl Notifier {
    /// As NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID say; none where nobody wants to be told.
    ///
    /// # Errors
    /// A variable that cannot be understood, or a process that may open no socket.
    pub fn from_env() -> Result<Option<Self>, NotifyError> {
        let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return Ok(None) };
        let (usec, pid) = (env::var_os("WATCHDOG_USEC"), env::var_os("WATCHDOG_PID"));
        let watchdog = watchdog(usec.as_deref(), pid.as_deref(), process::id())?;
        Self::new(&name, watchdog).map(Some)
    }

    /// To the socket of this name, with a manager that gives up after `watchdog` without a sign of life.
    ///
    /// # Errors
    /// A name that is neither an absolute path nor `@` and a name, or a process that may open no socket.
    pub fn new(name: &OsStr, watchdog: Option<Duration>) -> Result<Self, NotifyError> {
        let manager = address(name).ok_or_else(|| NotifyError::Address { found: name.into() })?;
        let socket = UnixDatagram::unbound().map_err(NotifyError::Socket)?;
        socket.set_nonblocking(true).map_err(NotifyError::Socket)?;
        Ok(Self { socket, manager, watchdog, warned: false })
    }

    /// The longest time without a sign of life that the manager bears; none where it does not watch.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Everything has started: `READY=1`. Whether the manager was told.
    pub fn ready(&mut self) -> bool {
        self.send("READY=1\n")
    }

    /// A sign of life: `WATCHDOG=1`. Whether the manager was told.
    pub fn alive(&mut self) -> bool {
        self.send("WATCHDOG=1\n")
    }

    /// The end has begun: `STOPPING=1`. Whether the manager was told.
    pub fn stopping(&mut self) -> bool {
        self.send("STOPPING=1\n")
    }

    /// One line for people: `STATUS=`. What would break the line is left out, and its end where it is too long. Whether the
    /// manager was told.
    pub fn status(&mut self, text: &str) -> bool {
        self.send(&format!("STATUS={}\n", one_line(text)))
    }

    /// A failure is warned of once; the manager's socket does not come and go.
    fn send(&mut self, message: &str) -> bool {
        let sent = self.socket.send_to_addr(message.as_bytes(), &self.manager);
        if let Err(error) = &sent
            && !self.warned
        {
            self.warned = true;
            log::warn!(
                "notify: the service manager at {:?} cannot be told {}: {error}; it may end this process for that",
                self.manager,
                message.trim_end()
            );
        }
        sent.is_ok()
    }
}

/// `@name` is in the abstract namespace of Linux (unix(7)).
fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] if !name.is_empty() => SocketAddr::from_abstract_name(name).ok(),
        [b'/', _, ..] => SocketAddr::from_pathname(name).ok(),
        _ => None,
    }
}

/// The manager's patience, where it is for process `own`: children inherit the variables.
fn watchdog(usec: Option<&OsStr>, pid: Option<&OsStr>, own: u32) -> Result<Option<Duration>, NotifyError> {
    let usec = number("WATCHDOG_USEC", usec)?;
    let for_another = number("WATCHDOG_PID", pid)?.is_some_and(|pid| pid != u64::from(own));
    Ok(usec.filter(|usec| *usec > 0 && !for_another).map(Duration::from_micros))
}

fn number(name: &'static str, value: Option<&OsStr>) -> Result<Option<u64>, NotifyError> {
    let parse = |value: &OsStr| value.to_str().and_then(|value| value.parse().ok());
    let wrong = |value: &OsStr| NotifyError::Number { name, found: value.into() };
    value.map(|value| parse(value).ok_or_else(|| wrong(value))).transpose()
}

/// Without control characters, by which a camera's name could tell the manager something else.
fn one_line(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_STATUS_BYTES);
    text[..end].replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager() -> (tempfile::TempDir, UnixDatagram, Notifier) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::new(path.as_os_str(), None).unwrap();
        (dir, socket, notifier)
    }

    fn received(socket: &UnixDatagram) -> String {
        let mut datagram = [0; 8_192];
        let length = socket.recv(&mut datagram).unwrap();
        String::from_utf8(datagram[..length].to_vec()).unwrap()
    }

    #[test]
    fn each_message_is_one_datagram_of_whole_lines() {
        let (_dir, socket, mut notifier) = manager();
        assert!(notifier.ready() && notifier.alive() && notifier.status("front: nominal") && notifier.stopping());
        let told: Vec<_> = (0..4).map(|_| received(&socket)).collect();
        assert_eq!(told, ["READY=1\n", "WATCHDOG=1\n", "STATUS=front: nominal\n", "STOPPING=1\n"]);
    }

    #[test]
    fn a_status_is_one_line_that_the_manager_takes_whatever_it_holds() {
        let (_dir, socket, mut notifier) = manager();
        assert!(notifier.status("front\nREADY=1\r\0: nominal"));
        assert_eq!(received(&socket), "STATUS=front READY=1  : nominal\n");
        assert!(notifier.status(&"ü".repeat(5_000)));
        assert_eq!(received(&socket), format!("STATUS={}\n", "ü".repeat(MAX_STATUS_BYTES / 2)));
    }

    #[test]
    fn a_manager_that_is_not_there_or_does_not_read_holds_nobody_up() {
        let (_dir, socket, mut notifier) = manager();
        // Until its queue is full.
        while notifier.alive() {}
        assert!(notifier.warned);
        drop(received(&socket));
        assert!(notifier.alive(), "it reads again");
        drop(socket);
        assert!(!notifier.alive(), "it is gone");
    }

    #[test]
    fn sockets_are_named_by_an_absolute_path_or_in_the_abstract_namespace() {
        let path = address(OsStr::new("/run/systemd/notify")).unwrap();
        assert_eq!(path.as_pathname().unwrap().to_str(), Some("/run/systemd/notify"));
        let hidden = address(OsStr::new("@run/notify")).unwrap();
        assert_eq!(hidden.as_abstract_name(), Some(&b"run/notify"[..]));
        let long = format!("/{}", "n".repeat(200));
        for wrong in ["", "@", "/", "notify", "vsock:2:1234", long.as_str()] {
            assert!(matches!(Notifier::new(OsStr::new(wrong), None), Err(NotifyError::Address { .. })), "{wrong}");
        }
    }

    #[test]
    fn the_watchdog_is_the_one_of_this_process_alone() {
        let patience = |usec: &str, pid: Option<&str>| watchdog(Some(usec.as_ref()), pid.map(OsStr::new), 17).unwrap();
        assert_eq!(patience("3000000", None), Some(Duration::from_secs(3)));
        assert_eq!(patience("3000000", Some("17")), Some(Duration::from_secs(3)));
        assert_eq!(patience("3000000", Some("18")), None);
        assert_eq!(patience("0", Some("17")), None);
        assert_eq!(watchdog(None, Some("17".as_ref()), 17).unwrap(), None);
        for (usec, pid) in [("soon", "17"), ("3000000", "me"), ("-1", "17")] {
            assert!(watchdog(Some(usec.as_ref()), Some(pid.as_ref()), 17).is_err(), "{usec} {pid}");
        }
    }
}
