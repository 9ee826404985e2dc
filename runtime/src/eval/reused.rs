//! Encoded plaintexts that one run uses more than once, kept from their first use to their last: those of bootstrapping.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use hecc_grammar::plan::{Plan, Uses};

use crate::rlwe::Plaintext;
use crate::scheme::{Encoding, Use};

/// Plaintexts with the number of their uses.
pub(super) struct Reused(Mutex<HashMap<Encoding, Entry>>);

struct Entry {
    /// Uses in a run, and how many of them are still to come.
    uses: u32,
    left: u32,
    plaintext: Option<Arc<Plaintext>>,
}

impl Reused {
    /// Those of a plan, none encoded yet.
    pub(super) fn new(plan: &Plan) -> Reused {
        let mut entries = HashMap::new();
        for (factor, Uses { count, .. }) in plan.factors() {
            for instance in (0..plan.params.n_instances()).filter(|_| count > 1) {
                let encoding = Encoding {
                    constant: factor.constant,
                    limbs: factor.limbs,
                    form: factor.form,
                    used_as: Use::Factor,
                    instance,
                };
                entries.insert(encoding, Entry { uses: count, left: count, plaintext: None });
            }
        }
        Reused(Mutex::new(entries))
    }

    /// A plaintext for one use, from `make` if it is not held.
    pub(super) fn get(
        &self,
        encoding: Encoding,
        make: impl FnOnce() -> Arc<Plaintext>,
    ) -> Arc<Plaintext> {
        let held = match self.entries().get(&encoding) {
            None => return make(),
            Some(entry) => entry.plaintext.clone(),
        };
        let plaintext = held.unwrap_or_else(make);
        if let Some(entry) = self.entries().get_mut(&encoding) {
            entry.left -= 1;
            entry.plaintext = (entry.left > 0).then(|| plaintext.clone());
            if entry.left == 0 {
                entry.left = entry.uses;
            }
        }
        plaintext
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, HashMap<Encoding, Entry>> {
        self.0.lock().expect("no panic under this lock")
    }
}

#[cfg(test)]
mod tests {
    use hecc_grammar::plan::{ConstantId, Form, LimbSet};

    use super::*;

    #[test]
    fn what_is_used_twice_is_made_once_a_run() {
        let of = |id: u32| Encoding {
            constant: ConstantId(id),
            limbs: LimbSet::first(1),
            form: Form::Q,
            used_as: Use::Factor,
            instance: 0,
        };
        let twice = Entry { uses: 2, left: 2, plaintext: None };
        let reused = Reused(Mutex::new([(of(0), twice)].into()));
        let get = |id: u32, fresh: u64| {
            let make = || Arc::new(Plaintext::Scalar(vec![fresh]));
            let plaintext = reused.get(of(id), make);
            match &*plaintext {
                Plaintext::Scalar(residues) => residues[0],
                Plaintext::Full(_) => panic!("a scalar was stored"),
            }
        };
        assert_eq!([get(0, 1), get(0, 2), get(0, 3), get(0, 4)], [1, 1, 3, 3]);
        assert_eq!([get(1, 5), get(1, 6)], [5, 6]);
    }
}
