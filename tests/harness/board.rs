//! A Pi's files without a Pi: the program in a mount namespace, and what it wrote to PWM files, pins and the I2C bus.
//!
//! ```text
//!   ROOT/firmware/devicetree/base/{compatible,model}   ─▶ /sys/firmware   which board rppal sees
//!   ROOT/class/pwm/pwmchipN/pwmM/{period,...}          ─▶ /sys/class      plain files: what was written is in them
//!   ROOT/dev/{gpiomem,gpiomem0,gpiochip0,i2c-1}        ─▶ /dev            plain files; pins are registers at an offset
//!   tests/pi_files/shim.c                                  answers the ioctls, notes the order of the writes
//! ```
//!
//! Registers in a plain file only keep what was written to them last; nothing here has levels or timing of a real pin.

use std::fs;
use std::os::unix::fs::{FileExt, symlink};
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
            Self::Pi3 | Self::Pi4 | Self::Zero2W => "pwmchip0",
        }
    }
}

/// A board's files, and the programs that run among them.
pub struct Board {
    pub model: Model,
    pub folder: Folder,
}

impl Board {
    pub fn new(name: &str, model: Model) -> Self {
        let folder = Folder::new(name);
        let root = &folder.0;
        let (compatible, model_name, _) = model.names();
        let tree = root.join("firmware/devicetree/base");
        fs::create_dir_all(&tree).expect("a device tree");
        fs::write(tree.join("compatible"), compatible).expect("compatible");
        fs::write(tree.join("model"), model_name).expect("model");
        let class = root.join("class/pwm");
        fs::create_dir_all(&class).expect("a class");
        let mut chips = vec![("1f00098000.pwm", model.pwm_chip())];
        if model == Model::Pi5 {
            chips.push(("1f0009c000.pwm", "pwmchip0"));
        }
        for (device, chip) in chips {
            let real = format!("devices/{device}/pwm/{chip}");
            for channel in 0..4 {
                let channel = root.join(format!("class/{real}/pwm{channel}"));
                fs::create_dir_all(&channel).expect("a channel");
                for (file, text) in [
                    ("period", "0\n"),
                    ("duty_cycle", "0\n"),
                    ("polarity", "normal\n"),
                    ("enable", "0\n"),
                ] {
                    fs::write(channel.join(file), text).expect("a file of the channel");
                }
            }
            for file in ["export", "unexport"] {
                fs::write(root.join(format!("class/{real}/{file}")), "").expect("export");
            }
            symlink(format!("../{real}"), class.join(chip)).expect("a link as in sysfs");
        }
        let dev = root.join("dev");
        fs::create_dir_all(&dev).expect("devices");
        for (file, size) in [
            ("gpiomem", 4096),
            ("gpiomem0", 0x30000),
            ("gpiochip0", 0),
            ("i2c-1", 0),
        ] {
            fs::write(dev.join(file), vec![0; size]).expect("a device");
        }
        Self { model, folder }
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
        command
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
        let output = self.command(args).output().expect("the program runs");
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
