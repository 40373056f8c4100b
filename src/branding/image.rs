//! Logos and icons: told by what is in them, whatever they are called.

/// The largest image, in bytes.
pub const MAX_BYTES: usize = 256 << 10;

/// Why an image is not taken.
pub const RULE: &str = "must be a PNG, JPEG, GIF, WebP or ICO image of at most 256 KiB";

/// The content type of an image by its first bytes; `None` for anything else. SVG is refused: it can carry scripts.
pub fn content_type(bytes: &[u8]) -> Option<&'static str> {
    if bytes.len() > MAX_BYTES {
        return None;
    }
    match bytes {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, _, _, _, _, b'I', b'H', b'D', b'R', ..] => {
            Some("image/png")
        }
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [0, 0, 1, 0, count, 0, ..] if *count > 0 => Some("image/x-icon"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_counts() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR....";
        for (bytes, expected) in [
            (&png[..], Some("image/png")),
            (b"\x89PNG\r\n\x1a\n", None),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Some("image/jpeg")),
            (b"GIF89a\x01\0\x01\0", Some("image/gif")),
            (b"GIF88a", None),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"RIFF\x10\0\0\0WAVEfmt ", None),
            (b"\0\0\x01\0\x01\0\x10\x10", Some("image/x-icon")),
            (b"\0\0\x01\0\0\0", None),
            (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", None),
            (b"<?xml version='1.0'?><svg/>", None),
            (b"<!doctype html><script>alert(1)</script>", None),
            (b"GIF", None),
            (b"", None),
        ] {
            assert_eq!(content_type(bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
        let mut long = png.to_vec();
        long.resize(MAX_BYTES, 0);
        assert_eq!(content_type(&long), Some("image/png"));
        long.push(0);
        assert_eq!(content_type(&long), None);
    }
}
