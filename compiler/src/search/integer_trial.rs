//! A network over integers lowered once for a ring, with moduli that are too large, to see which would do.
//!
//! Products of ciphertexts are all scale-invariant or all BGV's. The former work at any noise, so noise is read off once
//! and primes are dropped where it has outgrown rounding. The latter multiply noise by noise, so each is followed by a
//! division that leaves as little of it as there can be: levels are those of the circuit, as in CKKS, and the primes
//! of each are as large as what is to be divided away.

use hecc_grammar::noise::{self, ConstantSizes, EXACT_TAIL, HEADROOM_BITS, Moduli};
use hecc_grammar::plan::{Layer, LimbSet, Op, Params, Plaintexts, Plan, Value, is_prime};
use hecc_grammar::security::Security;

use crate::error::CompileError;
use crate::graph::{Graph, NodeId, Step};
use crate::ladder::Ladder;
use crate::layout::Batch;
use crate::limits;
use crate::lower::{Choice, Method, Products, is_summed_first};
use crate::pack::PackConfig;
use crate::primes::prime_near;

use super::Problem;

/// Largest primes; special ones are a little larger.
pub(super) const MAX_PRIME_BITS: f64 = 49.97;

/// A level above the lowest, which is one limb of the trial, has no more bits.
const MAX_LEVEL_BITS: f64 = 63.0;

/// A network lowered for a ring with any primes, a limb for each level, to read noise off where moduli have other sizes.
pub(super) struct Trial {
    pub(super) log_n: u32,
    pub(super) products: Products,
    pub(super) plan: Plan,
    sizes: ConstantSizes,
    /// For BGV's products, the level of each step's result.
    levels: Vec<usize>,
}

/// The modulus that holds a network's noise with some plaintext primes.
#[derive(Clone)]
pub(super) struct NoiseModulus {
    /// The plaintext primes.
    t: Vec<u64>,
    /// Bits of the primes of each level, the lowest first.
    level_bits: Vec<f64>,
    /// log2 of the deviation of the noise of each step's result.
    noise: Vec<f64>,
    /// Between scale-invariant products, bits by which noise exceeds rounding when a prime was dropped.
    drop_margin: f64,
}

impl NoiseModulus {
    /// Makes room for `bits` bits more of noise: primes are dropped later, or the modulus of results is larger.
    pub(super) fn add_room(&mut self, bits: f64, products: Products) {
        match products {
            Products::ScaleInvariant => self.drop_margin += bits + 1.0,
            Products::Bgv => self.level_bits[0] += bits,
        }
    }

    /// A modulus larger by `bits` bits.
    pub(super) fn widen(&mut self, bits: f64) {
        self.level_bits[0] += bits;
    }

    /// The modulus of results smaller by `bits` bits.
    pub(super) fn tightened(&self, bits: f64) -> NoiseModulus {
        let mut tight = self.clone();
        tight.level_bits[0] -= bits;
        tight
    }
}

impl Trial {
    /// Lowers a network; `None` if it adds messages that BGV's products multiply by different factors, or takes more levels
    /// than a plan can have primes.
    pub(super) fn new(
        problem: &Problem<'_>,
        log_n: u32,
        products: Products,
    ) -> Result<Option<Trial>, CompileError> {
        let Problem { graph, config, .. } = *problem;
        let levels = match products {
            Products::ScaleInvariant => vec![limits::TRIAL_LIMBS - 1; graph.nodes.len()],
            Products::Bgv => levels_of_products(graph, config.batch == Batch::Slots),
        };
        let n_limbs = levels.iter().max().map_or(1, |top| top + 1);
        if n_limbs > LimbSet::MOST {
            return Ok(None);
        }
        let mut taken = vec![];
        let mut primes: Vec<u64> =
            (0..=n_limbs).filter_map(|_| prime_near(MAX_PRIME_BITS, log_n, &mut taken)).collect();
        primes.sort_unstable();
        // The largest is the special one: digits are of one ciphertext-modulus prime each.
        let special = primes.pop().expect("there are primes of 50 bits for every ring");
        let params = Params {
            plaintexts: Plaintexts::Bfv { t: vec![least_plaintext_prime(log_n)] },
            log_n,
            input_level: primes.len() - 1,
            q: primes,
            p: vec![special],
            security: config.security,
        };
        let plan = problem.lowered(&choice(problem, params, products, &levels)?)?.plan;
        // Modulo so large a prime factors agree only if they always do.
        if plan.correction_factors(special).is_err() {
            return Ok(None);
        }
        let sizes = ConstantSizes::new(&plan);
        Ok(Some(Trial { log_n, products, plan, sizes, levels }))
    }

    /// What holds the noise with some plaintext primes; `None` if a level would be too large.
    pub(super) fn modulus(&self, t: Vec<u64>) -> Option<NoiseModulus> {
        let of_primes = Moduli::of(&self.plan.params).with_plaintext_primes(&t);
        let mut moduli = Moduli { log_p: vec![MAX_PRIME_BITS], ..of_primes };
        if self.products == Products::Bgv {
            for level in (1..moduli.log_q.len()).rev() {
                let bits = self.divided_away(level, &moduli).max(self.least_bits());
                if bits > MAX_LEVEL_BITS {
                    return None;
                }
                moduli.log_q[level] = bits;
                // No digit is larger than the special primes.
                moduli.log_p[0] = moduli.log_p[0].max(bits);
            }
        }
        let last = match self.products {
            Products::ScaleInvariant => {
                self.largest(&moduli, &mut self.plan.values().map(|(value, _)| value))
            }
            Products::Bgv => self.largest(&moduli, &mut self.plan.output_values()),
        };
        let mut level_bits = match self.products {
            Products::ScaleInvariant => vec![0.0],
            Products::Bgv => moduli.log_q.clone(),
        };
        level_bits[0] = last + moduli.largest_t.log2() + HEADROOM_BITS + EXACT_TAIL.log2() + 1.0;
        let (noise, drop_margin) = (self.noise(&moduli), limits::DROP_MARGIN);
        Some(NoiseModulus { t, level_bits, noise, drop_margin })
    }

    /// Bits of the smallest primes of which there are enough.
    fn least_bits(&self) -> f64 {
        f64::from(self.log_n) + 6.0
    }

    /// log2 of the largest deviation of noise among values.
    fn largest(&self, moduli: &Moduli, values: &mut dyn Iterator<Item = Value>) -> f64 {
        let noise = self.sizes.analyze(&self.plan, moduli);
        values.map(|value| noise[value.index()]).fold(0.0, f64::max)
    }

    /// Bits of noise beyond rounding where a level's primes are dropped.
    fn divided_away(&self, level: usize, moduli: &Moduli) -> f64 {
        let plan = &self.plan;
        let mut sources = plan.ops.iter().filter_map(|op| {
            let Op::ModSwitch(a, limbs) = op else { return None };
            let dropped = plan.ty(*a).limbs.contains(level) && !limbs.contains(level);
            dropped.then_some(*a)
        });
        self.largest(moduli, &mut sources) - rounding_bits(moduli)
    }

    /// For each step of the graph, log2 of the deviation of the noise of its result, the mean of all coefficients: what the
    /// next product sees.
    fn noise(&self, moduli: &Moduli) -> Vec<f64> {
        let noise = self.sizes.analyze_mean(&self.plan, moduli);
        let of_layer = |layer: &Layer| {
            layer.slots.iter().map(|(v, _)| noise[v.index()]).fold(f64::NEG_INFINITY, f64::max)
        };
        self.plan.layers.iter().map(of_layer).collect()
    }

    /// Parameters with that modulus, in as few primes as can be.
    pub(super) fn params(
        &self,
        modulus: &NoiseModulus,
        n_special: usize,
        security: Security,
    ) -> Option<Params> {
        let t = modulus.t.clone();
        let mut taken = t.clone();
        let mut q = vec![];
        let mut largest = 0.0f64;
        for &bits in &modulus.level_bits {
            let count = self.n_primes(bits);
            let bits = (bits / count as f64).max(self.least_bits());
            largest = largest.max(bits);
            for _ in 0..count {
                q.push(prime_near(bits, self.log_n, &mut taken)?);
            }
        }
        if n_special > q.len() || q.len() > LimbSet::MOST {
            return None;
        }
        // A little larger than ciphertext-modulus primes, so that every digit is smaller than their product.
        let special = |_| prime_near((largest + 0.3).min(49.99), self.log_n, &mut taken);
        let p = (0..n_special).map(special).collect::<Option<Vec<u64>>>()?;
        Some(Params {
            plaintexts: Plaintexts::Bfv { t },
            log_n: self.log_n,
            input_level: q.len() - 1,
            q,
            p,
            security,
        })
    }

    /// Into how many primes a level's bits are cut.
    fn n_primes(&self, bits: f64) -> usize {
        let fewest = match self.products {
            Products::ScaleInvariant => 2.0,
            Products::Bgv => 1.0,
        };
        (bits / MAX_PRIME_BITS).ceil().max(fewest) as usize
    }

    /// The number of primes, less one, that each step's result is on.
    pub(super) fn levels(
        &self,
        graph: &Graph,
        modulus: &NoiseModulus,
        params: &Params,
    ) -> Vec<usize> {
        match self.products {
            Products::ScaleInvariant => levels_of_noise(graph, modulus, params),
            Products::Bgv => {
                let primes = |level: usize| -> usize {
                    modulus.level_bits[..=level].iter().map(|&bits| self.n_primes(bits)).sum()
                };
                self.levels.iter().map(|&level| primes(level) - 1).collect()
            }
        }
    }
}

/// What a trial is lowered with: whatever plaintext primes are, the plan is the same.
fn least_plaintext_prime(log_n: u32) -> u64 {
    let step = 2u64 << log_n;
    (1..)
        .map(|k| k * step + 1)
        .find(|&n| is_prime(n))
        .expect("there are primes in every residue class")
}

/// log2 of the deviation of the noise that division and rounding leave.
fn rounding_bits(moduli: &Moduli) -> f64 {
    noise::rounding_variance(moduli, 1).log2() / 2.0
}

/// Levels for BGV's products: each product has one of its own, dropped as soon as it is linear.
fn levels_of_products(graph: &Graph, batch: bool) -> Vec<usize> {
    let is_late = |id: NodeId| is_summed_first(graph, id, batch);
    let mut depths: Vec<usize> = vec![];
    for id in graph.ids() {
        let step = &graph.node(id).step;
        let drops = match step {
            Step::Mul(..) => !is_late(id),
            Step::Input(_) | Step::Affine { .. } | Step::Polynomial(..) | Step::Sine(..) => {
                step.operands().iter().any(|&operand| is_late(operand))
            }
        };
        let before = step.operands().iter().map(|operand| depths[operand.0]).max().unwrap_or(0);
        depths.push(before + usize::from(drops));
    }
    let most = depths.iter().copied().max().unwrap_or(0);
    depths.into_iter().map(|depth| most - depth).collect()
}

/// Levels for scale-invariant products: primes are dropped as soon as noise allows.
fn levels_of_noise(graph: &Graph, modulus: &NoiseModulus, params: &Params) -> Vec<usize> {
    let floor = rounding_bits(&Moduli::of(params)) + modulus.drop_margin;
    let dropped =
        |level: usize| -> f64 { (level + 1..params.q.len()).map(|limb| params.log_q(limb)).sum() };
    let mut levels: Vec<usize> = vec![];
    for id in graph.ids() {
        let step = &graph.node(id).step;
        let operands = step.operands();
        let mut level = operands.iter().map(|x| levels[x.0]).min().unwrap_or(params.input_level);
        let drops = !matches!(step, Step::Input(_));
        while drops && level > 0 && modulus.noise[id.0] - dropped(level - 1) > floor {
            level -= 1;
        }
        levels.push(level);
    }
    levels
}

/// The network packed for some parameters, each step's result on as many primes as `levels` says and one more.
pub(super) fn choice(
    problem: &Problem<'_>,
    params: Params,
    products: Products,
    levels: &[usize],
) -> Result<Choice, CompileError> {
    let graph = problem.graph;
    // The packing counts levels of results that are one below where they are computed.
    let below = |id: NodeId| {
        let operands = graph.node(id).step.operands();
        operands.iter().map(|x| levels[x.0]).min().unwrap_or(levels[id.0]).saturating_sub(1)
    };
    let packed_levels: Vec<usize> = graph.ids().map(below).collect();
    let packing = problem.pack(PackConfig {
        log_n: params.log_n,
        two_rows: true,
        batch: problem.config.batch,
        tiles: problem.config.tiles.as_ref(),
        n_special: params.p.len(),
        levels: &packed_levels,
        n_lowest: 1,
        costs: &problem.config.costs,
        encodes: false,
    })?;
    let (ladder, levels) = (Ladder::new(params, 1), levels.to_vec());
    Ok(Choice { ladder, levels, packing, method: Method::Integers(products) })
}
