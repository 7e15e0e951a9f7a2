//! Config files: a wrong one is an error with line and key, and a good one is the same after it was written again.

use std::path::Path;

use oodwatch::config::Config;

use super::within;

/// The TOML parser keeps a node of some hundred bytes for every value, which may be one byte long.
const MEMORY_PER_BYTE: usize = 1024;

/// Reads `input` as a config.
pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let read = |text: &str| Config::parse(Path::new("config.toml"), text);
    match within(MEMORY_PER_BYTE * text.len() + (1 << 20), || read(text)) {
        Ok(config) => {
            let written = toml::to_string(&config).expect("what was read as TOML can be written as TOML");
            let again = read(&written).unwrap_or_else(|error| panic!("{error}\nin what was written:\n{written}"));
            assert_eq!(config, again, "{written}");
        }
        Err(error) => assert!(error.to_string().starts_with("config.toml: ")),
    }
}
