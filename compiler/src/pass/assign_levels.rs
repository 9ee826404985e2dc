//! Assigns each step the lowest level that its consumers allow: everything runs on as few limbs as it can. What a sine reads may be at
//! any level: it has new levels for what follows.

use crate::graph::{Graph, Step};

/// The level of every step's result; results of the network are at level 0.
pub fn assign_levels(graph: &Graph) -> Vec<usize> {
    let mut levels = vec![0; graph.nodes.len()];
    for id in graph.ids().rev() {
        let step = &graph.node(id).step;
        if matches!(step, Step::Sine(..)) {
            continue;
        }
        for operand in step.operands() {
            levels[operand.0] = levels[operand.0].max(levels[id.0] + step.depth());
        }
    }
    levels
}
