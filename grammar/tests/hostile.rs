//! Files that are truncated, damaged or made to deceive: each is refused with an error, without a panic, and without
//! taking more memory than about twice its size.

mod counting;
mod generate;
mod resealed;

use counting::peak;
use hecc_grammar::envelope::{Kind, kind_of, open, open_any};
use hecc_grammar::model::{Model, Op};
use hecc_grammar::plan::{
    self, Constant, ConstantId, Dim, Input, Params, Plan, Profile, Ranges, Run, Runs, VerifiedPlan,
    View,
};
use ndarray::ArrayD;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use resealed::{block, sealed};

/// What a refused file may take besides: one entry for each slot of the largest ring.
const FIXED: usize = 256 << 10;

/// Reads a file of a plan or of a part of one, and holds it to the bound if it is refused; says whether it was accepted.
fn read(file: &[u8]) -> bool {
    let bytes = bytes::Bytes::copy_from_slice(file);
    let (result, peak) = peak(|| match kind_of(&bytes) {
        Ok(Kind::ClientPart) => plan::client_from_bytes_even_insecure(bytes).map(drop),
        Ok(Kind::ServerPart) => plan::server_from_bytes_even_insecure(bytes).map(drop),
        _ => plan::from_bytes_even_insecure(bytes).map(drop),
    });
    let allowed = 2 * file.len() + FIXED;
    match &result {
        Ok(()) => true,
        Err(error) => {
            assert!(peak <= allowed, "{peak} bytes for a file of {}: {error}", file.len());
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

/// Random numbers, the same in every run.
struct Dice(TestRunner);

impl Dice {
    fn new() -> Dice {
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        Dice(TestRunner::new_with_rng(Config::default(), rng))
    }

    fn below(&mut self, end: usize) -> usize {
        (0..end).new_tree(&mut self.0).expect("a range has numbers").current()
    }
}

/// A plan like that of a network: many runs, more weights, a source.
fn network(dice: &mut Dice) -> Vec<u8> {
    let text = include_str!("text/small.plan");
    let mut plan: Plan = text.parse().expect("the sample is a plan");
    plan.tables.push((0..4000).map(|i| i as f32 / 7.0).collect());
    for _ in 0..50 {
        let dims = vec![Dim { count: 4, slot_stride: 1, element_stride: dice.below(9) as i32 }];
        let run = |i: u32, dice: &mut Dice| Run {
            slot: i * 5,
            element: dice.below(3900) as u32,
            dims: if dice.below(3) == 0 { vec![] } else { dims.clone() },
        };
        let runs = Runs((0..100).map(|i| run(i, dice)).collect());
        plan.constants
            .push(Constant { view: View::Table { table: 1, factor: 0.5, runs }, scale: 38.0 });
    }
    let mut source = Model { name: "network".to_owned(), ..Model::default() };
    let x = source.push(Op::Input, "x", vec![1, 1000]);
    let weight = source.constant(ArrayD::from_elem(vec![1000, 4], 0.1));
    source.push(Op::MatMul { x, weight }, "fc", vec![1, 4]);
    let plan = VerifiedPlan::new(plan).expect("the plan keeps its promises");
    plan::to_bytes(&plan, Some(&source))
}

#[test]
fn truncated_files_are_refused() {
    let file = network(&mut Dice::new());
    assert!(read(&file));
    for len in (0..file.len()).filter(|len| len % 37 == 0 || *len < 200) {
        assert!(!read(&file[..len]), "{len} bytes of {} are accepted", file.len());
    }
}

#[test]
fn files_with_a_flipped_bit_are_refused() {
    let mut dice = Dice::new();
    let mut file = network(&mut dice);
    for _ in 0..3000 {
        let (at, bit) = (dice.below(file.len()), 1 << dice.below(8));
        file[at] ^= bit;
        assert!(!read(&file), "bit {bit} of byte {at} is flipped and the file accepted");
        file[at] ^= bit;
    }
}

#[test]
fn files_with_a_right_checksum_are_read_with_care() {
    let mut dice = Dice::new();
    let mut refused = 0;
    let mut files = vec![network(&mut dice)];
    let (plans, models) = (generate::plans(), generate::models());
    for _ in 0..100 {
        let plan = plans.new_tree(&mut dice.0).expect("a plan").current();
        let model = models.new_tree(&mut dice.0).expect("a model").current();
        files.push(plan::to_bytes(&plan, Some(&model)));
    }
    for file in files {
        refused += count_refused(&file, &mut dice);
    }
    assert!(refused > 20_000, "{refused}");
}

#[test]
fn parts_with_a_right_checksum_are_read_with_care() {
    let mut dice = Dice::new();
    let network = plan::from_bytes_even_insecure(network(&mut dice).into()).expect("it is whole");
    let plans = generate::plans();
    let random = |dice: &mut Dice| plans.new_tree(&mut dice.0).expect("a plan").current();
    let plans = std::iter::once(network.plan).chain((0..100).map(|_| random(&mut dice)));
    let plans: Vec<VerifiedPlan> = plans.collect();
    let (mut refused, mut read_whole) = ([0; 2], 0);
    for plan in &plans {
        let server = plan::server_to_bytes(plan);
        assert!(read(&server));
        refused[1] += count_refused(&server, &mut dice);
        // Of a random plan the noise may be beyond all bounds.
        if let Ok(client) = plan::client_to_bytes(plan) {
            assert!(read(&client));
            read_whole += 1;
            refused[0] += count_refused(&client, &mut dice);
        }
    }
    assert!(read_whole > 30 && refused[0] > 160 * read_whole, "{refused:?} of {read_whole}");
    assert!(refused[1] > 16_000, "{refused:?}");
}

/// How many of 400 changes of a file's payload are refused.
fn count_refused(file: &[u8], dice: &mut Dice) -> usize {
    let envelope = open_any(bytes::Bytes::copy_from_slice(file)).expect("it was sealed");
    let mut is_refused = || {
        let mut payload = envelope.payload.to_vec();
        for _ in 0..1 + dice.below(4) {
            mutate(&mut payload, dice);
        }
        !read(&sealed(envelope.kind, &payload))
    };
    (0..400).filter(|_| is_refused()).count()
}

fn mutate(payload: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(payload.len());
    // The beginning, where counts and lengths are, as often as the rest.
    let at = if dice.below(2) == 0 { at % 300 } else { at };
    let at = at.min(payload.len() - 1);
    match dice.below(5) {
        0 => payload[at] ^= 1 << dice.below(8),
        1 => payload[at] = 0xff,
        // A huge number, a huge length.
        2 => drop(payload.splice(at..at + 1, [0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])),
        3 => payload.truncate(at + 1),
        _ => {
            let end = (at + 8).min(payload.len());
            payload[at..end].fill(dice.below(256) as u8);
        }
    }
}

/// Instructions are small in a file; this one is refused only after all of them were typed.
#[test]
fn a_file_of_instructions_takes_twice_its_size() {
    let head = include_str!("text/small.plan").lines().nth(1).expect("the `plan` line");
    let mut plan: Plan = head.parse().expect("the sample is a plan");
    let slots = vec![Runs::default()];
    let (name, shape) = ("x".to_owned(), vec![1]);
    plan.inputs.push(Input {
        name,
        shape,
        ranges: Ranges::all(0.0, 1.0),
        seen: Profile::default(),
        factor: 1.0,
        quantizer: None,
        slots,
        normalization: None,
    });
    plan.constants.push(Constant { view: View::Splat(1.0), scale: 1.0 });
    let x = plan.push(plan::Op::Input(0), 0).expect("the input is declared");
    for _ in 0..50_000 {
        plan.push(plan::Op::Neg(x), 0).expect("the operand is there");
    }
    plan.push(plan::Op::DotPlain(vec![(x, ConstantId(0))]), 0).expect("the operands are there");
    let plan = VerifiedPlan::new(plan).expect("nothing is wrong");
    let file = plan::to_bytes(&plan, None);
    assert!(read(&file));
    let mut payload = open(file.into(), Kind::Plan).expect("it was sealed").payload.to_vec();
    let (client, server) = (block(&payload).0.len(), block(block(&payload).1).0.len());
    // The constant of the last term, before the number of results.
    payload[8 + client + 8 + server - 2] = 0xff;
    assert!(!read(&sealed(Kind::Plan, &payload)));
}

/// Whoever made it: the reader of programs takes no plan without security, nor one that only says that it has some.
#[test]
fn insecure_plans_are_refused() {
    let text = include_str!("text/small.plan");
    let plan = VerifiedPlan::new(text.parse().expect("the sample is a plan"));
    let plan = plan.expect("tests may make insecure plans");
    let error = plan::from_bytes(plan::to_bytes(&plan, None).into()).expect_err("it is insecure");
    assert!(error.to_string().contains("security of 0 bits, expected 128"), "{error}");
    let boast: Plan = text.replace("insecure", "128").parse().expect("the sample is a plan");
    let error = VerifiedPlan::new(boast).expect_err("its ring is too small").to_string();
    assert!(error.contains("carries at most") && error.contains("at 128-bit security"), "{error}");
}

/// A text cannot say it, a file can: a limit that nothing exceeds.
#[test]
fn limits_that_are_not_numbers_are_refused() {
    let mut plan: Plan = include_str!("text/small.plan").parse().expect("the sample is a plan");
    plan.outputs[0].limit = Some(f64::NAN);
    let error = VerifiedPlan::new(plan).expect_err("it is no limit").to_string();
    assert!(error.contains("its limit is no magnitude"), "{error}");
}

/// A text cannot say it, a file can: plaintext primes of real numbers, and a scale of integers.
#[test]
fn parameters_of_neither_scheme_are_refused() {
    let plan = VerifiedPlan::new(include_str!("text/integers.plan").parse().expect("a plan"));
    let plan = plan.expect("tests may make insecure plans");
    let refusal = |change: &dyn Fn(&mut Vec<u8>)| {
        let file = plan::to_bytes(&plan, None);
        let mut payload = open_any(file.into()).expect("it was sealed").payload.to_vec();
        change(&mut payload);
        let changed = sealed(Kind::Plan, &payload).into();
        plan::from_bytes_even_insecure(changed).expect_err("it was changed").to_string()
    };
    // A length of eight bytes, the scheme, the ring, three lists of primes with their lengths, the level.
    let Params { q, p, .. } = &plan.params;
    let top_scale = 10 + 3 + 8 * (q.len() + plan.params.t().len() + p.len()) + 1;
    let error = refusal(&|payload| payload[8] = 0);
    assert!(error.contains("2 plaintext primes, expected some in BFV and none in CKKS"), "{error}");
    let error = refusal(&|payload| {
        payload[top_scale..top_scale + 8].copy_from_slice(&30f64.to_le_bytes());
    });
    assert!(error.contains("top scale 30, expected 0 in BFV"), "{error}");
}
