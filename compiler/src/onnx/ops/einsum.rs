//! `Einsum`: operands are multiplied two at a time, over the letters that they share.
//!
//! Letters of one operand that nothing else needs are summed first. A constant factor is a stack of matrices; two
//! encrypted ones are multiplied elementwise and summed.

use hecc_grammar::model::Tensor;
use ndarray::Dimension;

use crate::onnx::builder::Builder;
use crate::onnx::error::{Refused, refuse};
use crate::onnx::importer::Importer;
use crate::onnx::node::{Node, Operand};
use crate::onnx::value::Value;
use crate::onnx::value::Weight;

pub(super) const EINSUM: Importer = Importer {
    op_type: "Einsum",
    since: 12,
    supported: "`equation`, with ellipses and repeated letters; constant and encrypted operands",
    refused: "",
    import,
};

/// A dimension's letter; those that an ellipsis stands for are numbered from the last, from [`ELLIPSIS`] on.
type Letter = u32;

const ELLIPSIS: Letter = 1 << 16;

/// A tensor whose dimensions have letters.
struct Term {
    x: Tensor,
    letters: Vec<Letter>,
}

/// A constant whose dimensions have letters.
struct Factor {
    array: ndarray::ArrayD<f64>,
    letters: Vec<Letter>,
}

fn import(node: &mut Node<'_>, model: &mut Builder) -> Result<Vec<Value>, Refused> {
    let equation = node.attr::<String>("equation")?.unwrap_or_default();
    let equation: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (&equation[..], None),
    };
    let inputs: Vec<&str> = left.split(',').collect();
    if inputs.len() != node.n_inputs() {
        let (found, n) = (inputs.len(), node.n_inputs());
        return Err(refuse(format!("`{equation}` has {found} operands, the node {n}")));
    }
    let (mut terms, mut factors) = (vec![], vec![]);
    for (i, input) in inputs.iter().enumerate() {
        match node.operand(i, model)? {
            Operand::Tensor(x) => {
                let letters = letters(input, model.model.shape(x).len())?;
                terms.push(diagonal(Term { x, letters }, model)?);
            }
            Operand::Constant(c) => {
                let letters = letters(input, c.shape().len())?;
                factors.push(distinct(Factor { array: c.into_array(), letters })?);
            }
        }
    }
    let result = result_letters(right, &terms, &factors)?;
    let product = product(terms, factors, &result, model)?;
    Ok(vec![arranged(product, &result, model)?.into()])
}

/// The letters of an operand of the given rank.
fn letters(text: &str, rank: usize) -> Result<Vec<Letter>, Refused> {
    let wrong = || refuse(format!("`{text}` for an operand of {rank} dimensions"));
    let plain = |part: &str| -> Result<Vec<Letter>, Refused> {
        let is_letter = part.chars().all(|c| c.is_ascii_alphabetic());
        is_letter.then(|| part.chars().map(u32::from).collect()).ok_or_else(wrong)
    };
    let Some((before, after)) = text.split_once("...") else {
        return plain(text).and_then(|all| if all.len() == rank { Ok(all) } else { Err(wrong()) });
    };
    let (before, after) = (plain(before)?, plain(after)?);
    let hidden = rank.checked_sub(before.len() + after.len()).ok_or_else(wrong)?;
    let ellipsis = (0..hidden as u32).rev().map(|i| ELLIPSIS + i);
    Ok(before.into_iter().chain(ellipsis).chain(after).collect())
}

/// The letters of the result; without an arrow those that occur once, in alphabetical order, after the ellipsis.
fn result_letters(
    right: Option<&str>,
    terms: &[Term],
    factors: &[Factor],
) -> Result<Vec<Letter>, Refused> {
    let lists = terms.iter().map(|t| &t.letters).chain(factors.iter().map(|f| &f.letters));
    let mut all: Vec<Letter> = lists.flatten().copied().collect();
    all.sort_unstable();
    let hidden =
        all.iter().filter(|l| **l >= ELLIPSIS).map(|l| l - ELLIPSIS + 1).max().unwrap_or(0);
    let Some(right) = right else {
        let once = |l: &&Letter| **l < ELLIPSIS && all.iter().filter(|m| m == l).count() == 1;
        let ellipsis = (0..hidden).rev().map(|i| ELLIPSIS + i);
        return Ok(ellipsis.chain(all.iter().filter(once).copied()).collect());
    };
    let n_plain = right.replace("...", "").chars().count();
    let rank = n_plain + if right.contains("...") { hidden as usize } else { 0 };
    let result = letters(right, rank)?;
    let mut distinct = result.clone();
    distinct.sort_unstable();
    distinct.dedup();
    match result.iter().find(|l| !all.contains(l)) {
        None if distinct.len() == result.len() => Ok(result),
        Some(_) | None => Err(refuse(format!("`{right}` repeats a letter, or no operand has it"))),
    }
}

/// Keeps the elements whose indices agree where a letter is repeated.
fn diagonal(term: Term, model: &mut Builder) -> Result<Term, Refused> {
    let Term { x, letters } = term;
    let Some((first, second)) = repeated(&letters) else { return Ok(Term { x, letters }) };
    let shape = model.shape(x);
    if shape[first] != shape[second] {
        return Err(refuse(format!("a letter stands for two extents of {shape:?}")));
    }
    let count: usize = shape.iter().product();
    let positions = ndarray::Array1::from_iter((0..count).map(|i| i as f64)).into_dyn();
    let positions = positions.into_shape_with_order(shape).map_err(|e| refuse(e.to_string()))?;
    let picked = diagonal_of(&positions, first, second);
    let to = picked.shape().to_vec();
    let x = model.pick(x, picked.iter().map(|&v| v as usize).collect(), to)?;
    diagonal(Term { x, letters: without(&letters, second) }, model)
}

fn distinct(factor: Factor) -> Result<Factor, Refused> {
    let Factor { array, letters } = factor;
    let Some((first, second)) = repeated(&letters) else { return Ok(Factor { array, letters }) };
    if array.shape()[first] != array.shape()[second] {
        let shape = array.shape();
        return Err(refuse(format!("a letter stands for two extents of {shape:?}")));
    }
    let array = diagonal_of(&array, first, second);
    distinct(Factor { array, letters: without(&letters, second) })
}

fn repeated(letters: &[Letter]) -> Option<(usize, usize)> {
    let second = (0..letters.len()).find(|&i| letters[..i].contains(&letters[i]))?;
    let first = letters.iter().position(|l| *l == letters[second])?;
    Some((first, second))
}

fn without(letters: &[Letter], at: usize) -> Vec<Letter> {
    letters.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, l)| *l).collect()
}

fn diagonal_of(array: &ndarray::ArrayD<f64>, first: usize, second: usize) -> ndarray::ArrayD<f64> {
    let mut shape = array.shape().to_vec();
    shape.remove(second);
    ndarray::ArrayD::from_shape_fn(shape, |at| {
        let mut index = at.slice().to_vec();
        index.insert(second, at[first]);
        array[ndarray::IxDyn(&index)]
    })
}

/// Multiplies everything; the dimensions of the product are some of `result`'s, in any order.
fn product(
    terms: Vec<Term>,
    factors: Vec<Factor>,
    result: &[Letter],
    model: &mut Builder,
) -> Result<Term, Refused> {
    let mut rest: Vec<Vec<Letter>> = terms.iter().skip(1).map(|t| t.letters.clone()).collect();
    rest.extend(factors.iter().map(|f| f.letters.clone()));
    rest.reverse();
    let mut terms = terms.into_iter();
    let mut product = terms.next().ok_or_else(|| refuse("no operand is encrypted"))?;
    // What later operands or the result still need.
    let needed = |rest: &[Vec<Letter>], letter: &Letter| {
        result.contains(letter) || rest.iter().any(|letters| letters.contains(letter))
    };
    product = summed(product, |l| needed(&rest, l), model)?;
    for other in terms {
        rest.pop();
        let both = times_encrypted(product, other, model)?;
        product = summed(both, |l| needed(&rest, l), model)?;
    }
    for factor in factors {
        rest.pop();
        product = times_constant(product, factor, |l| needed(&rest, l), model)?;
    }
    Ok(product)
}

/// Sums over the letters that nobody needs.
fn summed(
    term: Term,
    is_needed: impl Fn(&Letter) -> bool,
    model: &mut Builder,
) -> Result<Term, Refused> {
    let axes: Vec<usize> =
        (0..term.letters.len()).filter(|&i| !is_needed(&term.letters[i])).collect();
    if axes.is_empty() {
        return Ok(term);
    }
    let x = model.sum(term.x, axes, false)?;
    Ok(Term { x, letters: term.letters.into_iter().filter(is_needed).collect() })
}

fn times_encrypted(a: Term, b: Term, model: &mut Builder) -> Result<Term, Refused> {
    let mut letters = a.letters.clone();
    letters.extend(b.letters.iter().filter(|l| !a.letters.contains(l)));
    let (a, b) = (widened(a, &letters, model)?, widened(b, &letters, model)?);
    Ok(Term { x: model.mul(a, b)?, letters })
}

/// The tensor with a dimension for each letter, of length 1 for those that it has not.
fn widened(term: Term, letters: &[Letter], model: &mut Builder) -> Result<Tensor, Refused> {
    let own: Vec<Letter> = letters.iter().copied().filter(|l| term.letters.contains(l)).collect();
    let x = arranged(Term { x: term.x, letters: term.letters }, &own, model)?;
    let shape = model.shape(x);
    let mut extents = own.iter().zip(shape).peekable();
    let wide = letters.iter().map(|letter| match extents.next_if(|(own, _)| *own == letter) {
        Some((_, extent)) => extent,
        None => 1,
    });
    let wide = wide.collect();
    model.reshape(x, wide)
}

/// `[both.., kept, summed] · [both.., summed, new]`: letters that both have and somebody needs are a stack of matrices.
fn times_constant(
    term: Term,
    factor: Factor,
    is_needed: impl Fn(&Letter) -> bool,
    model: &mut Builder,
) -> Result<Term, Refused> {
    let factor = with_sums(factor, &term.letters, &is_needed);
    let in_factor = |l: &Letter| factor.letters.contains(l);
    let pick = |letters: &[Letter], keep: &dyn Fn(&Letter) -> bool| -> Vec<Letter> {
        letters.iter().copied().filter(keep).collect()
    };
    let both = pick(&term.letters, &|l| in_factor(l) && is_needed(l));
    let kept = pick(&term.letters, &|l| !in_factor(l));
    let gone = pick(&term.letters, &|l| in_factor(l) && !is_needed(l));
    let new = pick(&factor.letters, &|l| !term.letters.contains(l));
    let extent_of = |letter: Letter, model: &Builder| {
        let own = term.letters.iter().position(|l| *l == letter).map(|i| model.shape(term.x)[i]);
        let other = factor.letters.iter().position(|l| *l == letter);
        let other = other.map(|i| factor.array.shape()[i]);
        match (own, other) {
            (Some(a), Some(b)) if a == b || b == 1 => Ok(a),
            (Some(1), Some(b)) => Ok(b),
            (Some(a), Some(b)) => Err(refuse(format!("a letter stands for {a} and for {b}"))),
            (own, other) => Ok(own.or(other).unwrap_or(1)),
        }
    };
    let extents = |letters: &[Letter], model: &Builder| {
        letters.iter().map(|&l| extent_of(l, model)).collect::<Result<Vec<usize>, Refused>>()
    };
    let count = |extents: &[usize]| extents.iter().product::<usize>();
    let (b, k, g, n) = (
        extents(&both, model)?,
        extents(&kept, model)?,
        extents(&gone, model)?,
        extents(&new, model)?,
    );
    let order = [&both[..], &kept, &gone].concat();
    let x = arranged(Term { x: term.x, letters: term.letters.clone() }, &order, model)?;
    let x = model.expand(x, [&b[..], &k, &g].concat())?;
    let stack =
        |rows: &[usize], columns: &[usize]| [&b[..], &[count(rows), count(columns)]].concat();
    let x = model.reshape(x, stack(&k, &g))?;
    let weight =
        matrix_of(&factor, &[&both[..], &gone, &new].concat(), &[&b[..], &g, &n].concat())?;
    let weight = weight.into_shape_with_order(stack(&g, &n)).map_err(|e| refuse(e.to_string()))?;
    let y = model.mat_mul(x, Weight::plain(weight))?;
    let y = model.reshape(y, [&b[..], &k, &n].concat())?;
    Ok(Term { x: y, letters: [&both[..], &kept, &new].concat() })
}

/// The factor summed over letters that it alone has and nobody needs.
fn with_sums(factor: Factor, others: &[Letter], is_needed: impl Fn(&Letter) -> bool) -> Factor {
    let is_alone = |l: &Letter| !others.contains(l) && !is_needed(l);
    let Some(axis) = factor.letters.iter().position(is_alone) else { return factor };
    let array = factor.array.sum_axis(ndarray::Axis(axis));
    let letters = without(&factor.letters, axis);
    with_sums(Factor { array, letters }, others, is_needed)
}

/// The factor with its dimensions in the given order and broadcast to the given extents.
fn matrix_of(
    factor: &Factor,
    order: &[Letter],
    extents: &[usize],
) -> Result<ndarray::ArrayD<f64>, Refused> {
    let at = |letter: &Letter| factor.letters.iter().position(|l| l == letter);
    let axes = order.iter().map(at).collect::<Option<Vec<usize>>>();
    let axes = axes.ok_or_else(|| refuse("an operand lacks a letter that it shares"))?;
    let array = factor.array.view().permuted_axes(axes);
    let array = array.broadcast(extents);
    Ok(array.ok_or_else(|| refuse("operands do not broadcast"))?.as_standard_layout().into_owned())
}

/// The tensor with its dimensions in the order of `letters`.
fn arranged(term: Term, letters: &[Letter], model: &mut Builder) -> Result<Tensor, Refused> {
    let at = |letter: &Letter| term.letters.iter().position(|l| l == letter);
    let perm = letters.iter().map(at).collect::<Option<Vec<usize>>>();
    let perm = perm.ok_or_else(|| refuse("the result has a letter that no operand has"))?;
    model.transpose(term.x, perm)
}

#[cfg(test)]
mod tests {
    use crate::onnx::testing::{Attr, Case};

    fn einsum(equation: &str, shape: &[i64], constant: &[i64]) -> Case {
        let n = constant.iter().product::<i64>();
        let values: Vec<f32> = (1..=n).map(|v| v as f32).collect();
        let case = Case::new(13, shape).floats("c", constant, &values);
        let inputs = if equation.contains(',') { "x c" } else { "x" };
        case.node("Einsum", inputs, "y", &[("equation", Attr::Text(equation))])
    }

    #[test]
    fn constants_are_matrices() {
        let x = [1.0, 10.0];
        assert_eq!(einsum("bi,ij->bj", &[1, 2], &[2, 2]).result(&x).1, [31.0, 42.0]);
        assert_eq!(einsum("bi,ij->jb", &[1, 2], &[2, 2]).result(&x).0, [2, 1]);
        assert_eq!(einsum("bi, ij", &[1, 2], &[2, 2]).result(&x).1, [31.0, 42.0]);
        assert_eq!(einsum("i,j->ij", &[2], &[2]).result(&x).1, [1.0, 2.0, 10.0, 20.0]);
        assert_eq!(einsum("i,i->i", &[2], &[2]).result(&x).1, [1.0, 20.0]);
        assert_eq!(einsum("...i,ij->...", &[2, 1], &[1, 2]).result(&x).1, [3.0, 30.0]);
        let stack = einsum("bhi,hij->bhj", &[1, 2, 1], &[2, 1, 2]).result(&x);
        assert_eq!(stack, (vec![1, 2, 2], vec![1.0, 2.0, 30.0, 40.0]));
    }

    #[test]
    fn one_operand_or_two_encrypted() {
        let x = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(einsum("ii->i", &[2, 2], &[1]).result(&x), (vec![2], vec![1.0, 4.0]));
        assert_eq!(einsum("ij->ji", &[2, 2], &[1]).result(&x).1, [1.0, 3.0, 2.0, 4.0]);
        assert_eq!(einsum("ij->i", &[2, 2], &[1]).result(&x).1, [3.0, 7.0]);
        let both = Case::new(13, &[2, 2]).node(
            "Einsum",
            "x x x",
            "y",
            &[("equation", Attr::Text("ij,kj,ik->"))],
        );
        assert_eq!(both.result(&x).1, [5.0 + 2.0 * 11.0 + 3.0 * 11.0 + 4.0 * 25.0]);
    }

    #[test]
    fn equations_must_fit() {
        assert!(einsum("bi,ij->bk", &[1, 2], &[2, 2]).error().contains("no operand has it"));
        assert!(einsum("bii,ij->bj", &[1, 2], &[2, 2]).error().contains("2 dimensions"));
        assert!(einsum("bi,ij->bj", &[1, 2], &[3, 2]).error().contains("stands for 2 and for 3"));
        assert!(einsum("b1->b", &[1, 2], &[2, 2]).error().contains("`b1`"));
        assert!(einsum("ii->i", &[1, 2], &[2, 2]).error().contains("two extents"));
    }
}
