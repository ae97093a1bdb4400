//! The `camera` message: one dial, or which camera is shown.
//!
//! ```text
//!   {"camera":{"lease":7,"key":"exposure_us","value":8000}}      a dial, by its name in `camera.controls`
//!   {"camera":{"lease":7,"key":"view","value":2}}                0 as the car drives, 1 front, 2 rear
//! ```
//!
//! Promises: what it returns is in the dial's range. Knows nothing of: who may say it; which dials a camera has.

use super::{Reject, integer, lease_id};
use crate::logic::camera::{CameraCommand, CameraWish, Dial, View};
use crate::logic::json::{Fields, Value};

pub(super) fn camera(fields: &Fields<'_>) -> Result<CameraCommand, Reject> {
    let lease = lease_id(fields, "lease")?;
    let Value::Text(key) = fields.get("key")? else {
        return Err(Reject::UnknownKey);
    };
    let value: i32 = integer(fields.get("value")?)?;
    let wish = if key == "view" {
        let view = u8::try_from(value).ok().and_then(View::from_code);
        CameraWish::View(view.ok_or(Reject::OutOfRange)?)
    } else {
        let dial = Dial::from_word(key).ok_or(Reject::UnknownKey)?;
        if !dial.allows(value) {
            return Err(Reject::OutOfRange);
        }
        CameraWish::Dial(dial, value)
    };
    Ok(CameraCommand { lease, wish })
}
