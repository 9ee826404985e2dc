//! `--class-names`: what classes are called.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use hecc_grammar::model::{ClientOp, Model};

/// Adds the names in a file, one a line, to the first output of a network.
pub(crate) fn add(model: &mut Model, path: &Path) -> Result<()> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    let mut names: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
    while names.last().is_some_and(String::is_empty) {
        names.pop();
    }
    ensure!(!names.is_empty(), "{}: no names, expected one a line", path.display());
    let Some(tensor) = model.outputs.first().map(|output| output.tensor) else {
        bail!("the network has no output, so no classes to name");
    };
    let mut applied = model.shape(tensor).to_vec();
    let n_scores: usize = applied.iter().product();
    let client = &mut model.outputs[0].client;
    for op in &*client {
        applied = op.shape(&applied)?;
    }
    let n_applied: usize = applied.iter().product();
    // Of a single score there is a no and a yes.
    let n_classes = n_scores.max(2);
    ensure!(
        names.len() == n_classes || n_applied != n_scores,
        "{}: {} names, the network has {n_classes} classes",
        path.display(),
        names.len()
    );
    client.push(match names.len() == n_applied {
        true => ClientOp::Classes { names },
        false => ClientOp::Labels { names },
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(last: &str, names: &str) -> Result<Vec<ClientOp>> {
        let text = format!("model 1 \"m\"\nt0 = input : [1,3] \"x\"\noutput \"y\" t0{last}\n");
        let mut model: Model = text.parse().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), names).unwrap();
        add(&mut model, file.path())?;
        Ok(model.outputs[0].client.clone())
    }

    #[test]
    fn names_are_for_scores_or_for_what_is_chosen() {
        let names = ["cat", "big dog", "cow"].map(str::to_owned).to_vec();
        let scores = named("", "cat\nbig dog\ncow\n\n").unwrap();
        assert_eq!(scores, [ClientOp::Classes { names: names.clone() }]);
        let chosen = named(" | arg_max axis=1 keepdims=false", "cat\r\nbig dog\r\ncow").unwrap();
        assert_eq!(chosen[1], ClientOp::Labels { names });
        let error = named("", "cat\ndog").unwrap_err().to_string();
        assert!(error.contains("2 names, the network has 3 classes"), "{error}");
    }
}
