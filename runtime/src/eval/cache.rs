//! Encoded plaintexts, kept from run to run while they fit a budget.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use crate::rlwe::Plaintext;
use crate::scheme::Encoding;

/// A cache that never evicts: a plan uses each plaintext once in every run, so what did not fit is encoded each time.
pub(super) struct PlaintextCache {
    budget: usize,
    held: RwLock<Held>,
}

#[derive(Default)]
struct Held {
    bytes: usize,
    plaintexts: HashMap<Encoding, Arc<Plaintext>>,
}

impl PlaintextCache {
    /// An empty cache that holds up to `budget` bytes.
    pub(super) fn new(budget: usize) -> PlaintextCache {
        PlaintextCache { budget, held: RwLock::default() }
    }

    /// A plaintext, encoded now if it is not held.
    pub(super) fn get(
        &self,
        encoding: Encoding,
        encode: impl FnOnce() -> Plaintext,
    ) -> Arc<Plaintext> {
        let held =
            self.held.read().expect("no panic under this lock").plaintexts.get(&encoding).cloned();
        if let Some(plaintext) = held {
            return plaintext;
        }
        let plaintext = Arc::new(encode());
        self.hold(encoding, &plaintext);
        plaintext
    }

    /// Two plaintexts, encoded now, together, unless both are held: each is always encoded with the same other one, so that
    /// it is the same, bit by bit.
    pub(super) fn pair(
        &self,
        encodings: [Encoding; 2],
        encode: impl FnOnce() -> [Plaintext; 2],
    ) -> [Arc<Plaintext>; 2] {
        let held = {
            let held = self.held.read().expect("no panic under this lock");
            encodings.map(|encoding| held.plaintexts.get(&encoding).cloned())
        };
        if let [Some(a), Some(b)] = held {
            return [a, b];
        }
        let pair = encode().map(Arc::new);
        encodings.iter().zip(&pair).for_each(|(encoding, made)| self.hold(*encoding, made));
        pair
    }

    /// Keeps a plaintext if there is room.
    fn hold(&self, encoding: Encoding, plaintext: &Arc<Plaintext>) {
        let mut held = self.held.write().expect("no panic under this lock");
        let bytes = held.bytes.saturating_add(plaintext.bytes());
        if bytes <= self.budget && !held.plaintexts.contains_key(&encoding) {
            held.bytes = bytes;
            held.plaintexts.insert(encoding, plaintext.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use hecc_grammar::plan::{ConstantId, Form, LimbSet};

    use super::*;
    use crate::scheme::Use;

    #[test]
    fn holds_no_more_than_its_budget() {
        let cache = PlaintextCache::new(100);
        let get = |id: u32, fresh: u64| {
            let encoding = Encoding {
                constant: ConstantId(id),
                limbs: LimbSet::first(5),
                form: Form::Q,
                used_as: Use::Factor,
                instance: 0,
            };
            let plaintext = cache.get(encoding, || Plaintext::Scalar(vec![fresh; 5]));
            match &*plaintext {
                Plaintext::Scalar(residues) => residues[0],
                Plaintext::Full(_) => panic!("a scalar was stored"),
            }
        };
        assert_eq!([get(0, 1), get(1, 2), get(2, 3)], [1, 2, 3]);
        // Two of 40 bytes fit, the third is encoded anew.
        assert_eq!([get(0, 4), get(1, 5), get(2, 6)], [1, 2, 6]);
    }
}
