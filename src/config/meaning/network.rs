//! The meaning of `[spider]`, `[local]` and `[ice]`: whom to talk to, and whom to trust.
//!
//! The rules here keep a car from being open by accident: a TLS option that would have no effect,
//! two that contradict each other, and a listener that strangers can reach without a key are
//! errors, not warnings.
//!
//! Promises: a listener on anything but loopback has a driver key; a certificate has its key.
//! Knows nothing of: sockets; whether a certificate is any good (the TLS library says).

use core::net::IpAddr;
use std::path::{Path, PathBuf};

use super::{Found, Meaning, Noted, some_text};
use crate::config::ice::{IceServer, secret_file};
use crate::config::kind::Value;
use crate::config::outside::cannot_read;
use crate::config::problem::{Origin, Problem};
use crate::config::relay::{Channel, SpiderUrl, query_word};
use crate::config::schema::Id;
use crate::config::secret::Secret;
use crate::config::settings::{Certificate, Ice, Local, Spider};
use crate::config::trust::{Fingerprint, Trust};
use crate::config::words::IcePolicy;
use crate::logic::units::Kbps;

impl Meaning<'_> {
    pub(super) fn spider(&mut self) -> Found<Spider> {
        let url = self.parsed(Id::SpiderUrl, SpiderUrl::parse);
        let channel = self.parsed(Id::SpiderChannel, Channel::parse);
        let bitrate = self.whole(Id::SpiderBitrateKbps).map(Kbps::new);
        let ktime = self.parsed(Id::SpiderKtime, query_word).map(some_text);
        let vcodec = self.parsed(Id::SpiderVcodec, query_word).map(some_text);
        let trust = self.trust(url.as_ref().ok());
        let seal_key = self.seal_key(Id::SpiderSealKeyFile);
        let calibrate_seal_key = self.seal_key(Id::SpiderCalibrateSealKeyFile);
        if let (Ok(None), Ok(Some(_))) = (&seal_key, &calibrate_seal_key) {
            self.clash(
                Id::SpiderCalibrateSealKeyFile,
                Id::SpiderSealKeyFile,
                "without the drivers' key no command needs a seal: make one, too",
            );
        }
        if let (Ok(url), Ok(channel)) = (&url, &channel) {
            self.own_channel(url, channel);
        }
        Ok(Spider {
            url: url?,
            channel: channel?,
            bitrate: bitrate?,
            ktime: ktime?,
            vcodec: vcodec?,
            trust: trust?,
            seal_key: seal_key?,
            calibrate_seal_key: calibrate_seal_key?,
        })
    }

    /// A key that is tried out in peace by whoever has seen what it sealed, so it must be long.
    fn seal_key(&mut self, id: Id) -> Found<Option<Secret>> {
        // choice: 20 characters of a generator that draws from 32 are 100 bits.
        const SHORTEST: usize = 20;
        let key = self.key(id)?;
        match key {
            Some(key) if key.expose().chars().count() < SHORTEST => {
                let words = format!(
                    "the key in it is shorter than {SHORTEST} characters, and a Spider can guess at it undisturbed: \
                     `spidercar key FILE` makes a good one"
                );
                self.accept(id, Err::<Option<Secret>, _>(words))
            }
            key => Ok(key),
        }
    }

    /// Everybody has the example's channel, so a car that publishes on it at a Spider for others is anybody's. Who watches may
    /// name any.
    fn own_channel(&mut self, url: &SpiderUrl, channel: &Channel) {
        let is_for_others =
            matches!(url, SpiderUrl::Remote(at) if !at.is_loopback() && !at.is_example());
        let is_watched = self
            .said(Id::SpiderChannel)
            .is_ok_and(|said| said.origin == Origin::Flag("--channel".to_owned()));
        let example = Id::SpiderChannel.key().kind.default_value();
        if is_for_others && !is_watched && example == Value::Text(channel.to_string()) {
            let _ = self.clash(
                Id::SpiderChannel,
                Id::SpiderUrl,
                "this is the example's channel, which everybody has: make one of your own: \
                 LC_ALL=C tr -dc 0-9a-v </dev/urandom | head -c 19; echo 0",
            );
        }
    }

    fn trust(&mut self, url: Option<&SpiderUrl>) -> Found<Trust> {
        let ca_file = self.optional(Id::SpiderCaFile, |meaning, path| {
            meaning
                .pem(Id::SpiderCaFile, path, "CERTIFICATE")
                .map(|pem| Trust::Ca {
                    file: PathBuf::from(path),
                    pem,
                })
        });
        let pin = self.optional(Id::SpiderPinSha256, |meaning, text| {
            meaning.accept(Id::SpiderPinSha256, Fingerprint::parse(text))
        });
        let insecure = self.flag(Id::SpiderInsecure);
        let (ca_file, pin, insecure) = (ca_file?, pin?, insecure?);
        let asked: Vec<(Id, Trust)> = [
            ca_file.map(|trust| (Id::SpiderCaFile, trust)),
            pin.map(|pin| (Id::SpiderPinSha256, Trust::Pin(pin))),
            insecure.then_some((Id::SpiderInsecure, Trust::Anything)),
        ]
        .into_iter()
        .flatten()
        .collect();
        let Some((last, trust)) = asked.last().cloned() else {
            return Ok(Trust::System);
        };
        if let [(first, _), .., (second, _)] = asked.as_slice() {
            return Err(self.clash(*first, *second, "each says whom to trust: keep one of them"));
        }
        let encrypted = match url {
            Some(SpiderUrl::Remote(endpoint)) => endpoint.is_tls(),
            Some(SpiderUrl::Local) => false,
            None => true,
        };
        if !encrypted {
            return Err(self.clash(
                last,
                Id::SpiderUrl,
                "has a meaning only for a wss:// address",
            ));
        }
        Ok(trust)
    }

    pub(super) fn local(&mut self) -> Found<Local> {
        let listen = self.parsed(Id::LocalListen, listen_address);
        let port = self.whole(Id::LocalPort);
        let tls_port = self.whole(Id::LocalTlsPort);
        let certificate = self.certificate();
        let identity_file = self.optional(Id::LocalIdentityFile, |_, path| Ok(PathBuf::from(path)));
        if let (Ok(Some(_)), Ok(Some(_))) = (&certificate, &identity_file) {
            self.clash(
                Id::LocalIdentityFile,
                Id::LocalCertFile,
                "has a meaning only without a certificate of yours",
            );
        }
        let driver_key = self.key(Id::LocalDriverKeyFile);
        let others = KEYS.map(|id| (id, self.key(id)));
        self.each_its_own(&driver_key, &others);
        if let (Ok(listen), Ok(None)) = (&listen, &driver_key)
            && !listen.is_loopback()
        {
            self.clash(
                Id::LocalListen,
                Id::LocalDriverKeyFile,
                "others can reach this address, so a driver key is needed: \
                 name a file that holds one, or listen on 127.0.0.1",
            );
        }
        if let (Ok(port), Ok(tls_port)) = (&port, &tls_port)
            && port == tls_port
            && *port != 0
        {
            self.clash(
                Id::LocalPort,
                Id::LocalTlsPort,
                "two servers cannot share a port",
            );
        }
        let [(_, watch_key), (_, calibrate_key), (_, publish_key)] = others;
        Ok(Local {
            listen: listen?,
            port: port?,
            tls_port: tls_port?,
            certificate: certificate?,
            identity_file: identity_file?,
            driver_key: driver_key?,
            watch_key: watch_key?,
            calibrate_key: calibrate_key?,
            publish_key: publish_key?,
        })
    }

    /// What a file holds that somebody has to show.
    fn key(&mut self, id: Id) -> Found<Option<Secret>> {
        self.optional(id, |meaning, path| {
            let key = secret_file(path, meaning.outside).and_then(fit_for_use);
            meaning.accept(id, key)
        })
    }

    /// A key that is the same as another one gives the rights of both; and where everybody may drive, no other key means anything
    /// to viewers. (A publisher's is for a Spider elsewhere, too.)
    fn each_its_own(
        &mut self,
        driver_key: &Found<Option<Secret>>,
        others: &[(Id, Found<Option<Secret>>)],
    ) {
        let first = [(Id::LocalDriverKeyFile, driver_key)];
        let rest = others.iter().map(|(id, key)| (*id, key));
        let given: Vec<(Id, &Secret)> = first
            .into_iter()
            .chain(rest)
            .filter_map(|(id, key)| Some((id, key.as_ref().ok()?.as_ref()?)))
            .collect();
        for (at, (id, key)) in given.iter().enumerate() {
            let same = given
                .iter()
                .take(at)
                .find(|(_, other)| other.matches(key.expose()));
            if let Some((other, _)) = same {
                self.clash(
                    *id,
                    *other,
                    "the same key is in both files: make one for each",
                );
            }
        }
        let for_viewers = given.iter().find(|(id, _)| *id != Id::LocalPublishKeyFile);
        if let (Ok(None), Some((id, _))) = (driver_key, for_viewers) {
            self.clash(
                *id,
                Id::LocalDriverKeyFile,
                "without a driver key everybody may drive: make one, too",
            );
        }
    }

    fn certificate(&mut self) -> Found<Option<Certificate>> {
        let chain = self.optional(Id::LocalCertFile, |meaning, path| {
            let pem = meaning.pem(Id::LocalCertFile, path, "CERTIFICATE")?;
            Ok((PathBuf::from(path), pem))
        });
        let key = self.optional(Id::LocalKeyFile, |meaning, path| {
            let pem = meaning.pem(Id::LocalKeyFile, path, "PRIVATE KEY")?;
            let text = String::from_utf8(pem).map_err(|_| "is not PEM text".to_owned());
            let text = meaning.accept(Id::LocalKeyFile, text)?;
            Ok((PathBuf::from(path), Secret::new(text)))
        });
        match (chain?, key?) {
            (Some((chain_file, chain_pem)), Some((key_file, key_pem))) => Ok(Some(Certificate {
                chain_file,
                chain_pem,
                key_file,
                key_pem,
            })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(self.clash(
                Id::LocalCertFile,
                Id::LocalKeyFile,
                "a certificate needs its key",
            )),
            (None, Some(_)) => Err(self.clash(
                Id::LocalKeyFile,
                Id::LocalCertFile,
                "a key needs its certificate",
            )),
        }
    }

    pub(super) fn ice(&mut self) -> Found<Ice> {
        let servers = self.ice_servers();
        let policy = self.word(Id::IcePolicy, IcePolicy::from_word);
        let gather = self.millis(Id::IceGatherMs);
        if let (Ok(servers), Ok(IcePolicy::Relay)) = (&servers, &policy)
            && !servers.iter().any(IceServer::is_turn)
        {
            self.clash(
                Id::IcePolicy,
                Id::IceServers,
                "needs a turn: server to relay through",
            );
        }
        Ok(Ice {
            servers: servers?,
            policy: policy?,
            gather: gather?,
        })
    }

    fn ice_servers(&mut self) -> Found<Vec<IceServer>> {
        let said = self.said(Id::IceServers)?;
        let Value::Servers(entries) = said.value else {
            unreachable!("the schema says that ice.servers is a list")
        };
        let mut servers = Ok(Vec::new());
        for (i, (entry, origin)) in entries.iter().zip(self.raw.servers_at()).enumerate() {
            match IceServer::from_said(entry, self.outside) {
                Ok(server) => {
                    if let Ok(servers) = &mut servers {
                        servers.push(server);
                    }
                }
                Err(wrong) => {
                    for (key, what) in wrong {
                        let path = format!("{}[{i}].{key}", Id::IceServers.key().path);
                        self.problems
                            .push(Problem::of_key(origin.clone(), path, what));
                    }
                    servers = Err(Noted);
                }
            }
        }
        servers
    }

    /// A PEM file that holds at least one block of the wanted kind.
    fn pem(&mut self, id: Id, path: &str, wanted: &str) -> Found<Vec<u8>> {
        let judged = match self.outside.read(Path::new(path)) {
            Err(error) => Err(cannot_read(Path::new(path), &error)),
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let begins = |line: &str| line.starts_with("-----BEGIN ") && line.contains(wanted);
                if text.lines().any(begins) {
                    Ok(bytes)
                } else {
                    Err(format!(
                        "must be a PEM file, with a line -----BEGIN {wanted}-----"
                    ))
                }
            }
        };
        self.accept(id, judged)
    }
}

fn listen_address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| {
        "must be an IP address, without a port: 127.0.0.1 for this machine alone, 0.0.0.0 for everyone".to_owned()
    })
}

/// The keys beside the driver's.
const KEYS: [Id; 3] = [
    Id::LocalWatchKeyFile,
    Id::LocalCalibrateKeyFile,
    Id::LocalPublishKeyFile,
];

/// A key that cannot be guessed in an afternoon, and that gets through an address whatever its characters are.
fn fit_for_use(key: Secret) -> Result<Secret, String> {
    // choice: short keys fall to guessing over a LAN; `openssl rand -hex 16` makes a good one.
    const SHORTEST: usize = 8;
    // choice: each byte takes three in an address, and servers are known to refuse addresses above 8 kB (RFC 9110 4.1).
    const LONGEST_BYTES: usize = 1024;
    if key.expose().chars().count() < SHORTEST {
        return Err(format!(
            "the key in it is shorter than {SHORTEST} characters"
        ));
    }
    if key.expose().len() > LONGEST_BYTES {
        return Err(format!(
            "the key in it is longer than {LONGEST_BYTES} bytes: is it the right file?"
        ));
    }
    Ok(key)
}
