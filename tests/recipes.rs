//! The ways from rectifiers to polynomials, each of which adds to the one before.

use hecc_compiler::calibrate::Calibration;
use hecc_compiler::config::Config;
use hecc_compiler::pass::approximate::{ApproximateConfig, ApproximateReport, LayerFit, Recipe};
use hecc_compiler::pipeline::approximate;
use hecc_grammar::model::Model;
use ndarray::ArrayD;

const CHANNELS: usize = 4;
const LAYERS: usize = 4;

/// A number that looks random, between −1 and 1.
fn number(i: usize) -> f64 {
    let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// How many times as large the arguments of one channel of a layer are as those of another, as where batch normalization was folded.
const RATIO: f64 = 6.0;

/// Convolutions and rectifiers.
fn network() -> Model {
    let mut text = "model 1 \"recipes\"\n".to_owned();
    for layer in 0..LAYERS {
        let weights: Vec<String> = (0..CHANNELS * CHANNELS)
            .map(|i| {
                let size = RATIO.powf((i / CHANNELS) as f64 / (CHANNELS - 1) as f64 - 0.5);
                // What a channel has more than others is taken away by those that read it.
                let read = RATIO.powf(0.5 - (i % CHANNELS) as f64 / (CHANNELS - 1) as f64);
                let read = if layer == 0 { 1.0 } else { read };
                format!("{}", 1.4 * size * read * number(100 * layer + i))
            })
            .collect();
        text += &format!("c{layer} : [{CHANNELS},{CHANNELS},1,1] = [{}]\n", weights.join(", "));
    }
    text += &format!("t0 = input : [1,{CHANNELS},6,6] \"x\"\n");
    for layer in 0..LAYERS {
        let (x, sum, rectified) = (2 * layer, 2 * layer + 1, 2 * layer + 2);
        text += &format!(
            "t{sum} = conv t{x}, c{layer} strides=[1,1] pads_begin=[0,0] pads_end=[0,0] dilations=[1,1] groups=1 : \
             [1,{CHANNELS},6,6] \"conv{layer}\"\n\
             t{rectified} = relu t{sum} : [1,{CHANNELS},6,6] \"relu{layer}\"\n"
        );
    }
    let (last, n) = (2 * LAYERS, CHANNELS * 36);
    let scores: Vec<String> = (0..3 * n).map(|i| format!("{}", number(1000 + i))).collect();
    text += &format!(
        "t{} = reshape t{last} : [1,{n}] \"flat\"\nt{} = matmul t{}, c{LAYERS} : [1,3] \"scores\"\noutput \"y\" t{}\n",
        last + 1,
        last + 2,
        last + 1,
        last + 2
    );
    let text =
        text.replacen("t0 =", &format!("c{LAYERS} : [{n},3] = [{}]\nt0 =", scores.join(", ")), 1);
    text.parse().expect("the text is a model")
}

fn calibration() -> Calibration {
    let shape = vec![256, CHANNELS, 6, 6];
    let mut i = 0;
    let data = ArrayD::from_shape_simple_fn(shape, || {
        i += 1;
        number(1_000_000 + i)
    });
    Calibration::from_data(vec![data])
}

fn report(config: ApproximateConfig) -> ApproximateReport {
    let config = Config { approximate: config, ..Config::standard() };
    approximate(&network(), &calibration(), &config).expect("it can be approximated").report
}

fn degrees(report: &ApproximateReport) -> Vec<usize> {
    report.layers.iter().map(|layer| layer.choices[layer.chosen].degree).collect()
}

fn has_channels(report: &ApproximateReport) -> Vec<bool> {
    let is_each = |fit: &LayerFit| matches!(fit, LayerFit::Channels(_));
    report.layers.iter().map(|layer| is_each(&layer.shipped)).collect()
}

#[test]
fn recipes_differ_at_the_same_degrees() {
    let recipes =
        [Recipe::Uniform, Recipe::Layerwise, Recipe::Channels, Recipe::Sequential, Recipe::Tuned];
    let reports = recipes.map(|recipe| {
        report(ApproximateConfig {
            recipe,
            degree_of_layers: Some(vec![7; LAYERS]),
            ..ApproximateConfig::standard().through_sines()
        })
    });
    let [uniform, layerwise, channels, sequential, tuned] = &reports;
    // With the same degrees the first two are the same.
    assert_eq!(uniform.loss, layerwise.loss);
    assert_eq!(has_channels(layerwise), [false; LAYERS]);
    assert_eq!(has_channels(channels), [true; LAYERS]);
    assert!(channels.loss < 0.5 * layerwise.loss, "{} {}", channels.loss, layerwise.loss);
    // What layers make up for one another shows in deep networks only.
    assert_ne!(sequential.loss, channels.loss);
    assert!(tuned.loss < 0.9 * sequential.loss, "{} {}", tuned.loss, sequential.loss);
    assert!(tuned.tuned.is_some() && sequential.tuned.is_none());
}

#[test]
fn uniform_degrees_are_alike_and_layerwise_ones_by_what_layers_need() {
    let of = |recipe| {
        let mut config = ApproximateConfig { recipe, ..ApproximateConfig::standard() };
        (config.goal.risk, config.goal.error) = (0.3, 0.3);
        report(config)
    };
    let (uniform, layerwise) = (of(Recipe::Uniform), of(Recipe::Layerwise));
    let alike = degrees(&uniform);
    assert!(alike.iter().all(|degree| *degree == alike[0]), "{alike:?}");
    assert!(uniform.is_good_enough(), "{alike:?} {}", uniform.loss);
    assert!(layerwise.is_good_enough(), "{:?} {}", degrees(&layerwise), layerwise.loss);
    let cost = |report: &ApproximateReport| -> usize {
        report.layers.iter().map(|layer| layer.choices[layer.chosen].cost).sum()
    };
    assert!(cost(&layerwise) < cost(&uniform), "{:?} {alike:?}", degrees(&layerwise));
}

#[test]
fn what_was_tried_is_told() {
    let report = report(ApproximateConfig::standard().through_sines());
    let chosen = degrees(&report);
    assert!(report.tried.iter().any(|tried| tried.degrees == chosen));
    assert!(report.tried.len() >= 2, "{:?}", report.tried);
}
