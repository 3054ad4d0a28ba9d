//! One update of `n` parameters p by their gradients g, in place; the equations are those of PyTorch unless an option
//! says otherwise. Hyper-parameters are doubles, rounded once after what can be computed from them alone.

pub mod adadelta;
pub mod adagrad;
pub mod adam;
pub mod average;
pub mod lion;
pub mod nadam;
pub mod rmsprop;
pub mod sgd;

#[cfg(test)]
pub(crate) mod testing {
    use super::super::testing::{assert_close, random};

    /// Runs `step(update, p, g)` in f64 over five updates of 7 parameters and holds each against `expected(update, i,
    /// p, g)`, a scalar transcription that keeps its own state.
    pub fn check(
        mut step: impl FnMut(usize, &mut [f64], &[f64]),
        mut expected: impl FnMut(usize, usize, f64, f64) -> f64,
    ) {
        let mut p = random(7, 1);
        for update in 0..5 {
            let g = random(7, 10 + update as u32);
            let wanted: Vec<f64> = (0..7).map(|i| expected(update, i, p[i], g[i])).collect();
            step(update, &mut p, &g);
            p.iter().zip(&wanted).for_each(|(p, wanted)| assert_close(*p, *wanted, 1e-13, &format!("update {update}")));
        }
    }
}
