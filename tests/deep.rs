//! Networks too deep for their ring: bootstraps are placed, compiled and run, on an insecure ring and by all evaluators.

mod evaluators;

use hecc_compiler::calibrate::{Calibration, Stats};
use hecc_compiler::config::Config;
use hecc_compiler::ladder::Ladder;
use hecc_compiler::pass::linearize::linearize;
use hecc_compiler::pass::lower::{LowerConfig, Products};
use hecc_compiler::pass::normalize::normalize;
use hecc_compiler::pass::search::SearchInput;
use hecc_compiler::pass::search_bootstrapped::{Deep, search_bootstrapped};
use hecc_grammar::model::{Model, Tensor};
use hecc_grammar::plan::{Op, Params, Scheme, VerifiedPlan};
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

fn compile(model: &Model, calibration: &Calibration) -> Deep {
    let config =
        Config { security: Security::insecure_for_tests(), log_n: Some(11), ..Config::standard() };
    let ranges = Stats::collect(model, calibration).expect("the model runs").ranges;
    let range = |tensor: Tensor| ranges[tensor.index()];
    let graph = normalize(model, &linearize(model).expect("it has no activations"), &range);
    let params = Params {
        scheme: Scheme::Ckks,
        log_n: 11,
        q: vec![2],
        t: vec![],
        p: vec![],
        input_level: 0,
        top_scale: 1.0,
        security: Security::insecure_for_tests(),
    };
    let ladder = Ladder::new(params, 1);
    let lower = LowerConfig {
        model,
        ladder,
        levels: &[],
        refresh: None,
        range: &range,
        quantiles: &[],
        normalization: None,
        quantizers: &[None],
        limit: None,
        steps: &[],
        products: Products::Own,
    };
    let input = SearchInput { graph: &graph, levels: &[], config: &config, precision: 9.0, lower };
    search_bootstrapped(&input).expect("it lowers").expect("there is a placement")
}

#[test]
fn forks_and_joins_are_refreshed() {
    let model = residual(7);
    let calibration = Calibration::assumed(&model, -1.0, 1.0);
    let Deep { found, bootstraps } = compile(&model, &calibration);
    let plan = VerifiedPlan::new(found.plan).unwrap();
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
        assert!(error < 2e-3, "{name}: {result:?}, expected {original:?}");
    }
}
