//! Parameters: what both parts of a plan start with.

use super::Invalid;
use super::wire::{Reader, Writer, list};
use crate::plan::verify::check_params;
use crate::plan::{Params, Plaintexts, Scheme};
use crate::security::Security;

pub(super) fn write(w: &mut Writer, params: &Params) {
    let Params { plaintexts: _, log_n, q, p, input_level, security } = params;
    w.varint(match params.scheme() {
        Scheme::Ckks => 0,
        Scheme::Bfv => 1,
    });
    w.varint(u64::from(*log_n));
    for primes in [q, params.t(), p] {
        w.varint(primes.len() as u64);
        primes.iter().for_each(|&prime| w.u64(prime));
    }
    w.varint(*input_level as u64);
    w.f64(params.top_scale());
    w.varint(u64::from(security.bits()));
}

/// Reads and checks parameters: what follows relies on them.
pub(super) fn read(r: &mut Reader<'_>) -> Result<Params, Invalid> {
    let scheme = match r.varint()? {
        0 => Scheme::Ckks,
        1 => Scheme::Bfv,
        other => return Ok(r.fail(format!("scheme {other}, expected 0 or 1"))?),
    };
    let log_n = r.number()?;
    let mut primes = || list(r.count(8)?, || r.u64());
    let (q, t, p) = (primes()?, primes()?, primes()?);
    let input_level = r.number()?;
    let top_scale = r.f64()?;
    let bits: u32 = r.number()?;
    let Some(security) = Security::from_file(bits) else {
        return Ok(r.fail(insecure(bits))?);
    };
    let n_t = t.len();
    let plaintexts = match Plaintexts::from_fields(t, top_scale) {
        Ok(plaintexts) => plaintexts,
        Err(what) => return Ok(r.fail(what)?),
    };
    let params = Params { plaintexts, log_n, q, p, input_level, security };
    if params.scheme() != scheme {
        let what = format!("{n_t} plaintext primes, expected some in BFV and none in CKKS");
        return Ok(r.fail(what)?);
    }
    check_params(&params)?;
    Ok(params)
}

/// Why a plan that promises this many bits is refused.
pub(super) fn insecure(bits: u32) -> String {
    format!("security of {bits} bits, expected 128, 192 or 256")
}
