//! Rotations without keys of their own, where memory is short: each is two others, one after the other.
//!
//! Before: every amount of slots that something rotates by has a key. After: keys and values take no more than the limit, or no key is
//! left that two others can stand in for. Keys that are used least go first. A rotation without a key costs one more key switch,
//! shared by all rotations of a value that begin alike, and adds its noise.

use std::collections::HashMap;

use hecc_grammar::cost;
use hecc_grammar::plan::{Key, KeyUse, Op, Params, Plan, Rewriter, TypeError, Value};

use super::eliminate_common::eliminate_common;
use super::eliminate_dead::eliminate_dead;

/// The plan with keys that take no more than `bytes` as they are stored, or as few as can be; `None` if that is no fewer than it has.
///
/// # Errors
/// Those of appending instructions.
pub fn compose_rotations(plan: &Plan, bytes: u64) -> Result<Option<Plan>, TypeError> {
    let mut keys = Keys::of(plan);
    keys.leave_out(bytes);
    if keys.parts.is_empty() {
        return Ok(None);
    }
    let mut new = Rewriter::new(plan);
    for (value, op) in plan.values() {
        let rotated = if let Op::ApplyKey(digits, Key::Rotate(steps)) = op
            && keys.parts.contains_key(steps)
        {
            rotate(&mut new, *digits, &keys.amounts(*steps), plan.origins[value.index()])?
        } else {
            new.copy(value)?
        };
        new.define(value, rotated);
    }
    Ok(Some(eliminate_dead(&eliminate_common(&new.finish())?)?))
}

/// Rotates what digits were taken from by some amounts, one after the other.
fn rotate(
    new: &mut Rewriter<'_>,
    digits: Value,
    amounts: &[u32],
    origin: u32,
) -> Result<Value, TypeError> {
    let mut digits = new.new_value(digits);
    let mut rotated = None;
    for &amount in amounts {
        if let Some(rotated) = rotated {
            let whole = new.emit(Op::ModDown(rotated), origin)?;
            digits = new.emit(Op::Decompose(whole), origin)?;
        }
        rotated = Some(new.emit(Op::ApplyKey(digits, Key::Rotate(amount)), origin)?);
    }
    Ok(rotated.expect("a rotation without a key has two parts"))
}

/// Which rotations have keys.
struct Keys<'a> {
    params: &'a Params,
    /// Those of all kinds.
    others: Vec<KeyUse>,
    /// By the amount of slots, those that there are, with how often they are used.
    rotations: HashMap<u32, (KeyUse, usize)>,
    /// By the amount of slots, the two whose sum it is, for those that there are not any more.
    parts: HashMap<u32, [u32; 2]>,
}

impl Keys<'_> {
    fn of(plan: &Plan) -> Keys<'_> {
        let mut counts = HashMap::new();
        plan.ops.iter().filter_map(Op::key).for_each(|key| *counts.entry(key).or_default() += 1);
        let (mut others, mut rotations) = (vec![], HashMap::new());
        for key_use in plan.keys() {
            match key_use.key {
                Key::Rotate(steps) => {
                    rotations.insert(steps, (key_use, counts[&key_use.key]));
                }
                Key::Relinearize | Key::Conjugate | Key::Encapsulate | Key::Decapsulate => {
                    others.push(key_use);
                }
            }
        }
        Keys { params: &plan.params, others, rotations, parts: HashMap::new() }
    }

    /// Leaves keys out, those that are used least first, until all take no more than `bytes`.
    fn leave_out(&mut self, bytes: u64) {
        loop {
            let before = self.parts.len();
            let mut amounts: Vec<u32> = self.rotations.keys().copied().collect();
            amounts.sort_by_key(|steps| (self.rotations[steps].1, *steps));
            for steps in amounts {
                if self.bytes() <= bytes {
                    return;
                }
                self.leave_out_one(steps);
            }
            if self.parts.len() == before {
                return;
            }
        }
    }

    /// Leaves a key out if two others can stand in for it: those that grow least, and of them those used most.
    fn leave_out_one(&mut self, steps: u32) {
        let Some(&(own, count)) = self.rotations.get(&steps) else { return };
        let row = self.params.row_length() as u32;
        let pairs = self.rotations.keys().filter_map(|&one| {
            let other = (steps + row - one) % row;
            let is_pair = one <= other && self.rotations.contains_key(&other);
            (is_pair && one != steps && other != steps).then_some([one, other])
        });
        let growth = |pair: &[u32; 2]| {
            let grown: u64 = pair.iter().map(|part| self.growth(*part, own)).sum();
            let uses: usize = pair.iter().map(|part| self.rotations[part].1).sum();
            (grown, usize::MAX - uses, *pair)
        };
        let Some((grown, _, pair)) = pairs.map(|pair| growth(&pair)).min() else { return };
        if grown >= cost::bytes_of_stored_keys(self.params, &[own]) {
            return;
        }
        self.rotations.remove(&steps);
        for part in pair {
            if let Some((key, uses)) = self.rotations.get_mut(&part) {
                *key = joined(*key, own);
                *uses += count;
            }
        }
        self.parts.insert(steps, pair);
    }

    /// Bytes that a key takes more if it is used where another one is.
    fn growth(&self, part: u32, other: KeyUse) -> u64 {
        let key = self.rotations[&part].0;
        let bytes = |key: KeyUse| cost::bytes_of_stored_keys(self.params, &[key]);
        bytes(joined(key, other)) - bytes(key)
    }

    /// Bytes of all that is stored.
    fn bytes(&self) -> u64 {
        let rotations: Vec<KeyUse> = self.rotations.values().map(|(key, _)| *key).collect();
        let all = [&self.others[..], &rotations]
            .map(|keys| cost::bytes_of_stored_keys(self.params, keys));
        all.iter().sum()
    }

    /// The amounts of rotations that there are whose sum is `steps`.
    fn amounts(&self, steps: u32) -> Vec<u32> {
        match self.parts.get(&steps) {
            Some(parts) => parts.iter().flat_map(|&part| self.amounts(part)).collect(),
            None => vec![steps],
        }
    }
}

/// A key for all uses of two.
fn joined(key: KeyUse, other: KeyUse) -> KeyUse {
    let n_special = key.n_special.max(other.n_special);
    KeyUse { limbs: key.limbs.union(other.limbs), n_special, ..key }
}
