/** Dropout. Srivastava et al. 2014, in the form that scales while training. */
import { checkProbability, dropout } from "../tensor/dropout.js";
import type { Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";

/** While a training recording runs, zeroes values with probability p and divides the others by 1 - p; else nothing. */
export class Dropout extends Module {
  /** Probability that a value is dropped. */
  readonly p: number;

  /**
   * @param p - probability that a value is dropped; default 0.5
   * @throws ArgumentError for a p outside [0, 1]
   */
  constructor(p = 0.5) {
    super();
    checkProbability("Dropout", "p", p);
    this.p = p;
  }

  /** x of any shape, with values dropped while a training recording runs. */
  forward(x: Tensor): Tensor {
    return dropout(x, this.p, this.stream);
  }
}
