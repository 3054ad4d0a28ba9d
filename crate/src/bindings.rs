//! What JavaScript calls: the only file that knows it.
//!
//! Plain C functions on numbers and addresses in linear memory, so that any number of instances of the module live side
//! by side and a call costs nanoseconds. The SDK has validated shapes before it calls; what it cannot see cheaply (ids
//! out of range) and unknown kinds are checked here.
//!
//! * An address is a byte offset; 0 is "absent" where that is said. Numbers are f32 unless said otherwise; counts and
//!   strides are in elements, sizes in bytes.
//! * A status is 0 (done), 1 (out of memory) or 2 (invalid argument); after 1 or 2 nothing was changed unless said.
//! * Backward functions add to the gradient buffers, whose names begin with `d`.
//!
//! # Safety
//! All functions ask that addresses point at as many elements as their shapes say.

#![allow(clippy::missing_safety_doc)] // said once, above

use crate::cells::program;
use crate::gemm;
use crate::gemm::pack::Gates;
use crate::memory;
use crate::ops::cross_entropy::{self, Problem, Targets};
use crate::ops::dropout::{self, Mask};
use crate::ops::embedding::{self, Failure};
use crate::ops::negative_sampling::{self, Rows, Tables};
use crate::ops::optimizer::{adadelta, adagrad, adam, average, lion, nadam, rmsprop, sgd};
use crate::ops::{clip, copy, crf, ctc, elementwise, nll, norm, reduce, softmax};
use crate::rng::Draws;
use crate::sequence;
use crate::sequence::order::copy_row;
use crate::simd::F32x4;

const DONE: i32 = 0;
const OUT_OF_MEMORY: i32 = 1;
const INVALID: i32 = 2;

fn status(result: Result<(), impl Into<Failure>>) -> i32 {
    match result.map_err(Into::into) {
        Ok(()) => DONE,
        Err(Failure::OutOfMemory) => OUT_OF_MEMORY,
        Err(Failure::Invalid) => INVALID,
    }
}

// Memory

/// A persistent block of `bytes`, 16-aligned, content undefined; 0 when memory is out.
#[no_mangle]
pub extern "C" fn ur_alloc(bytes: usize) -> *mut u8 {
    memory::allocate(bytes)
}

/// Frees a persistent block of `bytes`, as asked for; 0 is ignored.
#[no_mangle]
pub unsafe extern "C" fn ur_free(block: *mut u8, bytes: usize) {
    memory::free(block, bytes);
}

/// A block of the arena of `bytes`, 16-aligned, content undefined; 0 when memory is out.
#[no_mangle]
pub extern "C" fn ur_arena_alloc(bytes: usize) -> *mut u8 {
    memory::arena_allocate(bytes)
}

/// The position of the arena, for `ur_arena_reset`.
#[no_mangle]
pub extern "C" fn ur_arena_mark() -> usize {
    memory::arena_mark()
}

/// Gives back all of the arena since the mark; 0 empties it.
#[no_mangle]
pub extern "C" fn ur_arena_reset(mark: usize) {
    memory::arena_reset(mark);
}

/// Bytes of the arena in use: its position, which counts what was left unused at the ends of chunks.
#[no_mangle]
pub extern "C" fn ur_arena_used() -> usize {
    memory::arena_mark()
}

/// Bytes the arena holds, in use or not.
#[no_mangle]
pub extern "C" fn ur_arena_capacity() -> usize {
    memory::arena_capacity()
}

/// Size of the latest block of the arena that was refused, a kernel's working memory for example.
#[no_mangle]
pub extern "C" fn ur_refused_bytes() -> usize {
    memory::refused_bytes()
}

/// Bytes in persistent blocks.
#[no_mangle]
pub extern "C" fn ur_persistent_bytes() -> usize {
    memory::persistent_bytes()
}

// Elementwise

/// y[n] = f(x[n]); kinds in `ops/elementwise.rs`; `alpha` is for leaky relu and elu. `y` may be `x`.
#[no_mangle]
pub unsafe extern "C" fn ur_unary(kind: u32, x: *const f32, y: *mut f32, n: usize, alpha: f32) -> i32 {
    status(elementwise::unary::<F32x4>(kind, x, y, n, alpha))
}

/// dx[n] += dy[n] f'(x[n]), y = f(x). Kinds 0..=10, exp, sqrt and reciprocal do not read `x`; log, square, abs, sin and
/// cos do not read `y`; what is not read may be 0.
#[no_mangle]
pub unsafe extern "C" fn ur_unary_backward(
    kind: u32,
    x: *const f32,
    y: *const f32,
    dy: *const f32,
    dx: *mut f32,
    n: usize,
    alpha: f32,
) -> i32 {
    status(elementwise::unary_backward::<F32x4>(kind, x, y, dy, dx, n, alpha))
}

/// y[shape] = f(a, b), row-major; kinds 0 add, 1 sub, 2 mul, 3 div, 4 max, 5 min. `shape`, `strides_a`, `strides_b`:
/// i32[rank], rank at most 8, stride 0 repeats. `y` may be an operand that has its layout.
#[no_mangle]
pub unsafe extern "C" fn ur_binary(
    kind: u32,
    a: *const f32,
    b: *const f32,
    y: *mut f32,
    rank: usize,
    shape: *const i32,
    strides_a: *const i32,
    strides_b: *const i32,
) -> i32 {
    status(elementwise::binary::<F32x4>(kind, a, b, y, rank, shape, [strides_a, strides_b]))
}

/// `da` and `db` (either may be 0) have the strides of `a` and `b`; repeated elements are summed. `y` and `dy` are
/// row-major. add and sub read neither a, b nor y; only div reads `y`.
#[no_mangle]
pub unsafe extern "C" fn ur_binary_backward(
    kind: u32,
    a: *const f32,
    b: *const f32,
    y: *const f32,
    dy: *const f32,
    da: *mut f32,
    db: *mut f32,
    rank: usize,
    shape: *const i32,
    strides_a: *const i32,
    strides_b: *const i32,
) -> i32 {
    let strides = [strides_a, strides_b];
    status(elementwise::binary_backward::<F32x4>(kind, a, b, y, dy, da, db, rank, shape, strides))
}

/// to = from over `shape`, or to += from when `accumulate` is not 0 (a 0 stride of `to` then sums). Elements of 4
/// bytes; without `accumulate` of any type. `shape` and strides: i32[rank], rank at most 8.
#[no_mangle]
pub unsafe extern "C" fn ur_copy_strided(
    from: *const f32,
    to: *mut f32,
    rank: usize,
    shape: *const i32,
    strides_from: *const i32,
    strides_to: *const i32,
    accumulate: u32,
) -> i32 {
    let strides = [strides_from, strides_to];
    status(copy::copy_strided::<F32x4>(from, to, rank, shape, strides, accumulate != 0))
}

/// x[n] = value.
#[no_mangle]
pub unsafe extern "C" fn ur_fill(x: *mut f32, n: usize, value: f32) {
    elementwise::fill::<F32x4>(x, n, value);
}

/// x[n] *= alpha.
#[no_mangle]
pub unsafe extern "C" fn ur_scale(n: usize, alpha: f32, x: *mut f32) {
    elementwise::scale::<F32x4>(n, alpha, x);
}

/// y[n] = x[n], or `value` where mask (i32[n]) is not 0. `y` may be `x`.
#[no_mangle]
pub unsafe extern "C" fn ur_masked_fill(x: *const f32, mask: *const i32, y: *mut f32, n: usize, value: f32) {
    elementwise::masked_fill(x, mask, y, n, value);
}

/// dx[n] += dy[n] where mask is 0.
#[no_mangle]
pub unsafe extern "C" fn ur_masked_fill_backward(dy: *const f32, mask: *const i32, dx: *mut f32, n: usize) {
    elementwise::masked_fill_backward(dy, mask, dx, n);
}

// Reductions and softmax

/// y[outer, inner] = scale sum over k of x[outer, k, inner], k < n.
#[no_mangle]
pub unsafe extern "C" fn ur_reduce_sum(x: *const f32, y: *mut f32, outer: usize, n: usize, inner: usize, scale: f32) {
    reduce::sum::<F32x4>(x, y, outer, n, inner, scale);
}

/// dx[outer, k, inner] += scale dy[outer, inner].
#[no_mangle]
pub unsafe extern "C" fn ur_reduce_sum_backward(
    dy: *const f32,
    dx: *mut f32,
    outer: usize,
    n: usize,
    inner: usize,
    scale: f32,
) {
    reduce::sum_backward::<F32x4>(dy, dx, outer, n, inner, scale);
}

/// y[outer, inner] = max over k of x[outer, k, inner] and index (i32) its first k; NaN wins. Invalid when n is 0.
#[no_mangle]
pub unsafe extern "C" fn ur_reduce_max(
    x: *const f32,
    y: *mut f32,
    index: *mut i32,
    outer: usize,
    n: usize,
    inner: usize,
) -> i32 {
    status(reduce::max(x, y, index, outer, n, inner))
}

/// dx[outer, index, inner] += dy[outer, inner].
#[no_mangle]
pub unsafe extern "C" fn ur_reduce_max_backward(
    dy: *const f32,
    index: *const i32,
    dx: *mut f32,
    outer: usize,
    n: usize,
    inner: usize,
) {
    reduce::max_backward(dy, index, dx, outer, n, inner);
}

/// y[rows, columns] = softmax of each row of inverse_temperature x, or its logarithm when `log` is not 0. `y` may be
/// `x`.
#[no_mangle]
pub unsafe extern "C" fn ur_softmax(
    x: *const f32,
    y: *mut f32,
    rows: usize,
    columns: usize,
    inverse_temperature: f32,
    log: u32,
) {
    softmax::forward::<F32x4>(x, y, rows, columns, inverse_temperature, log != 0);
}

#[no_mangle]
pub unsafe extern "C" fn ur_softmax_backward(
    y: *const f32,
    dy: *const f32,
    dx: *mut f32,
    rows: usize,
    columns: usize,
    inverse_temperature: f32,
    log: u32,
) {
    softmax::backward::<F32x4>(y, dy, dx, rows, columns, inverse_temperature, log != 0);
}

/// y[rows, n] = normalised rows of x times weight[n] plus bias[n], either may be 0; means[rows] and scales[rows] are
/// for the backward.
#[no_mangle]
pub unsafe extern "C" fn ur_layer_norm(
    x: *const f32,
    weight: *const f32,
    bias: *const f32,
    rows: usize,
    n: usize,
    eps: f64,
    y: *mut f32,
    means: *mut f32,
    scales: *mut f32,
) {
    norm::forward::<F32x4>(&norm::Norm { rows, n, weight }, x, bias, eps, y, means, scales);
}

/// d_x[rows, n], d_weight[n], d_bias[n], each or 0.
#[no_mangle]
pub unsafe extern "C" fn ur_layer_norm_backward(
    x: *const f32,
    weight: *const f32,
    rows: usize,
    n: usize,
    means: *const f32,
    scales: *const f32,
    dy: *const f32,
    d_x: *mut f32,
    d_weight: *mut f32,
    d_bias: *mut f32,
) {
    norm::backward::<F32x4>(&norm::Norm { rows, n, weight }, x, means, scales, dy, d_x, d_weight, d_bias);
}

// Losses

unsafe fn problem(
    targets: *const i32,
    distributions: *const f32,
    weights: *const f32,
    ignore_index: i32,
    smoothing: f32,
    rows: usize,
    classes: usize,
) -> Problem<f32> {
    let targets =
        if distributions.is_null() { Targets::Classes(targets) } else { Targets::Distributions(distributions) };
    Problem { targets, weights, ignore_index, smoothing, rows, classes }
}

/// losses[rows] and row_weights[rows] of logits[rows, classes]; the mean loss is sum(losses) / sum(row_weights). Either
/// targets (i32[rows]) or target_probabilities [rows, classes], the other 0; class_weights [classes] or 0.
/// `probabilities` [rows, classes] is what the backward needs, or 0. Invalid when a target is neither a class nor
/// `ignore_index`.
#[no_mangle]
pub unsafe extern "C" fn ur_cross_entropy(
    logits: *const f32,
    targets: *const i32,
    target_probabilities: *const f32,
    class_weights: *const f32,
    ignore_index: i32,
    label_smoothing: f32,
    rows: usize,
    classes: usize,
    losses: *mut f32,
    row_weights: *mut f32,
    probabilities: *mut f32,
) -> i32 {
    let problem = problem(targets, target_probabilities, class_weights, ignore_index, label_smoothing, rows, classes);
    status(cross_entropy::forward::<F32x4>(logits, &problem, losses, row_weights, probabilities))
}

/// d_logits[rows, classes] from d_losses[rows].
#[no_mangle]
pub unsafe extern "C" fn ur_cross_entropy_backward(
    probabilities: *const f32,
    targets: *const i32,
    target_probabilities: *const f32,
    class_weights: *const f32,
    ignore_index: i32,
    label_smoothing: f32,
    rows: usize,
    classes: usize,
    d_losses: *const f32,
    d_logits: *mut f32,
) -> i32 {
    let problem = problem(targets, target_probabilities, class_weights, ignore_index, label_smoothing, rows, classes);
    status(cross_entropy::backward::<F32x4>(probabilities, &problem, d_losses, d_logits))
}

/// losses[rows] and row_weights[rows] of log_probabilities[rows, classes], targets i32[rows], class_weights[classes] or
/// 0.
#[no_mangle]
pub unsafe extern "C" fn ur_nll(
    log_probabilities: *const f32,
    targets: *const i32,
    class_weights: *const f32,
    ignore_index: i32,
    rows: usize,
    classes: usize,
    losses: *mut f32,
    row_weights: *mut f32,
) -> i32 {
    status(nll::forward(log_probabilities, targets, class_weights, ignore_index, rows, classes, losses, row_weights))
}

/// d_log_probabilities[rows, classes] from d_losses[rows].
#[no_mangle]
pub unsafe extern "C" fn ur_nll_backward(
    targets: *const i32,
    class_weights: *const f32,
    ignore_index: i32,
    rows: usize,
    classes: usize,
    d_losses: *const f32,
    d_log_probabilities: *mut f32,
) -> i32 {
    status(nll::backward(targets, class_weights, ignore_index, rows, classes, d_losses, d_log_probabilities))
}

/// Elements of the row of alphas of one step, for at most `count` labels.
#[no_mangle]
pub extern "C" fn ur_ctc_row(count: usize) -> usize {
    ctc::row_len(count)
}

/// The loss of one sequence of log_probabilities[steps, classes] with labels i32[count], in `loss`; alphas[steps,
/// ur_ctc_row] is for the backward.
#[no_mangle]
pub unsafe extern "C" fn ur_ctc(
    log_probabilities: *const f32,
    steps: usize,
    classes: usize,
    labels: *const i32,
    count: usize,
    blank: usize,
    alphas: *mut f32,
    loss: *mut f32,
) -> i32 {
    let sequence = ctc::Sequence { log_probabilities, steps, classes, labels, count, blank };
    status(ctc::forward::<F32x4>(&sequence, alphas).map(|value| *loss = value as f32))
}

/// d_log_probabilities[steps, classes] from d_loss, of a sequence whose loss is finite.
#[no_mangle]
pub unsafe extern "C" fn ur_ctc_backward(
    log_probabilities: *const f32,
    steps: usize,
    classes: usize,
    labels: *const i32,
    count: usize,
    blank: usize,
    alphas: *const f32,
    d_loss: f32,
    d_log_probabilities: *mut f32,
) -> i32 {
    let sequence = ctc::Sequence { log_probabilities, steps, classes, labels, count, blank };
    status(ctc::backward::<F32x4>(&sequence, alphas, d_loss, d_log_probabilities))
}

/// The loss of one sequence of emissions[steps, tags] in a conditional random field: transitions[tags, tags], start[tags],
/// end[tags], path i32[steps] or 0. alphas[steps + 1, tags] is for the backward.
#[no_mangle]
pub unsafe extern "C" fn ur_crf(
    emissions: *const f32,
    steps: usize,
    tags: usize,
    transitions: *const f32,
    start: *const f32,
    end: *const f32,
    path: *const i32,
    alphas: *mut f32,
) -> f64 {
    crf::forward::<F32x4>(&crf::Chain { emissions, steps, tags, transitions, start, end, path }, alphas)
}

/// The gradients of [`ur_crf`] by emissions, transitions, start and end, from d_loss.
#[no_mangle]
pub unsafe extern "C" fn ur_crf_backward(
    emissions: *const f32,
    steps: usize,
    tags: usize,
    transitions: *const f32,
    start: *const f32,
    end: *const f32,
    path: *const i32,
    alphas: *const f32,
    d_loss: f32,
    d_emissions: *mut f32,
    d_transitions: *mut f32,
    d_start: *mut f32,
    d_end: *mut f32,
) -> i32 {
    let chain = crf::Chain { emissions, steps, tags, transitions, start, end, path };
    let slopes = crf::Slopes { emissions: d_emissions, transitions: d_transitions, start: d_start, end: d_end };
    status(crf::backward::<F32x4>(&chain, alphas, d_loss, &slopes))
}

// Embedding

/// y[rows, dim] = table[ids[rows]], table [vocabulary, dim], ids i32. Invalid when an id is out of range.
#[no_mangle]
pub unsafe extern "C" fn ur_gather(
    table: *const f32,
    ids: *const i32,
    rows: usize,
    dim: usize,
    y: *mut f32,
    vocabulary: usize,
) -> i32 {
    status(embedding::gather(table, ids, rows, dim, y, vocabulary))
}

/// d_table[vocabulary, dim] from dy[rows, dim]; the row `padding_index` (-1: none) stays. With `scale_by_frequency` not
/// 0 each row is divided by how often its id occurs.
#[no_mangle]
pub unsafe extern "C" fn ur_scatter_add(
    dy: *const f32,
    ids: *const i32,
    rows: usize,
    dim: usize,
    d_table: *mut f32,
    vocabulary: usize,
    padding_index: i32,
    scale_by_frequency: u32,
) -> i32 {
    let scale = scale_by_frequency != 0;
    status(embedding::scatter_add::<F32x4>(dy, ids, rows, dim, d_table, vocabulary, padding_index, scale))
}

/// y[rows, classes] = 1 at the id of each row, else 0. Invalid when an id is out of range.
#[no_mangle]
pub unsafe extern "C" fn ur_one_hot(ids: *const i32, rows: usize, classes: usize, y: *mut f32) -> i32 {
    status(embedding::one_hot(ids, rows, classes, y))
}

/// word2vec with negative sampling, one row after another: `input` and `output` [vocabulary, dim] are updated with the
/// learning rate; `inputs` i32[rows, width] (negative: none), `targets` i32[rows, drawn], the right one first. `scores`
/// [rows, drawn]: the sum of their softplus is the loss before the updates. Invalid when an id is out of range or a row has no input.
#[no_mangle]
pub unsafe extern "C" fn ur_negative_sampling(
    input: *mut f32,
    output: *mut f32,
    vocabulary: usize,
    dim: usize,
    inputs: *const i32,
    width: usize,
    targets: *const i32,
    drawn: usize,
    rows: usize,
    lr: f64,
    scores: *mut f32,
) -> i32 {
    let tables = Tables { input, output, vocabulary, dim };
    let rows = Rows { inputs, width, targets, drawn, rows };
    status(negative_sampling::descend::<F32x4>(&tables, &rows, lr, scores))
}

// Random numbers: functions of (seed, stream, update, call, index)

fn draws(seed_low: u32, seed_high: u32, stream: u32, update: u32, call: u32) -> Draws {
    Draws { seed: u64::from(seed_high) << 32 | u64::from(seed_low), stream, update, call }
}

/// x[n] uniform in [low, high).
#[no_mangle]
pub unsafe extern "C" fn ur_uniform(
    x: *mut f32,
    n: usize,
    low: f32,
    high: f32,
    seed_low: u32,
    seed_high: u32,
    stream: u32,
    update: u32,
    call: u32,
) {
    draws(seed_low, seed_high, stream, update, call).uniform(x, n, low, high);
}

/// x[n] normal.
#[no_mangle]
pub unsafe extern "C" fn ur_normal(
    x: *mut f32,
    n: usize,
    mean: f32,
    standard_deviation: f32,
    seed_low: u32,
    seed_high: u32,
    stream: u32,
    update: u32,
    call: u32,
) {
    draws(seed_low, seed_high, stream, update, call).normal(x, n, mean, standard_deviation);
}

/// One f64 uniform in [0, 1).
#[no_mangle]
pub extern "C" fn ur_random_f64(seed_low: u32, seed_high: u32, stream: u32, update: u32, call: u32, index: u32) -> f64 {
    draws(seed_low, seed_high, stream, update, call).double(index)
}

/// y[n] = x[n] / (1 - p), or 0 with probability p (f64); `first_index` is the global index of x[0]. `y` may be `x`.
#[no_mangle]
pub unsafe extern "C" fn ur_dropout(
    x: *const f32,
    y: *mut f32,
    n: usize,
    p: f64,
    seed_low: u32,
    seed_high: u32,
    stream: u32,
    update: u32,
    call: u32,
    first_index: u32,
) {
    let draws = draws(seed_low, seed_high, stream, update, call);
    dropout::forward::<F32x4>(&Mask { draws, probability: p, first: u64::from(first_index) }, x, y, n);
}

/// dx[n] from dy[n], by the same draws.
#[no_mangle]
pub unsafe extern "C" fn ur_dropout_backward(
    dy: *const f32,
    dx: *mut f32,
    n: usize,
    p: f64,
    seed_low: u32,
    seed_high: u32,
    stream: u32,
    update: u32,
    call: u32,
    first_index: u32,
) {
    let draws = draws(seed_low, seed_high, stream, update, call);
    dropout::backward::<F32x4>(&Mask { draws, probability: p, first: u64::from(first_index) }, dy, dx, n);
}

// Optimizers: p[n] in place from g[n]; all other hyper-parameters are f64, flags are 0 or 1

/// buffer[n], or 0 without momentum; `first` says that it holds nothing yet, `lr_in_buffer` that it holds lr g, as in
/// Keras.
#[no_mangle]
pub unsafe extern "C" fn ur_sgd(
    n: usize,
    p: *mut f32,
    g: *const f32,
    buffer: *mut f32,
    lr: f64,
    momentum: f64,
    dampening: f64,
    weight_decay: f64,
    nesterov: u32,
    maximize: u32,
    first: u32,
    lr_in_buffer: u32,
) {
    let (nesterov, maximize) = (nesterov != 0, maximize != 0);
    let (first, lr_in_buffer) = (first != 0, lr_in_buffer != 0);
    let options = sgd::Options { lr, momentum, dampening, weight_decay, nesterov, maximize, first, lr_in_buffer };
    sgd::step::<F32x4>(n, p, g, buffer, &options);
}

/// sum[n]; `lr` after its decay.
#[no_mangle]
pub unsafe extern "C" fn ur_adagrad(
    n: usize,
    p: *mut f32,
    g: *const f32,
    sum: *mut f32,
    lr: f64,
    weight_decay: f64,
    eps: f64,
    eps_inside: u32,
) {
    let options = adagrad::Options { lr, weight_decay, eps, eps_inside: eps_inside != 0 };
    adagrad::step::<F32x4>(n, p, g, sum, &options);
}

/// square_average[n]; gradient_average[n], or 0 unless centered; buffer[n], or 0 without momentum.
#[no_mangle]
pub unsafe extern "C" fn ur_rmsprop(
    n: usize,
    p: *mut f32,
    g: *const f32,
    square_average: *mut f32,
    gradient_average: *mut f32,
    buffer: *mut f32,
    lr: f64,
    alpha: f64,
    eps: f64,
    weight_decay: f64,
    momentum: f64,
    eps_inside: u32,
) {
    let options = rmsprop::Options { lr, alpha, eps, weight_decay, momentum, eps_inside: eps_inside != 0 };
    rmsprop::step::<F32x4>(n, p, g, square_average, gradient_average, buffer, &options);
}

/// exp_avg[n], exp_avg_sq[n]; max_exp_avg_sq[n], or 0 without AMSGrad. `decoupled`: AdamW. bias corrections: 1 -
/// beta^t. `keras`: eps is added to the uncorrected root.
#[no_mangle]
pub unsafe extern "C" fn ur_adam(
    n: usize,
    p: *mut f32,
    g: *const f32,
    exp_avg: *mut f32,
    exp_avg_sq: *mut f32,
    max_exp_avg_sq: *mut f32,
    lr: f64,
    beta1: f64,
    beta2: f64,
    eps: f64,
    weight_decay: f64,
    decoupled: u32,
    bias_correction1: f64,
    bias_correction2: f64,
    keras: u32,
) {
    let (decoupled, keras) = (decoupled != 0, keras != 0);
    let options =
        adam::Options { lr, beta1, beta2, eps, weight_decay, decoupled, bias_correction1, bias_correction2, keras };
    adam::step::<F32x4>(n, p, g, exp_avg, exp_avg_sq, max_exp_avg_sq, &options);
}

/// square_average[n], delta_average[n].
#[no_mangle]
pub unsafe extern "C" fn ur_adadelta(
    n: usize,
    p: *mut f32,
    g: *const f32,
    square_average: *mut f32,
    delta_average: *mut f32,
    lr: f64,
    rho: f64,
    eps: f64,
    weight_decay: f64,
) {
    let options = adadelta::Options { lr, rho, eps, weight_decay };
    adadelta::step::<F32x4>(n, p, g, square_average, delta_average, &options);
}

/// exp_avg[n], exp_avg_sq[n]; the rates of gradient and momentum as in `ops/optimizer/nadam.rs`, bias_correction2: 1 -
/// beta2^t.
#[no_mangle]
pub unsafe extern "C" fn ur_nadam(
    n: usize,
    p: *mut f32,
    g: *const f32,
    exp_avg: *mut f32,
    exp_avg_sq: *mut f32,
    lr: f64,
    gradient_rate: f64,
    momentum_rate: f64,
    beta1: f64,
    beta2: f64,
    eps: f64,
    weight_decay: f64,
    decoupled: u32,
    bias_correction2: f64,
) {
    let decoupled = decoupled != 0;
    let options = nadam::Options {
        lr,
        gradient_rate,
        momentum_rate,
        beta1,
        beta2,
        eps,
        weight_decay,
        decoupled,
        bias_correction2,
    };
    nadam::step::<F32x4>(n, p, g, exp_avg, exp_avg_sq, &options);
}

/// exp_avg[n].
#[no_mangle]
pub unsafe extern "C" fn ur_lion(
    n: usize,
    p: *mut f32,
    g: *const f32,
    exp_avg: *mut f32,
    lr: f64,
    beta1: f64,
    beta2: f64,
    weight_decay: f64,
) {
    lion::step::<F32x4>(n, p, g, exp_avg, &lion::Options { lr, beta1, beta2, weight_decay });
}

/// average[n] += weight (p[n] - average[n]).
#[no_mangle]
pub unsafe extern "C" fn ur_average(n: usize, average: *mut f32, p: *const f32, weight: f64) {
    average::step::<F32x4>(n, average, p, weight);
}

// Clipping

/// The sum of squares of x[n], in f64.
#[no_mangle]
pub unsafe extern "C" fn ur_sum_squares(n: usize, x: *const f32) -> f64 {
    clip::sum_squares(x, n)
}

/// The largest absolute value of x[n]; NaN if there is one.
#[no_mangle]
pub unsafe extern "C" fn ur_max_abs(n: usize, x: *const f32) -> f64 {
    clip::max_abs::<F32x4>(x, n)
}

/// x[n] between -limit and limit.
#[no_mangle]
pub unsafe extern "C" fn ur_clamp(n: usize, x: *mut f32, limit: f32) {
    clip::clamp::<F32x4>(x, n, limit);
}

// Matrix products: see crate::gemm.

/// Takes tiles for registers of 256 bits from now on, see [`gemm::kernel::wide_tiles`].
#[no_mangle]
pub extern "C" fn ur_wide_tiles() {
    gemm::kernel::wide_tiles(true);
}

/// Bytes of a weight matrix (rows, columns) packed for y = x W^T (kind 0) or dx = dy W (kind 1).
#[no_mangle]
pub extern "C" fn ur_packed_bytes(kind: u32, rows: usize, columns: usize) -> usize {
    let (columns, depth) = if kind == 0 { (rows, columns) } else { (columns, rows) };
    gemm::pack::packed_len(columns, depth) * size_of::<f32>()
}

/// Packs `w` (rows, columns) into `to`, of [`ur_packed_bytes`].
#[no_mangle]
pub unsafe extern "C" fn ur_pack(kind: u32, w: *const f32, rows: usize, columns: usize, to: *mut f32) {
    if kind == 0 {
        gemm::pack::pack_transposed::<F32x4>(w, columns, Gates::plain(rows), columns, to);
    } else {
        gemm::pack::pack_rows::<F32x4>(w, columns, Gates::plain(rows), columns, to);
    }
}

/// y (rows, output) = x (rows, input) W^T + bias (output), W packed with kind 0.
#[no_mangle]
pub unsafe extern "C" fn ur_linear_forward(
    x: *const f32,
    rows: usize,
    input: usize,
    output: usize,
    packed: *const f32,
    bias: *const f32,
    y: *mut f32,
) {
    gemm::linear_forward::<F32x4>(rows, input, output, x, packed, bias, y);
}

/// dx (rows, input) += dy W, W packed with kind 1; dw (output, input) += dy^T x; db (output) += column sums of dy.
#[no_mangle]
pub unsafe extern "C" fn ur_linear_backward(
    x: *const f32,
    rows: usize,
    input: usize,
    output: usize,
    packed: *const f32,
    dy: *const f32,
    dx: *mut f32,
    dw: *mut f32,
    db: *mut f32,
) -> i32 {
    status(gemm::linear_backward::<F32x4>(rows, input, output, x, packed, dy, dx, dw, db))
}

/// y (batch, m, n) = a (batch, m, k) b (batch, k, n), or added to y. A transposed operand is stored (k, m) or (n, k).
/// Strides are elements between the matrices of a batch, 0 for one that all share.
#[no_mangle]
pub unsafe extern "C" fn ur_matmul(
    a: *const f32,
    b: *const f32,
    y: *mut f32,
    batch: usize,
    m: usize,
    k: usize,
    n: usize,
    transpose_a: u32,
    transpose_b: u32,
    stride_a: usize,
    stride_b: usize,
    accumulate: u32,
) -> i32 {
    let a = gemm::Operand { data: a, stride: stride_a, transposed: transpose_a != 0 };
    let b = gemm::Operand { data: b, stride: stride_b, transposed: transpose_b != 0 };
    status(gemm::matmul::<F32x4>(batch, m, k, n, a, b, y, accumulate != 0))
}

// Recurrent layers: see crate::sequence. A layer is described by 64 words in memory, the same for forward and backward.

/// Words 0 to 31 describe the layer, 32 to 39 are what forward keeps for backward, 40 to 55 the gradients.
#[repr(C)]
pub struct SequenceArguments {
    /// 0 Elman, 1 LSTM, 2 GRU.
    cell: u32,
    activation: u32,
    alpha: f32,
    steps: usize,
    batch: usize,
    input: usize,
    hidden: usize,
    projection: usize,
    reverse: u32,
    lengths: *const i32,
    training: u32,
    x: *const f32,
    x_time: usize,
    x_batch: usize,
    ids: *const i32,
    ids_time: usize,
    ids_batch: usize,
    table: *const f32,
    table_rows: usize,
    w_ih: *const f32,
    w_hh: *const f32,
    b_ih: *const f32,
    b_hh: *const f32,
    w_hr: *const f32,
    prepared: *mut f32,
    h0: *const f32,
    c0: *const f32,
    h_n: *mut f32,
    c_n: *mut f32,
    out: *mut f32,
    out_time: usize,
    out_batch: usize,
    saved: sequence::Saved<f32>,
    d_out: *const f32,
    d_out_time: usize,
    d_out_batch: usize,
    d_h_n: *const f32,
    d_c_n: *const f32,
    d_x: *mut f32,
    d_x_time: usize,
    d_x_batch: usize,
    d_table: *mut f32,
    d_w_ih: *mut f32,
    d_w_hh: *mut f32,
    d_b_ih: *mut f32,
    d_b_hh: *mut f32,
    d_w_hr: *mut f32,
    d_h0: *mut f32,
    d_c0: *mut f32,
}

fn kind(cell: u32) -> Option<sequence::Kind> {
    match cell {
        0 => Some(sequence::Kind::Elman),
        1 => Some(sequence::Kind::Lstm),
        2 => Some(sequence::Kind::Gru),
        _ => None,
    }
}

fn layer(a: &SequenceArguments) -> Option<sequence::Layer<f32>> {
    let strided = |data, time, batch| sequence::Strided { data, time, batch };
    Some(sequence::Layer {
        kind: kind(a.cell)?,
        activation: a.activation,
        alpha: a.alpha,
        steps: a.steps,
        batch: a.batch,
        input: a.input,
        hidden: a.hidden,
        projection: a.projection,
        reverse: a.reverse != 0,
        lengths: a.lengths,
        training: a.training != 0,
        x: strided(a.x, a.x_time, a.x_batch),
        ids: sequence::Strided { data: a.ids, time: a.ids_time, batch: a.ids_batch },
        table: a.table,
        table_rows: a.table_rows,
        w_ih: a.w_ih,
        w_hh: a.w_hh,
        b_ih: a.b_ih,
        b_hh: a.b_hh,
        w_hr: a.w_hr,
        prepared: a.prepared,
        h0: a.h0,
        c0: a.c0,
        h_n: a.h_n,
        c_n: a.c_n,
        out: sequence::Strided { data: a.out, time: a.out_time, batch: a.out_batch },
        saved: a.saved,
        d_out: strided(a.d_out, a.d_out_time, a.d_out_batch),
        d_h_n: a.d_h_n,
        d_c_n: a.d_c_n,
        d_x: sequence::Strided { data: a.d_x, time: a.d_x_time, batch: a.d_x_batch },
        d_table: a.d_table,
        d_w_ih: a.d_w_ih,
        d_w_hh: a.d_w_hh,
        d_b_ih: a.d_b_ih,
        d_b_hh: a.d_b_hh,
        d_w_hr: a.d_w_hr,
        d_h0: a.d_h0,
        d_c0: a.d_c0,
    })
}

/// Bytes of the packed weights of a layer; 0 for an unknown cell.
#[no_mangle]
pub extern "C" fn ur_sequence_prepared_bytes(cell: u32, input: usize, hidden: usize, projection: usize) -> usize {
    kind(cell).map_or(0, |kind| sequence::prepared_len(kind, input, hidden, projection) * size_of::<f32>())
}

/// Packs the layer's weights into `prepared`: forward forms, and backward forms too if asked for.
#[no_mangle]
pub unsafe extern "C" fn ur_sequence_prepare(arguments: *const SequenceArguments, backward: u32) -> i32 {
    match layer(&*arguments) {
        Some(layer) => {
            sequence::prepare::<F32x4>(&layer, backward != 0);
            DONE
        }
        None => INVALID,
    }
}

/// Runs the layer over its sequences; with `training` what backward needs stays in the arena.
#[no_mangle]
pub unsafe extern "C" fn ur_sequence_forward(arguments: *mut SequenceArguments) -> i32 {
    let Some(mut layer) = layer(&*arguments) else {
        return INVALID;
    };
    let result = sequence::forward::<F32x4>(&mut layer);
    (*arguments).saved = layer.saved;
    status(result)
}

/// A cell of a stream: its arguments, and its weights in 8 bits, which take the place of others; or 0.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct StreamCell {
    arguments: *mut u32,
    int8: *const i8,
}

/// What stands first in the arguments of a linear layer of a stream.
const LINEAR: u32 = 3;

/// What stands first in a list of moves, and how many there are second; they follow.
const MOVES: u32 = 4;

/// Numbers that go from one place to another, or, unless `add` is 0, are added there.
#[repr(C)]
pub struct Move {
    from: *const f32,
    to: *mut f32,
    count: usize,
    add: u32,
}

/// A linear layer of a stream: y[output] = W x[input] + bias, W packed with kind 0, the bias 0 for none.
#[repr(C)]
pub struct LinearArguments {
    cell: u32,
    input: usize,
    output: usize,
    packed: *const f32,
    bias: *const f32,
    x: *const f32,
    y: *mut f32,
}

unsafe fn stream_step(StreamCell { arguments, int8 }: StreamCell) -> Result<(), Failure> {
    match *arguments {
        LINEAR => {
            let a = &*arguments.cast::<LinearArguments>();
            if int8.is_null() {
                gemm::linear_forward::<F32x4>(1, a.input, a.output, a.x, a.packed, a.bias, a.y);
            } else {
                gemm::int8::product(a.output, a.input, a.x, int8, gemm::Init::bias(a.bias), a.y)?;
            }
        }
        MOVES => {
            for i in 0..*arguments.add(1) as usize {
                let Move { from, to, count, add } = *arguments.add(2).cast::<Move>().add(i);
                if add == 0 {
                    copy_row::<F32x4>(from, to, count);
                } else {
                    gemm::add_row::<F32x4>(from, to, count);
                }
            }
        }
        0..LINEAR => {
            let layer = layer(&*arguments.cast()).ok_or(Failure::Invalid)?;
            if int8.is_null() {
                sequence::stream::step::<F32x4>(&layer)?;
            } else {
                sequence::stream::step_int8(&layer, int8)?;
            }
        }
        _ => {
            let call = &mut *arguments.cast::<program::Call<f32>>();
            if int8.is_null() {
                program::forward::<F32x4>(call)?;
            } else {
                program::step_int8(call, int8)?;
            }
        }
    }
    Ok(())
}

/// One step of one sequence through `count` cells. Their arguments begin with the number of a fused cell, 3 for a linear
/// layer, 4 for moves, or the address of a program: [`SequenceArguments`] (the step reads `x`, or the id at `ids` for
/// one-hot inputs, and replaces the states at `h_n` and `c_n`), [`LinearArguments`], a list of [`Move`], or a call of one
/// step and one row. After 1 some cells have taken the step.
#[no_mangle]
pub unsafe extern "C" fn ur_stream_step(cells: *const StreamCell, count: usize) -> i32 {
    for i in 0..count {
        let result = stream_step(*cells.add(i));
        if result.is_err() {
            return status(result);
        }
    }
    DONE
}

/// Writes the weights of a cell of a stream in 8 bits at `to`, unless it is 0. Their bytes; 2^32 - 1 when a sum of
/// products could leave 32 bits.
#[no_mangle]
pub unsafe extern "C" fn ur_int8(arguments: *const u32, to: *mut i8) -> usize {
    let (mut bytes, mut deepest) = (0, 0);
    let write = |packed, columns, depth| {
        if !to.is_null() {
            gemm::int8::quantise(packed, columns, depth, to.add(bytes));
        }
        bytes += gemm::int8::bytes(columns, depth);
        deepest = depth.max(deepest);
    };
    matrices(arguments, write);
    if deepest <= gemm::int8::MAX_DEPTH {
        bytes
    } else {
        usize::MAX
    }
}

/// Visits the packed matrices of a cell of a stream that have a form in 8 bits: panels, columns, depth.
unsafe fn matrices(arguments: *const u32, mut visit: impl FnMut(*const f32, usize, usize)) {
    match *arguments {
        MOVES => {}
        LINEAR => {
            let LinearArguments { packed, output, input, .. } = *arguments.cast();
            visit(packed, output, input);
        }
        0..LINEAR => {
            if let Some(layer) = layer(&*arguments.cast()) {
                sequence::stream::matrices(&layer, visit);
            }
        }
        _ => program::matrices(&*arguments.cast(), visit),
    }
}

/// Adds to the gradients named in words 40 to 55; what forward kept is spent.
#[no_mangle]
pub unsafe extern "C" fn ur_sequence_backward(arguments: *const SequenceArguments) -> i32 {
    match layer(&*arguments) {
        Some(layer) => status(sequence::backward::<F32x4>(&layer)),
        None => INVALID,
    }
}

// Compiled cells: see crate::cells::program. A program is a block of words, its calls are described by another.

/// Bytes of the packed weights of a program.
#[no_mangle]
pub unsafe extern "C" fn ur_program_prepared_bytes(program: *const i32) -> usize {
    program::prepared_len(program) * size_of::<f32>()
}

/// Packs the weights into `prepared`: forward forms, and backward forms too if asked for. Invalid when the program has
/// codes or numbers that are none.
#[no_mangle]
pub unsafe extern "C" fn ur_program_prepare(call: *const program::Call<f32>, backward: u32) -> i32 {
    status(program::prepare::<F32x4>(&*call, backward != 0))
}

/// Runs a prepared program over its sequences; with `training` what backward needs stays in the arena.
#[no_mangle]
pub unsafe extern "C" fn ur_program_forward(call: *mut program::Call<f32>) -> i32 {
    status(program::forward::<F32x4>(&mut *call))
}

/// Adds to the gradients that the call names; what forward kept is spent.
#[no_mangle]
pub unsafe extern "C" fn ur_program_backward(call: *const program::Call<f32>) -> i32 {
    status(program::backward::<F32x4>(&*call))
}
