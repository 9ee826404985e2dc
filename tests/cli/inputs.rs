//! What goes into a network: which file for which input, in which layout, as which numbers.

use ndarray::{ArrayD, array};
use ndarray_npy::{NpzWriter, WriteNpyExt};

use crate::workshop::Workshop;

/// `3·u − v`, with two inputs of the same shape.
const PAIR: &str = r#"model 1 "pair"
c0 : [] = [3]
c1 : [] = [-1]
t0 = input : [1,2] "u"
t1 = input : [1,2] "v"
t2 = mul t0, c0 : [1,2] "triple"
t3 = mul t1, c1 : [1,2] "minus"
t4 = add t2, t3 : [1,2] "sum"
output "y" t4
"#;

fn network(text: &str) -> Workshop {
    let workshop = Workshop::empty();
    std::fs::write(workshop.path("net.hecc"), text).unwrap();
    workshop
}

/// The first output for each input that is encrypted with these arguments.
fn results(workshop: &Workshop, arguments: &str) -> Vec<f64> {
    workshop.ok(&format!("encrypt plan.bin {arguments} -o x.ct"));
    workshop.ok("run plan.bin --input x.ct -o y.ct");
    workshop.ok("decrypt plan.bin --input y.ct --all-digits -o y.npy");
    let bytes = std::fs::read(workshop.path("y.npy")).unwrap();
    let array: ArrayD<f64> = ndarray_npy::ReadNpyExt::read_npy(&bytes[..]).unwrap();
    array.iter().copied().collect()
}

fn assert_close(found: &[f64], expected: &[f64]) {
    let size = expected.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
    let is_close = |(a, b): (&f64, &f64)| (a - b).abs() < 0.01 * size;
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(is_close),
        "{found:?}, expected {expected:?}"
    );
}

#[test]
fn files_are_matched_to_inputs_by_name() {
    let workshop = network(PAIR);
    workshop.ok("compile net.hecc -o plan.bin --input-range -2,2");
    workshop.ok("keygen plan.bin");
    let (u, v) = (array![[1.0f32, -1.0]].into_dyn(), array![[0.5f32, 2.0]].into_dyn());
    workshop.write_npy("u.npy", &u);
    workshop.write_npy("b.npy", &v);
    workshop.write_npy("v.npy", &v);
    let mut archive = NpzWriter::new(std::fs::File::create(workshop.path("both.npz")).unwrap());
    archive.add_array("v", &v).unwrap();
    archive.add_array("u", &u).unwrap();
    archive.finish().unwrap();
    let right = [2.5, -5.0];
    assert_close(&results(&workshop, "-i u.npy -i b.npy"), &right);
    assert_close(&results(&workshop, "-i v=b.npy -i u=u.npy"), &right);
    assert_close(&results(&workshop, "-i v.npy -i u.npy"), &right);
    assert_close(&results(&workshop, "-i both.npz"), &right);
    assert_close(&results(&workshop, "-i both.npz:u -i v=both.npz:v"), &right);
    let error = workshop.fails("encrypt plan.bin -i u.npy -o x.ct");
    assert!(error.starts_with("1 input was given, the network has 2 (u, v)\n  hint: "), "{error}");
    let error = workshop.fails("compile net.hecc -o p.bin --calibration u.npy");
    assert!(error.starts_with("1 input was given, the network has 2 (u, v)"), "{error}");
    let error = workshop.fails("compile net.hecc -o p.bin --calibration data.npz");
    assert!(error.contains("no array `u`: it has x, y, the network's inputs are u, v"), "{error}");
}

/// `2·x` of an input that holds bytes, channels last.
const BYTES: &str = r#"model 1 "bytes"
c0 : [] = [2]
t0 = input : [1,1,2,3] "x"
t1 = fake_quant t0 scale=1 zero_point=0 q_min=0 q_max=255 rounding=half_even : [1,1,2,3] "x"
t2 = transpose t1 perm=[0,3,1,2] : [1,3,1,2] "first"
t3 = mul t2, c0 : [1,3,1,2] "double"
output "y" t3
"#;

#[test]
fn declared_bytes_are_taken_as_they_are() {
    let workshop = network(BYTES);
    let error = workshop.fails("compile net.hecc -o p.bin --normalize 0.5,0.5");
    assert!(error.contains("takes pixels as they are, whole numbers from 0 to 255"), "{error}");
    let output = workshop.hecc("compile net.hecc -o plan.bin --scheme ckks");
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(notes.contains("inputs are taken to be uniform in [0, 255]"), "{notes}");
    workshop.ok("keygen plan.bin");
    let pixels: [u8; 6] = [255, 0, 51, 10, 102, 0];
    let right = [510.0, 20.0, 0.0, 204.0, 102.0, 0.0];
    let write = |name: &str| std::fs::File::create(workshop.path(name)).unwrap();
    let bytes = ArrayD::from_shape_vec(vec![1, 1, 2, 3], pixels.to_vec()).unwrap();
    bytes.write_npy(write("bytes.npy")).unwrap();
    image::RgbImage::from_raw(2, 1, pixels.to_vec()).unwrap().save(workshop.path("x.png")).unwrap();
    let floats = array![[[255.0f32, 0.0, 51.0], [10.0, 102.0, 0.0]]].into_dyn();
    workshop.write_npy("floats.npy", &floats);
    workshop.write_npy("scaled.npy", &(floats / 255.0));
    for file in ["bytes.npy", "x.png", "floats.npy"] {
        assert_close(&results(&workshop, &format!("-i {file}")), &right);
    }
    let error = workshop.fails("encrypt plan.bin -i scaled.npy -o x.ct");
    assert!(error.contains("all elements are between -1 and 1, input `x` takes whole"), "{error}");
}

#[test]
fn inputs_without_a_batch() {
    let whole = r#"model 1 "whole"
c0 : [] = [-0.5]
t0 = input : [2,3] "x"
t1 = sum t0 axes=[0] keepdims=true : [1,3] "sum"
t2 = mul t1, c0 : [1,3] "mean"
t3 = expand t2 : [2,3] "wide"
t4 = add t0, t3 : [2,3] "centered"
output "y" t4
"#;
    let workshop = network(whole);
    workshop.ok("compile net.hecc -o plan.bin --input-range -1,1");
    workshop.ok("keygen plan.bin");
    let rows = array![[[1.0f32, 0.0, 0.5], [0.0, 1.0, 0.5]], [[0.5, 0.5, 0.5], [0.0, 0.5, 1.0]]];
    workshop.write_npy("two.npy", &rows.clone().into_dyn());
    workshop.write_npy("one.npy", &rows.index_axis(ndarray::Axis(0), 0).to_owned().into_dyn());
    let first = [0.5, -0.5, 0.0, -0.5, 0.5, 0.0];
    assert_close(&results(&workshop, "-i one.npy"), &first);
    let second = [0.25, 0.0, -0.25, -0.25, 0.0, 0.25];
    assert_close(&results(&workshop, "-i two.npy"), &[first, second].concat());
    workshop.write_npy("rows.npy", &ArrayD::zeros(vec![4, 3]));
    let error = workshop.fails("encrypt plan.bin -i rows.npy -o x.ct");
    assert!(error.contains("shape [4, 3], expected [2, 3], or [n, 2, 3] for n inputs"), "{error}");
    assert!(error.contains("x.reshape(-1, 2, 3) groups them"), "{error}");

    let scalar = "model 1 \"scalar\"\nc0 : [] = [2]\nt0 = input : [] \"x\"\n\
                  t1 = mul t0, c0 : [] \"double\"\noutput \"y\" t1\n";
    let workshop = network(scalar);
    workshop.ok("compile net.hecc -o plan.bin --input-range -1,1");
    workshop.ok("keygen plan.bin");
    workshop.write_npy("x.npy", &array![0.5f32, -1.0].into_dyn());
    assert_close(&results(&workshop, "-i x.npy"), &[1.0, -2.0]);
    workshop.write_npy("none.npy", &ArrayD::zeros(vec![0]));
    let error = workshop.fails("encrypt plan.bin -i none.npy -o x.ct");
    assert!(error.starts_with("none.npy: no rows"), "{error}");
}
