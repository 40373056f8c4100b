//! The statistics of A/B tests, pure: distributions, two proportions, a sample's ratio. What users of this read
//! stands in `/help/analytics`; the numbers are held against SciPy and statsmodels in the tests.

/// The natural logarithm of the gamma function for positive arguments (Lanczos, g = 7, n = 9).
fn ln_gamma(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let mut sum = 0.999_999_999_999_809_9;
    let mut at = x;
    for coefficient in COEFFICIENTS {
        at += 1.0;
        sum += coefficient / at;
    }
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// The regularised upper incomplete gamma function Q(a, x): by the series of its complement below a + 1, by Lentz'
/// continued fraction above.
fn gamma_q(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let scale = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        for _ in 0..10_000 {
            n += 1.0;
            term *= x / n;
            sum += term;
            if term < sum * 1e-17 {
                break;
            }
        }
        return (1.0 - scale * sum).clamp(0.0, 1.0);
    }
    let tiny = 1e-300;
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / tiny;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for i in 1..10_000 {
        let i = f64::from(i);
        let an = -i * (i - a);
        b += 2.0;
        d = 1.0 / nonzero(an * d + b, tiny);
        c = nonzero(b + an / c, tiny);
        let factor = d * c;
        fraction *= factor;
        if (factor - 1.0).abs() < 1e-16 {
            break;
        }
    }
    (scale * fraction).clamp(0.0, 1.0)
}

fn nonzero(x: f64, tiny: f64) -> f64 {
    if x.abs() < tiny { tiny } else { x }
}

/// The probability that a χ² variable with so many degrees of freedom is larger.
pub fn chi_square_tail(statistic: f64, degrees: u32) -> f64 {
    if degrees == 0 { 1.0 } else { gamma_q(f64::from(degrees) / 2.0, statistic / 2.0) }
}

/// The probability that a standard normal variable is further from zero than this, on either side.
pub fn two_sided_normal_tail(z: f64) -> f64 {
    gamma_q(0.5, z * z / 2.0)
}

/// How far from zero a standard normal variable is with this probability on either side: 1.96 for 0.05.
pub fn normal_critical(probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if two_sided_normal_tail(middle) > probability { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// Successes among tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proportion {
    pub successes: u64,
    pub tries: u64,
}

impl Proportion {
    /// The share of successes; 0 without tries.
    pub fn rate(self) -> f64 {
        if self.tries == 0 { 0.0 } else { self.successes as f64 / self.tries as f64 }
    }

    /// Wilson's score interval of the true share, for this critical value.
    pub fn interval(self, z: f64) -> (f64, f64) {
        if self.tries == 0 {
            return (0.0, 1.0);
        }
        let (n, p) = (self.tries as f64, self.rate());
        let centre = p + z * z / (2.0 * n);
        let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z * z / n;
        (((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0))
    }
}

/// How two shares compare.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// The other's share less that of the control.
    pub difference: f64,
    /// Where the true difference lies (Newcombe 1998, method 10).
    pub interval: (f64, f64),
    /// Of the two-sided z test with pooled variance; `None` where there is nothing to test.
    pub p_value: Option<f64>,
    /// Whether there are enough of each for the test to hold: at least five expected successes and failures on
    /// both sides.
    pub enough: bool,
}

/// Compares a variant with the control. `alpha`: the probability of a false alarm that is accepted, 0.05 divided by
/// the number of comparisons.
pub fn compare(control: Proportion, other: Proportion, alpha: f64) -> Comparison {
    let z = normal_critical(alpha);
    let (p1, p2) = (control.rate(), other.rate());
    let ((l1, u1), (l2, u2)) = (control.interval(z), other.interval(z));
    let difference = p2 - p1;
    let low = difference - ((p2 - l2).powi(2) + (u1 - p1).powi(2)).sqrt();
    let high = difference + ((u2 - p2).powi(2) + (p1 - l1).powi(2)).sqrt();
    let tries = control.tries + other.tries;
    let pooled = Proportion { successes: control.successes + other.successes, tries }.rate();
    let (n1, n2) = (control.tries as f64, other.tries as f64);
    let variance = pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2);
    let p_value =
        (n1 > 0.0 && n2 > 0.0 && variance > 0.0).then(|| two_sided_normal_tail(difference / variance.sqrt()));
    let smallest = n1.min(n2) * pooled.min(1.0 - pooled);
    Comparison {
        difference,
        interval: (low.max(-1.0), high.min(1.0)),
        p_value,
        enough: p_value.is_some() && smallest >= 5.0,
    }
}

/// The probability of a split at least as far from the expected one, if people were split as they should be (Pearson's
/// χ² test). `None` where there is nothing to test.
pub fn sample_ratio(observed: &[u64], expected: &[f64]) -> Option<f64> {
    let total: u64 = observed.iter().sum();
    let weights: f64 = expected.iter().sum();
    if observed.len() != expected.len() || total == 0 || weights <= 0.0 {
        return None;
    }
    let mut statistic = 0.0;
    let mut cells = 0_u32;
    for (observed, weight) in observed.iter().zip(expected) {
        let expected = total as f64 * weight / weights;
        if expected > 0.0 {
            statistic += (*observed as f64 - expected).powi(2) / expected;
            cells += 1;
        } else if *observed > 0 {
            // Somebody got what nobody should.
            return Some(0.0);
        }
    }
    (cells > 1).then(|| chi_square_tail(statistic, cells - 1))
}

#[cfg(test)]
mod tests;
