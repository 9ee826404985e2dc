//! Encoded plaintexts that one run uses more than once, kept from their first use to their last: those of bootstrapping.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use hecc_grammar::plan::{Plan, Uses, Value};

use crate::rlwe::Plaintext;
use crate::scheme::{Encoding, Use};

/// Plaintexts with the instruction that uses them last.
pub(super) struct Reused(Mutex<HashMap<Encoding, Entry>>);

struct Entry {
    last: Value,
    plaintext: Option<Arc<Plaintext>>,
}

impl Reused {
    /// Those of a plan, none encoded yet.
    pub(super) fn new(plan: &Plan) -> Reused {
        let mut entries = HashMap::new();
        for (factor, Uses { count, last, .. }) in plan.factors() {
            for instance in (0..plan.params.n_instances()).filter(|_| count > 1) {
                let encoding = Encoding {
                    constant: factor.constant,
                    limbs: factor.limbs,
                    form: factor.form,
                    used_as: Use::Factor,
                    instance,
                };
                entries.insert(encoding, Entry { last, plaintext: None });
            }
        }
        Reused(Mutex::new(entries))
    }

    /// Whether a plaintext is used more than once.
    pub(super) fn contains(&self, encoding: &Encoding) -> bool {
        self.entries().contains_key(encoding)
    }

    /// A plaintext for an instruction, from `make` if it is not held. Instructions near each other may run side by side: what
    /// one of them still needs when the last is through is made anew.
    pub(super) fn get(
        &self,
        encoding: Encoding,
        value: Value,
        make: impl FnOnce() -> Arc<Plaintext>,
    ) -> Arc<Plaintext> {
        let held = match self.entries().get(&encoding) {
            None => return make(),
            Some(entry) => entry.plaintext.clone(),
        };
        let plaintext = held.unwrap_or_else(make);
        if let Some(entry) = self.entries().get_mut(&encoding) {
            entry.plaintext = (value < entry.last).then(|| plaintext.clone());
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
    fn what_is_used_more_than_once_is_made_once_a_run() {
        let of = |id: u32| Encoding {
            constant: ConstantId(id),
            limbs: LimbSet::first(1),
            form: Form::Q,
            used_as: Use::Factor,
            instance: 0,
        };
        let entry = Entry { last: Value(8), plaintext: None };
        let reused = Reused(Mutex::new([(of(0), entry)].into()));
        let get = |id: u32, value: u32, fresh: u64| {
            let make = || Arc::new(Plaintext::Scalar(vec![fresh]));
            let plaintext = reused.get(of(id), Value(value), make);
            match &*plaintext {
                Plaintext::Scalar(residues) => residues[0],
                Plaintext::Full(_) => panic!("a scalar was stored"),
            }
        };
        assert_eq!([get(0, 3, 1), get(0, 5, 2), get(0, 8, 3)], [1, 1, 1]);
        assert_eq!([get(0, 5, 4), get(0, 8, 5)], [4, 4], "a run that goes on from the middle");
        assert_eq!([get(1, 3, 6), get(1, 8, 7)], [6, 7], "used once");
    }
}
