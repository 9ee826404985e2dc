//! What an instruction set does: operations on vectors of doubles.

/// Four consecutive residues in memory, or the bits of four doubles.
pub(super) type Quad = [u64; 4];

/// Sixteen consecutive residues: the four innermost levels of a transform stay within them.
pub(super) type Square = [Quad; 4];

/// A set of vector instructions. A value proves that the processor has them: functions that make one need them themselves.
pub(super) trait Simd: Copy + 'static {
    /// Some doubles, a multiple of four.
    type Vector: Copy;
    /// As many residues in memory, or bits of doubles.
    type Lanes: Copy + Default + 'static;
    /// Fours in a vector.
    const FOURS: usize;

    /// Whole vectors, and what is left.
    fn split(x: &[u64]) -> (&[Self::Lanes], &[u64]);
    /// Whole vectors, and what is left.
    fn split_mut(x: &mut [u64]) -> (&mut [Self::Lanes], &mut [u64]);

    /// The same double everywhere.
    fn splat(self, x: f64) -> Self::Vector;
    /// Bits as doubles.
    fn load(self, x: &Self::Lanes) -> Self::Vector;
    /// Doubles as bits.
    fn store(self, x: &mut Self::Lanes, v: Self::Vector);
    /// Integers below 2^52 in place of bits, as doubles.
    fn doubles_of(self, bits: Self::Vector) -> Self::Vector;
    /// The reverse of [`Self::doubles_of`], for doubles that are integers in `[0, 2^52)`.
    fn integers_of(self, v: Self::Vector) -> Self::Vector;

    /// a + b.
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a − b.
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a·b.
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a·b + c, rounded once.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// a·b − c, rounded once.
    fn mul_sub(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// c − a·b, rounded once.
    fn sub_mul(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// The nearest integers.
    fn round(self, x: Self::Vector) -> Self::Vector;
    /// The next smaller integers.
    fn floor(self, x: Self::Vector) -> Self::Vector;

    /// The last lane first.
    fn reverse(self, x: Self::Vector) -> Self::Vector;
    /// One double for each four lanes.
    fn spread(self, of_four: impl Fn(usize) -> f64) -> Self::Vector;
    /// The same row of [`Self::FOURS`] blocks.
    fn row<const ROWS: usize>(self, blocks: &[[[f64; 4]; ROWS]], row: usize) -> Self::Vector;
    /// The same row of [`Self::FOURS`] squares, bits as doubles.
    fn load_row(self, squares: &[Square], row: usize) -> Self::Vector;
    /// The reverse of [`Self::load_row`].
    fn store_row(self, squares: &mut [Square], row: usize, v: Self::Vector);
    /// Four fours of the vectors are rows of a square: makes them its columns.
    fn transpose(self, rows: [Self::Vector; 4]) -> [Self::Vector; 4];
}

/// Four vectors in memory, summed up together.
pub(super) type Four<S> = [<S as Simd>::Lanes; 4];

/// The limb in fours of vectors, without what is left.
#[inline(always)]
pub(super) fn fours<S: Simd>(x: &[u64]) -> &[Four<S>] {
    S::split(x).0.as_chunks().0
}

/// As [`fours`].
#[inline(always)]
pub(super) fn fours_mut<S: Simd>(x: &mut [u64]) -> &mut [Four<S>] {
    S::split_mut(x).0.as_chunks_mut().0
}

/// Coefficients of a vector.
pub(super) const fn width<S: Simd>() -> usize {
    4 * S::FOURS
}

/// Implements operations of [`Simd`] by instructions of the set whose token is `self`.
macro_rules! operations {
    ($($name:ident($($arg:ident: $type:ty),*) $(-> $out:ty)?: $body:expr;)*) => {
        $(
            #[inline(always)]
            fn $name(self, $($arg: $type),*) $(-> $out)? {
                #[expect(unsafe_code, reason = "vector instructions")]
                // SAFETY: `self` proves that the processor has them. Loads and stores need no alignment, and are of as many
                // bytes as the references are to.
                unsafe {
                    $body
                }
            }
        )*
    };
}

pub(super) use operations;
