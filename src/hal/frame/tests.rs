use super::*;

/// A driver's buffer that is plain memory.
#[derive(Debug)]
struct Plain(Vec<u8>, u32);

impl Pixels for Plain {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
    fn dmabuf(&self) -> Option<BorrowedFd<'_>> {
        None
    }
    fn slot(&self) -> u32 {
        self.1
    }
}

#[test]
fn packed_planes_are_as_long_as_size_says_and_black() {
    for (width, height) in [(160, 120), (1280, 720), (1920, 1080), (162, 122)] {
        let mut frame = Frame::new(width, height).unwrap();
        let pixels = usize::try_from(width * height).unwrap();
        assert_eq!(frame.y().len(), pixels);
        assert!(frame.y().iter().all(|luma| *luma == 16));
        let Chroma::Planar { u, v, stride } = frame.chroma() else {
            panic!("planar")
        };
        assert_eq!((u.len(), v.len()), (pixels / 4, pixels / 4));
        assert_eq!(stride, frame.y_stride() / 2);
        assert!(u.iter().chain(v).all(|chroma| *chroma == 128));
        let planes = frame.planes_mut().unwrap();
        assert_eq!(planes.y.len(), pixels);
        assert_eq!((planes.u.len(), planes.v.len()), (pixels / 4, pixels / 4));
    }
}

#[test]
fn odd_small_and_large_sizes_are_refused() {
    for (width, height) in [
        (158, 120),
        (160, 118),
        (1922, 1080),
        (1920, 1082),
        (161, 120),
        (160, 121),
        (0, 0),
        (u32::MAX, u32::MAX),
    ] {
        assert!(Frame::new(width, height).is_none(), "{width}x{height}");
        assert!(Pool::new(width, height, 1).is_none(), "{width}x{height}");
    }
}

#[test]
fn a_padded_buffer_is_read_by_its_layout() {
    // 160 columns in lines of 192, 120 lines in planes of 128: as a codec's driver may want it.
    let layout = Layout::contiguous((160, 120), 192, 128, false).unwrap();
    let mut bytes = vec![0; 192 * 128 * 3 / 2];
    bytes[192 * 119 + 159] = 7; // the last luma sample
    bytes[192 * 128] = 8; // the first chroma sample
    bytes[192 * 128 + 192 * 59 + 159] = 9; // the last
    let (home, _back) = sync_channel(1);
    let frame = Frame::lent(layout, Arc::new(Plain(bytes, 3)), home).unwrap();
    assert_eq!(frame.y().last(), Some(&7));
    let Chroma::Interleaved { uv, stride } = frame.chroma() else {
        panic!("interleaved")
    };
    assert_eq!((uv.first(), uv.last(), stride), (Some(&8), Some(&9), 192));
    assert_eq!(frame.pixels().map(Pixels::slot), Some(3));
}

#[test]
fn a_layout_that_does_not_fit_its_buffer_makes_no_frame() {
    let layout = Layout::contiguous((160, 120), 160, 120, true).unwrap();
    let enough = 160 * 120 * 3 / 2;
    for (len, fits) in [(enough, true), (enough - 1, false), (0, false)] {
        let (home, _back) = sync_channel(1);
        let frame = Frame::lent(layout, Arc::new(Plain(vec![0; len], 0)), home);
        assert_eq!(frame.is_some(), fits, "{len}");
    }
    assert_eq!(Layout::contiguous((160, 120), 158, 120, true), None);
    assert_eq!(Layout::contiguous((160, 120), usize::MAX, 120, false), None);
}

#[test]
fn a_driver_s_memory_is_not_drawn_into() {
    let layout = Layout::packed(160, 120).unwrap();
    let (home, _back) = sync_channel(1);
    let mut frame = Frame::lent(layout, Arc::new(Plain(vec![0; 30_000], 0)), home).unwrap();
    assert!(frame.planes_mut().is_none());
}

#[test]
fn buffers_go_home_and_a_closed_home_frees_them() {
    let pool = Pool::new(160, 120, 2).unwrap();
    let (first, second) = (pool.take().unwrap(), pool.take().unwrap());
    assert!(pool.take().is_none(), "both are out");
    assert!(pool.wait(Duration::ZERO).is_none());
    let memory = first.y().as_ptr();
    drop(first);
    assert_eq!(pool.take().unwrap().y().as_ptr(), memory);
    drop(pool);
    assert_eq!(second.y().len(), 160 * 120, "still whole without its pool");
    drop(second);
}

#[test]
fn a_lent_buffer_comes_back_to_the_driver_s_side() {
    let layout = Layout::packed(160, 120).unwrap();
    let (home, back) = sync_channel(4);
    for slot in 0..4 {
        let pixels = Arc::new(Plain(vec![0; 30_000], slot));
        drop(Frame::lent(layout, pixels, home.clone()).unwrap());
    }
    let slots: Vec<u32> = back
        .try_iter()
        .map(|memory| match memory {
            Memory::Lent(pixels) => pixels.slot(),
            Memory::Own(_) => panic!("it was the driver's"),
        })
        .collect();
    assert_eq!(slots, [0, 1, 2, 3]);
}
