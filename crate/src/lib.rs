//! The core of unrolled: recurrent networks over whole sequences, forward and backward, in WebAssembly SIMD.
//!
//! # The way of a call
//! JavaScript calls a function of [`bindings`] with addresses and sizes; it hands them to a kernel, which is written
//! once over the lane abstraction of [`simd`] and knows nothing of JavaScript. Tensors live in [`memory`]: persistent
//! blocks that have an owner, and an arena that is emptied after each update.
//!
//! | module | holds |
//! |---|---|
//! | [`simd`], [`math`] | four elements at a time; exponentials and logarithms as polynomials with stated bounds |
//! | [`memory`], `allocator` | persistent blocks, the arena, scratch memory of kernels; where they come from |
//! | [`rng`] | random numbers as a function of where they are used |
//! | [`gemm`] | packed matrix products |
//! | [`cells`], [`sequence`] | one step of a cell, hand-fused; over a sequence, and through time backward; programs of all other cells |
//! | [`ops`] | everything else: elementwise, softmax, normalisation, losses, embedding, dropout, optimizers |
//! | [`bindings`] | the functions that JavaScript calls |
//!
//! # Rules
//! * The same bits everywhere: additions and multiplications in one written order, never fused; no function of the
//!   platform's mathematics library.
//! * Nothing panics. What can fail says so in a `Result` that becomes a status; a panic would end the instance.
//! * Kernels take pointers that the SDK has validated and that each `# Safety` section describes. Indexing is for the small
//!   fixed arrays inside them.
//! * Each kernel is checked in double precision: gradients against central differences, values against their definitions.

// Nothing of it is called; its tool, which describes the exports in TypeScript, asks for its runtime.
#[cfg(target_arch = "wasm32")]
extern crate wasm_bindgen as _;

#[cfg(any(test, target_arch = "wasm32"))]
mod allocator;
pub mod bindings;
// Kernels index small arrays of fixed length: tiles, strides, lanes.
#[allow(clippy::indexing_slicing)]
pub mod cells;
#[allow(clippy::indexing_slicing)]
pub mod gemm;
pub mod math;
pub mod memory;
#[allow(clippy::indexing_slicing)]
pub mod ops;
#[allow(clippy::indexing_slicing)]
pub mod rng;
#[allow(clippy::indexing_slicing)]
pub mod sequence;
#[allow(clippy::indexing_slicing)]
pub mod simd;
