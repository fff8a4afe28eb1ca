// What the parts of the drawing tell of themselves: on the card, and to those who do not see it.

const $ = (id) => document.getElementById(id);
const card = $("card");
let now = null; // what is on the stage: what diagram() made, and {svg, moved, width, height}
let chosen = null; // id of the box that was clicked

const partOf = (id) => now.svg.querySelector(`.node[data-id="${CSS.escape(id)}"]`);
const arrowOf = (edge) => now.arrows[Number(edge.id.replace("edge", "")) - 1]; // Graphviz draws them in another order

const told = new WeakMap(); // element -> {title, lines, hint}

function tell(part, facts) {
  told.set(part, facts);
  part.classList.add("tells");
}

function button(part, facts) {
  tell(part, facts);
  part.setAttribute("tabindex", "0");
  part.setAttribute("role", "button");
  part.setAttribute("aria-label", [facts.title, ...facts.lines].join(", "));
}

// Graphviz can only guess here how wide letters are: rows that it centred stand beside the middle, and some are too wide.
function centreRows(parts) {
  const x = (text) => Number(text.getAttribute("x"));
  const rows = parts.flatMap((part) => {
    const texts = [...part.querySelectorAll("text")], outline = part.querySelector("path, polygon").getBBox();
    const inside = texts.filter((text) => text.getAttribute("font-size") !== "8.00"), first = Math.min(...inside.map(x));
    let left = outline.x + 4, right = outline.x + outline.width - 4;
    for (const number of page.sideways ? texts.filter((text) => !inside.includes(text)) : []) // of operands
      if (x(number) < first) left = first;
      else right = Math.min(right, x(number) - 6);
    const middle = (left + right) / 2, room = right - left;
    return inside.map((text) => ({ text, middle, room, wide: text.getComputedTextLength() }));
  });
  for (const { text, middle, room, wide } of rows) { // after all measuring: either would wait for the other
    text.setAttribute("text-anchor", "middle");
    text.setAttribute("x", middle);
    if (wide <= room) continue;
    text.setAttribute("textLength", room);
    text.setAttribute("lengthAdjust", "spacingAndGlyphs");
  }
}

function tellOfBox(part, box) {
  const opens = box.opens !== undefined;
  part.dataset.id = box.id;
  if (box.lines.length) button(part, { ...box, hint: opens ? "Click to open it" : "" });
  if (!opens) return;
  part.dataset.panel = box.opens;
  part.setAttribute("aria-expanded", "false");
}

function tellOfPanel(part, i) {
  const name = part.querySelector("text"), { box } = page.panels[i];
  name.prepend("▾ ");
  name.dataset.panel = i;
  button(name, { ...box, hint: "Click its name to close it" });
  name.setAttribute("aria-expanded", "true");
}

function tellOfArrow(part, arrow, boxes, tip) {
  if (!tip.trim()) return;
  const ends = [boxes.get(arrow.tail).title, boxes.get(arrow.head).title];
  tell(part, { title: ends.filter(Boolean).join(" → "), lines: tip.split("\n") });
  const wide = part.querySelector("path").cloneNode();
  wide.setAttribute("class", "wide"); // easier to hit
  part.prepend(wide);
}

function showCard(facts) {
  card.hidden = !facts;
  card.replaceChildren();
  const add = (tag, text) => Object.assign(card.appendChild(document.createElement(tag)), { textContent: text });
  if (!facts) return;
  add("h2", facts.title);
  for (const line of facts.lines) add(line.startsWith("%") ? "code" : "p", line);
  if (facts.hint) add("small", facts.hint);
}

function light(id) {
  for (const edge of now.svg.querySelectorAll(".edge")) {
    const { tail, head } = arrowOf(edge);
    edge.classList.toggle("near", id !== undefined && (tail === id || head === id));
  }
}

function choose(id) {
  now.svg.querySelector(".chosen")?.classList.remove("chosen");
  const part = id && partOf(id);
  chosen = part ? id : null;
  part?.classList.add("chosen");
  point(part);
}

// Show what a part tells; of none, what the chosen box does.
function point(part) {
  part ??= chosen && partOf(chosen);
  showCard(part && told.get(part));
  light(part?.dataset.id);
}
