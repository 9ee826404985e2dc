//! What follows from the table of instructions.

/// Makes [`Op`](super::Op) and [`Opcode`](super::Opcode) of a table with a line for each instruction: its number in files, its name
/// in text, its variant with its operands, and the scheme that it belongs to if not to all.
macro_rules! instructions {
    ($(
        $(#[$doc:meta])+
        $number:literal $mnemonic:literal $name:ident($($field:ident: $kind:ty),+) $(in $scheme:ident)?;
    )+) => {
        /// One instruction. Slot-wise unless said otherwise.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Op {
            $($(#[$doc])+ $name($($kind),+),)+
        }

        /// An instruction without its operands.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Opcode {
            $(#[doc = concat!("[`Op::", stringify!($name), "`]")] $name,)+
        }

        impl Opcode {
            /// The instruction set.
            pub const ALL: &[Opcode] = &[$(Opcode::$name),+];

            /// Its name in plan text.
            pub fn mnemonic(self) -> &'static str {
                match self { $(Opcode::$name => $mnemonic,)+ }
            }

            /// The instruction of this name.
            pub fn named(name: &str) -> Option<Opcode> {
                match name { $($mnemonic => Some(Opcode::$name),)+ _ => None }
            }

            /// Its number in plan files.
            pub(in crate::plan) fn number(self) -> u64 {
                match self { $(Opcode::$name => $number,)+ }
            }

            /// The instruction of this number.
            pub(in crate::plan) fn numbered(number: u64) -> Option<Opcode> {
                match number { $($number => Some(Opcode::$name),)+ _ => None }
            }

            /// The scheme that it belongs to, if not to all.
            pub fn scheme(self) -> Option<Scheme> {
                match self { $(Opcode::$name => instructions!(@scheme $($scheme)?),)+ }
            }

            /// The instruction with the operands that a source gives.
            pub(in crate::plan) fn read<S: OperandSource>(self, source: &mut S) -> Result<Op, S::Error> {
                Ok(match self { $(Opcode::$name => Op::$name($(<$kind>::take(source)?),+),)+ })
            }
        }

        impl Op {
            /// The instruction without its operands.
            pub fn opcode(&self) -> Opcode {
                match self { $(Op::$name(..) => Opcode::$name,)+ }
            }

            /// Visits the operands in order.
            pub(in crate::plan) fn each_operand<'a>(&'a self, mut visit: impl FnMut(Operand<'a>)) {
                match self { $(Op::$name($($field),+) => { $(visit($field.operand());)+ })+ }
            }

            /// The same instruction with every value and every constant replaced.
            pub(in crate::plan) fn map(&self, names: &mut impl Names) -> Op {
                match self { $(Op::$name($($field),+) => Op::$name($($field.renamed(names)),+),)+ }
            }
        }
    };
    (@scheme) => { None };
    (@scheme $scheme:ident) => { Some(Scheme::$scheme) };
}

pub(super) use instructions;
