// The drawing of a chart: stacked bars by uPlot, which is fetched with the first one, and a quiet line for what may come.

import { compact } from "../format.js";

const HEIGHT = 220;
const LEAST = 200;

/**
 * What is drawn. `count`: of series. `labels`: of all buckets, those to come as well. `ahead`: a level for those, from one
 * of them on to an `end` (in buckets from the first), which has a `mark`.
 * @typedef {object} Drawn
 * @property {number[][]} data
 * @property {number} count
 * @property {string[]} labels
 * @property {{level: number, from: number, end: number | null, mark: string} | null} ahead
 */

/**
 * @param {HTMLElement} box
 * @param {Drawn} drawn
 * @param {(at: number | null) => void} looked
 * @param {() => boolean} gone
 */
export async function draw(box, { data, count, labels, ahead }, looked, gone) {
  const { default: uPlot } = await import("../../vendor/uplot.js");
  if (gone()) return undefined;
  const style = getComputedStyle(box);
  const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim() || "#888";
  const bars = uPlot.paths.bars?.({ size: [0.82, 64] });
  const axis = { stroke: colour("--chart-ink"), grid: { stroke: colour("--chart-line"), width: 1 }, ticks: { show: false }, font: `12px ${style.fontFamily}` };
  box.replaceChildren();
  const plot = new uPlot({
    width: Math.max(LEAST, box.clientWidth), height: HEIGHT, padding: [8, 18, 0, 0], legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: { x: { time: false, range: () => [-0.5, labels.length - 0.5] }, y: { range: (_, __, most) => [0, Math.max(1, most ?? 0, ahead?.level ?? 0) * 1.08] } },
    axes: [
      { ...axis, size: 28, gap: 6, grid: { show: false }, incrs: [1, 2, 3, 5, 6, 10, 12, 15, 24, 30, 60, 120], space: 64, values: (_, splits) => splits.map((split) => labels[split] ?? "") },
      { ...axis, size: 44, space: 36, values: (_, splits) => splits.map((split) => (Number.isInteger(split) ? compact(split) : "")) },
    ],
    series: [{}, ...Array.from({ length: count }, (_, at) => ({ fill: colour(`--c${count - at}`), width: 0, paths: bars, points: { show: false } }))],
    hooks: {
      setCursor: [(/** @type {any} */ self) => looked(self.cursor.left >= 0 ? self.cursor.idx ?? null : null)],
      draw: ahead ? [(/** @type {any} */ self) => drawAhead(self, ahead, labels.length, { line: colour("--chart-ink"), mark: colour("--chart-mark"), font: style.fontFamily })] : [],
    },
  }, /** @type {any} */ (data), box);
  const size = new ResizeObserver(() => plot.setSize({ width: Math.max(LEAST, box.clientWidth), height: HEIGHT }));
  size.observe(box);
  return () => {
    size.disconnect();
    plot.destroy();
  };
}

/**
 * A dashed line at the level, to the end of the chart or to where it ends.
 * @param {any} plot
 * @param {NonNullable<Drawn["ahead"]>} ahead
 * @param {number} length of all buckets
 * @param {{line: string, mark: string, font: string}} look
 */
function drawAhead(plot, { level, from, end, mark }, length, look) {
  /** @type {CanvasRenderingContext2D} */
  const ink = plot.ctx;
  const dot = devicePixelRatio;
  const place = (/** @type {number} */ bucket) => plot.valToPos(bucket - 0.5, "x", true);
  const ends = end !== null && end <= length;
  const [left, right, y] = [place(from), place(ends ? Math.max(from, end) : length), plot.valToPos(level, "y", true)];
  ink.save();
  ink.strokeStyle = look.line;
  ink.lineWidth = 1.5 * dot;
  ink.setLineDash([4 * dot, 4 * dot]);
  ink.beginPath();
  ink.moveTo(left, y);
  ink.lineTo(right, y);
  ink.stroke();
  if (ends) {
    ink.fillStyle = look.mark;
    ink.beginPath();
    ink.arc(right, y, 3.5 * dot, 0, 2 * Math.PI);
    ink.fill();
    ink.font = `600 ${12 * dot}px ${look.font}`;
    const wide = ink.measureText(mark).width;
    const beside = right + 8 * dot + wide <= ink.canvas.width;
    ink.textAlign = "left";
    ink.textBaseline = "middle";
    if (beside) ink.fillText(mark, right + 8 * dot, y);
    else ink.fillText(mark, ink.canvas.width - wide, Math.max(y - 13 * dot, plot.bbox.top + 8 * dot)); // above: there is nothing there
  }
  ink.restore();
}
