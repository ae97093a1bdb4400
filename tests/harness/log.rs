//! The simulated car's actuator log, read back: the judge of every end-to-end test.

use std::path::Path;

/// One actuator write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub t_us: u64,
    pub throttle_us: u64,
    pub steering_us: u64,
    pub cause: String,
}

/// All whole lines so far; each must be exactly what the contract says.
pub fn writes(path: &Path) -> Vec<Write> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| parse(line).unwrap_or_else(|| panic!("not an actuator line: {line}")))
        .collect()
}

pub fn last_write(path: &Path) -> Option<Write> {
    writes(path).pop()
}

fn parse(line: &str) -> Option<Write> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    let object = value.as_object()?;
    if object.len() != 4 {
        return None;
    }
    Some(Write {
        t_us: object.get("t_us")?.as_u64()?,
        throttle_us: object.get("throttle_us")?.as_u64()?,
        steering_us: object.get("steering_us")?.as_u64()?,
        cause: object.get("cause")?.as_str()?.to_owned(),
    })
}
