//! Text and file give back the plan or model that they were made of.

mod generate;

use std::collections::BTreeSet;

use hecc_grammar::envelope::{Fingerprint, Kind, open};
use hecc_grammar::model::{self, Model};
use hecc_grammar::plan::{self, Plan};
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

/// The words behind `=` in the texts of many samples.
fn operations<T: std::fmt::Display>(samples: impl Strategy<Value = T>) -> BTreeSet<String> {
    let mut runner = TestRunner::deterministic();
    let mut found = BTreeSet::new();
    for _ in 0..1000 {
        let text =
            samples.new_tree(&mut runner).expect("no sample is rejected").current().to_string();
        let words = text.lines().filter_map(|line| line.split_once(" = ")?.1.split(' ').next());
        found.extend(words.filter(|word| !word.starts_with('[')).map(str::to_owned));
    }
    found
}

#[test]
fn the_generators_make_every_operation() {
    let of_plans = "add add_plain apply_key decompose dot_plain drop embedding imaginary input mod_down mod_raise mod_up mul \
        mul_plain neg rescale splat sub view";
    let of_models = "add average_pool clip concat conv cos elu erf exp expand fake_quant gather gelu hard_sigmoid hard_swish \
        input leaky_relu log matmul mish mul pad polynomial relu reshape selu sigmoid sin slice softplus softsign sqrt sum swish tanh transpose";
    let words = |list: &str| list.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(operations(plans().prop_map(|plan| plan.into_inner())), words(of_plans));
    assert_eq!(operations(models()), words(of_models));
}

#[test]
fn the_fingerprint_is_of_what_runs() {
    let text = include_str!("text/small.plan");
    let of = |text: &str| -> Fingerprint { plan::fingerprint(&text.parse::<Plan>().unwrap()) };
    assert_eq!(of(text), of(&text.replace("\"conv1\"", "\"renamed\"").replace("small", "other")));
    assert_ne!(of(text), of(&text.replace("[0.5,-1,0.1]", "[0.5,-1,0.2]")));
    assert_ne!(of(text), of(&text.replace("factor=2", "factor=3")));
}
