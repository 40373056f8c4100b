//! Regular expressions that mean the same to this server and to FeatureHub's clients (featurehub.md §12). Each
//! client brings the engine of its language, so only what all of them share is let through.

use std::iter::Peekable;
use std::str::Chars;

/// Repetitions above this are refused by one of the engines.
const MAX_REPEAT: u32 = 1000;

/// The pattern as clients are sent it: found anywhere in the text, for those that search and for those that match
/// the whole. The error says which part of it is not shared.
pub fn shared(pattern: &str) -> Result<String, String> {
    let mut reader = Reader { chars: pattern.chars().peekable(), out: String::from(r"[\s\S]*(?:") };
    let mut repeatable = false;
    while let Some(next) = reader.chars.next() {
        repeatable = reader.part(next, repeatable)?;
    }
    reader.out.push_str(r")[\s\S]*");
    Ok(reader.out)
}

struct Reader<'p> {
    chars: Peekable<Chars<'p>>,
    out: String,
}

impl Reader<'_> {
    /// Takes one part over; whether it may be repeated.
    fn part(&mut self, first: char, repeatable: bool) -> Result<bool, String> {
        match first {
            '\\' => self.escape()?,
            '[' => self.class()?,
            // What a dot leaves out differs; what it leaves out here is the line feed.
            '.' => self.out.push_str(r"[^\n]"),
            '(' => {
                self.out.push('(');
                if self.chars.next_if_eq(&'?').is_some() {
                    self.chars.next_if_eq(&':').ok_or("flags and named groups are not shared")?;
                    self.out.push_str("?:");
                }
                return Ok(false);
            }
            '*' | '+' | '?' | '{' if !repeatable => return Err("this repetition is not shared".into()),
            '*' | '+' | '?' => {
                self.out.push(first);
                self.lazy();
                return Ok(false);
            }
            '{' => {
                self.counted()?;
                self.lazy();
                return Ok(false);
            }
            '}' | ']' => return Err(format!("{first} must be written \\{first}")),
            '|' | '^' | '$' => {
                self.out.push(first);
                return Ok(false);
            }
            literal => self.literal(literal)?,
        }
        Ok(true)
    }

    fn literal(&mut self, letter: char) -> Result<(), String> {
        if letter > '\u{ffff}' {
            return Err(format!("{letter} is more than one letter to some of them"));
        }
        self.out.push(letter);
        Ok(())
    }

    fn lazy(&mut self) {
        if self.chars.next_if_eq(&'?').is_some() {
            self.out.push('?');
        }
    }

    fn escape(&mut self) -> Result<(), String> {
        let Some(letter) = self.chars.next() else { return Err("it ends with a \\".into()) };
        match letter {
            't' | 'n' | 'r' | 'f' => {}
            'x' => {
                let digits: String = [self.chars.next(), self.chars.next()].into_iter().flatten().collect();
                if digits.len() != 2 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return Err(r"of \x only two digits are shared, such as \x20".into());
                }
                self.out.push_str(r"\x");
                self.out.push_str(&digits);
                return Ok(());
            }
            'd' => return Err(r"\d is more than 0 to 9 here and not there; write [0-9]".into()),
            'w' => return Err(r"\w is not the same here and there; write [A-Za-z0-9_]".into()),
            's' => return Err(r"\s is not the same here and there; write [ \t]".into()),
            punctuation if punctuation.is_ascii_punctuation() && !matches!(punctuation, '<' | '>') => {}
            other => return Err(format!("\\{other} is not shared")),
        }
        self.out.push('\\');
        self.out.push(letter);
        Ok(())
    }

    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.chars.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut before = '[';
        loop {
            let Some(letter) = self.chars.next() else { return Err("a [ has no end".into()) };
            match letter {
                ']' if before == '[' => return Err("] as the first of a set must be written \\]".into()),
                ']' => break,
                '[' => return Err("[ within a set must be written \\[".into()),
                '&' | '~' | '-' if before == letter => {
                    return Err(format!("{letter}{letter} within a set is not shared"));
                }
                '\\' => self.escape()?,
                letter => self.literal(letter)?,
            }
            before = letter;
        }
        self.out.push(']');
        Ok(())
    }

    /// `{2}`, `{2,}` or `{2,3}`, of which the brace was read.
    fn counted(&mut self) -> Result<(), String> {
        let mut inside = String::new();
        loop {
            match self.chars.next() {
                Some('}') => break,
                Some(letter) if inside.len() < 16 => inside.push(letter),
                _ => return Err("{ must be written \\{".into()),
            }
        }
        let (low, high) = inside.split_once(',').unwrap_or((&inside, ""));
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number <= MAX_REPEAT);
        let fine = number(low).is_some()
            && !low.starts_with('+')
            && !high.starts_with('+')
            && (high.is_empty() || number(high).is_some());
        if !fine {
            return Err(format!("{{{inside}}} is not shared"));
        }
        self.out.push_str(&format!("{{{inside}}}"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::shared;

    #[test]
    fn what_all_engines_share_is_taken_over() {
        for (pattern, inside) in [
            ("gold", "gold"),
            ("^a+@[a-z]+$", "^a+@[a-z]+$"),
            ("a.b", r"a[^\n]b"),
            (r"\.com$", r"\.com$"),
            ("(?:a|b)*?c{2,3}", "(?:a|b)*?c{2,3}"),
            (r"[^\]\-a-z]", r"[^\]\-a-z]"),
            ("(x){4}", "(x){4}"),
            ("ü[äö]", "ü[äö]"),
            (r"\x20\t", r"\x20\t"),
            ("", ""),
            ("a|", "a|"),
        ] {
            assert_eq!(shared(pattern), Ok(format!(r"[\s\S]*(?:{inside})[\s\S]*")), "{pattern}");
            assert!(regex::Regex::new(&shared(pattern).expect("shared")).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn what_they_read_differently_is_not() {
        for pattern in [
            r"\d",
            r"\w+",
            r"\s",
            r"\bx",
            r"\Ax",
            r"x\z",
            r"\p{L}",
            "(?i)x",
            "(?P<n>x)",
            "(?<n>x)",
            "a**",
            "a++",
            "^*",
            "x{,3}",
            "x{2000}",
            "[[:alpha:]]",
            "[a&&b]",
            "[]a]",
            "[a--b]",
            "}",
            "]",
            "😀",
            "[😀]",
            r"\x{20}",
            r"\u0041",
            r"\v",
            r"\<x",
            "x{+2}",
        ] {
            assert!(shared(pattern).is_err(), "{pattern}: {:?}", shared(pattern));
        }
    }
}
