"""Times BFV operations of Microsoft SEAL (`tenseal.sealapi` of the package tenseal) and prints one JSON object.

    python seal_bfv.py --log-n 13 --limbs 3 --reps 11

TenSEAL's own BFV vectors have no rotation, so this drives the SEAL underneath, whose calls write into a ciphertext that
is already there. Plaintext modulus 65537, one special prime, parameters that SEAL accepts for 128 bits of security.

- mul_relin: product of two fresh ciphertexts, relinearized.
- rotate: the slots of both rows by one step.

Seconds are wall time, medians. SEAL uses one thread for an operation.
"""

import json

import tenseal.sealapi as seal

import measuring

# Bits of a prime and of the special one by log N.
PRIME_BITS = {13: (56, 50), 14: (54, 60)}
# Galois element of one step to the left.
ONE_STEP = 3


def parse():
    parser = measuring.parser(__doc__, log_n=13, reps=11)
    parser.add_argument("--limbs", type=int, default=3, help="primes: 3 at 2^13, 6 or 7 at 2^14")
    options = parser.parse_args()
    if options.log_n not in PRIME_BITS:
        parser.error("--log-n is 13 or 14")
    if options.threads != 1:
        parser.error("SEAL has no threads within an operation")
    return options


def primes_of(options):
    """Returns the bits of the primes, the special one last."""
    bits, special = PRIME_BITS[options.log_n]
    return [bits] * options.limbs + [special]


def make_context(log_n, primes):
    """Returns a context for 128 bits of security."""
    parameters = seal.EncryptionParameters(seal.SCHEME_TYPE.BFV)
    parameters.set_poly_modulus_degree(1 << log_n)
    parameters.set_coeff_modulus(seal.CoeffModulus.Create(1 << log_n, primes))
    parameters.set_plain_modulus(measuring.PLAINTEXT_MODULUS)
    context = seal.SEALContext(parameters, True, seal.SEC_LEVEL_TYPE.TC128)
    if not context.parameters_set():
        raise ValueError(context.parameters_error_message())
    return context


def make_keys(context):
    """Returns a key generator and its public, relinearization and rotation keys."""
    generator = seal.KeyGenerator(context)
    public, relin, galois = seal.PublicKey(), seal.RelinKeys(), seal.GaloisKeys()
    generator.create_public_key(public)
    generator.create_relin_keys(relin)
    generator.create_galois_keys([ONE_STEP], galois)
    return generator, public, relin, galois


def measure(options):
    """Returns the seconds of each operation."""
    context = make_context(options.log_n, primes_of(options))
    generator, public, relin, galois = make_keys(context)
    encoder, evaluator = seal.BatchEncoder(context), seal.Evaluator(context)
    encryptor = seal.Encryptor(context, public)
    decryptor = seal.Decryptor(context, generator.secret_key())
    x = measuring.test_integers(1 << options.log_n)
    plaintext, a, b, output = seal.Plaintext(), *(seal.Ciphertext() for _ in range(3))
    encoder.encode(x.tolist(), plaintext)
    encryptor.encrypt(plaintext, a)
    encryptor.encrypt(plaintext, b)

    def multiply():
        evaluator.multiply(a, b, output)
        evaluator.relinearize_inplace(output, relin)

    operations = {
        "mul_relin": (multiply, x * x),
        "rotate": (
            lambda: evaluator.rotate_rows(a, 1, galois, output),
            measuring.rotated_rows(x),
        ),
    }
    seconds = {}
    for name, (operation, expected) in operations.items():
        operation()
        decryptor.decrypt(output, plaintext)
        measuring.check_integers(name, encoder.decode_int64(plaintext), expected)
        seconds[name] = measuring.median_seconds(operation, options.reps)
    return seconds


def main():
    options = parse()
    ops = measure(options)
    primes = primes_of(options)
    report = {
        "system": "seal",
        "log_n": options.log_n,
        "limbs": len(primes) - 1,
        "special_primes": 1,
        "log_q": sum(primes[:-1]),
        "log_qp": sum(primes),
        "threads": 1,
        "ops": ops,
        "peak_memory_bytes": measuring.peak_memory(),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
