//! The driver and the cells against a naive transcription of the equations, one row and one unit at a time, and
//! against central differences; all in double precision, through the very kernels of the release build.

use super::input::Tokens;
use super::*;
use crate::memory;
use crate::simd::{F32x4, F64x4};

/// A configuration; sizes all different, so that tails run.
#[derive(Clone, Debug)]
struct Case {
    kind: Kind,
    activation: u32,
    steps: usize,
    batch: usize,
    input: usize,
    hidden: usize,
    projection: usize,
    reverse: bool,
    lengths: Option<Vec<i32>>,
    tokens: Tokens,
    bias: bool,
    batch_first: bool,
    states: bool,
}

impl Case {
    fn state(&self) -> usize {
        if self.projection > 0 {
            self.projection
        } else {
            self.hidden
        }
    }

    fn length(&self, row: usize) -> usize {
        self.lengths.as_ref().map_or(self.steps, |l| l[row] as usize)
    }

    fn strides(&self, size: usize) -> (usize, usize) {
        if self.batch_first {
            (size, self.steps * size)
        } else {
            (self.batch * size, size)
        }
    }

    fn vocabulary(&self) -> usize {
        match self.tokens {
            Tokens::Dense => 0,
            Tokens::OneHot => self.input,
            Tokens::Folded => 4,
            Tokens::Gathered => self.steps * self.batch + 3,
        }
    }
}

/// All values that a gradient is taken of, by name, and the cotangents.
#[derive(Clone)]
struct Values {
    named: Vec<(&'static str, Vec<f64>)>,
    ids: Vec<i32>,
    d_out: Vec<f64>,
    d_h: Vec<f64>,
    d_c: Vec<f64>,
}

impl Values {
    fn get(&self, name: &str) -> &[f64] {
        self.named.iter().find(|(n, _)| *n == name).map_or(&[], |(_, v)| v)
    }
}

struct Numbers(u32);
impl Numbers {
    fn take(&mut self, count: usize, scale: f64) -> Vec<f64> {
        (0..count)
            .map(|_| {
                self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (f64::from(self.0 >> 8) / 8_388_608.0 - 1.0) * scale
            })
            .collect()
    }
}

fn values(c: &Case) -> Values {
    let mut r = Numbers(7);
    let (g, s) = (c.kind.gates() * c.hidden, c.state());
    let mut named = vec![("w_ih", r.take(g * c.input, 0.6)), ("w_hh", r.take(g * s, 0.6))];
    if c.bias {
        named.push(("b_ih", r.take(g, 0.5)));
        named.push(("b_hh", r.take(g, 0.5)));
    }
    if c.projection > 0 {
        named.push(("w_hr", r.take(s * c.hidden, 0.7)));
    }
    if c.states {
        named.push(("h0", r.take(c.batch * s, 0.9)));
        if c.kind == Kind::Lstm {
            named.push(("c0", r.take(c.batch * c.hidden, 0.9)));
        }
    }
    match c.tokens {
        Tokens::Dense => named.push(("x", r.take(c.steps * c.batch * c.input, 1.0))),
        Tokens::OneHot => {}
        _ => named.push(("table", r.take(c.vocabulary() * c.input, 1.0))),
    }
    let ids = (0..c.steps * c.batch).map(|i| ((i * 7 + 3) % c.vocabulary().max(1)) as i32).collect();
    Values {
        named,
        ids,
        d_out: r.take(c.steps * c.batch * s, 1.0),
        d_h: r.take(c.batch * s, 1.0),
        d_c: r.take(c.batch * c.hidden, 1.0),
    }
}

/// What a run gives: out, h_n, c_n, and gradients in the order of the names.
struct Run {
    out: Vec<f64>,
    h_n: Vec<f64>,
    c_n: Vec<f64>,
    gradients: Vec<Vec<f64>>,
}

fn run<L: Lane>(c: &Case, v: &Values, with_gradients: bool) -> Run {
    let convert = |x: &[f64]| x.iter().map(|&x| L::Elem::from_f64(x)).collect::<Vec<_>>();
    let inputs: Vec<(&str, Vec<L::Elem>)> = v.named.iter().map(|(n, x)| (*n, convert(x))).collect();
    let pointer = |name: &str| inputs.iter().find(|(n, _)| *n == name).map_or(null(), |(_, x)| x.as_ptr());
    let mut gradients: Vec<(&str, Vec<L::Elem>)> =
        v.named.iter().map(|(n, x)| (*n, vec![L::Elem::from_f64(0.25); x.len()])).collect();
    let mut gradient =
        |name: &str| gradients.iter_mut().find(|(n, _)| *n == name).map_or(null_mut(), |(_, x)| x.as_mut_ptr());
    let s = c.state();
    // NaN beforehand: everything must be written.
    let nan = L::Elem::from_f64(f64::NAN);
    let mut out = vec![nan; c.steps * c.batch * s];
    let (mut h_n, mut c_n) = (vec![nan; c.batch * s], vec![nan; c.batch * c.hidden]);
    let (mut d_out, d_h, d_c) = (convert(&v.d_out), convert(&v.d_h), convert(&v.d_c));
    let (out_time, out_batch) = c.strides(s);
    for row in 0..c.batch {
        for t in c.length(row)..c.steps {
            d_out[t * out_time + row * out_batch..][..s].fill(nan); // padding must not be read
        }
    }
    let mut prepared = vec![nan; prepared_len(c.kind, c.input, c.hidden, c.projection)];
    let (x_time, x_batch) = c.strides(c.input);
    let (id_time, id_batch) = c.strides(1);
    let token = c.tokens != Tokens::Dense;
    let mut layer = Layer {
        kind: c.kind,
        activation: c.activation,
        alpha: L::Elem::from_f64(0.3),
        steps: c.steps,
        batch: c.batch,
        input: c.input,
        hidden: c.hidden,
        projection: c.projection,
        reverse: c.reverse,
        lengths: c.lengths.as_ref().map_or(null(), |l| l.as_ptr()),
        training: true,
        x: Strided { data: pointer("x"), time: x_time, batch: x_batch },
        ids: Strided { data: if token { v.ids.as_ptr() } else { null() }, time: id_time, batch: id_batch },
        table: pointer("table"),
        table_rows: c.vocabulary(),
        w_ih: pointer("w_ih"),
        w_hh: pointer("w_hh"),
        b_ih: pointer("b_ih"),
        b_hh: pointer("b_hh"),
        w_hr: pointer("w_hr"),
        prepared: prepared.as_mut_ptr(),
        h0: pointer("h0"),
        c0: pointer("c0"),
        h_n: h_n.as_mut_ptr(),
        c_n: c_n.as_mut_ptr(),
        out: Strided { data: out.as_mut_ptr(), time: out_time, batch: out_batch },
        saved: Saved {
            order: null(),
            x: null(),
            ids: null(),
            gates: null_mut(),
            recurrent: null_mut(),
            h: null_mut(),
            c: null_mut(),
            unprojected: null_mut(),
        },
        d_out: Strided { data: d_out.as_ptr(), time: out_time, batch: out_batch },
        d_h_n: d_h.as_ptr(),
        d_c_n: d_c.as_ptr(),
        d_x: Strided { data: gradient("x"), time: x_time, batch: x_batch },
        d_table: gradient("table"),
        d_w_ih: gradient("w_ih"),
        d_w_hh: gradient("w_hh"),
        d_b_ih: gradient("b_ih"),
        d_b_hh: gradient("b_hh"),
        d_w_hr: gradient("w_hr"),
        d_h0: gradient("h0"),
        d_c0: gradient("c0"),
    };
    let scratch = Scratch::new();
    // SAFETY: every buffer has the size its field asks for.
    unsafe {
        prepare::<L>(&layer, true);
        assert_eq!(forward::<L>(&mut layer), Ok(()));
        if with_gradients {
            assert_eq!(backward::<L>(&layer), Ok(()));
        }
        if c.batch == 1 && !c.reverse && c.lengths.is_none() && matches!(c.tokens, Tokens::Dense | Tokens::OneHot) {
            stream_equals::<L>(c, &mut layer, &out, [&h_n, &c_n]);
        }
    }
    drop(scratch);
    let back = |x: &[L::Elem]| x.iter().map(|x| x.to_f64()).collect::<Vec<_>>();
    Run {
        out: back(&out),
        h_n: back(&h_n),
        c_n: if c.kind == Kind::Lstm { back(&c_n) } else { vec![] },
        // Gradients are added to what was there.
        gradients: gradients.iter().map(|(_, x)| x.iter().map(|x| x.to_f64() - 0.25).collect()).collect(),
    }
}

/// Steps one by one, bit for bit; the layer's final states are `h_n` and `c_n`.
unsafe fn stream_equals<L: Lane>(c: &Case, layer: &mut Layer<L::Elem>, out: &[L::Elem], end: [&[L::Elem]; 2]) {
    let state = |from: *const L::Elem, n: usize| match from.is_null() {
        true => vec![L::Elem::ZERO; n],
        false => core::slice::from_raw_parts(from, n).to_vec(),
    };
    let mut h = state(layer.h0, c.state());
    let mut memory = state(layer.c0, c.hidden);
    (layer.h_n, layer.c_n) = (h.as_mut_ptr(), memory.as_mut_ptr());
    for out in out.chunks(c.state()) {
        assert_eq!(stream::step::<L>(layer), Ok(()));
        assert_eq!(core::slice::from_raw_parts(layer.h_n, c.state()), out, "{c:?}");
        layer.x.data = layer.x.data.wrapping_add(c.input);
        layer.ids.data = if layer.ids.data.is_null() { null() } else { layer.ids.data.wrapping_add(1) };
    }
    assert_eq!(h, end[0]);
    if c.kind == Kind::Lstm {
        assert_eq!(memory, end[1]);
    }
}

/// The loss whose gradients are checked: cotangents times results over what is not padding.
fn loss(c: &Case, v: &Values, r: &Run) -> f64 {
    let (time, batch) = c.strides(c.state());
    let mut sum = 0.0;
    for row in 0..c.batch {
        for t in 0..c.length(row) {
            for j in 0..c.state() {
                let at = t * time + row * batch + j;
                sum += r.out[at] * v.d_out[at];
            }
        }
    }
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    sum + dot(&r.h_n, &v.d_h) + dot(&r.c_n, &v.d_c)
}

/// The equations as written in the papers, without a kernel in sight.
fn naive(c: &Case, v: &Values) -> Run {
    let (s, h) = (c.state(), c.hidden);
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let mut r = Run { out: vec![0.0; c.steps * c.batch * s], h_n: vec![], c_n: vec![], gradients: vec![] };
    let (x_time, x_batch) = c.strides(c.input);
    let (id_time, id_batch) = c.strides(1);
    let (out_time, out_batch) = c.strides(s);
    let bias = |name: &str, j: usize| v.get(name).get(j).copied().unwrap_or(0.0);
    for row in 0..c.batch {
        let start =
            |name: &str, n: usize| v.get(name).get(row * n..(row + 1) * n).map_or(vec![0.0; n], <[f64]>::to_vec);
        let (mut state, mut memory) = (start("h0", s), start("c0", h));
        let length = c.length(row);
        for step in 0..length {
            let t = if c.reverse { length - 1 - step } else { step };
            let id = v.ids[t * id_time + row * id_batch] as usize;
            let x: Vec<f64> = match c.tokens {
                Tokens::Dense => v.get("x")[t * x_time + row * x_batch..][..c.input].to_vec(),
                Tokens::OneHot => (0..c.input).map(|j| f64::from(u8::from(j == id))).collect(),
                _ => v.get("table")[id * c.input..][..c.input].to_vec(),
            };
            let product = |w: &str, j: usize, x: &[f64]| -> f64 {
                v.get(w)[j * x.len()..][..x.len()].iter().zip(x).map(|(a, b)| a * b).sum()
            };
            let a = |j: usize| product("w_ih", j, &x) + bias("b_ih", j);
            let u = |j: usize| product("w_hh", j, &state) + bias("b_hh", j);
            let mut next = vec![0.0; h];
            for j in 0..h {
                next[j] = match c.kind {
                    Kind::Elman if c.activation == 3 => (a(j) + u(j)).max(0.0),
                    Kind::Elman if c.activation == 2 => sigmoid(a(j) + u(j)),
                    Kind::Elman => (a(j) + u(j)).tanh(),
                    Kind::Lstm => {
                        let [i, f, g, o] = [0, 1, 2, 3].map(|gate| a(gate * h + j) + u(gate * h + j));
                        memory[j] = sigmoid(f) * memory[j] + sigmoid(i) * g.tanh();
                        sigmoid(o) * memory[j].tanh()
                    }
                    Kind::Gru => {
                        let (reset, update) = (sigmoid(a(j) + u(j)), sigmoid(a(h + j) + u(h + j)));
                        let new = (a(2 * h + j) + reset * u(2 * h + j)).tanh();
                        (1.0 - update) * new + update * state[j]
                    }
                };
            }
            if c.projection > 0 {
                next = (0..s).map(|j| product("w_hr", j, &next)).collect();
            }
            r.out[t * out_time + row * out_batch..][..s].copy_from_slice(&next);
            state = next;
        }
        r.h_n.extend(state);
        if c.kind == Kind::Lstm {
            r.c_n.extend(memory);
        }
    }
    r
}

fn cases() -> Vec<Case> {
    let base = Case {
        kind: Kind::Lstm,
        activation: 1,
        steps: 4,
        batch: 3,
        input: 5,
        hidden: 6,
        projection: 0,
        reverse: false,
        lengths: None,
        tokens: Tokens::Dense,
        bias: true,
        batch_first: true,
        states: true,
    };
    let ragged = Some(vec![2, 4, 0]);
    let mut all = vec![];
    for kind in [Kind::Elman, Kind::Lstm, Kind::Gru] {
        let base = Case { kind, ..base.clone() };
        all.extend([
            base.clone(),
            Case { batch_first: false, hidden: 8, bias: false, ..base.clone() },
            Case { reverse: true, states: false, ..base.clone() },
            Case { lengths: ragged.clone(), ..base.clone() },
            Case { lengths: ragged.clone(), reverse: true, batch_first: false, ..base.clone() },
            Case { lengths: Some(vec![0, 0, 0]), ..base.clone() },
            Case { tokens: Tokens::OneHot, ..base.clone() },
            Case { tokens: Tokens::OneHot, input: 103, lengths: ragged.clone(), ..base.clone() },
            Case { tokens: Tokens::Folded, reverse: true, ..base.clone() },
            Case { tokens: Tokens::Folded, steps: 9, lengths: Some(vec![9, 1, 5]), ..base.clone() },
            Case { tokens: Tokens::Gathered, lengths: ragged.clone(), ..base.clone() },
            Case { hidden: 1, input: 1, batch: 1, ..base.clone() },
            Case { steps: 1, batch: 1, hidden: 21, input: 19, ..base.clone() },
            Case { batch: 1, tokens: Tokens::OneHot, states: false, ..base.clone() },
            Case { batch: 1, hidden: 8, ..base.clone() },
        ]);
    }
    for activation in [2, 3] {
        all.push(Case { kind: Kind::Elman, activation, ..base.clone() });
    }
    for projection in [3, 18] {
        all.push(Case { projection, ..base.clone() });
        all.push(Case { projection, batch: 1, hidden: 20, ..base.clone() });
        all.push(Case { projection, lengths: ragged.clone(), reverse: true, hidden: 20, ..base.clone() });
    }
    all
}

fn close(what: &str, c: &Case, actual: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len(), "{what} {c:?}");
    for (i, (x, y)) in actual.iter().zip(expected).enumerate() {
        assert!((x - y).abs() <= tolerance * (1.0 + y.abs()), "{what}[{i}]: {x} expected {y}, {c:?}");
    }
}

#[test]
fn fused_equals_naive() {
    for c in cases() {
        let v = values(&c);
        let (expected, double, single) = (naive(&c, &v), run::<F64x4>(&c, &v, false), run::<F32x4>(&c, &v, false));
        for (what, e, d, s) in [
            ("out", &expected.out, &double.out, &single.out),
            ("h_n", &expected.h_n, &double.h_n, &single.h_n),
            ("c_n", &expected.c_n, &double.c_n, &single.c_n),
        ] {
            close(what, &c, d, e, 1e-12);
            close(what, &c, s, e, 2e-6);
        }
    }
}

#[test]
fn gradients_equal_central_differences() {
    for c in cases() {
        let v = values(&c);
        let (exact, single) = (run::<F64x4>(&c, &v, true), run::<F32x4>(&c, &v, true));
        for (which, (name, value)) in v.named.iter().enumerate() {
            let epsilon = 1e-5;
            let expected: Vec<f64> = (0..value.len())
                .map(|i| {
                    let side = |step: f64| {
                        let mut moved = v.clone();
                        moved.named[which].1[i] += step;
                        loss(&c, &moved, &naive(&c, &moved))
                    };
                    (side(epsilon) - side(-epsilon)) / (2.0 * epsilon)
                })
                .collect();
            close(name, &c, &exact.gradients[which], &expected, 1e-8);
            close(name, &c, &single.gradients[which], &expected, 2e-5);
        }
    }
}

#[test]
fn no_state_is_a_zero_state() {
    for kind in [Kind::Elman, Kind::Lstm, Kind::Gru] {
        let c = Case { kind, states: false, ..cases()[0].clone() };
        let v = values(&c);
        let with = Case { states: true, ..c.clone() };
        let mut zero = v.clone();
        zero.named.push(("h0", vec![0.0; c.batch * c.state()]));
        zero.named.push(("c0", vec![0.0; c.batch * c.hidden]));
        assert_eq!(run::<F32x4>(&c, &v, false).out, run::<F32x4>(&with, &zero, false).out);
    }
}

#[test]
fn a_split_sequence_equals_the_whole_bit_for_bit_at_any_batch_size() {
    for kind in [Kind::Elman, Kind::Lstm, Kind::Gru] {
        for batch in [1, 2, 5] {
            let c = Case { kind, batch, steps: 7, hidden: 22, input: 9, batch_first: false, ..cases()[0].clone() };
            let v = values(&c);
            let whole = run::<F32x4>(&c, &v, false);
            let cut = 3 * batch;
            let part = |from: usize, to: usize, state: Option<&Run>| {
                let mut piece = v.clone();
                for (name, value) in &mut piece.named {
                    match (*name, state) {
                        ("x", _) => *value = value[from * c.input..to * c.input].to_vec(),
                        ("h0", Some(r)) => *value = r.h_n.clone(),
                        ("c0", Some(r)) => *value = r.c_n.clone(),
                        _ => {}
                    }
                }
                piece.d_out.truncate((to - from) * c.state());
                run::<F32x4>(&Case { steps: (to - from) / batch, ..c.clone() }, &piece, false)
            };
            let first = part(0, cut, None);
            let second = part(cut, 7 * batch, Some(&first));
            assert_eq!([first.out, second.out.clone()].concat(), whole.out);
            assert_eq!((second.h_n, second.c_n), (whole.h_n.clone(), whole.c_n.clone()));
            // Each row alone.
            for row in 0..batch {
                let mut alone = v.clone();
                for (name, value) in &mut alone.named {
                    let size = match *name {
                        "x" => c.input,
                        "h0" | "c0" => c.hidden,
                        _ => continue,
                    };
                    *value = value.chunks(size).skip(row).step_by(batch).flatten().copied().collect();
                }
                let one = run::<F32x4>(&Case { batch: 1, ..c.clone() }, &alone, false);
                assert_eq!(one.h_n, whole.h_n[row * c.hidden..(row + 1) * c.hidden]);
            }
        }
    }
}

#[test]
fn lengths_equal_rows_run_alone() {
    for kind in [Kind::Elman, Kind::Lstm, Kind::Gru] {
        for reverse in [false, true] {
            let lengths = vec![3, 0, 5, 1, 5];
            let c = Case { kind, reverse, steps: 5, batch: 5, lengths: Some(lengths.clone()), ..cases()[0].clone() };
            let v = values(&c);
            let together = run::<F32x4>(&c, &v, false);
            for (row, &length) in lengths.iter().enumerate() {
                let mut alone = v.clone();
                for (name, value) in &mut alone.named {
                    match *name {
                        "x" => *value = value[row * 5 * c.input..][..length as usize * c.input].to_vec(),
                        "h0" | "c0" => *value = value[row * c.hidden..][..c.hidden].to_vec(),
                        _ => {}
                    }
                }
                let one = Case { batch: 1, steps: length as usize, lengths: None, ..c.clone() };
                let r = run::<F32x4>(&one, &alone, false);
                let out = &together.out[row * 5 * c.hidden..(row + 1) * 5 * c.hidden];
                let (live, padding) = out.split_at(length as usize * c.hidden);
                assert_eq!(r.out, live);
                assert!(padding.iter().all(|&x| x == 0.0));
                assert_eq!(r.h_n, together.h_n[row * c.hidden..(row + 1) * c.hidden]);
                assert_eq!(r.c_n.is_empty(), kind != Kind::Lstm);
            }
        }
    }
}

#[test]
fn not_a_number_stays_in_its_row() {
    let c = Case { kind: Kind::Lstm, ..cases()[0].clone() };
    let mut v = values(&c);
    if let Some((_, x)) = v.named.iter_mut().find(|(n, _)| *n == "x") {
        x[0] = f64::NAN;
    }
    let r = run::<F32x4>(&c, &v, false);
    let row = c.steps * c.hidden;
    assert!(r.out[..row].iter().all(|x| x.is_nan()));
    assert!(r.out[row..].iter().all(|x| x.is_finite()));
}

#[test]
fn a_scope_leaves_no_memory_behind() {
    let before = memory::arena_mark();
    for c in cases() {
        let v = values(&c);
        run::<F64x4>(&c, &v, true);
    }
    assert_eq!(memory::arena_mark(), before);
}
