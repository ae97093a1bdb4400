//! What keeps the control thread from being starved: real-time priority and memory that stays.
//!
//! Both need a right that a service gets (`LimitRTPRIO=`, `LimitMEMLOCK=infinity`, or root). Without it the car drives all
//! the same, after a warning: the tick is then as good as the scheduler's mood, and the guard stands behind it.
//!
//! ```text
//!   pulses   SCHED_FIFO 42   software PWM: some 100 µs around each edge, only where a pin has no hardware for it
//!   guard    SCHED_FIFO 41   looks every 20 ms
//!   control  SCHED_FIFO 40   200 ticks a second, some 10 µs each
//!   all else SCHED_OTHER     network, video
//! ```
//!
//! Promises: a right that is missing is a warning, once, and never an error.
//! Knows nothing of: what the threads do.
//! Sources: `sched(7)`, `mlockall(2)`.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, geteuid, getrlimit};
use thread_priority::unix::{
    RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use thread_priority::{ThreadPriority, ThreadPriorityValue};

/// Priority of the control thread. choice: below the kernel's interrupt threads (50), above everything else here.
pub const CONTROL_PRIORITY: u8 = 40;

/// Priority of the guard. choice: above the thread that it watches.
pub const GUARD_PRIORITY: u8 = 41;

/// Priority of a thread that makes pulses. choice: above the control thread, for a late edge is a wrong pulse.
pub const PULSE_PRIORITY: u8 = 42;

/// Gives the calling thread real-time priority, if that is allowed.
pub fn raise(name: &str, priority: u8) {
    let raised = ThreadPriorityValue::try_from(priority)
        .map_err(|err| err.clone())
        .and_then(|priority| {
            let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
            let priority = ThreadPriority::Crossplatform(priority);
            set_thread_priority_and_policy(thread_native_id(), priority, policy)
                .map_err(|err| err.to_string())
        });
    if let Err(why) = raised {
        tracing::warn!(
            thread = name,
            %why,
            "no real-time priority: a busy board can delay this thread (LimitRTPRIO= in the unit, or root)"
        );
    }
}

/// Keeps all memory of this process, now and later, from being paged out, if that is allowed.
///
/// With a limit, locking what comes later would make later allocations fail: so it is all or nothing.
pub fn lock_memory() {
    let is_unlimited = getrlimit(Resource::Memlock).current.is_none() || geteuid().is_root();
    let locked = if is_unlimited {
        let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
        mlockall(flags).map_err(|err| err.to_string())
    } else {
        Err("the limit on locked memory is not infinity".to_owned())
    };
    if let Err(why) = locked {
        tracing::warn!(%why, "memory is not locked: a page fault can delay the control thread (LimitMEMLOCK=infinity)");
    }
}
