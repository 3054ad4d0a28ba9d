// node scripts/notebooks.mjs [FOLDER]: runs the notebooks of examples/notebooks without Jupyter's pages, by tslab and
// nbclient, and checks what they show. Needs Python 3 with venv, npm's and Python's registries, and dist/ (npm run build).
// With a folder, the notebooks with their outputs are written there.
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { environment, fromRoot, root, run, Stop } from "./lib.mjs";

/** What each notebook must show: a type of output, and how it begins or what is in it. */
const expected = {
  "word-vectors.ipynb": [
    ["text/html", /<progress value="1" max="1">/],
    ["text/plain", /^king - man \+ woman = queen$/m],
    ["text/plain", /^prince - boy \+ girl = princess$/m],
    ["text/plain", / +gender +royal +age\nman +-\d/],
    ["image/svg+xml", /^<svg .*Words along axes/s],
    ["image/svg+xml", /^<svg .*>throne</s],
  ],
  "translate.ipynb": [
    ["text/html", /<progress value="160" max="160">/],
    ["text/plain", /^BLEU (?:9\d\.\d|100\.0), \d+% exact/m],
    ["text/plain", /^-\d+\.\d\d {2}\p{L}.* une /mu],
    ["image/svg+xml", /^<svg .*>&lt;end&gt;<\/text>/s],
  ],
  "surprisal.ipynb": [
    ["text/plain", /^perplexity \d+\.\d on sentences/],
    ["image/svg+xml", /^<svg .*When the officer read the letter fell/s],
    ["text/plain", /^24 sentences: \d+\.\d\d bits \(\d+\.\d\d to \d+\.\d\d\)/],
  ],
  "char-lstm.ipynb": [
    ["text/html", /<progress value="120" max="120">/],
    ["image/svg+xml", /^<svg .*<title>validation<\/title>/s],
    ["text/plain", /validation loss 0\.\d+ nats/],
    ["text/plain", /little star,\nHow I wonder what you are!\n/],
  ],
  "characters.ipynb": [
    ["text/html", /<progress value="500" max="500">/],
    ["text/plain", /^0: 3\.\d+ nats a character\n(?:.*\n)+500: 0\.6\d+ nats/],
    ["text/html", /^<iframe srcdoc=".*update 500.*sandbox/s],
    ["text/plain", /^LSTM: 0\.\d+ nats a character, [4-9]\d% of lines parse$/m],
  ],
  "colors.ipynb": [
    ["text/html", /<progress value="(\d+)" max="\1">/],
    ["text/plain", /^error of the colour of a new name: [12]?\d\.\d of 255$/m],
    ["image/svg+xml", /^<svg .*>Light [^<?]*\?</s],
    ["image/svg+xml", /^<svg .*Six that were asked by colour, twelve made up/s],
  ],
  "word-models.ipynb": [
    ["text/html", /<progress value="(\d+)" max="\1">/],
    ["text/plain", /^5-gram: 4\.\d\d$/m],
    ["image/svg+xml", /^<svg .*>LSTM<(?:(?!transformer).)*>3\.\d\d</s],
    ["text/plain", /^the king \.\.\. rules: [0-3]\.\d bits$/m],
  ],
  "ner.ipynb": [
    ["text/html", /<progress value="150" max="150">/],
    ["text/plain", /^all +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9]+$/m],
    ["text/plain", /^person: Harry Potter\nperson: Hermione Granger$/m],
    ["text/html", /<mark title="[0-9.]+">Harry<\/mark><sub>B-person<\/sub>/],
  ],
  "sentiment.ipynb": [
    ["text/html", /<progress value="(\d+)" max="\1">/],
    ["text/plain", /together: accuracy (0\.9|1\.0)/],
    ["image/svg+xml", /^<svg .*>negative<\/text>/s],
    ["text/plain", /negative 0\.9\d+: There .*, nothing [1-9]\.\d+, to /],
    ["text/html", /<b>negative<\/b> .*title="\+[1-9][^"]*">nothing<\/span>/],
  ],
};

/** What runs notebooks cannot be had here: no Python with venv, or a registry that does not answer. */
export class Unavailable extends Stop {}

/**
 * Installs tslab and nbclient in a folder; the environment in which they are found.
 * @param {string} folder
 * @param {string} unrolled
 */
function install(folder, unrolled) {
  run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--silent", unrolled], { cwd: folder });
  const venv = join(folder, "venv");
  run("python3", ["-m", "venv", venv]);
  const bin = join(venv, process.platform === "win32" ? "Scripts" : "bin");
  const options = { cwd: folder, env: environment(bin, join(folder, "node_modules", ".bin")) };
  run("python", ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"], options);
  run("tslab", ["install", "--sys-prefix", "--python=python"], { ...options, quiet: true });
  return options;
}

/**
 * @param {string} unrolled what npm is to install as `unrolled`: a folder or a tarball
 * @param {string} [keep] where to write the notebooks with their outputs
 * @throws Unavailable, Stop for a notebook that fails or does not show what it should
 */
export function runNotebooks(unrolled, keep) {
  const source = fromRoot("examples", "notebooks");
  const folder = mkdtempSync(join(tmpdir(), "unrolled-notebooks-"));
  try {
    for (const name of ["package.json", "requirements.txt", "run.py"])
      copyFileSync(join(source, name), join(folder, name));
    let options;
    try {
      options = install(folder, unrolled);
    } catch (error) {
      throw error instanceof Stop ? new Unavailable(error.message) : error;
    }
    if (keep !== undefined) mkdirSync(keep, { recursive: true });
    for (const name of readdirSync(source).filter((file) => file.endsWith(".ipynb"))) {
      const output = join(keep ?? folder, name);
      run("python", ["run.py", join(source, name), output], options);
      check(name, shownBy(readFileSync(output, "utf8")));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * The outputs of an executed notebook, by type.
 * @param {string} json
 * @returns {[type: string, text: string][]}
 */
function shownBy(json) {
  const { cells } = JSON.parse(json);
  return cells.flatMap((/** @type {any} */ cell) =>
    (cell.outputs ?? []).flatMap((/** @type {any} */ output) =>
      Object.entries(output.data ?? { "text/plain": output.text ?? [] }).map(([type, text]) => [
        type,
        [text].flat().join(""),
      ]),
    ),
  );
}

/**
 * @param {string} name
 * @param {[type: string, text: string][]} shown
 */
function check(name, shown) {
  const wanted = expected[/** @type {keyof typeof expected} */ (name)];
  if (wanted === undefined) throw new Stop(`${name}: nothing says what it must show`);
  for (const [type, pattern] of wanted) {
    const found = shown.some((output) => output[0] === type && /** @type {RegExp} */ (pattern).test(output[1]));
    if (!found) throw new Stop(`${name}: no output of type ${type} has ${pattern}`);
  }
  console.log(`${name}: ${shown.length} outputs`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const keep = process.argv[2];
  try {
    runNotebooks(root, keep === undefined ? undefined : resolve(keep));
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
