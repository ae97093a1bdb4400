//! A certificate that is renewed while the Spider serves: SIGHUP reads it again, and nobody is cut off.

mod harness;

use std::fs;
use std::path::Path;

use harness::{CHANNEL, Folder, Program};
use spidercar::config::{Fingerprint, Trust};
use spidercar::net::signalling::{Address, Socket};
use spidercar::net::tls::client_config;

/// Writes a new certificate and its key, and gives its fingerprint.
fn write_new(folder: &Folder) -> Fingerprint {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    fs::write(folder.file("cert.pem"), made.cert.pem()).expect("written");
    fs::write(folder.file("key.pem"), made.signing_key.serialize_pem()).expect("written");
    Fingerprint::of(made.cert.der())
}

/// Connects, if the Spider shows what was pinned.
async fn connect(port: &str, pin: &Fingerprint) -> Result<Socket, String> {
    let address = Address {
        url: format!("wss://127.0.0.1:{port}"),
        path_and_query: format!("/live/ws/sub?channel={CHANNEL}"),
        key: None,
        tls: Some(client_config(&Trust::Pin(*pin)).map_err(|err| err.to_string())?),
    };
    Socket::connect(&address)
        .await
        .map_err(|err| err.to_string())
}

/// The TLS port, out of the log.
fn tls_port(program: &Program) -> String {
    let text = program.text();
    let (_, rest) = text.split_once("tls=127.0.0.1:").expect("it says so");
    rest.chars().take_while(char::is_ascii_digit).collect()
}

fn start(folder: &Folder) -> Program {
    let file = |name: &str| folder.file(name).display().to_string();
    let (cert, key) = (file("cert.pem"), file("key.pem"));
    let args = [
        "spider",
        "--port",
        "0",
        "--tls-port",
        "0",
        "--cert",
        &cert,
        "--key",
        &key,
    ];
    Program::with_spider(&args, folder, "spider")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_and_a_bad_one_is_not() {
    let folder = Folder::new("renew");
    let first = write_new(&folder);
    let mut spider = start(&folder);
    let port = tls_port(&spider);
    let mut before = connect(&port, &first).await.expect("the first");

    let second = write_new(&folder);
    spider.signal("-HUP");
    spider
        .logged("was read again; new connections see it")
        .await;
    connect(&port, &second).await.expect("the second");
    let refused = connect(&port, &first).await.expect_err("not the first");
    assert!(refused.contains("not the pinned one"), "{refused}");
    before
        .send("ping", "")
        .await
        .expect("who was there is still");

    // A key that is another one's, half a file, none at all.
    let wrong_key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("another");
    let half = fs::read_to_string(folder.file("key.pem")).expect("text");
    let (half, _) = half.split_at(half.len() / 2);
    for (n, text) in [wrong_key.signing_key.serialize_pem(), half.to_owned()]
        .iter()
        .enumerate()
    {
        fs::write(folder.file("key.pem"), text).expect("written");
        let told = told_of_bad(&spider);
        spider.signal("-HUP");
        harness::until("the words about it", || told_of_bad(&spider) > told).await;
        connect(&port, &second)
            .await
            .unwrap_or_else(|err| panic!("{n}: {err}"));
    }
    fs::remove_file(folder.file("cert.pem")).expect("removed");
    let told = told_of_bad(&spider);
    spider.signal("-HUP");
    harness::until("the words about it", || told_of_bad(&spider) > told).await;
    connect(&port, &second).await.expect("still the second");
    spider.signal("-TERM");
    assert_eq!(spider.wait(), Some(0));
}

fn told_of_bad(spider: &Program) -> usize {
    spider.text().matches("the old one stays").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_files_a_hangup_is_the_end() {
    let folder = Folder::new("renew-none");
    let mut spider = Program::with_spider(
        &["spider", "--port", "0", "--tls-port", "0"],
        &folder,
        "spider",
    );
    assert!(Path::new(&spider.log).exists());
    spider.signal("-HUP");
    assert_eq!(spider.wait(), Some(0));
}
