//! Times as this product writes them: RFC 3339, UTC, milliseconds. Formatting only; nobody here knows what
//! time it is.

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// Milliseconds since 1970 UTC.
pub type Millis = i64;

/// `2026-01-31T12:00:00.000Z`. Times beyond year 9999 are shown as the epoch; none can be stored.
pub fn rfc3339(millis: Millis) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000)
        .ok()
        .and_then(|time| time.format(format).ok())
        .unwrap_or_else(|| "1970-01-01T00:00:00.000Z".into())
}

/// The same, appended to bytes.
pub fn push_rfc3339(out: &mut Vec<u8>, millis: Millis) {
    out.extend_from_slice(rfc3339(millis).as_bytes());
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
    }
}
