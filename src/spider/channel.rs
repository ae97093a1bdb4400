//! Who is on a channel: at most one publisher, several viewers, and what they hear of each other.
//!
//! Every member leaves by dropping its [`Member`]; there is no other way out, so a session that ends
//! for any reason, panic included, is gone from the channel at once.
//!
//! Promises: locks are held for a few instructions and never across an await. Knows nothing of: bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rtc::rtp;
use tokio::sync::mpsc;
use webrtc::data_channel::RTCDataChannelMessage;

use super::relay::{Downlink, lock};
use super::uplink::Uplink;
use super::{DRIVERS_PLACES, MAX_SUBSCRIBERS};
use crate::config::Secret;
use crate::peer::Codec;

/// Signalling messages waiting to be written to one socket. choice: joins are the only burst.
pub(super) const OUTBOX_ROOM: usize = 16;

/// There is no place left for a viewer.
pub(super) const FULL: &str = "the channel is full";

/// Something another member causes to be written to a socket, or its end.
#[derive(Clone, Debug)]
pub(super) enum Note {
    /// Somebody joined or left; the text goes into `data`.
    Joins(String),
    /// Leave now, and be told why.
    Refuse(&'static str),
    /// Leave now; the reason goes to the log.
    Leave(&'static str),
}

/// Why a client may not join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is a publisher already.
    Busy,
    /// There are [`MAX_SUBSCRIBERS`] viewers already, and for one who drives [`DRIVERS_PLACES`] more.
    Full,
}

/// Whether both name the same party; who says nothing is nobody.
fn is_same(one: Option<&Secret>, other: Option<&Secret>) -> bool {
    one.zip(other)
        .is_some_and(|(one, other)| one.matches(other.expose()))
}

/// By what a viewer takes a place (rule 22).
#[derive(Clone, Debug, Default)]
pub(super) struct Seat {
    /// Who it is: the same one replaces itself.
    pub(super) instance: Option<Secret>,
    /// It says that it wants to drive.
    pub(super) drives: bool,
}

/// By what a publisher takes a place that is taken (rule 18).
#[derive(Clone, Debug, Default)]
pub(super) struct Claim {
    /// Who it is: the same one replaces itself.
    pub(super) instance: Option<Secret>,
    /// The fault `replace-publisher`.
    pub(super) replaces_anybody: bool,
}

/// All channels of a Spider.
#[derive(Default)]
pub(super) struct Channels(Mutex<HashMap<String, Arc<Channel>>>);

impl Channels {
    /// The channel of that id, made if need be.
    pub(super) fn get(&self, id: &str) -> Arc<Channel> {
        let mut channels = lock(&self.0);
        channels.retain(|_, channel| Arc::strong_count(channel) > 1 || !channel.is_empty());
        Arc::clone(channels.entry(id.to_owned()).or_default())
    }

    /// Ids of the channels that have a publisher, in order.
    pub(super) fn published(&self) -> Vec<String> {
        let mut ids: Vec<_> = lock(&self.0)
            .iter()
            .filter(|(_, channel)| channel.uplink().is_some())
            .map(|(id, _)| id.clone())
            .collect();
        ids.sort();
        ids
    }
}

/// One channel.
#[derive(Default)]
pub(super) struct Channel(Mutex<Members>);

#[derive(Default)]
struct Members {
    next: u64,
    publisher: Option<Publisher>,
    subscribers: Vec<Subscriber>,
}

struct Publisher {
    id: u64,
    outbox: mpsc::Sender<Note>,
    uplink: Arc<Uplink>,
    codec: Option<Codec>,
    instance: Option<Secret>,
}

struct Subscriber {
    id: u64,
    outbox: mpsc::Sender<Note>,
    downlink: Arc<Downlink>,
    seat: Seat,
}

impl Channel {
    /// Joins as the publisher.
    pub(super) fn publish(
        self: &Arc<Self>,
        uplink: Arc<Uplink>,
        codec: Option<Codec>,
        claim: Claim,
    ) -> Result<(Member, mpsc::Receiver<Note>), Refusal> {
        let (outbox, notes) = mpsc::channel(OUTBOX_ROOM);
        let mut members = lock(&self.0);
        if let Some(old) = &members.publisher {
            let why = if is_same(old.instance.as_ref(), claim.instance.as_ref()) {
                "the same publisher came again"
            } else if claim.replaces_anybody {
                "replaced by a new publisher"
            } else {
                return Err(Refusal::Busy);
            };
            let _ = old.outbox.try_send(Note::Leave(why)); // a full outbox means a stuck socket, which ends by itself
        }
        let id = members.next_id();
        members.publisher = Some(Publisher {
            id,
            outbox,
            uplink,
            codec,
            instance: claim.instance,
        });
        members.announce(id);
        for subscriber in &members.subscribers {
            if let Some(note) = codec.and_then(|codec| subscriber.downlink.unfit_for(codec)) {
                let _ = subscriber.outbox.try_send(note); // a full outbox means a stuck socket
            }
        }
        drop(members);
        Ok((self.member(id), notes))
    }

    /// Joins as a viewer; one who drives finds a place that watchers cannot take (rule 22).
    pub(super) fn subscribe(
        self: &Arc<Self>,
        downlink: Arc<Downlink>,
        seat: Seat,
        now: Instant,
    ) -> Result<(Member, mpsc::Receiver<Note>), Refusal> {
        let (outbox, notes) = mpsc::channel(OUTBOX_ROOM);
        let mut members = lock(&self.0);
        members.make_room(&seat, now)?;
        let id = members.next_id();
        members.subscribers.push(Subscriber {
            id,
            outbox,
            downlink,
            seat,
        });
        members.announce(id);
        drop(members);
        Ok((self.member(id), notes))
    }

    fn member(self: &Arc<Self>, id: u64) -> Member {
        Member {
            channel: Arc::clone(self),
            id,
        }
    }

    /// The way to the publisher, while there is one.
    pub(super) fn uplink(&self) -> Option<Arc<Uplink>> {
        lock(&self.0)
            .publisher
            .as_ref()
            .map(|publisher| Arc::clone(&publisher.uplink))
    }

    /// The publisher's video codec, while there is one.
    pub(super) fn codec(&self) -> Option<Codec> {
        lock(&self.0)
            .publisher
            .as_ref()
            .and_then(|publisher| publisher.codec)
    }

    /// Hands a packet to every viewer.
    pub(super) fn video(&self, packet: &rtp::Packet) {
        for subscriber in &lock(&self.0).subscribers {
            subscriber.downlink.video(packet.clone());
        }
    }

    /// Hands a metric message to every viewer.
    pub(super) fn metric(&self, message: &RTCDataChannelMessage) {
        for subscriber in &lock(&self.0).subscribers {
            subscriber.downlink.metric(message.clone());
        }
    }

    fn is_empty(&self) -> bool {
        let members = lock(&self.0);
        members.publisher.is_none() && members.subscribers.is_empty()
    }
}

impl Members {
    fn next_id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Sees to it that one more viewer has a place.
    fn make_room(&mut self, seat: &Seat, now: Instant) -> Result<(), Refusal> {
        let own = |one: &Subscriber| is_same(one.seat.instance.as_ref(), seat.instance.as_ref());
        if let Some(ghost) = self.subscribers.iter().position(own) {
            self.turn_out(ghost, "the same viewer came again");
        }
        // The first of those who drive sits in the kept place.
        let drivers = self.subscribers.iter().filter(|one| one.seat.drives);
        let kept = drivers.take(DRIVERS_PLACES).count();
        let free = MAX_SUBSCRIBERS + if seat.drives { DRIVERS_PLACES } else { kept };
        if self.subscribers.len() < free {
            return Ok(());
        }
        // A driver of whom nothing is heard any more is his own ghost, or sleeps.
        let silent = |one: &Subscriber| one.seat.drives && one.downlink.is_silent(now);
        let place = self.subscribers.iter().position(silent);
        let ghost = place.filter(|_| seat.drives).ok_or(Refusal::Full)?;
        self.turn_out(ghost, FULL);
        Ok(())
    }

    fn turn_out(&mut self, place: usize, why: &'static str) {
        let one = self.subscribers.remove(place);
        let _ = one.outbox.try_send(Note::Leave(why)); // a full outbox means a stuck socket, which ends by itself
    }

    /// Tells everybody but `but` how many are here now.
    fn announce(&self, but: u64) {
        let text = format!(
            "publishers={} subscribers={}",
            usize::from(self.publisher.is_some()),
            self.subscribers.len()
        );
        let publisher = self.publisher.iter().map(|one| (one.id, &one.outbox));
        let subscribers = self.subscribers.iter().map(|one| (one.id, &one.outbox));
        for (id, outbox) in publisher.chain(subscribers) {
            if id != but {
                // A full outbox means a stuck socket; joins is only information.
                let _ = outbox.try_send(Note::Joins(text.clone()));
            }
        }
    }
}

/// A place on a channel, given up when dropped.
pub(super) struct Member {
    channel: Arc<Channel>,
    id: u64,
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut members = lock(&self.channel.0);
        if members
            .publisher
            .as_ref()
            .is_some_and(|publisher| publisher.id == self.id)
        {
            members.publisher = None;
        }
        members
            .subscribers
            .retain(|subscriber| subscriber.id != self.id);
        members.announce(self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::spider::relay::SILENT;

    fn joins(notes: &mut mpsc::Receiver<Note>) -> Vec<String> {
        std::iter::from_fn(|| notes.try_recv().ok())
            .map(|note| format!("{note:?}"))
            .collect()
    }

    #[test]
    fn rule_18_a_second_publisher_is_refused_or_replaces_the_first() {
        let channel = Channels::default().get("a");
        let (_one, mut notes) = channel
            .publish(Arc::default(), None, Claim::default())
            .unwrap_or_else(|why| panic!("{why:?}"));
        assert_eq!(
            channel
                .publish(Arc::default(), None, Claim::default())
                .err(),
            Some(Refusal::Busy)
        );
        let anybody = Claim {
            replaces_anybody: true,
            ..Claim::default()
        };
        let two = channel.publish(Arc::default(), None, anybody);
        assert!(two.is_ok());
        assert_eq!(
            joins(&mut notes),
            [r#"Leave("replaced by a new publisher")"#]
        );
    }

    #[test]
    fn rule_18_who_proves_to_be_the_same_replaces_itself_and_nobody_else() {
        let channel = Channels::default().get("a");
        let join = |instance: Option<&str>| {
            let claim = Claim {
                instance: instance.map(Secret::new),
                replaces_anybody: false,
            };
            channel.publish(Arc::default(), None, claim)
        };
        let (nobody, _notes) = join(None).unwrap_or_else(|why| panic!("{why:?}"));
        assert_eq!(join(None).err(), Some(Refusal::Busy), "who says nothing");
        assert_eq!(join(Some("me")).err(), Some(Refusal::Busy));
        drop(nobody);
        let (ghost, mut notes) = join(Some("me")).unwrap_or_else(|why| panic!("{why:?}"));
        for stranger in [None, Some("you"), Some("")] {
            assert_eq!(join(stranger).err(), Some(Refusal::Busy), "{stranger:?}");
        }
        let (_again, mut own) = join(Some("me")).unwrap_or_else(|why| panic!("{why:?}"));
        assert_eq!(
            joins(&mut notes),
            [r#"Leave("the same publisher came again")"#]
        );
        drop(ghost);
        assert_eq!(channels_of(&channel), 1, "the ghost's end is not the car's");
        assert_eq!(joins(&mut own), [r#"Joins("publishers=1 subscribers=0")"#]);
    }

    fn channels_of(channel: &Channel) -> usize {
        usize::from(channel.uplink().is_some())
    }

    #[test]
    fn rule_13_joins_and_leaves_are_told_to_the_others() {
        let channels = Channels::default();
        let channel = channels.get("a");
        let (publisher, mut notes) = channel
            .publish(Arc::default(), None, Claim::default())
            .unwrap_or_else(|why| panic!("{why:?}"));
        let subscriber = channel
            .subscribe(
                Downlink::new(None, Vec::new()).0,
                Seat::default(),
                Instant::now(),
            )
            .unwrap_or_else(|why| panic!("{why:?}"));
        assert_eq!(
            joins(&mut notes),
            [r#"Joins("publishers=1 subscribers=1")"#]
        );
        drop(subscriber);
        assert_eq!(
            joins(&mut notes),
            [r#"Joins("publishers=1 subscribers=0")"#]
        );
        assert_eq!(channels.published(), ["a"]);
        drop(publisher);
        assert!(channels.published().is_empty());
    }

    #[test]
    fn a_channel_has_room_for_a_stated_number_of_viewers() {
        let channel = Channels::default().get("a");
        let members: Vec<_> = (0..MAX_SUBSCRIBERS)
            .map(|_| {
                channel.subscribe(
                    Downlink::new(None, Vec::new()).0,
                    Seat::default(),
                    Instant::now(),
                )
            })
            .collect();
        assert!(members.iter().all(Result::is_ok));
        assert_eq!(
            channel
                .subscribe(
                    Downlink::new(None, Vec::new()).0,
                    Seat::default(),
                    Instant::now()
                )
                .err(),
            Some(Refusal::Full)
        );
    }

    #[test]
    fn rule_22_a_place_is_kept_for_who_drives_and_a_silent_driver_gives_it_up() {
        let channel = Channels::default().get("a");
        let start = Instant::now();
        let join = |drives, now| {
            let (downlink, _queues) = Downlink::new(None, Vec::new());
            channel
                .subscribe(
                    Arc::clone(&downlink),
                    Seat {
                        drives,
                        instance: None,
                    },
                    now,
                )
                .map(|(member, notes)| (member, notes, downlink))
        };
        let refused = |drives, now| join(drives, now).err() == Some(Refusal::Full);
        let watchers: Vec<_> = (0..MAX_SUBSCRIBERS).map(|_| join(false, start)).collect();
        assert!(watchers.iter().all(Result::is_ok) && refused(false, start));
        let Ok((_first, mut notes, downlink)) = join(true, start) else {
            panic!("no place for the driver")
        };
        assert!(refused(true, start) && refused(false, start));
        // Who speaks keeps his place; however long a watcher waits, he does not get it.
        downlink.heard();
        let late = Instant::now() + SILENT + Duration::from_millis(1);
        assert!(refused(true, start + SILENT) && refused(false, late));
        let second = join(true, late);
        assert!(second.is_ok());
        let last = joins(&mut notes);
        assert_eq!(
            last.last().map(String::as_str),
            Some(r#"Leave("the channel is full")"#)
        );
        assert!(refused(true, start));
        drop(second);
        assert!(refused(false, start), "it stays kept");
    }

    #[test]
    fn rule_22_a_viewer_that_comes_again_replaces_itself_also_on_a_full_channel() {
        let channel = Channels::default().get("a");
        let join = |instance: Option<&str>| {
            let seat = Seat {
                instance: instance.map(Secret::new),
                drives: false,
            };
            channel.subscribe(Downlink::new(None, Vec::new()).0, seat, Instant::now())
        };
        let Ok((_ghost, mut notes)) = join(Some("me")) else {
            panic!("there is room")
        };
        let _others: Vec<_> = (1..MAX_SUBSCRIBERS).map(|_| join(None)).collect();
        assert_eq!(join(Some("you")).err(), Some(Refusal::Full));
        assert!(join(Some("me")).is_ok());
        assert_eq!(
            joins(&mut notes).last().map(String::as_str),
            Some(r#"Leave("the same viewer came again")"#)
        );
    }

    #[test]
    fn rule_10_a_viewer_that_cannot_decode_what_is_published_is_told_so() {
        let channel = Channels::default().get("a");
        let view = |codec, offered: &[Codec]| {
            let (downlink, _queues) = Downlink::new(codec, offered.to_vec());
            channel
                .subscribe(downlink, Seat::default(), Instant::now())
                .unwrap_or_else(|why| panic!("{why:?}"))
        };
        let (_a, mut blind) = view(Some(Codec::Vp8), &[Codec::Vp8, Codec::Vp9]);
        let (_b, mut other) = view(Some(Codec::Vp8), &[Codec::Vp8, Codec::H264]);
        let (_c, mut fit) = view(Some(Codec::H264), &[Codec::H264]);
        let (_d, mut data_only) = view(None, &[]);
        let _publisher = channel.publish(Arc::default(), Some(Codec::H264), Claim::default());
        let told = |notes: &mut mpsc::Receiver<Note>| {
            let all = joins(notes);
            all.last().cloned().unwrap_or_default()
        };
        let words = told(&mut blind);
        assert!(
            words.starts_with("Refuse") && words.contains("H.264"),
            "{words}"
        );
        assert!(told(&mut other).starts_with("Leave"));
        assert!(told(&mut fit).starts_with("Joins"));
        assert!(told(&mut data_only).starts_with("Joins"));
    }
}
