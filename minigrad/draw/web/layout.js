// From the drawing as data, by way of DOT, to SVG. The data are boxes, arrows, and panels around boxes; which panels are
// closed decides what is drawn: a closed panel is a single box.
"use strict";

const page = JSON.parse(document.getElementById("page").textContent);

function outermostClosed(panel, closed) {
  let found = -1;
  for (; panel >= 0; panel = page.panels[panel].around) if (closed.has(panel)) found = panel;
  return found;
}

// For each box, by its id, the box that is drawn: itself, or that of a closed panel.
function standIns(closed) {
  const drawn = (box) => {
    const panel = outermostClosed(box.panel, closed);
    return panel < 0 ? box : page.panels[panel].box;
  };
  return new Map(page.boxes.map((box) => [box.id, drawn(box)]));
}

// Arrows as they are drawn: none inside a closed panel, one for several side by side.
function arrowsBetween(drawn) {
  const found = [], seen = new Set();
  for (const [from, to, start, end, look] of page.arrows) {
    const tail = drawn.get(from).id, head = drawn.get(to).id, whole = tail === from && head === to;
    const dot = `${tail === from ? start : tail} -> ${head === to ? end : head}${whole ? look : ""}`;
    if (whole || (tail !== head && !seen.has(dot))) found.push({ tail, head, dot });
    seen.add(dot);
  }
  return found;
}

function linesInside(panel, boxes, closed) {
  const lines = boxes.filter((box) => box.panel === panel).map((box) => box.dot);
  page.panels.forEach((inner, i) => {
    if (inner.around === panel && !closed.has(i))
      lines.push(`subgraph cluster_${i} {`, inner.look, ...linesInside(i, boxes, closed), "}");
  });
  return lines;
}

function diagram(closed) {
  const drawn = standIns(closed), boxes = [...new Set(drawn.values())], arrows = arrowsBetween(drawn);
  if (page.dot) return { drawn, boxes, arrows, dot: page.dot };
  const lines = [page.head, ...linesInside(-1, boxes, closed), ...arrows.map((arrow) => arrow.dot), ...page.foot, "}"];
  return { drawn, boxes, arrows, dot: lines.join("\n") };
}

// ---- Graphviz, in a worker: the page stays alive while it works, and can stop it -----------------------------------

async function answer({ data: dot }) {
  try {
    const graphviz = await self.Graphviz.load(); // at the first time: later it is there
    postMessage({ svg: graphviz.dot(dot, "svg") });
  } catch (error) {
    postMessage({ error: String(error) });
  }
}

const parts = [document.getElementById("graphviz").textContent, `onmessage = ${answer}`];
const program = URL.createObjectURL(new Blob(parts, { type: "text/javascript" }));
let worker = null;

function svgOf(dot) {
  worker ??= new Worker(program);
  return new Promise((done, failed) => {
    const end = (why) => {
      worker.terminate();
      worker = null;
      failed(new Error(why));
    };
    const late = setTimeout(() => end(`Graphviz was stopped after ${page.timeout} s`), page.timeout * 1000);
    worker.onerror = (event) => end(event.message);
    worker.onmessage = ({ data }) => {
      clearTimeout(late);
      if (data.error) failed(new Error(data.error));
      else done(data.svg);
    };
    worker.postMessage(dot);
  });
}
