//! Lists of runs. Weights of a network repeat few shapes of runs many times: a shape is stored where it first occurs,
//! later runs cite it. Only the first [`MAX_SHAPES`] are remembered, so that a reader's memory is bounded.

use std::collections::{HashMap, HashSet};

use super::wire::{Malformed, Reader, Writer, list};
use crate::plan::slot_check::SlotCheck;
use crate::plan::{Dim, Run, Runs};

/// The number of shapes that can be cited.
const MAX_SHAPES: usize = 4096;

/// The shapes of runs stored so far.
#[derive(Default)]
pub(super) struct Shapes<'a>(HashMap<&'a [Dim], u64>);

impl<'a> Shapes<'a> {
    /// Writes a block: the number of runs; for each the number of its shape, the shape if it is new, and how far slot
    /// and element moved.
    pub(super) fn write(&mut self, w: &mut Writer, runs: &'a Runs) {
        w.block(|w| {
            w.varint(runs.0.len() as u64);
            let (mut slot, mut element) = (0, 0);
            for run in &runs.0 {
                let next = self.0.len() as u64;
                let known = self.0.get(&run.dims[..]).copied();
                let shape = known.unwrap_or(next);
                w.varint(shape);
                if known.is_none() && self.0.len() < MAX_SHAPES {
                    self.0.insert(&run.dims, next);
                }
                if shape == next {
                    w.varint(run.dims.len() as u64);
                    for dim in &run.dims {
                        w.varint(u64::from(dim.count));
                        w.zigzag(i64::from(dim.slot_stride));
                        w.zigzag(i64::from(dim.element_stride));
                    }
                }
                w.zigzag(i64::from(run.slot) - slot);
                w.zigzag(i64::from(run.element) - element);
                (slot, element) = (i64::from(run.slot), i64::from(run.element));
            }
        });
    }
}

/// What becomes of the runs that are read.
#[derive(Clone, Copy)]
pub(super) enum Fate {
    /// They are checked and dropped: a hostile file is refused before they take memory.
    Check {
        /// Slots of the ring.
        n_slots: usize,
    },
    /// They are kept; they were checked before.
    Keep,
}

/// The shapes of runs read so far.
pub(super) struct RunsReader {
    fate: Fate,
    shapes: Vec<Vec<Dim>>,
    known: HashSet<Vec<Dim>>,
}

impl RunsReader {
    pub(super) fn new(fate: Fate) -> RunsReader {
        RunsReader { fate, shapes: vec![], known: HashSet::new() }
    }

    /// Reads what [`Shapes::write`] wrote: a map to `n_elements` elements. Empty unless it is kept.
    pub(super) fn read(
        &mut self,
        r: &mut Reader<'_>,
        n_elements: usize,
    ) -> Result<Runs, Malformed> {
        let keep = matches!(self.fate, Fate::Keep);
        self.read_if(r, n_elements, keep)
    }

    /// Reads a map, and keeps it even if it was not checked before.
    pub(super) fn read_and_keep(
        &mut self,
        r: &mut Reader<'_>,
        n_elements: usize,
    ) -> Result<Runs, Malformed> {
        self.read_if(r, n_elements, true)
    }

    fn read_if(
        &mut self,
        r: &mut Reader<'_>,
        n_elements: usize,
        keep: bool,
    ) -> Result<Runs, Malformed> {
        let mut r = r.block()?;
        let count = r.count(3)?;
        let mut checks = match self.fate {
            Fate::Check { n_slots } => Some(SlotCheck::new(n_slots, n_elements)),
            Fate::Keep => None,
        };
        let mut kept = Vec::with_capacity(if keep { count } else { 0 });
        let (mut slot, mut element) = (0u32, 0u32);
        for _ in 0..count {
            let shape = self.shape(&mut r)?;
            slot = moved(&mut r, slot)?;
            element = moved(&mut r, element)?;
            // The vector is lent to the run and taken back.
            let run = Run { slot, element, dims: std::mem::take(&mut self.shapes[shape]) };
            if let Some(checks) = &mut checks {
                checks.add(&run).or_else(|what| r.fail(what))?;
            }
            if keep {
                kept.push(run.clone());
            }
            self.shapes[shape] = run.dims;
        }
        r.finish()?;
        Ok(Runs(kept))
    }

    /// The number of a shape, which is added if it is new. One beyond [`MAX_SHAPES`] stays until the next.
    fn shape(&mut self, r: &mut Reader<'_>) -> Result<usize, Malformed> {
        self.shapes.truncate(MAX_SHAPES);
        let shape: usize = r.number()?;
        if shape > self.shapes.len() {
            return r.fail(format!("shape {shape} of {}", self.shapes.len()));
        }
        if shape == self.shapes.len() {
            let dim = |r: &mut Reader<'_>| {
                let (count, slot_stride, element_stride) = (r.number()?, r.small()?, r.small()?);
                Ok(Dim { count, slot_stride, element_stride })
            };
            let dims: Vec<Dim> = list(r.at_most(Run::MAX_DIMS)?, || dim(r))?;
            if self.known.contains(&dims) {
                return r.fail("a shape is stored twice");
            }
            if shape < MAX_SHAPES {
                self.known.insert(dims.clone());
            }
            self.shapes.push(dims);
        }
        Ok(shape)
    }
}

fn moved(r: &mut Reader<'_>, from: u32) -> Result<u32, Malformed> {
    let to = r.zigzag()?.checked_add(i64::from(from)).and_then(|to| u32::try_from(to).ok());
    to.map_or_else(|| r.fail("a slot or element is out of range"), Ok)
}
