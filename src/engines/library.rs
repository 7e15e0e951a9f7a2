//! Which file of a library it is, without reading all of it: the linker leaves a hash of what it linked in the file, the build id.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::package::{hex, sha256_of_file};

/// What begins a file of ELF's 64-bit form with the least byte first, which every Linux that this program runs on has.
const ELF64_LITTLE: [u8; 6] = [0x7f, b'E', b'L', b'F', 2, 1];
const HEADER_BYTES: usize = 64;
/// Type of the program headers that lead to notes, and of the note with the build id (elf(5)).
const PT_NOTE: u32 = 4;
const NT_GNU_BUILD_ID: u32 = 3;
/// Longest notes that are read; linkers write a few hundred bytes.
const MOST_NOTES_BYTES: u64 = 64 << 10;

/// The build id of a library, or else its sha256.
pub(super) fn id(path: &Path) -> Option<String> {
    match build_id(path) {
        Ok(Some(id)) => Some(format!("build id {id}")),
        _ => sha256_of_file(path).ok().map(|sum| format!("sha256 {sum}")),
    }
}

fn build_id(path: &Path) -> io::Result<Option<String>> {
    let file = File::open(path)?;
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, 0)?;
    let (Some(start), Some(size), Some(count)) = (u64_at(&header, 32), u16_at(&header, 54), u16_at(&header, 56)) else {
        return Ok(None);
    };
    if header[..ELF64_LITTLE.len()] != ELF64_LITTLE {
        return Ok(None);
    }
    for number in 0..u64::from(count) {
        let mut program_header = [0; 56];
        file.read_exact_at(&mut program_header, start.saturating_add(number * u64::from(size)))?;
        let at = (u32_at(&program_header, 0), u64_at(&program_header, 8), u64_at(&program_header, 32));
        if let (Some(PT_NOTE), Some(offset), Some(bytes @ 0..=MOST_NOTES_BYTES)) = at {
            let mut notes = vec![0; bytes as usize];
            file.read_exact_at(&mut notes, offset)?;
            if let Some(id) = in_notes(&notes) {
                return Ok(Some(hex(id)));
            }
        }
    }
    Ok(None)
}

/// A note is three numbers (length of its name, length of its content, type), the name and the content, each filled up to four bytes.
fn in_notes(mut notes: &[u8]) -> Option<&[u8]> {
    loop {
        let [name, content] = [u32_at(notes, 0)? as usize, u32_at(notes, 4)? as usize];
        let content_at = 12_usize.checked_add(name.checked_next_multiple_of(4)?)?;
        let found = notes.get(content_at..content_at.checked_add(content)?)?;
        if u32_at(notes, 8)? == NT_GNU_BUILD_ID && notes.get(12..16)? == b"GNU\0" && !found.is_empty() {
            return Some(found);
        }
        notes = notes.get(content_at.checked_add(content.checked_next_multiple_of(4)?)?..)?;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn note(name: &[u8], kind: u32, content: &[u8]) -> Vec<u8> {
        let filled = |bytes: &[u8]| {
            let mut filled = bytes.to_vec();
            filled.resize(bytes.len().next_multiple_of(4), 0);
            filled
        };
        let numbers = [name.len() as u32, content.len() as u32, kind].map(u32::to_le_bytes).concat();
        [numbers, filled(name), filled(content)].concat()
    }

    #[test]
    fn the_build_id_is_found_among_other_notes() {
        let others = [note(b"GNU\0", 1, &[7; 16]), note(b"stapsdt\0", 3, &[1; 3])].concat();
        let id = note(b"GNU\0", NT_GNU_BUILD_ID, &[0xab, 0xcd, 0xef]);
        assert_eq!(in_notes(&[others.clone(), id].concat()), Some(&[0xab, 0xcd, 0xef][..]));
        assert_eq!(in_notes(&others), None);
        assert_eq!(in_notes(&[0xff; 64]), None);
    }

    #[test]
    fn of_an_elf_file_the_note_counts_and_of_any_other_its_content() {
        let notes = note(b"GNU\0", NT_GNU_BUILD_ID, &[0x12, 0x34]);
        let mut file = vec![0; HEADER_BYTES + 2 * 56];
        file[..6].copy_from_slice(&ELF64_LITTLE);
        file[32..40].copy_from_slice(&64_u64.to_le_bytes());
        file[54..56].copy_from_slice(&56_u16.to_le_bytes());
        file[56..58].copy_from_slice(&2_u16.to_le_bytes());
        let second = HEADER_BYTES + 56;
        file[HEADER_BYTES..HEADER_BYTES + 4].copy_from_slice(&1_u32.to_le_bytes());
        file[second..second + 4].copy_from_slice(&PT_NOTE.to_le_bytes());
        file[second + 8..second + 16].copy_from_slice(&(HEADER_BYTES as u64 + 112).to_le_bytes());
        file[second + 32..second + 40].copy_from_slice(&(notes.len() as u64).to_le_bytes());
        file.extend(notes);
        let path = tempfile::NamedTempFile::new().unwrap();
        let id_of = |bytes: &[u8]| {
            fs::write(path.path(), bytes).unwrap();
            id(path.path()).unwrap()
        };
        assert_eq!(id_of(&file), "build id 1234");
        assert!(id_of(&file[..second]).starts_with("sha256 "));
        assert!(id_of(b"no library").starts_with("sha256 "));
        assert_ne!(id_of(b"no library"), id_of(b"another"));
        assert_eq!(id(Path::new("/nonexistent/libonnxruntime.so")), None);
    }
}
