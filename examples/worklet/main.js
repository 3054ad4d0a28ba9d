// The page: trains, then lets the worklet run what was learned.
import { Adam, mseLoss, slice, tensor, train } from "../../dist/index.js";
import { distorted, Effect, plucked, sampleRate } from "./effect.js";

const [steps, rows, warmUp, updates] = [256, 32, 64, 600];

/** Windows of the sound and of what the effect makes of it, (B, T, 1). */
const windows = () => {
  const sound = plucked(8 * sampleRate, 1);
  const effect = distorted(sound);
  let state = 7;
  return Array.from({ length: updates }, () => {
    const inputs = new Float32Array(rows * steps);
    const targets = new Float32Array(rows * steps);
    for (let row = 0; row < rows; row++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const start = Math.floor((state / 2 ** 32) * (sound.length - steps));
      inputs.set(sound.subarray(start, start + steps), row * steps);
      targets.set(effect.subarray(start, start + steps), row * steps);
    }
    return { inputs, targets };
  });
};

/** @param {string} id */
const element = (id) => /** @type {any} */ (document.getElementById(id));
const [trainButton, renderButton, listenButton] = ["train", "render", "listen"].map(element);
const [progress, result] = ["progress", "result"].map(element);

const model = new Effect().init({ seed: 1 });

/**
 * Mean squared error, after the steps that fill the memory.
 * @param {Effect} effect
 * @param {{ inputs: Float32Array, targets: Float32Array }} batch
 */
const loss = (effect, { inputs, targets }) => {
  const made = effect.forward(tensor(inputs, [rows, steps, 1]));
  return mseLoss(slice(made, 1, warmUp), slice(tensor(targets, [rows, steps, 1]), 1, warmUp));
};

/** @param {BaseAudioContext} context */
async function effectNode(context) {
  await context.audioWorklet.addModule("processor.js");
  return new AudioWorkletNode(context, "learned-effect", { processorOptions: { values: model.stateDict() } });
}

/**
 * @param {BaseAudioContext} context
 * @param {Float32Array} sound
 */
function source(context, sound) {
  const node = context.createBufferSource();
  node.buffer = new AudioBuffer({ length: sound.length, sampleRate });
  node.buffer.copyToChannel(new Float32Array(sound), 0);
  return node;
}

trainButton.onclick = async () => {
  trainButton.disabled = true;
  const run = train(model, windows(), { optimizer: new Adam(model, { lr: 5e-3 }), loss, clipGradNorm: 1 });
  for await (const event of run) {
    if (event.kind !== "update") continue;
    progress.value = event.update / updates;
    result.value = `update ${event.update}, mean squared error ${event.smoothLoss.toExponential(2)}`;
  }
  renderButton.disabled = false;
  listenButton.disabled = false;
};

renderButton.onclick = async () => {
  const sound = plucked(sampleRate, 99);
  const wanted = distorted(sound);
  const context = new OfflineAudioContext(1, sound.length, sampleRate);
  const node = source(context, sound);
  node.connect(await effectNode(context)).connect(context.destination);
  node.start();
  const begin = performance.now();
  const made = (await context.startRendering()).getChannelData(0);
  const seconds = (performance.now() - begin) / 1000;
  let [error, signal] = [0, 0];
  wanted.forEach((sample, t) => {
    error += (sample - (made[t] ?? 0)) ** 2;
    signal += sample ** 2;
  });
  result.value = `error to signal ${((100 * error) / signal).toFixed(2)}%\na second of sound in ${seconds.toFixed(3)} s`;
};

listenButton.onclick = async () => {
  const context = new AudioContext({ sampleRate });
  const node = source(context, plucked(4 * sampleRate, 99));
  node.connect(await effectNode(context)).connect(context.destination);
  node.start();
};
