//! Checks of runs, one by one: the verifier's, and those of the file reader before it stores them.

use super::Run;

/// That the runs of one map stay inside ring and tensor and list no slot twice.
pub(super) struct SlotCheck {
    n_slots: usize,
    n_elements: usize,
    /// One bit for each slot, made when the first run comes.
    taken: Vec<u64>,
}

impl SlotCheck {
    /// For maps of `n_slots` slots to `n_elements` elements.
    pub(super) fn new(n_slots: usize, n_elements: usize) -> SlotCheck {
        SlotCheck { n_slots, n_elements, taken: vec![] }
    }

    /// Checks the next run; the error says what is wrong.
    pub(super) fn add(&mut self, run: &Run) -> Result<(), String> {
        let n_slots = self.n_slots;
        let fits = run.n_positions().is_some_and(|count| count as usize <= n_slots);
        if run.dims.len() > Run::MAX_DIMS || !fits {
            return Err("a run has too many dimensions or positions".to_owned());
        }
        if run.dims.iter().any(|dim| dim.count < 2) {
            return Err("a run has a dimension of less than two positions".to_owned());
        }
        let [(first, last), elements] = run.bounds();
        if first < 0 || last >= n_slots as i64 {
            return Err(format!("a run reaches slots {first}..={last}, the ring has {n_slots}"));
        }
        if elements.0 < 0 || elements.1 >= self.n_elements as i64 {
            let (lo, hi) = elements;
            return Err(format!(
                "a run reaches elements {lo}..={hi}, there are {}",
                self.n_elements
            ));
        }
        self.taken.resize(n_slots.div_ceil(64), 0);
        let mut twice = None;
        run.for_each(|slot, _| {
            if !set(&mut self.taken, slot as usize) {
                twice = Some(slot);
            }
        });
        twice.map_or(Ok(()), |slot| Err(format!("slot {slot} is listed twice")))
    }
}

/// That no element is read from two slots.
pub(super) struct ElementCheck(Vec<u64>);

impl ElementCheck {
    /// For a tensor of `n_elements`.
    pub(super) fn new(n_elements: usize) -> ElementCheck {
        ElementCheck(vec![0; n_elements.div_ceil(64)])
    }

    /// Checks the next run, which passed a [`SlotCheck`]; the error is an element that came before.
    pub(super) fn add(&mut self, run: &Run) -> Result<(), i64> {
        let mut twice = None;
        run.for_each(|_, element| {
            if !set(&mut self.0, element as usize) {
                twice = Some(element);
            }
        });
        twice.map_or(Ok(()), Err)
    }
}

/// Sets a bit; says whether it was clear.
fn set(bits: &mut [u64], at: usize) -> bool {
    let (word, bit) = (&mut bits[at / 64], 1 << (at % 64));
    let clear = *word & bit == 0;
    *word |= bit;
    clear
}
