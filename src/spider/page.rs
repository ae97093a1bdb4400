//! The viewer's files, built into the binary.
//!
//! Plain ES modules: what is in `viewer/` is what the browser gets, so a fault in the field can be read as written. A strict
//! content security policy keeps it that way. On the card and on the wire they are a third as long, packed with gzip,
//! which no browser is without; who asks without one unpacks (`curl --compressed`).
//!
//! Promises: no path leaves the table below. Knows nothing of: what the files do.
//! Sources: RFC 9110 8.4.1.3, 12.5.3 (a request that says nothing of codings takes any).

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// What a browser is to allow this page, and to keep from others.
///
/// Scripts, styles and pictures come from here only; sockets may go to any Spider; its one form is for its own script. A page
/// that it opens, or that opens it, gets no hold on it, and no address of it with a key in it. Of a device it wants what a
/// driver's hands and eyes do.
const HEADERS: [(HeaderName, &str); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; \
         media-src 'self' blob: mediastream:; object-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::CACHE_CONTROL, "no-cache"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), midi=(), payment=(), usb=(), serial=(), \
         bluetooth=(), hid=()",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Every file of the page by its name, packed with gzip (`scripts/pack_viewer.rs`).
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The file at a path, or a plain 404.
pub(super) fn file(path: &str) -> Response {
    let name = match path.trim_start_matches('/') {
        "" => "index.html",
        name => name,
    };
    let Some((_, bytes)) = FILES.iter().find(|(known, _)| *known == name) else {
        return (StatusCode::NOT_FOUND, "no such page; the viewer is at /\n").into_response();
    };
    let mut response = (*bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(content_type(name)),
    );
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn the_root_is_the_page_and_nothing_else_is_served() {
        assert_eq!(file("/").status(), StatusCode::OK);
        for path in ["/../Cargo.toml", "/..", "/nothing", "/index.html/.."] {
            assert_eq!(file(path).status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn every_file_has_a_known_type() {
        for (name, _) in FILES {
            assert_ne!(content_type(name), "application/octet-stream", "{name}");
        }
    }

    #[test]
    fn every_file_of_the_viewer_is_served_as_it_is() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/spider/viewer");
        let entries = std::fs::read_dir(folder).unwrap();
        let mut count = 0;
        for entry in entries.map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let (_, packed) = FILES.iter().find(|(known, _)| *known == name).unwrap();
            let mut bytes = Vec::new();
            GzDecoder::new(*packed).read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, std::fs::read(entry.path()).unwrap(), "{name}");
            count += 1;
        }
        assert_eq!(FILES.len(), count);
    }
}
