//! JSON numbers as attributes and operands: compared exactly, printed shortest.

use std::borrow::Cow;
use std::cmp::Ordering;

/// A finite JSON number. Whole numbers that fit 64 bits stay exact.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    Int(i64),
    Uint(u64),
    Float(f64),
}

impl Number {
    /// Reads text that is exactly a JSON number (RFC 8259 §6). `None` for anything else, also for
    /// `+1`, `.5`, `01`, surrounding space, and numbers beyond a 64-bit float.
    pub fn parse(text: &str) -> Option<Self> {
        if !is_json_number(text.as_bytes()) {
            return None;
        }
        if let Ok(int) = text.parse::<i64>() {
            return Some(Self::Int(int));
        }
        if let Ok(uint) = text.parse::<u64>() {
            return Some(Self::Uint(uint));
        }
        text.parse::<f64>().ok().filter(|f| f.is_finite()).map(Self::Float)
    }

    /// As a 64-bit float, rounded where it has more digits.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(i) => i as f64,
            Self::Uint(u) => u as f64,
            Self::Float(f) => f,
        }
    }

    fn as_integer(self) -> Option<i128> {
        match self {
            Self::Int(i) => Some(i.into()),
            Self::Uint(u) => Some(u.into()),
            // Every whole number that a 64-bit integer could equal; what is beyond compares as a float.
            Self::Float(f) if f.fract() == 0.0 && f.abs() < 1e38 => Some(f as i128),
            Self::Float(_) => None,
        }
    }

    /// The shortest JSON text: `17`, not `17.0`. What a number counts as when it is a bucketing key
    /// (feature-config §2). Fractions and large numbers are written as `JSON.stringify` does, so that one
    /// number is one key however it was sent, and the same one as in a browser.
    pub fn text(self) -> Cow<'static, str> {
        match self {
            Self::Int(i) => i.to_string().into(),
            Self::Uint(u) => u.to_string().into(),
            Self::Float(0.0) => "0".into(),
            Self::Float(f) if (1e-6..1e21).contains(&f.abs()) => f.to_string().into(),
            Self::Float(f) if f.abs() < 1.0 => format!("{f:e}").into(),
            Self::Float(f) => format!("{f:e}").replace('e', "e+").into(),
        }
    }
}

/// Total, because a JSON number is never NaN.
impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            _ => match (self.as_integer(), other.as_integer()) {
                (Some(a), Some(b)) => a.cmp(&b),
                _ => self.as_f64().partial_cmp(&other.as_f64()).unwrap_or(Ordering::Equal),
            },
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

fn is_json_number(text: &[u8]) -> bool {
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let digits = |rest: &mut &[u8]| {
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        *rest = &rest[count..];
        count
    };
    let leading_zero = rest.first() == Some(&b'0');
    match digits(&mut rest) {
        0 => return false,
        1 => {}
        _ if leading_zero => return false,
        _ => {}
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        rest = fraction;
        if digits(&mut rest) == 0 {
            return false;
        }
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        rest = match exponent {
            [b'+' | b'-', digits @ ..] => digits,
            _ => exponent,
        };
        if digits(&mut rest) == 0 {
            return false;
        }
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_numbers_are_numbers() {
        for good in ["0", "-0", "12", "-12.5", "1e3", "1E+3", "0.0e-7", "18446744073709551615"] {
            assert!(Number::parse(good).is_some(), "{good}");
        }
        for bad in
            ["", "-", "+1", ".5", "1.", "01", "1e", "1e+", " 1", "1 ", "NaN", "Infinity", "0x1", "1e999", "١"]
        {
            assert!(Number::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn comparison_is_exact_where_floats_are_not() {
        let n = |text| Number::parse(text).expect("a number");
        assert!(n("9007199254740993") > n("9007199254740992"));
        assert!(n("9007199254740993") > n("9007199254740992.0"));
        assert_eq!(n("30"), n("30.0"));
        assert_eq!(n("0"), n("-0.0"));
        assert!(n("18446744073709551615") > n("18446744073709551614"));
        assert!(n("1e300") > n("18446744073709551615"));
        assert!(n("0.1") < n("1"));
    }

    #[test]
    fn the_order_is_total_where_integers_and_floats_meet() {
        // Ascending; a float between two integers that round to it must equal neither by accident,
        // or sorting operands could panic.
        let ascending = [
            "-1e300",
            "-9223372036854775808",
            "-9223372036854775807",
            "-0.5",
            "0",
            "1e-7",
            "4503599627370495.5",
            "9007199254740992",
            "9007199254740993",
            "999999999999999999",
            "1e18",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "1e38",
            "1e39",
            "1e300",
        ];
        let numbers = ascending.map(|text| Number::parse(text).expect(text));
        for (at, low) in numbers.iter().enumerate() {
            for (to, high) in numbers.iter().enumerate() {
                assert_eq!(low.cmp(high), at.cmp(&to), "{low:?} {high:?}");
            }
        }
        for (whole, float) in [
            ("9223372036854775808", "9223372036854775808.0"),
            ("1000000000000000000", "1e18"),
            ("-9223372036854775808", "-9.223372036854775808e18"),
        ] {
            assert_eq!(Number::parse(whole), Number::parse(float), "{whole} {float}");
        }
        assert_ne!(Number::parse("9223372036854775807"), Number::parse("9223372036854775808.0"));
    }

    #[test]
    fn a_key_is_the_shortest_text_however_the_number_was_sent() {
        for (sent, key) in [
            ("17", "17"),
            ("17.0", "17"),
            ("1e2", "100"),
            ("1.50", "1.5"),
            ("0.1", "0.1"),
            ("-0.25", "-0.25"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("0e5", "0"),
            ("9007199254740993", "9007199254740993"),
            ("18446744073709551615", "18446744073709551615"),
            ("10000000000000000", "10000000000000000"),
            ("1e16", "10000000000000000"),
            ("1e20", "100000000000000000000"),
            ("123456789012345680000", "123456789012345680000"),
            // From here on as JSON.stringify writes them.
            ("1e21", "1e+21"),
            ("1.5e300", "1.5e+300"),
            ("-1e21", "-1e+21"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1e-7"),
            ("1.25E-7", "1.25e-7"),
        ] {
            assert_eq!(Number::parse(sent).expect(sent).text(), key, "{sent}");
        }
    }
}
