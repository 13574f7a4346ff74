/** How wide a text is, and how to cut it. */

/**
 * Advance widths of the characters from space to tilde, in thousandths of the font size: those of DejaVu Sans 2.37,
 * the widest of the usual sans-serif faces. What fits in it fits in any of them, on every machine alike.
 */
const WIDTHS = [
  318, 401, 460, 838, 637, 951, 780, 275, 391, 391, 501, 838, 318, 361, 318, 337, 637, 637, 637, 637, 637, 637, 637,
  637, 637, 637, 337, 337, 838, 838, 838, 531, 1001, 685, 687, 699, 771, 632, 576, 775, 752, 295, 295, 656, 558, 863,
  749, 788, 604, 788, 695, 635, 611, 732, 685, 989, 686, 611, 686, 391, 337, 391, 838, 501, 501, 613, 635, 550, 635,
  616, 353, 635, 634, 278, 278, 580, 278, 975, 634, 612, 635, 635, 412, 521, 393, 634, 592, 818, 592, 592, 525, 637,
  337, 637, 838,
];

/** Returns the width of a text in a font size, both in pixels. */
export function width(text: string, size: number): number {
  let units = 0;
  for (const c of text) units += WIDTHS[(c.codePointAt(0) ?? 0) - 32] ?? (c === "·" ? 318 : 1000);
  return (units * size) / 1000;
}

/** Cuts a text to a width: its middle becomes an ellipsis, so that both ends stay readable. */
export function fit(text: string, size: number, widthMax: number): string {
  if (width(text, size) <= widthMax) return text;
  const chars = [...text];
  const cut = (kept: number) => {
    const head = Math.ceil(kept / 2);
    return `${chars.slice(0, head).join("")}…${chars.slice(chars.length - (kept - head)).join("")}`;
  };
  let low = 0;
  let high = Math.max(0, chars.length - 1);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (width(cut(middle), size) <= widthMax) low = middle;
    else high = middle - 1;
  }
  return cut(low);
}
