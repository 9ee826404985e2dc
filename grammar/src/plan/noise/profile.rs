//! How errors differ from slot to slot.

use std::rc::Rc;

/// Variances of slots as multiples of what they are in the mean.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    relative: Rc<[f32]>,
    /// The place of slot 0.
    shift: usize,
}

impl Profile {
    /// Of the variances of all slots, with their mean where there are any; `None` if all are none.
    pub(super) fn new(variances: impl Iterator<Item = f64>, mean: f64) -> Option<Profile> {
        let relative = |variance: f64| (variance / mean) as f32;
        (mean > 0.0).then(|| Profile { relative: variances.map(relative).collect(), shift: 0 })
    }

    /// That of one slot.
    pub(super) fn at(&self, slot: usize) -> f64 {
        f64::from(self.relative[(slot + self.shift) & (self.relative.len() - 1)])
    }

    /// With slots moved left, cyclically.
    pub(super) fn moved(self, steps: u32) -> Profile {
        let shift = (self.shift + steps as usize) & (self.relative.len() - 1);
        Profile { shift, ..self }
    }

    /// Of a sum of errors with these variances.
    pub(super) fn of_sum(
        a: (Option<&Profile>, f64),
        b: (Option<&Profile>, f64),
    ) -> Option<Profile> {
        let n = a.0.or(b.0)?.relative.len();
        match (a.0, b.0) {
            (Some(p), Some(q)) if p.is_same(q) => return Some(p.clone()),
            _ if a.1 == 0.0 => return b.0.cloned(),
            _ if b.1 == 0.0 => return a.0.cloned(),
            _ => {}
        }
        let part = |(profile, variance): (Option<&Profile>, f64), slot: usize| {
            variance * profile.map_or(1.0, |profile| profile.at(slot))
        };
        Profile::new((0..n).map(|slot| part(a, slot) + part(b, slot)), a.1 + b.1)
    }

    /// Of an error that each slot has multiplied by more.
    pub(super) fn times(&self, factor: impl Fn(usize) -> f64) -> Option<Profile> {
        let n = self.relative.len();
        let variances: Vec<f64> = (0..n).map(|slot| self.at(slot) * factor(slot)).collect();
        let used = variances.iter().filter(|&&variance| variance > 0.0);
        let mean = used.clone().sum::<f64>() / used.count().max(1) as f64;
        Profile::new(variances.into_iter(), mean)
    }

    /// The mean of squares, of slots that have any.
    pub(super) fn mean_square(&self) -> f64 {
        let used = self.relative.iter().map(|&x| f64::from(x)).filter(|&x| x > 0.0);
        let (sum, count) = used.fold((0.0, 0), |(sum, count), x| (sum + x * x, count + 1));
        sum / f64::from(count.max(1))
    }

    /// That of the slot where it is largest.
    pub(super) fn largest(&self) -> f64 {
        f64::from(self.relative.iter().copied().fold(0.0, f32::max))
    }

    pub(super) fn is_same(&self, other: &Profile) -> bool {
        Rc::ptr_eq(&self.relative, &other.relative) && self.shift == other.shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(variances: [f64; 4]) -> Profile {
        Profile::new(variances.into_iter(), 2.0).unwrap()
    }

    fn all(profile: &Profile) -> Vec<f64> {
        (0..4).map(|slot| profile.at(slot)).collect()
    }

    #[test]
    fn slots_move_and_add_up() {
        let one = profile([0.0, 1.0, 2.0, 5.0]);
        assert_eq!(all(&one), [0.0, 0.5, 1.0, 2.5]);
        let moved = one.clone().moved(1);
        assert_eq!(all(&moved), [0.5, 1.0, 2.5, 0.0]);
        assert_eq!(all(&moved.clone().moved(3)), all(&one));
        let sum = Profile::of_sum((Some(&one), 1.0), (Some(&moved), 3.0)).unwrap();
        assert_eq!(all(&sum), [0.375, 0.875, 2.125, 0.625]);
        assert_eq!(sum.largest(), 2.125);
        assert_eq!(one.mean_square(), 2.5);
        let with_even = Profile::of_sum((None, 1.0), (Some(&one), 1.0)).unwrap();
        assert_eq!(all(&with_even), [0.5, 0.75, 1.0, 1.75]);
        assert_eq!(
            all(&Profile::of_sum((Some(&one), 1.0), (Some(&moved), 0.0)).unwrap()),
            all(&one)
        );
    }
}
