//! The meaning of `[camera]` and `[encoder]`: what the car sees, and how it is coded.
//!
//! Promises: two cameras are two cameras. Knows nothing of: devices.

use core::time::Duration;

use super::{Found, Meaning, some_text};
use crate::config::schema::{Id, KEYS};
use crate::config::settings::{Camera, Codec, Rear};
use crate::config::words::{
    CameraFormat, CameraSource, EncoderLevel, EncoderProfile, RearSource, Rotation,
};
use crate::logic::camera::{Controls, Dial};
use crate::logic::failsafe::FailsafeConfig;

impl Meaning<'_> {
    pub(super) fn camera(&mut self) -> Found<Camera> {
        let source = self.word(Id::CameraSource, CameraSource::from_word);
        let width = self.whole(Id::CameraWidth);
        let height = self.whole(Id::CameraHeight);
        let fps = self.whole(Id::CameraFps);
        let rotation = self.rotation(Id::CameraRotation);
        let flip_horizontal = self.flag(Id::CameraFlipHorizontal);
        let flip_vertical = self.flag(Id::CameraFlipVertical);
        let index = self.whole(Id::CameraIndex);
        let id = self.text(Id::CameraId).map(some_text);
        let device = self.text(Id::CameraDevice);
        let format = self.word(Id::CameraFormat, CameraFormat::from_word);
        let rear = self.rear(source, index, &id);
        let controls = self.controls();
        Ok(Camera {
            source: source?,
            width: width?,
            height: height?,
            fps: fps?,
            rotation: rotation?,
            flip_horizontal: flip_horizontal?,
            flip_vertical: flip_vertical?,
            index: index?,
            id: id?,
            device: Some(device?).filter(|path| path != "auto" && !path.is_empty()),
            format: format?,
            rear: rear?,
            controls: controls?,
        })
    }

    /// A car whose pictures come so seldom that each is too old before the next one comes stops between any two of them.
    pub(super) fn sees_often_enough(&mut self, camera: &Camera, failsafe: FailsafeConfig) {
        let longest = failsafe.longest_picture();
        let lasts = |rate: u32| Duration::from_secs(1) / rate.max(1);
        let in_the_dark = camera
            .controls
            .chosen(Dial::LeastFps)
            .and_then(|rate| u32::try_from(rate).ok());
        let slowest = in_the_dark.filter(|rate| (1..camera.fps).contains(rate));
        for (id, rate) in [
            (Id::CameraFps, Some(camera.fps)),
            (Id::ControlsLeastFps, slowest),
        ] {
            if rate.is_some_and(|rate| lasts(rate) > longest) {
                let what = format!(
                    "a picture is too old to drive by before the next one comes; it may last {} ms with failsafe.blind_ms = {}",
                    longest.as_millis(),
                    failsafe.blind().as_millis()
                );
                self.clash(id, Id::FailsafeBlindMs, &what);
                return;
            }
        }
    }

    /// The camera that looks back, if there is one. It is another one than the front one.
    fn rear(
        &mut self,
        front: Found<CameraSource>,
        front_index: Found<u32>,
        front_id: &Found<Option<String>>,
    ) -> Found<Option<Rear>> {
        let source = self.word(Id::RearSource, RearSource::from_word);
        let index = self.whole(Id::RearIndex);
        let id = self.text(Id::RearId).map(some_text);
        let rotation = self.rotation(Id::RearRotation);
        let flip_horizontal = self.flag(Id::RearFlipHorizontal);
        let flip_vertical = self.flag(Id::RearFlipVertical);
        let stands_by = self.flag(Id::RearStandby);
        let dwell = self.millis(Id::RearDwellMs);
        let source = source?;
        if source == RearSource::Libcamera && front == Ok(CameraSource::Libcamera) {
            let same = "must be another camera than the front one";
            match (front_id, &id) {
                (Ok(Some(front)), Ok(Some(rear))) if front == rear => {
                    return Err(self.clash(Id::RearId, Id::CameraId, same));
                }
                (Ok(None), Ok(None)) if front_index == index => {
                    return Err(self.clash(Id::RearIndex, Id::CameraIndex, same));
                }
                _ => {}
            }
        }
        let rear = Rear {
            source,
            index: index?,
            id: id?,
            rotation: rotation?,
            flip_horizontal: flip_horizontal?,
            flip_vertical: flip_vertical?,
            stands_by: stands_by?,
            dwell: dwell?,
        };
        Ok((source != RearSource::None).then_some(rear))
    }

    fn rotation(&self, id: Id) -> Found<Rotation> {
        self.whole(id).map(|degrees| {
            Rotation::from_degrees(degrees)
                .unwrap_or_else(|| unreachable!("the schema allows quarter turns only"))
        })
    }

    fn controls(&self) -> Found<Controls> {
        let mut controls = Controls::default();
        let ids = KEYS.iter().filter(|id| id.key().table == "camera.controls");
        for id in ids {
            let dial = Dial::from_word(id.key().name)
                .unwrap_or_else(|| unreachable!("keys of camera.controls are named as dials"));
            let value = self.whole(*id)?;
            assert!(controls.set(dial, value), "the schema has the dial's range");
        }
        Ok(controls)
    }

    pub(super) fn codec(&mut self) -> Found<Codec> {
        let device = self.text(Id::EncoderDevice).map(some_text);
        let profile = self.word(Id::EncoderProfile, EncoderProfile::from_word);
        let level = self.word(Id::EncoderLevel, EncoderLevel::from_word);
        Ok(Codec {
            device: device?,
            profile: profile?,
            level: level?,
        })
    }
}
