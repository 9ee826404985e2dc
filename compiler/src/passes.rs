//! Passes can be watched: which one is running and how far it is, their time, and what they made.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use hecc_grammar::model::Model;
use hecc_grammar::plan::Plan;

use crate::graph::Graph;
use crate::pack::Packing;

/// A pass that has run.
pub struct Pass<'a> {
    /// Its name, a verb.
    pub name: &'static str,
    /// Whether its result is one of many that are compared, and only the best is kept.
    pub is_trial: bool,
    /// How long it took.
    pub elapsed: Duration,
    /// What it made.
    pub made: Made<'a>,
}

/// What a pass made.
#[derive(Clone, Copy, Debug)]
pub enum Made<'a> {
    /// A tensor graph.
    Model(&'a Model),
    /// Affine maps, products and polynomials.
    Graph(&'a Graph),
    /// Layouts and schedules.
    Packing(&'a Packing),
    /// Instructions.
    Plan(&'a Plan),
    /// A decision, which shows in what later passes make of it.
    Decision,
}

impl Made<'_> {
    fn to_owned(self) -> Owned {
        match self {
            Made::Model(model) => Owned::Model(model.clone()),
            Made::Graph(graph) => Owned::Graph(graph.clone()),
            Made::Packing(packing) => Owned::Packing(packing.clone()),
            Made::Plan(plan) => Owned::Plan(Box::new(plan.clone())),
            Made::Decision => Owned::Decision,
        }
    }
}

/// What a pass made, held until it is known whether it is kept.
enum Owned {
    Model(Model),
    Graph(Graph),
    Packing(Packing),
    Plan(Box<Plan>),
    Decision,
}

impl Owned {
    fn made(&self) -> Made<'_> {
        match self {
            Owned::Model(model) => Made::Model(model),
            Owned::Graph(graph) => Made::Graph(graph),
            Owned::Packing(packing) => Made::Packing(packing),
            Owned::Plan(plan) => Made::Plan(plan),
            Owned::Decision => Made::Decision,
        }
    }
}

/// What passes came to that are compared with others as a whole, with what they would have kept.
#[must_use]
pub struct Trial<T> {
    /// What they came to.
    pub result: T,
    kept: Vec<(&'static str, Owned)>,
}

impl std::fmt::Display for Made<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Made::Model(model) => model.fmt(f),
            Made::Graph(graph) => graph.fmt(f),
            Made::Packing(packing) => packing.fmt(f),
            Made::Plan(plan) => plan.fmt(f),
            Made::Decision => Ok(()),
        }
    }
}

/// What the result of a pass can be watched as.
pub trait Artifact {
    /// What was made; `None` if the pass failed.
    fn made(&self) -> Option<Made<'_>>;
}

macro_rules! artifact {
    ($type:ty, $variant:ident) => {
        impl Artifact for $type {
            fn made(&self) -> Option<Made<'_>> {
                Some(Made::$variant(self))
            }
        }
    };
}
artifact!(Model, Model);
artifact!(Graph, Graph);
artifact!(Packing, Packing);
artifact!(Plan, Plan);

/// A result that is no stage of its own.
pub struct Decided<T>(pub T);

impl<T> Artifact for Decided<T> {
    fn made(&self) -> Option<Made<'_>> {
        Some(Made::Decision)
    }
}

impl<T: Artifact, E> Artifact for Result<T, E> {
    fn made(&self) -> Option<Made<'_>> {
        self.as_ref().ok().and_then(T::made)
    }
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doing {
    /// A pass, or a long part of one: a verb.
    pub name: &'static str,
    /// How much of it is done, of how much, if that is known.
    pub progress: Option<(usize, usize)>,
}

/// Who is told of passes.
type Observer = dyn FnMut(Pass<'_>);

/// Runs passes and tells an observer.
pub struct Passes {
    observer: RefCell<Box<Observer>>,
    follower: Box<dyn Fn(Doing)>,
    /// For each trial that is going on, the outermost first, what would be kept if it were.
    trials: RefCell<Vec<Vec<(&'static str, Owned)>>>,
}

impl Passes {
    /// Tells `observer` of every pass after it has run.
    pub fn observed(observer: impl FnMut(Pass<'_>) + 'static) -> Passes {
        let observer: RefCell<Box<Observer>> = RefCell::new(Box::new(observer));
        Passes { observer, follower: Box::new(|_| {}), trials: RefCell::default() }
    }

    /// Tells `follower` as well of what is being done.
    pub fn followed(self, follower: impl Fn(Doing) + 'static) -> Passes {
        Passes { follower: Box::new(follower), ..self }
    }

    /// Tells how far a long part of a pass is.
    pub fn advance(&self, name: &'static str, done: usize, of: usize) {
        (self.follower)(Doing { name, progress: Some((done, of)) });
    }

    /// Nobody watches.
    pub fn unobserved() -> Passes {
        Passes::observed(|_| {})
    }

    /// Runs a pass whose result is kept.
    pub fn run<T: Artifact>(&self, name: &'static str, pass: impl FnOnce() -> T) -> T {
        self.timed(name, false, pass)
    }

    /// Runs a pass whose result is compared with others.
    pub fn try_out<T: Artifact>(&self, name: &'static str, pass: impl FnOnce() -> T) -> T {
        self.timed(name, true, pass)
    }

    /// Runs a pass that makes a decision.
    ///
    /// # Errors
    /// Those of the pass.
    pub fn decide<T, E>(
        &self,
        name: &'static str,
        pass: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.timed(name, false, || pass().map(Decided)).map(|Decided(result)| result)
    }

    /// Runs passes that are compared with others, as a whole. If they are kept, [`keep`](Passes::keep) says so.
    pub fn in_trial<T>(&self, passes: impl FnOnce() -> T) -> Trial<T> {
        self.trials.borrow_mut().push(vec![]);
        let result = passes();
        let kept = self.trials.borrow_mut().pop().unwrap_or_default();
        Trial { result, kept }
    }

    /// Tells of what the passes of a trial made, now that it is kept.
    pub fn keep<T>(&self, trial: Trial<T>) -> T {
        for (name, made) in trial.kept {
            self.show(name, made.made());
        }
        trial.result
    }

    /// Tells of what was made before.
    pub fn show(&self, name: &'static str, made: Made<'_>) {
        self.tell(Pass { name, is_trial: false, elapsed: Duration::ZERO, made });
    }

    /// Tells of a pass: as of a trial, if it is part of one.
    fn tell(&self, pass: Pass<'_>) {
        let is_trial = match self.trials.borrow_mut().last_mut() {
            Some(kept) if !pass.is_trial => {
                kept.push((pass.name, pass.made.to_owned()));
                true
            }
            Some(_) => true,
            None => pass.is_trial,
        };
        (self.observer.borrow_mut())(Pass { is_trial, ..pass });
    }

    fn timed<T: Artifact>(
        &self,
        name: &'static str,
        is_trial: bool,
        pass: impl FnOnce() -> T,
    ) -> T {
        (self.follower)(Doing { name, progress: None });
        let start = Instant::now();
        let result = pass();
        let elapsed = start.elapsed();
        if let Some(made) = result.made() {
            self.tell(Pass { name, is_trial, elapsed, made });
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn what_a_trial_made_is_told_again_if_it_is_kept() {
        let heard = Rc::new(RefCell::new(vec![]));
        let observed = heard.clone();
        let passes = Passes::observed(move |Pass { name, is_trial, .. }| {
            observed.borrow_mut().push((name, is_trial));
        });
        let choose = |name| passes.decide(name, || Ok::<_, ()>(()));
        let trial = passes.in_trial(|| {
            let inner = passes.in_trial(|| choose("kept"));
            let _ = passes.in_trial(|| choose("dropped"));
            passes.keep(inner)
        });
        assert!(heard.borrow().iter().all(|(_, is_trial)| *is_trial));
        heard.borrow_mut().clear();
        assert_eq!(passes.keep(trial), Ok(()));
        assert_eq!(*heard.borrow(), [("kept", false)]);
    }

    #[test]
    fn followers_hear_of_passes_before_they_run_and_observers_after() {
        let heard = Rc::new(RefCell::new(vec![]));
        let (observed, followed) = (heard.clone(), heard.clone());
        let passes = Passes::observed(move |pass| {
            observed.borrow_mut().push(format!("{} has run", pass.name));
        });
        let passes = passes.followed(move |Doing { name, progress }| {
            followed.borrow_mut().push(format!("{name} {progress:?}"));
        });
        let result = passes.decide("choose", || {
            passes.advance("weigh", 1, 2);
            Ok::<_, ()>(7)
        });
        assert_eq!(result, Ok(7));
        assert_eq!(*heard.borrow(), ["choose None", "weigh Some((1, 2))", "choose has run"]);
    }
}
