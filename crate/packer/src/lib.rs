//! Packs the core for the bundle, and unpacks it there.
//!
//! A bundle is text that a server compresses with gzip. Deflate, which gzip and every runtime have, makes 45 kB of the
//! core; the format here, in the manner of LZMA, 35 kB: runs of bytes that were there before are copied, and every
//! choice is a bit of a range coder (G. N. N. Martin, "Range encoding", 1979) whose probability follows what came before
//! in the same context. What unpacks it is a kilobyte of WebAssembly, as that runs at full speed from its first moment.
//!
//! [`format`] says which bits there are and is used by all sides, [`unpack`] reads them, [`pack`] searches for the
//! fewest and writes them.

pub mod format;
pub mod pack;
pub mod unpack;
