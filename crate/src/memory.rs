//! Where tensors live: persistent blocks, and the arena of one update.
//!
//! A persistent block comes from the global allocator and is freed by its owner. The arena is a list of chunks filled
//! from one end; a mark is a position in it, and going back to a mark gives everything made since back at once. Chunks
//! stay, each at least half as large as all before it together, so that a loop whose updates are alike allocates in its
//! first one and never again.
//!
//! Nothing here panics: what cannot be had is a null pointer, and leaves everything usable. The core has one thread (so
//! does each native test, which has an arena of its own).

use core::cell::{Cell, UnsafeCell};
use core::ptr::null_mut;
use std::alloc::{alloc, dealloc, Layout};

/// Memory could not be had; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// Bytes; enough for any lane.
pub const ALIGNMENT: usize = 16;

/// Bytes in the smallest chunk.
const CHUNK: usize = 1 << 20;

/// Each makes the arena half again as large, so this many pass any address space.
const CHUNKS: usize = 64;

thread_local! {
    static PERSISTENT_BYTES: Cell<usize> = const { Cell::new(0) };
    static REFUSED_BYTES: Cell<usize> = const { Cell::new(0) };
    static ARENA: UnsafeCell<Arena> = const { UnsafeCell::new(Arena::new()) };
}

/// `bytes` up to the next multiple of the alignment, at least one unit, so that no block has address 0.
fn layout(bytes: usize) -> Option<Layout> {
    let size = bytes.max(1).checked_add(ALIGNMENT - 1)? & !(ALIGNMENT - 1);
    Layout::from_size_align(size, ALIGNMENT).ok()
}

/// A persistent block of at least `bytes`, 16-aligned, its content undefined; null when memory is out.
pub fn allocate(bytes: usize) -> *mut u8 {
    let Some(layout) = layout(bytes) else {
        return null_mut();
    };
    // SAFETY: the size is not 0.
    let block = unsafe { alloc(layout) };
    if !block.is_null() {
        PERSISTENT_BYTES.with(|total| total.set(total.get() + layout.size()));
    }
    block
}

/// # Safety
/// `block` is null or came from [`allocate`] of the same `bytes`, and is used no more.
pub unsafe fn free(block: *mut u8, bytes: usize) {
    if let (false, Some(layout)) = (block.is_null(), layout(bytes)) {
        dealloc(block, layout);
        PERSISTENT_BYTES.with(|total| total.set(total.get() - layout.size()));
    }
}

/// Bytes in persistent blocks now.
pub fn persistent_bytes() -> usize {
    PERSISTENT_BYTES.with(Cell::get)
}

#[derive(Clone, Copy)]
struct Chunk {
    start: *mut u8,
    size: usize,
    /// The position of its first byte: the sizes of all chunks before it.
    base: usize,
}

struct Arena {
    chunks: [Chunk; CHUNKS],
    count: usize,
    /// The chunk being filled, and its first free byte.
    current: usize,
    offset: usize,
}

impl Arena {
    const fn new() -> Self {
        let chunk = Chunk { start: null_mut(), size: 0, base: 0 };
        Self { chunks: [chunk; CHUNKS], count: 0, current: 0, offset: 0 }
    }

    fn capacity(&self) -> usize {
        self.chunks.iter().take(self.count).map(|chunk| chunk.size).sum()
    }

    fn position(&self) -> usize {
        self.chunks.get(self.current).map_or(0, |chunk| chunk.base + self.offset)
    }

    fn push(&mut self, size: usize) -> bool {
        let base = self.capacity();
        let (Some(slot), Some(layout)) = (self.chunks.get_mut(self.count), layout(size)) else {
            return false;
        };
        if base.checked_add(layout.size()).is_none() {
            return false;
        }
        // SAFETY: the size is not 0.
        let start = unsafe { alloc(layout) };
        if start.is_null() {
            return false;
        }
        *slot = Chunk { start, size: layout.size(), base };
        self.count += 1;
        true
    }

    fn allocate(&mut self, bytes: usize) -> *mut u8 {
        let Some(size) = layout(bytes).map(|layout| layout.size()) else {
            return null_mut();
        };
        let (current, offset) = (self.current, self.offset);
        loop {
            match self.chunks.get(self.current).filter(|_| self.current < self.count) {
                Some(chunk) if size <= chunk.size - self.offset => {
                    // SAFETY: the block lies inside the chunk.
                    let block = unsafe { chunk.start.add(self.offset) };
                    self.offset += size;
                    return block;
                }
                Some(_) if self.current + 1 < self.count => {
                    self.current += 1;
                    self.offset = 0;
                }
                _ => {
                    // Half as much again if that can be had, else what is asked for.
                    if !self.push((self.capacity() / 2).max(CHUNK).max(size)) && !self.push(size) {
                        (self.current, self.offset) = (current, offset);
                        return null_mut();
                    }
                    self.current = self.count - 1;
                    self.offset = 0;
                }
            }
        }
    }

    fn reset(&mut self, mark: usize) {
        if mark < self.position() {
            let before = |chunk: &Chunk| chunk.base <= mark;
            self.current = self.chunks.iter().take(self.count).filter(|chunk| before(chunk)).count().saturating_sub(1);
            self.offset = mark - self.chunks.get(self.current).map_or(0, |chunk| chunk.base);
        }
    }
}

fn with_arena<R>(f: impl FnOnce(&mut Arena) -> R) -> R {
    // SAFETY: one thread, and no `f` in this file comes back here.
    ARENA.with(|arena| f(unsafe { &mut *arena.get() }))
}

/// A block of the arena of at least `bytes`, 16-aligned, its content undefined; null when memory is out.
pub fn arena_allocate(bytes: usize) -> *mut u8 {
    let block = with_arena(|arena| arena.allocate(bytes));
    if block.is_null() {
        REFUSED_BYTES.with(|refused| refused.set(bytes));
    }
    block
}

/// Size of the latest block of the arena that was refused; 0 before there was one.
pub fn refused_bytes() -> usize {
    REFUSED_BYTES.with(Cell::get)
}

/// `count` elements of the arena, 16-aligned, their content undefined; `None` when memory is out.
pub fn arena_elements<T>(count: usize) -> Option<*mut T> {
    // What is too much for a number is refused as well.
    let block = arena_allocate(count.saturating_mul(size_of::<T>()));
    (!block.is_null()).then(|| block.cast())
}

/// The present position, for [`arena_reset`]. The empty arena is at 0.
pub fn arena_mark() -> usize {
    with_arena(|arena| arena.position())
}

/// Gives back everything made since the mark was taken; a mark past the present position changes nothing.
pub fn arena_reset(mark: usize) {
    with_arena(|arena| arena.reset(mark));
}

/// Bytes the arena holds from the system.
pub fn arena_capacity() -> usize {
    with_arena(|arena| arena.capacity())
}

/// Arena memory for the length of a kernel: given back when it is dropped.
pub struct Scratch {
    mark: usize,
}

impl Scratch {
    #[allow(clippy::new_without_default)] // A guard is taken on purpose.
    pub fn new() -> Self {
        Self { mark: arena_mark() }
    }

    /// [`arena_elements`], valid until the guard drops.
    pub fn take<T>(&self, count: usize) -> Option<*mut T> {
        arena_elements(count)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        arena_reset(self.mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn persistent_blocks_are_counted_and_aligned() {
        let before = persistent_bytes();
        let block = allocate(100);
        assert!(!block.is_null() && (block as usize).is_multiple_of(ALIGNMENT));
        assert_eq!(persistent_bytes() - before, 112);
        let empty = allocate(0);
        assert!(!empty.is_null());
        unsafe {
            free(block, 100);
            free(empty, 0);
            free(null_mut(), 5);
        }
        assert_eq!(persistent_bytes(), before);
    }

    #[test]
    fn hostile_sizes_are_refused_and_change_nothing() {
        let block = arena_allocate(64);
        let position = arena_mark();
        for bytes in [usize::MAX, usize::MAX - 14, usize::MAX / 2 + 1, isize::MAX as usize] {
            assert!(allocate(bytes).is_null());
            assert!(arena_allocate(bytes).is_null());
            assert_eq!(refused_bytes(), bytes);
            assert_eq!(arena_mark(), position);
        }
        assert_eq!(persistent_bytes(), 0);
        assert_eq!(arena_allocate(16) as usize, block as usize + 64);
    }

    #[test]
    fn a_mark_gives_back_what_came_after_it() {
        let first = arena_allocate(24);
        assert_eq!(first as usize & (ALIGNMENT - 1), 0);
        let mark = arena_mark();
        assert_eq!(mark, 32);
        let second = arena_allocate(8);
        {
            let scratch = Scratch::new();
            assert!(scratch.take::<f64>(1000).is_some());
            assert!(scratch.take::<f64>(usize::MAX / 4).is_none());
        }
        assert_eq!(arena_mark(), mark + 16);
        arena_reset(mark);
        assert_eq!(arena_allocate(8), second);
        arena_reset(usize::MAX);
        assert_eq!(arena_mark(), mark + 16);
    }

    #[test]
    fn marks_cross_chunks_and_blocks_never_overlap() {
        let sizes = [CHUNK / 2, CHUNK / 2, 5 * CHUNK, 16, CHUNK, 3 * CHUNK, 1];
        let mut marks = Vec::new();
        let mut blocks = Vec::new();
        for (value, size) in sizes.into_iter().enumerate() {
            marks.push(arena_mark());
            let block = arena_allocate(size);
            unsafe { block.write_bytes(value as u8, size) };
            blocks.push(block);
        }
        for ((value, size), block) in sizes.into_iter().enumerate().zip(&blocks) {
            let bytes = unsafe { core::slice::from_raw_parts(*block, size) };
            assert!(bytes.iter().all(|byte| *byte == value as u8));
        }
        for i in (0..sizes.len()).rev() {
            arena_reset(marks[i]);
            assert_eq!(arena_mark(), marks[i]);
            assert_eq!(arena_allocate(sizes[i]), blocks[i]);
            arena_reset(marks[i]);
        }
        assert_eq!(arena_mark(), 0);
    }

    #[test]
    fn a_steady_loop_stops_allocating() {
        let update = || {
            for _ in 0..100 {
                assert!(!arena_allocate(300_000).is_null());
            }
            arena_reset(0);
            assert_eq!(arena_mark(), 0);
        };
        update();
        let capacity = arena_capacity();
        let start = arena_allocate(1);
        arena_reset(0);
        for _ in 0..20 {
            update();
            assert_eq!(arena_capacity(), capacity);
        }
        assert_eq!(arena_allocate(1), start);
    }
}
