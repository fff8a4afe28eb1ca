// What the page does: it shows the drawing, opens and closes panels, searches, and answers mouse and keys.

let closed = null; // panels

const say = (text) => ($("status").textContent = text);

// ---- drawing -----------------------------------------------------------------------------------------------------

async function draw(next) {
  if (stage.hasAttribute("aria-busy")) return; // one layout at a time
  const made = diagram(next);
  stage.setAttribute("aria-busy", "true");
  try {
    const parsed = new DOMParser().parseFromString(await svgOf(made.dot), "image/svg+xml");
    put({ ...made, svg: document.importNode(parsed.documentElement, true) });
    closed = next;
    say("");
  } catch (error) {
    say(`${error.message} (${made.boxes.length} boxes, ${made.arrows.length} arrows)`);
  }
  stage.removeAttribute("aria-busy");
}

function put(made) {
  const { svg } = made;
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  for (const name of ["width", "height", "viewBox"]) svg.removeAttribute(name);
  const moved = document.createElementNS(svg.namespaceURI, "g");
  moved.append(...svg.children);
  svg.append(moved);
  now?.svg.remove();
  stage.prepend(svg);
  now = { ...made, moved, width, height };
  const boxes = new Map(made.boxes.map((box) => [box.id, box]));
  for (const part of svg.querySelectorAll(".node, .edge, .cluster")) {
    const id = part.querySelector("title").textContent;
    const tip = part.querySelector("a")?.getAttribute("xlink:title") ?? "";
    part.querySelectorAll("title").forEach((title) => title.remove()); // else the browser shows it over the card
    part.querySelectorAll("a").forEach((link) => link.replaceWith(...link.childNodes));
    if (part.matches(".node")) tellOfBox(part, boxes.get(id));
    else if (part.matches(".edge")) tellOfArrow(part, arrowOf(part), boxes, tip);
    else tellOfPanel(part, Number(id.replace("cluster_", "")));
  }
  if (!page.dot) centreRows([...svg.querySelectorAll(".node")]);
  place();
  choose(chosen);
  search();
}

// ---- open and close ------------------------------------------------------------------------------------------------

async function toggle(panel, part) {
  const next = new Set(closed), before = part.getBoundingClientRect(), focused = part === document.activeElement;
  if (!next.delete(panel)) next.add(panel);
  await draw(next);
  const after = now.svg.querySelector(`[data-panel="${panel}"]`) ?? now.svg;
  const { left, top } = after.getBoundingClientRect();
  if (view.own) move(before.left - left, before.top - top); // it stays under the mouse
  else fit();
  if (focused) after.focus();
}

async function drawClosed(panels) {
  await draw(new Set(panels));
  fit();
}

// ---- search --------------------------------------------------------------------------------------------------------

let hits = [], current = -1;

function search() {
  const query = $("search").value.trim().toLowerCase();
  const has = (box) => [box.title, ...box.lines].join("\n").toLowerCase().includes(query);
  hits = query ? page.boxes.filter(has) : [];
  const ids = new Set(hits.map((box) => now.drawn.get(box.id).id));
  now.svg.classList.toggle("searching", query !== "");
  now.svg.querySelectorAll(".node").forEach((part) => part.classList.toggle("hit", ids.has(part.dataset.id)));
  $("count").textContent = query && (current < 0 ? hits.length : `${current + 1} of ${hits.length}`);
}

async function nextHit(step) {
  if (!hits.length) return;
  current = (current + step + hits.length) % hits.length;
  const box = hits[current], next = new Set(closed);
  for (let panel = box.panel; panel >= 0; panel = page.panels[panel].around) next.delete(panel);
  if (next.size < closed.size) await draw(next);
  search();
  choose(now.drawn.get(box.id).id);
  if (view.scale < 0.8) zoom(1 / view.scale);
  reveal(partOf(chosen));
}

$("search").addEventListener("input", () => {
  current = -1;
  search();
});

// ---- mouse and keys --------------------------------------------------------------------------------------------------

function act(part) {
  if (part?.dataset.panel) toggle(Number(part.dataset.panel), part);
  else if (part?.dataset.id) choose(part.dataset.id);
  else choose(null);
}

stage.addEventListener("click", (event) => {
  if (dragged < 4 && event.target.closest("svg")) act(event.target.closest(".tells"));
  dragged = 0;
});
stage.addEventListener("pointerover", (event) => {
  if (!event.target.closest("#card")) point(event.target.closest(".tells"));
});
stage.addEventListener("focusin", (event) => {
  if (!event.target.matches(".tells:focus-visible")) return;
  point(event.target);
  reveal(event.target);
});

const KEYS = {
  "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), "0": fit,
  ArrowLeft: () => move(60, 0), ArrowRight: () => move(-60, 0), ArrowUp: () => move(0, 60), ArrowDown: () => move(0, -60),
  "/": () => $("search").focus(), Escape: () => choose(null),
};

document.addEventListener("keydown", (event) => {
  const part = document.activeElement;
  if (event.ctrlKey || event.metaKey || event.altKey || !now) return;
  if (part === $("search")) {
    if (event.key === "Enter") nextHit(event.shiftKey ? -1 : 1);
    if (event.key === "Escape") part.blur();
  } else if (part.matches(".tells") && [" ", "Enter"].includes(event.key)) {
    event.preventDefault();
    act(part);
  } else if (KEYS[event.key]) {
    event.preventDefault();
    KEYS[event.key]();
  }
});

$("in").addEventListener("click", () => zoom(1.25));
$("out").addEventListener("click", () => zoom(0.8));
$("fit").addEventListener("click", fit);
$("close").addEventListener("click", () => drawClosed(page.panels.keys()));
$("open").addEventListener("click", () => drawClosed([]));
$("panels").hidden = !page.panels.length;
addEventListener("resize", () => now && !view.own && fit());
draw(new Set(page.closed)).then(() => now && fit());
