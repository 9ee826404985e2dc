//! What each layer of a plan costs: the table of `hecc inspect`.

use hecc_grammar::cost::{self, Costs};
use hecc_grammar::plan::{Meaning, Op, Plan, Value};
use serde_json::{Value as Json, json};

use crate::terminal::table::{Align, Table};
use crate::terminal::units;

/// One layer, summed over its instructions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LayerCost {
    /// Levels of what it reads; equal to `level_out` where it reads nothing.
    pub(crate) level_in: usize,
    /// Levels of its result.
    pub(crate) level_out: usize,
    /// Rotations: key switches other than relinearizations.
    pub(crate) rotations: usize,
    /// Products of two ciphertexts.
    pub(crate) products: usize,
    /// Products of a ciphertext and a plaintext.
    pub(crate) plain_products: usize,
    /// Predicted seconds on one core, weights encoded.
    pub(crate) seconds: f64,
    /// Predicted seconds on one core to encode the weights that it is the first to use.
    pub(crate) encode_seconds: f64,
    /// Measured seconds, encoding included, if a profile was taken.
    pub(crate) measured_seconds: Option<f64>,
}

/// The costs of all layers, in the plan's order; `measured` are seconds of each instruction.
pub(crate) fn layer_costs(plan: &Plan, costs: &Costs, measured: Option<&[f64]>) -> Vec<LayerCost> {
    let (run, encode) =
        (cost::seconds_of_each(costs, plan), cost::encode_seconds_of_each(costs, plan));
    let mut layers = vec![LayerCost::default(); plan.layers.len()];
    let level = |value: Value| plan.ty(value).limbs.len().saturating_sub(1);
    for (value, op) in plan.values() {
        let origin = plan.origins[value.index()];
        let Some(layer) = layers.get_mut(origin as usize) else { continue };
        for operand in op.operands() {
            if plan.origins[operand.index()] != origin {
                layer.level_in = layer.level_in.max(level(operand));
            }
        }
        layer.level_out = level(value);
        let (rotations, products, plain_products) = counts(op);
        layer.rotations += rotations;
        layer.products += products;
        layer.plain_products += plain_products;
        layer.seconds += run[value.index()];
        layer.encode_seconds += encode[value.index()];
        if let Some(measured) = measured {
            *layer.measured_seconds.get_or_insert(0.0) += measured[value.index()];
        }
    }
    for (layer, described) in layers.iter_mut().zip(&plan.layers) {
        // Where the result can be observed, that is its level; instructions may be in any order.
        let observed = described.slots.iter().map(|(value, _)| level(*value)).min();
        layer.level_out = observed.unwrap_or(layer.level_out);
        layer.level_in = layer.level_in.max(layer.level_out);
    }
    layers
}

/// Rotations, products of ciphertexts, products with plaintexts.
fn counts(op: &Op) -> (usize, usize, usize) {
    match op.meaning() {
        Meaning::Rotation(..) | Meaning::Conjugation(_) => (1, 0, 0),
        Meaning::Product(..) => (0, 1, 0),
        Meaning::PlainProduct(..) => (0, 0, 1),
        Meaning::PlainProducts(terms) => (0, 0, terms.len()),
        Meaning::Input(_)
        | Meaning::Sum(..)
        | Meaning::Difference(..)
        | Meaning::Negation(_)
        | Meaning::PlainSum(..)
        | Meaning::Same(_) => (0, 0, 0),
    }
}

/// The layers as a table.
pub(crate) fn layer_table(plan: &Plan, costs: &[LayerCost]) -> Table {
    let mut heads = vec![
        ("layer (ONNX nodes)", Align::Left),
        ("kind", Align::Left),
        ("shape", Align::Left),
        ("layout", Align::Left),
        ("degree", Align::Right),
        ("range", Align::Left),
        ("levels", Align::Right),
        ("rotations", Align::Right),
        ("products", Align::Right),
        ("with weights", Align::Right),
        ("time, 1 core", Align::Right),
        ("encoding", Align::Right),
    ];
    let is_measured = costs.iter().any(|cost| cost.measured_seconds.is_some());
    heads.extend(is_measured.then_some(("measured", Align::Right)));
    let mut table = Table::new(&heads);
    for (layer, cost) in plan.layers.iter().zip(costs) {
        let measured = is_measured.then(|| units::seconds(cost.measured_seconds.unwrap_or(0.0)));
        let mut cells = vec![
            layer.name.clone(),
            layer.kind.clone(),
            shape(&layer.shape),
            layer.layout.clone(),
            layer.degree.to_string(),
            range(layer.range),
            format!("{} -> {}", cost.level_in, cost.level_out),
            cost.rotations.to_string(),
            cost.products.to_string(),
            cost.plain_products.to_string(),
            units::seconds(cost.seconds),
            units::seconds(cost.encode_seconds),
        ];
        cells.extend(measured);
        table.row(cells);
    }
    table
}

/// The layers for scripts.
pub(crate) fn layers_json(plan: &Plan, costs: &[LayerCost]) -> Json {
    let layer = |(layer, cost): (&hecc_grammar::plan::Layer, &LayerCost)| {
        json!({
            "name": layer.name,
            "kind": layer.kind,
            "shape": layer.shape,
            "layout": layer.layout,
            "degree": layer.degree,
            "range": [layer.range.0, layer.range.1],
            "level_in": cost.level_in,
            "level_out": cost.level_out,
            "rotations": cost.rotations,
            "products": cost.products,
            "plaintext_products": cost.plain_products,
            "predicted_seconds": cost.seconds,
            "predicted_encode_seconds": cost.encode_seconds,
            "measured_seconds": cost.measured_seconds,
        })
    };
    plan.layers.iter().zip(costs).map(layer).collect()
}

/// `1x8x12x12`.
pub(crate) fn shape(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

/// `[-1.2, 3.4]`.
pub(crate) fn range((lo, hi): (f64, f64)) -> String {
    format!("[{}, {}]", units::number(lo), units::number(hi))
}
