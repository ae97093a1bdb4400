"""How late control ticks are and how long they take, for each kind of outputs, with both cores busy.

    hands.py SPIDERCAR-BINARY [--quick]        called by scripts/bench.sh; needs root (a mount namespace)

The car runs among a Pi's files (tests/pi_files): PWM channels are plain files, pins are registers in a file, the I2C bus
ends in a shim. So `took` is what the program and the system calls cost, and nothing of a wire or a board: for the PCA9685
the time on the wire is added by arithmetic. A driver sends 50 commands a second, a busy loop runs on each core, and all
sensors that this machine can have are on.

    car ── namespace ── outputs         with real-time priority, as a service has it, and without (CAP_SYS_NICE dropped)
     └─ Spider ◀── watch ◀── 50 commands a second
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
CHANNEL, LEASE = "c9abcdefghijklmnopq0", 4711
# A byte on I2C is nine bits; a put is ten bytes, a look two transactions of two; start and stop are a bit each.
WIRE_400KHZ_US = 2.5
PUT_US = (10 * 9 + 2) * WIRE_400KHZ_US
LOOK_US = (4 * 9 + 4) * WIRE_400KHZ_US

OUTPUTS = {
    "sim": ["drive.output=sim"],
    "pwm, hardware": ["drive.output=pwm"],
    "pwm, software": ["drive.output=pwm", "pwm.kind=software", "pwm.throttle_pin=17", "pwm.steering_pin=27"],
    "h-bridge": ["drive.output=hbridge"],
    "pca9685": ["drive.output=pca9685"],
}


def board(root: Path) -> None:
    """The files of a Pi 4."""
    tree = root / "firmware/devicetree/base"
    tree.mkdir(parents=True)
    (tree / "compatible").write_bytes(b"raspberrypi,4-model-b\0brcm,bcm2711\0")
    (tree / "model").write_bytes(b"Raspberry Pi 4 Model B Rev 1.4\0")
    for channel in range(2):
        folder = root / f"class/pwm/pwmchip0/pwm{channel}"
        folder.mkdir(parents=True)
        for name, text in (("period", "0"), ("duty_cycle", "0"), ("polarity", "normal"), ("enable", "0")):
            (folder / name).write_text(text + "\n")
    (root / "dev").mkdir()
    (root / "dev/gpiomem").write_bytes(bytes(4096))
    for name in ("gpiochip0", "i2c-1"):
        (root / "dev" / name).touch()


class Run:
    """One car for some seconds, and what its control thread said at the end."""

    def __init__(self, binary: str, sets: list[str], realtime: bool, seconds: float) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.root = Path(folder)
            board(self.root)
            self.shim = self.root / "shim.so"
            source = TOP / "tests/pi_files/shim.c"
            subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", self.shim, source, "-ldl"], check=True)
            self.text = self.drive(binary, sets, realtime, seconds)

    def drive(self, binary: str, sets: list[str], realtime: bool, seconds: float) -> str:
        fixed = ["local.port=0", "local.tls_port=0", "camera.width=320", "camera.height=240", "camera.fps=15"]
        fixed += ["battery.kind=ina219"]
        args = [str(TOP / "tests/pi_files/enter.sh"), str(self.root)]
        if not realtime:
            args += ["setpriv", "--bounding-set", "-sys_nice", "--inh-caps", "-sys_nice", "--"]
            args += ["prlimit", "--rtprio=0", "--"]
        args += [binary, "run"] + [part for key in fixed + sets for part in ("--set", key)]
        env = os.environ | {"SHIM": str(self.shim), "SHIM_CHIP_LABEL": "pinctrl-bcm2711"}
        with (self.root / "log").open("wb") as log:
            car = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=log, env=env, text=True)
        busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count() or 2)]
        try:
            line = car.stdout.readline()
            port = re.search(r"http://127.0.0.1:(\d+)/", line)
            if not port:
                raise RuntimeError(f"no address: {line!r}\n{(self.root / 'log').read_text()}")
            self.commands(binary, int(port[1]), seconds)
        finally:
            for process in busy:
                process.kill()
                process.wait()
            car.send_signal(signal.SIGTERM)
            try:
                car.wait(10)
            finally:
                car.kill()
        return (self.root / "log").read_text()

    def commands(self, binary: str, port: int, seconds: float) -> None:
        """Arms and moves the wheel from side to side, throttle with it."""
        args = [binary, "watch", f"ws://127.0.0.1:{port}", "--channel", CHANNEL]
        watch = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
        seq, began = 0, time.monotonic()
        try:
            while time.monotonic() - began < seconds + 3:
                seq += 1
                stamp = {"seq": seq, "t_ms": int(time.monotonic() * 1000), "lease": LEASE}
                is_early = time.monotonic() - began < 3
                swing = 0 if is_early else (seq * 37) % 801 - 400
                self.say(watch, {"drive": stamp | {"throttle": abs(swing), "steering": swing}})
                if is_early and seq % 10 == 0:
                    seq += 1
                    self.say(watch, {"arm": stamp | {"seq": seq}})
                time.sleep(0.02)
        finally:
            watch.kill()
            watch.wait()

    @staticmethod
    def say(watch: subprocess.Popen, message: dict) -> None:
        watch.stdin.write(json.dumps(message, separators=(",", ":")) + "\n")
        watch.stdin.flush()

    def figures(self, line: str, prefix: str) -> tuple[int, list[int]]:
        """n and p50, p99, max of a line of the log."""
        found = [text for text in self.text.splitlines() if line in text]
        if not found:
            raise RuntimeError(f"the log has no {line!r}:\n{self.text[-3000:]}")
        number = lambda key: int(re.search(rf"\b{key}=(\d+)", found[-1])[1])  # noqa: E731
        n = number("ticks" if prefix in ("late", "took") else "pulses")
        return n, [number(f"{prefix}_{key}_us") for key in ("p50", "p99", "max")]


def row(figure: str, n: int, values: list[float], aim: str, note: str = "") -> None:
    shown = "  ".join(f"{name} {value:8.0f}" for name, value in zip(("p50", "p99", "max"), values, strict=True))
    print(f"car   {figure:<52} n {n:>4}  {shown} us    {aim:<26} {note}".rstrip(), flush=True)


def main() -> None:
    binary, seconds = sys.argv[1], 4.0 if "--quick" in sys.argv else 15.0
    for name, sets in OUTPUTS.items():
        for realtime in (True, False):
            run = Run(binary, sets, realtime, seconds)
            how = "real-time" if realtime else "no priority"
            if "Live" not in run.text:
                raise RuntimeError(f"{name}: the car was never armed:\n{run.text[-3000:]}")
            n, late = run.figures("control thread", "late")
            row(f"tick lateness, {name}, cores busy, {how}", n, late, "")
            n, took = run.figures("control thread", "took")
            if name == "pca9685":
                row(f"tick with outputs, {name}, {how}, without wire", n, took, "")
                wire = [took[0], took[1] + PUT_US + LOOK_US, took[2] + PUT_US + LOOK_US]
                row(f"tick with outputs, {name}, {how}", n, wire, "aim 1000", f"+ {PUT_US + LOOK_US:.0f} us on a 400 kHz wire")
            else:
                row(f"tick with outputs, {name}, {how}", n, took, "aim 100")
            if "software" in name:
                n, long = run.figures("software PWM", "too_long")
                row(f"pulses too long, {name}, {how}", n, long, "")


if __name__ == "__main__":
    main()
