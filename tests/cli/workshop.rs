//! A folder with a network, its data, and all that the command line makes of them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use ndarray::{ArrayD, array};
use ndarray_npy::{NpzWriter, WriteNpyExt};
use serde_json::Value as Json;
use tempfile::TempDir;

/// A convolution, a square and a matrix product on images of 4 by 4 pixels; the last weights are in an archive.
pub(crate) const MODEL: &str = r#"model 1 "tiny"
c0 : [2,1,3,3] = [0.5,-0.25,0.125,0,0.5,-0.5,0.25,0.75,-0.125,0.3,0.1,-0.2,0.6,-0.4,0.2,0.1,-0.3,0.5]
c1 : [2] = [0.1,-0.2]
c2 : [8,3] = npz "c2"
t0 = input : [1,1,4,4] "x"
t1 = conv t0, c0, c1 strides=[2,2] pads_begin=[1,1] pads_end=[0,0] dilations=[1,1] groups=1 : [1,2,2,2] "conv"
t2 = mul t1, t1 : [1,2,2,2] "square"
t3 = reshape t2 : [1,8] "flatten"
t4 = matmul t3, c2 : [1,3] "fc"
output "y" t4 | softmax axis=1
"#;

/// Number of images in `data.npz`.
pub(crate) const N_IMAGES: usize = 70;

/// A folder of its own for one test.
pub(crate) struct Workshop {
    folder: TempDir,
}

/// Pixels of 8 bits, different for every image.
pub(crate) fn images() -> ArrayD<f32> {
    let pixel = |i: usize| ((i * 2_654_435_761) >> 7) as u8;
    let pixels = (0..16 * N_IMAGES).map(|i| f32::from(pixel(i)) / 255.0).collect();
    ArrayD::from_shape_vec(vec![N_IMAGES, 1, 4, 4], pixels).unwrap()
}

/// The last weights, `[8, 3]`.
pub(crate) fn weights() -> ArrayD<f32> {
    let weight = |i: usize| ((i * 7 % 11) as f32 - 5.0) / 8.0;
    ArrayD::from_shape_vec(vec![8, 3], (0..24).map(weight).collect()).unwrap()
}

impl Workshop {
    /// The network, data and one image.
    pub(crate) fn empty() -> Workshop {
        let workshop = Workshop { folder: tempfile::tempdir().unwrap() };
        std::fs::write(workshop.path("tiny.hecc"), MODEL).unwrap();
        let mut archive = NpzWriter::new(std::fs::File::create(workshop.path("tiny.npz")).unwrap());
        archive.add_array("c2", &weights()).unwrap();
        archive.finish().unwrap();
        let file = std::fs::File::create(workshop.path("data.npz")).unwrap();
        let mut archive = NpzWriter::new_compressed(file);
        archive.add_array("x", &images()).unwrap();
        let labels: Vec<i64> = (0..N_IMAGES as i64).map(|i| i % 3).collect();
        archive.add_array("y", &ndarray::Array1::from(labels)).unwrap();
        archive.finish().unwrap();
        workshop.write_npy("x.npy", &images().slice_move(ndarray::s![3, .., .., ..]).into_dyn());
        workshop
            .write_npy("far.npy", &array![[9.0f32; 4], [0.0; 4], [0.0; 4], [0.0; 4]].into_dyn());
        workshop
    }

    /// All files of a whole journey: made once, copied for each test.
    pub(crate) fn full() -> Workshop {
        static MADE: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
        let made = MADE.get_or_init(|| {
            let workshop = Workshop::empty();
            workshop.ok("compile tiny.hecc -o plan.bin --calibration data.npz");
            workshop.ok("keygen plan.bin");
            workshop.ok("encrypt plan.bin --input x.npy -o x.ct");
            workshop.ok("run plan.bin --input x.ct");
            workshop.files()
        });
        Workshop::of(made)
    }

    /// As [`Workshop::empty`], with a plan in two parts besides the whole.
    pub(crate) fn split() -> Workshop {
        static MADE: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
        let made = MADE.get_or_init(|| {
            let workshop = Workshop::empty();
            workshop.ok("compile tiny.hecc -o plan.bin --calibration data.npz --split");
            workshop.files()
        });
        Workshop::of(made)
    }

    fn of(files: &BTreeMap<String, Vec<u8>>) -> Workshop {
        let workshop = Workshop { folder: tempfile::tempdir().unwrap() };
        files.iter().for_each(|(name, bytes)| std::fs::write(workshop.path(name), bytes).unwrap());
        workshop
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Every file with its content.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let read = |path: &Path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(path).unwrap_or_default())
        };
        entries.map(|entry| read(&entry.unwrap().path())).collect()
    }

    pub(crate) fn write_npy(&self, name: &str, array: &ArrayD<f32>) {
        array.write_npy(std::fs::File::create(self.path(name)).unwrap()).unwrap();
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The files that only a running `hecc` should have.
    pub(crate) fn temporary_files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with('.')).collect()
    }

    /// `hecc` with these arguments, in the folder.
    pub(crate) fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hecc"));
        command.args(arguments).current_dir(self.folder.path());
        command.env("XDG_CONFIG_HOME", self.path("home")).env_remove("HECC_COSTS");
        command
    }

    /// Runs `hecc` with arguments that contain no blanks.
    pub(crate) fn hecc(&self, arguments: &str) -> Output {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        self.command(&arguments).output().unwrap()
    }

    /// Runs `hecc`, which must succeed, and returns what it prints on stdout.
    pub(crate) fn ok(&self, arguments: &str) -> String {
        let output = self.hecc(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "hecc {arguments}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs `hecc --json`, which must succeed, and returns what it prints.
    pub(crate) fn json(&self, arguments: &str) -> Json {
        let text = self.ok(&format!("{arguments} --json"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Runs `hecc`, which must fail with one error, print nothing else, and leave all files as they are. Returns the
    /// error.
    pub(crate) fn fails(&self, arguments: &str) -> String {
        let before = self.files();
        let output = self.hecc(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(matches!(output.status.code(), Some(1 | 2)), "hecc {arguments}: {errors}");
        assert!(output.stdout.is_empty(), "hecc {arguments}: {:?}", output.stdout);
        let error = errors.strip_prefix("error: ").unwrap_or_else(|| panic!("{errors}"));
        assert!(!error.contains("error: ") && !error.contains("panicked"), "{error}");
        assert!(self.files() == before, "hecc {arguments} left files behind");
        error.trim_end().to_owned()
    }
}
