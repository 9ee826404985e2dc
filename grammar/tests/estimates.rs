//! No parameters are allowed that the lattice estimator's pinned answers do not cover.

use hecc_grammar::security::{EPHEMERAL_WEIGHT, Security, TABLE, max_log_qp, max_log_qp_ephemeral};

/// A line of the data.
struct Estimate {
    secret: String,
    log_n: u32,
    log_qp: u32,
    level: u32,
    how: String,
    bits: f64,
}

fn estimates() -> Vec<Estimate> {
    let lines =
        include_str!("estimates/estimates.csv").lines().filter(|line| !line.starts_with('#'));
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let [secret, log_n, log_qp, level, how, bits] = fields[..] else { panic!("{line}") };
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{line}"));
        Estimate {
            secret: secret.to_owned(),
            log_n: number(log_n),
            log_qp: number(log_qp),
            level: number(level),
            how: how.to_owned(),
            bits: bits.trim_start_matches(">=").parse().unwrap_or_else(|_| panic!("{line}")),
        }
    };
    lines.skip(1).map(parse).collect()
}

/// Checks that a modulus is covered by an estimate for at least its size, and that all such estimates promise the level.
fn check(secret: &str, log_n: u32, log_qp: u32, level: Security) {
    let estimates = estimates();
    let covering: Vec<&Estimate> = estimates
        .iter()
        .filter(|of| of.secret == secret && of.log_n == log_n && of.log_qp >= log_qp)
        // An exponent that is not thought within reach is not held to.
        .filter(|of| of.level >= level.bits() && of.how != "hybrid-30")
        .collect();
    assert!(!covering.is_empty(), "{secret}, N = 2^{log_n}: no estimate for {log_qp} bits");
    for of in covering {
        assert!(
            of.bits >= f64::from(level.bits()),
            "{secret}, N = 2^{log_n}, {log_qp} bits: {} gives {}, expected {}",
            of.how,
            of.bits,
            level.bits()
        );
    }
}

#[test]
fn every_ring_in_use_has_an_estimate() {
    for row in &TABLE {
        for level in Security::LEVELS {
            let allowed = max_log_qp(row.log_n, level).expect("a row of the table");
            if allowed > 0 {
                check("ternary", row.log_n, allowed, level);
            }
        }
    }
}

#[test]
fn the_sparse_secret_has_an_estimate_wherever_it_is_used() {
    let secret = format!("sparse-{EPHEMERAL_WEIGHT}");
    let rings =
        (0..32).filter_map(|log_n| Some((log_n, max_log_qp_ephemeral(log_n, Security::Bits128)?)));
    let rings: Vec<(u32, u32)> = rings.collect();
    assert!(!rings.is_empty());
    for (log_n, allowed) in rings {
        check(&secret, log_n, allowed, Security::Bits128);
    }
}

/// The data are those of the code, not of another one.
#[test]
fn no_estimate_is_of_parameters_that_nothing_allows() {
    for of in estimates() {
        let level = Security::from_bits(of.level).expect("a level");
        let allowed = match of.secret.as_str() {
            "ternary" => max_log_qp(of.log_n, level),
            _ => max_log_qp_ephemeral(of.log_n, level),
        };
        assert_eq!(allowed, Some(of.log_qp), "{}, N = 2^{}", of.secret, of.log_n);
    }
}
