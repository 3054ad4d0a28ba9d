// The rules of the house that a general linter does not know (CONTRIBUTING.md says why each exists), over every file in
// ts/.
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { fromRoot, listFiles, root } from "./lib.mjs";

/** A folder imports only from those before it. */
const order = "errors core tensor text data nn io infer train inspect tasks node cli".split(" ");
/** Exact in every engine, by IEEE 754 or by the language; the others differ in the last digits from engine to engine. */
const exactMath = new Set(
  "abs ceil clz32 floor fround imul max min round sign sqrt trunc E LN10 LN2 LOG10E LOG2E PI SQRT1_2 SQRT2".split(" "),
);
const localeMethods = /^(toLocale\w+|localeCompare)$/;

/** @type {string[]} */
const problems = [];

/** @param {string} path relative to the project */
function check(path) {
  const source = ts.createSourceFile(path, readFileSync(fromRoot(path), "utf8"), ts.ScriptTarget.Latest, true);
  const folder = path === "ts/errors.ts" ? "errors" : path.split("/").length > 2 ? (path.split("/")[1] ?? "") : "index";
  const display = folder === "cli";

  /**
   * @param {ts.Node} node
   * @param {string} message
   */
  const report = (node, message) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    problems.push(`${path}:${line + 1} ${message}`);
  };

  /**
   * @param {ts.Node} node
   * @param {string} specifier
   */
  const checkImport = (node, specifier) => {
    if (specifier.startsWith("node:")) {
      if (folder !== "node" && folder !== "cli")
        report(node, `${specifier} only in ts/node and ts/cli: the rest runs in browsers`);
      return;
    }
    if (!specifier.startsWith(".")) return;
    const target = relative(root, join(root, dirname(path), specifier)).replaceAll("\\", "/");
    if (target.includes("/generated/") && !/^ts\/core\/raw(-relaxed)?\.ts$/.test(path))
      report(node, "only ts/core/raw.ts and raw-relaxed.ts import generated code");
    if (folder === "index") return;
    if (/^ts\/(index|inference)\.js$/.test(target))
      return report(node, `${target} is for users: import from where a thing is defined`);
    const targetFolder = target === "ts/errors.js" ? "errors" : (target.split("/")[1] ?? "");
    if (order.indexOf(targetFolder) > order.indexOf(folder))
      report(node, `${folder} may not import from ${targetFolder}, which comes after it`);
  };

  /** @param {ts.Node} node */
  const visit = (node) => {
    const specifier =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isImportTypeNode(node)
          ? node.argument
          : undefined;
    if (specifier && ts.isStringLiteral(specifier)) checkImport(node, specifier.text);
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const argument = node.arguments[0];
      if (argument && ts.isStringLiteral(argument)) checkImport(node, argument.text);
    }
    if (ts.isPropertyAccessExpression(node)) {
      const name = node.name.text;
      if (node.expression.getText() === "Math" && !display && !exactMath.has(name)) {
        report(node, `Math.${name} is not the same in every engine: the core has exact functions`);
      }
      if (localeMethods.test(name) && !display) report(node, `${name} depends on the locale data of the engine`);
      if (name === "buffer" && /\bmemory$/.test(node.expression.getText()) && path !== "ts/core/memory.ts") {
        report(node, "only ts/core/memory.ts touches memory.buffer: growth detaches it");
      }
    }
    if (ts.isBinaryExpression(node) && !display) {
      const operator = node.operatorToken.kind;
      if (operator === ts.SyntaxKind.AsteriskAsteriskToken || operator === ts.SyntaxKind.AsteriskAsteriskEqualsToken) {
        report(node, "** is not the same in every engine: multiply");
      }
    }
    if (ts.isIdentifier(node) && node.text === "Intl" && !display)
      report(node, "Intl depends on the data of the engine");
    ts.forEachChild(node, visit);
  };
  visit(source);

  if (folder === "index") {
    for (const statement of source.statements) {
      if (!ts.isExportDeclaration(statement) || !statement.moduleSpecifier || !statement.exportClause) {
        report(statement, `${path} has named re-exports and nothing else`);
      }
    }
  } else if (!order.includes(folder)) {
    problems.push(`${path}: the folder ${folder} is not in the order of folders (${order.join(" ")})`);
  }
}

const files = listFiles(["ts"]).filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"));
files.forEach(check);
for (const problem of problems) console.error(problem);
console.log(`${files.length} files, ${problems.length} broken rules`);
if (problems.length > 0 || files.length === 0) process.exit(1);
