// Building nodes. Words only ever become text nodes; there is no markup from a string anywhere in the widget.

type Attributes = Record<string, string>;

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** A picture of one path in a field of 24 by 24, drawn in the colour of the text around it. */
export function icon(path: string): SVGElement {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = {
    viewBox: "0 0 24 24",
    fill: "none",
    stroke: "currentColor",
    "stroke-width": "2",
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
    "aria-hidden": "true",
  };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

export const CHAT = "M4 5.5h16v11h-9.5L6 20v-3.5H4zM8.5 9.5h7M8.5 12.5h4.5";
export const CLIP = "M20 11.5l-7.6 7.6a5 5 0 0 1-7-7l8-8a3.3 3.3 0 0 1 4.7 4.7l-8 8a1.7 1.7 0 0 1-2.4-2.4L15 7";
export const CROSS = "M6 6l12 12M18 6L6 18";
export const ARROW = "M12 19V5M6 11l6-6 6 6";
export const DOWN = "M6 9l6 6 6-6";

/** Sets a text only when it changed, because a live region is read out again when it is touched. */
export function say(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}
