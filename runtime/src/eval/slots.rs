//! Arithmetic on slots in the clear. Imaginary parts cost nothing where there are none.

use hecc_grammar::plan::Slots;

fn zip(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()
}

fn map(a: &Slots, f: impl Fn(f64) -> f64 + Copy) -> Slots {
    let part = |part: &Vec<f64>| part.iter().map(|&x| f(x)).collect();
    Slots { re: part(&a.re), im: a.im.as_ref().map(part) }
}

/// `a + sign·b`.
pub(super) fn add(a: &Slots, b: &Slots, sign: f64) -> Slots {
    let im = match (&a.im, &b.im) {
        (None, None) => None,
        (Some(im), None) => Some(im.clone()),
        (None, Some(im)) => Some(im.iter().map(|x| sign * x).collect()),
        (Some(a), Some(b)) => Some(zip(a, b, |a, b| a + sign * b)),
    };
    Slots { re: zip(&a.re, &b.re, |a, b| a + sign * b), im }
}

/// `factor·a`.
pub(super) fn scale(a: &Slots, factor: f64) -> Slots {
    map(a, |x| factor * x)
}

/// `a + c`, c real.
pub(super) fn shift(a: &Slots, c: f64) -> Slots {
    Slots { re: a.re.iter().map(|x| x + c).collect(), im: a.im.clone() }
}

/// `a·b`.
pub(super) fn product(a: &Slots, b: &Slots) -> Slots {
    let mut result = Slots::real(vec![0.0; a.re.len()]);
    add_product(&mut result, a, b);
    result
}

/// `sum += a·b`.
pub(super) fn add_product(sum: &mut Slots, a: &Slots, b: &Slots) {
    if let (Some(a_im), Some(b_im)) = (&a.im, &b.im) {
        sum.im_mut();
        let Slots { re, im: Some(im) } = sum else {
            unreachable!("there is an imaginary part now")
        };
        let (a, b) = (a.re.iter().zip(a_im), b.re.iter().zip(b_im));
        // One pass: sums of this kind wait for memory.
        for (((re, im), (a_re, a_im)), (b_re, b_im)) in re.iter_mut().zip(im).zip(a).zip(b) {
            *re += a_re * b_re - a_im * b_im;
            *im += a_re * b_im + a_im * b_re;
        }
        return;
    }
    accumulate(&mut sum.re, &a.re, &b.re);
    if let Some(b) = &b.im {
        accumulate(sum.im_mut(), &a.re, b);
    }
    if let Some(a) = &a.im {
        accumulate(sum.im_mut(), a, &b.re);
    }
}

fn accumulate(sum: &mut [f64], a: &[f64], b: &[f64]) {
    sum.iter_mut().zip(a).zip(b).for_each(|((sum, a), b)| *sum += a * b);
}

/// `sum += c·a`, c real.
pub(super) fn add_scaled(sum: &mut Slots, a: &Slots, c: f64) {
    sum.re.iter_mut().zip(&a.re).for_each(|(sum, a)| *sum += c * a);
    if let Some(im) = &a.im {
        sum.im_mut().iter_mut().zip(im).for_each(|(sum, a)| *sum += c * a);
    }
}

/// Slots moved left by `steps`, cyclically.
pub(super) fn rotate(a: &Slots, steps: usize) -> Slots {
    let part = |part: &Vec<f64>| {
        let (first, rest) = part.split_at(steps);
        [rest, first].concat()
    };
    Slots { re: part(&a.re), im: a.im.as_ref().map(part) }
}

/// Complex conjugates.
pub(super) fn conjugate(a: &Slots) -> Slots {
    Slots { re: a.re.clone(), im: a.im.as_ref().map(|im| im.iter().map(|x| -x).collect()) }
}
