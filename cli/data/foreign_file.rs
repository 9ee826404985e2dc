//! Files that hold data in a form that is not read: what they are, and how to convert them.

use std::path::Path;

use crate::terminal::failure::hinted;

/// The refusal of a file that is neither an `.npy` nor an `.npz`.
pub(crate) fn refused(path: &Path, bytes: &[u8]) -> anyhow::Error {
    let name = path.display();
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    let kind = of_bytes(bytes).or_else(|| of_extension(extension.as_deref().unwrap_or_default()));
    let (what, hint) = match kind {
        Some(Kind::Text) => (
            "is text, such as CSV, expected an .npy array".to_owned(),
            convert(path, "numpy.loadtxt('{}', delimiter=',')", "; skiprows=1 leaves a header out"),
        ),
        Some(Kind::Image(format)) => (
            format!("is a {format} image; images are read from .png and .jpg files"),
            format!(
                "python -c \"from PIL import Image; Image.open('{name}').save('{}')\" converts it",
                path.with_extension("png").display()
            ),
        ),
        Some(Kind::Named(format)) => (
            format!("is a {format} image; its name should end in .{format}"),
            format!("call it `{}`", path.with_extension(format).display()),
        ),
        Some(Kind::Table(format, reader)) => {
            (format!("is {format}, expected an .npy array"), convert(path, reader, ""))
        }
        None if bytes.is_empty() => ("is empty, expected an .npy array".to_owned(), ANY.to_owned()),
        None => (
            "is neither an .npy array nor an .npz archive: it starts with other bytes".to_owned(),
            ANY.to_owned(),
        ),
    };
    hinted(format!("{name} {what}"), hint)
}

/// The refusal of an archive that holds no arrays.
pub(crate) fn refused_archive(path: &Path, names: &[String]) -> anyhow::Error {
    let has = |part: &str| names.iter().any(|name| name.contains(part));
    let (what, hint) = if has("data.pkl") {
        ("is a PyTorch file", convert(path, "torch.load('{}').numpy()", ""))
    } else if has("xl/") {
        ("is an Excel file", convert(path, "pandas.read_excel('{}').to_numpy()", ""))
    } else {
        ("is a zip archive without .npy arrays", ANY.to_owned())
    };
    hinted(format!("{} {what}, expected an .npz archive", path.display()), hint)
}

const ANY: &str = "numpy.save('x.npy', array) writes what is read";

enum Kind {
    Text,
    /// An image in a format that is not read.
    Image(&'static str),
    /// An image that is read by another name, its extension.
    Named(&'static str),
    /// Numbers in another format, and what reads them in Python.
    Table(&'static str, &'static str),
}

fn of_bytes(bytes: &[u8]) -> Option<Kind> {
    let known: [(&[u8], Kind); 13] = [
        (b"\x89PNG\r\n", Kind::Named("png")),
        (b"\xff\xd8\xff", Kind::Named("jpg")),
        (b"GIF8", Kind::Image("GIF")),
        (b"BM", Kind::Image("BMP")),
        (b"II*\0", Kind::Image("TIFF")),
        (b"MM\0*", Kind::Image("TIFF")),
        (b"\x89HDF\r\n", Kind::Table("an HDF5 file", "h5py.File('{}')['NAME'][:]")),
        (b"PAR1", Kind::Table("a Parquet file", "pandas.read_parquet('{}').to_numpy()")),
        (b"ARROW1", Kind::Table("a Feather file", "pandas.read_feather('{}').to_numpy()")),
        (b"MATLAB", Kind::Table("a MATLAB file", "scipy.io.loadmat('{}')['NAME']")),
        (b"\x1f\x8b", Kind::Table("compressed by gzip", "numpy.loadtxt('{}', delimiter=',')")),
        (b"\x80\x04", Kind::Table("a Python pickle", "pickle.load(open('{}', 'rb'))")),
        (b"\x80\x05", Kind::Table("a Python pickle", "pickle.load(open('{}', 'rb'))")),
    ];
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Some(Kind::Image("WebP"));
    }
    if let Some((_, kind)) = known.into_iter().find(|(start, _)| bytes.starts_with(start)) {
        return Some(kind);
    }
    let start = &bytes[..bytes.len().min(4096)];
    let is_text = |&byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let has_digits = start.iter().any(u8::is_ascii_digit);
    (has_digits && start.iter().all(is_text)).then_some(Kind::Text)
}

fn of_extension(extension: &str) -> Option<Kind> {
    match extension {
        "csv" | "tsv" | "txt" => Some(Kind::Text),
        "bmp" => Some(Kind::Image("BMP")),
        "gif" => Some(Kind::Image("GIF")),
        "webp" => Some(Kind::Image("WebP")),
        "tif" | "tiff" => Some(Kind::Image("TIFF")),
        "avif" => Some(Kind::Image("AVIF")),
        "heic" => Some(Kind::Image("HEIC")),
        _ => None,
    }
}

/// A command that converts a file to `.npy`; `{}` in the reader stands for the file.
fn convert(path: &Path, reader: &str, remark: &str) -> String {
    let module = reader.split('.').next().unwrap_or_default();
    let modules = if module == "numpy" { "numpy".to_owned() } else { format!("numpy, {module}") };
    let reader = reader.replace("{}", &path.display().to_string());
    let to = path.with_extension("npy");
    format!(
        "python -c \"import {modules}; numpy.save('{}', {reader})\" converts it{remark}",
        to.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::failure::hint_of;

    fn told(name: &str, bytes: &[u8]) -> (String, String) {
        let error = refused(Path::new(name), bytes);
        (error.to_string(), hint_of(&error).unwrap().to_owned())
    }

    #[test]
    fn what_a_file_is_and_how_to_convert_it() {
        let (error, hint) = told("x.csv", b"1.5,2\n3,4\n");
        assert_eq!(error, "x.csv is text, such as CSV, expected an .npy array");
        assert!(hint.starts_with(
            "python -c \"import numpy; numpy.save('x.npy', numpy.loadtxt('x.csv', delimiter=','))\""
        ));
        let (error, hint) = told("a/x.bmp", b"BM\0\0");
        assert!(error.starts_with("a/x.bmp is a BMP image; images are read from .png"), "{error}");
        assert!(hint.contains("Image.open('a/x.bmp').save('a/x.png')"), "{hint}");
        assert!(told("x.webp", b"?!\xff").0.contains("WebP"));
        assert!(told("x", b"RIFF\0\0\0\0WEBPVP8 ").0.contains("WebP"));
        assert!(told("x.dat", b"GIF89a").0.contains("GIF"));
        assert!(told("x.tiff", b"").0.contains("TIFF"));
        assert_eq!(told("x", b"\x89PNG\r\n\x1a\n").1, "call it `x.png`");
        assert!(told("x.h5", b"\x89HDF\r\n\x1a\n").1.contains("import numpy, h5py;"));
        assert!(told("x.npy", b"").0.contains("is empty"));
        assert!(told("x.npy", b"\x93NUMP?\xff").0.contains("starts with other bytes"));
    }

    #[test]
    fn archives_without_arrays() {
        let told = |name: &str| refused_archive(Path::new("x"), &[name.to_owned()]).to_string();
        assert_eq!(told("archive/data.pkl"), "x is a PyTorch file, expected an .npz archive");
        assert!(told("xl/workbook.xml").contains("Excel"));
        assert!(told("a.txt").contains("without .npy arrays"));
    }
}
