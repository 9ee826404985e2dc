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

#[cfg(test)]
mod tests {
    use hecc_grammar::model::Tensor;

    use super::*;
    use crate::graph::{GraphOutput, Node};

    #[test]
    fn sines_have_new_levels_for_what_follows() {
        let node = |step| {
            let (name, shape) = (String::new(), vec![1]);
            Node { step, name, tensor: Tensor(0), shape, factor: 1.0, offset: 0.0 }
        };
        let mut graph = Graph::default();
        let input = graph.push(node(Step::Input(0)));
        let square = graph.push(node(Step::Mul(input, input)));
        let sine = graph.push(node(Step::Sine(square, 4.0)));
        let fourth = graph.push(node(Step::Mul(sine, sine)));
        let last = graph.push(node(Step::Mul(fourth, fourth)));
        let (name, shape, client) = (String::new(), vec![1], vec![]);
        graph.outputs.push(GraphOutput { name, node: last, shape, client });
        assert_eq!(assign_levels(&graph), [1, 0, 2, 1, 0]);
    }
}
