"""Times one CKKS bootstrap of OpenFHE (package openfhe, Python 3.10) and prints one JSON object.

    python openfhe_bootstrap.py --log-n 16 --values 16384 --threads 1

Encapsulated sparse secret, CoeffsToSlots and SlotsToCoeffs in three levels each, automatic rescaling, a first prime
of 60 bits and the others of --scale-bits. `--order stc-first` runs SlotsToCoeffs before the modulus is raised,
`--order modraise-first` after it.

- levels: products in a row between one bootstrap and the next. OpenFHE wants one level above the lowest before a
  bootstrap and SlotsToCoeffs needs its own when it comes first, so fewer than what is left on the ciphertext.
- bits, mean_bits: of the largest and the mean error, inputs uniform in -1 to 1.
- key_bytes: bootstrapping and relinearization keys, serialized.
- secure_128: whether OpenFHE accepts the parameters for 128 bits of security; if not, they are for timing only.
- seconds: wall time, median of --reps bootstraps with no warm-up.
"""

import json
import math
import os
import statistics
import subprocess
import tempfile

import measuring

BUDGET = [3, 3]
# OpenFHE's 64-bit build picks special primes of this size.
SPECIAL_PRIME_BITS = 60


def parse():
    parser = measuring.bootstrap_parser(__doc__)
    parser.add_argument("--scale-bits", type=int, default=52)
    parser.add_argument("--order", choices=["stc-first", "modraise-first"], default="stc-first")
    return parser.parse_args()


def make_context(options, security):
    """Returns a context for `options.levels` products between bootstraps, and its depth."""
    import openfhe as fhe

    distribution = fhe.SecretKeyDist.SPARSE_ENCAPSULATED
    # One more level than wanted: the lowest is not reached.
    depth = fhe.CryptoContext.GetBootstrapDepth(BUDGET, distribution) + options.levels + 1
    params = fhe.CCParamsCKKSRNS()
    params.SetSecurityLevel(security)
    params.SetSecretKeyDist(distribution)
    params.SetRingDim(1 << options.log_n)
    params.SetBatchSize(options.values)
    params.SetMultiplicativeDepth(depth)
    params.SetFirstModSize(60)
    params.SetScalingModSize(options.scale_bits)
    params.SetScalingTechnique(fhe.ScalingTechnique.FLEXIBLEAUTO)
    params.SetKeySwitchTechnique(fhe.KeySwitchTechnique.HYBRID)
    params.SetNumLargeDigits(options.digits)
    return fhe.GenCryptoContext(params), depth


def secure_or_timing_only(options):
    """Returns a context, its depth and whether OpenFHE accepts it for 128 bits of security."""
    import openfhe as fhe

    try:
        return *make_context(options, fhe.SecurityLevel.HEStd_128_classic), True
    except RuntimeError:
        return *make_context(options, fhe.SecurityLevel.HEStd_NotSet), False


def make_keys(context, options):
    """Prepares a context for bootstrapping; returns its key pair."""
    import openfhe as fhe

    features = fhe.PKESchemeFeature
    for feature in ["PKE", "KEYSWITCH", "LEVELEDSHE", "ADVANCEDSHE", "FHE"]:
        context.Enable(getattr(features, feature))
    stc_first = options.order == "stc-first"
    context.EvalBootstrapSetup(BUDGET, [0, 0], options.values, 0, True, stc_first)
    keys = context.KeyGen()
    context.EvalMultKeyGen(keys.secretKey)
    context.EvalBootstrapKeyGen(keys.secretKey, options.values)
    return keys


def size_of(serialize):
    """Returns the bytes that `serialize(path)` writes, without keeping them."""
    with tempfile.TemporaryDirectory() as folder:
        pipe = os.path.join(folder, "keys")
        os.mkfifo(pipe)
        with open(os.devnull, "w") as nowhere:
            # The pipe has to be opened by a process of its own: OpenFHE holds Python's lock while it writes.
            counter = subprocess.Popen(
                f'wc -c < "{pipe}"', shell=True, stdout=subprocess.PIPE, stderr=nowhere
            )
            serialize(pipe)
            return int(counter.communicate()[0])


def key_sizes(context, keys, options):
    """Returns the bytes of the bootstrapping keys and of the relinearization key."""
    import openfhe as fhe

    tag = keys.secretKey.GetKeyTag()
    bootstrap = size_of(
        lambda path: fhe.SerializeEvalBootstrapKey(path, fhe.BINARY, context, tag, options.values)
    )
    relin = size_of(lambda path: context.SerializeEvalMultKey(path, fhe.BINARY, tag))
    return bootstrap, relin


def modulus_bits(context, relin_bytes, options, depth):
    """Returns the bits of ciphertext and special primes; the relinearization key shows how many of these there are."""
    limb_bytes = 8 << options.log_n
    limbs = relin_bytes // (2 * options.digits * limb_bytes)
    special = limbs - (depth + 1)
    return math.log2(context.GetElementParams().GetModulus()) + SPECIAL_PRIME_BITS * special


def bootstrap(context, keys, options, depth):
    """Returns the seconds of each bootstrap, the products that its result allows and its precision."""
    x = measuring.test_values(options.values)
    # The lowest level that a bootstrap accepts.
    lowest = depth - 1 - (BUDGET[1] if options.order == "stc-first" else 0)
    plaintext = context.MakeCKKSPackedPlaintext(x, 1, lowest, None, options.values)
    ciphertext = context.Encrypt(keys.publicKey, plaintext)
    times = []
    for _ in range(options.reps):
        output, seconds = measuring.seconds_of(context.EvalBootstrap, ciphertext)
        times.append(seconds)
    decrypted = context.Decrypt(output, keys.secretKey)
    decrypted.SetLength(options.values)
    levels = lowest - output.GetLevel() - (output.GetNoiseScaleDeg() - 1)
    return times, levels, measuring.precision(decrypted.GetRealPackedValueArray(), x)


def main():
    options = parse()
    measuring.use_threads(options.threads)
    context, depth, secure = secure_or_timing_only(options)
    keys, setup_s = measuring.seconds_of(make_keys, context, options)
    times, levels, bits = bootstrap(context, keys, options, depth)
    peak = measuring.peak_memory()
    bootstrap_bytes, relin_bytes = key_sizes(context, keys, options)
    report = {
        "system": f"openfhe {options.order}",
        "log_n": options.log_n,
        "values": options.values,
        "threads": options.threads,
        "seconds": statistics.median(times),
        "levels": levels,
        **bits,
        "key_bytes": bootstrap_bytes + relin_bytes,
        "peak_memory_bytes": peak,
        "log_qp": modulus_bits(context, relin_bytes, options, depth),
        "limbs": depth + 1,
        "digits": options.digits,
        "secure_128": secure,
        "setup_seconds": setup_s,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
