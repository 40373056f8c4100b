//! Times as this product writes them: RFC 3339, UTC, milliseconds. Formatting only; nobody here knows what
//! time it is.

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// Milliseconds since 1970 UTC.
pub type Millis = i64;

/// A day.
pub const DAY: Millis = 24 * 3600 * 1000;

/// `2026-01-31T12:00:00.000Z`. Times beyond year 9999 are shown as the epoch; none can be stored.
pub fn rfc3339(millis: Millis) -> String {
    let mut out = Vec::with_capacity(24);
    push_rfc3339(&mut out, millis);
    String::from_utf8(out).unwrap_or_default()
}

/// The same, appended to bytes: every answer carries one, so it is not left to a format description.
pub fn push_rfc3339(out: &mut Vec<u8>, millis: Millis) {
    let seconds = millis.div_euclid(1000);
    let time =
        OffsetDateTime::from_unix_timestamp(seconds).ok().filter(|time| (0..=9999).contains(&time.year()));
    let (time, fraction) = match time {
        Some(time) => (time, millis.rem_euclid(1000)),
        None => (OffsetDateTime::UNIX_EPOCH, 0),
    };
    let mut number = |mut value: u64, digits: usize, behind: u8| {
        let mut text = [b'0'; 4];
        for digit in text[..digits].iter_mut().rev() {
            *digit = b'0' + (value % 10) as u8;
            value /= 10;
        }
        out.extend_from_slice(&text[..digits]);
        out.push(behind);
    };
    number(time.year().unsigned_abs().into(), 4, b'-');
    number(u8::from(time.month()).into(), 2, b'-');
    number(time.day().into(), 2, b'T');
    number(time.hour().into(), 2, b':');
    number(time.minute().into(), 2, b':');
    number(time.second().into(), 2, b'.');
    number(fraction.unsigned_abs(), 3, b'Z');
}

/// Reads an RFC 3339 time. `None` for anything else, and for what is beyond the year 9999 in UTC, which could
/// not be written back.
pub fn parse(text: &str) -> Option<Millis> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)?;
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

/// The day of a time, `2026-01-31`, in UTC.
pub fn day(millis: Millis) -> String {
    rfc3339(millis)[..10].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_milliseconds_and_read_back() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_767_225_600_007), "2026-01-01T00:00:00.007Z");
        assert_eq!(parse("2026-01-01T01:00:00.007+01:00"), Some(1_767_225_600_007));
        assert_eq!(parse("2026-01-01"), None);
        assert_eq!(parse("9999-12-31T23:59:59Z").map(rfc3339).as_deref(), Some("9999-12-31T23:59:59.000Z"));
        assert_eq!(parse("9999-12-31T23:59:59-01:00"), None);
        assert_eq!(day(1_767_225_600_007), "2026-01-01");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(i64::MAX), "1970-01-01T00:00:00.000Z");
    }
}
