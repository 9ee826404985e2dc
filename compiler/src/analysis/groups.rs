//! Execution groups: the weights that the same plaintexts of a plan apply, whatever the layouts.
//!
//! A plaintext multiplies all slots of a rotated operand at once, so it can be left out only where all weights that it holds are
//! zero. Which weights these are follows from the structure of maps and from layouts, before anything is lowered.

use std::collections::{BTreeMap, HashMap, HashSet};

use hecc_grammar::model::{Const, Model, Tensor};
use rayon::prelude::*;

use crate::graph::{Graph, NodeId, Step};
use crate::layout::{Layout, MovesOfEntries, Pair, Shift, moves_of};
use crate::linear::{LinearMap, Pairs, Product, Relation, Structure, affine_of};
use crate::pack::Packing;
use crate::units::Weights;

/// Weights that are applied together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Their places in [`Weights::matrix`], row by row.
    pub weights: Vec<u32>,
    /// The plaintexts that hold them, as numbers within the layer. Other groups may be in them as well, where a pool or another
    /// convolution is joined to a layer.
    pub plaintexts: Vec<u32>,
}

/// A node whose weights fall into groups.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Its result.
    pub tensor: Tensor,
    /// The ONNX node.
    pub name: String,
    /// Its groups, zeros among other weights included.
    pub groups: Vec<Group>,
    /// Groups of nothing but zeros: some of their plaintexts are in no plan.
    pub empty: Vec<Group>,
    /// Plaintexts that hold any of its weights.
    pub n_plaintexts: usize,
    /// Predicted seconds of one plaintext on one core, rotations shared out.
    pub seconds: f64,
}

/// Of which operand, between which ciphertexts, and how far slots move that it is multiplied with.
pub type Plaintext = (NodeId, Pair, Shift);

/// The plaintexts that hold a weight.
pub type Signature = Vec<Plaintext>;

/// A node's weights with the plaintexts that hold each.
pub struct Held {
    /// The result of the node.
    pub tensor: Tensor,
    /// The step of the graph that it is part of.
    pub step: NodeId,
    /// By the place in [`Weights::matrix`], of weights that are not zero.
    pub weights: Vec<(Signature, u32)>,
}

/// The groups of all weights of a packed network, as of [`held`].
pub(crate) fn layers(model: &Model, graph: &Graph, packing: &Packing) -> Vec<Layer> {
    let layer = |held: Held| {
        let schedule = packing.schedules[held.step.0]?;
        let weights = Weights::of(model, held.tensor)?;
        let (groups, empty, n_plaintexts) = groups(held.weights, &weights.matrix);
        Some(Layer {
            tensor: held.tensor,
            name: model.node(held.tensor).name.clone(),
            groups,
            empty,
            n_plaintexts,
            seconds: schedule.seconds / schedule.n_products.max(1) as f64,
        })
    };
    held(&filled(model), graph, packing).into_iter().filter_map(layer).collect()
}

/// The same network without zeros: where weights would be.
pub(crate) fn filled(model: &Model) -> Model {
    let mut filled = model.clone();
    let of_nodes = model.tensors().filter_map(|(tensor, _)| Weights::of(model, tensor));
    let constants: Vec<Const> = of_nodes.map(|weights| weights.constant).collect();
    constants.into_iter().for_each(|constant| filled.constants[constant.index()].fill(1.0));
    filled
}

/// Where the weights of a packed network are: of every convolution and matrix whose operand and result are rearranged or summed up,
/// but no more, on the way to other steps.
pub(crate) fn held(model: &Model, graph: &Graph, packing: &Packing) -> Vec<Held> {
    let stored: HashMap<Tensor, NodeId> =
        graph.ids().map(|id| (graph.node(id).tensor, id)).collect();
    let own = Way { model, graph, stored: &stored };
    let steps = graph.ids().filter(|&id| matches!(graph.node(id).step, Step::Affine { .. }));
    let nodes = steps.flat_map(|step| own.nodes_of(step).into_iter().map(move |x| (x, step)));
    let of_node = |(tensor, step)| {
        Some(Held { tensor, step, weights: own.signatures(tensor, step, packing)? })
    };
    nodes.filter_map(of_node).collect()
}

/// Weights with the same signature, those that are all zero, and how many plaintexts the others are in.
fn groups(held: Vec<(Signature, u32)>, weights: &[f64]) -> (Vec<Group>, Vec<Group>, usize) {
    let mut groups: BTreeMap<Signature, Vec<u32>> = BTreeMap::new();
    for (signature, place) in held {
        groups.entry(signature).or_default().push(place);
    }
    let is_left = |(_, places): &(Signature, Vec<u32>)| {
        places.iter().any(|&place| weights[place as usize] != 0.0)
    };
    let (groups, empty): (Vec<_>, Vec<_>) = groups.into_iter().partition(is_left);
    let mut numbers: BTreeMap<Plaintext, u32> = BTreeMap::new();
    let mut number = |plaintext: Plaintext| {
        let next = numbers.len() as u32;
        *numbers.entry(plaintext).or_insert(next)
    };
    let mut group = |(signature, mut weights): (Signature, Vec<u32>)| {
        weights.sort_unstable();
        Group { weights, plaintexts: signature.into_iter().map(&mut number).collect() }
    };
    let groups: Vec<Group> = groups.into_iter().map(&mut group).collect();
    let n_plaintexts = groups
        .iter()
        .flat_map(|group| &group.plaintexts)
        .max()
        .map_or(0, |&last| last as usize + 1);
    let empty = empty.into_iter().map(group).collect();
    (groups, empty, n_plaintexts)
}

/// How tensors of a model lie between the steps of its graph.
#[derive(Clone, Copy)]
struct Way<'a> {
    model: &'a Model,
    graph: &'a Graph,
    /// The steps that hold tensors.
    stored: &'a HashMap<Tensor, NodeId>,
}

impl Way<'_> {
    /// The nodes with weights that an affine step joins.
    fn nodes_of(&self, id: NodeId) -> Vec<Tensor> {
        let (mut found, mut seen) = (vec![], HashSet::new());
        let mut waiting = vec![self.graph.node(id).tensor];
        while let Some(tensor) = waiting.pop() {
            if !seen.insert(tensor) || self.is_other_step(tensor, id) {
                continue;
            }
            if Weights::of(self.model, tensor).is_some() {
                found.push(tensor);
            }
            waiting.extend(self.model.node(tensor).op.operands());
        }
        found.sort_unstable();
        found
    }

    fn is_other_step(&self, tensor: Tensor, id: NodeId) -> bool {
        self.stored.get(&tensor).is_some_and(|&other| other != id)
    }

    /// The plaintexts that hold each of a node's weights; `None` if what is before or behind it mixes elements in ways that have no
    /// structure.
    fn signatures(
        &self,
        tensor: Tensor,
        id: NodeId,
        packing: &Packing,
    ) -> Option<Vec<(Signature, u32)>> {
        let weights = Weights::of(self.model, tensor)?;
        let x = *self.model.node(tensor).op.operands().first()?;
        let ways = Ways {
            outer: self.between(tensor, self.graph.node(id).tensor, id)?,
            sources: self.sources(x, id)?,
            output: &packing.layouts[id.0],
            packing,
        };
        if weights.is_matrix() {
            return Some(ways.of_matrix(&weights));
        }
        let map = affine_of(self.model, tensor)?.terms.pop()?.1;
        ways.of_convolution(&weights, map.structure()?)
    }

    /// What a tensor reads of another one, within an affine step; `None` for nothing.
    fn between(&self, from: Tensor, to: Tensor, id: NodeId) -> Option<LinearMap> {
        if from == to {
            return Some(LinearMap::identity(self.model.shape(from)));
        }
        if to < from || self.is_other_step(to, id) {
            return None;
        }
        let terms = affine_of(self.model, to)?.terms.into_iter();
        let read = terms.filter_map(|(x, map)| Some(map.after(&self.between(from, x, id)?)));
        read.reduce(|a, b| a.plus(&b))
    }

    /// The steps that a tensor is made of, with what it reads of each; `None` if one is not affine.
    fn sources(&self, tensor: Tensor, id: NodeId) -> Option<Vec<(NodeId, LinearMap)>> {
        if let Some(&step) = self.stored.get(&tensor).filter(|&&step| step != id) {
            let shape = &self.graph.node(step).shape;
            return Some(vec![(step, LinearMap::reshape(shape, self.model.shape(tensor)))]);
        }
        let mut all: BTreeMap<NodeId, LinearMap> = BTreeMap::new();
        for (x, map) in affine_of(self.model, tensor)?.terms {
            for (step, inner) in self.sources(x, id)? {
                let read = map.after(&inner);
                let joined = all.get(&step).map_or(read.clone(), |before| before.plus(&read));
                all.insert(step, joined);
            }
        }
        Some(all.into_iter().collect())
    }
}

/// The ways from the steps that a node's operand is made of to the step that it is part of.
struct Ways<'a> {
    outer: LinearMap,
    sources: Vec<(NodeId, LinearMap)>,
    output: &'a Layout,
    packing: &'a Packing,
}

impl Ways<'_> {
    /// By the structure of the convolution: layouts are sums over dimensions.
    fn of_convolution(
        &self,
        weights: &Weights<'_>,
        structure: &Structure,
    ) -> Option<Vec<(Signature, u32)>> {
        let outer = self.outer.structure()?;
        let one = |(place, one): (u32, Structure)| -> Option<(Signature, u32)> {
            let one = if self.outer.is_identity() { one } else { outer.after(&one)? };
            let mut signature = vec![];
            for (source, inner) in &self.sources {
                let whole = if inner.is_identity() && inner.structure().is_some() {
                    one.clone()
                } else {
                    one.after(inner.structure()?)?
                };
                let moves = moves_of(&whole, &self.packing.layouts[source.0], self.output);
                signature.extend(moves.into_iter().map(|(pair, shift)| (*source, pair, shift)));
            }
            Some((signature, place))
        };
        split(structure, weights).into_par_iter().map(one).collect()
    }

    /// Element by element: a matrix may follow a reshape, which no structure describes.
    fn of_matrix(&self, weights: &Weights<'_>) -> Vec<(Signature, u32)> {
        let (n_out, n_in) = weights.size;
        let n_rows = self.outer.n_cols() / n_out;
        // Where each result of the matrix goes.
        let mut targets = vec![vec![]; self.outer.n_cols()];
        for (o, position) in self.output.positions().into_iter().enumerate() {
            self.outer.row(o).for_each(|(i, _)| targets[i].push(position));
        }
        // Where each element of its operand comes from.
        let mut origins = vec![vec![]; n_rows * n_in];
        for (source, map) in &self.sources {
            let positions = self.packing.layouts[source.0].positions();
            for (o, origins) in origins.iter_mut().enumerate() {
                origins.extend(map.row(o).map(|(i, _)| (*source, positions[i])));
            }
        }
        let between = |source: NodeId| {
            (source, MovesOfEntries::new(&self.packing.layouts[source.0], self.output))
        };
        let moves: HashMap<NodeId, MovesOfEntries> =
            self.sources.iter().map(|&(source, _)| between(source)).collect();
        let one = |place: usize| {
            let (o, i) = (place / n_in, place % n_in);
            let mut signature = vec![];
            for row in 0..n_rows {
                for &to in &targets[row * n_out + o] {
                    let from = origins[row * n_in + i].iter();
                    signature.extend(from.flat_map(|&(source, from)| {
                        let moves = moves[&source].of(from, to);
                        moves.map(move |(pair, shift)| (source, pair, shift))
                    }));
                }
            }
            signature.sort_unstable();
            signature.dedup();
            (signature, place as u32)
        };
        let kept = weights.matrix.iter().enumerate().filter(|(_, weight)| **weight != 0.0);
        let places: Vec<usize> = kept.map(|(place, _)| place).collect();
        places.into_par_iter().map(one).collect()
    }
}

/// A map's structure, weight by weight: the place of each that is not zero, and what it alone reads.
fn split(structure: &Structure, weights: &Weights<'_>) -> Vec<(u32, Structure)> {
    let mut each = vec![];
    for (tap, Product(relations)) in structure.products.iter().enumerate() {
        let mixes = |relation: &Relation| relation.to == Some(weights.axis);
        let Some(mixing) = relations.iter().position(mixes) else { continue };
        relations[mixing].pairs.for_each(|o, i| {
            let mut one = relations.clone();
            one[mixing].pairs = Pairs::list([(o, i)]);
            one[mixing].values = None;
            each.push((weights.place(o, i, tap), Structure::of(one).named()));
        });
    }
    each
}

#[cfg(test)]
pub(crate) mod testing {
    use hecc_grammar::model::Model;

    /// A convolution and a matrix with a square between them, of 36 and 192 weights.
    pub(crate) fn two_layers(kernel: impl Fn(usize) -> f64, dense: impl Fn(usize) -> f64) -> Model {
        let list = |n: usize, of: &dyn Fn(usize) -> f64| {
            (0..n).map(|i| of(i).to_string()).collect::<Vec<_>>().join(",")
        };
        format!(
            r#"
model 1 "two layers"
c0 : [4,1,3,3] = [{}]
c1 : [64,3] = [{}]
t0 = input : [1,1,4,4] "x"
t1 = conv t0, c0 strides=[1,1] pads_begin=[1,1] pads_end=[1,1] dilations=[1,1] groups=1 : [1,4,4,4] "conv"
t2 = mul t1, t1 : [1,4,4,4] "square"
t3 = reshape t2 : [1,64] "flatten"
t4 = matmul t3, c1 : [1,3] "dense"
output "y" t4
"#,
            list(36, &kernel),
            list(192, &dense)
        )
        .parse()
        .expect("a model")
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::testing::two_layers;
    use super::*;
    use crate::calibrate::Calibration;
    use crate::config::Config;
    use crate::pipeline::{Compiled, compile};

    fn model() -> Model {
        two_layers(|i| (i % 7) as f64 / 8.0 - 0.3, |i| (i % 11) as f64 / 9.0 - 0.5)
    }

    fn compiled(model: &Model) -> Compiled {
        let calibration = Calibration::assumed(model, -1.0, 1.0);
        compile(model, &calibration, &Config::standard()).unwrap()
    }

    fn n_products(compiled: &Compiled) -> usize {
        compiled.packing.schedules.iter().flatten().map(|schedule| schedule.n_products).sum()
    }

    #[test]
    fn groups_are_what_plaintexts_hold() {
        let model = model();
        let whole = compiled(&model);
        let layers = layers(&whole.approximated, &whole.graph, &whole.packing);
        let names: Vec<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
        assert_eq!(names, ["conv", "dense"]);
        assert_eq!(
            layers.iter().map(|layer| layer.n_plaintexts).sum::<usize>(),
            n_products(&whole)
        );
        // Without a group the plan has as many plaintexts less.
        for layer in &layers {
            let constant = Weights::of(&whole.approximated, layer.tensor).unwrap().constant;
            for group in layer.groups.iter().step_by(3) {
                let mut pruned = model.clone();
                let weights = Weights::of(&pruned, layer.tensor).unwrap();
                let mut matrix =
                    Array2::from_shape_vec(weights.size, weights.matrix.to_vec()).unwrap();
                let flat = matrix.as_slice_mut().unwrap();
                group.weights.iter().for_each(|&place| flat[place as usize] = 0.0);
                let array = weights.array(&pruned, &matrix);
                pruned.constants[constant.index()] = array;
                let less = compiled(&pruned);
                assert_eq!(n_products(&whole) - n_products(&less), group.plaintexts.len());
            }
        }
    }
}
