"""Times CKKS operations of OpenFHE (package openfhe, Python 3.10) and prints one JSON object.

    python openfhe_ops.py --log-n 16 --limbs 24 --threads 1 --reps 5

The chain is a prime of 60 bits and primes of 50 bits, hybrid key switching with three digits, rescaling by hand. The
security check is off: these are parameters for timing. Seconds are wall time, medians.

- ntt: one forward transform of one limb, averaged over those of a polynomial; ntt_poly: all limbs of a polynomial.
- mul_relin_rescale: product of two ciphertexts, relinearized and rescaled.
- rotate: one rotation. rotate_hoisted_8: eight rotations of one ciphertext that share its decomposition, in total.
- rescale: in place, of a product.

OpenFHE refuses some pairs of chain and digits, such as four primes in three digits.
"""

import json

import numpy as np

import measuring


def make_context(options):
    """Returns a context with `options.chain` ciphertext primes."""
    import openfhe as fhe

    params = fhe.CCParamsCKKSRNS()
    params.SetSecurityLevel(fhe.SecurityLevel.HEStd_NotSet)
    params.SetRingDim(1 << options.log_n)
    params.SetMultiplicativeDepth(options.chain - 1)
    params.SetFirstModSize(60)
    params.SetScalingModSize(50)
    params.SetScalingTechnique(fhe.ScalingTechnique.FIXEDMANUAL)
    params.SetKeySwitchTechnique(fhe.KeySwitchTechnique.HYBRID)
    params.SetNumLargeDigits(options.digits)
    context = fhe.GenCryptoContext(params)
    features = fhe.PKESchemeFeature
    for feature in [features.PKE, features.KEYSWITCH, features.LEVELEDSHE]:
        context.Enable(feature)
    return context


def time_ntt(plaintext, reps):
    """Returns the seconds of the forward transform of a polynomial."""
    import openfhe as fhe

    def to_coefficients():
        plaintext.SetFormat(fhe.Format.COEFFICIENT)
        return ()

    return measuring.median_seconds(
        lambda: plaintext.SetFormat(fhe.Format.EVALUATION), reps, to_coefficients
    )


def measure(options):
    """Returns the seconds of each operation."""
    context = make_context(options)
    keys = context.KeyGen()
    context.EvalMultKeyGen(keys.secretKey)
    context.EvalRotateKeyGen(keys.secretKey, list(range(1, 9)))
    x = measuring.test_values(1 << (options.log_n - 1))
    plaintext = context.MakeCKKSPackedPlaintext(x, 1, options.chain - options.limbs)
    a, b = (context.Encrypt(keys.publicKey, plaintext) for _ in range(2))

    def multiply():
        product = context.EvalMult(a, b)
        context.RescaleInPlace(product)
        return product

    def rotate_hoisted():
        digits = context.EvalFastRotationPrecompute(a)
        return [context.EvalFastRotation(a, step, digits) for step in range(1, 9)]

    def decrypt(ciphertext):
        decrypted = context.Decrypt(ciphertext, keys.secretKey)
        decrypted.SetLength(x.size)
        return decrypted.GetRealPackedValueArray()

    measuring.check("the product", decrypt(multiply()), x * x)
    measuring.check("a hoisted rotation", decrypt(rotate_hoisted()[7]), np.roll(x, -8))
    product = context.EvalMult(a, b)
    ntt_poly = time_ntt(plaintext, 4 * options.reps)

    def median(function, prepare=lambda: ()):
        return measuring.median_seconds(function, options.reps, prepare)

    return {
        "ntt": ntt_poly / options.limbs,
        "ntt_poly": ntt_poly,
        "mul_relin_rescale": median(multiply),
        "rotate": median(lambda: context.EvalRotate(a, 1)),
        "rotate_hoisted_8": median(rotate_hoisted),
        "rescale": median(context.RescaleInPlace, lambda: (product.Clone(),)),
    }


def main():
    options = measuring.parse_ops(__doc__)
    measuring.use_threads(options.threads)
    ops = measure(options)
    sizes = {"log_n": options.log_n, "limbs": options.limbs, "chain": options.chain}
    report = {"system": "openfhe", **sizes, "digits": options.digits, "threads": options.threads}
    print(json.dumps({**report, "ops": ops, "peak_memory_bytes": measuring.peak_memory()}))


if __name__ == "__main__":
    main()
