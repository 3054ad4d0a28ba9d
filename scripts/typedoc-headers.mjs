// A plugin of typedoc: what stands on top of a source file - equations, conventions, papers - is shown with every class,
// function and cell of that file, as the reference shows declarations only.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Converter, ReflectionKind } from "typedoc";
import { root } from "./lib.mjs";

/** @type {Map<string, string>} */
const headers = new Map();

/** The header of a file as Markdown, read once; "" without one. */
function headerOf(/** @type {string} */ path) {
  let header = headers.get(path);
  if (header === undefined) {
    header = markdownOf(readFileSync(join(root, path), "utf8"));
    headers.set(path, header);
  }
  return header;
}

/**
 * The first comment of a source as Markdown, equations (indented lines) as code; "" where there is none, or where it is
 * that of the declaration after it.
 */
function markdownOf(/** @type {string} */ source) {
  const [whole = "", comment = ""] = /^\/\*\*([\s\S]*?)\*\/\n/.exec(source) ?? [];
  if (/^export (?:abstract )?(?:class|function|const|interface|type) /.test(source.slice(whole.length))) return "";
  const lines = comment
    .split("\n")
    .map((line) => line.replace(/^ ?\*? ?/, "").trimEnd())
    .map((line) => line.replace(/\{@link (\S+?)\}/g, "`$1`"));
  let markdown = "";
  let fenced = false;
  for (const line of lines) {
    const equation = /^ {2}/.test(line);
    if (equation !== fenced && line !== "") {
      markdown += fenced ? "```\n" : "\n```text\n";
      fenced = equation;
    }
    markdown += `${line}\n`;
  }
  return (fenced ? `${markdown}\`\`\`\n` : markdown).trim();
}

/** @param {import("typedoc").Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    const kinds = ReflectionKind.Class | ReflectionKind.Function | ReflectionKind.Variable;
    for (const reflection of project.getReflectionsByKind(kinds)) {
      const path = project.getSymbolIdFromReflection(reflection)?.packagePath;
      const header = path?.startsWith("ts/") ? headerOf(path) : "";
      if (header === "") continue;
      const declared = /** @type {import("typedoc").DeclarationReflection} */ (reflection);
      for (const target of declared.signatures ?? [declared]) {
        target.comment?.summary.push({ kind: "text", text: `\n\n${header}` });
      }
    }
  });
}
