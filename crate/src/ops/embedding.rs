//! Rows of a table by id, and ids as one-hot rows.
//!
//! y[r] = table[ids[r]]; d_table[ids[r]] += dy[r], except at the padding row, divided by how often the id occurs when
//! scaled by frequency.

use super::{spans, Invalid};
use crate::memory::{OutOfMemory, Scratch};
use crate::simd::{Lane, Real};

/// Why a kernel that needs scratch memory did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Invalid,
    OutOfMemory,
}

impl From<OutOfMemory> for Failure {
    fn from(_: OutOfMemory) -> Self {
        Failure::OutOfMemory
    }
}

impl From<Invalid> for Failure {
    fn from(_: Invalid) -> Self {
        Failure::Invalid
    }
}

/// Whether all of `count` ids are in 0..limit.
unsafe fn validate(ids: *const i32, count: usize, limit: usize) -> Result<(), Invalid> {
    // A negative id is a large unsigned one.
    let valid = (0..count).all(|r| (*ids.add(r) as u32 as usize) < limit.min(i32::MAX as usize));
    if valid {
        Ok(())
    } else {
        Err(Invalid)
    }
}

/// `table` is vocabulary by dim, `y` rows by dim.
///
/// # Safety
/// As in [`super`].
pub unsafe fn gather<E: Real>(
    table: *const E,
    ids: *const i32,
    rows: usize,
    dim: usize,
    y: *mut E,
    vocabulary: usize,
) -> Result<(), Invalid> {
    validate(ids, rows, vocabulary)?;
    for r in 0..rows {
        core::ptr::copy_nonoverlapping(table.add(*ids.add(r) as usize * dim), y.add(r * dim), dim);
    }
    Ok(())
}

/// The backward of [`gather`]; a negative `padding` is none.
///
/// # Safety
/// As in [`super`].
pub unsafe fn scatter_add<L: Lane>(
    dy: *const L::Elem,
    ids: *const i32,
    rows: usize,
    dim: usize,
    d_table: *mut L::Elem,
    vocabulary: usize,
    padding: i32,
    scale_by_frequency: bool,
) -> Result<(), Failure> {
    validate(ids, rows, vocabulary)?;
    let scratch = Scratch::new();
    let mut counts = core::ptr::null_mut::<u32>();
    if scale_by_frequency {
        counts = scratch.take(vocabulary).ok_or(Failure::OutOfMemory)?;
        counts.write_bytes(0, vocabulary);
        for r in 0..rows {
            *counts.add(*ids.add(r) as usize) += 1;
        }
    }
    for r in 0..rows {
        let id = *ids.add(r);
        if id == padding {
            continue;
        }
        let (dy, to) = (dy.add(r * dim), d_table.add(id as usize * dim));
        if scale_by_frequency {
            let scale = L::constant(1.0 / f64::from(*counts.add(id as usize)));
            spans(dim, |at| at.add(at.load::<L>(dy) * scale, to));
        } else {
            spans(dim, |at| at.add::<L>(at.load(dy), to));
        }
    }
    Ok(())
}

/// y[r, c] = 1 where c = ids[r], else 0.
///
/// # Safety
/// As in [`super`].
pub unsafe fn one_hot<E: Real>(ids: *const i32, rows: usize, classes: usize, y: *mut E) -> Result<(), Invalid> {
    validate(ids, rows, classes)?;
    for i in 0..rows * classes {
        *y.add(i) = E::ZERO;
    }
    for r in 0..rows {
        *y.add(r * classes + *ids.add(r) as usize) = E::ONE;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_gradient, dot, random};
    use super::*;
    use crate::simd::F64x4;

    const IDS: [i32; 6] = [3, 0, 3, 1, 3, 0];
    const DIM: usize = 5;

    fn gather64(table: &[f64]) -> Vec<f64> {
        let mut y = vec![9.0; IDS.len() * DIM];
        unsafe { gather(table.as_ptr(), IDS.as_ptr(), IDS.len(), DIM, y.as_mut_ptr(), 4) }.unwrap();
        y
    }

    fn scatter64(dy: &[f64], padding: i32, scale: bool) -> Vec<f64> {
        let mut d = vec![0.0; 4 * DIM];
        let (ids, to) = (IDS.as_ptr(), d.as_mut_ptr());
        unsafe { scatter_add::<F64x4>(dy.as_ptr(), ids, IDS.len(), DIM, to, 4, padding, scale) }.unwrap();
        d
    }

    #[test]
    fn rows_are_gathered_and_gradients_scattered() {
        let table = random(4 * DIM, 1);
        let y = gather64(&table);
        for (r, id) in IDS.into_iter().enumerate() {
            assert_eq!(y[r * DIM..][..DIM], table[id as usize * DIM..][..DIM]);
        }
        let dy = random(y.len(), 2);
        let d = scatter64(&dy, -1, false);
        check_gradient(&table, &d, |table| dot(&gather64(table), &dy));

        let padded = scatter64(&dy, 3, false);
        assert_eq!(padded[..3 * DIM], d[..3 * DIM]);
        assert_eq!(padded[3 * DIM..], [0.0; DIM]);

        let scaled = scatter64(&dy, -1, true);
        for (i, x) in scaled.iter().enumerate() {
            let expected = d[i] / [2.0, 1.0, 1.0, 3.0][i / DIM];
            assert!((x - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn one_hot_rows() {
        let mut y = [9.0; 12];
        unsafe { one_hot(IDS[1..].as_ptr(), 3, 4, y.as_mut_ptr()) }.unwrap();
        assert_eq!(y, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn ids_out_of_range_are_refused() {
        let mut y = [9.0; 8];
        for bad in [4, -1, i32::MAX, i32::MIN] {
            let ids = [0, bad];
            let (ids, to) = (ids.as_ptr(), y.as_mut_ptr());
            unsafe {
                assert_eq!(gather([0.0; 16].as_ptr(), ids, 2, 4, to, 4), Err(Invalid));
                assert_eq!(one_hot(ids, 2, 4, to), Err(Invalid));
                let result = scatter_add::<F64x4>([1.0; 8].as_ptr(), ids, 2, 4, to, 4, -1, false);
                assert_eq!(result, Err(Failure::Invalid));
            }
        }
        assert_eq!(y, [9.0; 8]);
        unsafe { gather([0.0; 1].as_ptr(), [].as_ptr(), 0, 4, y.as_mut_ptr(), 0) }.unwrap();
    }
}
