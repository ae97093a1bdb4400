//! A Pi's files without a Pi: the program in a mount namespace, and what it wrote to PWM files, pins and the I2C bus.
//!
//! ```text
//!   ROOT/firmware/devicetree/base/{compatible,model}   ─▶ /sys/firmware   which board rppal sees
//!   ROOT/class/pwm/pwmchipN/pwmM/{period,...}          ─▶ /sys/class      plain files: what was written is in them
//!   ROOT/dev/{gpiomem,gpiomem0,gpiochip0,i2c-1}        ─▶ /dev            plain files; pins are registers at an offset
//!   ROOT/etc/{passwd,group}                            ─▶ /etc            root, pi, spidercar; gpio, i2c, video
//!   tests/pi_files/shim.c                                  answers the ioctls, notes the order of the writes
//! ```
//!
//! Owners, groups and modes are those of Raspberry Pi OS (udev's 99-com.rules), and a program runs as any [`User`].
//!
//! Registers in a plain file only keep what was written to them last; nothing here has levels or timing of a real pin.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::{Folder, Program};

/// A board of the Raspberry Pi family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    Pi3,
    Pi4,
    Pi5,
    Zero2W,
}

impl Model {
    pub const ALL: [Self; 4] = [Self::Pi3, Self::Pi4, Self::Pi5, Self::Zero2W];

    /// `compatible` and `model` of its device tree, and the label of its GPIO chip.
    const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Pi3 => (
                "raspberrypi,3-model-b\0brcm,bcm2837\0",
                "Raspberry Pi 3 Model B Rev 1.2\0",
                "pinctrl-bcm2835",
            ),
            Self::Pi4 => (
                "raspberrypi,4-model-b\0brcm,bcm2711\0",
                "Raspberry Pi 4 Model B Rev 1.4\0",
                "pinctrl-bcm2711",
            ),
            Self::Pi5 => (
                "raspberrypi,5-model-b\0brcm,bcm2712\0",
                "Raspberry Pi 5 Model B Rev 1.0\0",
                "pinctrl-rp1",
            ),
            Self::Zero2W => (
                "raspberrypi,model-zero-2-w\0brcm,bcm2837\0",
                "Raspberry Pi Zero 2 W Rev 1.0\0",
                "pinctrl-bcm2835",
            ),
        }
    }

    /// The PWM chip of its header.
    pub const fn pwm_chip(self) -> &'static str {
        match self {
            Self::Pi5 => "pwmchip2", // the fan's is found first
            Self::Pi3 | Self::Pi4 | Self::Zero2W => "pwmchip1",
        }
    }

    /// The device of that chip. kernel: bcm283x.dtsi, bcm2711.dtsi, rp1.dtsi.
    pub const fn pwm_block(self) -> &'static str {
        match self {
            Self::Pi5 => "1f00098000.pwm",
            Self::Pi4 => "fe20c000.pwm",
            Self::Pi3 | Self::Zero2W => "3f20c000.pwm",
        }
    }
}

/// Groups of devices on a board. choice: any numbers that no file of the test's computer has.
const GPIO: u32 = 70_986;
pub const I2C: u32 = 70_987;
const VIDEO: u32 = 70_044;

/// A user of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    Root,
    /// The unit's, with its groups and its umask.
    Service,
    /// `pi`, in the groups of the devices.
    Maker,
    /// `guest`, in no group.
    Guest,
}

impl User {
    /// User and group, both by the same number.
    pub const fn id(self) -> u32 {
        match self {
            Self::Root => 0,
            Self::Service => 70_990,
            Self::Maker => 71_000,
            Self::Guest => 71_001,
        }
    }

    /// As enter.sh wants it.
    fn words(self) -> Option<String> {
        let id = self.id();
        let devices = format!("{GPIO},{I2C},{VIDEO}");
        match self {
            Self::Root => None,
            Self::Service => Some(format!("{id} {id} {devices} 0027")),
            Self::Maker => Some(format!("{id} {id} {devices} 0022")),
            Self::Guest => Some(format!("{id} {id} {id} 0022")),
        }
    }
}

/// Gives a file to a user and a group.
pub fn own(path: &Path, user: u32, group: u32, mode: u32) {
    chown(path, Some(user), Some(group)).expect("root runs this test");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

/// A board's files, and the programs that run among them.
pub struct Board {
    pub model: Model,
    pub folder: Folder,
    /// Whose the programs are; the unit's user's at first.
    pub user: User,
}

impl Board {
    /// A board that runs for a while: the channels are exported, and udev has been there.
    pub fn new(name: &str, model: Model) -> Self {
        let board = Self::cold(name, model);
        for channel in 0..4 {
            board.make_channel(channel);
        }
        board.udev();
        board
    }

    /// A board whose PWM chips nobody has used, and where udev has not been yet.
    pub fn cold(name: &str, model: Model) -> Self {
        let folder = Folder::new(name);
        let root = &folder.0;
        let (compatible, model_name, _) = model.names();
        let tree = root.join("firmware/devicetree/base");
        fs::create_dir_all(&tree).expect("a device tree");
        fs::write(tree.join("compatible"), compatible).expect("compatible");
        fs::write(tree.join("model"), model_name).expect("model");
        let class = root.join("class/pwm");
        fs::create_dir_all(&class).expect("a class");
        // The other one is that of a Pi 5's fan; on other boards it stands for any chip that an overlay adds.
        for (device, chip) in [
            (model.pwm_block(), model.pwm_chip()),
            ("1f0009c000.pwm", "pwmchip0"),
        ] {
            let real = format!("devices/{device}/pwm/{chip}");
            fs::create_dir_all(root.join(format!("class/{real}"))).expect("a chip");
            for file in ["export", "unexport"] {
                let file = root.join(format!("class/{real}/{file}"));
                fs::write(&file, "").expect("export");
                own(&file, 0, 0, 0o200);
            }
            symlink(format!("../{real}"), class.join(chip)).expect("a link as in sysfs");
        }
        let etc = root.join("etc");
        fs::create_dir_all(&etc).expect("users");
        let (service, maker, guest) = (User::Service.id(), User::Maker.id(), User::Guest.id());
        let users = format!(
            "root:x:0:0::/root:/bin/sh\nspidercar:x:{service}:{service}::/:/bin/false\n\
             pi:x:{maker}:{maker}::/:/bin/sh\nguest:x:{guest}:{guest}::/:/bin/sh\n"
        );
        let groups = format!(
            "root:x:0:\ngpio:x:{GPIO}:\ni2c:x:{I2C}:\nvideo:x:{VIDEO}:\nspidercar:x:{service}:\npi:x:{maker}:\n"
        );
        fs::write(etc.join("passwd"), users).expect("users");
        fs::write(etc.join("group"), groups).expect("groups");
        let log = root.join("writes");
        fs::write(&log, "").expect("a log");
        own(&log, 0, 0, 0o666);
        let dev = root.join("dev");
        fs::create_dir_all(&dev).expect("devices");
        for (file, size, group) in [
            ("gpiomem", 4096, GPIO),
            ("gpiomem0", 0x30000, GPIO),
            ("gpiochip0", 0, GPIO),
            ("i2c-1", 0, I2C),
        ] {
            fs::write(dev.join(file), vec![0; size]).expect("a device");
            own(&dev.join(file), 0, group, 0o660);
        }
        let user = User::Service;
        Self {
            model,
            folder,
            user,
        }
    }

    /// The folder of the header's PWM chip.
    pub fn chip(&self) -> PathBuf {
        let path = format!(
            "class/devices/{}/pwm/{}",
            self.model.pwm_block(),
            self.model.pwm_chip()
        );
        self.folder.file(&path)
    }

    /// What the kernel does when a channel is exported: files that are root's alone to write.
    pub fn make_channel(&self, channel: u8) {
        let folder = self.chip().join(format!("pwm{channel}"));
        fs::create_dir_all(&folder).expect("a channel");
        for (file, text) in [
            ("period", "0\n"),
            ("duty_cycle", "0\n"),
            ("polarity", "normal\n"),
            ("enable", "0\n"),
        ] {
            let file = folder.join(file);
            fs::write(&file, text).expect("a file of the channel");
            own(&file, 0, 0, 0o644);
        }
    }

    /// What udev does with PWM files, whenever it comes to it. spec: 99-com.rules, `chgrp -R gpio` and `chmod -R g=u`.
    pub fn udev(&self) {
        let chip = self.chip();
        let mut folders = vec![chip.clone()];
        folders.extend((0..4).map(|channel| chip.join(format!("pwm{channel}"))));
        for folder in folders.iter().filter(|folder| folder.is_dir()) {
            own(folder, 0, GPIO, 0o775);
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                let about = fs::metadata(&path).expect("a file");
                if about.is_file() {
                    let mode = about.permissions().mode() & 0o777;
                    own(&path, 0, GPIO, mode & !0o070 | (mode & 0o700) >> 3);
                }
            }
        }
    }

    /// Channels that a program has asked for, each once.
    pub fn exported(&self) -> Vec<u8> {
        let wanted = format!("{}/export ", self.model.pwm_chip());
        let mut channels: Vec<u8> = self
            .writes()
            .iter()
            .filter_map(|line| line.strip_prefix(&wanted)?.parse().ok())
            .collect();
        channels.sort_unstable();
        channels.dedup();
        channels
    }

    /// A command of the program on this board.
    pub fn command(&self, args: &[&str]) -> Command {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pi_files");
        let mut command = Command::new(here.join("enter.sh"));
        command
            .arg(&self.folder.0)
            .arg(env!("CARGO_BIN_EXE_spidercar"))
            .args(args)
            .env("SHIM", shim())
            .env("SHIM_LOG", self.folder.file("writes"))
            .env("SHIM_I2C_FAIL", self.folder.file("i2c-fails"))
            .env("SHIM_CHIP_LABEL", self.model.names().2)
            .stdin(Stdio::null());
        if let Some(words) = self.user.words() {
            command.env("AS", words);
        }
        command
    }

    /// A command that should end by itself; one that does not is ended, with code 124. See `timeout(1)`.
    pub fn ending(&self, args: &[&str]) -> Command {
        let inner = self.command(args);
        let mut command = Command::new("timeout");
        command.arg(super::PATIENCE.as_secs().to_string());
        command.arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.stdin(Stdio::null());
        command
    }

    /// The same board for another user.
    pub fn as_user(&mut self, user: User) -> &mut Self {
        self.user = user;
        self
    }

    /// The car with a Spider of its own, with small pictures.
    pub fn car(&self, sets: &[&str]) -> Program {
        let mut args = vec!["run", "--set", "local.port=0", "--set", "local.tls_port=0"];
        args.extend(super::SMALL);
        args.extend(sets.iter().flat_map(|set| ["--set", set]));
        Program::listening(self.command(&args), &self.folder, "car")
    }

    /// Runs a command of the program to its end: exit code, stdout, stderr.
    pub fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let output = self.ending(args).output().expect("the program runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    }

    /// What a file of a PWM channel says.
    pub fn pwm(&self, channel: u8, file: &str) -> String {
        let chip = self.model.pwm_chip();
        let path = format!("class/pwm/{chip}/pwm{channel}/{file}");
        let text = fs::read_to_string(self.folder.file(&path)).unwrap_or_default();
        text.lines().next().unwrap_or_default().to_owned()
    }

    /// The pulse of a PWM channel, in nanoseconds.
    pub fn duty(&self, channel: u8) -> u64 {
        self.pwm(channel, "duty_cycle").parse().unwrap_or(0)
    }

    /// A register of the GPIO block, by its offset.
    pub fn register(&self, offset: u64) -> u32 {
        let file = match self.model {
            Model::Pi5 => "dev/gpiomem0",
            Model::Pi3 | Model::Pi4 | Model::Zero2W => "dev/gpiomem",
        };
        let mut word = [0; 4];
        fs::File::open(self.folder.file(file))
            .and_then(|file| file.read_exact_at(&mut word, offset))
            .expect("a register");
        u32::from_le_bytes(word)
    }

    /// Makes registers zero, so that what is in them afterwards was written after this.
    pub fn clear_registers(&self, offsets: &[u64]) {
        let file = match self.model {
            Model::Pi5 => "dev/gpiomem0",
            Model::Pi3 | Model::Pi4 | Model::Zero2W => "dev/gpiomem",
        };
        let file = fs::File::options()
            .write(true)
            .open(self.folder.file(file))
            .expect("registers");
        for offset in offsets {
            file.write_all_at(&[0; 4], *offset).expect("a register");
        }
    }

    /// Every write to PWM and I2C so far, in order, without the part of the path that is always the same.
    pub fn writes(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.file("writes")).unwrap_or_default();
        text.lines()
            .map(|line| match line.split_once("/pwm/pwmchip") {
                Some((_, rest)) => format!("pwmchip{rest}"),
                None => line.to_owned(),
            })
            .collect()
    }
}

/// The shim, built once for all tests of a process.
fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pi_files/shim.c");
        let library =
            std::env::temp_dir().join(format!("spidercar-shim-{}.so", std::process::id()));
        let built = Command::new("cc")
            .args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .status();
        assert!(built.is_ok_and(|status| status.success()), "cc shim.c");
        library
    })
}
