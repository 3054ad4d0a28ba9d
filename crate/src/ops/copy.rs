//! Strided copies: permute, slice, concatenate, broadcast, and (adding, with the roles of the strides exchanged) their
//! backwards.

use super::elementwise::Walk;
use super::{spans, Invalid};
use crate::simd::Lane;

/// to = from, or to += from when `accumulate`, over `shape`; strides are in elements, [source, destination]. A
/// destination stride of 0 with `accumulate` sums. Without `accumulate` the bits are copied, whatever they mean.
///
/// # Safety
/// As in [`super`]; both cover the shape under their strides.
pub unsafe fn copy_strided<L: Lane>(
    from: *const L::Elem,
    to: *mut L::Elem,
    rank: usize,
    shape: *const i32,
    strides: [*const i32; 2],
    accumulate: bool,
) -> Result<(), Invalid> {
    let walk = Walk::new(rank, shape, strides)?;
    let (n, [stride_from, stride_to]) = walk.row();
    walk.rows(|[offset_from, offset_to]| {
        let (from, to) = (from.offset(offset_from), to.offset(offset_to));
        match (accumulate, stride_from, stride_to) {
            (false, 1, 1) => core::ptr::copy_nonoverlapping(from, to, n),
            (true, 1, 1) => spans(n, |at| at.add::<L>(at.load(from), to)),
            (false, ..) => {
                for i in 0..n as isize {
                    *to.offset(i * stride_to) = *from.offset(i * stride_from);
                }
            }
            (true, ..) => {
                for i in 0..n as isize {
                    *to.offset(i * stride_to) += *from.offset(i * stride_from);
                }
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::random;
    use super::*;
    use crate::simd::F64x4;

    fn copy(from: &[f64], to: &mut [f64], shape: &[i32], strides: [&[i32]; 2], accumulate: bool) {
        let strides = strides.map(<[i32]>::as_ptr);
        unsafe {
            copy_strided::<F64x4>(from.as_ptr(), to.as_mut_ptr(), shape.len(), shape.as_ptr(), strides, accumulate)
        }
        .unwrap();
    }

    #[test]
    fn permute_and_back() {
        let x = random(3 * 4 * 5, 1);
        let mut y = vec![0.0; 60];
        copy(&x, &mut y, &[5, 3, 4], [&[1, 20, 5], &[12, 4, 1]], false);
        for (i, j, k) in (0..3).flat_map(|i| (0..4).flat_map(move |j| (0..5).map(move |k| (i, j, k)))) {
            assert_eq!(y[k * 12 + i * 4 + j], x[i * 20 + j * 5 + k]);
        }
        let mut back = x.clone();
        copy(&y, &mut back, &[5, 3, 4], [&[12, 4, 1], &[1, 20, 5]], true);
        assert!(back.iter().zip(&x).all(|(b, x)| *b == 2.0 * x));
    }

    #[test]
    fn slice_broadcast_and_its_sum() {
        let x = random(21, 2);
        let mut y = vec![0.0; 12];
        copy(&x[2..], &mut y, &[3, 4], [&[7, 1], &[4, 1]], false);
        assert!((0..12).all(|i| y[i] == x[2 + i / 4 * 7 + i % 4]));
        copy(&x, &mut y, &[4, 3], [&[0, 1], &[3, 1]], false);
        assert!((0..12).all(|i| y[i] == x[i % 3]));
        let mut sums = vec![1.0; 3];
        copy(&[1.0; 12], &mut sums, &[4, 3], [&[3, 1], &[0, 1]], true);
        assert_eq!(sums, [5.0; 3]);
    }

    #[test]
    fn nothing_and_too_many_dimensions() {
        copy(&[], &mut [], &[2, 0, 3], [&[0, 3, 1], &[0, 3, 1]], false);
        let mut y = [0.0];
        copy(&[4.0], &mut y, &[], [&[], &[]], true);
        assert_eq!(y, [4.0]);
        let nine = [1; 9].as_ptr();
        let strides = [nine; 2];
        assert_eq!(unsafe { copy_strided::<F64x4>(y.as_ptr(), y.as_mut_ptr(), 9, nine, strides, false) }, Err(Invalid));
        assert_eq!(
            unsafe { copy_strided::<F64x4>(y.as_ptr(), y.as_mut_ptr(), 1, [-1].as_ptr(), strides, false) },
            Err(Invalid)
        );
    }
}
