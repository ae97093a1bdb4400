//! The local Spider keeps the rules of PROTOCOL.md, section 5.1; each test names its number.

mod harness;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use harness::pair::{Party, inside};
use harness::{CHANNEL, until};
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use serde_json::{Value, json};
use spidercar::app::clock;
use spidercar::net::signalling::{Address, Message, Socket};
use spidercar::peer::{Codec, PeerEvent, PeerOptions, build, has_one_ufrag};
use spidercar::spider::{Fault, Spider};

const NEVER: Duration = Duration::from_secs(3600);

fn url(spider: &Spider) -> String {
    format!("ws://{}", spider.plain)
}

/// A bare socket, for saying what no client of ours says.
async fn socket(spider: &Spider, path: &str) -> Result<Socket, String> {
    Socket::connect(&Address::open(url(spider), path.to_owned()))
        .await
        .map_err(|err| err.to_string())
}

async fn publisher_socket(spider: &Spider) -> Socket {
    socket(spider, &format!("/live/ws/pub?channel={CHANNEL}"))
        .await
        .expect("the upgrade")
}

/// An offer with one video section of these codecs and one data section.
async fn offer_of(codecs: &[Codec]) -> String {
    let mut peer = build(PeerOptions {
        codecs: codecs.to_vec(),
        ..PeerOptions::loopback()
    })
    .await
    .expect("a peer");
    let receive = RTCRtpTransceiverInit {
        direction: RTCRtpTransceiverDirection::Recvonly,
        ..Default::default()
    };
    peer.pc
        .add_transceiver_from_kind(RtpCodecKind::Video, Some(receive))
        .await
        .expect("video");
    peer.pc
        .create_data_channel("metric", None)
        .await
        .expect("a channel");
    let offer = peer.pc.create_offer(None).await.expect("an offer");
    peer.pc
        .set_local_description(offer)
        .await
        .expect("an offer");
    while !matches!(peer.events.recv().await, Some(PeerEvent::GatheringComplete)) {}
    let sdp = peer.pc.local_description().await.expect("an offer").sdp;
    peer.pc.close().await.expect("closed");
    sdp.replace("a=recvonly", "a=sendrecv") // as aiortc offers it
}

/// The next message of a kind.
async fn next(socket: &mut Socket, kind: &str) -> Message {
    tokio::time::timeout(harness::PATIENCE, async {
        loop {
            let message = socket.recv().await.expect("the socket stays");
            if message.kind == kind {
                return message;
            }
        }
    })
    .await
    .unwrap_or_else(|_| panic!("no {kind} came"))
}

/// Waits until the server drops the socket.
async fn until_dropped(socket: &mut Socket) {
    let dropped = async { while socket.recv().await.is_ok() {} };
    tokio::time::timeout(harness::PATIENCE, dropped)
        .await
        .expect("the server drops the socket");
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_1_plain_and_tls_serve_the_same_and_unknown_parameters_are_ignored() {
    let spider = inside(&[], NEVER).await;
    for url in [url(&spider), format!("wss://{}", spider.tls)] {
        let viewer = Party::viewer(&url, "&brate=1&made_up=yes")
            .await
            .expect("a session");
        viewer.until_saw("connected").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_2_a_bad_channel_is_refused_at_the_upgrade_or_dropped_after_it() {
    let strict = inside(&[], NEVER).await;
    for path in [
        "/live/ws/pub",
        "/live/ws/sub?channel=",
        "/live/ws/sub?channel=../etc",
    ] {
        let refused = socket(&strict, path).await.expect_err("refused");
        assert!(
            refused.contains("HTTP 400") && refused.contains("20 characters"),
            "{refused}"
        );
    }
    let silent = inside(&[Fault::BadChannelDrops], NEVER).await;
    let mut dropped = socket(&silent, "/live/ws/pub?channel=x")
        .await
        .expect("upgraded");
    until_dropped(&mut dropped).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_3_4_7_odd_messages_and_early_candidates_do_not_spoil_the_offer() {
    let spider = inside(&[], NEVER).await;
    let mut socket = publisher_socket(&spider).await;
    let candidate = "1 1 udp 2130706431 127.0.0.1 50000 typ host";
    let pion_v3 = json!({"candidate": format!("candidate:{candidate}"), "sdpMid": "", "sdpMLineIndex": 0, "usernameFragment": null});
    let pion_v2 = json!({"candidate": format!("candidate:{candidate}"), "sdpMLineIndex": 0, "usernameFragment": ""});
    let browser =
        json!({"candidate": format!("candidate:{candidate}"), "sdpMid": "0", "sdpMLineIndex": 0});
    for (kind, data) in [
        ("unheard-of", "x"),
        ("", ""),
        ("candidate", candidate),
        ("candidate", "not a candidate"),
        ("candidate2", "{not json"),
        ("candidate2", &pion_v3.to_string()),
        ("candidate2", &pion_v2.to_string()),
        ("candidate2", &browser.to_string()),
        ("candidate2", "{\"candidate\":\"\"}"),
    ] {
        socket.send(kind, data).await.expect("sent");
    }
    socket
        .send("offer", &offer_of(&[Codec::H264]).await)
        .await
        .expect("sent");
    for (kind, data) in [
        ("candidate2", browser.to_string()),
        ("candidate", candidate.to_owned()),
    ] {
        socket.send(kind, &data).await.expect("sent");
    }
    assert!(next(&mut socket, "answer").await.data.starts_with("v=0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_5_9_one_complete_bundled_answer_for_one_offer() {
    let spider = inside(&[], NEVER).await;
    let mut socket = publisher_socket(&spider).await;
    let offer = offer_of(&[Codec::H264]).await;
    socket.send("offer", &offer).await.expect("sent");
    let sdp = next(&mut socket, "answer").await.data;
    for line in [
        "a=group:BUNDLE 0 1",
        "a=setup:active",
        "a=rtcp-mux",
        "a=candidate:",
        "a=end-of-candidates",
        "a=mid:0",
        "a=mid:1",
    ] {
        assert!(sdp.contains(line), "{line} is missing in\n{sdp}");
    }
    assert_eq!(has_one_ufrag(&sdp), Ok(()));
    assert_eq!(
        sdp.matches("\r\nm=").count(),
        offer.matches("\r\nm=").count()
    );
    socket.send("ping", "").await.expect("sent");
    let after = tokio::time::timeout(harness::PATIENCE, socket.recv())
        .await
        .expect("in time");
    assert_eq!(
        after.expect("a message").kind,
        "pong",
        "more than one answer"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_6_candidates_can_be_trickled_after_the_answer_in_both_forms() {
    for fault in [Fault::Trickle, Fault::TrickleOnly] {
        let spider = inside(&[fault], NEVER).await;
        let mut socket = publisher_socket(&spider).await;
        socket
            .send("offer", &offer_of(&[Codec::H264]).await)
            .await
            .expect("sent");
        let answer = next(&mut socket, "answer").await.data;
        assert_eq!(answer.contains("a=candidate:"), fault == Fault::Trickle);
        assert!(
            next(&mut socket, "candidate")
                .await
                .data
                .contains("typ host")
        );
        let init: Value =
            serde_json::from_str(&next(&mut socket, "candidate2").await.data).expect("JSON");
        assert!(
            init["candidate"]
                .as_str()
                .is_some_and(|text| text.starts_with("candidate:")),
            "{init}"
        );
        let viewer = Party::viewer(&url(&spider), "").await.expect("a session");
        viewer.until_saw("connected").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_8_an_offer_with_conflicting_credentials_is_dropped() {
    let spider = inside(&[], NEVER).await;
    let mut socket = publisher_socket(&spider).await;
    let offer = offer_of(&[Codec::H264]).await;
    let second = offer.rfind("a=ice-ufrag:").expect("credentials") + "a=ice-ufrag:".len();
    let conflicting = format!("{}other{}", &offer[..second], &offer[second..]);
    socket.send("offer", &conflicting).await.expect("sent");
    until_dropped(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_10_the_codec_asked_for_is_taken_else_h264_else_the_first() {
    let spider = inside(&[], NEVER).await;
    let cases: [(&[Codec], &str, &str); 4] = [
        (&[Codec::Vp8, Codec::H264], "", "H264/90000"),
        (&[Codec::Vp8, Codec::H264], "&vcodec=vp8", "VP8/90000"),
        (&[Codec::Vp9], "", "VP9/90000"),
        (&[Codec::Vp8], "&vcodec=h264", "VP8/90000"),
    ];
    // A channel each: the one before is free again only once the Spider has seen its publisher go.
    for (number, (codecs, query, expected)) in cases.into_iter().enumerate() {
        let rest = &CHANNEL[1..];
        let path = format!("/live/ws/pub?channel={number}{rest}{query}");
        let mut socket = socket(&spider, &path).await.expect("the upgrade");
        socket
            .send("offer", &offer_of(codecs).await)
            .await
            .expect("sent");
        let answer = next(&mut socket, "answer").await.data;
        let codecs: Vec<_> = answer
            .lines()
            .filter(|line| line.starts_with("a=rtpmap:"))
            .collect();
        assert!(
            codecs.len() == 1 && codecs[0].contains(expected),
            "{query}: {codecs:?}"
        );
        assert!(answer.contains("a=recvonly"), "{answer}");
        socket.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_10_a_viewer_without_the_published_codec_is_refused_in_words() {
    let spider = inside(&[], NEVER).await;
    let viewer_socket = async || {
        socket(
            &spider,
            &format!("/live/ws/sub?channel={CHANNEL}&vcodec=h264"),
        )
        .await
        .expect("the upgrade")
    };
    // One comes before the publisher, one after it, and one offers nothing that any publisher sends.
    let mut early = viewer_socket().await;
    let vp8 = offer_of(&[Codec::Vp8, Codec::Vp9]).await;
    early.send("offer", &vp8).await.expect("sent");
    next(&mut early, "answer").await;
    let mut publisher = publisher_socket(&spider).await;
    let h264 = offer_of(&[Codec::H264]).await;
    publisher.send("offer", &h264).await.expect("sent");
    next(&mut publisher, "answer").await;
    let mut late = viewer_socket().await;
    late.send("offer", &vp8).await.expect("sent");
    let mut foreign = viewer_socket().await;
    let av1 = vp8
        .replace("VP8/90000", "AV1/90000")
        .replace("VP9/90000", "H265/90000");
    foreign.send("offer", &av1).await.expect("sent");
    for viewer in [&mut early, &mut late, &mut foreign] {
        let words = next(viewer, "error").await.data;
        assert!(words.contains("cannot decode H.264"), "{words}");
        until_dropped(viewer).await;
    }
}

/// Watchers that ask for a key frame without end while somebody drives.
#[tokio::test(flavor = "multi_thread")]
async fn watchers_that_ask_for_key_frames_without_end_cost_the_publisher_few() {
    let spider = inside(&[], NEVER).await;
    let mut publisher = Party::publisher(&url(&spider), "")
        .await
        .expect("a session");
    publisher.until_saw("connected").await;
    let mut video = publisher.video.take().expect("a publisher has video");
    let mut watchers = Vec::new();
    for _ in 0..4 {
        watchers.push(Party::viewer(&url(&spider), "").await.expect("a session"));
    }
    let driver = Party::viewer(&url(&spider), "").await.expect("a session");
    let commands = driver.open("stream").await;
    let claim = r#"{"lease":{"id":7,"want":1}}"#;
    let key_frame = Bytes::from_static(&[0, 0, 0, 1, 0x65, 0x88, 2, 3, 4, 5, 6, 7]);
    // Newcomers are served first.
    let deadline = std::time::Instant::now() + harness::PATIENCE;
    while !watchers.iter().chain([&driver]).all(|one| one.saw("track")) {
        assert!(std::time::Instant::now() < deadline, "no video");
        commands.send_text(claim).await.expect("sent");
        video
            .send(&key_frame, clock::now(), || ())
            .await
            .expect("sent");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let started = std::time::Instant::now();
    let before = publisher.feedback.key_frame_requests();
    for _ in 0..150 {
        commands.send_text(claim).await.expect("sent");
        for watcher in &watchers {
            watcher.ask_for_key_frame().await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked = publisher.feedback.key_frame_requests() - before;
    // One in four seconds, one that was under way, and one for a viewer whose first wish was still open.
    let most = 3 + u32::try_from(started.elapsed().as_secs() / 4).expect("a short test");
    assert!(asked <= most, "{asked} requests in {:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_11_12_pings_both_ways_and_nobody_has_to_answer() {
    let spider = inside(&[], Duration::from_millis(30)).await;
    let mut socket = publisher_socket(&spider).await;
    socket
        .send("offer", &offer_of(&[Codec::H264]).await)
        .await
        .expect("sent");
    for _ in 0..5 {
        next(&mut socket, "ping").await; // never answered, and it goes on
    }
    socket.send("ping", "").await.expect("sent");
    next(&mut socket, "pong").await;
    let strict = inside(&[Fault::IdleTimeout], Duration::from_millis(30)).await;
    let mut idle = publisher_socket(&strict).await;
    idle.send("offer", &offer_of(&[Codec::H264]).await)
        .await
        .expect("sent");
    until_dropped(&mut idle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_13_joins_is_told_as_a_string_when_a_party_comes_or_goes() {
    let spider = inside(&[], NEVER).await;
    let mut socket = publisher_socket(&spider).await;
    socket
        .send("offer", &offer_of(&[Codec::H264]).await)
        .await
        .expect("sent");
    next(&mut socket, "answer").await;
    let viewer = Party::viewer(&url(&spider), "").await.expect("a session");
    assert_eq!(
        next(&mut socket, "joins").await.data,
        "publishers=1 subscribers=1"
    );
    drop(viewer);
    assert_eq!(
        next(&mut socket, "joins").await.data,
        "publishers=1 subscribers=0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_15_16_17_payloads_pass_unchanged_by_label_and_are_not_echoed() {
    for faults in [
        &[][..],
        &[Fault::ServerChannels],
        &[Fault::OnlyServerChannels],
    ] {
        let spider = inside(faults, NEVER).await;
        let publisher = Party::publisher(&url(&spider), "")
            .await
            .expect("a session");
        let viewers = [
            Party::viewer(&url(&spider), "").await.expect("a session"),
            Party::viewer(&url(&spider), "").await.expect("a session"),
        ];
        let metric = publisher.open("metric").await;
        for viewer in &viewers {
            viewer.open("metric").await;
            viewer.open("stream").await;
        }
        let odd = "{\"a\" : 1.0,\t\"\\u00e9\":\"é\"} ";
        // The viewer's channel may open a moment before the relay hears of it.
        let deadline = std::time::Instant::now() + harness::PATIENCE;
        while !viewers.iter().all(|viewer| viewer.has_heard("metric", odd)) {
            assert!(
                std::time::Instant::now() < deadline,
                "{faults:?}: no metric at both viewers"
            );
            metric.send_text(odd).await.expect("sent");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let command = "{\"motion\":{\"key\":\"forward\",\"value\":0}}\n";
        viewers[0]
            .open("stream")
            .await
            .send_text(command)
            .await
            .expect("sent");
        until(&format!("{faults:?}: the command at the publisher"), || {
            publisher.has_heard("stream", command)
        })
        .await;
        let drive = "{\"drive\":{}}";
        viewers[0]
            .open("drive")
            .await
            .send_text(drive)
            .await
            .expect("sent");
        until("the newest-wins command at the publisher", || {
            publisher.has_heard("drive", drive)
        })
        .await;
        let binary = BytesMut::from(&[0_u8, 255, 1][..]);
        viewers[0]
            .open("stream")
            .await
            .send(binary)
            .await
            .expect("sent");
        until("the binary command at the publisher", || {
            publisher
                .heard
                .lock()
                .expect("not poisoned")
                .iter()
                .any(|(_, text, bytes)| !text && bytes == &[0, 255, 1])
        })
        .await;
        for viewer in &viewers {
            assert!(
                !viewer.has_heard("stream", command),
                "{faults:?}: a command was echoed"
            );
        }
        let commands = publisher.heard.lock().expect("not poisoned");
        let times = commands
            .iter()
            .filter(|(_, _, bytes)| bytes == command.as_bytes())
            .count();
        assert_eq!(times, 1, "{faults:?}: one command, once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_18_a_second_publisher_is_dropped_or_replaces_the_first() {
    let spider = inside(&[], NEVER).await;
    let first = Party::publisher(&url(&spider), "")
        .await
        .expect("a session");
    first.until_saw("connected").await;
    let second = Party::publisher(&url(&spider), "")
        .await
        .expect("the socket opens");
    second.until_saw("over Busy").await;
    let replacing = inside(&[Fault::ReplacePublisher], NEVER).await;
    let first = Party::publisher(&url(&replacing), "")
        .await
        .expect("a session");
    first.until_saw("connected").await;
    let second = Party::publisher(&url(&replacing), "")
        .await
        .expect("a session");
    second.until_saw("connected").await;
    until("the end of the first publisher", || {
        first.saw("over") || first.saw("ended")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_18_the_same_publisher_replaces_itself_and_a_stranger_does_not() {
    let spider = inside(&[], NEVER).await;
    let join = async |query: &str| {
        let party = Party::publisher(&url(&spider), query).await;
        party.expect("the socket opens")
    };
    let own = format!("&instance={}", "0123456789abcdef".repeat(2));
    let ghost = join(&own).await;
    ghost.until_saw("connected").await;
    for stranger in [
        String::new(),
        "&instance=".to_owned(),
        format!("&instance={}", "0123456789abcdee".repeat(2)),
    ] {
        join(&stranger).await.until_saw("over Busy").await;
    }
    let again = join(&own).await;
    again.until_saw("connected").await;
    until("the end of the ghost", || {
        ghost.saw("over") || ghost.saw("ended")
    })
    .await;
    assert!(!again.saw("over") && !again.saw("ended"));
    // What can be guessed proves nothing.
    let weak = inside(&[], NEVER).await;
    let first = Party::publisher(&url(&weak), "&instance=1").await;
    first.expect("a session").until_saw("connected").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_19_a_viewer_may_come_before_the_publisher_and_gets_video_later() {
    let spider = inside(&[], NEVER).await;
    let viewer = Party::viewer(&url(&spider), "").await.expect("a session");
    viewer.until_saw("connected").await;
    let mut publisher = Party::publisher(&url(&spider), "")
        .await
        .expect("a session");
    publisher.until_saw("connected").await;
    let mut video = publisher.video.take().expect("a publisher has video");
    let key_frame = Bytes::from_static(&[0, 0, 0, 1, 0x65, 0x88, 2, 3, 4, 5, 6, 7]);
    let deadline = std::time::Instant::now() + harness::PATIENCE;
    while !viewer.saw("track") {
        assert!(
            std::time::Instant::now() < deadline,
            "no video at the early viewer"
        );
        video
            .send(&key_frame, clock::now(), || ())
            .await
            .expect("sent");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let strict = inside(&[Fault::NeedPublisher], NEVER).await;
    let early = Party::viewer(&url(&strict), "")
        .await
        .expect("the socket opens");
    early.until_saw("over Refused").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_20_a_spider_may_hold_a_publisher_to_brate_and_ktime() {
    let spider = inside(&[Fault::Enforce], NEVER).await;
    let mut publisher = Party::publisher(&url(&spider), "&brate=321&ktime=10")
        .await
        .expect("a session");
    publisher.until_saw("connected").await;
    let mut video = publisher.video.take().expect("a publisher has video");
    let key_frame = Bytes::from_static(&[0, 0, 0, 1, 0x65, 0x88, 2, 3, 4, 5, 6, 7]);
    let deadline = std::time::Instant::now() + harness::PATIENCE;
    while publisher.feedback.remb_kbps() != Some(321) || publisher.feedback.key_frame_requests() < 3
    {
        assert!(
            std::time::Instant::now() < deadline,
            "{:?}",
            publisher.feedback
        );
        video
            .send(&key_frame, clock::now(), || ())
            .await
            .expect("sent");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_22_sixteen_watchers_leave_a_place_for_the_driver() {
    let spider = inside(&[], NEVER).await;
    let offer = offer_of(&[Codec::H264]).await;
    let join = async |query: &str| {
        let path = format!("/live/ws/sub?channel={CHANNEL}{query}");
        let mut socket = socket(&spider, &path).await.expect("the upgrade");
        socket.send("offer", &offer).await.expect("sent");
        let first = tokio::time::timeout(harness::PATIENCE, async {
            loop {
                match socket.recv().await {
                    Ok(message) if message.kind == "answer" => return Ok(()),
                    Ok(_) => {}
                    Err(err) => return Err(err.to_string()),
                }
            }
        });
        first.await.expect("in time").map(|()| socket)
    };
    let refused = async |query: &str| {
        let words = join(query).await.expect_err(query);
        assert_eq!(
            words, "the Spider has no place now: the channel is full",
            "{query}"
        );
    };
    let own = format!("&instance={}", "0123456789abcdef".repeat(2));
    let mut watchers = vec![join(&own).await.expect("room")];
    for _ in 1..16 {
        watchers.push(join("").await.expect("room"));
    }
    for watcher in ["", "&drive=0", "&drive="] {
        refused(watcher).await;
    }
    let _driver = join("&drive=1").await.expect("the kept place");
    refused("&drive=1").await; // the driver is not silent yet
    refused("").await;
    // A watcher that comes again is no seventeenth one.
    let _again = join(&own).await.expect("its own place");
    until_dropped(&mut watchers[0]).await;
    refused("").await;
}

/// The driver's page went to sleep, or its network did: whoever wants to drive now has its place once it is silent.
#[tokio::test(flavor = "multi_thread")]
async fn rule_22_a_driver_of_whom_nothing_is_heard_gives_the_place_to_one_who_drives() {
    let spider = inside(&[], NEVER).await;
    let mut watchers = Vec::new();
    for _ in 0..16 {
        watchers.push(Party::viewer(&url(&spider), "").await.expect("room"));
    }
    let silent = Party::viewer(&url(&spider), "&drive=1").await;
    let silent = silent.expect("the kept place");
    silent.until_saw("connected").await;
    let deadline = std::time::Instant::now() + harness::PATIENCE;
    loop {
        let next = Party::viewer(&url(&spider), "&drive=1").await;
        let next = next.expect("the socket opens");
        until("an answer", || {
            next.saw("connected") || next.saw("over Busy")
        })
        .await;
        if next.saw("connected") {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "it never is silent");
    }
    until("the end of the silent one", || {
        silent.saw("over") || silent.saw("ended")
    })
    .await;
    assert!(watchers.iter().all(|one| !one.saw("over")));
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_21_the_peer_goes_with_its_socket_unless_media_is_to_stay() {
    let spider = inside(&[], NEVER).await;
    let mut socket = publisher_socket(&spider).await;
    socket
        .send("offer", &offer_of(&[Codec::H264]).await)
        .await
        .expect("sent");
    next(&mut socket, "answer").await;
    socket.close().await;
    let again = Party::publisher(&url(&spider), "")
        .await
        .expect("a session");
    again.until_saw("connected").await; // the place on the channel was free at once
    let keeping = inside(&[Fault::KeepMedia], NEVER).await;
    let mut socket = publisher_socket(&keeping).await;
    socket
        .send("offer", &offer_of(&[Codec::H264]).await)
        .await
        .expect("sent");
    next(&mut socket, "answer").await;
    socket.close().await;
    let second = Party::publisher(&url(&keeping), "")
        .await
        .expect("the socket opens");
    second.until_saw("over Busy").await; // the first is still there
}
