//! Versions as `semver_*` compares them: SemVer 2.0 precedence (semver.org §11), with one to six
//! numeric parts as browsers and operating systems use (feature-config §2).

use std::cmp::Ordering;

/// A version borrowed from its text. A missing part counts as 0; build metadata is ignored.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    parts: [u64; 6],
    pre_release: &'a str,
}

impl<'a> Version<'a> {
    /// `None` when the text is no version.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (text, build) = split(text, '+');
        let (numbers, pre_release) = split(text, '-');
        for identifiers in [build, pre_release].into_iter().flatten() {
            if !identifiers.split('.').all(is_identifier) {
                return None;
            }
        }
        let pre_release = pre_release.unwrap_or("");
        if pre_release
            .split('.')
            .any(|identifier| identifier.len() > 1 && identifier.starts_with('0') && is_numeric(identifier))
        {
            return None;
        }
        let mut parts = [0; 6];
        let mut count = 0;
        for part in numbers.split('.') {
            if !is_numeric(part) {
                return None;
            }
            *parts.get_mut(count)? = part.parse().ok()?;
            count += 1;
        }
        Some(Self { parts, pre_release })
    }
}

impl Version<'_> {
    pub fn compare(&self, other: &Version<'_>) -> Ordering {
        self.parts.cmp(&other.parts).then_with(|| match (self.pre_release, other.pre_release) {
            ("", "") => Ordering::Equal,
            ("", _) => Ordering::Greater,
            (_, "") => Ordering::Less,
            (a, b) => compare_identifiers(a, b),
        })
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
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.0.1",
            "1.2",
            "1.10",
            "143.1.87.77",
            "143.1.88",
        ];
        for (at, low) in ascending.iter().enumerate() {
            for (to, high) in ascending.iter().enumerate() {
                let (a, b) = (Version::parse(low).expect(low), Version::parse(high).expect(high));
                assert_eq!(a.compare(&b), at.cmp(&to), "{low} {high}");
            }
        }
        for (a, b) in [("1.2", "1.2.0"), ("1", "1.0.0.0.0.0"), ("1.0.0+a", "1.0.0+b")] {
            let (left, right) = (Version::parse(a).expect(a), Version::parse(b).expect(b));
            assert_eq!(left.compare(&right), Ordering::Equal);
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
            "1.0.0+",
            "1.2.3.4.5.6.7",
            "-1",
            "1.0.0-01",
            "99999999999999999999",
            "1.0 ",
            "1,0",
        ] {
            assert!(Version::parse(bad).is_none(), "{bad}");
        }
    }
}
