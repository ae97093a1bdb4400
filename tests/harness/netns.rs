//! Networks of a test's own: namespaces, joined by a cable, each gone with its test. Needs root.

use std::process::{Child, Command, Stdio};

use super::until;

/// A network namespace, held by a process that does nothing.
pub struct Namespace {
    holder: Child,
}

impl Namespace {
    /// One with its loopback up; `None`, said on stderr, where this user may not make any.
    pub async fn new() -> Option<Self> {
        let possible = Command::new("unshare").args(["--net", "true"]).output();
        if !possible.is_ok_and(|output| output.status.success()) {
            eprintln!(
                "SKIPPED: no network namespaces here; run it as root (CAP_SYS_ADMIN, CAP_NET_ADMIN)"
            );
            return None;
        }
        let holder = Command::new("unshare")
            .args(["--net", "--", "sleep", "infinity"])
            .stdin(Stdio::null())
            .spawn()
            .expect("unshare runs");
        let namespace = Self { holder };
        let of = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
        let id = namespace.holder.id().to_string();
        until("a namespace", || {
            of(&id).is_some_and(|theirs| Some(theirs) != of("self"))
        })
        .await;
        namespace.ip("link set lo up");
        Some(namespace)
    }

    /// Two with a cable between them: `v0` in the first with 10.9.0.1, `v1` in the second with 10.9.0.2.
    pub async fn pair() -> Option<(Self, Self)> {
        let (near, far) = (Self::new().await?, Self::new().await?);
        near.ip(&format!(
            "link add v0 type veth peer name v1 netns {}",
            far.holder.id()
        ));
        near.ip("address add 10.9.0.1/24 dev v0");
        near.ip("link set v0 up");
        far.ip("address add 10.9.0.2/24 dev v1");
        far.ip("link set v1 up");
        Some((near, far))
    }

    /// The process that holds it.
    pub fn id(&self) -> u32 {
        self.holder.id()
    }

    /// A command that runs inside.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.holder.id()));
        command.args(["--", program]);
        command
    }

    /// The program, inside, with these arguments.
    pub fn spidercar(&self, args: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_spidercar"));
        command.args(args);
        command
    }

    /// Runs `ip` inside, with words between blanks.
    pub fn ip(&self, words: &str) -> String {
        let mut command = self.command("ip");
        command.args(words.split(' '));
        let output = command.output().expect("nsenter and ip run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ip {words}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
