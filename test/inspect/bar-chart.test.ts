import { describe, expect, it } from "vitest";
import { barChart } from "../../ts/index.js";
import { type Element, elementsOf, parseSvg } from "./svg.js";

const number = (element: Element | undefined, name: string): number => Number(element?.attributes.get(name));
const rows = (svg: Element): Element[] => elementsOf(svg, "g");
const width = (row: Element | undefined): number =>
  number(
    row?.children.find(({ name }) => name === "rect"),
    "width",
  );

describe("barChart", () => {
  it("draws groups under their headings, on one scale", () => {
    const heading = "The horse <raced> past the barn fell and then rose again, as horses that fell will do in time";
    const bars = [
      { label: "a", value: 2 },
      { label: "b", value: 8 },
      { label: "a", value: 4 },
    ] as const;
    const svg = parseSvg(
      barChart([{ heading }, bars[0], bars[1], { heading: "two" }, bars[2]], { title: "t", axis: "bits" }),
    );
    expect(
      rows(svg)
        .map(width)
        .map((pixels) => pixels / width(rows(svg)[0])),
    ).toEqual([1, 4, 2]);
    const bold = elementsOf(svg, "text").filter((text) => text.attributes.get("font-weight") === "bold");
    expect(bold.map(({ text }) => text)).toEqual(["t", `${heading.slice(0, 77)}...`, "two"]);
    const height = (element: Element | undefined): number => number(element, "y");
    const labels = rows(svg).map((row) => row.children[1]);
    // Each heading has a row of its own, of the height of all rows.
    const order = [bold[1], labels[0], labels[1], bold[2], labels[2]].map(height);
    const steps = order.slice(1).map((y, i) => y - (order[i] as number));
    expect(new Set(steps).size).toBe(1);
    expect(height(svg.children.find(({ name }) => name === "rect")) || 0).toBe(0);
    expect(order[4]).toBeLessThan(number(svg, "height"));
    expect(Number(svg.attributes.get("width"))).toBeGreaterThan(80 * 8.4);
  });

  it("draws bars as long as the values, on one scale with its numbers", () => {
    const values = [3, 0, 12.5, 7.75];
    const source = barChart(
      values.map((value, i) => ({ label: `row ${i}`, value })),
      { title: "four rows", axis: "bits" },
    );
    const svg = parseSvg(source);
    const longest = width(rows(svg)[2]);
    values.forEach((value, i) => {
      expect(width(rows(svg)[i])).toBeCloseTo((longest * value) / 12.5, 1);
      const [title, label, , shown] = rows(svg)[i]?.children ?? [];
      expect([title?.text, label?.text, shown?.text]).toEqual([
        `row ${i}: ${value.toFixed(2)}`,
        `row ${i}`,
        value.toFixed(2),
      ]);
    });
    const ticks = elementsOf(svg, "text").filter((text) => text.attributes.get("text-anchor") === "middle");
    expect(ticks.map(({ text }) => text)).toEqual(["0", "2", "4", "6", "8", "10", "12", "14"]);
    // The scale and the bars agree: 12.5 lies a quarter of the way from 12 to 14.
    const start = number(ticks[0], "x");
    expect(start + longest).toBeCloseTo(number(ticks[6], "x") * 0.75 + number(ticks[7], "x") * 0.25, 1);
    const inside = elementsOf(svg, "rect").every((rect) => {
      const right = (number(rect, "x") || 0) + number(rect, "width");
      return (
        right <= number(svg, "width") && (number(rect, "y") || 0) + number(rect, "height") <= number(svg, "height")
      );
    });
    expect(inside).toBe(true);
  });

  it.each([
    [0.003, ["0", "0.0005", "0.001", "0.0015", "0.002", "0.0025", "0.003"]],
    [1, ["0", "0.2", "0.4", "0.6", "0.8", "1"]],
    [49, ["0", "5", "10", "15", "20", "25", "30", "35", "40", "45", "50"]],
    [7e6, ["0", "1000000", "2000000", "3000000", "4000000", "5000000", "6000000", "7000000"]],
    [0, ["0", "1"]],
  ])("has a scale of round numbers up to %d", (value, expected) => {
    const svg = parseSvg(barChart([{ label: "a", value }], { title: "", axis: "" }));
    const ticks = elementsOf(svg, "text").filter((text) => text.attributes.get("text-anchor") === "middle");
    expect(ticks.map(({ text }) => text)).toEqual(expected);
  });

  it("stays XML whatever the labels hold, and cuts only what is drawn", () => {
    const labels = [
      `<script>alert("1")</script>`,
      "a' & b ]]> &amp;",
      "\0\u001b[2J",
      "\ud800x\udfff",
      "\uffff",
      "漢字",
    ];
    const bars = [...labels, "long ".repeat(20)].map((label) => ({ label, value: 1 }));
    const svg = parseSvg(barChart(bars, { title: "<&>", axis: "\u0007" }));
    const titles = rows(svg).map((row) => row.children[0]?.text.replace(/: 1\.00$/, ""));
    expect(titles).toEqual([
      labels[0],
      labels[1],
      "\ufffd\ufffd[2J",
      "\ufffdx\ufffd",
      "\ufffd",
      "漢字",
      "long ".repeat(20),
    ]);
    expect(rows(svg)[6]?.children[1]?.text).toBe("long long long long long long...".slice(0, 29).concat("..."));
    expect(elementsOf(svg, "script")).toEqual([]);
  });

  it("takes any number of bars of any size", () => {
    const many = Array.from({ length: 150_000 }, () => ({ label: "a", value: 5e-324 }));
    expect(barChart(many, { title: "", axis: "" }).split("<g>")).toHaveLength(150_001);
    const svg = parseSvg(barChart([{ label: "a", value: Number.MAX_VALUE }], { title: "", axis: "", digits: 0 }));
    expect(width(rows(svg)[0])).toBeGreaterThan(200);
  });

  it("draws nothing as an empty scale, and names what it cannot draw", () => {
    expect(rows(parseSvg(barChart([], { title: "none", axis: "bits" })))).toEqual([]);
    for (const value of [-1, NaN, Infinity]) {
      expect(() => barChart([{ label: "bad", value }], { title: "", axis: "" })).toThrow(/value of "bad"/);
    }
    expect(() => barChart([], { title: "", axis: "", digits: 1.5 })).toThrow(/digits/);
  });
});
