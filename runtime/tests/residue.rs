//! What of a secret key is left in memory when keys, ciphertexts and results are dropped: nothing on the heap. Looked for in
//! all that this process has mapped, but for its stack, of which nothing is promised. A program of its own, since tests run on
//! threads, whose stacks cannot be told from the heap.

#[cfg(target_os = "linux")]
#[path = "runtime/build.rs"]
#[expect(dead_code, reason = "what other tests build plans with")]
mod build;

fn main() {
    #[cfg(target_os = "linux")]
    linux::nothing_is_left_on_the_heap();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::io::{Read, Seek, SeekFrom};

    use hecc_grammar::envelope::Fingerprint;
    use hecc_grammar::plan::{Key, Op, Params, Plaintexts, Value, VerifiedPlan};
    use hecc_grammar::security::Security;
    use hecc_runtime::client::{
        EncryptionKey, PublicKey, RangePolicy, SecretKey, decrypt, encrypt, evaluation_keys,
        read_secret_key, write_secret_key,
    };
    use hecc_runtime::eval::{Evaluator, Options};
    use hecc_runtime::ring::SecretRng;
    use zeroize::Zeroize;

    use crate::build::Build;

    /// Patterns are kept under a mask, so that a search does not find them themselves.
    const MASK: u8 = 0x5a;

    /// The coefficients that are looked for: enough not to be there by chance.
    const COEFFICIENTS: usize = 64;

    pub(super) fn nothing_is_left_on_the_heap() {
        let plan = square();
        let patterns = {
            let secret = SecretKey::generate().expect("the system has randomness");
            let mut coefficients = SecretRng::from_seed(secret.seed()).ternary(COEFFICIENTS);
            let words = coefficients.iter().flat_map(|c| c.to_le_bytes()).map(|byte| byte ^ MASK);
            let other = SecretKey::generate().expect("the system has randomness");
            // What is drawn first when someone encrypts under a public key.
            let mut mask = SecretRng::from_seed(other.seed()).ternary(COEFFICIENTS);
            let of_mask = mask.iter().flat_map(|c| c.to_le_bytes()).map(|byte| byte ^ MASK);
            let patterns: [Vec<u8>; 3] = [
                secret.seed().iter().map(|byte| byte ^ MASK).collect(),
                words.collect(),
                of_mask.collect(),
            ];
            assert!(patterns.iter().any(|pattern| heap_holds(pattern)), "the search finds nothing");
            coefficients.zeroize();
            mask.zeroize();
            use_key(&plan, secret, &other);
            patterns
        };
        let names = ["the seed of the key", "its coefficients", "what hides another's input"];
        for (pattern, name) in patterns.iter().zip(names) {
            assert!(!heap_holds(pattern), "{name}: still in memory");
        }
    }

    /// A journey from keys to results, all of which are dropped; `other` seeds what someone else encrypts.
    fn use_key(plan: &VerifiedPlan, secret: SecretKey, other: &SecretKey) {
        let fingerprint = Fingerprint([1; 32]);
        let file = write_secret_key(&plan.params, fingerprint, &secret);
        let secret = read_secret_key(&plan.params, fingerprint, bytes::Bytes::from_owner(file));
        let secret = secret.expect("it was just written");
        let mut rng = SecretRng::from_os().expect("the system has randomness");
        let client = plan.client_part();
        let keys = evaluation_keys(&client.interface, &secret, &mut rng, &|_, _| {});
        let tensors = [vec![0.5; plan.params.n_slots()]];
        let public = PublicKey::of(&plan.params, &secret, &mut rng);
        let own = EncryptionKey::Secret(&secret);
        let fresh = encrypt(&client, own, &mut rng, &tensors, RangePolicy::Refuse);
        let (mut rng, key) = (SecretRng::from_seed(other.seed()), EncryptionKey::Public(&public));
        let others = encrypt(&client, key, &mut rng, &tensors, RangePolicy::Refuse);
        assert!(others.is_ok(), "the input is in range");
        let evaluator = Evaluator::new(plan, &keys, Options { threads: 1, cache_bytes: 0 });
        let evaluator = evaluator.expect("all keys are there");
        let inputs = evaluator.expand(fresh.expect("the input is in range"));
        let outputs = evaluator.run(inputs, &|_, _| {}).expect("the inputs fit");
        let results = decrypt(&client, &secret, &outputs).expect("a result of CKKS can be read");
        assert!((results[0][0] - 0.25).abs() < 1e-3, "{}", results[0][0]);
    }

    fn square() -> VerifiedPlan {
        let q = vec![1125899903827969, 1125899903500289];
        let (p, log_n, input_level) = (vec![1125899904679937], 10, 1);
        let plaintexts = Plaintexts::Ckks { top_scale: 40.0 };
        let security = Security::insecure_for_tests();
        let params = Params { plaintexts, log_n, q, p, input_level, security };
        let mut build = Build::new(params, 1);
        let square = build.op(Op::Mul(Value(0), Value(0)));
        let square = build.switch(square, Key::Relinearize);
        build.finish(&[square])
    }

    /// Whether a masked pattern is anywhere in memory that can be written, but for the stack.
    fn heap_holds(masked: &[u8]) -> bool {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux tells");
        let mut memory = File::open("/proc/self/mem").expect("Linux lets a process read itself");
        maps.lines().filter(|line| line.contains(" rw-p ") && !line.contains("[stack")).any(
            |line| {
                let range = line.split(' ').next().and_then(|range| range.split_once('-'));
                let address =
                    |text: &str| u64::from_str_radix(text, 16).expect("a hexadecimal address");
                let (start, end) =
                    range.map(|(a, b)| (address(a), address(b))).expect("two addresses");
                let mut bytes = vec![0; (end - start) as usize];
                let read =
                    memory.seek(SeekFrom::Start(start)).and_then(|_| memory.read(&mut bytes));
                let read = read.unwrap_or(0);
                let found = bytes[..read].windows(masked.len()).any(|window| {
                    window.iter().zip(masked).all(|(byte, masked)| byte ^ MASK == *masked)
                });
                // The next search must not find what this one has read.
                bytes.zeroize();
                found
            },
        )
    }
}
