//! The result: what, featured, bare, ratio (with quartiles), bar, pass or fail.

/// One line.
pub struct Row {
    pub what: String,
    pub featured: String,
    pub bare: String,
    pub ratio: String,
    /// The same per second of CPU time.
    pub cpu: String,
    pub bar: String,
    /// `None`: nothing is asked of it.
    pub passed: Option<bool>,
}

impl Row {
    /// A rate against another that must be at least so many times as high.
    pub fn ratio(what: &str, featured: &[f64], bare: &[f64], bar: Option<f64>) -> Self {
        let ratio = median(&divided(featured, bare));
        Self {
            what: what.into(),
            featured: format!("{:.0}/s", median(featured)),
            bare: format!("{:.0}/s", median(bare)),
            ratio: ratios(featured, bare),
            cpu: String::new(),
            bar: bar.map_or(String::new(), |bar| format!("≥ {bar:.2}")),
            passed: bar.map(|bar| ratio >= bar),
        }
    }

    /// A cost that must not be above so much.
    pub fn at_most(what: &str, values: &[f64], unit: &str, bar: Option<f64>) -> Self {
        let value = median(values);
        Self {
            what: what.into(),
            featured: if value < 1.0 { format!("{value:.3} {unit}") } else { format!("{value:.1} {unit}") },
            bare: String::new(),
            ratio: String::new(),
            cpu: String::new(),
            bar: bar.map_or(String::new(), |bar| format!("≤ {bar} {unit}")),
            passed: bar.map(|bar| value <= bar),
        }
    }
}

fn divided(featured: &[f64], bare: &[f64]) -> Vec<f64> {
    featured.iter().zip(bare).map(|(featured, bare)| featured / bare).collect()
}

/// The median of the ratios, and their quartiles.
pub fn ratios(featured: &[f64], bare: &[f64]) -> String {
    let (low, middle, high) = quartiles(&divided(featured, bare));
    format!("{middle:.2} ({low:.2}–{high:.2})")
}

pub fn median(values: &[f64]) -> f64 {
    quartiles(values).1
}

fn quartiles(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |share: usize| sorted.get((sorted.len().max(1) - 1) * share / 4).copied().unwrap_or(f64::NAN);
    (at(1), at(2), at(3))
}

/// The lines, printed as they come.
pub struct Table {
    only: String,
    passed: bool,
}

impl Table {
    /// An empty one, of the rows with that text in their name.
    pub fn new(only: &str) -> Self {
        println!(
            "{:<52} {:>10} {:>10} {:>17} {:>17} {:>9}  verdict",
            "what", "featured", "bare", "ratio", "by CPU time", "bar"
        );
        Self { only: only.to_owned(), passed: true }
    }

    /// Whether rows with that text in their name are asked for.
    pub fn wants(&self, text: &str) -> bool {
        text.contains(&self.only) || self.only.contains(text)
    }

    /// Prints one.
    pub fn push(&mut self, row: Row) {
        let Row { what, featured, bare, ratio, cpu, bar, passed } = row;
        let verdict = match passed {
            Some(true) => "pass",
            Some(false) => "FAIL",
            None => "",
        };
        println!("{what:<52} {featured:>10} {bare:>10} {ratio:>17} {cpu:>17} {bar:>9}  {verdict}");
        self.passed &= passed != Some(false);
    }

    /// Whether all that was asked for is met.
    pub fn passed(&self) -> bool {
        self.passed
    }
}
