//! `multipart/form-data` (RFC 7578), as browsers send forms with files. Small forms only: the whole body is in memory.

/// One field: its name, and what it holds. A file that was not chosen is empty.
#[derive(Debug, PartialEq)]
pub struct Part<'a> {
    pub name: String,
    pub bytes: &'a [u8],
}

/// The parts of a body; `None` when it is not of that form.
pub fn parts<'a>(content_type: &str, body: &'a [u8]) -> Option<Vec<Part<'a>>> {
    let (essence, parameters) = content_type.split_once(';')?;
    if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters, "boundary").filter(|text| !text.is_empty() && text.len() <= 70)?;
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    // The first one needs no line before it.
    let mut rest = body.strip_prefix(&delimiter[2..])?;
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let head = find(rest, b"\r\n\r\n")?;
        let headers = std::str::from_utf8(&rest[..head]).ok()?;
        rest = &rest[head + 4..];
        let end = find(rest, &delimiter)?;
        let disposition = headers.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
        })?;
        parts.push(Part { name: parameter(disposition, "name")?, bytes: &rest[..end] });
        rest = &rest[end + delimiter.len()..];
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// A parameter of a header, in quotes or not.
fn parameter(text: &str, name: &str) -> Option<String> {
    text.split(';').find_map(|one| {
        let (have, value) = one.trim().split_once('=')?;
        have.eq_ignore_ascii_case(name).then(|| value.trim_matches('"').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=----abc";

    #[test]
    fn fields_and_files_come_apart_byte_for_byte() {
        let body = b"------abc\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nxyz\r\n\
                     ------abc\r\nContent-Disposition: form-data; name=\"logo\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\
                     \x89PNG\r\n\r\n--\0\r\n------abc\r\nContent-Disposition: form-data; name=\"none\"; filename=\"\"\r\n\r\n\r\n------abc--\r\n";
        let found = parts(TYPE, body).expect("parts");
        let expected: [(&str, &[u8]); 3] =
            [("csrf", b"xyz"), ("logo", b"\x89PNG\r\n\r\n--\0"), ("none", b"")];
        assert_eq!(found.len(), 3);
        for (part, (name, bytes)) in found.iter().zip(expected) {
            assert_eq!((part.name.as_str(), part.bytes), (name, bytes));
        }
        assert_eq!(parts("multipart/form-data; boundary=\"----abc\"", body), Some(found));
    }

    #[test]
    fn anything_else_is_refused() {
        for (content_type, body) in [
            ("application/x-www-form-urlencoded", &b"a=b"[..]),
            ("multipart/form-data", b"------abc--"),
            ("multipart/form-data; boundary=", b"----"),
            (TYPE, b""),
            (TYPE, b"------abc"),
            (TYPE, b"------abc\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nnever ends"),
            (TYPE, b"------abc\r\nContent-Type: text/plain\r\n\r\nx\r\n------abc--"),
            (TYPE, b"------abc\r\nContent-Disposition: form-data\r\n\r\nx\r\n------abc--"),
        ] {
            assert_eq!(parts(content_type, body), None, "{content_type} {body:?}");
        }
        assert_eq!(parts(TYPE, b"------abc--\r\n"), Some(Vec::new()));
    }
}
