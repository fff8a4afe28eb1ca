// How the stage is seen: moved by dragging, zoomed by the wheel, by two fingers, by buttons and by keys.

const stage = document.getElementById("stage");
const view = { x: 0, y: 0, scale: 1, own: false }; // own: whether the reader has moved it

function place() {
  now.moved.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.scale})`);
  now.svg.classList.toggle("far", view.scale < 1); // lines stay visible
}

function move(x, y) {
  Object.assign(view, { x: view.x + x, y: view.y + y, own: true });
  place();
}

function zoom(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const scale = Math.min(Math.max(view.scale * factor, 0.02), 20), by = scale / view.scale;
  Object.assign(view, { x: x - (x - view.x) * by, y: y - (y - view.y) * by, scale, own: true });
  place();
}

function fit() {
  const wide = stage.clientWidth, high = stage.clientHeight, edge = 24;
  const scale = Math.min((wide - 2 * edge) / now.width, (high - 2 * edge) / now.height, 1.6);
  Object.assign(view, { x: (wide - now.width * scale) / 2, y: (high - now.height * scale) / 2, scale, own: false });
  place();
}

function reveal(part) {
  const box = part.getBoundingClientRect(), room = stage.getBoundingClientRect();
  const inside = box.left >= room.left && box.right <= room.right && box.top >= room.top && box.bottom <= room.bottom;
  if (inside) return;
  move((room.left + room.right - box.left - box.right) / 2, (room.top + room.bottom - box.top - box.bottom) / 2);
}

const held = new Map(); // pointers that are down: where
let dragged = 0; // how far, since the first went down

const middle = () => {
  const [a, b = a] = held.values(), room = stage.getBoundingClientRect();
  return { x: (a.x + b.x) / 2 - room.left, y: (a.y + b.y) / 2 - room.top, spread: Math.hypot(a.x - b.x, a.y - b.y) };
};

stage.addEventListener("pointerdown", (event) => {
  if (event.target.closest(".buttons, #card") || event.button) return;
  if (!held.size) dragged = 0;
  held.set(event.pointerId, { x: event.clientX, y: event.clientY });
});
stage.addEventListener("pointermove", (event) => {
  if (!held.has(event.pointerId)) return;
  const before = middle();
  held.set(event.pointerId, { x: event.clientX, y: event.clientY });
  const after = middle();
  dragged += Math.hypot(after.x - before.x, after.y - before.y);
  if (dragged < 4) return;
  stage.setPointerCapture(event.pointerId);
  stage.classList.add("held");
  move(after.x - before.x, after.y - before.y);
  if (before.spread && after.spread) zoom(after.spread / before.spread, after.x, after.y);
});
for (const name of ["pointerup", "pointercancel"])
  stage.addEventListener(name, (event) => {
    held.delete(event.pointerId);
    stage.classList.remove("held");
  });
stage.addEventListener("wheel", (event) => {
  if (event.target.closest("#card")) return;
  event.preventDefault();
  const room = stage.getBoundingClientRect(), lines = event.deltaMode ? 30 : 1;
  const by = Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0015)); // ctrl: two fingers on a touchpad
  zoom(by, event.clientX - room.left, event.clientY - room.top);
}, { passive: false });
