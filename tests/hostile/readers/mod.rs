//! Everything that reads what others may have made.

mod ours;
mod theirs;

/// Reads a file; what is wrong with it is told in a sentence.
pub(crate) type Read = Box<dyn Fn(&[u8]) -> Result<(), String>>;

/// Something that reads files of one kind.
pub(crate) struct Reader {
    pub(crate) name: &'static str,
    /// Contents of honest files, to be changed.
    pub(crate) seeds: Vec<Vec<u8>>,
    /// The file with a content, its checksums right.
    pub(crate) file: fn(&[u8]) -> Vec<u8>,
    pub(crate) read: Read,
    /// Memory that it may take by its own account, beyond that of an honest file.
    pub(crate) announced: usize,
}

/// All of them.
pub(crate) fn all() -> Vec<Reader> {
    ours::all().into_iter().chain(theirs::all()).collect()
}

/// A content that is the file.
fn as_it_is(content: &[u8]) -> Vec<u8> {
    content.to_vec()
}
