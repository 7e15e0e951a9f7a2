//! What a script may say, and what it is told otherwise.

use super::*;

const PICTURES: &str = "[source.images]\npath = \"pictures\"\nrealtime = true\n";

/// What is said of a script, or nothing.
fn check(source: &str, script: &str) -> String {
    let text = format!("{source}[[script]]\n{script}");
    let config: FaultsConfig = toml::from_str(&text).unwrap();
    config.wrong_value().map(|wrong| wrong.to_string()).unwrap_or_default()
}

#[test]
fn every_kind_is_understood_with_what_it_needs() {
    for parameters in [
        "kind = \"freeze\"\nfrom_frame = 3",
        "kind = \"black\"\nfrom_s = 0.5\nfor_frames = 2",
        "kind = \"noise\"\nfrom_frame = 0\nsigma = 20",
        "kind = \"corrupt\"\nfrom_frame = 0\ndamage = 0.1",
        "kind = \"corrupt\"\nfrom_frame = 0\nkeep = 0.5",
        "kind = \"stall\"\nfrom_frame = 0\nfor_s = 2",
        "kind = \"unplug\"\nfrom_frame = 0",
        "kind = \"timestamp_jump\"\nfrom_frame = 0\nmilliseconds = -5000",
        "kind = \"wrong_size\"\nfrom_frame = 0\nfactor = 0.5",
        "kind = \"wrong_size\"\nfrom_frame = 0\nwidth = 32\nheight = 16",
        "kind = \"rate_drop\"\nfrom_frame = 0\nkeep_every = 3",
        "kind = \"overexposed\"\nfrom_frame = 0",
        "kind = \"backlit\"\nfrom_frame = 0",
        "kind = \"blocked\"\nfrom_frame = 0",
        "kind = \"low_visibility\"\nfrom_frame = 0",
        "kind = \"defocus\"\nfrom_frame = 0",
        "kind = \"dead_channel\"\nfrom_frame = 0",
        "kind = \"color_lost\"\nfrom_frame = 0",
        "kind = \"color_cast\"\nfrom_frame = 0",
    ] {
        assert_eq!(check(PICTURES, parameters), "", "{parameters}");
    }
}

#[test]
fn what_a_kind_lacks_or_cannot_have_is_named_by_its_key() {
    for (script, wanted) in [
        ("kind = \"noise\"\nfrom_frame = 0", "script[1].sigma is missing, wanted above 0, to 255"),
        ("kind = \"noise\"\nfrom_frame = 0\nsigma = -1", "script[1].sigma is -1, wanted above 0, to 255"),
        ("kind = \"noise\"\nfrom_frame = 0\nsigma = nan", "script[1].sigma is NaN"),
        ("kind = \"black\"\nfrom_frame = 0\nsigma = 9", "script[1].sigma is set, wanted no such key here"),
        ("kind = \"black\"", "script[1].from_frame is missing, wanted either from_frame or from_s"),
        ("kind = \"black\"\nfrom_frame = 0\nfrom_s = 1", "script[1].from_s is set beside the number of frames"),
        ("kind = \"black\"\nfrom_s = -1", "script[1].from_s is -1, wanted a number of seconds"),
        ("kind = \"black\"\nfrom_frame = 0\nfor_frames = 0", "script[1].for_frames is 0, wanted 1 or more"),
        ("kind = \"black\"\nfrom_frame = 0\nfor_s = 0", "script[1].for_s is 0"),
        ("kind = \"corrupt\"\nfrom_frame = 0", "script[1].damage is missing, wanted either damage or keep"),
        ("kind = \"corrupt\"\nfrom_frame = 0\nkeep = 1", "script[1].keep is 1, wanted 0 to below 1"),
        ("kind = \"wrong_size\"\nfrom_frame = 0\nwidth = 3", "script[1].factor is not alone"),
        ("kind = \"wrong_size\"\nfrom_frame = 0\nwidth = 0\nheight = 1", "script[1].width is 0, wanted 1 to 16384"),
        ("kind = \"timestamp_jump\"\nfrom_frame = 0\nmilliseconds = 0", "script[1].milliseconds is 0"),
        ("kind = \"rate_drop\"\nfrom_frame = 0", "script[1].keep_every is missing, wanted 2 to 5"),
        ("kind = \"rate_drop\"\nfrom_frame = 0\nkeep_every = 6", "script[1].keep_every is 6, wanted 2 to 5"),
        ("kind = \"blocked\"\nfrom_frame = 0\nkeep_every = 2", "script[1].keep_every is set, wanted no such key"),
    ] {
        let said = check(PICTURES, script);
        assert!(said.starts_with(&format!("camera.source.faults.{wanted}")), "{script}: {said}");
    }
}

#[test]
fn faults_within_faults_are_refused() {
    let inner = "[source.faults.source.images]\npath = \"a\"\n[[source.faults.script]]\nkind = \"black\"\nfrom_s = 0\n";
    let said = check(inner, "kind = \"black\"\nfrom_s = 0");
    assert_eq!(said, "camera.source.faults.source is faults, wanted images, video, v4l2 or pipe");
}

#[test]
fn the_wrapped_source_is_checked_too() {
    let source = "[source.images]\npath = \"a\"\nframes_per_second = 0\n";
    let said = check(source, "kind = \"black\"\nfrom_s = 0");
    assert_eq!(said, "camera.source.faults.source.images.frames_per_second is 0, wanted 0.001 to 10000");
}

#[test]
fn silence_needs_footage_at_its_own_pace() {
    let source = "[source.video]\npath = \"a\"\n";
    let said = check(source, "kind = \"stall\"\nfrom_s = 0");
    assert!(said.starts_with("camera.source.faults.source.video.realtime is false, wanted true"), "{said}");
    assert_eq!(check(source, "kind = \"black\"\nfrom_s = 0"), "");
    assert_eq!(check("[source.v4l2]\ndevice = \"/dev/video0\"\n", "kind = \"stall\"\nfrom_s = 0"), "");
}

#[test]
fn a_script_without_faults_is_refused() {
    let config: FaultsConfig = toml::from_str(PICTURES).unwrap();
    assert!(config.wrong_value().unwrap().to_string().contains("faults.script is empty"));
}
