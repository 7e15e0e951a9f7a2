//! Puts what the project needs from outside under `.deps/`: pinned, hash-checked, cached per user. What is already
//! there is left alone; what was half downloaded goes on.

mod debian;
pub(crate) mod download;
pub(crate) mod pins;
#[cfg(test)]
mod tests;
pub(crate) mod tools;
mod unpack;

use std::fs::File;
use std::path::{Path, PathBuf};

use self::download::{DownloadError, Downloader, Origin, megabytes};
use self::pins::{Conversion, Dep, Part, PinError, Pins, Registry};
use self::unpack::UnpackError;
use crate::camera_lab::{self, LabError};
use crate::cifar::{self, CifarError};
use crate::paths::{Paths, PathsError, make_folder};

/// Why something could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// What was downloaded or asked for is wrong, or the registry cannot be reached.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// An archive could not be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The pins do not fit.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// CIFAR-10 could not be converted.
    #[error(transparent)]
    Cifar(#[from] CifarError),
    /// The camera lab could not be built.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// A folder is missing and cannot be made.
    #[error(transparent)]
    Paths(#[from] PathsError),
    /// A file or folder could not be changed.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody's own folder is in the way.
    #[error("{} is a folder that xtask did not make; move it away, or name its content by {}", path.display(), variable)]
    InTheWay {
        /// The folder.
        path: PathBuf,
        /// The variable that would name an own copy.
        variable: String,
    },
    /// One dependency is missing.
    #[error(
        "missing: {what}, and it cannot be fetched:\n  {reason}\n  \
         It would lie in {}. Without a network, run `cargo xtask fetch` where there is one and copy that folder here{own}.",
        cache.display()
    )]
    Missing {
        /// What it is for, its name and its size.
        what: String,
        /// The cache.
        cache: PathBuf,
        /// How an own copy is named, if it can be.
        own: String,
        /// What went wrong.
        reason: Box<FetchError>,
    },
}

/// Fetches into one clone and one cache.
#[derive(Debug)]
pub(crate) struct Fetcher {
    /// This clone and this cache.
    pub(crate) paths: Paths,
    pins: Pins,
    machine: String,
}

impl Fetcher {
    /// Reads the pins.
    ///
    /// # Errors
    /// When they do not parse.
    pub(crate) fn new(paths: Paths) -> Result<Fetcher, FetchError> {
        Ok(Fetcher { paths, pins: Pins::read()?, machine: std::env::consts::ARCH.to_owned() })
    }

    /// Makes sure of every named dependency. Returns how many had to be fetched or linked.
    ///
    /// # Errors
    /// The first that is missing and cannot be fetched.
    pub(crate) fn ensure_all(&self, names: &[&str]) -> Result<usize, FetchError> {
        let mut changed = 0;
        for name in names {
            let dep = self.pins.get(name)?;
            let own = dep.set_by_user.as_deref().filter(|variable| self.user_has_set(variable));
            if let Some(variable) = own {
                eprintln!("{name}: yours, from {variable}");
            } else if self.ensure(dep)? {
                changed += 1;
            }
        }
        Ok(changed)
    }

    /// Whether the user names an own copy. Cargo sets the variable too, to the place under `.deps/`.
    fn user_has_set(&self, variable: &str) -> bool {
        let ours = self.paths.root.join(".deps");
        std::env::var_os(variable).is_some_and(|value| !value.is_empty() && !Path::new(&value).starts_with(ours))
    }

    /// Makes sure of one dependency; true when there was something to do.
    fn ensure(&self, dep: &Dep) -> Result<bool, FetchError> {
        let key = dep.key(&self.machine);
        let place = self.paths.cache.join(&key);
        let link = self.paths.dep(&dep.name);
        if std::fs::read_link(&link).is_ok_and(|target| target == place) && place.is_dir() {
            return Ok(false);
        }
        let lock = self.lock(&key)?;
        if !place.is_dir() {
            eprintln!("{}: {}", dep.name, dep.purpose);
            self.make(dep, &place).map_err(|source| self.missing(dep, source))?;
        }
        drop(lock);
        relink(dep, &link, &place)?;
        Ok(true)
    }

    /// Waits until no other clone fetches the same thing.
    fn lock(&self, key: &str) -> Result<File, FetchError> {
        let path = self.paths.cache.join(format!("{key}.lock"));
        let locked = File::create(&path).and_then(|file| file.lock().map(|()| file));
        locked.map_err(|source| FetchError::File { path, source })
    }

    /// Downloads, unpacks and converts beside the final place, then moves it there in one step.
    fn make(&self, dep: &Dep, place: &Path) -> Result<(), FetchError> {
        let unfinished = place.with_extension("unfinished");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished).map_err(|source| file_error(&unfinished, source))?;
        }
        make_folder(&unfinished)?;
        let archives = dep.parts.iter().map(|part| self.download(part)).collect::<Result<Vec<_>, _>>()?;
        for (archive, part) in archives.iter().zip(&dep.parts) {
            unpack::unpack(archive, part, &unfinished)?;
        }
        match dep.convert {
            Some(Conversion::Cifar10) => cifar::convert(&unfinished)?,
            Some(Conversion::CameraLab) => camera_lab::build(&unfinished)?,
            None => {}
        }
        for (file, wanted) in &dep.made {
            download::check(&unfinished.join(file), file, wanted)?;
        }
        std::fs::rename(&unfinished, place).map_err(|source| file_error(place, source))?;
        // Only now: a build that is interrupted need not download again.
        archives
            .iter()
            .try_for_each(|archive| std::fs::remove_file(archive).map_err(|source| file_error(archive, source)))
    }

    /// Brings one archive into the cache and returns its path.
    fn download(&self, part: &Part) -> Result<PathBuf, FetchError> {
        let pin = part.pin(&self.machine)?;
        let folder = self.paths.cache.join("downloads");
        make_folder(&folder)?;
        let archive = folder.join(format!("{}-{}-{}.part", part.package, part.version, &pin.sha256[..12]));
        if part.package == "pip" {
            tools::pip_by_pip(part, pin, &archive)?;
            return Ok(archive);
        }
        let origin = match part.registry {
            Registry::Pypi => {
                let machine = part.machine.as_ref().unwrap_or(&self.machine);
                Origin::Wheel { machine: machine.clone(), python: part.python.clone() }
            }
            Registry::Npm => Origin::Url(tools::tarball(&part.package, &part.version, || self.node())?),
            Registry::Debian => return debian::download(part, pin, &archive).map(|()| archive),
        };
        self.ensure(self.pins.get("pip")?)?;
        let downloader = Downloader { pip: Some(self.paths.dep("pip")) };
        downloader.fetch(part, pin, &origin, &archive)?;
        Ok(archive)
    }

    /// The folder of the fetched Node.js, for machines without npm.
    fn node(&self) -> Result<PathBuf, FetchError> {
        self.ensure(self.pins.get("node")?)?;
        Ok(self.paths.dep("node"))
    }

    fn missing(&self, dep: &Dep, source: FetchError) -> FetchError {
        // A tool is only wanted for something else, and that is what the user hears of. A build says what it lacks.
        if dep.tool || matches!(source, FetchError::Lab(_)) {
            return source;
        }
        let own =
            dep.set_by_user.as_ref().map_or_else(String::new, |name| format!(", or set {name} to a copy of yours"));
        FetchError::Missing {
            what: format!("{} ({}, {} to download)", dep.purpose, dep.name, megabytes(dep.bytes(&self.machine))),
            cache: self.paths.cache.clone(),
            own,
            reason: Box::new(source),
        }
    }
}

/// Points `.deps/NAME` at its place in the cache. Only a link is ever replaced.
fn relink(dep: &Dep, link: &Path, place: &Path) -> Result<(), FetchError> {
    if let Some(folder) = link.parent() {
        make_folder(folder)?;
    }
    match std::fs::symlink_metadata(link) {
        Ok(there) if there.is_symlink() => std::fs::remove_file(link).map_err(|source| file_error(link, source))?,
        Ok(_) => {
            let variable = dep.set_by_user.clone().unwrap_or_else(|| "a link of the same name".to_owned());
            return Err(FetchError::InTheWay { path: link.to_path_buf(), variable });
        }
        Err(_) => {}
    }
    std::os::unix::fs::symlink(place, link).map_err(|source| file_error(link, source))
}

fn file_error(path: &Path, source: std::io::Error) -> FetchError {
    FetchError::File { path: path.to_path_buf(), source }
}
