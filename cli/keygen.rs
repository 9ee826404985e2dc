//! `hecc keygen`: the secret key and the evaluation keys of a plan.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use hecc_grammar::save::{Access, write_atomically};
use hecc_runtime::client::{SecretKey, evaluation_keys, write_secret_key};
use hecc_runtime::file::{evaluation_keys_bytes, write_evaluation_keys};
use hecc_runtime::ring::SecretRng;
use serde_json::json;

use crate::console::Console;
use crate::failure::hinted;
use crate::progress::Progress;
use crate::{beside, plan_file, units};

/// Make the keys of a plan
///
/// Two files come out. The secret key (`plan.sk`) encrypts inputs and decrypts results: it must never leave its owner.
/// The evaluation keys (`plan.ek`) let a server run the plan on encrypted inputs; they reveal nothing and are meant to
/// be given away.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The plan, from `hecc compile`.
    plan: PathBuf,
    /// Write the keys into this folder instead of beside the plan.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace a secret key that exists: what it encrypted is lost.
    #[arg(long)]
    force: bool,
}

pub(crate) fn keygen(args: &Args, console: &Console) -> Result<()> {
    let folder = args.out.as_deref();
    let secret_path = beside::secret_key(&args.plan, folder);
    let keys_path = beside::evaluation_keys(&args.plan, folder);
    check_paths(args, &secret_path, &keys_path)?;
    let loaded = plan_file::read(&args.plan)?;
    let plan = &loaded.plan;
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make folder `{}`", folder.display()))?;
    }

    let start = Instant::now();
    let secret = SecretKey::generate()?;
    let mut rng = SecretRng::from_os()?;
    let keys = {
        let bar = Progress::new(console, "keys", plan.keys().len());
        evaluation_keys(plan, &secret, &mut rng, &|done, _| bar.set(done))
    };
    let n_keys = plan.keys().len();
    // The secret key last: where it is, the evaluation keys are too.
    write_atomically(&keys_path, Access::Public, |out| {
        write_evaluation_keys(plan, loaded.fingerprint, &keys, out)
    })
    .with_context(|| plan_file::cannot_write(&keys_path))?;
    let secret_file = write_secret_key(plan, loaded.fingerprint, &secret);
    write_atomically(&secret_path, Access::Owner, |out| out.write_all(&secret_file))
        .with_context(|| plan_file::cannot_write(&secret_path))?;

    let key_bytes = evaluation_keys_bytes(plan);
    console.summary(
        format!(
            "{}: secret key {}, {}. Keep it to yourself: it reads everything that is encrypted for this plan\n\
             {}: evaluation keys, {} ({}), made in {}. For the machine that runs the plan",
            secret_path.display(),
            secret.id(),
            units::bytes(secret_file.len() as u64),
            keys_path.display(),
            units::bytes(key_bytes),
            units::count(n_keys, "key"),
            units::duration(start.elapsed()),
        ),
        json!({
            "plan": loaded.fingerprint.to_string(),
            "key": secret.id().to_string(),
            "secret_key": { "path": secret_path, "bytes": secret_file.len() },
            "evaluation_keys": { "path": keys_path, "bytes": key_bytes, "count": n_keys },
            "seconds": start.elapsed().as_secs_f64(),
        }),
    )
}

/// Neither file may be the plan, and a secret key is not replaced by accident.
fn check_paths(args: &Args, secret: &Path, keys: &Path) -> Result<()> {
    ensure!(
        secret != args.plan && keys != args.plan,
        "the plan is called `{}` as its key would be: rename it",
        args.plan.display()
    );
    if secret.exists() && !args.force {
        return Err(hinted(
            format!("there is a secret key in `{}` already", secret.display()),
            "what it encrypted cannot be read without it; --force replaces it, --out DIR writes elsewhere",
        ));
    }
    Ok(())
}
