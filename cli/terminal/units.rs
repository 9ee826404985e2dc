//! Numbers with units, printed and read.

use std::time::Duration;

/// `12.3 MB`: decimal units, three digits.
pub(crate) fn bytes(count: u64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{count} bytes"),
        _ => format!("{} {}", three_digits(value), units[unit]),
    }
}

/// `12.3 MB (12,345,678 bytes)`.
pub(crate) fn exact_bytes(count: u64) -> String {
    if count < 1000 { bytes(count) } else { format!("{} ({} bytes)", bytes(count), grouped(count)) }
}

/// `1,234,567`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.23 s`, `45.6 ms`, `3 min 20 s`.
pub(crate) fn seconds(seconds: f64) -> String {
    if seconds < 5e-9 {
        "0 s".to_owned()
    } else if seconds < 1e-3 {
        format!("{} µs", three_digits(seconds * 1e6))
    } else if seconds < 0.9995 {
        format!("{} ms", three_digits(seconds * 1e3))
    } else if seconds < 119.5 {
        format!("{} s", three_digits(seconds))
    } else if seconds < 7200.0 {
        format!("{} min {} s", seconds.round() as u64 / 60, seconds.round() as u64 % 60)
    } else {
        format!("{} h {} min", seconds as u64 / 3600, seconds as u64 % 3600 / 60)
    }
}

/// See [`seconds`].
pub(crate) fn duration(duration: Duration) -> String {
    seconds(duration.as_secs_f64())
}

/// `one layer`, `3 layers`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{} {noun}s", grouped(n as u64)) }
}

/// A number with about four significant digits.
pub(crate) fn number(x: f64) -> String {
    let size = x.abs();
    if x == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e5).contains(&size) {
        format!("{x:.2e}")
    } else {
        let digits = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
        let text = format!("{x:.digits$}");
        if digits == 0 {
            return text;
        }
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// `probability 2^-51.7`, from its log2.
pub(crate) fn probability(log2: f64) -> String {
    if log2 == f64::NEG_INFINITY {
        "probability 0".to_owned()
    } else {
        format!("probability 2^{log2:.1}")
    }
}

/// `12.34 %`.
pub(crate) fn percent(part: usize, whole: usize) -> String {
    format!("{:.2} %", 100.0 * part as f64 / whole.max(1) as f64)
}

/// Reads a size such as `8G`, `512MB`, `1.5GiB` or `100000B`. K, M, G and T are powers of 1000; Ki, Mi, ... of 1024. A
/// number alone is refused: who writes 8 hardly means bytes.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if unit.trim().is_empty() && number != "0" {
        return Err(format!("a size needs a unit: {text}G for gigabytes, {text}M for megabytes"));
    }
    let factor: f64 = match unit.trim().trim_end_matches(['B', 'b']) {
        "" => 1.0,
        "k" | "K" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(format!("unknown unit `{unit}`, expected K, M, G or T")),
    };
    match number.parse::<f64>() {
        Ok(value) if value * factor < 1e18 => Ok((value * factor) as u64),
        _ => Err("expected a size such as 8G".to_owned()),
    }
}

fn three_digits(value: f64) -> String {
    let digits = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times() {
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(1000), "1.00 kB");
        assert_eq!(bytes(999_600), "1.00 MB");
        assert_eq!(exact_bytes(12_345_678), "12.3 MB (12,345,678 bytes)");
        assert_eq!(seconds(0.0123), "12.3 ms");
        assert_eq!(seconds(59.0), "59.0 s");
        assert_eq!(seconds(200.0), "3 min 20 s");
        assert_eq!(seconds(2e-7), "0.20 µs");
        assert_eq!(seconds(0.0), "0 s");
    }

    #[test]
    fn numbers() {
        assert_eq!(number(12.3456), "12.35");
        assert_eq!(number(-1.0), "-1");
        assert_eq!(number(2800.0), "2800");
        assert_eq!(number(0.012345), "0.01235");
        assert_eq!(number(1.5e-7), "1.50e-7");
        assert_eq!(percent(1, 3), "33.33 %");
        assert_eq!(probability(-51.71), "probability 2^-51.7");
        assert_eq!(probability(f64::NEG_INFINITY), "probability 0");
        assert_eq!(count(1, "layer"), "1 layer");
        assert_eq!(count(2000, "image"), "2,000 images");
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(parse_bytes("8G"), Ok(8_000_000_000));
        assert_eq!(parse_bytes("1.5GiB"), Ok(1_610_612_736));
        assert_eq!(parse_bytes("100000B"), Ok(100_000));
        assert_eq!(parse_bytes("0"), Ok(0));
        assert!(parse_bytes("8").unwrap_err().contains("8G for gigabytes"));
        assert!(parse_bytes("8X").is_err());
        assert!(parse_bytes("G").is_err());
        assert!(parse_bytes("-8G").is_err());
    }
}
