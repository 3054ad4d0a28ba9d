//! The cells of these tests: equations, and their programs.

use super::*;
use crate::ops::activation::{SIGMOID, TANH};
use pointwise::{
    ADD, ADD_SCALAR, COLUMN_SUM, COPY, MIX, MUL, MULTIPLY_ADD, NORM, NORM_GRADIENT, SCALE, SUB, UNARY_GRADIENT,
};

const ACCUMULATE: i32 = 1;

pub fn all() -> Vec<Cell> {
    vec![
        lstm(5, 6, false),
        lstm(21, 19, false),
        lstm(7, 9, true),
        gru_reset_before(5, 6),
        normalised(5, 7),
        extra_input(3, 6),
        heads(5, 2, 3),
        projected(5, 10, 3),
        projected(5, 6, 18),
    ]
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Long short-term memory, gates i, f, g, o, two biases; with peepholes (Gers & Schmidhuber 2000) c adds to i and f
/// before the step and to o after it.
pub fn lstm(input: usize, h: usize, peepholes: bool) -> Cell {
    let mut p = Builder::default();
    let n = pad(h);
    let [i, f, g, o] = [0, n, 2 * n, 3 * n];
    let (gates, d) = p.gates(4 * n, input, (4, h, 0));
    let (hs, h_prev, dh) = p.state(h);
    let (cs, c_prev, dc) = p.state(h);
    let tanh_c = p.buffer(STEP, n, 0, WITHIN_STEP);
    let part = p.buffer(CHUNK, n, 0, 0);
    let w_hh = p.matrix(4, h, h, 0, 1);
    p.bias(4, h, 0);
    p.bias(4, h, 0);
    let peep: Vec<(i32, i32)> = if peepholes { (0..3).map(|_| p.vector(h)).collect() } else { vec![] };
    p.product((h_prev, 0), w_hh, (gates, 0), 1);
    let mut b = Block::default();
    if peepholes {
        for (&(vector, _), gate) in peep.iter().zip([i, f]) {
            b.add(MUL, h, 0.0, ACCUMULATE, [(gates, gate), (vector, 0), (c_prev, 0), NONE]);
        }
    }
    b.unary(SIGMOID, 2 * n, (gates, i), (gates, i)).unary(TANH, h, (gates, g), (gates, g));
    b.binary(MUL, h, (cs, 0), (gates, f), (c_prev, 0));
    b.add(MULTIPLY_ADD, h, 0.0, 0, [(cs, 0), (gates, i), (gates, g), (cs, 0)]);
    if peepholes {
        b.add(MULTIPLY_ADD, h, 0.0, 0, [(gates, o), (peep[2].0, 0), (cs, 0), (gates, o)]);
    }
    b.unary(SIGMOID, h, (gates, o), (gates, o)).unary(TANH, h, (tanh_c, 0), (cs, 0));
    b.binary(MUL, h, (hs, 0), (gates, o), (tanh_c, 0));
    b.end(&mut p.forward);

    let part = (part, 0);
    let mut b = Block::default();
    b.binary(MUL, h, part, (dh, 0), (tanh_c, 0)).slope(SIGMOID, h, (d, o), part, (gates, o));
    b.binary(MUL, h, part, (dh, 0), (gates, o));
    b.add(UNARY_GRADIENT + TANH, h, 0.0, ACCUMULATE, [(dc, 0), part, NONE, (tanh_c, 0)]);
    if peepholes {
        b.add(MULTIPLY_ADD, h, 0.0, 0, [(dc, 0), (d, o), (peep[2].0, 0), (dc, 0)]);
        b.binary(COLUMN_SUM, h, (peep[2].1, 0), (d, o), (cs, 0));
    }
    b.binary(MUL, h, part, (dc, 0), (gates, g)).slope(SIGMOID, h, (d, i), part, (gates, i));
    b.binary(MUL, h, part, (dc, 0), (gates, i)).slope(TANH, h, (d, g), part, (gates, g));
    b.binary(MUL, h, part, (dc, 0), (c_prev, 0)).slope(SIGMOID, h, (d, f), part, (gates, f));
    b.binary(MUL, h, (dc, 0), (dc, 0), (gates, f));
    if peepholes {
        for (&(vector, d_vector), gate) in peep.iter().zip([i, f]) {
            b.add(MUL, h, 0.0, ACCUMULATE, [(dc, 0), (d, gate), (vector, 0), NONE]);
            b.binary(COLUMN_SUM, h, (d_vector, 0), (d, gate), (c_prev, 0));
        }
    }
    b.end(&mut p.backward);
    p.product_back(0, w_hh, (dh, 0), 0);
    p.weight_gradient(w_hh, (h_prev, 0), 0);
    Cell {
        name: if peepholes { "peephole lstm" } else { "lstm" },
        program: p,
        hidden: h,
        weights: vec![4 * h * input, 4 * h * h],
        biases: vec![4 * h, 4 * h],
        naive: |cell, s| {
            let h = cell.hidden;
            let a = |row: usize| {
                s.product("w0", row, s.x) + s.product("w1", row, &s.states[0]) + s.at("b0", row) + s.at("b1", row)
            };
            let c: Vec<f64> = (0..h)
                .map(|j| {
                    let c = s.states[1][j];
                    let i = sigmoid(a(j) + s.at("v0", j) * c);
                    let f = sigmoid(a(h + j) + s.at("v1", j) * c);
                    f * c + i * a(2 * h + j).tanh()
                })
                .collect();
            let out = (0..h).map(|j| sigmoid(a(3 * h + j) + s.at("v2", j) * c[j]) * c[j].tanh()).collect();
            vec![out, c]
        },
    }
}

/// Gated recurrent unit with the reset gate before the product (Cho et al. 2014): n = tanh(W x + U (r h)), gates r, z, n.
fn gru_reset_before(input: usize, h: usize) -> Cell {
    let mut p = Builder::default();
    let n = pad(h);
    let (gates, d) = p.gates(3 * n, input, (3, h, 0));
    let (hs, h_prev, dh) = p.state(h);
    let reset = p.buffer(STEP, n, 0, 0);
    let d_reset = p.buffer(BATCH, n, 0, BACKWARD_ONLY);
    let part = p.buffer(CHUNK, n, 0, 0);
    let u = p.matrix(2, h, h, 0, 1);
    let u_n = p.matrix(1, h, h, 2 * h * h, 1);
    p.bias(3, h, 0);
    p.product((h_prev, 0), u, (gates, 0), 1);
    let mut b = Block::default();
    b.unary(SIGMOID, 2 * n, (gates, 0), (gates, 0)).binary(MUL, h, (reset, 0), (gates, 0), (h_prev, 0));
    b.end(&mut p.forward);
    p.product((reset, 0), u_n, (gates, 2 * n), 1);
    let mut b = Block::default();
    b.unary(TANH, h, (gates, 2 * n), (gates, 2 * n));
    // z h + (1 - z) n
    b.add(MIX, h, 0.0, 0, [(hs, 0), (gates, n), (h_prev, 0), (gates, 2 * n)]);
    b.end(&mut p.forward);

    let (part, d_reset) = ((part, 0), (d_reset, 0));
    let mut b = Block::default();
    b.binary(SUB, h, part, (h_prev, 0), (gates, 2 * n)).binary(MUL, h, part, part, (dh, 0));
    b.slope(SIGMOID, h, (d, n), part, (gates, n));
    b.add(SCALE, h, -1.0, 0, [part, (gates, n), NONE, NONE]).add(ADD_SCALAR, h, 1.0, 0, [part, part, NONE, NONE]);
    b.binary(MUL, h, part, part, (dh, 0)).slope(TANH, h, (d, 2 * n), part, (gates, 2 * n));
    b.binary(MUL, h, (dh, 0), (dh, 0), (gates, n));
    b.end(&mut p.backward);
    p.product_back(2 * n, u_n, d_reset, 0);
    let mut b = Block::default();
    b.binary(MUL, h, part, d_reset, (h_prev, 0)).slope(SIGMOID, h, (d, 0), part, (gates, 0));
    b.add(MUL, h, 0.0, ACCUMULATE, [(dh, 0), d_reset, (gates, 0), NONE]);
    b.end(&mut p.backward);
    p.product_back(0, u, (dh, 0), 1);
    p.weight_gradient(u, (h_prev, 0), 0);
    p.weight_gradient(u_n, (reset, 0), 2 * n);
    Cell {
        name: "gru, reset before",
        program: p,
        hidden: h,
        weights: vec![3 * h * input, 3 * h * h],
        biases: vec![3 * h],
        naive: |cell, s| {
            let (h, prev) = (cell.hidden, &s.states[0]);
            let a = |row: usize| s.product("w0", row, s.x) + s.at("b0", row);
            let gate = |row: usize| sigmoid(a(row) + s.product("w1", row, prev));
            let reset: Vec<f64> = (0..h).map(|j| gate(j) * prev[j]).collect();
            let next = (0..h).map(|j| {
                let (z, new) = (gate(h + j), (a(2 * h + j) + s.product("w1", 2 * h + j, &reset)).tanh());
                z * prev[j] + (1.0 - z) * new
            });
            vec![next.collect()]
        },
    }
}

const EPSILON: f32 = 0.015_625;

/// h = tanh(norm(W x + U h) gain), the gate kept apart from its normalised value.
fn normalised(input: usize, h: usize) -> Cell {
    let mut p = Builder::default();
    let n = pad(h);
    let (gates, d) = p.gates(n, input, (1, h, 0));
    let (hs, h_prev, dh) = p.state(h);
    let z = p.buffer(STEP, n, 0, 0);
    let scale = p.buffer(STEP, 4, 0, 0);
    let part = p.buffer(CHUNK, n, 0, 0);
    let u = p.matrix(1, h, h, 0, 1);
    p.bias(1, h, 0);
    let (gain, d_gain) = p.vector(h);
    p.product((h_prev, 0), u, (gates, 0), 1);
    let mut b = Block::default();
    b.add(NORM, h, EPSILON, 0, [(z, 0), (gates, 0), (scale, 1), NONE]);
    b.add(pointwise::ZERO_PAD, h, 0.0, 0, [(z, 0), NONE, NONE, NONE]);
    b.binary(MUL, h, (hs, 0), (z, 0), (gain, 0)).unary(TANH, h, (hs, 0), (hs, 0));
    b.end(&mut p.forward);
    let part = (part, 0);
    let mut b = Block::default();
    b.slope(TANH, h, part, (dh, 0), (hs, 0)).binary(COLUMN_SUM, h, (d_gain, 0), part, (z, 0));
    b.binary(MUL, h, part, part, (gain, 0));
    b.add(NORM_GRADIENT, h, 0.0, 0, [(d, 0), part, (z, 0), (scale, 1)]);
    b.add(pointwise::ZERO_PAD, h, 0.0, 0, [(d, 0), NONE, NONE, NONE]);
    b.end(&mut p.backward);
    p.product_back(0, u, (dh, 0), 0);
    p.weight_gradient(u, (h_prev, 0), 0);
    Cell {
        name: "normalised",
        program: p,
        hidden: h,
        weights: vec![h * input, h * h],
        biases: vec![h],
        naive: |cell, s| {
            let h = cell.hidden;
            let a: Vec<f64> =
                (0..h).map(|j| s.product("w0", j, s.x) + s.product("w1", j, &s.states[0]) + s.at("b0", j)).collect();
            let mean = a.iter().sum::<f64>() / h as f64;
            let variance = a.iter().map(|a| (a - mean) * (a - mean)).sum::<f64>() / h as f64;
            let root = (variance + f64::from(EPSILON)).sqrt();
            vec![(0..h).map(|j| ((a[j] - mean) / root * s.at("v0", j)).tanh()).collect()]
        },
    }
}

/// h = tanh(W x + U [h, e]) + p e, e an extra input, U in two parts; G's gradients take the place of G.
fn extra_input(input: usize, h: usize) -> Cell {
    let mut p = Builder::default();
    let n = pad(h);
    let (gates, _) = p.gates(n, input, (1, h, 0));
    p.d_gates = gates;
    let (hs, h_prev, dh) = p.state(h);
    let (e, de) = p.extra(h);
    let (v, dv) = p.vector(h);
    let [of_h, of_e] = [0, h].map(|first| {
        let matrix = p.matrix(1, h, h, first, 1);
        p.matrices.last_mut().unwrap()[3] = 2 * h as i32;
        matrix
    });
    p.product((h_prev, 0), of_h, (gates, 0), 1);
    p.product((e, 0), of_e, (gates, 0), 1);
    let mut b = Block::default();
    b.unary(TANH, h, (gates, 0), (gates, 0));
    b.add(MULTIPLY_ADD, h, 0.0, 0, [(hs, 0), (v, 0), (e, 0), (gates, 0)]);
    b.end(&mut p.forward);
    let mut b = Block::default();
    b.binary(COLUMN_SUM, h, (dv, 0), (dh, 0), (e, 0));
    b.add(MUL, h, 0.0, ACCUMULATE, [(de, 0), (v, 0), (dh, 0), NONE]);
    b.slope(TANH, h, (gates, 0), (dh, 0), (gates, 0));
    b.end(&mut p.backward);
    p.product_back(0, of_e, (de, 0), 1);
    p.product_back(0, of_h, (dh, 0), 0);
    p.weight_gradient(of_h, (h_prev, 0), 0);
    p.weight_gradient(of_e, (e, 0), 0);
    Cell {
        name: "extra input",
        program: p,
        hidden: h,
        weights: vec![h * input, 2 * h * h],
        biases: vec![],
        naive: |cell, s| {
            let (e, both) = (&s.extra[0], [&s.states[0][..], &s.extra[0]].concat());
            let a = |j: usize| s.product("w0", j, s.x) + s.product("w1", j, &both);
            vec![(0..cell.hidden).map(|j| a(j).tanh() + s.at("v0", j) * e[j]).collect()]
        },
    }
}

/// h = sigmoid(W x + U h) with U block-diagonal: each head of `width` sees itself alone.
pub fn heads(input: usize, heads: usize, width: usize) -> Cell {
    let mut p = Builder::default();
    let h = heads * width;
    let n = pad(h);
    let (gates, d) = p.gates(n, input, (1, h, 0));
    let (hs, h_prev, dh) = p.state(h);
    p.bias(1, h, 0);
    for head in 0..heads {
        let u = p.matrix(1, width, width, head * width * width, 1);
        p.matrices.last_mut().unwrap()[6] = 1;
        p.product((h_prev, head * width), u, (gates, head * width), 1);
        p.weight_gradient(u, (h_prev, head * width), head * width);
    }
    let mut b = Block::default();
    b.unary(SIGMOID, h, (hs, 0), (gates, 0));
    b.end(&mut p.forward);
    let mut b = Block::default();
    b.slope(SIGMOID, h, (d, 0), (dh, 0), (hs, 0));
    b.end(&mut p.backward);
    for head in 0..heads {
        p.product_back(head * width, 1 + head as i32, (dh, head * width), 0);
    }
    Cell {
        name: "heads",
        program: p,
        hidden: width,
        weights: vec![h * input, heads * width * width],
        biases: vec![h],
        naive: |cell, s| {
            let width = cell.hidden;
            let next = s.states[0].chunks(width).enumerate().flat_map(|(head, own)| {
                (head * width..(head + 1) * width)
                    .map(move |j| sigmoid(s.product("w0", j, s.x) + s.product("w1", j, own) + s.at("b0", j)))
            });
            vec![next.collect()]
        },
    }
}

/// c = tanh(W x) and y = P tanh(U y + c), of another width than c; the output is the second state, and the first gate
/// takes no x.
fn projected(input: usize, h: usize, width: usize) -> Cell {
    let mut p = Builder::default();
    let n = pad(h);
    let (gates, d) = p.gates(2 * n, input, (1, h, n));
    let (cs, _, dc) = p.state(h);
    let (ys, y_prev, dy) = p.state(width);
    p.output = 1;
    let inner = p.buffer(STEP, n, 0, 0);
    // The projection's gradient is of columns of G's gradient, which only has those of gates: they lie after them.
    let at = 2 * n;
    p.buffers[p.gates as usize][1] = panels(2 * n + pad(width)) as i32;
    p.buffers[p.d_gates as usize][1] = panels(2 * n + pad(width)) as i32;
    let d_inner = p.buffer(BATCH, n, 0, BACKWARD_ONLY);
    let u = p.matrix(1, h, width, 0, 1);
    let projection = p.matrix(1, width, h, 0, 2);
    p.bias(1, h, 0);
    p.bias(1, h, n);
    p.product((y_prev, 0), u, (gates, 0), 2);
    let mut b = Block::default();
    b.unary(TANH, h, (cs, 0), (gates, n));
    b.binary(ADD, h, (inner, 0), (gates, 0), (cs, 0)).unary(TANH, h, (inner, 0), (inner, 0));
    b.end(&mut p.forward);
    p.product((inner, 0), projection, (ys, 0), 0);
    let mut b = Block::default();
    b.unary(COPY, width, (d, at), (dy, 0));
    b.end(&mut p.backward);
    p.product_back(at, projection, (d_inner, 0), 0);
    let mut b = Block::default();
    b.slope(TANH, h, (d, 0), (d_inner, 0), (inner, 0)).binary(ADD, h, (dc, 0), (dc, 0), (d, 0));
    b.slope(TANH, h, (d, n), (dc, 0), (cs, 0));
    b.add(pointwise::FILL, h, 0.0, 0, [(dc, 0), NONE, NONE, NONE]);
    b.end(&mut p.backward);
    p.product_back(0, u, (dy, 0), 0);
    p.weight_gradient(u, (y_prev, 0), 0);
    p.weight_gradient(projection, (inner, 0), at);
    Cell {
        name: "projected",
        program: p,
        hidden: h,
        weights: vec![h * input, h * width, width * h],
        biases: vec![h, h],
        naive: |cell, s| {
            let c: Vec<f64> = (0..cell.hidden).map(|j| (s.product("w0", j, s.x) + s.at("b1", j)).tanh()).collect();
            let inner: Vec<f64> =
                (0..cell.hidden).map(|j| (s.product("w1", j, &s.states[1]) + s.at("b0", j) + c[j]).tanh()).collect();
            let y = (0..s.states[1].len()).map(|j| s.product("w2", j, &inner)).collect();
            vec![c, y]
        },
    }
}
