//! Any bytes as a data-channel message: in range or refused, and the same after a trip between threads as words.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spidercar::logic::intent::Intent;
use spidercar::logic::units::{LeaseId, Uptime};
use spidercar::logic::wire::{Incoming, MAX_LENGTH, Reject, decode};

fuzz_target!(|bytes: &[u8]| {
    let answer = decode(bytes);
    assert_eq!(decode(bytes), answer, "the same bytes mean the same");
    let mut intent = Intent::default();
    match answer {
        Ok(incoming) => {
            assert!(bytes.len() <= MAX_LENGTH);
            match incoming {
                Incoming::Motion(motion) => {
                    assert!((0..=1_000_000_000).contains(&motion.milli_steps));
                }
                Incoming::MaxSpeed { ticks } => assert!(ticks <= 4095),
                Incoming::Drive(drive) => {
                    assert!((-1000..=1000).contains(&drive.throttle.get()));
                    assert!((-1000..=1000).contains(&drive.steering.get()));
                    assert!(drive.t_ms < 1 << 53);
                    assert!(drive.tune.is_none_or(|tune| (500..=2500).contains(&tune.pulse.get())));
                }
                _ => {}
            }
            intent.fold(Uptime::from_micros(7), &incoming, LeaseId::NONE);
        }
        Err(reject) => {
            // A message that any JSON reader refuses is never taken for one of ours, and the other way round.
            assert_eq!(reject == Reject::TooLong, bytes.len() > MAX_LENGTH);
            intent.reject(reject);
            assert_eq!(intent.malformed + intent.unknown, 1);
        }
    }
    assert_eq!(Intent::from_words(&intent.to_words()), intent);
});
