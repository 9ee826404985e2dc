#!/usr/bin/env bash
# Measures a ResNet on CIFAR-10: see README.md.
set -euo pipefail

if [[ $# -ne 2 ]]; then
    echo "usage: measure.sh MODEL.onnx DATA, a folder that prepare.py wrote" >&2
    exit 2
fi
model=$(realpath "$1") data=$(realpath "$2")
cd "$(dirname "$0")/../.."
cargo build --release -p hecc -p hecc-bench
bin=$PWD/target/release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

section() { printf '\n## %s\n' "$1"; }

section "Polynomials, in the clear"
"$bin/activations" "$model" --calibration "$data/calibration.npz" --test "$data/test.npz" --sines

section "One image, cold"
cold() {
    local plan=$work/$1.bin
    shift
    "$bin/hecc" compile "$model" --calibration "$data/calibration.npz" -o "$plan" "$@"
    "$bin/hecc" keygen "$plan"
    "$bin/hecc" encrypt "$plan" --input "$data/test.npz:x" --index 0 -o "$work/x.ct"
    "$bin/hecc" run "$plan" --input "$work/x.ct" -o "$work/y.ct"
    # Of the baseline no bound is known: its digits are printed as they are.
    "$bin/hecc" decrypt "$plan" --input "$work/y.ct" --all-digits
}
cold default
"$bin/hecc" run "$work/default.bin" --input "$work/x.ct" -o "$work/y.ct" --threads 1 --profile
"$bin/hecc" inspect "$work/default.bin"

section "Fifty images, one process"
"$bin/networks" "$model" --calibration "$data/calibration.npz" --test "$data/test.npz" \
    --plan "$work/default.bin" --simulate 50 --encrypt 50 --threads 2 --cache 2000000000

section "The baseline"
cold minimax --activation minimax
