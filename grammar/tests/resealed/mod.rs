//! Plans and their parts with changed contents, as whoever changes them would write them.

use hecc_grammar::envelope::{Fingerprint, Kind, Origin, seal};

/// A file with this payload and, where it has the parts of a plan or their hashes, the right fingerprint.
pub(crate) fn sealed(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let hash = |part: &[u8]| blake3::hash(part).as_bytes().to_vec();
    let hashes = match kind {
        Kind::ClientPart => {
            let (client, rest) = block(payload);
            [hash(client), rest.get(..32).unwrap_or_default().to_vec()]
        }
        Kind::ServerPart => {
            let (client, rest) = payload.split_at_checked(32).unwrap_or_default();
            [client.to_vec(), hash(block(rest).0)]
        }
        Kind::Plan
        | Kind::SecretKey
        | Kind::EvaluationKeys
        | Kind::Input
        | Kind::Result
        | Kind::PublicKey
        | Kind::Checkpoint => {
            let (client, rest) = block(payload);
            [hash(client), hash(block(rest).0)]
        }
    };
    let fingerprint = Fingerprint(*blake3::hash(&hashes.concat()).as_bytes());
    seal(kind, Origin::of_plan(fingerprint), payload)
}

/// What a block holds, and what follows it.
pub(crate) fn block(bytes: &[u8]) -> (&[u8], &[u8]) {
    let len = bytes.first_chunk().map_or(0, |len| u64::from_le_bytes(*len) as usize);
    let rest = bytes.get(8..).unwrap_or_default();
    rest.split_at_checked(len).unwrap_or_default()
}
