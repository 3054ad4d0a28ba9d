// A plugin of typedoc: what stands on top of a source file - equations, conventions, papers - is shown with every class,
// function and cell of that file, as the reference shows declarations only.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Converter, ReflectionKind } from "typedoc";
import { root } from "./lib.mjs";

/** The text of a file's first comment as Markdown, equations (indented lines) as code; "" without one. */
function headerOf(/** @type {string} */ path) {
  const [, comment] = /^\/\*\*([\s\S]*?)\*\//.exec(readFileSync(join(root, path), "utf8")) ?? [];
  if (comment === undefined) return "";
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

/** Whether the first comment of a file is its own, and not that of the declaration after it. */
const isHeader = (/** @type {string} */ path) =>
  /^\/\*\*[\s\S]*?\*\/\n(?!export (?:abstract )?(?:class|function|const|interface|type) )/.test(
    readFileSync(join(root, path), "utf8"),
  );

/** @param {import("typedoc").Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    const kinds = ReflectionKind.Class | ReflectionKind.Function | ReflectionKind.Variable;
    for (const reflection of project.getReflectionsByKind(kinds)) {
      const path = project.getSymbolIdFromReflection(reflection)?.packagePath;
      if (path === undefined || !path.startsWith("ts/") || !isHeader(path)) continue;
      const header = headerOf(path);
      const declared = /** @type {import("typedoc").DeclarationReflection} */ (reflection);
      for (const target of declared.signatures ?? [declared]) {
        target.comment?.summary.push({ kind: "text", text: `\n\n${header}` });
      }
    }
  });
}
