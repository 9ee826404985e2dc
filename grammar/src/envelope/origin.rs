//! Which plan and which keys a file belongs to.

use std::fmt;

/// Names a plan: BLAKE3 of what its execution depends on. Prints its first six
/// bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0[..6], f)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

/// Names the keys of one key generation: random, the same in the secret key, in its evaluation keys and in all that is
/// encrypted under it. Not secret. Prints its first six bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 16]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0[..6], f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

/// Where a file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The plan that it is or was made for.
    pub plan: Fingerprint,
    /// The keys that it belongs to; zero for a plan, which belongs to none.
    pub key: KeyId,
}

impl Origin {
    /// That of a plan itself.
    pub fn of_plan(plan: Fingerprint) -> Origin {
        Origin { plan, key: KeyId([0; 16]) }
    }
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}
