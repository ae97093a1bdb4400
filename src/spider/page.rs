//! The viewer's files, built into the binary.
//!
//! Plain ES modules without a build step: what is in `viewer/` is what the browser gets, so a fault in
//! the field can be read as written. A strict content security policy keeps it that way.
//!
//! Promises: no path leaves the table below. Knows nothing of: what the files do.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Scripts, styles and pictures come from here only; sockets may go to any Spider.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; \
     img-src 'self' data:; media-src 'self' blob: mediastream:; frame-ancestors 'none'; base-uri 'none'";

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("viewer/", $name)))),*]
    };
}

/// Every file of the page by its path.
const FILES: &[(&str, &[u8])] = files![
    "awake.js",
    "bench.js",
    "clock.js",
    "cockpit.css",
    "cockpit.js",
    "drawer.js",
    "eye.js",
    "figures.js",
    "gamepad.js",
    "helm.js",
    "icon.svg",
    "index.html",
    "keyboard.js",
    "laps.js",
    "latency.js",
    "link.js",
    "look.css",
    "main.js",
    "peer.js",
    "pilot.js",
    "signalling.js",
    "sparkline.js",
    "stamp.js",
    "surface.js",
    "touch.js",
    "view.js",
    "vitals.js",
    "wire.js",
    "words.js",
    "workshop.css",
    "workshop.js",
];

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
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(CONTENT_SECURITY_POLICY),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
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
    fn every_file_of_the_viewer_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/spider/viewer");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(FILES.iter().any(|(known, _)| *known == name), "{name}");
        }
    }
}
