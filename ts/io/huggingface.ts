/**
 * The entry `unrolled/huggingface`: tokenizers from files `tokenizer.json` of Hugging Face
 * (https://huggingface.co/docs/tokenizers), which the package `@huggingface/tokenizers` reads and runs: byte-pair encoding,
 * WordPiece, Unigram and word-level models with their normalizers, pre-tokenizers and decoders.
 */
import type { Tokenizer as Library } from "@huggingface/tokenizers";
import { MissingPackageError, TokenizerError } from "../errors.js";
import type { TokenizerReader } from "../text/from-json.js";
import { checkKind, type TokenDecoder, type Tokenizer, type TokenizerJSON, tokenOf } from "../text/tokenizer.js";
import { cutAsDefined } from "./huggingface-pieces.js";

const KIND = "huggingface";

/** Ids that a streaming decoder holds back for a character that they may make up together: it has four bytes at most. */
const HELD = 8;

/**
 * A tokenizer of Hugging Face. Text does not always come back as it was: it depends on the file, whose normalizer may
 * change the text and whose model may not know all of it. Special tokens around a text (`[CLS]`, `<s>`) are not added.
 * @throws TokenizerError by `encode` for what the file has no token for
 */
export class HuggingFaceTokenizer implements Tokenizer {
  /** What `toJSON` writes as `kind`. */
  readonly kind = KIND;
  readonly tokens: readonly string[];
  readonly size: number;
  readonly #file: unknown;
  readonly #library: Library;

  /** @internal use {@link readTokenizer} */
  constructor(create: typeof Library, file: unknown) {
    const { tokens, config } = vocabularyOf(file);
    this.#file = file;
    this.#library = attempt("the file cannot be used", () => new create(withDefinitions(file) as object, config));
    encodeByPieces(this.#library.model as unknown as Model);
    cutAsDefined(this.#library.pre_tokenizer as unknown as Parameters<typeof cutAsDefined>[0]);
    this.tokens = tokens;
    this.size = tokens.length;
  }

  encode(text: string): Int32Array {
    const ids = attempt(
      "a text cannot be encoded",
      () => this.#library.encode(text, { add_special_tokens: false }).ids,
    );
    const missing = ids.findIndex((id: unknown) => !(typeof id === "number" && id >= 0 && id < this.size));
    if (missing >= 0) {
      throw new TokenizerError(
        `${KIND} tokenizer: piece ${missing} of the text has no token, and there is none for unknown ones`,
      );
    }
    return Int32Array.from(ids);
  }

  decode(ids: ArrayLike<number>): string {
    if (ids.length === 0) return "";
    const given = Array.from(ids);
    for (const id of given) tokenOf(this.tokens, id);
    return attempt("ids cannot be decoded", () =>
      this.#library.decode(given, { skip_special_tokens: false, clean_up_tokenization_spaces: false }),
    );
  }

  /** Each piece is what an id adds to the text of those right before it, as decoders look at a token's neighbours. */
  decoder(): TokenDecoder {
    let context: number[] = [];
    let held: number[] = [];
    const release = (whole: boolean): string => {
      const before = this.decode(context);
      const text = this.decode([...context, ...held]).slice(before.length);
      if (!whole && held.length < HELD && (text === "" || text.endsWith("\ufffd"))) return "";
      context = held;
      held = [];
      return text;
    };
    return {
      push: (id) => {
        held.push(id);
        return release(false);
      },
      end: () => (held.length === 0 ? "" : release(true)),
    };
  }

  toJSON(): TokenizerJSON {
    return { kind: this.kind, file: this.#file };
  }
}

/**
 * Reads a file `tokenizer.json`.
 * @param file - its text, or what it holds
 * @throws MissingPackageError when `@huggingface/tokenizers` is not installed
 * @throws TokenizerError for anything else than such a file
 */
export async function readTokenizer(file: string | object): Promise<HuggingFaceTokenizer> {
  const { Tokenizer } = await library();
  return new HuggingFaceTokenizer(
    Tokenizer,
    typeof file === "string" ? attempt("not JSON", () => JSON.parse(file)) : file,
  );
}

/**
 * What `readModelFile` needs to read models with such tokenizers:
 *
 * ```ts
 * const lm = LanguageModel.from(readModelFile(bytes, { tokenizers: [await huggingFaceReader()] }));
 * ```
 * @throws MissingPackageError when `@huggingface/tokenizers` is not installed
 */
export async function huggingFaceReader(): Promise<TokenizerReader> {
  const { Tokenizer } = await library();
  return {
    kind: KIND,
    fromJSON: (json) => {
      checkKind(json, KIND);
      return new HuggingFaceTokenizer(Tokenizer, json["file"]);
    },
  };
}

async function library(): Promise<typeof import("@huggingface/tokenizers")> {
  return import("@huggingface/tokenizers").catch(() => {
    throw new MissingPackageError("unrolled/huggingface", "@huggingface/tokenizers");
  });
}

/** The library throws errors of many kinds, for damaged files also those of the language. */
function attempt<R>(what: string, work: () => R): R {
  try {
    return work();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TokenizerError(`${KIND} tokenizer: ${what}: ${reason}`);
  }
}

function bad(what: string): TokenizerError {
  return new TokenizerError(`${KIND} tokenizer: ${what}`);
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw bad(`${what} must be an object`);
  return value as Fields;
}

/**
 * The tokens by id. What the file says is checked before the library runs over it: the library makes arrays as long as the
 * largest id, and runs the regular expressions.
 */
function vocabularyOf(file: unknown): { readonly tokens: string[]; readonly config: object } {
  const { model: stored, added_tokens: added, ...others } = fieldsOf(file, "the file");
  const model = fieldsOf(stored, "model");
  checkPatterns(others);
  const entries: [token: unknown, id: unknown][] = Array.isArray(model["vocab"])
    ? model["vocab"].map((entry: unknown, id) => [Array.isArray(entry) ? entry[0] : undefined, id])
    : Object.entries(fieldsOf(model["vocab"], "vocab of the model"));
  if (!Array.isArray(added)) throw bad("added_tokens must be an array");
  for (const token of added) {
    const { content, id } = fieldsOf(token, "an added token");
    entries.push([content, id]);
  }
  const tokens: string[] = [];
  for (const [token, id] of entries) {
    // There may be holes, but not as many as an id can claim.
    if (
      typeof token !== "string" ||
      !Number.isInteger(id) ||
      (id as number) < 0 ||
      (id as number) > 2 * entries.length
    ) {
      throw bad(`token ${JSON.stringify(token)} has id ${JSON.stringify(id)}, with ${entries.length} tokens in all`);
    }
    while (tokens.length <= (id as number)) tokens.push(`<unused ${tokens.length}>`);
    tokens[id as number] = token;
  }
  // The library takes the unknown token of a word-level model from another file.
  return { tokens, config: typeof model["unk_token"] === "string" ? { unk_token: model["unk_token"] } : {} };
}

/**
 * Refuses regular expressions that repeat a group without bound: matching one can take exponential time, and files in
 * use have none. What is left takes polynomial time.
 */
function checkPatterns(part: unknown): void {
  if (typeof part !== "object" || part === null) return;
  for (const [name, value] of Object.entries(part)) {
    if (name === "Regex" && typeof value === "string") {
      const bare = value.replace(/\\./gs, "x").replace(/\[\^?\]?[^\]]*\]/g, "x");
      if (/\)(?:[*+]|\{\d*,\})/.test(bare))
        throw bad(`the pattern ${JSON.stringify(value)} repeats a group without bound`);
    } else checkPatterns(value);
  }
}

/** What is used of the library's models; those of Unigram alone have `tokenize`. */
interface Model {
  encode(pieces: readonly string[]): string[];
  tokenize?(piece: string): string[];
}

/**
 * Gives a Unigram model an `encode` that takes any piece, and a repeated one but once. The library's hands all tokens of a
 * piece to a function as its arguments; those of some hundred thousand characters exhaust the stack.
 */
function encodeByPieces(model: Model): void {
  const tokenize = model.tokenize?.bind(model);
  if (tokenize === undefined) return;
  model.encode = (pieces) => {
    const known = new Map<string, string[]>();
    return pieces.flatMap((piece) => {
      const tokens = known.get(piece) ?? tokenize(piece);
      known.set(piece, tokens);
      return tokens;
    });
  };
}

/** Letters, digits and what joins them, as the original's regular expressions have them (`\w` of the crate regex). */
const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200C\\u200D";

/** The pre-tokenizer Whitespace by its definition, `\w+|[^\w\s]+`: the library's knows ASCII letters only. */
const WHITESPACE = {
  type: "Split",
  pattern: { Regex: `[${WORD}]+|[^${WORD}\\s]+` },
  behavior: "Removed",
  invert: true,
};

/**
 * The pre-tokenizer Metaspace by its definition: a piece begins with each mark that stands for a space, so that no token goes
 * over it. The library's makes one piece of the whole text.
 */
function splitting(metaspace: Fields): unknown {
  const { split, replacement: mark = "\u2581" } = metaspace;
  if (typeof mark !== "string" || [...mark].length !== 1) throw bad("the replacement of Metaspace must be a character");
  if (split === false) return metaspace;
  const literal = mark.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
  const pieces = { type: "Split", pattern: { Regex: `${literal}[^${literal}]*|[^${literal}]+` }, invert: true };
  return { type: "Sequence", pretokenizers: [metaspace, pieces] };
}

/** The file with pre-tokenizers that do what the original's do. */
function withDefinitions(file: unknown): unknown {
  const replaced = (part: unknown): unknown => {
    const fields = (part ?? {}) as Fields;
    const { type, pretokenizers } = fields;
    if (type === "Whitespace") return WHITESPACE;
    if (type === "Metaspace") return splitting(fields);
    return Array.isArray(pretokenizers) ? { ...fields, pretokenizers: pretokenizers.map(replaced) } : part;
  };
  const fields = file as Fields;
  return { ...fields, pre_tokenizer: replaced(fields["pre_tokenizer"]) };
}
