//! Text and file give back the plan or model that they were made of.

mod generate;

use std::collections::{BTreeMap, BTreeSet};

use hecc_grammar::envelope::{Fingerprint, Kind, open};
use hecc_grammar::model::{self, Model};
use hecc_grammar::plan::{self, Op, Opcode, Plan, VerifiedPlan, View};
use proptest::prelude::*;

use generate::{models, plans};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn plan_text(plan in plans()) {
        let text = plan.to_string();
        let parsed: Plan = text.parse().map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
        prop_assert_eq!(&parsed, &*plan, "{}", text);
        // Numbers that are equal but print differently: -0.
        prop_assert_eq!(parsed.to_string(), text);
    }

    #[test]
    fn plan_file(plan in plans(), source in models(), has_source: bool) {
        let source = has_source.then_some(&source);
        let bytes = plan::to_bytes(&plan, source);
        let read = plan::from_bytes_even_insecure(bytes.clone().into()).unwrap();
        prop_assert_eq!(&*read.plan, &*plan);
        prop_assert_eq!(read.source.as_ref(), source);
        prop_assert_eq!(read.fingerprint, plan::fingerprint(&plan));
        prop_assert_eq!(plan::to_bytes(&read.plan, read.source.as_ref()), &bytes[..]);
        prop_assert_eq!(open(bytes.into(), Kind::Plan).unwrap().origin.plan, read.fingerprint);
    }

    #[test]
    fn plan_parts(plan in plans()) {
        let server = plan::server_from_bytes_even_insecure(plan::server_to_bytes(&plan).into()).unwrap();
        prop_assert_eq!(server.fingerprint, plan::fingerprint(&plan));
        prop_assert_eq!((&server.plan.ops, &server.plan.types), (&plan.ops, &plan.types));
        prop_assert_eq!((&server.plan.tables, &server.plan.constants), (&plan.tables, &plan.constants));
        prop_assert_eq!(server.plan.interface(), plan.interface());
        if let Ok(file) = plan::client_to_bytes(&plan) {
            let client = plan::client_from_bytes_even_insecure(file.into()).unwrap();
            prop_assert_eq!(client.fingerprint, plan::fingerprint(&plan));
            prop_assert_eq!(&*client.part, &*plan.client_part());
        }
    }

    #[test]
    fn model_text(model in models()) {
        let text = model.to_string();
        let parsed: Model = text.parse().map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
        prop_assert_eq!(&parsed, &model, "{}", text);
        prop_assert_eq!(parsed.to_string(), text);
    }

    #[test]
    fn model_text_with_an_archive(model in models(), max_inline in 0usize..8) {
        let text = model.text(max_inline).to_string();
        let mut archive = |name: &str| model.constants.get(name[1..].parse::<usize>().ok()?).cloned();
        let parsed = model::parse(&text, &mut archive)
            .map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
        prop_assert_eq!(parsed, model);
    }

    #[test]
    fn text_of_any_kind_is_no_panic(plan in plans(), model in models(), edits: [(u16, u8); 3]) {
        for text in [plan.to_string(), model.to_string()] {
            let mut bytes = text.into_bytes();
            for (at, byte) in edits {
                let at = usize::from(at) % bytes.len();
                bytes[at] = byte;
            }
            let text = String::from_utf8_lossy(&bytes);
            for error in [text.parse::<Plan>().err(), text.parse::<Model>().err()] {
                prop_assert!(error.is_none_or(|e| e.line >= 1 && e.column >= 1 && !e.what.is_empty()));
            }
        }
    }
}

/// Many samples, the same in every run.
fn samples<T>(strategy: impl Strategy<Value = T>) -> impl Iterator<Item = T> {
    let mut runner = TestRunner::deterministic();
    (0..1000).map(move |_| strategy.new_tree(&mut runner).expect("no sample is rejected").current())
}

/// Round trips and files of random plans show nothing of what is in none of them.
#[test]
fn plans_of_every_kind_are_generated() {
    let mut counts = BTreeMap::<String, usize>::new();
    for plan in samples(plans()) {
        let scheme = format!("{:?}", plan.params.scheme());
        let batch = if plan.batch > 1 { "a batch" } else { "one input" };
        let ops = plan.ops.iter().map(|op| op.opcode().mnemonic().to_owned());
        let keys = plan.ops.iter().filter_map(Op::key).map(|key| {
            format!("key {}", key.to_string().split(' ').next().expect("keys have a name"))
        });
        let views = plan.constants.iter().map(|constant| match constant.view {
            View::Splat(_) => "splat",
            View::Imaginary(_) => "imaginary",
            View::Embedding(_) => "embedding",
            View::Table { .. } => "view",
        });
        let mut found: BTreeSet<String> = ops.chain(keys).collect();
        found.extend(views.map(str::to_owned));
        found.insert(format!("{scheme}, {batch}"));
        found.into_iter().for_each(|what| *counts.entry(what).or_default() += 1);
    }
    let schemes =
        ["Ckks", "Bfv"].map(|scheme| [", one input", ", a batch"].map(|b| format!("{scheme}{b}")));
    let keys = ["relinearize", "rotate", "conjugate", "encapsulate", "decapsulate"];
    let views = ["splat", "imaginary", "embedding", "view"].map(str::to_owned);
    let expected = Opcode::ALL.iter().map(|opcode| opcode.mnemonic().to_owned());
    let expected = expected.chain(schemes.into_iter().flatten()).chain(views);
    for what in expected.chain(keys.map(|key| format!("key {key}"))) {
        let count = counts.get(&what).copied().unwrap_or(0);
        assert!(count >= 20, "{count} of 1000 plans have {what}: {counts:?}");
    }
}

#[test]
fn models_of_every_operation_are_generated() {
    let of_models = "add average_pool clip concat conv cos elu erf exp expand fake_quant gather gelu hard_sigmoid hard_swish \
        input leaky_relu log matmul mish mul pad polynomial polynomials relu reshape selu sigmoid sin sine slice softplus softsign sqrt sum swish tanh transpose";
    let expected: BTreeSet<String> = of_models.split_whitespace().map(str::to_owned).collect();
    let mut found = BTreeSet::new();
    for model in samples(models()) {
        let text = model.to_string();
        let words = text.lines().filter_map(|line| line.split_once(" = ")?.1.split(' ').next());
        found.extend(words.filter(|word| !word.starts_with('[')).map(str::to_owned));
    }
    assert_eq!(found, expected);
}

#[test]
fn the_fingerprint_is_of_what_runs() {
    let text = include_str!("text/small.plan");
    let of = |text: &str| -> Fingerprint {
        plan::fingerprint(&VerifiedPlan::new(text.parse::<Plan>().unwrap()).unwrap())
    };
    assert_eq!(of(text), of(&text.replace("\"conv1\"", "\"renamed\"").replace("small", "other")));
    assert_ne!(of(text), of(&text.replace("[0.5,-1,0.1]", "[0.5,-1,0.2]")));
    assert_ne!(of(text), of(&text.replace("factor=2", "factor=3")));
}
