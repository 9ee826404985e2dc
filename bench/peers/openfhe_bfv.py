"""Times BFV operations of OpenFHE (package openfhe, Python 3.10) and prints one JSON object.

    python openfhe_bfv.py --log-n 13 --limbs 3 --threads 1 --reps 11

BFVRNS with OpenFHE's default multiplication, HPSPOVERQLEVELED, and plaintext modulus 65537; OpenFHE accepts all of this
for 128 bits of security. OpenFHE derives the number of primes from the depth, so SIZES gives both depth and bits of a
prime. `--key-switch bv`, its default, decomposes into single primes without special ones; `--key-switch hybrid` has one
special prime of 60 bits, which leaves less modulus to the ciphertexts at N = 2^13.

- mul_relin: product of two fresh ciphertexts, relinearized.
- rotate: the slots of both rows by one step.

Seconds are wall time, medians.
"""

import json
import math
import os
import tempfile

import measuring

# Depth and bits of a prime by log N, primes and key switching.
SIZES = {
    (13, 3, "bv"): (3, 56),
    (13, 3, "hybrid"): (3, 52),
    (14, 6, "bv"): (7, 55),
    (14, 6, "hybrid"): (8, 54),
    (14, 7, "bv"): (9, 55),
    (14, 7, "hybrid"): (9, 54),
}
SPECIAL_PRIME_BITS = 60
# What every script here needs, rotations and relinearization included.
FEATURES = ["PKE", "KEYSWITCH", "LEVELEDSHE"]


def parse():
    parser = measuring.parser(__doc__, log_n=13, reps=11)
    parser.add_argument("--key-switch", choices=["bv", "hybrid"], default="bv")
    parser.add_argument("--limbs", type=int, default=3, help="primes: 3 at 2^13, 6 or 7 at 2^14")
    options = parser.parse_args()
    if (options.log_n, options.limbs, options.key_switch) not in SIZES:
        parser.error("no parameters for this ring and number of primes")
    return options


def make_context(log_n, depth, prime_bits, digits=None):
    """Returns a BFV context that OpenFHE accepts for 128 bits of security, with special primes if `digits` is given."""
    import openfhe as fhe

    params = fhe.CCParamsBFVRNS()
    params.SetSecurityLevel(fhe.SecurityLevel.HEStd_128_classic)
    params.SetRingDim(1 << log_n)
    params.SetPlaintextModulus(measuring.PLAINTEXT_MODULUS)
    params.SetMultiplicativeDepth(depth)
    params.SetScalingModSize(prime_bits)
    params.SetKeySwitchTechnique(fhe.KeySwitchTechnique.BV)
    if digits:
        params.SetKeySwitchTechnique(fhe.KeySwitchTechnique.HYBRID)
        params.SetNumLargeDigits(digits)
    context = fhe.GenCryptoContext(params)
    for feature in FEATURES:
        context.Enable(getattr(fhe.PKESchemeFeature, feature))
    return context


def moduli(context, keys, options):
    """Returns the numbers of primes and the bits of the moduli; the relinearization key shows the special primes."""
    import openfhe as fhe

    log_q, limbs = math.log2(context.GetElementParams().GetModulus()), options.limbs
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "key")
        context.SerializeEvalMultKey(path, fhe.BINARY, keys.secretKey.GetKeyTag())
        # Two polynomials for each digit, and each prime is a digit.
        special = os.path.getsize(path) // (2 * limbs * (8 << options.log_n)) - limbs
    log_qp = log_q + SPECIAL_PRIME_BITS * special
    return {"limbs": limbs, "special_primes": special, "log_q": log_q, "log_qp": log_qp}


def measure(context, keys, options):
    """Returns the seconds of each operation."""
    context.EvalMultKeyGen(keys.secretKey)
    context.EvalRotateKeyGen(keys.secretKey, [1])
    x = measuring.test_integers(1 << options.log_n)
    plaintext = context.MakePackedPlaintext(centered(x))
    a, b = (context.Encrypt(keys.publicKey, plaintext) for _ in range(2))
    operations = {
        "mul_relin": (lambda: context.EvalMult(a, b), x * x),
        "rotate": (lambda: context.EvalRotate(a, 1), measuring.rotated_rows(x)),
    }
    seconds = {}
    for name, (operation, expected) in operations.items():
        decrypted = context.Decrypt(operation(), keys.secretKey)
        measuring.check_integers(name, decrypted.GetPackedValue(), expected)
        seconds[name] = measuring.median_seconds(operation, options.reps)
    return seconds


def centered(integers):
    """Returns representatives around 0, which are the ones that OpenFHE takes."""
    half = measuring.PLAINTEXT_MODULUS // 2
    return ((integers + half) % measuring.PLAINTEXT_MODULUS - half).tolist()


def main():
    options = parse()
    measuring.use_threads(options.threads)
    depth, prime_bits = SIZES[options.log_n, options.limbs, options.key_switch]
    # One prime to a digit: more would need a second special prime, past 128 bits of security.
    digits = options.limbs if options.key_switch == "hybrid" else None
    context = make_context(options.log_n, depth, prime_bits, digits)
    log_q = math.log2(context.GetElementParams().GetModulus())
    if round(log_q / prime_bits) != options.limbs:
        raise ValueError(
            f"OpenFHE chose {log_q:.0f} bits, not {options.limbs} primes of {prime_bits}"
        )
    keys = context.KeyGen()
    ops = measure(context, keys, options)
    report = {
        "system": f"openfhe {options.key_switch}",
        "log_n": options.log_n,
        **moduli(context, keys, options),
        "threads": options.threads,
        "ops": ops,
        "peak_memory_bytes": measuring.peak_memory(),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
