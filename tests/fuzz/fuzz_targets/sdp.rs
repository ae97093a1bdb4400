//! Any text as a session description: rewriting keeps what it promises and never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spidercar::peer::{has_one_ufrag, in_modern_dialect, is_in_legacy_dialect, offered_codecs, unify_credentials};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let unified = unify_credentials(&text);
    if text.lines().any(|line| line.starts_with("m=")) {
        assert!(has_one_ufrag(&unified).is_ok(), "{unified}");
    }
    assert_eq!(unify_credentials(&unified), unified, "twice is once");
    let modern = in_modern_dialect(&text);
    assert!(!is_in_legacy_dialect(&modern), "{modern}");
    assert_eq!(in_modern_dialect(&modern), modern, "twice is once");
    assert_eq!(offered_codecs(&modern), offered_codecs(&text));
});
