/** Reads SVG as strictly as XML 1.0 wants it, as far as the writers here use it. */

/** An element. */
export interface Element {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: Element[];
  /** Character data directly inside. */
  text: string;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", "#39": "'" };

function unescaped(raw: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: section 2.2: these are no characters of XML
  if (/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(raw)) throw new Error(`no characters: ${JSON.stringify(raw)}`);
  if (/\p{Surrogate}/u.test(raw)) throw new Error(`a lone surrogate: ${JSON.stringify(raw)}`);
  if (raw.includes("<") || raw.includes("]]>")) throw new Error(`not escaped: ${raw}`);
  return raw.replace(/&(#?\w*;?)/g, (all, name: string) => {
    const character = name.endsWith(";") ? ENTITIES[name.slice(0, -1)] : undefined;
    if (character === undefined) throw new Error(`not an entity: ${all}`);
    return character;
  });
}

/** The root element; throws for what is not well-formed. */
export function parseSvg(source: string): Element {
  const root: Element = { name: "", attributes: new Map(), children: [], text: "" };
  const open = [root];
  const top = (): Element => open[open.length - 1] as Element;
  let at = 0;
  for (const match of source.matchAll(/<(\/?)([a-z]\w*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/gi)) {
    top().text += unescaped(source.slice(at, match.index));
    at = match.index + match[0].length;
    const [, closing, name = "", list = "", empty] = match;
    if (closing === "/") {
      if (open.pop()?.name !== name || list !== "") throw new Error(`unexpected ${match[0]}`);
      continue;
    }
    const attributes = new Map<string, string>();
    for (const [, key = "", value = ""] of list.matchAll(/([\w:-]+)="([^"]*)"/g)) {
      if (attributes.has(key)) throw new Error(`${key} twice in ${match[0]}`);
      attributes.set(key, unescaped(value));
    }
    const element: Element = { name, attributes, children: [], text: "" };
    top().children.push(element);
    if (empty !== "/") open.push(element);
  }
  root.text += unescaped(source.slice(at));
  const [svg] = root.children;
  if (open.length !== 1 || root.children.length !== 1 || root.text.trim() !== "" || svg === undefined)
    throw new Error("not one closed root element");
  if (svg.name !== "svg" || svg.attributes.get("xmlns") !== "http://www.w3.org/2000/svg") throw new Error("not SVG");
  return svg;
}

/** The elements of a name, in order, at any depth. */
export function elementsOf(element: Element, name: string): Element[] {
  return element.children.flatMap((child) => [...(child.name === name ? [child] : []), ...elementsOf(child, name)]);
}
