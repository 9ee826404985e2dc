//! Where bytes come from and go to: files of hecc's own, standard input and output, pipes.

pub(crate) mod bytes_file;
pub(crate) mod checkpoint;
pub(crate) mod companions;
pub(crate) mod costs;
pub(crate) mod key_pair;
pub(crate) mod leftover;
pub(crate) mod memory;
pub(crate) mod output;
pub(crate) mod plan_file;
pub(crate) mod refusal;
pub(crate) mod run_profile;
pub(crate) mod save;
pub(crate) mod security;
pub(crate) mod signals;
pub(crate) mod stream;
pub(crate) mod wrong_file;
