//! Networks too deep for their ring: bootstraps are placed, compiled and run, on an insecure ring and by all evaluators.

mod evaluators;

use hecc_compiler::calibrate::Calibration;
use hecc_compiler::config::{Config, SchemeChoice};
use hecc_compiler::pipeline::{Compiled, compile};
use hecc_grammar::model::Model;
use hecc_grammar::plan::Op;
use hecc_grammar::security::Security;

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

    let tensors = vec![vec![0.6, -0.9, 0.3, 0.8]];
    let Outputs { clear, simulated, encrypted } = run_all(&plan, &tensors, 5);
    let input = ndarray::ArrayD::from_shape_vec(vec![1, 4], tensors[0].clone()).unwrap();
    let original = hecc_compiler::interpret::run(&model, &[input]).unwrap().remove(0);
    let results = [("clear", &clear), ("simulated", &simulated), ("encrypted", &encrypted)];
    for (name, result) in results {
        let pairs = original.iter().zip(&result[0]);
        let error = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let largest = original.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        assert!(error < largest * 9f64.exp2().recip(), "{name}: {result:?}, expected {original:?}");
    }
}
