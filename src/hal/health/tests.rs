//! Real texts, broken ones, and a made-up board in a folder.

use proptest::prelude::*;

use super::*;

/// A folder that is a board's `/`, and goes with the test.
struct Board(PathBuf);

impl Board {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("spidercar-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder); // of a test that was killed
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, path: &str, text: &str) -> &Self {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn read(&self) -> BoardState {
        BoardProbe::new(&self.0).read()
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // a leftover in the temporary folder is no harm
    }
}

const STAT: &str = "cpu  100 20 30 400 50 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\nintr 1 2 3\n";
const STAT_LATER: &str = "cpu  200 20 30 600 150 6 7 8 0 0\n";
const WIRELESS: &str = "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n \
 face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n \
 wlan0: 0000   58.  -52.  -256        0      0      0      0      0        0\n";

#[test]
fn a_raspberry_pi_says_it_all() {
    let board = Board::new("pi");
    board
        .file("sys/class/thermal/thermal_zone0/temp", "61861\n")
        .file("sys/class/thermal/cooling_device0/cur_state", "0\n")
        .file(
            "sys/devices/platform/soc/soc:firmware/get_throttled",
            "50005\n",
        )
        .file("sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
        .file("sys/class/hwmon/hwmon1/name", "rpi_volt\n")
        .file("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
        .file("proc/net/wireless", WIRELESS)
        .file("proc/stat", STAT)
        .file(
            "proc/meminfo",
            "MemTotal:  948000 kB\nMemAvailable:  612345 kB\n",
        )
        .file("proc/uptime", "12345.67 45678.90\n")
        .file("proc/loadavg", "0.52 0.40 0.30 1/123 4567\n")
        .file("proc/self/statm", "9000 4321 2000 1 0 100 0\n");
    let state = board.read();
    assert_eq!(state.milli_celsius, Some(61_861));
    assert_eq!(state.throttled, Some(0x5_0005));
    assert_eq!(state.under_voltage, Some(true));
    assert_eq!(state.wifi_dbm, Some(-52));
    assert_eq!(state.mem_free_kb, Some(612_345));
    assert_eq!(state.up_s, Some(12_345));
    assert_eq!(
        state.cpu_permille, None,
        "there is no reading before the first"
    );
    assert!(state.load_permille.is_some() && state.own_mem_kb.is_some());
}

#[test]
fn the_share_of_busy_time_is_that_since_the_reading_before() {
    let board = Board::new("cpu");
    let mut probe = BoardProbe::new(&board.0);
    board.file("proc/stat", STAT);
    assert_eq!(probe.read().cpu_permille, None);
    board.file("proc/stat", STAT_LATER);
    assert_eq!(probe.read().cpu_permille, Some(250), "100 of 400 ticks");
    assert_eq!(probe.read().cpu_permille, None, "no time has passed");
    board.file("proc/stat", STAT);
    assert_eq!(probe.read().cpu_permille, None, "time went back");
}

#[test]
fn what_is_not_there_is_absent_and_not_zero() {
    let board = Board::new("bare");
    assert_eq!(board.read(), BoardState::default());
    let nowhere = BoardProbe::new("/nowhere/at/all").read();
    assert_eq!(nowhere, BoardState::default());
}

#[test]
fn the_hottest_zone_counts() {
    let board = Board::new("zones");
    board
        .file("sys/class/thermal/thermal_zone0/temp", "40000\n")
        .file("sys/class/thermal/thermal_zone1/temp", "-274000\n")
        .file("sys/class/thermal/thermal_zone2/temp", "72500\n")
        .file("sys/class/thermal/thermal_zone3/temp", "off\n");
    assert_eq!(board.read().milli_celsius, Some(72_500));
}

#[test]
fn the_firmware_of_a_pi_5_has_another_address() {
    let board = Board::new("pi5");
    let path = "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled";
    board.file(path, "0\n");
    let state = board.read();
    assert_eq!(
        (state.throttled, state.under_voltage),
        (Some(0), Some(false))
    );
}

#[test]
fn the_alarm_of_the_supply_wins_over_the_bit() {
    let board = Board::new("alarm");
    board
        .file("sys/devices/platform/soc/soc:firmware/get_throttled", "1\n")
        .file("sys/class/hwmon/hwmon3/name", "rpi_volt\n")
        .file("sys/class/hwmon/hwmon3/in0_lcrit_alarm", "0\n");
    assert_eq!(board.read().under_voltage, Some(false));
}

#[test]
fn the_strongest_wifi_counts_and_only_dbm_do() {
    let line =
        |name: &str, level: &str| format!(" {name}: 0000   58.  {level}  -256  0 0 0 0 0 0\n");
    let text = |lines: &[String]| format!("a\nb\n{}", lines.concat());
    for (lines, wanted) in [
        (vec![], None),
        (
            vec![line("wlan0", "-70."), line("wlan1", "-41.")],
            Some(-41),
        ),
        (vec![line("wlan0", "-256")], None),
        (vec![line("wlan0", "37.")], None),
        (vec![line("wlan0", "0.")], None),
        (vec![line("wlan0", "-1")], Some(-1)),
        (vec![" wlan0: 0000\n".to_owned()], None),
        (vec![" nonsense\n".to_owned()], None),
    ] {
        assert_eq!(parse::wifi_dbm(&text(&lines)), wanted, "{lines:?}");
    }
}

#[test]
fn numbers_are_read_or_they_are_absent() {
    assert_eq!(parse::throttled("0\n"), Some(0));
    assert_eq!(parse::throttled("0x50000"), Some(0x5_0000));
    assert_eq!(parse::throttled("throttled=0x0"), None);
    assert_eq!(parse::milli_celsius("200000"), Some(200_000));
    assert_eq!(parse::milli_celsius("200001"), None);
    assert_eq!(parse::flag("2"), None);
    assert_eq!(parse::load_centi("12.34 1 1"), Some(1_234));
    assert_eq!(parse::load_centi("99999999999.00"), None);
    assert_eq!(parse::up_s("7"), Some(7));
    assert_eq!(parse::mem_available_kb("MemAvailable: 5 MB"), None);
    assert_eq!(parse::cpu_times("cpu  1 2 3"), None, "too short");
    assert_eq!(parse::cpu_times("cpu0 1 2 3 4"), None);
    assert_eq!(parse::resident_pages("9"), None);
}

#[test]
fn this_very_machine_can_be_read() {
    let mut probe = BoardProbe::new("/");
    let state = probe.read();
    assert!(state.own_mem_kb.is_some_and(|kb| kb > 1_000), "{state:?}");
    assert!(state.up_s.is_some() && state.load_permille.is_some() && state.mem_free_kb.is_some());
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text in "\\PC{0,80}|[0-9a-fx. :\n-]{0,80}|cpu  [0-9 ]{0,120}") {
        parse::cpu_times(&text);
        parse::milli_celsius(&text);
        parse::throttled(&text);
        parse::wifi_dbm(&text);
        parse::mem_available_kb(&text);
        parse::up_s(&text);
        parse::load_centi(&text);
        parse::resident_pages(&text);
    }
}
