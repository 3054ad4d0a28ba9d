import { LoadError, type LoadErrorCategory } from "../errors.js";

/** JSON values nest at most this deep in the files read here; a hostile one could exhaust the stack of the runtime's parser. */
const MAX_DEPTH = 32;

/** A name as it appears in a message: quoted, and cut when a file makes it absurdly long. */
export function quoted(name: string): string {
  return JSON.stringify(name.length <= 120 ? name : `${name.slice(0, 117)}...`);
}

/**
 * `JSON.parse` for files that are not trusted: it refuses invalid UTF-8, deep nesting and a key that occurs twice in an
 * object (of which `JSON.parse` would keep the last without a word). A key `__proto__` becomes an own property, as
 * `JSON.parse` has it.
 * @param what - names the text in errors, for example `safetensors header`
 * @param category - of the error: `header` (the default) where the text is part of a file, `encoding` where it is one
 * @throws LoadError of that category
 */
export function parseUntrustedJSON(bytes: Uint8Array, what: string, category: LoadErrorCategory = "header"): unknown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    checkStructure(text, what, category);
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof LoadError) throw error;
    throw new LoadError(
      category,
      `${what} is not UTF-8 JSON: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** As {@link parseUntrustedJSON}, and the value must be an object: its own entries. */
export function parseUntrustedObject(
  bytes: Uint8Array,
  what: string,
  category: LoadErrorCategory = "header",
): Map<string, unknown> {
  const value = entriesOf(parseUntrustedJSON(bytes, what, category));
  if (value === undefined) throw new LoadError(category, `${what} is JSON, but not an object`);
  return value;
}

/** Whether a name in a file can only mean a file beside it: no folder, no drive, no address. */
export function isPlainFileName(name: string): boolean {
  return /^[^/\\:\0]+$/.test(name) && name !== "." && name !== "..";
}

/** The own entries of a JSON object; undefined for any other value. */
export function entriesOf(value: unknown): Map<string, unknown> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return new Map(Object.entries(value));
}

/** One pass, without recursion, over the brackets and strings of a JSON text; everything else is left to `JSON.parse`. */
function checkStructure(text: string, what: string, category: LoadErrorCategory): void {
  // One element an open bracket: the keys so far of an object, null for an array.
  const open: (Set<string> | null)[] = [];
  let keyFollows = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') {
      const start = at++;
      while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
      const keys = open.at(-1);
      if (keyFollows && keys) {
        const key = JSON.parse(text.slice(start, at + 1)) as string;
        if (keys.has(key)) throw new LoadError(category, `${what} names ${quoted(key)} twice`);
        keys.add(key);
      }
      keyFollows = false;
    } else if (character === "{" || character === "[") {
      if (open.length === MAX_DEPTH) throw new LoadError(category, `${what} nests deeper than ${MAX_DEPTH} levels`);
      open.push(character === "{" ? new Set() : null);
      keyFollows = character === "{";
    } else if (character === "}" || character === "]") {
      open.pop();
      keyFollows = false;
    } else if (character === ",") {
      keyFollows = true;
    }
  }
}
