import { describe, expect, it } from "vitest";
import { knownWords, samplesHtml } from "../../ts/inspect/samples-page.js";

const samples = [
  { update: 0, loss: 4.158883, text: "x<q&\u0000 \ud800zz" },
  { update: 250, loss: 1.5, text: "The cat\nsat, qwz <b>l'\u00e9t\u00e9</b>" },
];

describe("samplesHtml", () => {
  it("shows each sample with its update and loss", () => {
    const page = samplesHtml(samples, { title: "A & B" });
    expect(page).toContain("<title>A &amp; B</title>");
    expect(page.match(/<article>/g)).toHaveLength(2);
    // ln 64 nats are 6 bits.
    expect(page).toContain("<h2>update 0</h2><p>loss 4.159 nats, 6.000 bits</p>");
    expect(page).toContain("<pre>\nx&lt;q&amp;\ufffd \ufffdzz</pre>");
    expect(page).toContain("nats a token</text>");
    expect(page).not.toContain("<b>");
    expect(page).not.toContain("underlined");
  });

  it("sets off words that are not known, and counts them", () => {
    const known = new Set(["the", "cat", "sat", "l'\u00e9t\u00e9"]);
    const page = samplesHtml(samples, { title: "t", known });
    expect(page).toContain(
      "<pre>\nThe cat\nsat, <u>qwz</u> &lt;<u>b</u>&gt;l&#39;\u00e9t\u00e9&lt;/<u>b</u>&gt;</pre>",
    );
    expect(page).toContain("<p>57% of words known</p>");
    expect(knownWords("The cat, a cat", known)).toBe(3 / 4);
    expect(knownWords("12 !", known)).toBeNaN();
  });

  it("makes a page of no samples", () => {
    expect(samplesHtml([], { title: "none" })).toMatch(/^<!doctype html>.*<\/html>\n$/s);
  });
});
