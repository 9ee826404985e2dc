//! Random networks through the whole compiler: the plan in the clear equals the network, and its encryption the plan in the
//! clear, within the bound on noise.
//!
//! `HECC_RANDOM_NETWORKS=20000 cargo test --release --test networks` tries 20,000 of each kind. Cases that ever failed are
//! kept in `tests/networks/regressions.txt` and tried first.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

#[path = "../../grammar/tests/generate/choices.rs"]
mod choices;
#[path = "../evaluators/mod.rs"]
mod evaluators;
mod generate;

use hecc_compiler::calibrate::Calibration;
use hecc_compiler::config::{Config, SchemeChoice};
use hecc_compiler::error::CompileError;
use hecc_compiler::interpret;
use hecc_compiler::layout::Batch;
use hecc_compiler::pass::quantize::QuantizeBits;
use hecc_compiler::pipeline::{Compiled, compile};
use hecc_grammar::cost;
use hecc_grammar::model::Model;
use hecc_grammar::noise;
use hecc_grammar::plan::{Scheme, VerifiedPlan};
use hecc_grammar::security::Security;
use ndarray::{ArrayD, Axis};
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngSeed};

use choices::Choices;
use evaluators::{Outputs, run_all};
use generate::{N_CALIBRATION, Network, network};

/// Largest difference between a plan in the clear and its network, relative to the largest result: weights are 32-bit
/// floats.
const EXACT: f64 = 1e-4;

/// As [`EXACT`], over integers, where biases are rounded to the quantization scale of what they are added to: to 1/256 of
/// the largest result that there can be, which random inputs are far from. Rounded ratios of quantization scales come on
/// top, up to [`FEEDBACK`] times in a deep network.
const ROUNDED: f64 = 1.0 / 8.0;

/// See [`ROUNDED`].
const FEEDBACK: f64 = 4.0;

/// The same networks in every run, so that what fails is what was changed; others if `HECC_RANDOM_NETWORKS` says how many.
fn config_of(cases: u32) -> ProptestConfig {
    let wanted = std::env::var("HECC_RANDOM_NETWORKS").ok().and_then(|n| n.parse().ok());
    ProptestConfig {
        cases: wanted.unwrap_or(cases),
        rng_seed: wanted.map_or(RngSeed::Fixed(11), |_| RngSeed::Random),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/networks/regressions.txt",
        ))),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config_of(120))]

    #[test]
    fn approximate_numbers(mut of in Choices::strategy(120)) {
        let log_n = 7 + of.below(4) as u32;
        let network = network(&mut of, false);
        check(&network, &Config { log_n: Some(log_n), scheme: SchemeChoice::Ckks, ..insecure() })?;
    }

    #[test]
    fn batches(mut of in Choices::strategy(60)) {
        let network = network(&mut of, false);
        let (log_n, batch) = match of.below(5) as u32 {
            0 => (5, Batch::Slots),
            log => (7, Batch::Log2(log)),
        };
        check(&network, &Config { log_n: Some(log_n), scheme: SchemeChoice::Ckks, batch, ..insecure() })?;
    }

    #[test]
    fn integers(mut of in Choices::strategy(100)) {
        let bits = QuantizeBits { weights: 2 + of.below(3) as u32, inputs: 2 + of.below(3) as u32 };
        let (log_n, batch) = match of.below(6) as u32 {
            0 => (9, Batch::Slots),
            log => (10 + log % 2, Batch::Log2((log / 2) * (2 + log % 2))),
        };
        let network = network(&mut of, true);
        let config = Config {
            log_n: Some(log_n),
            scheme: SchemeChoice::Bfv,
            quantize: Some(bits),
            certify: true,
            batch,
            ..insecure()
        };
        check(&network, &config)?;
    }
}

proptest! {
    #![proptest_config(config_of(60))]

    #[test]
    fn with_fewer_keys(mut of in Choices::strategy(120)) {
        let exact = of.below(2) == 0;
        let network = network(&mut of, exact);
        let config = Config {
            log_n: Some(if exact { 10 } else { 7 + of.below(4) as u32 }),
            scheme: if exact { SchemeChoice::Bfv } else { SchemeChoice::Ckks },
            quantize: exact.then_some(QuantizeBits { weights: 3, inputs: 3 }),
            certify: exact,
            ..insecure()
        };
        let calibration = Calibration::from_data(network.calibration.clone());
        let Ok(compiled) = compile(&network.model, &calibration, &config) else {
            return Err(TestCaseError::reject("it is refused with all keys"));
        };
        let keys = cost::stored_key_bytes(&compiled.plan);
        let others = cost::peak_value_bytes(&compiled.plan) + cost::table_bytes(&compiled.plan);
        let most = others + keys * (5 + of.below(5)) as u64 / 10;
        check(&network, &Config { max_memory: Some(most), ..config })?;
    }
}

proptest! {
    #![proptest_config(config_of(3))]

    #[test]
    fn bootstrapped(mut of in Choices::strategy(120)) {
        let network = network(&mut of, false);
        let config = Config {
            log_n: Some(11),
            max_levels: Some(3),
            scheme: SchemeChoice::Ckks,
            ..insecure()
        };
        let is_bootstrapped = |compiled: &Compiled| compiled.bootstraps.is_some();
        check_those(&network, &config, is_bootstrapped)?;
    }
}

#[test]
fn rotations_without_keys_are_composed() {
    let weights = (0..25).map(|k| ((k * 7 % 23) as f64 / 23.0 - 0.5).to_string());
    let weights = weights.collect::<Vec<_>>().join(",");
    let text = format!(
        r#"
model 1 "convolution"
c0 : [1,1,5,5] = [{weights}]
t0 = input : [1,1,8,8] "x"
t1 = conv t0, c0 strides=[1,1] pads_begin=[2,2] pads_end=[2,2] dilations=[1,1] groups=1 : [1,1,8,8] "conv"
output "y" t1
"#
    );
    let model = hecc_grammar::model::parse(&text, &mut |_| None).unwrap();
    let inputs = ArrayD::from_shape_fn(vec![N_CALIBRATION, 1, 8, 8], |i| {
        (i[0] + 3 * i[2] + i[3]) as f64 % 7.0 / 7.0
    });
    let network = Network { model, calibration: vec![inputs] };
    let config = Config { log_n: Some(8), scheme: SchemeChoice::Ckks, ..insecure() };
    let calibration = Calibration::from_data(network.calibration.clone());
    let whole = compile(&network.model, &calibration, &config).unwrap().plan;
    let all =
        cost::peak_value_bytes(&whole) + cost::table_bytes(&whole) + cost::stored_key_bytes(&whole);
    // The least memory that there is a plan for.
    let tightest = (1..40).find_map(|parts| {
        let config = Config { max_memory: Some(all * parts / 40), ..config.clone() };
        let few = compile(&network.model, &calibration, &config).ok()?.plan;
        Some((config, few))
    });
    let (config, few) = tightest.expect("a plan for less memory");
    assert!(3 * few.keys().len() < 2 * whole.keys().len(), "{:?}", few.keys());
    check(&network, &config).unwrap();
}

/// Small rings that promise no security.
fn insecure() -> Config {
    Config { security: Security::insecure_for_tests(), ..Config::standard() }
}

/// Compiles a network and compares all evaluators on two inputs.
fn check(network: &Network, config: &Config) -> Result<(), TestCaseError> {
    check_those(network, config, |_| true)
}

/// As [`check`]; a network whose plan is not of the kind that is to be checked is none of the cases.
fn check_those(
    network: &Network,
    config: &Config,
    is_meant: impl Fn(&Compiled) -> bool,
) -> Result<(), TestCaseError> {
    let Network { model, calibration } = network;
    let compiled = match compile(model, &Calibration::from_data(calibration.clone()), config) {
        Ok(compiled) => compiled,
        Err(error) if is_refusal(&error, config) => {
            return Err(TestCaseError::reject(error.to_string()));
        }
        Err(error) => return Err(TestCaseError::fail(format!("{error}\n{model}"))),
    };
    if !is_meant(&compiled) {
        return Err(TestCaseError::reject("another kind of plan"));
    }
    let sizes = sizes(&compiled, calibration);
    for example in [0, N_CALIBRATION - 1] {
        let tensors: Vec<ArrayD<f64>> =
            calibration.iter().map(|x| x.select(Axis(0), &[example])).collect();
        compare(&compiled, &tensors, &sizes, example as u8)?;
    }
    Ok(())
}

/// What some networks may be refused for: a matter of their own, not of the compiler's.
fn is_refusal(error: &CompileError, config: &Config) -> bool {
    // Where inputs fill all slots nothing is bootstrapped, however deep the network is.
    let is_too_deep =
        matches!(error, CompileError::Precision { .. } | CompileError::TooDeep { .. });
    // Not all keys have two others that can stand in for them.
    let is_too_large = matches!(error, CompileError::Memory { .. });
    (config.batch == Batch::Slots && is_too_deep)
        || (config.max_memory.is_some() && is_too_large)
        || matches!(
            error,
            CompileError::NotInteger { .. }
                | CompileError::Quantization(_)
                | CompileError::NoLayout { .. }
        )
}

fn compare(
    compiled: &Compiled,
    tensors: &[ArrayD<f64>],
    sizes: &[f64],
    seed: u8,
) -> Result<(), TestCaseError> {
    let plan = &compiled.plan;
    let flat: Vec<Vec<f64>> = tensors.iter().map(|x| x.iter().copied().collect()).collect();
    let Outputs { clear, simulated, encrypted } = run_all(plan, &flat, seed);
    let expected = expected(&compiled.approximated, plan, tensors);
    let tolerance = match &compiled.integers {
        Some(report) => {
            let ratios = report.approximations.iter().map(|(_, error)| error);
            ROUNDED + FEEDBACK * ratios.sum::<f64>()
        }
        None => EXACT,
    };
    for (k, expected) in expected.iter().enumerate() {
        let largest = sizes[k];
        for (i, &expected) in expected.iter().enumerate() {
            let found = clear[k][i];
            prop_assert!(
                (found - expected).abs() <= tolerance * largest,
                "output {k}, element {i}: {found} in the clear, {expected} expected, of at most {largest}\n{}",
                compiled.approximated
            );
        }
    }
    let bounds = bounds(plan);
    for (name, with_noise) in [("encrypted", encrypted), ("simulated", simulated)] {
        for (k, (clear, with_noise)) in clear.iter().zip(&with_noise).enumerate() {
            for (i, (x, y)) in clear.iter().zip(with_noise).enumerate() {
                prop_assert!(
                    (x - y).abs() <= bounds[k],
                    "output {k}, element {i}: {y} {name}, {x} in the clear, bound {}\n{}",
                    bounds[k],
                    compiled.approximated
                );
            }
        }
    }
    Ok(())
}

/// The largest magnitude of each output on all inputs.
fn sizes(compiled: &Compiled, calibration: &[ArrayD<f64>]) -> Vec<f64> {
    let outputs = interpret::run(&compiled.approximated, calibration).unwrap();
    let largest = |x: &ArrayD<f64>| x.iter().fold(1e-6, |most: f64, x| most.max(x.abs()));
    outputs.iter().map(largest).collect()
}

/// What the network computes of inputs that are rounded as the client does.
fn expected(model: &Model, plan: &VerifiedPlan, tensors: &[ArrayD<f64>]) -> Vec<Vec<f64>> {
    let rounded = tensors.iter().zip(&plan.inputs).map(|(tensor, input)| match input.quantizer {
        Some(quantizer) => tensor.mapv(|x| quantizer.apply(x)),
        None => tensor.clone(),
    });
    let rounded: Vec<ArrayD<f64>> = rounded.collect();
    let outputs = interpret::run(model, &rounded).unwrap();
    outputs.iter().map(|output| output.iter().copied().collect()).collect()
}

/// By how much encryption may change an output: not at all over integers.
fn bounds(plan: &VerifiedPlan) -> Vec<f64> {
    if plan.params.scheme() == Scheme::Bfv {
        return vec![0.0; plan.outputs.len()];
    }
    let deviations = noise::analyze(plan);
    let bound = |output: &hecc_grammar::plan::Output| {
        let largest = output.slots.iter().map(|(value, _)| deviations[value.index()].bound);
        largest.fold(0.0, f64::max) * output.factor.abs()
    };
    plan.outputs.iter().map(bound).collect()
}
