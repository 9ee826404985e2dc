//! Networks too deep for their ring: bootstraps are placed, compiled and run, on an insecure ring and by all evaluators.

mod distance;
mod evaluators;

use hecc_compiler::calibrate::Calibration;
use hecc_compiler::config::{Config, Moduli, SchemeChoice, Wishes};
use hecc_compiler::pass::approximate::{ApproximateConfig, Recipe};
use hecc_compiler::pipeline::{Compiled, approximate as approximate_only, compile};
use hecc_grammar::model::Model;
use hecc_grammar::noise;
use hecc_grammar::plan::{Layer, Op};
use hecc_grammar::security::Security;

use distance::distance;
use evaluators::{Outputs, run_all};

/// Blocks `x + fc(x²)`: each square forks, each sum joins.
fn residual(blocks: usize) -> Model {
    let mut text =
        "model 1 \"deep\"\nc0 : [4,4] = [0.3, -0.2, 0.1, 0.2, -0.1, 0.2, 0.3, -0.3, 0.1, 0.3, \
                    -0.4, 0.1, 0.3, -0.1, 0.2, -0.2]\nt0 = input : [1,4] \"x\"\n"
            .to_owned();
    for block in 0..blocks {
        let x = 3 * block;
        let (square, product, sum) = (x + 1, x + 2, x + 3);
        text += &format!("t{square} = mul t{x}, t{x} : [1,4] \"square{block}\"\n");
        text += &format!("t{product} = matmul t{square}, c0 : [1,4] \"fc{block}\"\n");
        text += &format!("t{sum} = add t{product}, t{x} : [1,4] \"join{block}\"\n");
    }
    text += &format!("output \"y\" t{}\n", 3 * blocks);
    text.parse().expect("the text is a model")
}

/// Blocks `relu(fc(x))`.
fn rectified(blocks: usize) -> Model {
    let mut text =
        "model 1 \"rectified\"\nc0 : [4,4] = [0.9, -0.6, 0.3, 0.4, -0.5, 0.8, 0.6, -0.3, 0.4, 0.3, \
                    -0.9, 0.7, 0.6, -0.4, 0.5, -0.8]\nt0 = input : [1,4] \"x\"\n"
            .to_owned();
    for block in 0..blocks {
        let (x, product, rectified) = (2 * block, 2 * block + 1, 2 * block + 2);
        text += &format!("t{product} = matmul t{x}, c0 : [1,4] \"fc{block}\"\n");
        text += &format!("t{rectified} = relu t{product} : [1,4] \"relu{block}\"\n");
    }
    text += &format!("output \"y\" t{}\n", 2 * blocks);
    text.parse().expect("the text is a model")
}

/// All numbers of an input are multiples of a tenth.
fn calibration() -> Calibration {
    let number = |i: usize, k: usize| ((i * 37 + k * 11 + i * k * 7) % 21) as f64 / 10.0 - 1.0;
    let data = ndarray::ArrayD::from_shape_fn(vec![200, 4], |at| number(at[0], at[1]));
    Calibration::from_data(vec![data])
}

#[test]
fn activations_are_fitted_through_the_sines_of_bootstraps() {
    let (model, calibration) = (rectified(4), calibration());
    let approximate = ApproximateConfig {
        degree_of_layers: Some(vec![7; 4]),
        ..ApproximateConfig::standard().through_sines()
    };
    let config = Config {
        security: Security::insecure_for_tests(),
        log_n: Some(11),
        scheme: SchemeChoice::Ckks,
        wishes: Wishes { max_error: Some(1.0), min_agreement: None },
        approximate,
        ..Config::standard()
    };
    let compiled = compile(&model, &calibration, &config).unwrap();
    let Compiled { plan, bootstraps, approximated, .. } = compiled;
    let bootstraps = bootstraps.expect("sines are bootstraps");
    assert_eq!(bootstraps.steps.len(), 4);
    assert!(bootstraps.failure <= -40.0);
    let sines = plan.layers.iter().filter(|layer| layer.kind == "sine").count();
    assert_eq!(sines, 4);

    let tensors = vec![vec![0.6, -0.9, 0.3, 0.8]];
    let Outputs { clear, simulated, encrypted } = run_all(&plan, &tensors, 5);
    let input = ndarray::ArrayD::from_shape_vec(vec![1, 4], tensors[0].clone()).unwrap();
    let expected = hecc_compiler::interpret::run(&approximated, &[input]).unwrap().remove(0);
    let largest = expected.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    for (name, result) in [("clear", &clear), ("simulated", &simulated), ("encrypted", &encrypted)]
    {
        let error = distance(&result[0], expected.as_slice().unwrap());
        assert!(error < 0.03 * largest, "{name}: {result:?}, expected {expected:?}");
    }
}

/// The baseline: fourteen levels a rectifier, and the same modulus after each bootstrap.
#[test]
fn rectifiers_are_compositions_of_minimax_polynomials() {
    let (model, calibration) = (rectified(3), calibration());
    let config = Config {
        security: Security::insecure_for_tests(),
        log_n: Some(11),
        max_levels: Some(20),
        scheme: SchemeChoice::Ckks,
        approximate: ApproximateConfig { recipe: Recipe::Minimax, ..ApproximateConfig::standard() },
        moduli: Moduli::Consistent,
        ..Config::standard()
    };
    let Compiled { plan, bootstraps, approximation, .. } =
        compile(&model, &calibration, &config).unwrap();
    let bootstraps = bootstraps.expect("three rectifiers have 45 levels");
    let levels: Vec<usize> = bootstraps.steps.iter().map(|&(_, _, to)| to).collect();
    assert!(levels.len() >= 2 && levels.iter().all(|&to| to == levels[0]), "{levels:?}");
    assert!((15..=16).contains(&levels[0]), "{levels:?}");
    assert!(approximation.minimax.is_some_and(|report| report.error.log2() < -13.0));

    let tensors = vec![vec![0.6, -0.9, 0.3, 0.8]];
    let Outputs { clear, simulated, encrypted } = run_all(&plan, &tensors, 5);
    let input = ndarray::ArrayD::from_shape_vec(vec![1, 4], tensors[0].clone()).unwrap();
    let expected = hecc_compiler::interpret::run(&model, &[input]).unwrap().remove(0);
    for (name, result) in [("clear", &clear), ("simulated", &simulated), ("encrypted", &encrypted)]
    {
        let error = distance(&result[0], expected.as_slice().unwrap());
        assert!(error < 0.02, "{name}: {result:?}, expected {expected:?}");
    }
}

/// Whatever the input, what follows a sine is bounded: an input far out of range ends in no explosion.
#[test]
fn values_beyond_the_range_fold_back() {
    let (model, calibration) = (rectified(4), calibration());
    let approximate = ApproximateConfig {
        degree_of_layers: Some(vec![7; 4]),
        ..ApproximateConfig::standard().through_sines()
    };
    let config = Config { approximate, ..Config::standard() };
    let approximated = approximate_only(&model, &calibration, &config).unwrap().replaced.model;
    let run = |model: &Model, scale: f64| {
        let input = ndarray::arr2(&[[0.6, -0.9, 0.3, 0.8]]).into_dyn() * scale;
        hecc_compiler::interpret::run(model, &[input]).unwrap().remove(0)
    };
    let limit = 20.0 * run(&model, 1.0).iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    for scale in [1.0, 3.0, 30.0, 3000.0] {
        let found = run(&approximated, scale);
        assert!(found.iter().all(|x| x.abs() < limit), "{scale}: {found}, expected below {limit}");
    }
}

#[test]
fn forks_and_joins_are_bootstrapped() {
    let model = residual(7);
    let calibration = Calibration::assumed(&model, -1.0, 1.0);
    let config = Config {
        security: Security::insecure_for_tests(),
        log_n: Some(11),
        max_levels: Some(6),
        precision: Some(9.0),
        scheme: SchemeChoice::Ckks,
        ..Config::standard()
    };
    let Compiled { plan, bootstraps, .. } = compile(&model, &calibration, &config).unwrap();
    let bootstraps = bootstraps.expect("the network is deeper than six levels");
    let raised = plan.values().filter(|(_, op)| matches!(op, Op::ModRaise(..))).count();
    assert!(raised >= 1 && raised == bootstraps.placements.best.n_bootstraps());
    assert_eq!(bootstraps.steps.len(), raised);
    // Each is a layer, after that of the step whose result it raises.
    let pairs: Vec<&[Layer]> =
        plan.layers.windows(2).filter(|pair| pair[1].kind == "bootstrap").collect();
    assert_eq!(pairs.len(), raised);
    assert!(pairs.iter().all(|pair| pair[0].name == pair[1].name && pair[0].kind != "bootstrap"));

    let tensors = vec![vec![0.6, -0.9, 0.3, 0.8]];
    let Outputs { clear, simulated, encrypted } = run_all(&plan, &tensors, 5);
    let input = ndarray::ArrayD::from_shape_vec(vec![1, 4], tensors[0].clone()).unwrap();
    let original = hecc_compiler::interpret::run(&model, &[input]).unwrap().remove(0);
    let results = [("clear", &clear), ("simulated", &simulated), ("encrypted", &encrypted)];
    for (name, result) in results {
        let error = distance(&result[0], original.as_slice().unwrap());
        let largest = original.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        assert!(error < largest * 9f64.exp2().recip(), "{name}: {result:?}, expected {original:?}");
    }
}

/// Blocks `x + fc(fc(x)²)` of 64 units: bootstraps raise sums of the same errors, moved by many steps.
fn wide(blocks: usize) -> Model {
    let weight = |k: usize| ((k * 7919 + k / 64 * 104_729) % 401) as f64 / 2000.0 - 0.1;
    let weights: Vec<String> = (0..64 * 64).map(|k| weight(k).to_string()).collect();
    let mut text = format!("model 1 \"wide\"\nc0 : [64,64] = [{}]\n", weights.join(","));
    text += "t0 = input : [1,64] \"x\"\n";
    for block in 0..blocks {
        let x = 4 * block;
        let (first, square, second, sum) = (x + 1, x + 2, x + 3, x + 4);
        text += &format!("t{first} = matmul t{x}, c0 : [1,64] \"first{block}\"\n");
        text += &format!("t{square} = mul t{first}, t{first} : [1,64] \"square{block}\"\n");
        text += &format!("t{second} = matmul t{square}, c0 : [1,64] \"second{block}\"\n");
        text += &format!("t{sum} = add t{second}, t{x} : [1,64] \"join{block}\"\n");
    }
    text += &format!("output \"y\" t{}\n", 4 * blocks);
    text.parse().expect("the text is a model")
}

#[test]
fn bounds_follow_bootstraps_of_affine_maps() {
    let model = wide(12);
    let calibration = Calibration::assumed(&model, -1.0, 1.0);
    let config = Config {
        security: Security::insecure_for_tests(),
        log_n: Some(11),
        max_levels: Some(4),
        scheme: SchemeChoice::Ckks,
        ..Config::standard()
    };
    let Compiled { plan, .. } = compile(&model, &calibration, &config).unwrap();
    let raised = plan.layers.windows(2).filter(|pair| pair[1].kind == "bootstrap");
    assert!(raised.filter(|pair| pair[0].kind == "linear").count() >= 2);
    let bound = |value: hecc_grammar::plan::Value| noise::analyze(&plan)[value.index()].bound;
    let bound = plan.output_values().map(bound).fold(0.0, f64::max);
    assert!(bound < 2f64.powi(-13), "{bound:e}");
    let input = (0..64).map(|k| (k * 13 % 21) as f64 / 10.0 - 1.0).collect();
    let Outputs { clear, encrypted, .. } = run_all(&plan, &[input], 5);
    let error = distance(&encrypted[0], &clear[0]);
    assert!(error < bound * plan.outputs[0].factor, "{error:e}, bound {bound:e}");
}
