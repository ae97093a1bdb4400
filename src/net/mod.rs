//! The car's and the terminal viewer's side of the network: TLS, signalling, one attempt at a session.
//!
//! ```text
//!   tls (whom to trust) ─▶ signalling (bytes ⇄ messages) ─▶ dial (one attempt: offer, answer, events)
//!   h264 (access units ⇄ RTP payloads)
//! ```
//!
//! Promises: TLS is verified unless the configuration says otherwise in plain words, and then the log
//! says so at every start. Knows nothing of: hardware, the local Spider's inside.

pub mod date;
pub mod dial;
pub mod eyeballs;
pub mod h264;
pub mod publish;
pub mod signalling;
pub mod subscribe;
pub mod tls;
mod tls_words;
