//! `hecc keygen`: the secret key, the evaluation keys and the public key of a plan.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use hecc_grammar::cost;
use hecc_grammar::envelope::Kind;
use hecc_grammar::plan::Interface;
use hecc_grammar::security::Security;
use hecc_runtime::client::{
    PublicKey, SecretKey, evaluation_keys, public_key_bytes, read_secret_key, secret_key_bytes,
    write_public_key, write_secret_key,
};
use hecc_runtime::file::{evaluation_keys_bytes, write_evaluation_keys};
use hecc_runtime::ring::SecretRng;
use serde_json::{Value as Json, json};

use crate::files::key_pair::{KeyPair, Published};
use crate::files::memory::MemoryLimit;
use crate::files::output::cannot_write;
use crate::files::plan_file::LoadedClient;
use crate::files::save::{Access, Staged};
use crate::files::stream::{check_named, name};
use crate::files::{bytes_file, companions, memory, plan_file, refusal, security};
use crate::terminal::console::Console;
use crate::terminal::progress::Progress;
use crate::terminal::units;

/// Make the keys of a plan
///
/// Two files come out. The secret key (`plan.sk`) encrypts inputs and decrypts results: it must never leave its owner.
/// The evaluation keys (`plan.ek`) let a server run the plan on encrypted inputs; they reveal nothing and are meant to
/// be given away. With --public there is a public key (`plan.pk`) too, with which others encrypt inputs. All carry the same
/// random id, as does everything that is encrypted under them.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The plan, from `hecc compile`, or its client part.
    plan: PathBuf,
    /// Write the keys into this folder instead of next to the plan.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace keys that exist: what the old secret key encrypted is lost.
    #[arg(long)]
    force: bool,
    /// Keep the secret key that exists, and make its evaluation keys again.
    #[arg(long)]
    evaluation_only: bool,
    /// Also write a public key: who has it encrypts inputs, and can read neither them nor the results.
    #[arg(long)]
    public: bool,
    /// Bits of security that the plan's parameters must give, checked here whatever the plan says of itself.
    #[arg(long, value_name = "BITS", default_value = "128", value_parser = security::parse)]
    require_security: Security,
    #[command(flatten)]
    pub(crate) memory: MemoryLimit,
}

pub(crate) fn keygen(args: &Args, console: &Console) -> Result<()> {
    check_named(&args.plan, "keys are named after the file of their plan: give that file")?;
    let folder = args.out.as_deref();
    if let Some(folder) = folder {
        check_named(folder, "--out takes a folder for both files")?;
    }
    let pair = KeyPair {
        secret: companions::secret_key(&args.plan, folder),
        evaluation: companions::evaluation_keys(&args.plan, folder),
        public: args.public.then(|| companions::public_key(&args.plan, folder)),
        plan: args.plan.clone(),
    };
    let loaded = plan_file::read_client(&args.plan)?;
    security::check(&loaded, &args.plan, args.require_security)?;
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make folder `{}`", name(folder)))?;
    }
    let start = Instant::now();
    let secret = if args.evaluation_only {
        pair.check_evaluation_only(args.force)?;
        let file = bytes_file::read_kind(&pair.secret, &[Kind::SecretKey], &args.plan)?;
        read_secret_key(&loaded.part.interface.params, loaded.fingerprint, file)
            .map_err(|error| refusal::refused(&pair.secret, error))?
    } else {
        pair.check_new(args.force)?;
        SecretKey::generate()?
    };
    // What takes long, and what can fail for want of space, is done before either file is in its place.
    let evaluation = stage_evaluation_keys(&loaded, &secret, &pair.evaluation, console)?;
    let public = pair.public.as_deref().map(|path| stage_public_key(&loaded, &secret, path));
    let published = Published { evaluation, public: public.transpose()? };
    if args.evaluation_only {
        pair.place_published(published, args.force)?;
    } else {
        let file = write_secret_key(&loaded.part.interface.params, loaded.fingerprint, &secret);
        let staged = Staged::write(&pair.secret, Access::Owner, |out| out.write_all(&file));
        let staged = staged.with_context(|| cannot_write(&pair.secret))?;
        pair.place(staged, published, args.force)?;
        warn_of_old(args, console);
    }
    report(&Made { args, pair: &pair, loaded: &loaded, secret: &secret, start }, console)
}

/// Keys of so many bytes are announced before they are made.
const ANNOUNCED: u64 = 100_000_000;

/// Makes the evaluation keys, and writes them under a temporary name.
fn stage_evaluation_keys(
    loaded: &LoadedClient,
    secret: &SecretKey,
    path: &Path,
    console: &Console,
) -> Result<Staged> {
    let interface = &loaded.part.interface;
    let Interface { params, keys, .. } = interface;
    let (n_keys, size) = (keys.len(), cost::bytes_of_keys(params, keys));
    let what = format!("{} for a server", units::count(n_keys, "evaluation key"));
    memory::require(size, &what)?;
    if size >= ANNOUNCED {
        let on_disk = units::bytes(evaluation_keys_bytes(interface));
        console.note(format!("making {what}: {on_disk} on disk"));
    }
    let mut rng = SecretRng::from_os()?;
    let keys = {
        let bar = Progress::new(console, "keys", n_keys);
        evaluation_keys(interface, secret, &mut rng, &|done, _| bar.set(done))
    };
    let staged = Staged::write(path, Access::Public, |out| {
        write_evaluation_keys(interface, loaded.fingerprint, &keys, out)
    });
    staged.with_context(|| cannot_write(path))
}

/// Makes the public key, and writes it under a temporary name.
fn stage_public_key(loaded: &LoadedClient, secret: &SecretKey, path: &Path) -> Result<Staged> {
    let params = &loaded.part.interface.params;
    let key = PublicKey::of(params, secret, &mut SecretRng::from_os()?);
    let file = write_public_key(params, loaded.fingerprint, &key);
    let staged = Staged::write(path, Access::Public, |out| out.write_all(&file));
    staged.with_context(|| cannot_write(path))
}

/// Says what happened to a public key of the secret key that was replaced.
fn warn_of_old(args: &Args, console: &Console) {
    let old = companions::public_key(&args.plan, args.out.as_deref());
    if args.force && !args.public && old.exists() {
        console.warn(format!(
            "`{}` is a public key of the old secret key: what is encrypted with it cannot be read any more (--public makes \
             another)",
            name(&old)
        ));
    }
}

/// What there is to tell.
struct Made<'a> {
    args: &'a Args,
    pair: &'a KeyPair,
    loaded: &'a LoadedClient,
    secret: &'a SecretKey,
    start: Instant,
}

fn report(made: &Made<'_>, console: &Console) -> Result<()> {
    let Made { args, pair, loaded, secret, start } = made;
    let interface = &loaded.part.interface;
    let (key_bytes, n_keys) = (evaluation_keys_bytes(interface), interface.keys.len());
    let secret_bytes = secret_key_bytes(&interface.params);
    let public_bytes = public_key_bytes(&interface.params);
    let of_secret = if args.evaluation_only {
        String::new()
    } else {
        format!(
            "{}: secret key {}, {}. Keep it to yourself: it reads everything that is encrypted for this plan\n",
            name(&pair.secret),
            secret.id(),
            units::bytes(secret_bytes),
        )
    };
    let of_public = pair.public.as_deref().map_or_else(String::new, |path| {
        format!(
            "\n{}: public key {}, {}. For those who encrypt inputs; only the secret key reads these, and the results",
            name(path),
            secret.id(),
            units::bytes(public_bytes)
        )
    });
    let public = pair.public.as_deref();
    let json: Json = json!({
        "plan": loaded.fingerprint.to_string(),
        "key": secret.id().to_string(),
        "secret_key": { "path": name(&pair.secret), "bytes": secret_bytes, "made": !args.evaluation_only },
        "evaluation_keys": { "path": name(&pair.evaluation), "bytes": key_bytes, "count": n_keys },
        "public_key": public.map(|path| json!({ "path": name(path), "bytes": public_bytes })),
        "seconds": start.elapsed().as_secs_f64(),
    });
    let text = format!(
        "{of_secret}{}: evaluation keys of key {}, {} ({}), made in {}. For the machine that runs the plan{of_public}",
        name(&pair.evaluation),
        secret.id(),
        units::bytes(key_bytes),
        units::count(n_keys, "key"),
        units::duration(start.elapsed()),
    );
    console.summary(text, json)
}
