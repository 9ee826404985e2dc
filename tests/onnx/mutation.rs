//! Broken files give an error, never a panic.

use hecc_compiler::onnx::proto::{GraphProto, ModelProto};
use hecc_compiler::{interpret, onnx};
use ndarray::ArrayD;
use prost::Message;

use crate::{MODELS, folder};

/// Splitmix64: the same variants in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

/// Imports; what is accepted must also run, unless it is too large to be worth it.
fn try_import(bytes: Vec<u8>) -> bool {
    let Ok(model) = onnx::import(bytes.into(), Some(&folder())) else { return false };
    let size: usize = model.nodes.iter().map(|node| node.shape.iter().product::<usize>()).sum();
    if size < 1 << 16 {
        let zeros: Vec<_> = model.inputs().map(|(_, n)| ArrayD::zeros(n.shape.clone())).collect();
        interpret::run_with_client(&model, &zeros).unwrap();
    }
    true
}

/// Of variants of which all are refused, or none, nothing is learned.
fn assert_some(accepted: usize, total: usize) {
    eprintln!("{accepted} of {total} variants were accepted");
    assert!((total / 50..total).contains(&accepted), "{accepted} of {total} accepted");
}

#[test]
fn truncated_files() {
    for name in MODELS {
        let bytes = std::fs::read(folder().join(format!("{name}.onnx"))).unwrap();
        for length in 0..bytes.len() {
            try_import(bytes[..length].to_vec());
        }
    }
}

#[test]
fn flipped_bits_and_changed_bytes() {
    let mut random = Random(1);
    let (mut accepted, mut total) = (0, 0);
    for name in MODELS {
        let bytes = std::fs::read(folder().join(format!("{name}.onnx"))).unwrap();
        for _ in 0..3000 {
            let mut variant = bytes.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(variant.len());
                match random.below(3) {
                    0 => variant[at] ^= 1 << random.below(8),
                    1 => variant[at] = random.below(256) as u8,
                    _ => {
                        let end = (at + random.below(8)).min(variant.len());
                        variant.drain(at..end);
                    }
                }
            }
            total += 1;
            accepted += usize::from(try_import(variant));
        }
    }
    assert_some(accepted, total);
}

/// Well-formed messages with numbers, names and operators that do not belong there.
#[test]
fn wrong_but_well_formed() {
    let mut random = Random(2);
    let (mut accepted, mut total) = (0, 0);
    for name in MODELS {
        let bytes = std::fs::read(folder().join(format!("{name}.onnx"))).unwrap();
        let model = ModelProto::decode(&bytes[..]).unwrap();
        for _ in 0..3000 {
            let mut variant = model.clone();
            for _ in 0..=random.below(2) {
                mutate(variant.graph.as_mut().unwrap(), &mut random);
            }
            total += 1;
            accepted += usize::from(try_import(variant.encode_to_vec()));
        }
    }
    assert_some(accepted, total);
}

fn mutate(graph: &mut GraphProto, random: &mut Random) {
    const NUMBERS: [i64; 14] =
        [0, 1, -1, 2, 3, -2, 7, 100, 1 << 20, 1 << 27, 1 << 40, i64::MAX, i64::MIN, i64::MAX - 1];
    let number = NUMBERS[random.below(NUMBERS.len())];
    let operators: Vec<&str> = onnx::operators().collect();
    let names: Vec<String> =
        graph.node.iter().flat_map(|n| n.input.iter().chain(&n.output)).cloned().collect();
    let count = graph.node.len();
    let node = random.below(count);
    if names.is_empty() || graph.node[node].input.is_empty() {
        return;
    }
    match random.below(10) {
        0 => graph.node[node].op_type = Some(operators[random.below(operators.len())].to_owned()),
        1 => graph.node.swap(node, random.below(count)),
        2 => {
            let inputs = &mut graph.node[node].input;
            let at = random.below(inputs.len());
            inputs[at] = names[random.below(names.len())].clone();
        }
        3 => {
            graph.node[node].input.pop();
        }
        4 => graph.node[node].input.push(names[random.below(names.len())].clone()),
        5 => {
            if let Some(attribute) = graph.node[node].attribute.first_mut() {
                if let Some(i) = attribute.i.as_mut() {
                    *i = number;
                }
                if !attribute.ints.is_empty() {
                    let at = random.below(attribute.ints.len());
                    attribute.ints[at] = number;
                }
            }
        }
        6 => {
            let at = random.below(graph.initializer.len());
            let dims = &mut graph.initializer[at].dims;
            if dims.is_empty() {
                dims.push(number);
            } else {
                let d = random.below(dims.len());
                dims[d] = number;
            }
        }
        7 => {
            // Axes, shapes, pads and ends are stored as eight bytes each.
            let integers = graph.initializer.iter_mut().filter(|t| t.data_type == Some(7));
            let mut integers: Vec<_> = integers.collect();
            if integers.is_empty() {
                return;
            }
            let at = random.below(integers.len());
            if let Some(raw) = integers[at].raw_data.as_mut().filter(|raw| raw.len() >= 8) {
                let mut bytes = raw.to_vec();
                bytes[..8].copy_from_slice(&number.to_le_bytes());
                *raw = bytes.into();
            }
        }
        8 => {
            graph.node.remove(node);
            if graph.node.is_empty() {
                graph.node.push(Default::default());
            }
        }
        _ => {
            let attribute = graph.node[random.below(count)].attribute.first().cloned();
            graph.node[node].attribute.extend(attribute);
        }
    }
}
