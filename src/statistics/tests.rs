//! Held against SciPy 1.17.1 and statsmodels 0.15.0 (`chi2.sf`, `norm.sf`, `norm.isf`, `proportions_ztest`,
//! `confint_proportions_2indep(method="newcomb")`, `proportion_confint(method="wilson")`, `chisquare`), and against
//! published examples.

use super::*;

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64) {
    let scale = expected.abs().max(1e-300);
    assert!((found - expected).abs() <= tolerance * scale, "{found} is not {expected}");
}

#[test]
fn tails_of_chi_square_are_scipys() {
    for (statistic, degrees, expected) in [
        (0.1, 1, 0.7518296340458492),
        (3.841458820694124, 1, 0.04999999999999989),
        (10.828, 1, 0.0009997657195830916),
        (5.991, 2, 0.05001161502657909),
        (0.5, 2, 0.7788007830714049),
        (7.815, 3, 0.049993902974883875),
        (25.0, 4, 5.0309817823062075e-05),
        (1.0, 10, 0.9998278843700441),
        (40.0, 10, 1.694474393006737e-05),
        (200.0, 3, 4.218541107192018e-43),
    ] {
        close(chi_square_tail(statistic, degrees), expected, 1e-10);
    }
    assert_eq!((chi_square_tail(0.0, 3), chi_square_tail(-1.0, 3), chi_square_tail(5.0, 0)), (1.0, 1.0, 1.0));
}

#[test]
fn tails_and_critical_values_of_the_normal_distribution_are_scipys() {
    for (z, expected) in [
        (0.0, 1.0),
        (0.1, 0.920344325445942),
        (0.5, 0.6170750774519738),
        (-1.0, 0.31731050786291415),
        (1.6448536269514722, 0.10000000000000009),
        (1.959963984540054, 0.05),
        (2.5758293035489004, 0.010000000000000007),
        (3.0, 0.0026997960632601866),
        (4.5, 6.795346249460107e-06),
        (6.0, 1.973175290075389e-09),
        (8.0, 1.244192114854348e-15),
    ] {
        close(two_sided_normal_tail(z), expected, 1e-10);
    }
    for (probability, expected) in [
        (0.5, 0.6744897501960817),
        (0.2, 1.2815515655446004),
        (0.1, 1.6448536269514729),
        (0.05, 1.9599639845400545),
        (0.025, 2.241402727604945),
        (0.05 / 3.0, 2.3939797998185095),
        (0.01, 2.575829303548901),
        (0.001, 3.2905267314918945),
    ] {
        close(normal_critical(probability), expected, 1e-10);
    }
}

#[test]
fn two_proportions_are_statsmodels() {
    for (x1, n1, x2, n2, alpha, p, low, high, wilson_low, wilson_high) in [
        // Newcombe 1998, table II, example a: 56/70 less 48/80 is 0.20, from 0.0524 to 0.3339.
        (
            48,
            80,
            56,
            70,
            0.05,
            0.00804508136819656,
            0.05243147240236498,
            0.33387265403690614,
            0.6918335550374695,
            0.8769526075163705,
        ),
        (
            3,
            80,
            9,
            10,
            0.05,
            3.8898387851613935e-14,
            0.5510476505978326,
            0.9482478854898035,
            0.5958499732047614,
            0.982123786904927,
        ),
        // The same, example e: 5/56 less 0/29 is 0.0893, from -0.0381 to 0.1926.
        (
            5,
            56,
            0,
            29,
            0.05,
            0.09718656817057973,
            -0.19256001385511165,
            0.038137147903536936,
            0.0,
            0.1169697984997408,
        ),
        (
            200,
            1000,
            240,
            1000,
            0.05,
            0.030837167828904312,
            0.0036797144977712554,
            0.07620266150846111,
            0.21455652518754262,
            0.2674333892249461,
        ),
        (
            1000,
            20000,
            1100,
            20000,
            0.05,
            0.024973006760644276,
            0.0006280009631389983,
            0.009376103264564362,
            0.05192501671606634,
            0.05824589537386677,
        ),
        (
            50,
            100,
            50,
            100,
            0.05,
            1.0,
            -0.13600275402907416,
            0.13600275402907416,
            0.4038315303659956,
            0.5961684696340044,
        ),
        (
            10,
            1000,
            31,
            1100,
            0.025,
            0.002633007406430216,
            0.004656023763822915,
            0.03258537663857215,
            0.018963950954028013,
            0.04168983854781587,
        ),
        (
            0,
            50,
            3,
            50,
            0.05,
            0.07864017934882842,
            -0.021496383126533014,
            0.16217091688838173,
            0.020614970348973943,
            0.16217091688838173,
        ),
        (
            1234,
            56789,
            1402,
            56801,
            0.01,
            0.0009486503511394669,
            0.000651515781792799,
            0.005259065540750459,
            0.023060454808948524,
            0.02641590346079507,
        ),
    ] {
        let control = Proportion { successes: x1, tries: n1 };
        let other = Proportion { successes: x2, tries: n2 };
        let found = compare(control, other, alpha);
        close(found.p_value.expect("a test"), p, 1e-9);
        close(found.interval.0, low, 1e-9);
        close(found.interval.1, high, 1e-9);
        let (low, high) = other.interval(normal_critical(alpha));
        assert!((low - wilson_low).abs() < 1e-12, "{low}");
        close(high, wilson_high, 1e-9);
    }
}

#[test]
fn nothing_is_tested_where_there_is_nothing_to_test() {
    let of = |successes, tries| Proportion { successes, tries };
    for (control, other) in
        [(of(0, 0), of(0, 0)), (of(0, 10), of(0, 0)), (of(0, 10), of(0, 10)), (of(7, 7), of(5, 5))]
    {
        let found = compare(control, other, 0.05);
        assert_eq!((found.p_value, found.enough), (None, false));
        assert!(found.interval.0 >= -1.0 && found.interval.1 <= 1.0);
    }
    assert!(!compare(of(1, 20), of(3, 20), 0.05).enough);
    assert!(compare(of(10, 200), of(12, 200), 0.05).enough);
}

#[test]
fn sample_ratios_are_scipys() {
    let rows: [(&[u64], &[f64], f64); 6] = [
        (&[5000, 5000], &[50.0, 50.0], 1.0),
        (&[5100, 4900], &[50.0, 50.0], 0.04550026389635857),
        // Fabijan et al. 2019: 821 588 against 815 482 is a mismatch, p = 1.8e-6.
        (&[821_588, 815_482], &[50.0, 50.0], 1.8217928726191858e-06),
        (&[3300, 3300, 3400], &[33.33, 33.33, 33.34], 0.37531034094964805),
        (&[900, 120], &[90.0, 10.0], 0.06028917399060221),
        (&[10, 20, 70], &[10.0, 20.0, 70.0], 1.0),
    ];
    for (observed, expected, p) in rows {
        close(sample_ratio(observed, expected).expect("a test"), p, 1e-9);
    }
    assert_eq!(sample_ratio(&[], &[]), None);
    assert_eq!(sample_ratio(&[0, 0], &[1.0, 1.0]), None);
    assert_eq!(sample_ratio(&[5], &[1.0]), None);
    assert_eq!(sample_ratio(&[5, 1], &[1.0, 0.0]), Some(0.0));
}
