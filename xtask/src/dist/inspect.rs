//! Reads from a finished program (ELF, 64 bit) what it wants of a system, and refuses one that a JetPack 5 could not run.

use std::fmt;
use std::path::{Path, PathBuf};

use object::LittleEndian;
use object::elf::{DT_NEEDED, EM_AARCH64, EM_X86_64, FileHeader64, Machine, SHT_SYMTAB};
use object::read::elf::{FileHeader as _, SectionHeader as _, SectionTable};

use super::Target;

/// The newest glibc that a program may want: JetPack 5's (Ubuntu 20.04).
pub(super) const MAX_GLIBC: Version = Version(2, 31);
/// The largest size of the stripped program, in bytes.
pub(super) const MAX_BYTES: u64 = 15_000_000;
/// Libraries that every Linux with glibc has: glibc's own and the compiler's. ONNX Runtime is looked for at run time, and
/// libtorch is the training's alone.
const ALLOWED: [&str; 9] = [
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "libutil.so.1",
    "libgcc_s.so.1",
    "ld-linux-aarch64.so.1",
    "ld-linux-x86-64.so.2",
];

/// Why a program is not shipped.
#[derive(Debug, thiserror::Error)]
pub(super) enum InspectError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The program.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no 64-bit ELF file.
    #[error("{}: {source}", path.display())]
    Elf {
        /// The program.
        path: PathBuf,
        /// The reader's word on it.
        source: object::read::Error,
    },
    /// It is for another machine.
    #[error("the program is for machine {found} of the ELF standard, wanted {wanted}")]
    Machine {
        /// Its number in the header.
        found: u16,
        /// That of the target.
        wanted: u16,
    },
    /// It wants a newer system than there is on the boards.
    #[error("the program wants glibc {found}, the oldest system that it is for has {MAX_GLIBC}")]
    Glibc {
        /// The newest version that it wants.
        found: Version,
    },
    /// It wants a library that a plain system lacks.
    #[error("the program wants {library}, which a plain system lacks; it may want {}", ALLOWED.join(", "))]
    Library {
        /// The library.
        library: String,
    },
    /// It is too large.
    #[error("the program has {found} bytes, wanted at most {MAX_BYTES}")]
    Size {
        /// Its size, bytes.
        found: u64,
    },
    /// It still holds its symbols.
    #[error("the program is not stripped of its symbols")]
    Symbols,
}

/// A version of glibc.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u32, u32);

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.0, self.1)
    }
}

/// What a program is and wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binary {
    /// Size of the file, bytes.
    pub(super) bytes: u64,
    /// The newest version of glibc among its symbols' versions; none if it wants no versioned symbol.
    pub(super) glibc: Option<Version>,
    /// The libraries that it cannot be started without (DT_NEEDED).
    pub(super) libraries: Vec<String>,
    machine: Machine,
    symbols: bool,
}

impl Binary {
    /// Reads a program.
    ///
    /// # Errors
    /// When the file cannot be read or is no 64-bit little-endian ELF file.
    pub(super) fn read(path: &Path) -> Result<Binary, InspectError> {
        let content = std::fs::read(path).map_err(|source| InspectError::File { path: path.to_path_buf(), source })?;
        parse(&content).map_err(|source| InspectError::Elf { path: path.to_path_buf(), source })
    }

    /// Whether it may be shipped for the target.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn fit(&self, target: Target) -> Result<(), InspectError> {
        let wanted = match target {
            Target::X86_64 => EM_X86_64,
            Target::Aarch64 => EM_AARCH64,
        };
        if self.machine != wanted {
            return Err(InspectError::Machine { found: self.machine.0, wanted: wanted.0 });
        }
        if let Some(found) = self.glibc.filter(|version| *version > MAX_GLIBC) {
            return Err(InspectError::Glibc { found });
        }
        if let Some(library) = self.libraries.iter().find(|library| !ALLOWED.contains(&library.as_str())) {
            return Err(InspectError::Library { library: library.clone() });
        }
        if self.bytes > MAX_BYTES {
            return Err(InspectError::Size { found: self.bytes });
        }
        if self.symbols { Err(InspectError::Symbols) } else { Ok(()) }
    }
}

type Header = FileHeader64<LittleEndian>;

fn parse(content: &[u8]) -> object::read::Result<Binary> {
    let header = Header::parse(content)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, content)?;
    let dynamic = sections.dynamic_table(endian, content)?;
    let mut libraries = Vec::new();
    for entry in dynamic.iter().filter(|entry| entry.tag == DT_NEEDED) {
        libraries.push(String::from_utf8_lossy(dynamic.string(entry)?).into_owned());
    }
    Ok(Binary {
        bytes: content.len() as u64,
        glibc: newest_glibc(content, &sections)?,
        libraries,
        machine: header.e_machine(endian),
        symbols: sections.iter().any(|section| section.sh_type(endian) == SHT_SYMTAB),
    })
}

/// The newest version of glibc that any symbol asks for (SHT_GNU_VERNEED).
fn newest_glibc(content: &[u8], sections: &SectionTable<'_, Header>) -> object::read::Result<Option<Version>> {
    let Some((files, names)) = sections.gnu_verneed(LittleEndian, content)? else { return Ok(None) };
    let names = sections.strings(LittleEndian, content, names)?;
    let mut newest = None;
    for file in files {
        for version in file?.1 {
            newest = newest.max(glibc_version(version?.name(LittleEndian, names)?));
        }
    }
    Ok(newest)
}

/// `GLIBC_2.17` as a number; none for other names, such as `GCC_3.0`.
fn glibc_version(name: &[u8]) -> Option<Version> {
    let name = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?;
    if name == "ABI_DT_RELR" {
        // Packed relocations: a name without a number for what glibc 2.36 brought.
        return Some(Version(2, 36));
    }
    let mut numbers = name.split('.');
    Some(Version(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shippable() -> Binary {
        let libraries = ["libc.so.6", "libm.so.6", "ld-linux-aarch64.so.1"].map(str::to_owned).to_vec();
        Binary { bytes: 9_000_000, glibc: Some(Version(2, 31)), libraries, machine: EM_AARCH64, symbols: false }
    }

    fn check(change: impl FnOnce(&mut Binary), complaint: &str) {
        let mut binary = shippable();
        change(&mut binary);
        let error = binary.fit(Target::Aarch64).unwrap_err().to_string();
        assert!(error.contains(complaint), "{error}");
    }

    #[test]
    fn a_program_that_a_board_could_not_run_is_refused() {
        shippable().fit(Target::Aarch64).unwrap();
        check(|binary| binary.glibc = Some(Version(2, 32)), "wants glibc 2.32");
        check(|binary| binary.libraries.push("libtorch_cpu.so".into()), "wants libtorch_cpu.so");
        check(|binary| binary.bytes = MAX_BYTES + 1, "15000001 bytes");
        check(|binary| binary.machine = EM_X86_64, "machine 62 of the ELF standard, wanted 183");
        check(|binary| binary.symbols = true, "not stripped");
    }

    #[test]
    fn versions_of_glibc_are_compared_by_number() {
        assert!(glibc_version(b"GLIBC_2.9") < glibc_version(b"GLIBC_2.17"));
        assert_eq!(glibc_version(b"GLIBC_2.2.5"), Some(Version(2, 2)));
        assert_eq!(glibc_version(b"GLIBC_ABI_DT_RELR"), Some(Version(2, 36)));
        for other in ["GCC_3.0", "GLIBC_PRIVATE"] {
            assert_eq!(glibc_version(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn this_program_is_read_as_what_it_is() {
        let own = Binary::read(&std::env::current_exe().unwrap()).unwrap();
        assert!(own.libraries.iter().any(|library| library == "libc.so.6"), "{own:?}");
        assert!(own.glibc >= Some(Version(2, 2)), "{own:?}");
        // A test keeps its symbols; that alone makes it unfit.
        assert!(own.symbols);
    }

    #[test]
    fn a_file_that_is_no_program_is_refused_by_name() {
        let error =
            Binary::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))).unwrap_err().to_string();
        assert!(error.contains("Cargo.toml: "), "{error}");
    }
}
