//! Downloads from a file server on this machine: the downloader is the real one, in Python with pip's network code.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

use sha2::{Digest, Sha256};

use super::download::{DownloadError, Downloader, Origin};
use super::pins::{Part, Pin, hex};

/// What the server sends for one request.
#[derive(Clone, Copy)]
enum Answer {
    /// What was asked for.
    Whole,
    /// A few bytes of it, then the connection ends.
    CutAfter(usize),
    /// Everything, whatever range was asked for.
    IgnoringRange,
}

/// Serves `content` with one answer per request; reports the first byte that each request asked for.
fn serve(content: Vec<u8>, answers: Vec<Answer>) -> (String, Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/file.whl", listener.local_addr().unwrap());
    let (sender, asked) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            sender.send(reply(stream, &content, answer)).unwrap();
        }
    });
    (url, asked)
}

fn reply(mut stream: TcpStream, content: &[u8], answer: Answer) -> usize {
    let from = requested_start(&stream);
    let body = if matches!(answer, Answer::IgnoringRange) { content } else { &content[from..] };
    let status = if body.len() < content.len() { "206 Partial Content" } else { "200 OK" };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let sent = if let Answer::CutAfter(bytes) = answer { &body[..bytes] } else { body };
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(sent).unwrap();
    from
}

/// Reads a request; 0 when it names no range.
fn requested_start(stream: &TcpStream) -> usize {
    let lines = BufReader::new(stream).lines().map(Result::unwrap).take_while(|line| !line.is_empty());
    let range = lines.filter_map(|line| Some(line.to_lowercase().strip_prefix("range: bytes=")?.to_owned())).last();
    range.and_then(|range| range.trim_end_matches('-').parse().ok()).unwrap_or(0)
}

fn content() -> Vec<u8> {
    (0..200_000_u32).map(|byte| (byte * 31 % 251) as u8).collect()
}

fn part() -> Part {
    toml::from_str("registry = \"pypi\"\npackage = \"thing\"\nversion = \"1.0\"\nkeep = []").unwrap()
}

fn fetch(url: &str, sha256: String, file: &Path) -> Result<(), DownloadError> {
    let pinned_pip = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.deps/pip"));
    let downloader = Downloader { pip: pinned_pip.is_dir().then_some(pinned_pip) };
    downloader.fetch(&part(), &Pin { bytes: 200_000, sha256 }, &Origin::Url(url.to_owned()), file)
}

fn check(before: &[u8], answers: Vec<Answer>, expected_starts: &[usize]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("thing.part");
    std::fs::write(&file, before).unwrap();
    let (url, asked) = serve(content(), answers);
    fetch(&url, hex(&Sha256::digest(content())), &file).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), content());
    assert_eq!(asked.try_iter().collect::<Vec<_>>(), expected_starts);
}

#[test]
fn a_fresh_download_asks_for_everything() {
    check(&[], vec![Answer::Whole], &[0]);
}

#[test]
fn a_killed_download_goes_on_where_it_stopped() {
    check(&content()[..70_000], vec![Answer::Whole], &[70_000]);
}

#[test]
fn a_broken_connection_goes_on_within_the_same_run() {
    check(&[], vec![Answer::CutAfter(50_000), Answer::Whole], &[0, 50_000]);
}

#[test]
fn a_server_without_ranges_sends_it_all_again() {
    check(&content()[..70_000], vec![Answer::IgnoringRange], &[70_000]);
}

#[test]
fn a_spoilt_beginning_is_noticed_and_downloaded_again() {
    check(&[7; 70_000], vec![Answer::Whole, Answer::Whole], &[70_000, 0]);
}

#[test]
fn another_file_than_the_pinned_one_is_refused_and_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("thing.part");
    let (url, _asked) = serve(content(), vec![Answer::Whole]);
    let error = fetch(&url, "00".repeat(32), &file).unwrap_err().to_string();
    assert_eq!(error, format!("thing: sha256 is {}, wanted {}", hex(&Sha256::digest(content())), "00".repeat(32)));
    assert!(!file.exists());
}

#[test]
fn an_unreachable_server_is_told_in_one_line() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("thing.part");
    let error = fetch(&format!("http://{closed}/file.whl"), "00".repeat(32), &file).unwrap_err().to_string();
    assert!(error.contains("Connection") && error.lines().count() == 1, "{error}");
}
