//! The cost table of this machine, where `hecc bench --calibrate` has measured it.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use etcetera::base_strategy::{BaseStrategy, choose_base_strategy};
use hecc_grammar::cost::{Costs, DEFAULT};
use serde_json::{Value as Json, json};

use crate::files::output::write_file;

/// Names another file than the one in the user's configuration folder.
const VARIABLE: &str = "HECC_COSTS";

/// The table measured on this machine, or the shipped one.
pub(crate) fn load() -> Result<Costs> {
    let Ok(path) = path() else { return Ok(DEFAULT) };
    let named = std::env::var_os(VARIABLE).is_some();
    if !named && !path.exists() {
        return Ok(DEFAULT);
    }
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{}: the cost table cannot be read", path.display()))?;
    let json: Json = serde_json::from_str(&text)
        .with_context(|| format!("{}: the cost table is not JSON", path.display()))?;
    let mut costs = DEFAULT;
    for (name, field) in fields_mut(&mut costs) {
        match json[name].as_f64() {
            Some(seconds) if seconds > 0.0 && seconds < 1e-3 => *field = seconds,
            found => bail!(
                "{}: `{name}` is {found:?}, expected seconds above 0 and below 0.001; measure again with \
                 `hecc bench --calibrate`, or delete the file",
                path.display()
            ),
        }
    }
    Ok(costs)
}

/// Writes a table where [`load`] finds it.
pub(crate) fn write(costs: &Costs) -> Result<PathBuf> {
    let path = path()?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("{}: the folder cannot be made", folder.display()))?;
    }
    write_file(&path, format!("{:#}\n", json(costs)).as_bytes())?;
    Ok(path)
}

fn path() -> Result<PathBuf> {
    match std::env::var_os(VARIABLE) {
        Some(path) => Ok(path.into()),
        None => choose_base_strategy()
            .map(|base| base.config_dir().join("hecc").join("costs.json"))
            .with_context(|| {
                format!("there is no configuration folder; name a file in {VARIABLE}")
            }),
    }
}

/// The numbers of a table, named.
pub(crate) fn fields(costs: &Costs) -> [(&'static str, f64); 5] {
    fields_mut(&mut costs.clone()).map(|(name, field)| (name, *field))
}

fn fields_mut(costs: &mut Costs) -> [(&'static str, &mut f64); 5] {
    let Costs { butterfly, mul_add, convert, pass, encode } = costs;
    [
        ("butterfly", butterfly),
        ("mul_add", mul_add),
        ("convert", convert),
        ("pass", pass),
        ("encode", encode),
    ]
}

/// A table for scripts.
pub(crate) fn json(costs: &Costs) -> Json {
    let pairs = fields(costs).map(|(name, seconds)| (name.to_owned(), json!(seconds)));
    Json::Object(pairs.into_iter().collect())
}
