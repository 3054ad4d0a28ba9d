/**
 * Bidirectional: a layer over the sequence and another over the sequence reversed, whose results are merged.
 *
 * The second reads padding first, masked, so that it starts at the last step that counts. With return_sequences masked
 * steps give zeros, and the second's outputs are brought into order of time.
 */
import { ArgumentError, LoadError } from "../../errors.js";
import { MERGES } from "../../nn/wiring/bidirectional.js";
import type { Tensor } from "../../tensor/tensor.js";
import { type Dialect, LayerConfig } from "./config.js";
import { type Flow, inField, KerasLayer, type LayerMaker, type LoadedLayer } from "./layer.js";
import { KerasRecurrent } from "./recurrent.js";
import type { LayerWeights } from "./weights.js";

/** How two directions become one result, in Keras' words; "none" leaves two. */
export type MergeMode = "concat" | "sum" | "mul" | "ave" | "none";

/** Inputs: x (B, T, I), then the initial states of both directions if any. */
export class KerasBidirectional extends KerasLayer {
  /** Reads from the start. */
  readonly forwardLayer: KerasRecurrent;
  /** Reads from the end. */
  readonly backwardLayer: KerasRecurrent;
  /** How the two outputs become one. */
  readonly mergeMode: MergeMode;

  /** @internal */
  constructor(config: LayerConfig, forwardLayer: KerasRecurrent, backwardLayer: KerasRecurrent) {
    super(config);
    this.forwardLayer = forwardLayer;
    this.backwardLayer = backwardLayer;
    // Keras writes null for "none"; absent, in files that leave the default out, is "concat".
    this.mergeMode = config.has("merge_mode")
      ? config.choice("merge_mode", ["concat", "sum", "mul", "ave", "none"], "none")
      : "concat";
  }

  /** The merged outputs, or both; then the final states of both directions if they return them. */
  override forward(inputs: readonly Flow[]): readonly Flow[] {
    const [first, ...states] = inputs;
    if (first === undefined || states.length % 2 !== 0) {
      throw new ArgumentError(this.label, "the inputs", "1, or more with the states of two directions", inputs.length);
    }
    const half = states.length / 2;
    const aligned = this.forwardLayer.returnSequences;
    const run = (layer: KerasRecurrent, own: readonly Flow[]) => layer.forward([first, ...own], { aligned });
    const [ahead, ...aheadStates] = run(this.forwardLayer, states.slice(0, half)) as [Flow, ...Flow[]];
    const [back, ...backStates] = run(this.backwardLayer, states.slice(half)) as [Flow, ...Flow[]];
    return [...this.#merge(ahead, back), ...aheadStates, ...backStates];
  }

  #merge(ahead: Flow, back: Flow): Flow[] {
    const { mergeMode } = this;
    if (mergeMode === "none") return [ahead, back];
    const merge = MERGES[mergeMode === "ave" ? "average" : mergeMode];
    return [{ value: merge(ahead.value as Tensor, back.value as Tensor), mask: ahead.mask }];
  }

  /** Forgets the states that stateful layers have carried from call to call. */
  resetStates(): void {
    this.forwardLayer.resetStates();
    this.backwardLayer.resetStates();
  }
}

/** @param make makes the layers inside */
export const bidirectional =
  (make: (description: unknown, weights: LayerWeights, dialect: Dialect) => LoadedLayer): LayerMaker =>
  (config, weights, dialect) => {
    const description = new LayerConfig(config.where, config.get("layer"));
    const reversed = config.get("backward_layer") ?? reverse(description);
    const [ahead, back] = [
      make(config.get("layer"), weights.inside("forward_layer"), dialect),
      make(reversed, weights.inside("backward_layer"), dialect),
    ];
    const [first, second] = [ahead.layer, back.layer];
    if (!(first instanceof KerasRecurrent) || !(second instanceof KerasRecurrent)) {
      throw new LoadError("unsupported_op", `${config.where}: only SimpleRNN, LSTM and GRU are supported inside`);
    }
    if (first.goBackwards || !second.goBackwards) {
      throw new LoadError("unsupported_op", `${config.where}: only its backward layer may have go_backwards`);
    }
    if (first.returnSequences !== second.returnSequences || first.returnState !== second.returnState) {
      throw new LoadError("value", `${config.where}: its layers must agree in return_sequences and return_state`);
    }
    return {
      layer: new KerasBidirectional(config, first, second),
      values: new Map([...inField("forwardLayer", ahead), ...inField("backwardLayer", back)]),
    };
  };

/** The description of a layer with the sequence the other way round, as Keras makes it when a file has none. */
function reverse(description: LayerConfig): unknown {
  const config = new LayerConfig(description.where, description.get("config"));
  return description.with("config", config.with("go_backwards", !config.flag("go_backwards", false)).entries).entries;
}
