#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| oodwatch_fuzz::targets::mjpeg::run(input));
