//! Numbers as people read them.

use bytesize::ByteSize;
use heaptide_analyze::process::CPU_SECONDS;
use heaptide_analyze::verdict::unit_of;

/// A size as all outputs write it: `0 B`, `184 B`, `63.2 MiB`.
pub fn bytes(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

/// As [`bytes`], for rates, which may be fractions: `0.25 B`.
pub(crate) fn rate_bytes(rate: f64) -> String {
    match rate {
        rate if rate >= 10.0 => bytes(rate.round() as u64),
        rate => format!("{} B", significant(rate)),
    }
}

/// `+184 B`, `-1.5 KiB`, `0 B`.
pub fn signed_bytes(change: i128) -> String {
    format!("{}{}", sign(change), bytes(magnitude(change)))
}

/// `+1,480`, `-3`, `0`.
pub(crate) fn signed_count(change: i128) -> String {
    format!("{}{}", sign(change), count(magnitude(change)))
}

fn sign(change: i128) -> &'static str {
    match change {
        ..=-1 => "-",
        0 => "",
        1.. => "+",
    }
}

fn magnitude(change: i128) -> u64 {
    u64::try_from(change.unsigned_abs()).unwrap_or(u64::MAX)
}

/// `1,480`
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Three significant digits without trailing zeros: `1`, `0.25`, `12.3`, `0.00071`, `9.7e3`.
pub(crate) fn significant(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return x.to_string();
    }
    let magnitude = x.abs().log10().floor() as i32;
    if !(-4..=3).contains(&magnitude) {
        return format!("{x:.1e}");
    }
    let decimals = usize::try_from(2 - magnitude).unwrap_or(0);
    let fixed = format!("{x:.decimals$}");
    match fixed.contains('.') {
        true => fixed.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => fixed,
    }
}

const NS_PER_SECOND: u64 = 1_000_000_000;

/// `0.4 s`, `12 s`, `4m 10s`, `3h 5m`, `2d 4h`.
pub fn duration(ns: u64) -> String {
    let seconds = ns / NS_PER_SECOND;
    let two = |high: u64, high_unit, low: u64, low_unit| match low {
        0 => format!("{high}{high_unit}"),
        _ => format!("{high}{high_unit} {low}{low_unit}"),
    };
    match seconds {
        0..10 => format!("{} s", significant((ns as f64 / 1e9 * 10.0).round() / 10.0)),
        10..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "m", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "m"),
        86_400.. => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// `about 9 h`, `about 35 min`, `about 3 days`: what a forecast is good for.
pub(crate) fn about(seconds: f64) -> String {
    match seconds {
        ..90.0 => format!("about {:.0} s", seconds.max(1.0)),
        ..5_400.0 => format!("about {:.0} min", seconds / 60.0),
        ..172_800.0 => format!("about {:.0} h", seconds / 3_600.0),
        ..31_536_000.0 => format!("about {:.0} days", seconds / 86_400.0),
        _ => "more than a year".to_owned(),
    }
}

/// One unit of a work counter: `requests` gives `request`, `seconds` gives `s`.
pub(crate) fn unit(work: &str) -> String {
    match work {
        "seconds" => "s".to_owned(),
        CPU_SECONDS => "CPU second".to_owned(),
        work => unit_of(work),
    }
}

/// `1 object`, `2 objects`.
pub(crate) fn objects(n: u64) -> String {
    plural(n, "object", "objects")
}

/// `1 site`, `1,480 sites`.
pub(crate) fn plural(n: u64, one: &str, several: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { several })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        for (n, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(n), text);
        }
        assert_eq!(signed_count(-1_480), "-1,480");
        assert_eq!(signed_bytes(184), "+184 B");
        assert_eq!(signed_bytes(0), "0 B");
    }

    #[test]
    fn three_digits_tell_enough() {
        for (x, text) in [
            (1.0, "1"),
            (0.25, "0.25"),
            (12.345, "12.3"),
            (0.000_71, "0.00071"),
            (9_700.0, "9700"),
            (97_000.0, "9.7e4"),
            (0.0, "0"),
        ] {
            assert_eq!(significant(x), text);
        }
        assert_eq!(rate_bytes(0.25), "0.25 B");
        assert_eq!(rate_bytes(184.4), "184 B");
        assert_eq!(rate_bytes(2_048.0), "2.0 KiB");
    }

    #[test]
    fn durations_have_two_units_at_most() {
        for (ns, text) in [
            (430_000_000, "0.4 s"),
            (59 * NS_PER_SECOND, "59 s"),
            (250 * NS_PER_SECOND, "4m 10s"),
            (7_200 * NS_PER_SECOND, "2h"),
            (100_000 * NS_PER_SECOND, "1d 3h"),
        ] {
            assert_eq!(duration(ns), text);
        }
    }

    #[test]
    fn a_forecast_has_one_unit() {
        for (seconds, text) in [
            (0.2, "about 1 s"),
            (89.0, "about 89 s"),
            (2_100.0, "about 35 min"),
            (32_400.0, "about 9 h"),
            (260_000.0, "about 3 days"),
            (f64::MAX, "more than a year"),
        ] {
            assert_eq!(about(seconds), text);
        }
    }

    #[test]
    fn a_unit_of_work_is_singular() {
        for (work, one) in [
            ("requests", "request"),
            ("seconds", "s"),
            ("s", "s"),
            ("cpu_seconds", "CPU second"),
            ("ops", "op"),
            ("queries", "query"),
            ("searches", "search"),
            ("batches", "batch"),
            ("tick", "tick"),
        ] {
            assert_eq!(unit(work), one);
        }
    }
}
