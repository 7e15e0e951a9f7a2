#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| oodwatch_fuzz::targets::safetensors::run(input));
