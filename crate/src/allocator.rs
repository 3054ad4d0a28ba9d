//! The global allocator of the core: blocks that lie free, by address, first fit. It is called a few times for each tensor
//! that lasts and each chunk of the arena, never in a loop, so that small code is worth more than speed.
//!
//! All sizes are multiples of [`UNIT`], which every request is rounded up to; a free block holds its size and the next
//! one's address itself.

use core::ptr::null_mut;

/// Bytes; all blocks are so aligned, and nothing asks for more.
const UNIT: usize = 16;

struct Free {
    size: usize,
    next: *mut Free,
}

/// Free blocks by address, no two of which touch.
pub struct FreeList {
    first: *mut Free,
}

impl FreeList {
    pub const fn new() -> Self {
        Self { first: null_mut() }
    }

    /// The end of the first block that is large enough; null when there is none.
    ///
    /// # Safety
    /// The blocks that were given are still nobody else's; `size` is a multiple of the unit and not 0.
    pub unsafe fn take(&mut self, size: usize) -> *mut u8 {
        let mut link = &raw mut self.first;
        while let Some(block) = (*link).as_mut() {
            if block.size > size {
                block.size -= size;
                return (*link).cast::<u8>().add(block.size);
            }
            if block.size == size {
                let taken = (*link).cast();
                *link = block.next;
                return taken;
            }
            link = &raw mut block.next;
        }
        null_mut()
    }

    /// Adds a block, joined with those beside it.
    ///
    /// # Safety
    /// `block` is aligned, of `size` bytes, and nobody's from now on; `size` as in [`FreeList::take`].
    pub unsafe fn give(&mut self, block: *mut u8, size: usize) {
        let (mut link, mut before): (*mut *mut Free, *mut Free) = (&raw mut self.first, null_mut());
        while !(*link).is_null() && (*link).cast() < block {
            before = *link;
            link = &raw mut (*before).next;
        }
        let (mut size, mut next) = (size, *link);
        // At the end of all addresses the sum is 0.
        if !next.is_null() && next.cast() == block.wrapping_add(size) {
            size += (*next).size;
            next = (*next).next;
        }
        if !before.is_null() && before.cast::<u8>().add((*before).size) == block {
            (*before).size += size;
            (*before).next = next;
        } else {
            *link = block.cast();
            (*block.cast::<Free>()).size = size;
            (*block.cast::<Free>()).next = next;
        }
    }

    /// Bytes of the block that ends at this address.
    unsafe fn free_before(&self, end: usize) -> usize {
        let mut block = self.first;
        while !block.is_null() {
            if block as usize + (*block).size == end {
                return (*block).size;
            }
            block = (*block).next;
        }
        0
    }
}

#[cfg(target_arch = "wasm32")]
mod global {
    use super::{FreeList, UNIT};
    use core::alloc::{GlobalAlloc, Layout};
    use core::arch::wasm32::{memory_grow, memory_size};
    use core::cell::UnsafeCell;
    use core::ptr::null_mut;

    /// Bytes of a page.
    const PAGE: usize = 65_536;

    struct Global(UnsafeCell<FreeList>);

    // SAFETY: an instance has one thread.
    unsafe impl Sync for Global {}

    #[global_allocator]
    static GLOBAL: Global = Global(UnsafeCell::new(FreeList::new()));

    fn rounded(layout: Layout) -> usize {
        layout.size().next_multiple_of(UNIT)
    }

    // SAFETY: blocks are of the list's, or fresh memory.
    unsafe impl GlobalAlloc for Global {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let (list, size) = (&mut *self.0.get(), rounded(layout));
            if layout.align() > UNIT {
                return null_mut();
            }
            let block = list.take(size);
            if !block.is_null() {
                return block;
            }
            // What is free at the end of the memory is part of what is missing.
            let end = memory_size(0) * PAGE;
            let pages = (size - list.free_before(end)).div_ceil(PAGE);
            if memory_grow(0, pages) == usize::MAX {
                return null_mut();
            }
            list.give(end as *mut u8, pages * PAGE);
            list.take(size)
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            (*self.0.get()).give(block, rounded(layout));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(align(16))]
    struct Memory([u8; 1 << 16]);

    #[test]
    fn blocks_are_apart_and_come_together_again() {
        let mut memory = Box::new(Memory([0; 1 << 16]));
        let start: *mut u8 = memory.0.as_mut_ptr();
        let all = memory.0.len();
        let mut list = FreeList::new();
        let mut held: Vec<(usize, usize)> = vec![];
        let mut state = 1_u32;
        let mut random = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        };
        // SAFETY: the list has nothing but the memory above.
        unsafe {
            // In two parts, the later first.
            list.give(start.add(all / 2), all / 2);
            list.give(start, all / 2);
            assert_eq!(list.free_before(start as usize + all), all);
            for _ in 0..20_000 {
                if random(2) == 0 && !held.is_empty() {
                    let (at, size) = held.swap_remove(random(held.len()));
                    list.give(at as *mut u8, size);
                    continue;
                }
                let size = (1 + random(120)) * UNIT;
                let at = list.take(size) as usize;
                let most = free(&list).into_iter().map(|(_, size)| size).max().unwrap_or(0);
                if at == 0 {
                    assert!(most < size);
                    continue;
                }
                held.push((at, size));
                // Held and free blocks cover the memory, none twice; free ones do not touch.
                let gaps = free(&list);
                assert!(gaps.windows(2).all(|pair| pair[0].0 + pair[0].1 < pair[1].0));
                let mut blocks: Vec<_> = held.iter().copied().chain(gaps).collect();
                blocks.sort_unstable();
                let mut end = start as usize;
                for (at, size) in blocks {
                    assert_eq!((at, at % UNIT), (end, 0));
                    end += size;
                }
                assert_eq!(end, start as usize + all);
            }
            for (at, size) in held {
                list.give(at as *mut u8, size);
            }
            assert_eq!(free(&list), [(start as usize, all)]);
            assert_eq!(list.take(all), start);
            assert_eq!(list.free_before(start as usize + all), 0);
            assert!(list.take(UNIT).is_null());
        }
    }

    unsafe fn free(list: &FreeList) -> Vec<(usize, usize)> {
        let mut blocks = vec![];
        let mut block = list.first;
        while !block.is_null() {
            blocks.push((block as usize, (*block).size));
            block = (*block).next;
        }
        blocks
    }
}
