//! Versions as `semver_*` compares them: SemVer 2.0 precedence (semver.org §11), with one to six
//! numeric parts as browsers and operating systems use (feature-config §2).

use std::cmp::Ordering;

/// A version borrowed from its text. A missing part counts as 0; build metadata is ignored.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    parts: [u64; 6],
    pre_release: &'a str,
}

/// A version that owns its text, as rules keep it.
#[derive(Clone, Debug)]
pub struct OwnedVersion {
    parts: [u64; 6],
    pre_release: Box<str>,
}

impl OwnedVersion {
    /// `None` when the text is no version, see [`Version::parse`].
    pub fn parse(text: &str) -> Option<Self> {
        let Version { parts, pre_release } = Version::parse(text)?;
        Some(Self { parts, pre_release: pre_release.into() })
    }

    /// The same, to be compared.
    pub fn borrowed(&self) -> Version<'_> {
        Version { parts: self.parts, pre_release: &self.pre_release }
    }
}

impl<'a> Version<'a> {
    /// `None` when the text is no version. Numeric parts may have leading zeros, as in `22.04`.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (parts, rest) = numeric_parts(text)?;
        if rest.is_empty() {
            return Some(Self { parts, pre_release: "" });
        }
        let (rest, build) = split(rest, '+');
        let pre_release = match rest.strip_prefix('-') {
            None if !rest.is_empty() => return None,
            pre_release => pre_release,
        };
        if build.is_some_and(|build| !build.split('.').all(is_identifier))
            || pre_release.is_some_and(|pre_release| !pre_release.split('.').all(is_pre_release))
        {
            return None;
        }
        Some(Self { parts, pre_release: pre_release.unwrap_or_default() })
    }

    /// By numeric parts, then a pre-release before its release, then by pre-release identifiers.
    pub fn compare(&self, other: &Version<'_>) -> Ordering {
        self.parts.cmp(&other.parts).then_with(|| match (self.pre_release, other.pre_release) {
            ("", "") => Ordering::Equal,
            ("", _) => Ordering::Greater,
            (_, "") => Ordering::Less,
            (a, b) => compare_identifiers(a, b),
        })
    }
}

/// The leading `1.2.3`, and what follows it.
fn numeric_parts(text: &str) -> Option<([u64; 6], &str)> {
    let bytes = text.as_bytes();
    let mut parts = [0_u64; 6];
    let (mut count, mut at) = (0, 0);
    loop {
        let start = at;
        let mut part = 0_u64;
        while let Some(digit @ b'0'..=b'9') = bytes.get(at) {
            part = part.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            at += 1;
        }
        if at == start {
            return None;
        }
        *parts.get_mut(count)? = part;
        count += 1;
        match bytes.get(at) {
            Some(b'.') => at += 1,
            _ => return Some((parts, &text[at..])),
        }
    }
}

fn compare_identifiers(a: &str, b: &str) -> Ordering {
    let mut left = a.split('.');
    let mut right = b.split('.');
    loop {
        let ordering = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (is_numeric(a), is_numeric(b)) {
                // Without leading zeros the longer number is the larger one, whatever its size.
                (true, true) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) => a.cmp(b),
            },
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn is_numeric(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// An identifier that, where it is a number, has no leading zeros (semver.org §9).
fn is_pre_release(text: &str) -> bool {
    is_identifier(text) && !(text.len() > 1 && text.starts_with('0') && is_numeric(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedence_follows_semver_and_dotted_versions() {
        let ascending = [
            "0.9",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-beta.99999999999999999999",
            "1.0.0-beta.100000000000000000000",
            "1.0.0-rc.1",
            "1.0.0-rc-1",
            "1.0.0",
            "1.0.0.1",
            "1.2",
            "1.10",
            "22.04",
            "22.10",
            "143.1.87.77",
            "143.1.88",
        ];
        for (at, low) in ascending.iter().enumerate() {
            for (to, high) in ascending.iter().enumerate() {
                let (a, b) = (Version::parse(low).expect(low), OwnedVersion::parse(high).expect(high));
                assert_eq!(a.compare(&b.borrowed()), at.cmp(&to), "{low} {high}");
            }
        }
        for (a, b) in [
            ("1.2", "1.2.0"),
            ("1", "1.0.0.0.0.0"),
            ("1.0.0+a", "1.0.0+b-c.01"),
            ("1.2-a", "1.2.0-a+b"),
            ("22.4", "22.04"),
        ] {
            let (left, right) = (Version::parse(a).expect(a), Version::parse(b).expect(b));
            assert_eq!(left.compare(&right), Ordering::Equal, "{a} {b}");
        }
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for bad in [
            "",
            "v1.0",
            "1.",
            ".1",
            "1..2",
            "1.x",
            "1.0.0-",
            "1.0.0-a..b",
            "1.0.0-ä",
            "1.0.0+",
            "1.0.0+a+b",
            "1.2.3.4.5.6.7",
            "-1",
            "+1",
            "1.0.0-01",
            "1.0.0a",
            "1.0.0.-a",
            "99999999999999999999",
            "1.0 ",
            " 1.0",
            "1,0",
            "١.٢",
        ] {
            assert!(Version::parse(bad).is_none(), "{bad}");
        }
    }
}
