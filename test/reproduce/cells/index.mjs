import { adding } from "./adding.mjs";
import { counting } from "./counting.mjs";
import { gradientDistance } from "./gradient-distance.mjs";
import { parity } from "./parity.mjs";
import { continual, reber } from "./reber.mjs";
import { temporalOrder } from "./temporal-order.mjs";
import { timing } from "./timing.mjs";

/** The experiments with recurrent cells, in the order of the table. */
export const cells = [adding, temporalOrder, reber, continual, timing, counting, parity, gradientDistance];
