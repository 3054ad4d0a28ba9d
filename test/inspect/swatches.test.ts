import { describe, expect, it } from "vitest";
import { ArgumentError } from "../../ts/errors.js";
import { type Color, colorHex, swatchesSvg } from "../../ts/inspect/swatches.js";
import { parseSvg } from "./svg.js";

describe("swatchesSvg", () => {
  it("draws a box in the colour of each, with name and number", () => {
    const drawing = swatchesSvg(
      [
        { name: "Sea Green", color: [46, 139, 87] },
        { name: "Night", color: [0, 0, 0.4] },
        { name: "Snow", color: [255, 254.6, 255] },
      ],
      { title: "Paints", columns: 2 },
    );
    parseSvg(drawing);
    expect(
      [...drawing.matchAll(/<rect x="(\d+)" y="(\d+)"[^>]* fill="(#\w+)" stroke/g)].map((m) => m.slice(1)),
    ).toEqual([
      ["16", "48", "#2e8b57"],
      ["184", "48", "#000000"],
      ["16", "168", "#ffffff"],
    ]);
    expect(drawing).toContain(">Sea Green</text>");
    expect(drawing).toContain(">#2e8b57</text>");
  });

  it("escapes names, cuts long ones, and keeps them whole in the tooltip", () => {
    const name = '<script>alert("&")</script>\u0000 and more';
    const drawing = swatchesSvg([{ name, color: [1, 2, 3] }], { title: "<&>" });
    parseSvg(drawing);
    expect(drawing).not.toContain("<script>");
    expect(drawing).toContain(
      "<title>&lt;script&gt;alert(&quot;&amp;&quot;)&lt;/script&gt;\ufffd and more #010203</title>",
    );
    expect(drawing).toContain(">&lt;script&gt;alert(&quot;...</text>");
    expect(swatchesSvg([{ name: "\u65e5".repeat(10), color: [1, 2, 3] }], { title: "t" })).toContain(
      `>${"\u65e5".repeat(7)}...</text>`,
    );
  });

  it("draws nothing of nothing, and no colour that is none", () => {
    parseSvg(swatchesSvg([], { title: "none" }));
    for (const color of [
      [0, 0],
      [0, 0, 256],
      [0, -1, 0],
      [NaN, 0, 0],
    ]) {
      expect(() => swatchesSvg([{ name: "a", color: color as unknown as Color }], { title: "t" })).toThrow(
        ArgumentError,
      );
    }
    expect(() => swatchesSvg([], { title: "t", columns: 0 })).toThrow(ArgumentError);
    expect(colorHex([255, 0, 15.6])).toBe("#ff0010");
  });
});
