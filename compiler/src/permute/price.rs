//! What a plan takes for where the units of a network are.
//!
//! A plaintext is multiplied if any weight that it holds is not zero, an operand is rotated by a baby step if any plaintext that
//! is multiplied with it is left, a sum by a giant step likewise. Each of these has a price, and is paid for once.

use std::collections::HashMap;

use hecc_grammar::cost::{Costs, Shape};
use hecc_grammar::model::{Model, Tensor};

use crate::analysis::groups::{self, Held, Plaintext};
use crate::graph::{Graph, NodeId};
use crate::layout::{Schedule, Shift};
use crate::lower::Choice;
use crate::units::Axes;
use crate::units::Weights;

/// What is paid for if any weight needs it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Resource {
    /// Of a step.
    Product(NodeId, Plaintext),
    /// Of a step's operand and one of its ciphertexts, by so many slots.
    Baby(NodeId, (NodeId, usize, u32)),
    /// Of one of a step's ciphertexts.
    Giant(NodeId, (usize, Shift)),
}

/// The place of a weight: that of its operand's and result's units, and where it is within these.
#[derive(Clone, Copy)]
pub(super) struct Weight {
    /// The units of result and operand, or their elements where these stay in place.
    pub(super) units: [u32; 2],
    /// Where it is if both units come first.
    base: u32,
}

/// Weights that are not zero, and what each needs for where its units are.
pub(super) struct Layer {
    /// The axes of result and operand, with the distance of weights of one unit to those of the next.
    pub(super) sides: [Option<(usize, u32)>; 2],
    /// Units of result and operand, or elements.
    pub(super) lengths: [usize; 2],
    pub(super) weights: Vec<Weight>,
    /// By place, where its resources begin.
    starts: Vec<u32>,
    resources: Vec<u32>,
}

/// A network, its weights and the price of what they need.
pub(super) struct Prices {
    /// Units of each axis.
    pub(super) sizes: Vec<usize>,
    pub(super) layers: Vec<Layer>,
    /// Seconds of each resource.
    pub(super) seconds: Vec<f64>,
}

impl Weight {
    pub(super) fn new(units: [u32; 2], base: u32) -> Weight {
        Weight { units, base }
    }
}

impl Layer {
    /// A layer of so many units or elements, with the resources of each place.
    pub(super) fn new(
        sides: [Option<(usize, u32)>; 2],
        lengths: [usize; 2],
        weights: Vec<Weight>,
        by_place: impl Iterator<Item = Vec<u32>>,
    ) -> Layer {
        let (mut starts, mut resources) = (vec![0], vec![]);
        for own in by_place {
            resources.extend(own);
            starts.push(resources.len() as u32);
        }
        Layer { sides, lengths, weights, starts, resources }
    }

    /// What a weight needs where the units of its result and its operand are at these places.
    pub(super) fn resources(&self, weight: Weight, places: [u32; 2]) -> &[u32] {
        let along = |side: usize| self.sides[side].map_or(0, |(_, stride)| places[side] * stride);
        let place = (weight.base + along(0) + along(1)) as usize;
        &self.resources[self.starts[place] as usize..self.starts[place + 1] as usize]
    }
}

impl Prices {
    /// Of a packed network; `held` says where weights are, wherever there could be one.
    pub(super) fn new(
        model: &Model,
        axes: &Axes,
        held: Vec<Held>,
        packed: (&Graph, &Choice),
        costs: &Costs,
    ) -> Prices {
        let mut numbers = Numbers { packed, costs, known: HashMap::new(), seconds: vec![] };
        let layers = held.into_iter().map(|held| {
            let signatures = held.weights.into_iter();
            let resources =
                signatures.map(|(signature, place)| (place, numbers.of(held.step, &signature)));
            layer(model, axes, held.tensor, resources)
        });
        let layers = layers.collect();
        Prices { sizes: axes.sizes.clone(), layers, seconds: numbers.seconds }
    }

    /// One for each plaintext, and nothing else, of a network whose weights fall into these groups.
    pub(super) fn of_plaintexts(model: &Model, axes: &Axes, groups: &[groups::Layer]) -> Prices {
        let mut n_before = 0;
        let layers = groups.iter().map(|own| {
            let (mut resources, mut n) = (vec![], 0);
            for group in own.groups.iter().chain(&own.empty) {
                let numbers: Vec<u32> = group.plaintexts.iter().map(|p| n_before + p).collect();
                n = group.plaintexts.iter().fold(n, |n, p| n.max(p + 1));
                resources.extend(group.weights.iter().map(|&place| (place, numbers.clone())));
            }
            n_before += n;
            layer(model, axes, own.tensor, resources.into_iter())
        });
        let layers = layers.collect();
        Prices { sizes: axes.sizes.clone(), layers, seconds: vec![1.0; n_before as usize] }
    }
}

/// A layer whose weights need these resources, by place.
fn layer(
    model: &Model,
    axes: &Axes,
    tensor: Tensor,
    resources: impl Iterator<Item = (u32, Vec<u32>)>,
) -> Layer {
    let weights = Weights::of(model, tensor).expect("what has groups has weights");
    let (n_out, n_features) = weights.size;
    let (operand, n_taps) = (model.node(tensor).op.operands()[0], weights.n_taps());
    let sides = [(tensor, n_features), (operand, n_taps)].map(|(tensor, stride)| {
        let along = axes.along(tensor, weights.axis)?;
        Some((along.axis, (along.block * stride) as u32))
    });
    let elements = [n_features, n_taps];
    let lengths = [(0, n_out), (1, n_features / n_taps)]
        .map(|(side, n): (usize, usize)| sides[side].map_or(n, |(axis, _)| axes.sizes[axis]));
    let unit = |side: usize, offset: usize| match sides[side] {
        Some((_, stride)) => (offset as u32 / stride, offset as u32 % stride),
        None => ((offset / elements[side]) as u32, offset as u32),
    };
    let weight = |(place, _): (usize, &f64)| {
        let (o, base_out) = unit(0, place / n_features * n_features);
        let (i, base_in) = unit(1, place % n_features);
        Weight::new([o, i], base_out + base_in)
    };
    let kept = weights.matrix.iter().enumerate().filter(|(_, weight)| **weight != 0.0);
    let kept = kept.map(weight).collect();
    let mut by_place = vec![vec![]; n_out * n_features];
    resources.for_each(|(place, own)| by_place[place as usize] = own);
    Layer::new(sides, lengths, kept, by_place.into_iter())
}

/// Resources by number.
struct Numbers<'a> {
    packed: (&'a Graph, &'a Choice),
    costs: &'a Costs,
    known: HashMap<Resource, u32>,
    seconds: Vec<f64>,
}

impl Numbers<'_> {
    /// Of what the plaintexts of a step need.
    fn of(&mut self, step: NodeId, signature: &[Plaintext]) -> Vec<u32> {
        let (_, choice) = self.packed;
        let Some(schedule) = choice.packing.schedules[step.0] else { return vec![] };
        let mut numbers = vec![];
        for &plaintext in signature {
            let (source, (out, input), shift) = plaintext;
            let period = choice.packing.layouts[source.0].period().columns;
            let (baby, giant) = schedule.split(shift, period);
            let product = Resource::Product(step, plaintext);
            numbers.push(self.number(product, &schedule));
            if baby != 0 {
                let rotated = Resource::Baby(step, (source, input, baby));
                numbers.push(self.number(rotated, &schedule));
            }
            if giant != Shift::default() {
                let moved = Resource::Giant(step, (out, giant));
                numbers.push(self.number(moved, &schedule));
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    fn number(&mut self, resource: Resource, schedule: &Schedule) -> u32 {
        if let Some(&known) = self.known.get(&resource) {
            return known;
        }
        self.known.insert(resource, self.seconds.len() as u32);
        let seconds = self.price(resource, schedule);
        self.seconds.push(seconds);
        self.seconds.len() as u32 - 1
    }

    fn price(&self, resource: Resource, schedule: &Schedule) -> f64 {
        let costs = self.costs;
        let (inside, outside) = match schedule.extended {
            true => (0.0, 1.0),
            false => (1.0, 0.0),
        };
        match resource {
            Resource::Product(step, _) => self.shape(step).dot_term(costs, schedule.extended),
            Resource::Baby(step, _) => {
                let shape = self.shape(step);
                shape.apply_key(costs) + inside * shape.mod_down(costs)
            }
            Resource::Giant(step, _) => {
                let shape = self.shape(step);
                let moves = shape.decompose(costs) + shape.apply_key(costs);
                moves + outside * shape.mod_down(costs)
            }
        }
    }

    /// Of the operands of a step.
    fn shape(&self, step: NodeId) -> Shape {
        let (graph, Choice { ladder, levels, .. }) = self.packed;
        let operands = graph.node(step).step.operands();
        let level = operands.iter().map(|operand| levels[operand.0]).min();
        let level = level.unwrap_or(levels[step.0]).min(levels[step.0] + 1);
        Shape::new(&ladder.params, ladder.limbs(level).len())
    }
}
