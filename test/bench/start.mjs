// A process of W7: it starts, builds the model of W5, steps once and says so. Of the package it loads what it uses, the
// main entry.
import { writeSync } from "node:fs";
import { streaming } from "./streaming.mjs";

streaming()();
writeSync(1, "READY\n");
