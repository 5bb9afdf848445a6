//! How large a picture becomes when it is decoded, by its first bytes: a few of them can ask for gigabytes of memory.

/// Pixels of the largest picture that is shown.
const PIXELS_MAX: u64 = 50_000_000;

/// Whether a browser that shows it would take more memory than a picture is worth. One that does not say how large it is is not.
pub(crate) fn is_too_large(bytes: &[u8], media_type: &str) -> bool {
    let size = size_of(bytes, media_type);
    size.is_some_and(|(width, height)| u64::from(width) * u64::from(height) > PIXELS_MAX)
}

/// Width and height of a picture, pixels; `None` if it is none, or does not say.
#[must_use]
pub fn size_of(bytes: &[u8], media_type: &str) -> Option<(u32, u32)> {
    match media_type {
        "image/png" => png(bytes),
        "image/jpeg" => jpeg(bytes),
        "image/gif" => gif(bytes),
        "image/webp" => webp(bytes),
        "image/avif" => avif(bytes),
        _ => None,
    }
}

fn at<const N: usize>(bytes: &[u8], from: usize) -> Option<[u8; N]> {
    bytes.get(from..)?.first_chunk().copied()
}

fn be16(bytes: &[u8], from: usize) -> Option<u32> {
    at(bytes, from).map(|two| u16::from_be_bytes(two).into())
}

fn le16(bytes: &[u8], from: usize) -> Option<u32> {
    at(bytes, from).map(|two| u16::from_le_bytes(two).into())
}

fn le24(bytes: &[u8], from: usize) -> Option<u32> {
    at(bytes, from).map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
}

fn be32(bytes: &[u8], from: usize) -> Option<u32> {
    at(bytes, from).map(u32::from_be_bytes)
}

fn png(bytes: &[u8]) -> Option<(u32, u32)> {
    Some((be32(bytes, 16)?, be32(bytes, 20)?))
}

fn gif(bytes: &[u8]) -> Option<(u32, u32)> {
    Some((le16(bytes, 6)?, le16(bytes, 8)?))
}

/// Goes from segment to segment to the one that begins a frame.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut from = 2;
    loop {
        let [mark, kind] = at(bytes, from)?;
        if mark != 0xff {
            return None;
        }
        match kind {
            // One more before the kind, or a segment without a length.
            0xff => from += 1,
            0x01 | 0xd0..=0xd8 => from += 2,
            0xc4 | 0xc8 | 0xcc => from += 2 + usize::try_from(be16(bytes, from + 2)?).ok()?,
            0xc0..=0xcf => return Some((be16(bytes, from + 7)?, be16(bytes, from + 5)?)),
            _ => from += 2 + usize::try_from(be16(bytes, from + 2)?).ok()?,
        }
    }
}

fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    match &at::<4>(bytes, 12)? {
        b"VP8X" => Some((le24(bytes, 24)? + 1, le24(bytes, 27)? + 1)),
        b"VP8L" => {
            let bits = u32::from_le_bytes(at(bytes, 21)?);
            Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
        }
        b"VP8 " => Some((le16(bytes, 26)? & 0x3fff, le16(bytes, 28)? & 0x3fff)),
        _ => None,
    }
}

/// The largest of the sizes that stand in its head.
fn avif(bytes: &[u8]) -> Option<(u32, u32)> {
    let head = bytes.get(..bytes.len().min(64 * 1024))?;
    let boxes = head.windows(4).enumerate().filter(|(_, name)| name == b"ispe");
    let sizes = boxes.filter_map(|(from, _)| Some((be32(bytes, from + 8)?, be32(bytes, from + 12)?)));
    sizes.max_by_key(|(width, height)| u64::from(*width) * u64::from(*height))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png_of(width: u32, height: u32) -> Vec<u8> {
        [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &width.to_be_bytes(), &height.to_be_bytes()].concat()
    }

    fn jpeg_of(width: u16, height: u16) -> Vec<u8> {
        let head = b"\xff\xd8\xff\xe0\x00\x04JF\xff\xff\xc4\x00\x03x\xff\xc2\x00\x11\x08".as_slice();
        [head, &height.to_be_bytes(), &width.to_be_bytes()].concat()
    }

    fn gif_of(width: u16, height: u16) -> Vec<u8> {
        [b"GIF89a".as_slice(), &width.to_le_bytes(), &height.to_le_bytes()].concat()
    }

    fn webp_of(kind: &[u8; 4], rest: &[u8]) -> Vec<u8> {
        [b"RIFF\0\0\0\0WEBP".as_slice(), kind, b"\0\0\0\0", rest].concat()
    }

    #[test]
    fn a_picture_says_how_large_it_is() {
        assert_eq!(png(&png_of(640, 480)), Some((640, 480)));
        assert_eq!(jpeg(&jpeg_of(640, 480)), Some((640, 480)));
        assert_eq!(gif(&gif_of(640, 480)), Some((640, 480)));
        let [w, h] = [639_u32, 479].map(u32::to_le_bytes);
        let canvas = [&[0; 4], w.get(..3).unwrap(), h.get(..3).unwrap()].concat();
        assert_eq!(webp(&webp_of(b"VP8X", &canvas)), Some((640, 480)));
        let bits = (639_u32 | (479 << 14)).to_le_bytes();
        assert_eq!(webp(&webp_of(b"VP8L", &[b"\x2f".as_slice(), &bits].concat())), Some((640, 480)));
        let frame = b"\0\0\0\x9d\x01\x2a\x80\x02\xe0\x01";
        assert_eq!(webp(&webp_of(b"VP8 ", frame)), Some((640, 480)));
        let boxes =
            b"\0\0\0\x14ispe\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\x14ispe\0\0\0\0\0\0\x02\x80\0\0\x01\xe0";
        assert_eq!(avif(boxes), Some((640, 480)));
    }

    #[test]
    fn one_that_would_fill_the_memory_is_too_large_and_half_a_head_is_not() {
        assert!(!is_too_large(&png_of(10_000, 5_000), "image/png"));
        assert!(is_too_large(&png_of(10_000, 5_001), "image/png"));
        assert!(is_too_large(&png_of(u32::MAX, u32::MAX), "image/png"));
        assert!(is_too_large(&jpeg_of(30_000, 30_000), "image/jpeg"));
        assert!(is_too_large(&gif_of(30_000, 30_000), "image/gif"));
        assert!(!is_too_large(&png_of(30_000, 30_000), "text/plain"));
        for whole in [png_of(640, 480), jpeg_of(640, 480), gif_of(640, 480), webp_of(b"VP8X", &[0; 10])] {
            for to in 0..whole.len() {
                for kind in ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"] {
                    is_too_large(whole.get(..to).unwrap(), kind);
                }
            }
        }
        assert!(!is_too_large(b"\xff\xd8\xff", "image/jpeg"));
    }
}
