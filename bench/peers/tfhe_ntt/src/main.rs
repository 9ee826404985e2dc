//! Times the forward transform of tfhe-ntt modulo one prime of 50 bits, one core, median.

use std::time::Instant;

use tfhe_ntt::prime::largest_prime_in_arithmetic_progression64;
use tfhe_ntt::prime64::Plan;

const REPETITIONS: usize = 201;

fn main() {
    for log_n in [14, 15, 16] {
        let n = 1usize << log_n;
        let prime = largest_prime_in_arithmetic_progression64(2 * n as u64, 1, 1 << 49, 1 << 50);
        let prime = prime.expect("there are primes of this length");
        let plan = Plan::try_new(n, prime).expect("the prime is 1 modulo 2N");
        let mut limb: Vec<u64> =
            (0..n as u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % prime).collect();
        let once = |_| {
            let start = Instant::now();
            plan.fwd(&mut limb);
            start.elapsed().as_secs_f64()
        };
        let mut times: Vec<f64> = (0..REPETITIONS).map(once).collect();
        times.sort_by(f64::total_cmp);
        println!("N = 2^{log_n}: {:.0} us", 1e6 * times[REPETITIONS / 2]);
    }
}
