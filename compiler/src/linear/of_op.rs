//! The map of every linear operation of the tensor graph.

use hecc_grammar::model::{Model, Op, Tensor, Window};
use ndarray::ArrayD;

use super::mat_mul::Side;
use super::window::Sliding;
use super::{Convolution, LinearMap, MatMul, Pairs, Pool, Relation, Structure, flatten, unflatten};

/// `result = Σ map · operand + bias`, all flattened in row-major order.
pub struct Affine {
    /// One map for each operand.
    pub terms: Vec<(Tensor, LinearMap)>,
    /// What is added; `None` for nothing.
    pub bias: Option<Vec<f64>>,
}

/// The affine map of the node that computes `tensor`; `None` if it is not linear in its operands.
pub fn affine_of(model: &Model, tensor: Tensor) -> Option<Affine> {
    let shape = model.shape(tensor);
    let n_out = shape.iter().product::<usize>();
    let n_in = |x: Tensor| model.shape(x).iter().product::<usize>();
    let same = || LinearMap::identity(shape);
    let sliding = |x: Tensor, kernel: Vec<usize>, window: &Window| Sliding {
        input: model.shape(x).to_vec(),
        output: shape.to_vec(),
        kernel,
        window: window.clone(),
    };
    let (terms, bias) = match &model.node(tensor).op {
        Op::Input
        | Op::Mul(..)
        | Op::Activation { .. }
        | Op::Polynomial { .. }
        | Op::ChannelPolynomials { .. }
        | Op::Sine { .. }
        | Op::FakeQuant { .. } => return None,
        Op::Conv { x, weight, bias, window, groups } => {
            let bias = bias.map(|bias| channel_bias(model.array(bias), shape));
            let weight = model.array(*weight);
            let kernel = weight.shape()[2..].to_vec();
            let weight = weight.iter().copied().collect();
            let sliding = sliding(*x, kernel, window);
            (
                vec![(
                    *x,
                    LinearMap::convolution(Convolution { sliding, weight, groups: *groups }),
                )],
                bias,
            )
        }
        Op::AveragePool { x, kernel, window, count_include_pad } => {
            let sliding = sliding(*x, kernel.clone(), window);
            (vec![(*x, LinearMap::pool(Pool { sliding, include_pad: *count_include_pad }))], None)
        }
        Op::MatMul { x, weight } => {
            let product = MatMul::new(model.shape(*x), shape, model.array(*weight), Side::Right);
            (vec![(*x, LinearMap::mat_mul(product))], None)
        }
        Op::MatMulLeft { weight, x } => {
            let product = MatMul::new(model.shape(*x), shape, model.array(*weight), Side::Left);
            (vec![(*x, LinearMap::mat_mul(product))], None)
        }
        Op::Add(a, b) => (vec![(*a, same()), (*b, same())], None),
        Op::AddConst(x, c) => {
            let constant = broadcast(model.array(*c), shape);
            (vec![(*x, same())], Some(constant))
        }
        Op::MulConst(x, c) => {
            let factors = broadcast(model.array(*c), shape);
            let structure = structure_of_factors(model.array(*c), &factors, shape);
            (vec![(*x, LinearMap::diagonal(factors).with_structure(Some(structure)))], None)
        }
        Op::Expand(x) => (vec![(*x, expand(model.shape(*x), shape))], None),
        Op::Sum { x, axes, keepdims } => (vec![(*x, sum(model.shape(*x), axes, *keepdims))], None),
        Op::Reshape(x) => (vec![(*x, LinearMap::reshape(model.shape(*x), shape))], None),
        Op::Transpose { x, perm } => {
            let relation = |(to, &from): (usize, &usize)| Relation::same(to, from, shape[to]);
            (
                vec![(
                    *x,
                    by_dimension(model.shape(*x), shape, perm.iter().enumerate().map(relation)),
                )],
                None,
            )
        }
        Op::Slice { x, starts, steps } => {
            let relation = |(dim, &n): (usize, &usize)| {
                let place = |i: usize| (starts[dim] as isize + i as isize * steps[dim]) as usize;
                let relation = Relation::new(dim, dim, Pairs::list((0..n).map(|i| (i, place(i)))));
                relation.sliding(usize::try_from(steps[dim]).unwrap_or(0))
            };
            (
                vec![(
                    *x,
                    by_dimension(model.shape(*x), shape, shape.iter().enumerate().map(relation)),
                )],
                None,
            )
        }
        Op::Pad { x, before, value, .. } => {
            let input = model.shape(*x);
            let relation = |dim: usize| {
                let inside = (0..input[dim]).map(|i| (i + before[dim], i));
                Relation::new(dim, dim, Pairs::list(inside)).sliding(1)
            };
            let map = by_dimension(input, shape, (0..shape.len()).map(relation));
            let outside = |o: usize| if map.row(o).len() == 0 { *value } else { 0.0 };
            let bias = (*value != 0.0).then(|| (0..n_out).map(outside).collect());
            (vec![(*x, map)], bias)
        }
        Op::Gather { x, axis, indices } => {
            let relation = |(dim, &n): (usize, &usize)| match dim == *axis {
                true => Relation::new(dim, dim, Pairs::list(indices.iter().copied().enumerate())),
                false => Relation::same(dim, dim, n),
            };
            (
                vec![(
                    *x,
                    by_dimension(model.shape(*x), shape, shape.iter().enumerate().map(relation)),
                )],
                None,
            )
        }
        Op::Concat { xs, axis } => {
            let mut start = 0;
            let mut part = |x: Tensor| {
                let (first, input) = (start, model.shape(x));
                start += input[*axis];
                let relation = |(dim, &n): (usize, &usize)| {
                    let offset = if dim == *axis { first } else { 0 };
                    Relation::new(dim, dim, Pairs::list((0..n).map(|i| (offset + i, i)))).sliding(1)
                };
                (x, by_dimension(input, shape, input.iter().enumerate().map(relation)))
            };
            (xs.iter().map(|&x| part(x)).collect(), None)
        }
    };
    debug_assert!(terms.iter().all(|(x, m)| m.n_rows() == n_out && m.n_cols() == n_in(*x)));
    Some(Affine { terms, bias })
}

fn broadcast(array: &ArrayD<f64>, shape: &[usize]) -> Vec<f64> {
    let view = array.broadcast(shape).expect("a verified model's constants broadcast");
    view.iter().copied().collect()
}

fn channel_bias(bias: &ArrayD<f64>, shape: &[usize]) -> Vec<f64> {
    let bias: Vec<f64> = bias.iter().copied().collect();
    let spatial: usize = shape[2..].iter().product();
    (0..shape.iter().product()).map(|o| bias[o / spatial % bias.len()]).collect()
}

/// Of products with factors: with values if these change along one dimension only.
fn structure_of_factors(array: &ArrayD<f64>, factors: &[f64], shape: &[usize]) -> Structure {
    let same = Structure::same(shape);
    let skipped = shape.len() - array.ndim();
    let mut along = (0..array.ndim()).filter(|&dim| array.shape()[dim] > 1);
    let (Some(dim), None) = (along.next(), along.next()) else {
        return match factors.first() {
            Some(&factor) if factors.iter().all(|&other| other == factor) && factor != 0.0 => {
                same.scaled(factor)
            }
            Some(_) | None => same.named(),
        };
    };
    let values: Vec<f64> = array.iter().copied().collect();
    if values.contains(&0.0) {
        return same.named();
    }
    let mut relations = same.products.into_iter().next().map_or(vec![], |product| product.0);
    let varying = relations[skipped + dim].clone().valued(values);
    relations[skipped + dim] = varying;
    Structure::of(relations)
}

/// A map that copies, each dimension of the result from one of the operand.
fn by_dimension(
    input: &[usize],
    shape: &[usize],
    relations: impl Iterator<Item = Relation>,
) -> LinearMap {
    let relations: Vec<Relation> = relations.collect();
    let mut sources: Vec<Vec<Option<usize>>> = shape.iter().map(|&n| vec![None; n]).collect();
    for relation in &relations {
        let to = relation.to.expect("every dimension of the result is copied");
        relation.pairs.for_each(|o, i| sources[to][o] = Some(i));
    }
    let (n_out, n_in) = (shape.iter().product(), input.iter().product());
    let source = |o: usize| {
        let out = unflatten(o, shape);
        let mut index = vec![0; input.len()];
        for relation in &relations {
            let to = relation.to?;
            let i = sources[to][out[to]]?;
            if let Some(from) = relation.from {
                index[from] = i;
            }
        }
        Some(flatten(&index, input))
    };
    LinearMap::selection(n_out, n_in, source).with_structure(Some(Structure::of(relations.clone())))
}

fn expand(input: &[usize], shape: &[usize]) -> LinearMap {
    let skipped = shape.len() - input.len();
    let relation = |(to, &n): (usize, &usize)| match to.checked_sub(skipped) {
        Some(from) if input[from] == n => Relation::same(to, from, n),
        Some(_) | None => {
            let pairs = Pairs::list((0..n).map(|i| (i, 0)));
            Relation { from: None, ..Relation::new(to, 0, pairs) }
        }
    };
    by_dimension(input, shape, shape.iter().enumerate().map(relation))
}

/// Sums over axes. Its structure is that of a result without them where they are not kept.
fn sum(input: &[usize], axes: &[usize], keepdims: bool) -> LinearMap {
    let kept: Vec<usize> = (0..input.len()).filter(|d| keepdims || !axes.contains(d)).collect();
    let shape: Vec<usize> =
        kept.iter().map(|d| if axes.contains(d) { 1 } else { input[*d] }).collect();
    let relation = |from: usize| {
        let to = kept.iter().position(|&d| d == from);
        match axes.contains(&from) {
            true => {
                let pairs = Pairs::All { n_out: 1, n_in: input[from] };
                Relation { to, ..Relation::new(0, from, pairs) }
            }
            false => Relation { to, ..Relation::same(0, from, input[from]) },
        }
    };
    let structure = Structure::of((0..input.len()).map(relation).collect());
    let summed: Vec<usize> = axes.iter().map(|&axis| input[axis]).collect();
    let map = LinearMap::from_rows(shape.iter().product(), input.iter().product(), |o, entries| {
        let mut index = vec![0; input.len()];
        kept.iter().zip(unflatten(o, &shape)).for_each(|(&d, i)| index[d] = i);
        for k in 0..summed.iter().product() {
            let inner = unflatten(k, &summed);
            axes.iter().zip(&inner).for_each(|(&axis, &i)| index[axis] = i);
            entries.push((flatten(&index, input) as u32, 1.0));
        }
    });
    map.with_structure(Some(structure))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const OPERATORS: &str = r#"
model 1 "operators"
c0 : [4,1,3,2] = [1,0,7,0.5,2,3, 0,0,1,1,2,1, 1,2,3,4,5,6, 1,1,1,0,1,1]
c1 : [5,4,1,1] = [1,2,0,1, 1,1,1,1, 0,0,0,1, 2,1,1,1, 3,1,2,1]
c2 : [3,2] = [1,2,3,0,5,6]
c3 : [3,2] = [1,2,3,4,5,6]
c4 : [5,1,1] = [1,2,0.5,4,1]
c5 : [2,2,1,1] = [1,2,3,4]
t0 = input : [1,2,6,7] "x"
t1 = conv t0, c0 strides=[2,1] pads_begin=[1,0] pads_end=[1,1] dilations=[1,2] groups=2 : [1,4,3,6] "grouped"
t2 = conv t1, c1 strides=[1,1] pads_begin=[0,0] pads_end=[0,0] dilations=[1,1] groups=1 : [1,5,3,6] "pointwise"
t3 = mul t2, c4 : [1,5,3,6] "scaled"
t4 = average_pool t3 kernel=[2,3] strides=[1,2] pads_begin=[0,1] pads_end=[1,0] dilations=[1,1] count_include_pad=false : [1,5,3,3] "pool"
t5 = matmul t4, c2 : [1,5,3,2] "right"
t6 = transpose t5 perm=[0,2,1,3] : [1,3,5,2] "transpose"
t7 = slice t6 starts=[0,2,0,0] steps=[1,-2,2,1] : [1,2,3,2] "slice"
t8 = pad t7 before=[0,1,0,0] after=[0,0,2,0] value=0 : [1,3,5,2] "pad"
t9 = gather t8 axis=1 indices=[2,0] : [1,2,5,2] "gather"
t10 = concat t9, t9 axis=2 : [1,2,10,2] "concat"
t11 = sum t10 axes=[2] keepdims=false : [1,2,2] "sum"
t12 = sum t10 axes=[1,3] keepdims=true : [1,1,10,1] "sum kept"
t13 = reshape t12 : [10,1] "drop dimensions"
t14 = expand t11 : [3,2,2] "expand"
t15 = reshape t10 : [1,4,10] "mix dimensions"
t16 = conv t9, c5 strides=[1,1] pads_begin=[0,0] pads_end=[0,0] dilations=[1,1] groups=1 : [1,2,5,2] "dense channels"
t17 = add t16, t9 : [1,2,5,2] "residual"
t18 = matmul c3, t11 : [1,3,2] "left"
output "a" t13
output "b" t14
output "c" t15
output "d" t17
output "e" t18
"#;

    fn model() -> Model {
        hecc_grammar::model::parse(OPERATORS, &mut |_| None).expect("the text is a model")
    }

    /// Result and operand of every pair that a structure names, with its value.
    fn entries(
        structure: &Structure,
        output: &[usize],
        input: &[usize],
    ) -> BTreeMap<(usize, usize), f64> {
        let mut all = BTreeMap::new();
        for product in &structure.products {
            let start = (vec![0; output.len()], vec![0; input.len()], 1.0);
            let mut indices = vec![start];
            for relation in &product.0 {
                let (mut next, mut k) = (vec![], 0);
                relation.pairs.for_each(|o, i| {
                    for (mut to, mut from, value) in indices.clone() {
                        relation.to.into_iter().for_each(|dim| to[dim] = o);
                        relation.from.into_iter().for_each(|dim| from[dim] = i);
                        next.push((to, from, value * relation.value(k)));
                    }
                    k += 1;
                });
                indices = next;
            }
            for (to, from, value) in indices {
                let value = value * structure.factor.unwrap_or(1.0);
                let before = all.insert((flatten(&to, output), flatten(&from, input)), value);
                assert!(before.is_none() || structure.factor.is_none(), "in two products");
            }
        }
        all
    }

    #[test]
    fn structures_name_the_entries_of_operators_and_of_their_compositions() {
        let model = model();
        // Every tensor as a map of an earlier one, where it is a single one.
        let mut maps: Vec<Vec<(Tensor, LinearMap)>> = vec![];
        let (mut checked, mut valued) = (0, 0);
        for (tensor, _) in model.tensors() {
            let mut own = vec![(tensor, LinearMap::identity(model.shape(tensor)))];
            for (x, map) in affine_of(&model, tensor).map_or(vec![], |affine| affine.terms) {
                let map = map.scaled(0.75);
                let composed =
                    maps[x.index()].iter().map(|(from, inner)| (*from, map.after(inner)));
                own.extend(composed.collect::<Vec<_>>());
            }
            // The same with other values: by an index, by every index, as multiples of a unit.
            let (shape, n) = (model.shape(tensor), model.shape(tensor).iter().product());
            let factors: [fn(&[usize]) -> f64; 2] =
                [|at| 1.0 + at[1] as f64, |at| 1.0 + at.iter().sum::<usize>() as f64];
            let revalued = own.iter().flat_map(|(from, map)| {
                let scaled = factors.map(|factor| {
                    let factors = (0..n).map(|o| factor(&unflatten(o, shape))).collect();
                    map.with_rows_scaled(factors, shape)
                });
                scaled
                    .into_iter()
                    .chain([map.in_units(vec![1.0 / 65536.0; n])])
                    .map(|map| (*from, map))
            });
            let revalued: Vec<(Tensor, LinearMap)> = revalued.collect();
            for (from, map) in own.iter().chain(&revalued) {
                let Some(structure) = map.structure() else { continue };
                let named = entries(structure, model.shape(tensor), model.shape(*from));
                let rows =
                    (0..map.n_rows()).flat_map(|o| map.row(o).map(move |(i, x)| ((o, i), x)));
                let rows: BTreeMap<(usize, usize), f64> = rows.collect();
                // All weights are positive, so that none cancel.
                let differ = named.keys().filter(|place| !rows.contains_key(place));
                let differ = differ.chain(rows.keys().filter(|place| !named.contains_key(place)));
                assert_eq!(differ.take(5).count(), 0, "{tensor:?} of {from:?}");
                checked += 1;
                if structure.factor.is_some() {
                    for (place, value) in rows {
                        let error = (named[&place] - value).abs();
                        assert!(error < 1e-12 * value, "{tensor:?} of {from:?} at {place:?}");
                    }
                    valued += 1;
                }
            }
            maps.push(own);
        }
        assert!(checked > 850 && valued > 420, "{checked}, with values {valued}");
    }

    #[test]
    fn convolutions_slide() {
        let model = model();
        let slides = |name: &str| {
            let found = model.tensors().find(|(_, node)| node.name == name);
            let tensor = found.expect("the model has the node").0;
            let affine = affine_of(&model, tensor).expect("the node is linear");
            affine.terms[0].1.structure()?.slides(model.shape(tensor).len())
        };
        let spatial = |h: u32, w: u32| vec![Some((0, 0)), None, Some((2, h)), Some((3, w))];
        assert_eq!(slides("grouped"), Some(spatial(1, 0)));
        assert_eq!(
            slides("transpose"),
            Some(vec![Some((0, 0)), Some((2, 0)), Some((1, 0)), Some((3, 0))])
        );
        assert_eq!(slides("slice"), Some(vec![Some((0, 0)), None, Some((2, 1)), Some((3, 0))]));
        assert_eq!(slides("mix dimensions"), None);
    }
}
