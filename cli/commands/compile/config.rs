//! The compiler's configuration, as the options of `hecc compile` say it.

use anyhow::Result;
use hecc_compiler::config::{Config, Moduli, SchemeChoice, Wishes};
use hecc_compiler::judge::OutputWish;
use hecc_compiler::pass::approximate::{ApproximateConfig, Recipe};
use hecc_compiler::permute;
use hecc_grammar::security::Security;

use super::args::{Activation, Args, LevelsRaised, Scheme};
use super::values::Degrees;
use crate::files::costs;

/// What to compile for.
pub(super) fn config(args: &Args) -> Result<Config> {
    let bits = args.security.parse().ok().and_then(Security::from_bits);
    Ok(args.slots.of(Config {
        security: bits.expect("the argument parser lets through known levels only"),
        precision: args.precision,
        max_levels: args.max_levels,
        max_memory: args.max_memory,
        normalization: args.normalize.clone(),
        costs: costs::load()?,
        scheme: match args.scheme {
            Scheme::Auto => SchemeChoice::Auto,
            Scheme::Bfv => SchemeChoice::Bfv,
            Scheme::Ckks => SchemeChoice::Ckks,
        },
        quantize: args.quantize,
        certify: args.certify,
        check_wrap: args.check_wrap,
        approximate: approximate_config(args),
        moduli: match args.moduli {
            Some(LevelsRaised::Consistent) => Moduli::Consistent,
            None if args.activation == Activation::Minimax => Moduli::Consistent,
            Some(LevelsRaised::Layerwise) | None => Moduli::Layerwise,
        },
        wishes: Wishes { min_agreement: args.min_agreement, max_error: args.max_error },
        explores: args.explain,
        outputs: match (args.classifier, args.regression) {
            (true, _) => OutputWish::Classes,
            (false, true) => OutputWish::Values,
            (false, false) => OutputWish::Unsaid,
        },
        margin_bits: args.margin,
        permute: (!args.keep_order).then_some(permute::Method::Search),
        ..Config::standard()
    }))
}

fn approximate_config(args: &Args) -> ApproximateConfig {
    let mut config = ApproximateConfig::standard();
    config.recipe = match args.activation {
        Activation::Minimax => Recipe::Minimax,
        Activation::Uniform => Recipe::Uniform,
        Activation::Layerwise => Recipe::Layerwise,
        Activation::Channels => Recipe::Channels,
        Activation::Sequential => Recipe::Sequential,
        Activation::Tuned => Recipe::Tuned,
    };
    match &args.degrees {
        None => {}
        Some(Degrees::Highest(highest)) => {
            config.degrees.append(&mut config.more_degrees);
            config.degrees.retain(|degree| degree < highest);
            config.degrees.push(*highest);
        }
        Some(Degrees::From(list)) => {
            config.degrees.clone_from(list);
            config.more_degrees.clear();
        }
        Some(Degrees::Each(list)) => config.degree_of_layers = Some(list.clone()),
    }
    config
}
